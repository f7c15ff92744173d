/*
 * url.h - addresses that a remote party names: taken apart, compared by origin, refused early.
 *
 * A slice of a parsed address is borrowed from the text. Pure functions.
 */
#ifndef WH_FETCHER_OAUTH_URL_H
#define WH_FETCHER_OAUTH_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/httpc/httpc.h"

enum { OAUTH_URL_MAX = 2000 };

struct oauth_url {
    struct wh_slice text;
    struct wh_slice origin; /* scheme://authority, as written */
    struct wh_slice host;   /* brackets of IPv6 included */
    struct wh_slice path;   /* "" or "/..." */
    struct wh_slice query;  /* without '?' */
    bool https;
    uint16_t port;
};

/* Absolute http or https, visible ASCII, no user name, no fragment, no backslash. WH_E_INVALID. */
WH_MUST_CHECK enum wh_rc oauth_url_parse(struct wh_slice text, struct oauth_url *ret,
                                         struct wh_err *err);
/* Scheme, host (any case) and port are equal. */
bool oauth_url_same_origin(const struct oauth_url *a, const struct oauth_url *b);
/* localhost, 127.0.0.0/8 or [::1] by name; what it resolves to is for the transfer to judge. */
bool oauth_url_loopback(const struct oauth_url *u);
/* Are the segments of prefix's path the first segments of path's? */
bool oauth_url_below(const struct oauth_url *prefix, const struct oauth_url *path);
/* https, or http on loopback when allow_http. WH_E_FORBIDDEN. */
WH_MUST_CHECK enum wh_rc oauth_url_secure(const struct oauth_url *u, bool allow_http,
                                          struct wh_err *err);
/* Whom a transfer to u may connect to, when home is what a person configured. */
enum wh_httpc_peer oauth_url_peer(const struct oauth_url *u, const struct oauth_url *home,
                                  bool allow_http);

#endif
