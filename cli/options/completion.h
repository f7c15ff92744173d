/*
 * completion.h - what shells complete, and the page of the manual, from the tables of commands and options.
 *
 * `wellhead completion bash`, `wellhead completion zsh` and `wellhead help man` print them, and `make install` puts them
 * into place. Thread: app.
 */
#ifndef WH_CLI_OPTIONS_COMPLETION_H
#define WH_CLI_OPTIONS_COMPLETION_H

#include "cli/options/options.h"
#include "common/base/buf.h"

/* Scripts: commands, the words that follow them, their options, and files where an option or a command takes one. */
WH_MUST_CHECK enum wh_rc cli_completion_bash(const struct cli_command *commands, size_t n,
                                             struct wh_buf *out, struct wh_err *err);
WH_MUST_CHECK enum wh_rc cli_completion_zsh(const struct cli_command *commands, size_t n,
                                            struct wh_buf *out, struct wh_err *err);

/* Texts of the program that the page has too. */
struct cli_manual {
    const char *version;
    const char *exit_codes;
    struct wh_slice settings;
};
/* wellhead(1), for man and groff. */
WH_MUST_CHECK enum wh_rc cli_manual_page(const struct cli_command *commands, size_t n,
                                         const struct cli_manual *texts, struct wh_buf *out,
                                         struct wh_err *err);

#endif
