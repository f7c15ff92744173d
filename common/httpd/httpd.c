/* The server's life and libmicrohttpd's callbacks; replies are in reply.c, request data in
 * request.c. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/httpd/httpd_priv.h"

enum {
    POOL_MAX = 256,
    POOLED_BODY_BYTES = 64 << 10,
    SWEEP_MS = 250,
    /* libmicrohttpd clears all of it after each request. */
    HEADER_MEMORY_BYTES = 16 << 10,
    NS_PER_MS = 1000000,
};

void wh_httpd_conf_init(struct wh_httpd_conf *conf)
{
    *conf = (struct wh_httpd_conf){
        .address = "127.0.0.1",
        .max_connections = 1024,
        .body_max = 1 << 20,
        .body_limit = 32 << 20,
        .idle_timeout_ms = 60000,
        .body_timeout_ms = 30000,
        .reply_timeout_ms = 60000,
    };
}

/* ---- requests ---- */

static struct wh_http_req *take_request(struct wh_httpd *httpd)
{
    struct wh_http_req *req = httpd->pool;

    if (req) {
        struct wh_buf body = req->body;
        struct wh_buf path = req->path;

        httpd->pool = req->next;
        httpd->n_pool--;
        *req = (struct wh_http_req){.body = body, .path = path};
    } else {
        req = wh_mem_zalloc(1, sizeof(*req));
        if (req == NULL) {
            return NULL;
        }
        wh_buf_init(&req->body, 1);
        wh_buf_init(&req->path, HTTPD_URL_MAX);
    }
    req->httpd = httpd;
    req->next = httpd->requests;
    if (req->next) {
        req->next->prev = req;
    }
    httpd->requests = req;
    return req;
}

static void free_request(struct wh_http_req *req)
{
    wh_buf_done(&req->body);
    wh_buf_done(&req->path);
    wh_mem_free(req);
}

void httpd_drop_response(struct wh_http_req *req)
{
    if (req->response && !req->response_shared) {
        MHD_destroy_response(req->response);
    }
    req->response = NULL;
}

static void give_back(struct wh_http_req *req)
{
    struct wh_httpd *httpd = req->httpd;

    if (req->prev) {
        req->prev->next = req->next;
    } else {
        httpd->requests = req->next;
    }
    if (req->next) {
        req->next->prev = req->prev;
    }
    while (req->n_kept) {
        wh_mem_free(req->kept[--req->n_kept]);
    }
    httpd_drop_response(req);
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

/* Leaves the path empty when it is not well-formed. */
static void decode_path(struct wh_http_req *req, const char *url, size_t len)
{
    struct wh_err err;

    if (wh_percent_decode(wh_slice(url, len), false, &req->path, &err) != WH_OK ||
        req->path.len == 0 || req->path.ptr[0] != '/') {
        wh_buf_reset(&req->path);
    }
}

/* libmicrohttpd unescapes what it hands out; we want to do that once, ourselves. */
static size_t keep_escaped(void *ctx, struct MHD_Connection *connection, char *text)
{
    (void)ctx;
    (void)connection;
    return strlen(text);
}

/* The first call for a request: the request line, before the headers. */
static void *on_uri(void *ctx, const char *uri, struct MHD_Connection *connection)
{
    struct wh_httpd *httpd = ctx;
    struct wh_http_req *req = take_request(httpd);
    const char *mark = strchr(uri, '?');

    if (req == NULL) {
        return NULL;
    }
    req->connection = connection;
    req->body_max = httpd->conf.body_max;
    decode_path(req, uri, mark ? (size_t)(mark - uri) : strlen(uri));
    req->raw_query = wh_slice("", 0);
    if (mark) {
        /* Copied: libmicrohttpd cuts the text up in place. */
        char *copy = wh_mem_dup(mark + 1, strlen(mark + 1));

        req->raw_query = httpd_keep(req, wh_slice(copy, copy ? strlen(copy) : 0));
    }
    return req;
}

/* Queues the reply that is there; MHD_NO makes libmicrohttpd close the connection. */
static enum MHD_Result queue(struct wh_http_req *req)
{
    enum MHD_Result ok = MHD_queue_response(req->connection, req->status, req->response);

    httpd_drop_response(req);
    return ok;
}

static bool has_body(const char *method)
{
    return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
           strcmp(method, "PATCH") == 0;
}

static uint64_t content_length(struct wh_slice text)
{
    uint64_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        n = n < UINT64_MAX / 20 ? n * 10 + (uint64_t)(text.ptr[i] - '0') : UINT64_MAX / 2;
    }
    return n;
}

