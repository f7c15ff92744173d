/*
 * streams.h - what one fetcher knows of the streams of a connection, as a document of the topic `health` under
 * the key "<connection>:streams:<fetcher>". It holds evidence alone: a reader derives the state of each stream
 * from it and from the time (judge/streams.h), so that a stream is late although its fetcher is dead.
 *
 * The fetcher writes it when a run begins and ends, and every WH_STREAMS_MS while one is under way.
 */
#ifndef WH_EVENT_STREAMS_H
#define WH_EVENT_STREAMS_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"

struct wh_json_parser;
struct wh_json_val;
struct wh_json_writer;

enum { WH_STREAMS_MAX = 24, WH_STREAMS_MS = 10000 };

/* In ms; 0: never. Counts are -1 when they are not known. */
struct wh_stream {
    struct wh_slice name;       /* "issues" */
    struct wh_slice read_by;    /* "rest" or "mcp"; "none": nothing reads it */
    struct wh_slice tool;       /* of "mcp" */
    struct wh_slice credential; /* "read_api token", "approval"; empty: none */
    struct wh_slice reason;     /* why it is not read, or what failed last; may be empty */
    int64_t last_success_ms;    /* since then, every project was read to the end at least once */
    int64_t failing_runs;       /* the newest runs, in a row, in which it failed */
    int64_t failing_since_ms;   /* when the first of them ended */
    int64_t unread;             /* rows that GitLab could not serve completely in the newest run */
    int64_t projects;           /* in which it is to be read */
    int64_t skipped;            /* of these, those that GitLab refuses */
    int64_t at_gitlab;          /* rows there */
    struct wh_slice counted_by; /* how: "numbers", "pipelines", "listed"; empty: not counted */
    int64_t missing;            /* of these, how many were not read; -1: no proof */
    bool active;                /* the run under way has not come to its end yet */
};

struct wh_streams {
    struct wh_slice connection;
    struct wh_slice fetcher;
    int64_t at_ms;            /* when this was written */
    int64_t started_ms;       /* when the fetcher learned of the connection */
    int64_t run;              /* run_id.h; 0: none is under way */
    bool sweeps;              /* that run lists all numbers */
    int64_t progress_ms;      /* when GitLab answered last */
    int64_t interval_ms;      /* between two runs */
    int64_t succeeded_ms;     /* when the newest good run ended */
    int64_t failing_runs;     /* the newest runs, in a row, that failed */
    int64_t failing_since_ms; /* when the first of them ended */
    struct wh_slice error;    /* of the newest run; may be empty */
    struct wh_stream list[WH_STREAMS_MAX];
    size_t n;
};

/* Writes an open JSON object's members, without its braces. */
void wh_stream_write(const struct wh_stream *s, struct wh_json_writer *w);
WH_MUST_CHECK enum wh_rc wh_streams_write(const struct wh_streams *s, struct wh_buf *out,
                                          struct wh_err *err);
/* Texts are valid until the parser's next parse; unknown members are ignored. WH_E_MISSING, and the
 * parser's errors. */
WH_MUST_CHECK enum wh_rc wh_streams_parse(struct wh_slice json, struct wh_json_parser *parser,
                                          struct wh_streams *ret, struct wh_err *err);
/* Copies the texts into the arena. */
WH_MUST_CHECK enum wh_rc wh_streams_keep(struct wh_streams *s, struct wh_arena *arena,
                                         struct wh_err *err);

#endif
