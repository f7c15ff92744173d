/* child.h - another program of ours, run by a command. Thread: app. */
#ifndef WH_CLI_CORE_CHILD_H
#define WH_CLI_CORE_CHILD_H

#include <sys/types.h>

enum { CLI_CHILD_MISSING = 127, CLI_CHILD_KILLED = 128 };

/* Starts it with our environment and without our mask of signals; argv ends with NULL. -1: it cannot be started. */
pid_t cli_child_start(char *const argv[]);
/* Runs it to its end, with its messages on our stderr and what it prints nowhere. Gives its exit code;
 * CLI_CHILD_MISSING: there is no such program; CLI_CHILD_KILLED: a signal ended it. */
int cli_child_run(char *const argv[]);

#endif
