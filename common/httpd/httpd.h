/*
 * httpd.h - the HTTP/1.1 server of a stage: libmicrohttpd (epoll) run inside the loop's thread.
 *
 * Limits are given at birth. Bodies are collected in a bounded buffer while they stream. A handler
 * may answer later: the connection is suspended meanwhile, at most reply_timeout_ms (then 503 with
 * Retry-After). A reply that comes after its peer is gone is dropped quietly.
 * Answers without being asked: 400 malformed, 405 with Allow, 408 on a body that does not
 * come within body_timeout_ms, 411 for a POST or PUT without length and without chunks, 413, 431.
 *
 * Thread: app. Ownership: requests belong to the server; a handler keeps the pointer until it has
 * replied, and never after.
 */
#ifndef WH_HTTPD_HTTPD_H
#define WH_HTTPD_HTTPD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/log/log.h"
#include "common/loop/loop.h"

struct wh_httpd;
struct wh_http_req;

struct wh_http_header {
    struct wh_slice name;
    struct wh_slice value;
};

struct wh_http_reply {
    unsigned status;
    const char *content_type; /* NULL: no body type */
    struct wh_slice body;     /* copied, unless body_taken */
    bool body_taken;          /* body.ptr came from wh_mem_alloc and is freed by the server */
    const struct wh_http_header *headers; /* extra ones; values without CR, LF or NUL */
    size_t n_headers;
    /* The struct and all that it points to stay as they are while the server lives: what is sent
     * is made once. At most 8 such replies of a server; body_taken must be false. */
    bool constant;
};

/*
 * Streams a long answer (chunked): fill appends at most max bytes to out; *ret_end ends it; an
 * error aborts the chunked stream, which clients see. Runs in the app thread. done is called
 * exactly once.
 */
struct wh_http_stream {
    enum wh_rc (*fill)(void *ctx, struct wh_buf *out, size_t max, bool *ret_end,
                       struct wh_err *err);
    void (*done)(void *ctx);
    void *ctx;
};

struct wh_http_handler {
    /*
     * Optional; headers are in, the body is not. May reply at once (the body is then not read).
     * *body_max starts as conf.body_max and may be lowered or raised up to conf.body_limit.
     */
    void (*on_head)(void *ctx, struct wh_http_req *req, size_t *body_max);
    /* Method, path, headers and the whole body are there: reply now or later. */
    void (*on_request)(void *ctx, struct wh_http_req *req);
    /* Optional; the request is over, replied to or not. The last call for req. */
    void (*on_done)(void *ctx, struct wh_http_req *req);
    void *ctx;
};

struct wh_httpd_conf {
    const char *address;      /* "127.0.0.1", "::1", "0.0.0.0" */
    uint16_t port;            /* 0: any free one, see wh_httpd_port */
    unsigned max_connections; /* over it: refused at accept */
    unsigned max_per_ip;      /* 0: no limit */
    size_t body_max;          /* default limit of a body, bytes */
    size_t body_limit;        /* the largest body_max that on_head may set */
    int64_t idle_timeout_ms;  /* between requests, and while headers come */
    int64_t body_timeout_ms;
    int64_t reply_timeout_ms;
};

void wh_httpd_conf_init(struct wh_httpd_conf *conf);

/* Listens at once. WH_E_IO names the address and why. handler is copied, its ctx kept. */
WH_MUST_CHECK enum wh_rc wh_httpd_new(struct wh_loop *loop, struct wh_log *log,
                                      const struct wh_httpd_conf *conf,
                                      const struct wh_http_handler *handler, struct wh_httpd **ret,
                                      struct wh_err *err);
uint16_t wh_httpd_port(const struct wh_httpd *httpd);
/* Stops listening; requests that are there go on. */
void wh_httpd_quiesce(struct wh_httpd *httpd);
/* Open requests are answered with 503 first. */
void wh_httpd_free(struct wh_httpd *httpd);

struct wh_slice wh_http_method(const struct wh_http_req *req);
/* Percent-decoded, without the query; always starts with '/'. */
struct wh_slice wh_http_path(const struct wh_http_req *req);
/* The name is case-insensitive. ptr NULL when the header is absent. Of a header that was sent more
 * than once this is the first value. */
struct wh_slice wh_http_header(const struct wh_http_req *req, const char *name);
/* Decoded query argument; ptr NULL when absent. */
struct wh_slice wh_http_query(const struct wh_http_req *req, const char *name);
/* Calls fn for every query argument in order. */
void wh_http_query_each(const struct wh_http_req *req,
                        void (*fn)(void *ctx, struct wh_slice name, struct wh_slice value),
                        void *ctx);
struct wh_slice wh_http_raw_query(const struct wh_http_req *req);
/* The collected body. From on_request until the reply; the bytes stay where they are. */
struct wh_slice wh_http_body(const struct wh_http_req *req);
/* Text address of the peer. */
struct wh_slice wh_http_peer(const struct wh_http_req *req);
/* A slot of the handler's own. */
void wh_http_set_user(struct wh_http_req *req, void *user);
void *wh_http_user(const struct wh_http_req *req);

/* Each request is replied to exactly once, by one of these. */
void wh_http_reply(struct wh_http_req *req, const struct wh_http_reply *reply);
void wh_http_reply_stream(struct wh_http_req *req, unsigned status, const char *content_type,
                          const struct wh_http_stream *stream);
/* {"ok":false,"error":<code text>,"status":N}; retry_after_s 0 for none. */
void wh_http_reply_error(struct wh_http_req *req, unsigned status, const char *message,
                         unsigned retry_after_s);

#endif
