/*
 * url.h - addresses that a remote party names: takes them apart, compares their origins, and refuses
 * what must not be asked.
 *
 * The slices of a parsed address borrow from its text. Pure.
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

/* WH_E_INVALID unless it is an absolute http or https address of visible ASCII, at most
 * OAUTH_URL_MAX bytes, without user name, fragment or backslash. */
WH_MUST_CHECK enum wh_rc oauth_url_parse(struct wh_slice text, struct oauth_url *ret,
                                         struct wh_err *err);
/* Scheme, host (any case) and port are equal. */
bool oauth_url_same_origin(const struct oauth_url *a, const struct oauth_url *b);
/* Is the host written as localhost, 127.0.0.0/8 or [::1]? The transfer checks what it resolves to.
 */
bool oauth_url_loopback(const struct oauth_url *u);
/* Are the segments of prefix's path the first segments of path's? */
bool oauth_url_below(const struct oauth_url *prefix, const struct oauth_url *path);
/* WH_E_FORBIDDEN unless it is https, or http on loopback with allow_http. */
WH_MUST_CHECK enum wh_rc oauth_url_secure(const struct oauth_url *u, bool allow_http,
                                          struct wh_err *err);
/* The addresses that a transfer to u may connect to; home is the address that a person configured.
 */
enum wh_httpc_peer oauth_url_peer(const struct oauth_url *u, const struct oauth_url *home,
                                  bool allow_http);

#endif
