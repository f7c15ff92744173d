/*
 * token_file.h - the bearer token of a stage's own API: a file of mode 0600, made on first start.
 */
#ifndef WH_RUN_TOKEN_FILE_H
#define WH_RUN_TOKEN_FILE_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/base/slice.h"

#define WH_TOKEN_TEXT 64

/* Reads the token, 16 to 64 characters; makes a random one when the file is not there. WH_E_CONFIG.
 */
WH_MUST_CHECK enum wh_rc wh_token_file_load(const char *path, char ret[WH_TOKEN_TEXT + 1],
                                            struct wh_err *err);
/* Does an Authorization header carry that token? Constant time. */
bool wh_token_fits(const char *token, struct wh_slice authorization);

#endif
