/* libmicrohttpd's callbacks: the life cycle of a request. */
#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/httpd/framing.h"
#include "common/httpd/httpd_priv.h"

enum { POOL_MAX = 256, POOLED_BODY_BYTES = 64 << 10, FIRST_BODY_BYTES = 16 << 10 };

/* ---- the pool ---- */

static struct httpd_req *make_request(struct wh_httpd *httpd)
{
    struct httpd_req *req = httpd->pool;

    if (req) {
        struct wh_buf body = req->body;
        struct wh_buf path = req->path;

        httpd->pool = req->next;
        httpd->n_pool--;
        *req = (struct httpd_req){.body = body, .path = path};
        return req;
    }
    req = wh_mem_zalloc(1, sizeof(*req));
    if (req) {
        wh_buf_init(&req->body, 1);
        wh_buf_init(&req->path, HTTPD_URL_MAX);
    }
    return req;
}

static struct httpd_req *take_request(struct wh_httpd *httpd)
{
    struct httpd_req *req = make_request(httpd);

    if (req == NULL) {
        return NULL;
    }
    req->http.ops = &httpd_ops;
    req->httpd = httpd;
    req->next = httpd->requests;
    if (req->next) {
        req->next->prev = req;
    }
    httpd->requests = req;
    return req;
}

static void free_request(struct httpd_req *req)
{
    wh_buf_done(&req->body);
    wh_buf_done(&req->path);
    wh_mem_free(req);
}

void httpd_free_pool(struct wh_httpd *httpd)
{
    while (httpd->pool) {
        struct httpd_req *next = httpd->pool->next;

        free_request(httpd->pool);
        httpd->pool = next;
    }
}

static void unlink_request(struct httpd_req *req)
{
    if (req->prev) {
        req->prev->next = req->next;
    } else {
        req->httpd->requests = req->next;
    }
    if (req->next) {
        req->next->prev = req->prev;
    }
}

static void give_back(struct httpd_req *req)
{
    struct wh_httpd *httpd = req->httpd;

    unlink_request(req);
    while (req->n_kept) {
        wh_mem_free(req->kept[--req->n_kept]);
    }
    httpd_drop_response(req);
    httpd_peer_give(&httpd->conns, req->client);
    if (httpd->n_pool == POOL_MAX) {
        free_request(req);
        return;
    }
    if (req->body.cap > POOLED_BODY_BYTES) {
        wh_buf_done(&req->body);
    }
    wh_buf_reset(&req->body);
    wh_buf_reset(&req->path);
    req->next = httpd->pool;
    httpd->pool = req;
    httpd->n_pool++;
}

/* ---- the request line ---- */

/* Leaves the path empty when it is malformed. */
static void decode_path(struct httpd_req *req, const char *url, size_t len)
{
    struct wh_err err;

    if (wh_percent_decode(wh_slice(url, len), false, &req->path, &err) != WH_OK ||
        req->path.len == 0 || req->path.ptr[0] != '/') {
        wh_buf_reset(&req->path);
    }
}

/* Called first, when libmicrohttpd has the request line but no header yet. */
void *httpd_on_uri(void *ctx, const char *uri, struct MHD_Connection *connection)
{
    struct wh_httpd *httpd = ctx;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    /* uri is NULL when the request line has none. */
    const char *mark = uri ? strchr(uri, '?') : NULL;
    struct httpd_req *req = info && info->socket_context ? take_request(httpd) : NULL;

    if (req == NULL) {
        return NULL;
    }
    req->connection = connection;
    req->conn = info->socket_context;
    if (uri && strchr(uri, ' ') == NULL) {
        decode_path(req, uri, mark ? (size_t)(mark - uri) : strlen(uri));
    }
    req->raw_query = wh_slice("", 0);
    if (mark) {
        /* A copy, because libmicrohttpd modifies the text in place. */
        char *copy = wh_mem_dup(mark + 1, strlen(mark + 1));

        req->raw_query = httpd_keep(req, wh_slice(copy, copy ? strlen(copy) : 0));
    }
    return req;
}

