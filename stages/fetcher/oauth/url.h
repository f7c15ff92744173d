/*
 * url.h - addresses that a remote party names: compares their origins, and refuses those that must not
 * be requested. Pure.
 */
#ifndef WH_FETCHER_OAUTH_URL_H
#define WH_FETCHER_OAUTH_URL_H

#include <stdbool.h>

#include "common/httpc/httpc.h"
#include "common/httpc/url.h"

/* Scheme, host (any case) and port are equal. */
bool oauth_url_same_origin(const struct wh_url *a, const struct wh_url *b);
/* True when the host is written as localhost, 127.0.0.0/8 or [::1]. The transfer checks the address to
 * which it resolves. */
bool oauth_url_loopback(const struct wh_url *u);
/* True when the path of `path` begins with all segments of the path of `prefix`. */
bool oauth_url_below(const struct wh_url *prefix, const struct wh_url *path);
/* WH_E_FORBIDDEN unless it is https, or http on loopback with allow_http. */
WH_MUST_CHECK enum wh_rc oauth_url_secure(const struct wh_url *u, bool allow_http,
                                          struct wh_err *err);
/* The addresses that a transfer to u may connect to; home is the address that a person configured.
 */
enum wh_httpc_peer oauth_url_peer(const struct wh_url *u, const struct wh_url *home,
                                  bool allow_http);

#endif
