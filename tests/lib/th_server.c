#include "tests/lib/th_server.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "tests/lib/th_cmocka.h"

enum { SEEN_MAX = 256, TEXT_MAX = 8192, HEADERS_KEPT = 8, BODY_MAX = 1 << 20 };

static const char *const kept[HEADERS_KEPT] = {
    "Authorization", "Mcp-Session-Id", "Last-Event-ID",        "Mcp-Method",
    "Mcp-Name",      "Content-Type",   "MCP-Protocol-Version", "Mcp-Param-Region"};

struct seen {
    char line[512];
    char *body;
    char headers[HEADERS_KEPT][256];
};

struct th_server {
    struct wh_httpd *httpd;
    th_server_fn fn;
    void *ctx;
    char origin[64];
    struct seen seen[SEEN_MAX];
    size_t n_seen;
};

static size_t on_head(void *ctx, struct wh_http_req *req)
{
    (void)ctx;
    (void)req;
    return BODY_MAX;
}

static void on_request(void *ctx, struct wh_http_req *req)
{
    struct th_server *s = ctx;
    struct seen *seen = &s->seen[s->n_seen];
    struct wh_slice body = wh_http_body(req);

    assert_true(s->n_seen < SEEN_MAX);
    s->n_seen++;
    (void)snprintf(seen->line, sizeof(seen->line), "%.*s %.*s", WH_SLICE_ARG(wh_http_method(req)),
                   WH_SLICE_ARG(wh_http_path(req)));
    seen->body = wh_mem_dup(body.ptr ? body.ptr : "", body.len);
    for (size_t i = 0; i < HEADERS_KEPT; i++) {
        (void)snprintf(seen->headers[i], sizeof(seen->headers[i]), "%.*s",
                       WH_SLICE_ARG(wh_http_header(req, kept[i])));
    }
    s->fn(s->ctx, req);
}

struct th_server *th_server_new(struct wh_loop *loop, th_server_fn fn, void *ctx)
{
    struct th_server *s = wh_mem_zalloc(1, sizeof(*s));
    const struct wh_http_handler handler = {.on_head = on_head, .on_request = on_request, .ctx = s};
    struct wh_httpd_conf conf;
    struct wh_err err;

    assert_non_null(s);
    s->fn = fn;
    s->ctx = ctx;
    wh_httpd_conf_init(&conf);
    conf.address = "127.0.0.1";
    conf.port = 0;
    th_ok(wh_httpd_new(loop, NULL, &conf, &handler, &s->httpd, &err), &err);
    (void)snprintf(s->origin, sizeof(s->origin), "http://127.0.0.1:%u",
                   (unsigned)wh_httpd_port(s->httpd));
    return s;
}

void th_server_free(struct th_server *s)
{
    wh_httpd_free(s->httpd);
    for (size_t i = 0; i < s->n_seen; i++) {
        wh_mem_free(s->seen[i].body);
    }
    wh_mem_free(s);
}

const char *th_server_origin(const struct th_server *s)
{
    return s->origin;
}

unsigned th_server_count(const struct th_server *s, const char *prefix)
{
    unsigned n = 0;

    for (size_t i = 0; i < s->n_seen; i++) {
        n += strncmp(s->seen[i].line, prefix, strlen(prefix)) == 0;
    }
    return n;
}

static const struct seen *last(const struct th_server *s, const char *prefix)
{
    for (size_t i = s->n_seen; i > 0; i--) {
        if (strncmp(s->seen[i - 1].line, prefix, strlen(prefix)) == 0) {
            return &s->seen[i - 1];
        }
    }
    return NULL;
}

const char *th_server_body(const struct th_server *s, const char *prefix)
{
    const struct seen *seen = last(s, prefix);

    return seen ? seen->body : "";
}

bool th_server_heard(const struct th_server *s, const char *text)
{
    for (size_t i = 0; i < s->n_seen; i++) {
        if (strstr(s->seen[i].body, text)) {
            return true;
        }
    }
    return false;
}

const char *th_server_header(const struct th_server *s, const char *prefix, const char *name)
{
    const struct seen *seen = last(s, prefix);

    for (size_t i = 0; seen && i < HEADERS_KEPT; i++) {
        if (strcmp(kept[i], name) == 0) {
            return seen->headers[i];
        }
    }
    return "";
}

void th_reply(struct wh_http_req *req, unsigned status, const char *type, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof(text));
    wh_http_reply(req, &(struct wh_http_reply){.status = status,
                                               .content_type = type,
                                               .body = wh_slice(text, (size_t)n)});
}

void th_reply_with(struct wh_http_req *req, unsigned status, const char *name, const char *value,
                   const char *type, const char *body)
{
    const struct wh_http_header header = {wh_slice_str(name), wh_slice_str(value)};

    wh_http_reply(req, &(struct wh_http_reply){.status = status,
                                               .content_type = type,
                                               .body = wh_slice_str(body),
                                               .headers = &header,
                                               .n_headers = 1});
}

struct wh_httpc *th_client_new(struct wh_loop *loop)
{
    const struct wh_httpc_conf conf = {
        .max_connections = 4, .user_agent = "test", .connect_timeout_ms = 5000};
    struct wh_httpc *http;
    struct wh_err err;

    th_ok(wh_httpc_curl_new(loop, NULL, &conf, &http, &err), &err);
    return http;
}
