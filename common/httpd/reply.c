/* Replies: complete, streamed, errors. */
#include <stdio.h>

#include "common/base/mem.h"
#include "common/httpd/httpd_priv.h"

enum { STREAM_BLOCK_BYTES = 64 << 10 };

void httpd_drop_response(struct httpd_req *req)
{
    if (req->response && !req->response_shared) {
        MHD_destroy_response(req->response);
    }
    req->response = NULL;
}

/* Queues the reply, after waking libmicrohttpd if it is not calling right now. */
static void answer(struct httpd_req *req, unsigned status, struct MHD_Response *response,
                   bool shared)
{
    if (req->state == HTTPD_ANSWERED || req->response || response == NULL) {
        if (response && !shared) {
            MHD_destroy_response(response);
        }
        return;
    }
    req->response = response;
    req->response_shared = shared;
    req->status = status;
    req->state = HTTPD_ANSWERED;
    if (!req->in_callback && req->suspended) {
        req->suspended = false;
        MHD_resume_connection(req->connection);
        httpd_kick(req->httpd);
    }
}

static void add_header(struct MHD_Response *response, struct wh_slice name, struct wh_slice value)
{
    char n[128];
    char v[2048];

    (void)snprintf(n, sizeof(n), "%.*s", WH_SLICE_ARG(name));
    (void)snprintf(v, sizeof(v), "%.*s", WH_SLICE_ARG(value));
    (void)MHD_add_response_header(response, n, v);
}

static struct MHD_Response *make_response(const struct wh_http_reply *reply)
{
    enum MHD_ResponseMemoryMode mode = reply->body_taken ? MHD_RESPMEM_MUST_FREE
                                       : reply->constant ? MHD_RESPMEM_PERSISTENT
                                                         : MHD_RESPMEM_MUST_COPY;
    struct MHD_Response *response;
    void *bytes;

    memcpy(&bytes, &reply->body.ptr, sizeof(bytes));
    response = reply->body.len
                   ? MHD_create_response_from_buffer(reply->body.len, bytes, mode)
                   : MHD_create_response_from_buffer(0, (void *)0, MHD_RESPMEM_PERSISTENT);
    if (reply->body_taken && (reply->body.len == 0 || response == NULL)) {
        wh_mem_free(bytes);
    }
    if (response == NULL) {
        return NULL;
    }
    if (reply->content_type) {
        (void)MHD_add_response_header(response, "Content-Type", reply->content_type);
    }
    for (size_t i = 0; i < reply->n_headers; i++) {
        add_header(response, reply->headers[i].name, reply->headers[i].value);
    }
    return response;
}

/* NULL: no memory, or no room for another constant reply. */
static struct MHD_Response *find_constant(struct wh_httpd *httpd, const struct wh_http_reply *reply)
{
    struct httpd_constant *c = httpd->constants;

    for (size_t i = 0; i < httpd->n_constants; i++) {
        if (c[i].reply == reply) {
            return c[i].response;
        }
    }
    if (httpd->n_constants == HTTPD_CONSTANTS_MAX) {
        return NULL;
    }
    c += httpd->n_constants;
    *c = (struct httpd_constant){reply, make_response(reply)};
    httpd->n_constants += c->response != NULL;
    return c->response;
}

void httpd_reply(struct wh_http_req *http, const struct wh_http_reply *reply)
{
    struct httpd_req *req = httpd_req_of(http);
    struct MHD_Response *constant = reply->constant ? find_constant(req->httpd, reply) : NULL;

    answer(req, reply->status, constant ? constant : make_response(reply), constant != NULL);
}

/* ---- streams ---- */

struct stream {
    struct wh_httpd *httpd;
    struct wh_http_stream source;
    struct wh_buf ready; /* filled, not sent yet */
    size_t sent;
    bool ended;
};

static ssize_t stream_read(void *ctx, uint64_t pos, char *to, size_t max)
{
    struct stream *s = ctx;
    struct wh_err err;
    size_t n;

    (void)pos;
    while (s->sent == s->ready.len) {
        wh_buf_reset(&s->ready);
        s->sent = 0;
        if (s->ended) {
            return MHD_CONTENT_READER_END_OF_STREAM;
        }
        if (s->source.fill(s->source.ctx, &s->ready, STREAM_BLOCK_BYTES, &s->ended, &err) !=
            WH_OK) {
            /* libmicrohttpd closes the connection in its next run, which may be far away. */
            httpd_kick(s->httpd);
            return MHD_CONTENT_READER_END_WITH_ERROR;
        }
    }
    n = s->ready.len - s->sent < max ? s->ready.len - s->sent : max;
    memcpy(to, s->ready.ptr + s->sent, n);
    s->sent += n;
    return (ssize_t)n;
}

static void stream_free(void *ctx)
{
    struct stream *s = ctx;

    if (s->source.done) {
        s->source.done(s->source.ctx);
    }
    wh_buf_done(&s->ready);
    wh_mem_free(s);
}

void httpd_reply_stream(struct wh_http_req *http, unsigned status, const char *content_type,
                        const struct wh_http_stream *stream)
{
    struct httpd_req *req = httpd_req_of(http);
    struct stream *s = wh_mem_zalloc(1, sizeof(*s));
    struct MHD_Response *response;

    if (s == NULL) {
        stream->done(stream->ctx);
        wh_http_reply_error(http, 503, "out of memory", 1);
        return;
    }
    s->httpd = req->httpd;
    s->source = *stream;
    wh_buf_init(&s->ready, 2 * STREAM_BLOCK_BYTES + (16 << 20));
    response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, stream_read,
                                                 s, stream_free);
    if (response == NULL) {
        stream_free(s);
        wh_http_reply_error(http, 503, "out of memory", 1);
        return;
    }
    (void)MHD_add_response_header(response, "Content-Type", content_type);
    answer(req, status, response, false);
}
