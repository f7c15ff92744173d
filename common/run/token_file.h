/*
 * token_file.h - the bearer token of a stage's own API, kept in a file of mode 0600 that is made on
 * the first start. Thread: app.
 */
#ifndef WH_RUN_TOKEN_FILE_H
#define WH_RUN_TOKEN_FILE_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/base/slice.h"

#define WH_TOKEN_TEXT 64

/*
 * Reads the token, 16 to 64 characters. Makes a random one of 64 when there is no file. WH_E_CONFIG
 * for an empty path, a token of another length and a file that other users may read.
 */
WH_MUST_CHECK enum wh_rc wh_token_file_load(const char *path, char ret[WH_TOKEN_TEXT + 1],
                                            struct wh_err *err);
/*
 * Does the value of an Authorization header carry that token as "Bearer <token>" (RFC 6750 section
 * 2.1, the scheme in any case)? The comparison takes the same time wherever the two differ.
 */
bool wh_token_fits(const char *token, struct wh_slice authorization);

#endif
