/*
 * keep.h - what is sealed into a connection: the pair of tokens, and how we are registered. JSON,
 * in and out. Pure; the texts written hold secrets: wipe them.
 */
#ifndef WH_FETCHER_OAUTH_KEEP_H
#define WH_FETCHER_OAUTH_KEEP_H

#include "stages/fetcher/oauth/token.h"

/* A client and where it is known. */
struct oauth_kept {
    struct oauth_client client;
    struct wh_slice token_endpoint;
    struct wh_slice revocation_endpoint; /* may be empty */
    struct wh_slice resource;
};

WH_MUST_CHECK enum wh_rc oauth_kept_write(const struct oauth_kept *k, struct wh_buf *out,
                                          struct wh_err *err);
/* Slices are in the arena. WH_E_MISSING. */
WH_MUST_CHECK enum wh_rc oauth_kept_read(struct wh_slice json, struct wh_json_parser *parser,
                                         struct wh_arena *arena, struct oauth_kept *ret,
                                         struct wh_err *err);
WH_MUST_CHECK enum wh_rc oauth_tokens_write(const struct oauth_tokens *t, struct wh_buf *out,
                                            struct wh_err *err);
/* ret is initialised; what it held is wiped. */
WH_MUST_CHECK enum wh_rc oauth_tokens_read(struct wh_slice json, struct wh_json_parser *parser,
                                           struct oauth_tokens *ret, struct wh_err *err);

#endif
