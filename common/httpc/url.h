/*
 * url.h - absolute http and https addresses, taken apart by libcurl's parser: what is checked is what a
 * transfer connects to.
 *
 * The slices of a parsed address borrow from its text. Thread: any.
 */
#ifndef WH_HTTPC_URL_H
#define WH_HTTPC_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"

enum { WH_URL_MAX = 2000 };

struct wh_url {
    struct wh_slice text;
    struct wh_slice origin; /* scheme://authority, as written */
    struct wh_slice host;   /* as written, with the brackets of IPv6 */
    struct wh_slice path;   /* "" or "/...", as written */
    struct wh_slice query;  /* without '?' */
    bool https;
    uint16_t port; /* the scheme's own when the address has none */
};

/* WH_E_INVALID unless it is an absolute http or https address of visible ASCII, at most WH_URL_MAX bytes,
 * without user name, fragment or backslash, whose host is written as libcurl reads it: "127.1" is
 * refused. WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc wh_url_parse(struct wh_slice text, struct wh_url *ret, struct wh_err *err);

#endif
