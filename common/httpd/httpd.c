/* The server's life: libmicrohttpd's daemon inside the loop. */
#include "common/base/mem.h"
#include "common/httpd/httpd_priv.h"

enum { SWEEP_MS = 250, MS_PER_S = 1000, SHARES = 4 };

void wh_httpd_conf_init(struct wh_httpd_conf *conf)
{
    *conf = (struct wh_httpd_conf){
        .address = "127.0.0.1",
        .trusted_proxies = "",
        .max_connections = 1024,
        .head_timeout_ms = 10000,
        .idle_timeout_ms = 60000,
        .body_timeout_ms = 30000,
        .reply_timeout_ms = 60000,
    };
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

void httpd_run(struct wh_httpd *httpd)
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
    httpd_run(ctx);
}

static void on_epoll(void *ctx, int fd, unsigned events)
{
    (void)fd;
    (void)events;
    httpd_run(ctx);
}

void httpd_kick(struct wh_httpd *httpd)
{
    if (httpd->running) {
        httpd->again = true;
        return;
    }
    /* One run in the next turn serves all replies of this turn. */
    wh_timer_start(httpd->soon, 0, 0);
}

static void on_sweep(void *ctx)
{
    struct wh_httpd *httpd = ctx;
    int64_t now_ns = wh_clock_mono_ns(&httpd->clock);
    struct httpd_req *next;

    for (struct httpd_req *req = httpd->requests; req; req = next) {
        next = req->next;
        if (req->state == HTTPD_HANDED && req->suspended && now_ns > req->reply_deadline_ns) {
            wh_http_reply_error(&req->http, 503, "no reply in time; try again", 1);
        }
    }
    httpd_expire_readers(httpd, now_ns);
}

/* ---- life ---- */

/* Prevents libmicrohttpd from unescaping, which request.c does. */
static size_t keep_escaped(void *ctx, struct MHD_Connection *connection, char *text)
{
    (void)ctx;
    (void)connection;
    return strlen(text);
}

/*
 * libmicrohttpd's strict mode is off, because 0.9.75 writes the head of its error reply twice. framing.c
 * and serve.c check the same things, Host and spaces in the address.
 */
static enum wh_rc start_daemon(struct wh_httpd *httpd, struct wh_err *err)
{
    const unsigned flags =
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO;
    /* conns.c limits connections; libmicrohttpd closes evicted ones a little later. */
    const unsigned limit = httpd->conf.max_connections + 4U * HTTPD_ACCEPT_MAX;

    httpd->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, httpd_on_access, httpd, MHD_OPTION_URI_LOG_CALLBACK, httpd_on_uri,
        httpd, MHD_OPTION_NOTIFY_COMPLETED, httpd_on_completed, httpd, MHD_OPTION_NOTIFY_CONNECTION,
        httpd_on_connection, httpd, MHD_OPTION_UNESCAPE_CALLBACK, keep_escaped, httpd,
        MHD_OPTION_CONNECTION_LIMIT, limit, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)(httpd->conf.idle_timeout_ms / MS_PER_S), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTPD_HEADER_MEMORY_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 0, MHD_OPTION_END);
    return httpd->daemon ? WH_OK : wh_fail(err, WH_E_IO, "the HTTP server does not start");
}

static enum wh_rc attach(struct wh_httpd *httpd, struct wh_err *err)
{
    const union MHD_DaemonInfo *epoll =
        MHD_get_daemon_info(httpd->daemon, MHD_DAEMON_INFO_EPOLL_FD);

    if (epoll == NULL) {
        return wh_fail(err, WH_E_INTERNAL, "the HTTP server has no descriptor");
    }
    httpd->watch = wh_watch_new(httpd->loop, epoll->epoll_fd, WH_READABLE, on_epoll, httpd);
    httpd->timer = wh_timer_new(httpd->loop, on_timer, httpd);
    httpd->soon = wh_timer_new(httpd->loop, on_timer, httpd);
    httpd->sweep = wh_timer_new(httpd->loop, on_sweep, httpd);
    if (!httpd->watch || !httpd->timer || !httpd->soon || !httpd->sweep) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an HTTP server");
    }
    wh_timer_start(httpd->sweep, SWEEP_MS, SWEEP_MS);
    return WH_OK;
}

static enum wh_rc start(struct wh_httpd *httpd, struct wh_err *err)
{
    const struct wh_httpd_conf *conf = &httpd->conf;
    unsigned share = conf->max_per_peer ? conf->max_per_peer : conf->max_connections / SHARES;

    if (httpd_nets_parse(wh_slice_str(conf->trusted_proxies), &httpd->proxies, err) != WH_OK) {
        return wh_err_prefix(err, "http.trusted_proxies");
    }
    httpd_conns_init(&httpd->conns, conf->max_connections, share ? share : 1);
    if (httpd_listen(httpd, err) != WH_OK || start_daemon(httpd, err) != WH_OK ||
        attach(httpd, err) != WH_OK) {
        return err->rc;
    }
    httpd_run(httpd);
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
    httpd->listen_fd = -1;
    if (start(httpd, err) != WH_OK) {
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
    httpd_listen_stop(httpd);
}

static void answer_open_requests(struct wh_httpd *httpd)
{
    for (struct httpd_req *req = httpd->requests; req; req = req->next) {
        if (req->state == HTTPD_HANDED && req->suspended) {
            wh_http_reply_error(&req->http, 503, "stopping; try again", 1);
        }
        httpd_stream_more(&req->http);
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
    httpd_listen_stop(httpd);
    wh_watch_free(httpd->watch);
    wh_timer_free(httpd->timer);
    wh_timer_free(httpd->sweep);
    httpd->running = true;
    httpd->closing = true;
    if (httpd->daemon) {
        answer_open_requests(httpd);
        MHD_stop_daemon(httpd->daemon);
    }
    wh_timer_free(httpd->soon);
    httpd_free_pool(httpd);
    while (httpd->n_constants) {
        MHD_destroy_response(httpd->constants[--httpd->n_constants].response);
    }
    wh_mem_free(httpd);
}
