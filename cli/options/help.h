/* help.h - help texts, made from the tables of commands and options. */
#ifndef WH_CLI_OPTIONS_HELP_H
#define WH_CLI_OPTIONS_HELP_H

#include "cli/options/options.h"

/* Each appends a text of whole lines to out. */

/* What the program is, examples, and its n commands. */
WH_MUST_CHECK enum wh_rc cli_help_program(const struct cli_command *commands, size_t n,
                                          struct wh_buf *out, struct wh_err *err);
/* A command: examples, usage, options. */
WH_MUST_CHECK enum wh_rc cli_help_command(const struct cli_command *command, struct wh_buf *out,
                                          struct wh_err *err);
/* "Usage: wellhead show ID|URL [--json]" */
WH_MUST_CHECK enum wh_rc cli_help_usage(const struct cli_command *command, struct wh_buf *out,
                                        struct wh_err *err);

#endif