/* ---- the head ---- */

/* Queues the handler's reply; MHD_NO makes libmicrohttpd close the connection. */
static enum MHD_Result queue(struct httpd_req *req)
{
    enum MHD_Result ok = MHD_queue_response(req->connection, req->status, req->response);

    httpd_drop_response(req);
    return ok;
}

/* A request that came through a trusted proxy counts against the share of the proxy's client. */
static bool within_share(struct httpd_req *req)
{
    struct httpd_addr client;

    if (!req->conn->trusted) {
        return true; /* its connection was counted when it was accepted */
    }
    client = httpd_client_of(req);
    if (httpd_nets_contain(&req->httpd->proxies, &client)) {
        return true;
    }
    req->client = httpd_peer_take(&req->httpd->conns, &client);
    return req->client != NULL;
}

static bool needs_length(struct wh_slice method)
{
    return wh_slice_eq(method, WH_LIT("POST")) || wh_slice_eq(method, WH_LIT("PUT")) ||
           wh_slice_eq(method, WH_LIT("PATCH"));
}

/* Compares the announced body with the limit of on_head. */
static void check_body(struct httpd_req *req, const struct httpd_framing *framing)
{
    if (req->body_max == 0 && (framing->chunked || framing->length > 0)) {
        wh_http_reply_error(&req->http, 413, "this request cannot have a body", 0);
    } else if (framing->length > req->body_max) {
        wh_http_reply_error(&req->http, 413, "the body is larger than the limit", 0);
    } else if (req->body_max > 0 && !framing->has_length && !framing->chunked &&
               needs_length(req->method)) {
        wh_http_reply_error(&req->http, 411, "a body needs Content-Length or chunks", 0);
    } else if (framing->has_length) {
        req->body_max = (size_t)framing->length;
    }
}

/* Validates the head; replies if it is refused. */
static void check_head(struct httpd_req *req, const char *version)
{
    const struct wh_http_handler *handler = &req->httpd->handler;
    const struct httpd_framing framing = httpd_framing_read(req, version);

    if (framing.wrong) {
        wh_http_reply_error(&req->http, 400, framing.wrong, 0);
    } else if (req->path.len == 0) {
        wh_http_reply_error(&req->http, 400, "the path is malformed", 0);
    } else if (!within_share(req)) {
        wh_http_reply_error(&req->http, 503, "this client has too many requests open; try again",
                            1);
    } else {
        req->body_max = handler->on_head ? handler->on_head(handler->ctx, &req->http) : 0;
        if (req->state != HTTPD_ANSWERED) {
            check_body(req, &framing);
        }
    }
}

static enum MHD_Result head_complete(struct httpd_req *req, const char *method, const char *version)
{
    struct wh_httpd *httpd = req->httpd;

    req->method = wh_slice_str(method);
    req->http_1_0 = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
    req->state = HTTPD_BODY;
    req->in_callback = true;
    check_head(req, version);
    req->in_callback = false;
    if (req->state == HTTPD_ANSWERED) {
        /* After such an early reply libmicrohttpd reads no body: it sends the reply and closes. */
        httpd_conns_busy(&httpd->conns, req->conn);
        return queue(req);
    }
    httpd_conns_read(
        &httpd->conns, req->conn,
        wh_clock_mono_ns(&httpd->clock) + httpd->conf.body_timeout_ms * HTTPD_NS_PER_MS, req);
    return MHD_YES;
}

/* ---- the body ---- */

/* Drops the rest of the body; the reply is sent when the body has ended. */
static void refuse_body(struct httpd_req *req, unsigned status, const char *why)
{
    wh_buf_done(&req->body);
    if (req->state != HTTPD_ANSWERED) {
        wh_http_reply_error(&req->http, status, why, status == 503 ? 1 : 0);
    }
    req->state = HTTPD_DRAIN;
}

/*
 * Grows with the received bytes, at least by doubling, and never past the announced length, so that
 * announcing a length alone reserves nothing.
 */
