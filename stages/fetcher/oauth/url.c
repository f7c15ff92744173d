#include "stages/fetcher/oauth/url.h"

#include <strings.h>

#include "common/base/num.h"

static bool take(struct wh_slice *text, const char *prefix)
{
    size_t n = strlen(prefix);

    if (text->len < n || strncasecmp(text->ptr, prefix, n) != 0) {
        return false;
    }
    *text = wh_slice_from(*text, n);
    return true;
}

static bool visible(struct wh_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c <= 0x20 || c >= 0x7f || c == '\\' || c == '#' || c == '"' || c == '<' || c == '>') {
            return false;
        }
    }
    return true;
}

static size_t until(struct wh_slice text, const char *stops)
{
    size_t n = 0;

    while (n < text.len && strchr(stops, text.ptr[n]) == NULL) {
        n++;
    }
    return n;
}

static bool host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

/* "host", "host:port", "[v6]", "[v6]:port" */
static bool split_authority(struct wh_slice authority, struct oauth_url *u)
{
    const char *shut =
        authority.len && authority.ptr[0] == '[' ? memchr(authority.ptr, ']', authority.len) : NULL;
    size_t n = shut ? (size_t)(shut - authority.ptr) + 1 : until(authority, ":");
    struct wh_slice rest = wh_slice_from(authority, n);
    struct wh_err err;
    int64_t port;

    u->host = wh_slice(authority.ptr, n);
    u->port = u->https ? 443 : 80;
    if (n == 0 || (authority.ptr[0] == '[' && shut == NULL)) {
        return false;
    }
    for (size_t i = 0; i < n && shut == NULL; i++) {
        if (!host_char(authority.ptr[i])) {
            return false;
        }
    }
    if (rest.len == 0) {
        return true;
    }
    if (rest.ptr[0] != ':' || wh_num_i64(wh_slice_from(rest, 1), &port, &err) != WH_OK ||
        port < 1 || port > 65535) {
        return false;
    }
    u->port = (uint16_t)port;
    return true;
}

enum wh_rc oauth_url_parse(struct wh_slice text, struct oauth_url *ret, struct wh_err *err)
{
    struct oauth_url u = {.text = text};
    struct wh_slice rest = text;
    size_t n;

    if (text.len > OAUTH_URL_MAX || !visible(text)) {
        return wh_fail(err, WH_E_INVALID, "not a well-formed address");
    }
    u.https = take(&rest, "https://");
    if (!u.https && !take(&rest, "http://")) {
        return wh_fail(err, WH_E_INVALID, "not an http or https address");
    }
    n = until(rest, "/?");
    if (memchr(rest.ptr, '@', n) != NULL || !split_authority(wh_slice(rest.ptr, n), &u)) {
        return wh_fail(err, WH_E_INVALID, "not a well-formed host");
    }
    u.origin = wh_slice(text.ptr, text.len - rest.len + n);
    rest = wh_slice_from(rest, n);
    n = until(rest, "?");
    u.path = wh_slice(rest.ptr, n);
    u.query = wh_slice_from(rest, n + 1);
    *ret = u;
    return WH_OK;
}

bool oauth_url_same_origin(const struct oauth_url *a, const struct oauth_url *b)
{
    return a->https == b->https && a->port == b->port && a->host.len == b->host.len &&
           strncasecmp(a->host.ptr, b->host.ptr, a->host.len) == 0;
}

bool oauth_url_loopback(const struct oauth_url *u)
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

bool oauth_url_below(const struct oauth_url *prefix, const struct oauth_url *path)
{
    struct wh_slice a = bare(prefix->path);
    struct wh_slice b = bare(path->path);

    return wh_slice_starts(b, a) && (b.len == a.len || b.ptr[a.len] == '/');
}

enum wh_rc oauth_url_secure(const struct oauth_url *u, bool allow_http, struct wh_err *err)
{
    if (u->https || (allow_http && oauth_url_loopback(u))) {
        return WH_OK;
    }
    return wh_fail(err, WH_E_FORBIDDEN,
                   "%.*s is not https (http is for loopback alone, with allow.http)",
                   WH_SLICE_ARG(u->origin));
}

enum wh_httpc_peer oauth_url_peer(const struct oauth_url *u, const struct oauth_url *home,
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
