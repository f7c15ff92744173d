#include "tests/lib/th_http.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/num.h"
#include "tests/lib/th_cmocka.h"

enum { ANSWER_MAX_BYTES = 512 << 20, BLOCK_BYTES = 4096, TURNS_MAX = 100000 };

static const struct th_http_req *of(const struct wh_http_req *http)
{
    return (const struct th_http_req *)http;
}

void th_http_arg(struct th_http_req *req, const char *name, const char *value)
{
    assert_true(req->n_args < TH_HTTP_ARGS_MAX);
    req->args[req->n_args++] = (struct th_http_pair){wh_slice_str(name), wh_slice_str(value)};
}

void th_http_header(struct th_http_req *req, const char *name, const char *value)
{
    assert_true(req->n_headers < TH_HTTP_HEADERS_MAX);
    req->headers[req->n_headers++] = (struct th_http_pair){wh_slice_str(name), wh_slice_str(value)};
}

void th_http_begin(struct th_http_req *req, const struct wh_http_handler *handler)
{
    size_t body_max = handler->on_head ? handler->on_head(handler->ctx, &req->http) : 0;

    req->body_read = !req->replied;
    if (!req->replied && req->body.len > body_max) {
        wh_http_reply_error(&req->http, 413, "too large", 0);
    }
    if (!req->replied && req->body.len && handler->on_hold &&
        !handler->on_hold(handler->ctx, &req->http, req->body.len) && !req->replied) {
        wh_http_reply_error(&req->http, 503, "no room", 1);
    }
    if (!req->replied) {
        handler->on_request(handler->ctx, &req->http);
    }
}

void th_http_send(struct th_http_req *req, const struct wh_http_handler *handler,
                  struct wh_loop *loop)
{
    th_http_begin(req, handler);
    for (int i = 0; !req->replied || req->streaming; i++) {
        assert_true(i < TURNS_MAX);
        wh_loop_turn(loop, true);
    }
    th_http_over(req, handler);
}

void th_http_over(struct th_http_req *req, const struct wh_http_handler *handler)
{
    if (handler->on_done) {
        handler->on_done(handler->ctx, &req->http);
    }
    if (req->streaming) {
        req->streaming = false;
        req->aborted = true;
        req->stream.done(req->stream.ctx);
    }
}

void th_http_done(struct th_http_req *req)
{
    wh_buf_done(&req->answer);
    wh_buf_done(&req->answer_headers);
    wh_buf_done(&req->answer_trailers);
}

static struct wh_slice get_method(const struct wh_http_req *http)
{
    const struct th_http_req *req = of(http);

    return req->method;
}

static struct wh_slice get_path(const struct wh_http_req *http)
{
    const struct th_http_req *req = of(http);

    return req->path;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static struct wh_slice get_header(const struct wh_http_req *http, const char *name)
{
    const struct th_http_req *req = of(http);

    for (size_t i = 0; i < req->n_headers; i++) {
        bool same = req->headers[i].name.len == strlen(name);

        for (size_t k = 0; same && name[k]; k++) {
            same = lower(req->headers[i].name.ptr[k]) == lower(name[k]);
        }
        if (same) {
            return req->headers[i].value;
        }
    }
    return (struct wh_slice){NULL, 0};
}

static struct wh_slice get_query(const struct wh_http_req *http, const char *name)
{
    const struct th_http_req *req = of(http);

    for (size_t i = 0; i < req->n_args; i++) {
        if (wh_slice_eq(req->args[i].name, wh_slice_str(name))) {
            return req->args[i].value;
        }
    }
    return (struct wh_slice){NULL, 0};
}

static void get_query_each(const struct wh_http_req *http, wh_http_arg_fn fn, void *ctx)
{
    const struct th_http_req *req = of(http);

    for (size_t i = 0; i < req->n_args; i++) {
        fn(ctx, req->args[i].name, req->args[i].value);
    }
}

static struct wh_slice get_raw_query(const struct wh_http_req *http)
{
    const struct th_http_req *req = of(http);

    return req->raw_query.ptr ? req->raw_query : wh_slice("", 0);
}

static struct wh_slice get_body(const struct wh_http_req *http)
{
    const struct th_http_req *req = of(http);

