/* What a handler may ask about a request. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/httpd/httpd_priv.h"

/* A request that is only read is still ours: what was asked for is kept with it. */
static struct wh_http_req *owner_of(const struct wh_http_req *req)
{
    struct wh_http_req *owner;

    memcpy(&owner, &req, sizeof(owner));
    return owner;
}

struct wh_slice wh_http_method(const struct wh_http_req *req)
{
    return req->method;
}

struct wh_slice wh_http_path(const struct wh_http_req *req)
{
    return req->path.len ? wh_buf_slice(&req->path) : wh_slice("/", 1);
}

struct wh_slice wh_http_header(const struct wh_http_req *req, const char *name)
{
    const char *value = NULL;
    size_t len = 0;

    if (MHD_lookup_connection_value_n(req->connection, MHD_HEADER_KIND, name, strlen(name), &value,
                                      &len) != MHD_YES ||
        value == NULL) {
        return wh_slice(NULL, 0);
    }
    return wh_slice(value, len);
}

/* Arguments come still escaped; those that are asked for are decoded and kept with the request. */
struct query_search {
    const char *name;
    struct wh_slice found;
};

struct query_visit {
    void (*fn)(void *ctx, struct wh_slice name, struct wh_slice value);
    void *ctx;
};

static void visit_pair(const struct query_visit *visit, struct wh_slice pair)
{
    const char *equals = pair.len ? memchr(pair.ptr, '=', pair.len) : NULL;
    size_t n = equals ? (size_t)(equals - pair.ptr) : pair.len;
    WH_AUTO(buf) struct wh_buf name;
    WH_AUTO(buf) struct wh_buf value;
    struct wh_err err;

    wh_buf_init(&name, HTTPD_URL_MAX);
    wh_buf_init(&value, HTTPD_URL_MAX);
    if (wh_percent_decode(wh_slice(pair.ptr, n), true, &name, &err) == WH_OK &&
        wh_percent_decode(wh_slice_from(pair, equals ? n + 1 : n), true, &value, &err) == WH_OK) {
        visit->fn(visit->ctx, wh_buf_slice(&name), wh_buf_slice(&value));
    }
}

void wh_http_query_each(const struct wh_http_req *req,
                        void (*fn)(void *ctx, struct wh_slice name, struct wh_slice value),
                        void *ctx)
{
    const struct query_visit visit = {fn, ctx};
    struct wh_slice left = req->raw_query;

    while (left.len) {
        const char *amp = memchr(left.ptr, '&', left.len);
        size_t n = amp ? (size_t)(amp - left.ptr) : left.len;

        if (n) {
            visit_pair(&visit, wh_slice(left.ptr, n));
        }
        left = wh_slice_from(left, amp ? n + 1 : n);
    }
}

static void match_pair(void *ctx, struct wh_slice name, struct wh_slice value)
{
    struct query_search *search = ctx;
    char *copy;

    if (search->found.ptr || !wh_slice_eq(name, wh_slice_str(search->name))) {
        return;
    }
    copy = wh_mem_dup(value.ptr, value.len);
    search->found = wh_slice(copy, copy ? value.len : 0);
}

struct wh_slice wh_http_query(const struct wh_http_req *req, const char *name)
{
    struct query_search search = {.name = name};

    wh_http_query_each(req, match_pair, &search);
    if (search.found.ptr == NULL) {
        return search.found;
    }
    return httpd_keep(owner_of(req), search.found);
}

struct wh_slice httpd_keep(struct wh_http_req *req, struct wh_slice text)
{
    char *owned;

    memcpy(&owned, &text.ptr, sizeof(owned));
    if (req->n_kept == HTTPD_KEPT_MAX) {
        wh_mem_free(owned);
        return wh_slice(NULL, 0);
    }
    req->kept[req->n_kept++] = owned;
    return text;
}

struct wh_slice wh_http_raw_query(const struct wh_http_req *req)
{
    return req->raw_query;
}

struct wh_slice wh_http_body(const struct wh_http_req *req)
{
    return wh_slice(req->body.ptr ? req->body.ptr : "", req->body.len);
}

static void format_peer(struct wh_http_req *req)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    if (info == NULL || info->client_addr == NULL) {
        return;
    }
    if (info->client_addr->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, info->client_addr, sizeof(in));
        (void)inet_ntop(AF_INET, &in.sin_addr, req->peer, sizeof(req->peer));
    } else if (info->client_addr->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, info->client_addr, sizeof(in6));
        (void)inet_ntop(AF_INET6, &in6.sin6_addr, req->peer, sizeof(req->peer));
    }
}

struct wh_slice wh_http_peer(const struct wh_http_req *req)
{
    struct wh_http_req *owner = owner_of(req);

    if (owner->peer[0] == '\0') {
        format_peer(owner);
    }
    return wh_slice_str(req->peer);
}

void wh_http_set_user(struct wh_http_req *req, void *user)
{
    req->user = user;
}

void *wh_http_user(const struct wh_http_req *req)
{
    return req->user;
}
