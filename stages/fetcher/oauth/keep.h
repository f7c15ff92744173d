/*
 * keep.h - what is sealed into a connection, as JSON: the pair of tokens, and the registration of
 * the client. The texts that are written contain secrets, so the caller wipes them. Pure.
 */
#ifndef WH_FETCHER_OAUTH_KEEP_H
#define WH_FETCHER_OAUTH_KEEP_H

#include "stages/fetcher/oauth/token.h"

/* A client, and where it is registered. */
struct oauth_kept {
    struct oauth_client client;
    struct wh_slice token_endpoint;
    struct wh_slice revocation_endpoint; /* may be empty */
    struct wh_slice resource;
};

/* Appends the text. The errors are the buffer's. */
WH_MUST_CHECK enum wh_rc oauth_kept_write(const struct oauth_kept *k, struct wh_buf *out,
                                          struct wh_err *err);
/* The slices of ret are in the arena. WH_E_MISSING without a client id or a token endpoint; the
 * errors of wh_json_parse. */
WH_MUST_CHECK enum wh_rc oauth_kept_read(struct wh_slice json, struct wh_json_parser *parser,
                                         struct wh_arena *arena, struct oauth_kept *ret,
                                         struct wh_err *err);
/* Appends the text. The errors are the buffer's. */
WH_MUST_CHECK enum wh_rc oauth_tokens_write(const struct oauth_tokens *t, struct wh_buf *out,
                                            struct wh_err *err);
/* ret was initialised; what it held is wiped in every case. WH_E_MISSING without an access token,
 * WH_E_TOO_LARGE for one over OAUTH_TOKEN_MAX; the errors of wh_json_parse. */
WH_MUST_CHECK enum wh_rc oauth_tokens_read(struct wh_slice json, struct wh_json_parser *parser,
                                           struct oauth_tokens *ret, struct wh_err *err);

#endif
