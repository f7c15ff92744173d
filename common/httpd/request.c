/* The accessors of a request. */
#include <strings.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/httpd/httpd_priv.h"

static const struct httpd_req *of(const struct wh_http_req *http)
{
    return (const struct httpd_req *)http;
}

/* Casts away const, because decoded values are cached in the request. */
static struct httpd_req *owner_of(const struct wh_http_req *http)
{
    struct httpd_req *owner;

    memcpy(&owner, &http, sizeof(owner));
    return owner;
}

static struct wh_slice get_method(const struct wh_http_req *http)
{
    return of(http)->method;
}

static struct wh_slice get_path(const struct wh_http_req *http)
{
    const struct httpd_req *req = of(http);

    return req->path.len ? wh_buf_slice(&req->path) : wh_slice("/", 1);
}

static bool is_named(const struct wh_http_header *h, const char *name, size_t len)
{
    /* Most names differ in their length or in their first letter. */
    return h->name.len == len && ((h->name.ptr[0] ^ name[0]) & ~('a' ^ 'A')) == 0 &&
           strncasecmp(h->name.ptr, name, len) == 0;
}

static struct wh_slice get_header(const struct wh_http_req *http, const char *name)
{
    const struct httpd_req *req = of(http);
    const char *value = NULL;
    size_t len = strlen(name);
    size_t n = req->n_headers < HTTPD_HEADERS_MAX ? req->n_headers : HTTPD_HEADERS_MAX;

    for (size_t i = 0; i < n; i++) {
        if (is_named(&req->headers[i], name, len)) {
            return req->headers[i].value;
        }
    }
    if (req->n_headers <= HTTPD_HEADERS_MAX) {
        return wh_slice(NULL, 0);
    }
    if (MHD_lookup_connection_value_n(of(http)->connection, MHD_HEADER_KIND, name, strlen(name),
                                      &value, &len) != MHD_YES ||
        value == NULL) {
        return wh_slice(NULL, 0);
    }
    return wh_slice(value, len);
}

/* Arguments arrive escaped; requested ones are decoded and cached in the request. */
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

static void get_query_each(const struct wh_http_req *http, wh_http_arg_fn fn, void *ctx)
{
    const struct query_visit visit = {fn, ctx};
    struct wh_slice left = of(http)->raw_query;

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

static struct wh_slice get_query(const struct wh_http_req *http, const char *name)
{
    struct query_search search = {.name = name};

    get_query_each(http, match_pair, &search);
    if (search.found.ptr == NULL) {
        return search.found;
    }
    return httpd_keep(owner_of(http), search.found);
}

struct wh_slice httpd_keep(struct httpd_req *req, struct wh_slice text)
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

static struct wh_slice get_raw_query(const struct wh_http_req *http)
{
    return of(http)->raw_query;
}

static struct wh_slice get_body(const struct wh_http_req *http)
{
    const struct httpd_req *req = of(http);

    return wh_slice(req->body.ptr ? req->body.ptr : "", req->body.len);
}

/* ---- the client ---- */

struct forwarded {
    const struct httpd_nets *proxies;
    struct httpd_addr client;
    bool known;
};

/*
 * Each proxy appends the address of its client, so the last address that is not a trusted proxy's is
 * the client. The client can forge everything before it.
 */
static void read_hops(struct forwarded *f, struct wh_slice text)
{
    while (text.len) {
        const char *comma = memchr(text.ptr, ',', text.len);
        size_t n = comma ? (size_t)(comma - text.ptr) : text.len;
        struct wh_slice hop = wh_slice(text.ptr, n);
        struct httpd_addr addr;

        text = wh_slice_from(text, comma ? n + 1 : n);
        while (hop.len && hop.ptr[0] == ' ') {
            hop = wh_slice_from(hop, 1);
        }
        while (hop.len && hop.ptr[hop.len - 1] == ' ') {
            hop.len--;
        }
        if (!httpd_addr_parse(hop, &addr)) {
            f->known = false;
        } else if (!httpd_nets_contain(f->proxies, &addr)) {
            f->client = addr;
            f->known = true;
        }
    }
}

static enum MHD_Result on_forwarded(void *ctx, enum MHD_ValueKind kind, const char *name,
                                    size_t name_len, const char *value, size_t value_len)
{
    (void)kind;
    if (name_len == strlen("x-forwarded-for") && strcasecmp(name, "x-forwarded-for") == 0) {
        read_hops(ctx, wh_slice(value, value_len));
    }
    return MHD_YES;
}

struct httpd_addr httpd_client_of(const struct httpd_req *req)
{
    struct forwarded f = {.proxies = &req->httpd->proxies};

    if (req->conn->trusted) {
        (void)MHD_get_connection_values_n(req->connection, MHD_HEADER_KIND, on_forwarded, &f);
    }
    return f.known ? f.client : req->conn->addr;
}

static struct wh_slice get_peer(const struct wh_http_req *http)
{
    struct httpd_req *owner = owner_of(http);

    if (owner->peer[0] == '\0') {
        struct httpd_addr client = httpd_client_of(owner);

        httpd_addr_format(&client, owner->peer);
    }
    return wh_slice_str(owner->peer);
}

const struct wh_http_ops httpd_ops = {
    .method = get_method,
    .path = get_path,
    .header = get_header,
    .query = get_query,
    .query_each = get_query_each,
    .raw_query = get_raw_query,
    .body = get_body,
    .peer = get_peer,
    .reply = httpd_reply,
    .reply_stream = httpd_reply_stream,
    .stream_more = httpd_stream_more,
};
