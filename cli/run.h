/* run.h - a command line from its words to its exit code. */
#ifndef WH_CLI_RUN_H
#define WH_CLI_RUN_H

#include "cli/core/cli.h"

/*
 * Reads the words, loads the settings, runs the command. *cli has its out and world set and is
 * zeroed otherwise. env: "NAME=value", ended by NULL; WELLHEAD_CONFIG, NO_COLOR, PAGER, COLUMNS and TERM are read from
 * it, too.
 */
int cli_run(struct cli *cli, int argc, char *const *argv, char *const *env);

#endif