    return req->body;
}

static struct wh_slice get_peer(const struct wh_http_req *http)
{
    (void)http;
    return WH_LIT("127.0.0.1");
}

static void begin_reply(struct th_http_req *req, unsigned status, const char *type)
{
    req->replies++;
    assert_int_equal(req->replies, 1);
    req->replied = true;
    req->status = status;
    (void)snprintf(req->content_type, sizeof(req->content_type), "%s", type ? type : "");
}

static void note_retry(struct th_http_req *req, const struct wh_http_header *header)
{
    struct wh_err err;
    int64_t seconds = 0;

    if (wh_slice_eq(header->name, WH_LIT("Retry-After"))) {
        th_ok(wh_num_i64(header->value, &seconds, &err), &err);
        req->retry_after_s = (unsigned)seconds;
    }
}

static void note_fields(struct wh_buf *out, const struct wh_http_header *fields, size_t n)
{
    struct wh_err err;

    for (size_t i = 0; i < n; i++) {
        assert_null(memchr(fields[i].value.ptr, '\n', fields[i].value.len));
        th_ok(wh_buf_printf(out, &err, "%.*s: %.*s\n", WH_SLICE_ARG(fields[i].name),
                            WH_SLICE_ARG(fields[i].value)),
              &err);
    }
}

static void reply(struct wh_http_req *http, const struct wh_http_reply *reply)
{
    struct th_http_req *req = (struct th_http_req *)http;
    struct wh_err err;

    begin_reply(req, reply->status, reply->content_type);
    th_ok(wh_buf_append(&req->answer, reply->body, &err), &err);
    note_fields(&req->answer_headers, reply->headers, reply->n_headers);
    for (size_t i = 0; i < reply->n_headers; i++) {
        note_retry(req, &reply->headers[i]);
    }
    if (reply->body_taken) {
        char *bytes;

        memcpy(&bytes, &reply->body.ptr, sizeof(bytes));
        wh_mem_free(bytes);
    }
}

static void end_stream(struct th_http_req *req)
{
    struct wh_http_header trailers[WH_HTTP_TRAILERS_MAX];

    if (!req->aborted && req->stream.trailers && req->stream.length == 0) {
        note_fields(&req->answer_trailers, trailers,
                    req->stream.trailers(req->stream.ctx, trailers));
    }
    req->streaming = false;
    req->stream.done(req->stream.ctx);
}

void th_http_read(struct th_http_req *req)
{
    struct wh_buf block;
    struct wh_err err;
    bool end = false;

    wh_buf_init(&block, 2 * BLOCK_BYTES);
    while (req->streaming && (req->read_max == 0 || req->answer.len < req->read_max)) {
        wh_buf_reset(&block);
        req->aborted = req->stream.fill(req->stream.ctx, &block, BLOCK_BYTES, &end, &err) != WH_OK;
        assert_true(block.len <= BLOCK_BYTES);
        th_ok(wh_buf_append(&req->answer, wh_buf_slice(&block), &err), &err);
        if (end || req->aborted) {
            end_stream(req);
        } else if (block.len == 0) {
            break;
        }
    }
    wh_buf_done(&block);
}

static void reply_stream(struct wh_http_req *http, unsigned status, const char *content_type,
                         const struct wh_http_stream *stream)
{
    struct th_http_req *req = (struct th_http_req *)http;

    begin_reply(req, status, content_type);
    note_fields(&req->answer_headers, stream->headers, stream->n_headers);
    req->streamed = true;
    req->streaming = true;
    req->stream = *stream;
    th_http_read(req);
}

static void stream_more(struct wh_http_req *http)
{
    th_http_read((struct th_http_req *)http);
}

static const struct wh_http_ops ops = {
    .method = get_method,
    .path = get_path,
    .header = get_header,
    .query = get_query,
    .query_each = get_query_each,
    .raw_query = get_raw_query,
    .body = get_body,
    .peer = get_peer,
    .reply = reply,
    .reply_stream = reply_stream,
    .stream_more = stream_more,
};

void th_http_init(struct th_http_req *req, const char *method, const char *url)
{
    *req = (struct th_http_req){
        .http = {.ops = &ops}, .method = wh_slice_str(method), .path = wh_slice_str(url)};
    wh_buf_init(&req->answer, ANSWER_MAX_BYTES);
    wh_buf_init(&req->answer_headers, 4096);
    wh_buf_init(&req->answer_trailers, 4096);
}
