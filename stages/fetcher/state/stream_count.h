/*
 * stream_count.h - what was counted of one stream of a connection, in the present or the last run.
 */
#ifndef WH_FETCHER_STREAM_COUNT_H
#define WH_FETCHER_STREAM_COUNT_H

#include <stdint.h>

struct stream_count {
    uint64_t pages;
    uint64_t rows;
    uint64_t produced;
    uint64_t follow_ups;
    uint64_t skipped;
    uint64_t failed;
    uint64_t checked;    /* rows of full listings */
    uint64_t found;      /* rows of full listings and single reads that were not known before */
    uint64_t singles;    /* numbers that were read one by one */
    uint64_t total_rows; /* since the process started */
};

#endif
