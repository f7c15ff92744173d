/* Replies: complete, streamed, errors. */
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

static void resume(struct httpd_req *req)
{
    req->suspended = false;
    MHD_resume_connection(req->connection);
    httpd_kick(req->httpd);
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
        resume(req);
    }
}

static const char *text_of(struct wh_slice slice, char *text, size_t size)
{
    size_t n = slice.len < size ? slice.len : size - 1;

    memcpy(text, slice.ptr, n);
    text[n] = '\0';
    return text;
}

static void add_field(struct MHD_Response *response, enum MHD_ValueKind kind, struct wh_slice name,
                      struct wh_slice value)
{
    char n[128];
    char v[2048];

    (void)(kind == MHD_FOOTER_KIND ? MHD_add_response_footer(response, text_of(name, n, sizeof(n)),
                                                             text_of(value, v, sizeof(v)))
                                   : MHD_add_response_header(response, text_of(name, n, sizeof(n)),
                                                             text_of(value, v, sizeof(v))));
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
        add_field(response, MHD_HEADER_KIND, reply->headers[i].name, reply->headers[i].value);
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
    struct httpd_req *req;
    struct MHD_Response *response;
    struct wh_http_stream source;
    struct wh_buf ready; /* filled, not sent yet */
    size_t sent;
    bool ended;
};

static ssize_t stream_end(struct stream *s)
{
    struct wh_http_header fields[WH_HTTP_TRAILERS_MAX];
    size_t n =
        s->source.trailers && s->source.length == 0 ? s->source.trailers(s->source.ctx, fields) : 0;

    for (size_t i = 0; i < n; i++) {
        add_field(s->response, MHD_FOOTER_KIND, fields[i].name, fields[i].value);
    }
    return MHD_CONTENT_READER_END_OF_STREAM;
}

static ssize_t stream_abort(struct stream *s)
{
    /* libmicrohttpd closes the connection in its next run, which may be far away. */
    httpd_kick(s->req->httpd);
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* libmicrohttpd would ask again at once. */
static ssize_t stream_pause(struct stream *s)
{
    s->req->suspended = true;
    MHD_suspend_connection(s->req->connection);
    return 0;
}

static ssize_t stream_read(void *ctx, uint64_t pos, char *to, size_t max)
{
    struct stream *s = ctx;
    struct wh_err err;
    size_t n;

    (void)pos;
    if (s->sent == s->ready.len) {
        wh_buf_reset(&s->ready);
        s->sent = 0;
        if (s->ended) {
            return stream_end(s);
        }
        if (s->req->httpd->closing || s->source.fill(s->source.ctx, &s->ready, STREAM_BLOCK_BYTES,
                                                     &s->ended, &err) != WH_OK) {
            return stream_abort(s);
        }
        if (s->ready.len == 0) {
            return s->ended ? stream_end(s) : stream_pause(s);
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

static struct stream *make_stream(struct httpd_req *req, const struct wh_http_stream *source,
                                  const char *content_type)
{
    struct stream *s = wh_mem_zalloc(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }
    s->req = req;
    s->source = *source;
    wh_buf_init(&s->ready, 2 * STREAM_BLOCK_BYTES + (16 << 20));
    s->response =
        MHD_create_response_from_callback(source->length ? source->length : MHD_SIZE_UNKNOWN,
                                          STREAM_BLOCK_BYTES, stream_read, s, stream_free);
    if (s->response == NULL) {
        wh_buf_done(&s->ready);
        wh_mem_free(s);
        return NULL;
    }
    (void)MHD_add_response_header(s->response, "Content-Type", content_type);
    for (size_t i = 0; i < source->n_headers; i++) {
        add_field(s->response, MHD_HEADER_KIND, source->headers[i].name, source->headers[i].value);
    }
    return s;
}

void httpd_reply_stream(struct wh_http_req *http, unsigned status, const char *content_type,
                        const struct wh_http_stream *stream)
{
    struct httpd_req *req = httpd_req_of(http);
    struct stream *s;

    if (req->http_1_0 && stream->length == 0) {
        stream->done(stream->ctx);
        wh_http_reply_error(http, 505, "an answer of unknown length needs HTTP/1.1", 0);
        return;
    }
    s = make_stream(req, stream, content_type);
    if (s == NULL) {
        stream->done(stream->ctx);
        wh_http_reply_error(http, 503, "out of memory", 1);
        return;
    }
    answer(req, status, s->response, false);
}

void httpd_stream_more(struct wh_http_req *http)
{
    struct httpd_req *req = httpd_req_of(http);

    if (req->state == HTTPD_ANSWERED && req->suspended) {
        resume(req);
    }
}