/* Checks what can be known from the headers; replies when it will not do. Gives the announced
 * length. */
static uint64_t check_head(struct wh_http_req *req, const char *method)
{
    struct wh_slice length = wh_http_header(req, "Content-Length");
    uint64_t n = content_length(length);

    if (req->path.len == 0) {
        wh_http_reply_error(req, 400, "the path is not well-formed", 0);
        return 0;
    }
    if (has_body(method) && length.ptr == NULL &&
        wh_http_header(req, "Transfer-Encoding").ptr == NULL) {
        wh_http_reply_error(req, 411, "a body needs Content-Length or chunks", 0);
        return 0;
    }
    if (req->httpd->handler.on_head) {
        req->httpd->handler.on_head(req->httpd->handler.ctx, req, &req->body_max);
    }
    if (req->body_max > req->httpd->conf.body_limit) {
        req->body_max = req->httpd->conf.body_limit;
    }
    if (req->state != HTTPD_ANSWERED && n > req->body_max) {
        wh_http_reply_error(req, 413, "the body is larger than the limit", 0);
    }
    return n;
}

/* An announced length is believed up to what the pool keeps anyway; beyond that, bytes must come.
 */
static void prepare_body(struct wh_http_req *req, uint64_t announced)
{
    struct wh_err err;

    req->body.max = req->body_max ? req->body_max : 1;
    if (req->body.cap > req->body.max) {
        wh_buf_done(&req->body);
    }
    if (announced > 0) {
        /* Without memory now, appending will say so. */
        (void)!wh_buf_reserve(&req->body,
                              announced < POOLED_BODY_BYTES ? (size_t)announced : POOLED_BODY_BYTES,
                              &err);
    }
}

static enum MHD_Result first_call(struct wh_http_req *req, const char *method)
{
    struct wh_httpd *httpd = req->httpd;
    uint64_t announced;

    req->method = wh_slice_str(method);
    req->state = HTTPD_BODY;
    req->in_callback = true;
    announced = check_head(req, method);
    req->in_callback = false;
    if (req->state == HTTPD_ANSWERED) {
        /* Before the body: libmicrohttpd answers at once and closes if a body was announced. */
        return queue(req);
    }
    prepare_body(req, announced);
    req->body_deadline_ns =
        wh_clock_mono_ns(&httpd->clock) + httpd->conf.body_timeout_ms * NS_PER_MS;
    return MHD_YES;
}

static enum MHD_Result take_bytes(struct wh_http_req *req, const char *bytes, size_t *size)
{
    struct wh_err err;

    if (req->state == HTTPD_BODY &&
        wh_buf_append(&req->body, wh_slice(bytes, *size), &err) != WH_OK) {
        unsigned status = err.rc == WH_E_TOO_LARGE ? 413 : 503;

        /* What still comes is dropped, the answer follows at its end. */
        wh_buf_done(&req->body);
        req->in_callback = true;
        wh_http_reply_error(req, status,
                            status == 413 ? "the body is larger than the limit" : "out of memory",
                            status == 413 ? 0 : 1);
        req->in_callback = false;
        req->state = HTTPD_DRAIN;
    }
    *size = 0;
    return MHD_YES;
}

static enum MHD_Result hand_over(struct wh_http_req *req)
{
    struct wh_httpd *httpd = req->httpd;

    req->state = HTTPD_HANDED;
    req->in_callback = true;
    httpd->handler.on_request(httpd->handler.ctx, req);
    req->in_callback = false;
    if (req->state == HTTPD_ANSWERED) {
        return queue(req);
    }
    req->reply_deadline_ns =
        wh_clock_mono_ns(&httpd->clock) + httpd->conf.reply_timeout_ms * NS_PER_MS;
    req->suspended = true;
    MHD_suspend_connection(req->connection);
    return MHD_YES;
}

static enum MHD_Result on_access(void *ctx, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_size, void **con_cls)
{
    struct wh_http_req *req = *con_cls;

