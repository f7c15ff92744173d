/* replay_shadow.h - `wellhead replay --shadow`: what another view file would change. */
#ifndef WH_CLI_COMMANDS_REPLAY_SHADOW_H
#define WH_CLI_COMMANDS_REPLAY_SHADOW_H

#include "cli/commands/replay_run.h"

/* Runs a mapper that compares, and prints its report. Gives the exit code, after it said why. */
int replay_shadow(struct cli *cli, struct wh_admin *admin, struct replay_plan *plan,
                  const char *connection);

#endif
