/* The listening socket and admission of connections. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/httpd/httpd_priv.h"

enum { BACKLOG = 1024, AGAIN_MS = 100 };

/* ---- listening ---- */

static enum wh_rc parse_address(const struct wh_httpd_conf *conf, struct sockaddr_storage *ret,
                                socklen_t *ret_len, struct wh_err *err)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(conf->port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(conf->port)};

    memset(ret, 0, sizeof(*ret));
    if (inet_pton(AF_INET, conf->address, &in.sin_addr) == 1) {
        memcpy(ret, &in, sizeof(in));
        *ret_len = sizeof(in);
        return WH_OK;
    }
    if (inet_pton(AF_INET6, conf->address, &in6.sin6_addr) == 1) {
        memcpy(ret, &in6, sizeof(in6));
        *ret_len = sizeof(in6);
        return WH_OK;
    }
    return wh_fail(err, WH_E_CONFIG, "http.address: '%.64s' is not an IP address", conf->address);
}

static enum wh_rc bind_failed(const struct wh_httpd_conf *conf, int code, struct wh_err *err)
{
    if (code == EADDRINUSE) {
        return wh_fail(err, WH_E_IO, "cannot listen on %.64s: port %u is in use", conf->address,
                       conf->port);
    }
    if (code == EACCES) {
        return wh_fail(err, WH_E_IO, "cannot listen on %.64s: port %u is not permitted",
                       conf->address, conf->port);
    }
    if (code == EADDRNOTAVAIL) {
        return wh_fail(err, WH_E_IO, "cannot listen on %.64s: no interface has this address",
                       conf->address);
    }
    return wh_fail(err, WH_E_IO, "cannot listen on %.64s port %u: system error %d", conf->address,
                   conf->port, code);
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage bound = {0};
    socklen_t len = sizeof(bound);
    struct sockaddr_in in;

    /* The port is in the same place for both families. */
    (void)getsockname(fd, (struct sockaddr *)&bound, &len);
    memcpy(&in, &bound, sizeof(in));
    return ntohs(in.sin_port);
}

/*
 * SO_REUSEADDR lets a process listen again at once after a restart; two processes on one port need
 * SO_REUSEPORT, which is not set: the second one would silently take half of the connections.
 */
static enum wh_rc open_socket(struct wh_httpd *httpd, struct wh_err *err)
{
    const int on = 1;
    struct sockaddr_storage address;
    socklen_t len = 0;
    int fd;

    if (parse_address(&httpd->conf, &address, &len, err) != WH_OK) {
        return err->rc;
    }
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return bind_failed(&httpd->conf, errno, err);
    }
    httpd->listen_fd = fd;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (address.ss_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) ||
        bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, BACKLOG) != 0) {
        return bind_failed(&httpd->conf, errno, err);
    }
    httpd->port = port_of(fd);
    return WH_OK;
}

/* ---- accepting ---- */

static void refuse(int fd)
{
    static const char full[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
                               "Connection: close\r\nContent-Length: 0\r\n\r\n";

    (void)!send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)close(fd);
}

static void let_in(struct wh_httpd *httpd, int fd, const struct sockaddr *from, socklen_t len)
{
    int64_t deadline_ns =
        wh_clock_mono_ns(&httpd->clock) + httpd->conf.head_timeout_ms * HTTPD_NS_PER_MS;
    struct httpd_addr addr;
    struct httpd_conn *conn = NULL;

    if (httpd_addr_of(from, &addr)) {
        conn = httpd_conns_add(&httpd->conns, fd, &addr, httpd_nets_contain(&httpd->proxies, &addr),
                               deadline_ns);
    }
    if (conn == NULL) {
        refuse(fd);
        return;
    }
    httpd->adding = conn;
    /* MHD_add_connection closes the socket when it fails. */
    if (MHD_add_connection(httpd->daemon, fd, from, len) != MHD_YES && httpd->adding) {
        httpd_conns_remove(&httpd->conns, httpd->adding);
    }
    httpd->adding = NULL;
}

void httpd_on_connection(void *ctx, struct MHD_Connection *connection, void **socket_context,
                         enum MHD_ConnectionNotificationCode code)
{
    struct wh_httpd *httpd = ctx;

    (void)connection;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = httpd->adding;
        httpd->adding = NULL;
    } else if (*socket_context) {
        httpd_conns_remove(&httpd->conns, *socket_context);
        *socket_context = NULL;
    }
}

static bool out_of_descriptors(int code)
{
    return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

/* A pending socket would wake the loop continuously: evict the longest idle one, or pause. */
static void make_descriptor(struct wh_httpd *httpd)
{
    if (!httpd_conns_evict_one(&httpd->conns)) {
        wh_watch_set(httpd->listen, 0);
        wh_timer_start(httpd->listen_again, AGAIN_MS, 0);
    }
}

static void on_listen_again(void *ctx)
{
    struct wh_httpd *httpd = ctx;

    if (httpd->listen) {
        wh_watch_set(httpd->listen, WH_READABLE);
    }
}

static void on_listen(void *ctx, int listen_fd, unsigned events)
{
    struct wh_httpd *httpd = ctx;

    (void)events;
    for (int i = 0; i < HTTPD_ACCEPT_MAX; i++) {
        struct sockaddr_storage from = {0};
        socklen_t len = sizeof(from);
        int fd = accept4(listen_fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            let_in(httpd, fd, (struct sockaddr *)&from, len);
        } else if (out_of_descriptors(errno)) {
            make_descriptor(httpd);
            break;
        } else if (errno == EAGAIN) {
            break;
        }
        /* Any other error means that the client has gone already. */
    }
    httpd_run(httpd);
}

enum wh_rc httpd_listen(struct wh_httpd *httpd, struct wh_err *err)
{
    if (open_socket(httpd, err) != WH_OK) {
        return err->rc;
    }
    httpd->listen = wh_watch_new(httpd->loop, httpd->listen_fd, WH_READABLE, on_listen, httpd);
    httpd->listen_again = wh_timer_new(httpd->loop, on_listen_again, httpd);
    return httpd->listen && httpd->listen_again
               ? WH_OK
               : wh_fail(err, WH_E_NOMEM, "no memory for an HTTP server");
}

void httpd_listen_stop(struct wh_httpd *httpd)
{
    wh_watch_free(httpd->listen);
    wh_timer_free(httpd->listen_again);
    httpd->listen = NULL;
    httpd->listen_again = NULL;
    if (httpd->listen_fd >= 0) {
        (void)close(httpd->listen_fd);
        httpd->listen_fd = -1;
    }
}

/* ---- deadlines ---- */

/*
 * libmicrohttpd cannot reply before a request is complete, so 408 is written to the socket directly. An
 * idle kept-alive connection is closed without a reply, which the client would take as the reply to its
 * next request.
 */
static void expire(struct wh_httpd *httpd, struct httpd_conn *conn)
{
    static const char late[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                               "Content-Length: 0\r\n\r\n";

    if (conn->body_of || !conn->replied) {
        (void)!send(conn->fd, late, sizeof(late) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    httpd_conns_evict(&httpd->conns, conn);
}

void httpd_expire_readers(struct wh_httpd *httpd, int64_t now_ns)
{
    struct httpd_conn *next;

    for (struct httpd_conn *conn = httpd->conns.readers.first; conn; conn = next) {
        next = conn->next[HTTPD_OF_ALL];
        if (now_ns > conn->deadline_ns) {
            expire(httpd, conn);
        }
    }
}
