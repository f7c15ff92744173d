/*
 * httpd.h - the HTTP/1.1 server of a stage: libmicrohttpd (epoll) run inside the loop's thread.
 *
 * A request has two halves. on_head sees its method, path and headers, and says how many bytes of
 * body the request may have; without such a word a request has no body. Only then are bytes of a
 * body read, into memory that grows with what has arrived. on_request sees the whole request and
 * replies, at once or later: the connection waits meanwhile, at most reply_timeout_ms, after which
 * the client gets 503 with Retry-After. A reply whose client has gone is dropped.
 *
 * The server answers these without asking the handler:
 *   400  the request or its framing is malformed: Content-Length together with Transfer-Encoding,
 *        either of them twice, a length that is not a plain number, a transfer coding other than
 *        chunked, folded headers, white space before a colon (RFC 9112 sections 5 and 6)
 *   408  the head did not arrive within head_timeout_ms, or the body within body_timeout_ms
 *   411  a POST, PUT or PATCH that may have a body announces none
 *   413  the body is larger than on_head allows; 431 and 414: the head is larger than 16 KiB
 *   503  with Retry-After: there is no memory, or the client has its share of requests open
 * A request refused before or amid its body loses its connection.
 *
 * Connections: each client address (for IPv6 its /64 network) has a share of the table. When a
 * client exceeds its share, or the table is full, the connection that has kept the server waiting
 * the longest is closed in favour of the new one; conns.h has the rules.
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
     * The head is there, the body is not. Returns how many bytes of body this request may have; or
     * replies, and then the body is not read. Authentication belongs here: what it does not allow
     * costs no memory. NULL: no request may have a body.
     */
    size_t (*on_head)(void *ctx, struct wh_http_req *req);
    /*
     * Optional. Bytes of the body have arrived, and the server is about to hold `bytes` of memory
     * for the whole of it, more than it asked for before. False refuses the request: by a reply of
     * the handler's, or by 503 with Retry-After when it made none.
     */
    bool (*on_hold)(void *ctx, struct wh_http_req *req, size_t bytes);
    /* Method, path, headers and the whole body are there: reply now or later. */
    void (*on_request)(void *ctx, struct wh_http_req *req);
    /* Optional; the request is over, replied to or not. The last call for req. */
    void (*on_done)(void *ctx, struct wh_http_req *req);
    void *ctx;
};

struct wh_httpd_conf {
    const char *address; /* "127.0.0.1", "::1", "0.0.0.0" */
    uint16_t port;       /* 0: any free one, see wh_httpd_port */
    /*
     * Addresses and networks of reverse proxies: "10.0.0.0/8, 192.0.2.1". Their connections have
     * no share; the last address in X-Forwarded-For that is not a proxy's own is the client, and
     * the client's open requests count against its share.
     */
    const char *trusted_proxies;
    unsigned max_connections;
    unsigned max_per_peer;    /* share of one client; 0: a quarter of max_connections */
    int64_t head_timeout_ms;  /* from the start of a connection to the end of its first head */
    int64_t idle_timeout_ms;  /* from a reply to the end of the next head */
    int64_t body_timeout_ms;  /* from the end of the head to the end of the body */
    int64_t reply_timeout_ms; /* from the end of the request to the handler's reply */
};

void wh_httpd_conf_init(struct wh_httpd_conf *conf);

/*
 * Listens at once. WH_E_IO: the port is in use, or the address cannot be listened on. WH_E_CONFIG:
 * the address or trusted_proxies is not one. handler is copied, its ctx kept; conf is not kept.
 */
WH_MUST_CHECK enum wh_rc wh_httpd_new(struct wh_loop *loop, struct wh_log *log,
                                      const struct wh_httpd_conf *conf,
                                      const struct wh_http_handler *handler, struct wh_httpd **ret,
                                      struct wh_err *err);
uint16_t wh_httpd_port(const struct wh_httpd *httpd);
/* Stops listening; requests that are there are served to their end. */
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
/* The client's address as text: by a trusted proxy's word where the connection is one's. */
struct wh_slice wh_http_peer(const struct wh_http_req *req);
/* A slot of the handler's own. */
void wh_http_set_user(struct wh_http_req *req, void *user);
void *wh_http_user(const struct wh_http_req *req);

/* Each request is replied to exactly once, by one of these. */
void wh_http_reply(struct wh_http_req *req, const struct wh_http_reply *reply);
/* Replies with the bytes of body and takes them: body is empty afterwards. */
static inline void wh_http_reply_buf(struct wh_http_req *req, unsigned status,
                                     const char *content_type, struct wh_buf *body)
{
    size_t len;
    const char *bytes = wh_buf_take(body, &len);

    wh_http_reply(req, &(struct wh_http_reply){.status = status,
                                               .content_type = content_type,
                                               .body = wh_slice(bytes, len),
                                               .body_taken = true});
}
static inline void wh_http_reply_json(struct wh_http_req *req, unsigned status, struct wh_buf *body)
{
    wh_http_reply_buf(req, status, "application/json", body);
}
void wh_http_reply_stream(struct wh_http_req *req, unsigned status, const char *content_type,
                          const struct wh_http_stream *stream);
/* {"ok":false,"error":<code text>,"status":N}; retry_after_s 0 for none. */
void wh_http_reply_error(struct wh_http_req *req, unsigned status, const char *message,
                         unsigned retry_after_s);

#endif
