/* connect_parts.h - the approval of `wellhead connect`, and its report. Each returns an exit code. */
#ifndef WH_CLI_COMMANDS_CONNECT_PARTS_H
#define WH_CLI_COMMANDS_CONNECT_PARTS_H

#include "cli/core/cli.h"
#include "common/json/json_doc.h"

/* Prints what the fetcher answered at the end: the body as it is unless text is wanted, then with the projects that
 * it sees. */
int connect_report(struct cli *cli, const struct cli_answer *answer, struct wh_json_val root);
/* Waits for the list of projects, for some seconds, and prints them. */
void connect_print_projects(struct cli *cli, const char *connection);

/*
 * Follows a session of the fetcher's until it ends: prints its steps on stderr, opens the browser, and
 * sends the redirect address that the user pastes. Reports the result. session is read before the
 * parser, which it may belong to, is used again.
 */
int connect_follow(struct cli *cli, struct wh_json_parser *parser, struct wh_slice session);

#endif
