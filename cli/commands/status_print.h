/* status_print.h - the parts of `wellhead status`. */
#ifndef WH_CLI_COMMANDS_STATUS_PRINT_H
#define WH_CLI_COMMANDS_STATUS_PRINT_H

#include "cli/commands/status_view.h"

/* The verdict, processes, what waits between them, what was set aside, and the last good runs. */
void status_print_health(const struct cli *cli, const struct status_view *view);
/* Everything, for people. */
void status_print_overview(const struct cli *cli, const struct status_view *view);
/* The streams of each connection, as the sink tells, or else the fetcher. */
void status_print_streams(const struct cli *cli, const struct status_view *view);
/* Runs, skipped projects, webhooks and completeness of each connection. */
void status_print_sync(const struct cli *cli, const struct status_view *view);

/* Held deletions with examples, and what is unsure, of one connection. */
void status_print_gone(const struct cli *cli, struct wh_json_val c);
/* Shows the deletions that are held on stderr; at a terminal, asks for their number. False: they are not to
 * be applied, and that was said. */
bool status_gone_confirmed(const struct cli *cli, const struct status_view *view);

/* Each returns an exit code. */

/* Waits for the end of the first sync: CLI_OK, or CLI_TIMED_OUT after --wait. */
int status_wait(struct cli *cli);
/* Has every number of every project looked for, and counts them in the store. */
int status_verify(struct cli *cli);
/* Lets the deletions through that are held. */
int status_confirm_deletes(struct cli *cli);

#endif
