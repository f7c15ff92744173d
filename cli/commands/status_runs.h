/* status_runs.h - runs that `wellhead status` asks the fetcher for, and their end. */
#ifndef WH_CLI_COMMANDS_STATUS_RUNS_H
#define WH_CLI_COMMANDS_STATUS_RUNS_H

#include "cli/commands/status_view.h"

enum { STATUS_CONNECTIONS_MAX = 256, STATUS_NOT_ASKED = -1 };

/* What was asked of each connection, in the fetcher's order. */
struct status_runs {
    int64_t runs[STATUS_CONNECTIONS_MAX]; /* finished runs to wait for, or STATUS_NOT_ASKED */
    size_t n;
    int64_t held; /* deletions that wait for a confirmation */
};

/* Asks for a run of each connection that is read; what is "verify" or "confirm-deletes". Gives an
 * exit code. */
int status_runs_ask(struct cli *cli, const char *what, struct status_runs *runs);
/* Waits until the runs have ended and their rows are stored: CLI_OK, or CLI_TIMED_OUT after --wait,
 * one hour without it. */
int status_runs_await(struct cli *cli, const struct status_runs *runs);
/* Says on stderr which connections could not be read, and why; gives their number. */
size_t status_runs_unread(const struct cli *cli, const struct status_view *view);
/* When the newest run of all connections ended, Unix time in ms; 0: none yet. */
int64_t status_runs_ended_ms(const struct status_view *view);

#endif
