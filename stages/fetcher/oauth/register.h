/*
 * register.h - dynamic client registration (RFC 7591): the request, and what the answer says.
 * Internal to the OAuth room. Pure.
 */
#ifndef WH_FETCHER_OAUTH_REGISTER_H
#define WH_FETCHER_OAUTH_REGISTER_H

#include "stages/fetcher/oauth/token.h"

/* Appends the request. scope is not sent when it is empty. The errors are the buffer's. */
WH_MUST_CHECK enum wh_rc oauth_register_body(struct wh_slice client_name,
                                             struct wh_slice redirect_uri, struct wh_slice scope,
                                             struct wh_buf *out, struct wh_err *err);
/* Reads the answer into ret, whose slices are in the arena; issuer and redirect_uri are the given
 * ones. WH_E_MISSING without an id; WH_E_TOO_LARGE or WH_E_INVALID for an id or a secret that is
 * over OAUTH_CLIENT_TEXT_MAX or not plain ASCII; WH_E_UNSUPPORTED for a client authentication that
 * struct oauth_client does not name; the errors of wh_json_parse. */
WH_MUST_CHECK enum wh_rc oauth_register_read(struct wh_slice json, struct wh_json_parser *parser,
                                             const struct oauth_server *server,
                                             struct wh_slice redirect_uri, struct wh_arena *arena,
                                             struct oauth_client *ret, struct wh_err *err);
/* The way in which a client with or without a secret authenticates itself at that server. */
struct wh_slice oauth_auth_method(const struct oauth_server *server, bool secret);

#endif
