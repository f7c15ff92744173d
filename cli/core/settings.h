/* settings.h - the settings of the command line: a file, then WELLHEAD_* variables. */
#ifndef WH_CLI_CORE_SETTINGS_H
#define WH_CLI_CORE_SETTINGS_H

#include "cli/core/cli.h"

/* path NULL or "": /etc/wellhead/wellhead.conf, where it exists. Fills *conf, which is zeroed;
 * WH_E_CONFIG says what is wrong. */
WH_MUST_CHECK enum wh_rc cli_settings_load(const char *path, char *const *env,
                                           struct cli_conf *conf, struct wh_err *err);
/* Accepts a zeroed struct. */
void cli_settings_release(struct cli_conf *conf);
/* Appends a line for each setting, with its default. */
WH_MUST_CHECK enum wh_rc cli_settings_help(struct wh_buf *out, struct wh_err *err);

#endif