static size_t next_hold(const struct httpd_req *req, size_t need)
{
    size_t next = req->body_held < FIRST_BODY_BYTES / 2 ? FIRST_BODY_BYTES : 2 * req->body_held;

    next = next > need ? next : need;
    return next < req->body_max ? next : req->body_max;
}

static bool hold(struct httpd_req *req, size_t need)
{
    const struct wh_http_handler *handler = &req->httpd->handler;
    size_t next = next_hold(req, need);
    struct wh_err err;

    if (handler->on_hold && !handler->on_hold(handler->ctx, &req->http, next)) {
        refuse_body(req, 503, "too many bodies are arriving; try again");
        return false;
    }
    req->body_held = next;
    if (next <= req->body.cap) {
        return true;
    }
    req->body.max = next;
    if (wh_buf_reserve(&req->body, next - req->body.len, &err) != WH_OK) {
        refuse_body(req, 503, "out of memory");
        return false;
    }
    return true;
}

static void keep(struct httpd_req *req, struct wh_slice bytes)
{
    struct wh_err err;

    if (bytes.len > req->body_max - req->body.len) {
        refuse_body(req, 413, "the body is larger than the limit");
        return;
    }
    if (req->body.len + bytes.len > req->body_held && !hold(req, req->body.len + bytes.len)) {
        return;
    }
    if (wh_buf_append(&req->body, bytes, &err) != WH_OK) {
        refuse_body(req, 503, "out of memory");
    }
}

static enum MHD_Result take_bytes(struct httpd_req *req, const char *bytes, size_t *size)
{
    if (req->state == HTTPD_BODY) {
        req->in_callback = true;
        keep(req, wh_slice(bytes, *size));
        req->in_callback = false;
    }
    *size = 0;
    return MHD_YES;
}

static enum MHD_Result hand_over(struct httpd_req *req)
{
    struct wh_httpd *httpd = req->httpd;

    httpd_conns_busy(&httpd->conns, req->conn);
    req->state = HTTPD_HANDED;
    req->in_callback = true;
    httpd->handler.on_request(httpd->handler.ctx, &req->http);
    req->in_callback = false;
    if (req->state == HTTPD_ANSWERED) {
        return queue(req);
    }
    req->reply_deadline_ns =
        wh_clock_mono_ns(&httpd->clock) + httpd->conf.reply_timeout_ms * HTTPD_NS_PER_MS;
    req->suspended = true;
    MHD_suspend_connection(req->connection);
    return MHD_YES;
}

enum MHD_Result httpd_on_access(void *ctx, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **con_cls)
{
    struct httpd_req *req = *con_cls;

    (void)ctx;
    (void)connection;
    (void)url;
    if (req == NULL) {
        return MHD_NO;
    }
    if (req->state == HTTPD_HEAD) {
        return head_complete(req, method, version);
    }
    if (*upload_size > 0) {
        return take_bytes(req, upload, upload_size);
    }
    if (req->state == HTTPD_BODY) {
        return hand_over(req);
    }
    if (req->response) {
        /* The connection was resumed with a reply, or a refused body has ended. */
        req->state = HTTPD_ANSWERED;
        httpd_conns_busy(&req->httpd->conns, req->conn);
        return queue(req);
    }
    return MHD_YES;
}

void httpd_on_completed(void *ctx, struct MHD_Connection *connection, void **con_cls,
                        enum MHD_RequestTerminationCode code)
{
    struct wh_httpd *httpd = ctx;
    struct httpd_req *req = *con_cls;

    (void)connection;
    (void)code;
    if (req == NULL) {
        return;
    }
    *con_cls = NULL;
    if (req->state != HTTPD_HEAD && httpd->handler.on_done) {
        httpd->handler.on_done(httpd->handler.ctx, &req->http);
    }
    /* libmicrohttpd reports later that the connection is closed. */
    req->conn->replied = true;
    httpd_conns_read(
        &httpd->conns, req->conn,
        wh_clock_mono_ns(&httpd->clock) + httpd->conf.idle_timeout_ms * HTTPD_NS_PER_MS, NULL);
    give_back(req);
}
