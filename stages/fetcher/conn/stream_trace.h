/*
 * stream_trace.h - what the runs of a connection leave behind of its streams; stream_report.h fills it in. Types
 * only.
 */
#ifndef WH_FETCHER_STREAM_TRACE_H
#define WH_FETCHER_STREAM_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "stages/fetcher/gitlab/streams.h"

enum { STREAM_TEXT_MAX = 200, STREAM_CUTS_MAX = 8 };

/* One stream, or part of a stream. */
struct stream_trace {
    int64_t failing_runs; /* the newest ones, in a row */
    int64_t failing_since_ms;
    int64_t listed_ms;   /* of the list of projects: when it was last read to its end */
    int64_t listed_rows; /* how many it had then */
    /* The present run, or the last one. */
    uint64_t ended; /* listings */
    uint64_t failed;
    uint64_t unread; /* rows */
    char error[STREAM_TEXT_MAX];
};

/* A run of an earlier process that has not reported its end. */
struct stream_cut {
    uint64_t fetcher; /* hash of its name; 0: none */
    int64_t run;      /* 0: its last run has ended */
    int64_t at_ms;    /* of its last report */
    bool sweeps;
};

/* What the runs of a connection leave behind. Zeros: nothing. */
struct stream_traces {
    struct stream_trace list[STREAMS];
    int64_t failing_runs;
    int64_t failing_since_ms;
    int64_t succeeded_ms;
    int64_t progress_ms; /* when the counts last changed */
    uint64_t progress;   /* their sum then */
    uint64_t before_check[STREAMS];
    struct stream_cut cuts[STREAM_CUTS_MAX];
};

#endif