    (void)ctx;
    (void)connection;
    (void)url;
    (void)version;
    if (req == NULL) {
        return MHD_NO;
    }
    if (!req->head_done) {
        req->head_done = true;
        return first_call(req, method);
    }
    if (*upload_size > 0) {
        return take_bytes(req, upload, upload_size);
    }
    if (req->state == HTTPD_BODY) {
        return hand_over(req);
    }
    if (req->response) {
        /* Resumed with an answer, or all of a refused body has come. */
        req->state = HTTPD_ANSWERED;
        return queue(req);
    }
    return MHD_YES;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode code)
{
    struct wh_http_req *req = *con_cls;

    (void)ctx;
    (void)connection;
    (void)code;
    if (req == NULL) {
        return;
    }
    *con_cls = NULL;
    req->gone = true;
    if (req->head_done && req->httpd->handler.on_done) {
        req->httpd->handler.on_done(req->httpd->handler.ctx, req);
    }
    give_back(req);
}

/* ---- the loop ---- */

static void arm_timer(struct wh_httpd *httpd)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;

    if (MHD_get_timeout(httpd->daemon, &ms) == MHD_YES) {
        wh_timer_start(httpd->timer, ms > INT32_MAX ? INT32_MAX : (int64_t)ms, 0);
    } else {
        wh_timer_stop(httpd->timer);
    }
}

static void run(struct wh_httpd *httpd)
{
    if (httpd->running) {
        httpd->again = true;
        return;
    }
    httpd->running = true;
    do {
        httpd->again = false;
        (void)MHD_run(httpd->daemon);
    } while (httpd->again);
    httpd->running = false;
    arm_timer(httpd);
}

static void on_timer(void *ctx)
{
    run(ctx);
}

static void on_epoll(void *ctx, int fd, unsigned events)
{
    (void)fd;
    (void)events;
    run(ctx);
}

void httpd_kick(struct wh_httpd *httpd)
{
    if (httpd->running) {
        httpd->again = true;
        return;
    }
    /* Many replies may come in one turn: one run serves them all. */
    wh_timer_start(httpd->soon, 0, 0);
}

static void expire(struct wh_http_req *req, int64_t now_ns)
{
    if (req->state == HTTPD_HANDED && req->suspended && now_ns > req->reply_deadline_ns) {
        wh_http_reply_error(req, 503, "no answer in time; try again", 1);
    } else if (req->state == HTTPD_BODY && req->head_done && now_ns > req->body_deadline_ns) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        static const char late[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                                   "Content-Length: 0\r\n\r\n";

        /* libmicrohttpd cannot answer amid a body: say it on the socket, then close it. */
        if (info) {
            (void)!send(info->connect_fd, late, sizeof(late) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
            (void)shutdown(info->connect_fd, SHUT_RDWR);
        }
        req->body_deadline_ns = INT64_MAX;
    }
}

static void on_sweep(void *ctx)
{
    struct wh_httpd *httpd = ctx;
    int64_t now_ns = wh_clock_mono_ns(&httpd->clock);
    struct wh_http_req *next;

    for (struct wh_http_req *req = httpd->requests; req; req = next) {
        next = req->next;
        expire(req, now_ns);
    }
}

/* ---- life ---- */

static enum wh_rc parse_address(const struct wh_httpd_conf *conf, struct sockaddr_storage *to,
                                struct wh_err *err)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(conf->port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(conf->port)};

    memset(to, 0, sizeof(*to));
    if (inet_pton(AF_INET, conf->address, &in.sin_addr) == 1) {
        memcpy(to, &in, sizeof(in));
        return WH_OK;
    }
    if (inet_pton(AF_INET6, conf->address, &in6.sin6_addr) == 1) {
        memcpy(to, &in6, sizeof(in6));
        return WH_OK;
    }
    return wh_fail(err, WH_E_CONFIG, "http.address: '%.64s' is not an IP address", conf->address);
}

static enum wh_rc start_daemon(struct wh_httpd *httpd, struct wh_err *err)
{
    struct sockaddr_storage address;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO;

