/*
 * own_token.h - the API's own bearer token: the content of api.token_file, for the command line and for programs that
 * may do everything. Thread: any.
 */
#ifndef WH_SINK_TOKENS_OWN_TOKEN_H
#define WH_SINK_TOKENS_OWN_TOKEN_H

#include "common/base/err.h"
#include "common/base/slice.h"

struct own_token;

/* path is kept. As wh_token_file_load. */
WH_MUST_CHECK enum wh_rc own_token_new(const char *path, struct own_token **ret,
                                       struct wh_err *err);
/* Wipes it. NULL is accepted. */
void own_token_free(struct own_token *token);
/* As wh_token_fits. */
bool own_token_fits(struct own_token *token, struct wh_slice authorization);
/* Makes a new token in the same file; the old one is refused from then on. WH_E_IO, WH_E_CONFIG: the old one stays. */
WH_MUST_CHECK enum wh_rc own_token_replace(struct own_token *token, struct wh_err *err);

#endif
