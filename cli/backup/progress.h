/* progress.h - what takes longer than two seconds says how far it is. */
#ifndef WH_CLI_BACKUP_PROGRESS_H
#define WH_CLI_BACKUP_PROGRESS_H

#include "cli/core/cli.h"

struct backup_progress {
    const struct cli *cli;
    int64_t since_ms;
    int64_t said_ms;
};

void backup_progress_begin(struct backup_progress *p, const struct cli *cli);
/* "doing: 7 of 9 unit", now and then; bytes are shown in MiB. total -1: it is not known. */
void backup_progress_say(struct backup_progress *p, const char *doing, int64_t done, int64_t total,
                         const char *unit);

#endif
