/*
 * th_http.h - requests in memory, without a server: the test fills one in, gives it to a handler and
 * reads the reply.
 */
#ifndef TH_HTTP_H
#define TH_HTTP_H

#include "common/base/buf.h"
#include "common/httpd/http.h"
#include "common/loop/loop.h"

enum { TH_HTTP_ARGS_MAX = 64, TH_HTTP_HEADERS_MAX = 8 };

struct th_http_pair {
    struct wh_slice name;
    struct wh_slice value;
};

struct th_http_req {
    struct wh_http_req http; /* first: what the handler gets */
    /* Given. */
    struct wh_slice method;
    struct wh_slice path;
    struct wh_slice body;
    struct th_http_pair args[TH_HTTP_ARGS_MAX];
    size_t n_args;
    struct wh_slice raw_query; /* as on the wire; empty unless the test sets it */
    struct th_http_pair headers[TH_HTTP_HEADERS_MAX];
    size_t n_headers;
    /* The answer. */
    bool replied;
    bool body_read; /* the handler did not reply before the body */
    unsigned replies;
    bool streamed;
    bool streaming; /* the stream has not ended: it pauses, or the test stopped reading */
    bool aborted;
    size_t read_max; /* the test reads only so many bytes of a stream; 0: all of it */
    struct wh_http_stream stream;
    unsigned status;
    unsigned retry_after_s; /* 0: none */
    char content_type[128];
    struct wh_buf answer;
    struct wh_buf answer_headers; /* "Name: value\n" */
    struct wh_buf answer_trailers;
};

/* url: path and query, percent-encoded as on the wire; all slices are kept by reference. */
void th_http_init(struct th_http_req *req, const char *method, const char *url);
void th_http_arg(struct th_http_req *req, const char *name, const char *value);
void th_http_header(struct th_http_req *req, const char *name, const char *value);
/* What the server does with a request: on_head, on_hold, on_request, until one of them replies. */
void th_http_begin(struct th_http_req *req, const struct wh_http_handler *handler);
/* th_http_begin, then turns of the loop until the reply has ended, then th_http_over. */
void th_http_send(struct th_http_req *req, const struct wh_http_handler *handler,
                  struct wh_loop *loop);
/* Goes on reading a stream after read_max was raised; returns when it pauses or has ended. */
void th_http_read(struct th_http_req *req);
/* Tells the handler that the request is over, and a stream that nobody reads it any more. */
void th_http_over(struct th_http_req *req, const struct wh_http_handler *handler);
void th_http_done(struct th_http_req *req);

#endif