    if (parse_address(&httpd->conf, &address, err) != WH_OK) {
        return err->rc;
    }
    if (address.ss_family == AF_INET6) {
        flags |= MHD_USE_IPv6;
    }
    httpd->daemon = MHD_start_daemon(
        flags, httpd->conf.port, NULL, NULL, on_access, httpd, MHD_OPTION_SOCK_ADDR,
        (struct sockaddr *)&address, MHD_OPTION_URI_LOG_CALLBACK, on_uri, httpd,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, httpd, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escaped, httpd, MHD_OPTION_CONNECTION_LIMIT, httpd->conf.max_connections,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, httpd->conf.max_per_ip, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)(httpd->conf.idle_timeout_ms / 1000), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HEADER_MEMORY_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_LISTEN_BACKLOG_SIZE, 1024U, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U,
        MHD_OPTION_END);
    if (httpd->daemon == NULL) {
        return wh_fail(err, WH_E_IO, "cannot listen on %.64s port %u: is it taken?",
                       httpd->conf.address, httpd->conf.port);
    }
    return WH_OK;
}

static enum wh_rc attach(struct wh_httpd *httpd, struct wh_err *err)
{
    const union MHD_DaemonInfo *epoll =
        MHD_get_daemon_info(httpd->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    const union MHD_DaemonInfo *port =
        MHD_get_daemon_info(httpd->daemon, MHD_DAEMON_INFO_BIND_PORT);

    if (epoll == NULL || port == NULL) {
        return wh_fail(err, WH_E_INTERNAL, "the HTTP server has no descriptor");
    }
    httpd->port = port->port;
    httpd->watch = wh_watch_new(httpd->loop, epoll->listen_fd, WH_READABLE, on_epoll, httpd);
    httpd->timer = wh_timer_new(httpd->loop, on_timer, httpd);
    httpd->soon = wh_timer_new(httpd->loop, on_timer, httpd);
    httpd->sweep = wh_timer_new(httpd->loop, on_sweep, httpd);
    if (!httpd->watch || !httpd->timer || !httpd->soon || !httpd->sweep) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an HTTP server");
    }
    wh_timer_start(httpd->sweep, SWEEP_MS, SWEEP_MS);
    run(httpd);
    return WH_OK;
}

enum wh_rc wh_httpd_new(struct wh_loop *loop, struct wh_log *log, const struct wh_httpd_conf *conf,
                        const struct wh_http_handler *handler, struct wh_httpd **ret,
                        struct wh_err *err)
{
    struct wh_httpd *httpd = wh_mem_zalloc(1, sizeof(*httpd));

    if (httpd == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an HTTP server");
    }
    httpd->loop = loop;
    httpd->log = log;
    httpd->conf = *conf;
    httpd->handler = *handler;
    httpd->clock = wh_clock_real();
    if (start_daemon(httpd, err) != WH_OK || attach(httpd, err) != WH_OK) {
        wh_httpd_free(httpd);
        return err->rc;
    }
    *ret = httpd;
    return WH_OK;
}

uint16_t wh_httpd_port(const struct wh_httpd *httpd)
{
    return httpd->port;
}

void wh_httpd_quiesce(struct wh_httpd *httpd)
{
    int fd;

    if (httpd->quiesced) {
        return;
    }
    httpd->quiesced = true;
    fd = MHD_quiesce_daemon(httpd->daemon);
    if (fd >= 0) {
        (void)close(fd);
    }
}

static void answer_open_requests(struct wh_httpd *httpd)
{
    for (struct wh_http_req *req = httpd->requests; req; req = req->next) {
        if (req->state == HTTPD_HANDED && req->suspended) {
            wh_http_reply_error(req, 503, "stopping; try again", 1);
        }
    }
    /* A suspended connection would make MHD_stop_daemon panic; one turn resumes them all. */
    (void)MHD_run(httpd->daemon);
    (void)MHD_run(httpd->daemon);
}

void wh_httpd_free(struct wh_httpd *httpd)
{
    if (httpd == NULL) {
        return;
    }
    wh_watch_free(httpd->watch);
    wh_timer_free(httpd->timer);
    wh_timer_free(httpd->sweep);
    httpd->running = true;
    if (httpd->daemon) {
        wh_httpd_quiesce(httpd);
        answer_open_requests(httpd);
        MHD_stop_daemon(httpd->daemon);
    }
    wh_timer_free(httpd->soon);
    while (httpd->pool) {
        struct wh_http_req *next = httpd->pool->next;

        free_request(httpd->pool);
        httpd->pool = next;
    }
    while (httpd->n_constants) {
        MHD_destroy_response(httpd->constants[--httpd->n_constants].response);
    }
    wh_mem_free(httpd);
}
