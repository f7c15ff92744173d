#include "stages/fetcher/oauth/url.h"

#include <strings.h>

bool oauth_url_same_origin(const struct wh_url *a, const struct wh_url *b)
{
    return a->https == b->https && a->port == b->port && a->host.len == b->host.len &&
           strncasecmp(a->host.ptr, b->host.ptr, a->host.len) == 0;
}

bool oauth_url_loopback(const struct wh_url *u)
{
    static const char digits[] = "0123456789.";

    if (u->host.len == 9 && strncasecmp(u->host.ptr, "localhost", 9) == 0) {
        return true;
    }
    if (wh_slice_eq(u->host, WH_LIT("[::1]"))) {
        return true;
    }
    for (size_t i = 0; i < u->host.len; i++) {
        if (strchr(digits, u->host.ptr[i]) == NULL) {
            return false;
        }
    }
    return wh_slice_starts(u->host, WH_LIT("127."));
}

static struct wh_slice bare(struct wh_slice path)
{
    while (path.len && path.ptr[path.len - 1] == '/') {
        path.len--;
    }
    return path;
}

bool oauth_url_below(const struct wh_url *prefix, const struct wh_url *path)
{
    struct wh_slice a = bare(prefix->path);
    struct wh_slice b = bare(path->path);

    return wh_slice_starts(b, a) && (b.len == a.len || b.ptr[a.len] == '/');
}

enum wh_rc oauth_url_secure(const struct wh_url *u, bool allow_http, struct wh_err *err)
{
    if (u->https || (allow_http && oauth_url_loopback(u))) {
        return WH_OK;
    }
    return wh_fail(err, WH_E_FORBIDDEN,
                   "%.*s is not https (http is for loopback alone, with allow.http)",
                   WH_SLICE_ARG(u->origin));
}

enum wh_httpc_peer oauth_url_peer(const struct wh_url *u, const struct wh_url *home,
                                  bool allow_http)
{
    if (!u->https) {
        return WH_HTTPC_PEER_LOOPBACK;
    }
    if (oauth_url_same_origin(u, home)) {
        return WH_HTTPC_PEER_ANY;
    }
    return allow_http && oauth_url_loopback(u) ? WH_HTTPC_PEER_LOOPBACK : WH_HTTPC_PEER_PUBLIC;
}
