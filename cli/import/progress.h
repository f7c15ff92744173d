/* progress.h - what takes longer than two seconds says how far it is. */
#ifndef WH_CLI_IMPORT_PROGRESS_H
#define WH_CLI_IMPORT_PROGRESS_H

#include "cli/core/cli.h"

struct import_progress {
    int64_t since_ms;
    int64_t said_ms;
    uint32_t calls;
};

/* What comes is counted from here. */
void import_progress_begin(struct import_progress *p, const struct cli *cli);
/* "doing: 7 of 9 rows", now and then. total -1: it is not known. */
void import_progress_now(struct import_progress *p, const struct cli *cli, const char *doing,
                         int64_t n, int64_t total);
/* The same, looking at the clock at few of its calls: for each row. */
void import_progress(struct import_progress *p, const struct cli *cli, const char *doing, int64_t n,
                     int64_t total);

#endif
