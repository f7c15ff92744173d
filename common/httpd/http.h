/*
 * http.h - requests as the handlers of a stage see them, and replies. The server in httpd.h implements
 * struct wh_http_ops on libmicrohttpd; tests implement it in memory (tests/lib/th_http.h).
 *
 * A request has two halves. on_head sees its method, path and headers, and says how many bytes of
 * body the request may have. on_request sees the whole request, and replies at once or later.
 *
 * Thread: app. Ownership: requests belong to the server; a handler keeps the pointer until it has
 * replied, and never after. What the functions below return belongs to the request.
 */
#ifndef WH_HTTPD_HTTP_H
#define WH_HTTPD_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/slice.h"

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
    /* The struct and everything it points to never change while the server exists, so its response is
     * built once. At most 8 such replies for each server; body_taken must be false. */
    bool constant;
};

enum { WH_HTTP_TRAILERS_MAX = 4 };

/*
 * Streams a long answer. fill appends at most max bytes to out and is called again when the client has
 * taken them; *ret_end ends the answer. When fill appends nothing and does not end the answer, the stream
 * pauses until wh_http_stream_more. An error closes the connection in the middle of the body, which
 * clients see. Runs in the app thread. done is called exactly once.
 */
struct wh_http_stream {
    enum wh_rc (*fill)(void *ctx, struct wh_buf *out, size_t max, bool *ret_end,
                       struct wh_err *err);
    void (*done)(void *ctx);
    void *ctx;
    /* Optional; called after *ret_end, returns how many fields out has. Chunked bodies only. */
    size_t (*trailers)(void *ctx, struct wh_http_header out[WH_HTTP_TRAILERS_MAX]);
    /* Bytes of the body when they are known; 0: the body is chunked, which needs HTTP/1.1: a client of
     * HTTP/1.0 could not tell an aborted body from a complete one, and gets 505. */
    uint64_t length;
    const struct wh_http_header *headers;
    size_t n_headers;
};

struct wh_http_handler {
    /*
     * The head has arrived, the body has not. Returns how many bytes the body may have, or replies, and
     * then the body is not read. Authenticate here, so that refused requests cost no memory. NULL: no
     * request may have a body.
     */
    size_t (*on_head)(void *ctx, struct wh_http_req *req);
    /*
     * Optional. The server is about to grow the memory for the body to `bytes`, because more of it has
     * arrived. Returning false refuses the request with the handler's reply, or with 503 and
     * Retry-After when it made none.
     */
    bool (*on_hold)(void *ctx, struct wh_http_req *req, size_t bytes);
    /* The request has arrived completely: reply now or later. */
    void (*on_request)(void *ctx, struct wh_http_req *req);
    /* Optional; the request is over, replied to or not. The last call for req. */
    void (*on_done)(void *ctx, struct wh_http_req *req);
    void *ctx;
};

/* What wh_http_query_each calls for an argument. */
typedef void (*wh_http_arg_fn)(void *ctx, struct wh_slice name, struct wh_slice value);

struct wh_http_ops {
    struct wh_slice (*method)(const struct wh_http_req *req);
    struct wh_slice (*path)(const struct wh_http_req *req);
    struct wh_slice (*header)(const struct wh_http_req *req, const char *name);
    struct wh_slice (*query)(const struct wh_http_req *req, const char *name);
    void (*query_each)(const struct wh_http_req *req, wh_http_arg_fn fn, void *ctx);
    struct wh_slice (*raw_query)(const struct wh_http_req *req);
    struct wh_slice (*body)(const struct wh_http_req *req);
    struct wh_slice (*peer)(const struct wh_http_req *req);
    void (*reply)(struct wh_http_req *req, const struct wh_http_reply *reply);
    void (*reply_stream)(struct wh_http_req *req, unsigned status, const char *content_type,
                         const struct wh_http_stream *stream);
    void (*stream_more)(struct wh_http_req *req);
};

/* First member of every implementation's request. */
struct wh_http_req {
    const struct wh_http_ops *ops;
    void *user; /* a slot of the handler's own, NULL at first */
};

static inline struct wh_slice wh_http_method(const struct wh_http_req *req)
{
    return req->ops->method(req);
}

/* Percent-decoded, without the query; always starts with '/'. */
static inline struct wh_slice wh_http_path(const struct wh_http_req *req)
{
    return req->ops->path(req);
}

/*
 * The name is case-insensitive. ptr NULL when the header is absent. Of a header that was sent more
 * than once this is the first value.
 */
static inline struct wh_slice wh_http_header(const struct wh_http_req *req, const char *name)
{
    return req->ops->header(req, name);
}

/* Decoded query argument; ptr NULL when absent. */
static inline struct wh_slice wh_http_query(const struct wh_http_req *req, const char *name)
{
    return req->ops->query(req, name);
}

/* Calls fn for every query argument in order. */
static inline void wh_http_query_each(const struct wh_http_req *req, wh_http_arg_fn fn, void *ctx)
{
    req->ops->query_each(req, fn, ctx);
}

static inline struct wh_slice wh_http_raw_query(const struct wh_http_req *req)
{
    return req->ops->raw_query(req);
}

/* The body, valid from on_request until the reply. */
static inline struct wh_slice wh_http_body(const struct wh_http_req *req)
{
    return req->ops->body(req);
}

/* The client's address as text, taken from X-Forwarded-For when a trusted proxy is connected. */
static inline struct wh_slice wh_http_peer(const struct wh_http_req *req)
{
    return req->ops->peer(req);
}

static inline void wh_http_set_user(struct wh_http_req *req, void *user)
{
    req->user = user;
}

static inline void *wh_http_user(const struct wh_http_req *req)
{
    return req->user;
}

/* Each request is replied to exactly once, by one of these. */
static inline void wh_http_reply(struct wh_http_req *req, const struct wh_http_reply *reply)
{
    req->ops->reply(req, reply);
}

/* Replies with the bytes of body, which is empty afterwards. */
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

struct wh_json_writer;
/* Finishes the writer, and replies with its buffer, which is taken; or with 500 and the writer's error. */
void wh_http_reply_written(struct wh_http_req *req, unsigned status, struct wh_json_writer *w);

static inline void wh_http_reply_stream(struct wh_http_req *req, unsigned status,
                                        const char *content_type,
                                        const struct wh_http_stream *stream)
{
    req->ops->reply_stream(req, status, content_type, stream);
}

/*
 * A paused stream has more to send, or has ended; no effect when it is not paused. Valid from
 * wh_http_reply_stream until on_done.
 */
static inline void wh_http_stream_more(struct wh_http_req *req)
{
    req->ops->stream_more(req);
}

/* {"ok":false,"error":<message>,"status":N}; retry_after_s 0: without a Retry-After header. */
void wh_http_reply_error(struct wh_http_req *req, unsigned status, const char *message,
                         unsigned retry_after_s);

#endif
