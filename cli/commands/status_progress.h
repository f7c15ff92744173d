/* status_progress.h - how far a sync is, while a command waits for it: each number with the one that it grows to. */
#ifndef WH_CLI_COMMANDS_STATUS_PROGRESS_H
#define WH_CLI_COMMANDS_STATUS_PROGRESS_H

#include "cli/commands/status_view.h"

/* Zeroed before the first call. */
struct status_progress {
    int64_t said_ms;
};

/* Shows one line on stderr: again and again on a terminal, every ten seconds elsewhere, never with --quiet. */
void status_progress(const struct cli *cli, struct status_progress *p,
                     const struct status_view *view);
/* Takes the line away from the terminal. */
void status_progress_end(const struct cli *cli);
/* Says that the sync goes on without the command that was interrupted, and how to follow it: the exit code. */
int status_progress_interrupted(const struct cli *cli);

#endif
