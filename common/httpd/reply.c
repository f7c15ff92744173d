/* Answers: whole, streamed, errors. */
#include <stdio.h>

#include "common/base/mem.h"
#include "common/httpd/httpd_priv.h"
#include "common/json/json_write.h"

enum { STREAM_BLOCK_BYTES = 64 << 10, ERROR_MAX_BYTES = 4096 };

void httpd_drop_response(struct wh_http_req *req)
{
    if (req->response && !req->response_shared) {
        MHD_destroy_response(req->response);
    }
    req->response = NULL;
}

/* Hands the answer to libmicrohttpd: at once when it is calling, by waking it when it is not. */
static void answer(struct wh_http_req *req, unsigned status, struct MHD_Response *response,
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

/* NULL: no memory, or no place for one more. */
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

void wh_http_reply(struct wh_http_req *req, const struct wh_http_reply *reply)
{
    struct MHD_Response *constant = reply->constant ? find_constant(req->httpd, reply) : NULL;

    answer(req, reply->status, constant ? constant : make_response(reply), constant != NULL);
}

void wh_http_reply_error(struct wh_http_req *req, unsigned status, const char *message,
                         unsigned retry_after_s)
{
    char seconds[16];
    const struct wh_http_header retry = {WH_LIT("Retry-After"), wh_slice(seconds, 0)};
    struct wh_http_header headers[1] = {retry};
    struct wh_json_writer w;
    struct wh_buf body;
    struct wh_err err;
    size_t len;
    char *bytes;

    (void)snprintf(seconds, sizeof(seconds), "%u", retry_after_s);
    headers[0].value = wh_slice_str(seconds);
    wh_buf_init(&body, ERROR_MAX_BYTES);
    wh_json_writer_init(&w, &body);
    wh_jw_object(&w);
    wh_jw_key(&w, "ok");
    wh_jw_bool(&w, false);
    wh_jw_key(&w, "error");
    wh_jw_str(&w, wh_slice_str(message));
    wh_jw_key(&w, "status");
    wh_jw_int(&w, status);
    wh_jw_end(&w);
    if (wh_jw_finish(&w, &err) != WH_OK) {
        wh_buf_reset(&body);
    }
    bytes = wh_buf_take(&body, &len);
    wh_http_reply(req, &(struct wh_http_reply){.status = status,
                                               .content_type = "application/json",
                                               .body = wh_slice(bytes, len),
                                               .body_taken = true,
                                               .headers = headers,
                                               .n_headers = retry_after_s ? 1 : 0});
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
            /* libmicrohttpd closes the connection in its next turn: which may be long away. */
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

void wh_http_reply_stream(struct wh_http_req *req, unsigned status, const char *content_type,
                          const struct wh_http_stream *stream)
{
    struct stream *s = wh_mem_zalloc(1, sizeof(*s));
    struct MHD_Response *response;

    if (s == NULL) {
        stream->done(stream->ctx);
        wh_http_reply_error(req, 503, "out of memory", 1);
        return;
    }
    s->httpd = req->httpd;
    s->source = *stream;
    wh_buf_init(&s->ready, 2 * STREAM_BLOCK_BYTES + (16 << 20));
    response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, stream_read,
                                                 s, stream_free);
    if (response == NULL) {
        stream_free(s);
        wh_http_reply_error(req, 503, "out of memory", 1);
        return;
    }
    (void)MHD_add_response_header(response, "Content-Type", content_type);
    answer(req, status, response, false);
}
