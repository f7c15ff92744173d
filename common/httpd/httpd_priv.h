/*
 * httpd_priv.h - private to httpd/: the server, and a request as libmicrohttpd's callbacks and the API
 * share it.
 *
 *   accept.c   accepts connections     serve.c    libmicrohttpd's callbacks
 *   conns.c    counts and evicts them  request.c  accessors for handlers
 *   framing.c  the length of a body    reply.c    replies
 */
#ifndef WH_HTTPD_HTTPD_PRIV_H
#define WH_HTTPD_HTTPD_PRIV_H

#include <microhttpd.h>

#include "common/httpd/conns.h"
#include "common/httpd/httpd.h"

enum {
    HTTPD_URL_MAX = 8192,
    HTTPD_KEPT_MAX = 32,
    HTTPD_HEADERS_MAX = 24,
    HTTPD_CONSTANTS_MAX = 8,
    HTTPD_ACCEPT_MAX = 64, /* connections accepted in one turn */
    /* The memory that libmicrohttpd reserves for each connection's head and clears after a request. */
    HTTPD_HEADER_MEMORY_BYTES = 16 << 10,
    HTTPD_NS_PER_MS = 1000000,
};

/* Where a request is in its life. */
enum httpd_state {
    HTTPD_HEAD,     /* the head is not complete */
    HTTPD_BODY,     /* the body is arriving, or on_request is next */
    HTTPD_DRAIN,    /* refused during its body: the rest is dropped, then the reply is sent */
    HTTPD_HANDED,   /* on_request was called, the handler has not replied yet */
    HTTPD_ANSWERED, /* a reply is queued */
};

struct httpd_req {
    struct wh_http_req http; /* first: the handler's view of the request */
    struct httpd_req *prev;  /* list of live requests */
    struct httpd_req *next;
    struct wh_httpd *httpd;
    struct httpd_conn *conn;
    struct MHD_Connection *connection;
    enum httpd_state state;
    bool suspended;
    bool http_1_0;
    bool in_callback;   /* libmicrohttpd is calling: replies are queued when the callback returns */
    struct wh_buf path; /* decoded; empty: malformed */
    struct wh_slice raw_query;
    struct wh_slice method;
    struct wh_buf body;
    size_t body_max;  /* allowed by on_head, or the Content-Length */
    size_t body_held; /* reported to on_hold */
    int64_t reply_deadline_ns;
    struct MHD_Response *response;
    bool response_shared; /* it belongs to httpd->constants */
    unsigned status;
    struct httpd_peer *client;      /* whose share this request counts against, behind a proxy */
    char peer[HTTPD_ADDR_TEXT_MAX]; /* formatted when first asked for */
    /* The first headers of the n; libmicrohttpd has them all, and takes longer to find one. */
    struct wh_http_header headers[HTTPD_HEADERS_MAX];
    size_t n_headers;
    /* Decoded query arguments that the handler requested. */
    char *kept[HTTPD_KEPT_MAX];
    size_t n_kept;
};

/* The cached response of a constant reply. */
struct httpd_constant {
    const struct wh_http_reply *reply;
    struct MHD_Response *response;
};

struct wh_httpd {
    struct MHD_Daemon *daemon;
    struct wh_loop *loop;
    struct wh_log *log;
    struct wh_httpd_conf conf;
    struct wh_http_handler handler;
    struct httpd_nets proxies;
    struct httpd_conns conns;
    struct httpd_conn *adding; /* accepted, libmicrohttpd has not reported it yet */
    int listen_fd;             /* -1: not listening */
    struct wh_watch *listen;
    struct wh_timer *listen_again; /* runs while the system has no descriptors left */
    struct wh_watch *watch;        /* libmicrohttpd's epoll */
    struct wh_timer *timer;        /* libmicrohttpd's own timeouts */
    struct wh_timer *sweep;        /* our deadlines */
    struct wh_timer *soon;         /* calls httpd_run in the next turn */
    struct wh_clock clock;
    struct httpd_req *requests;
    struct httpd_req *pool; /* finished requests, for reuse */
    size_t n_pool;
    struct httpd_constant constants[HTTPD_CONSTANTS_MAX];
    size_t n_constants;
    uint16_t port;
    bool running; /* inside MHD_run */
    bool again;   /* a connection was resumed during MHD_run */
    bool closing; /* streams end now */
};

/* ---- httpd.c ---- */

/* Runs libmicrohttpd now. */
void httpd_run(struct wh_httpd *httpd);
/* Runs libmicrohttpd now, or in the next turn if it is already running. */
void httpd_kick(struct wh_httpd *httpd);

/* ---- accept.c ---- */

/* WH_E_IO: the port is in use, or no interface has the address. WH_E_CONFIG: not an address. */
WH_MUST_CHECK enum wh_rc httpd_listen(struct wh_httpd *httpd, struct wh_err *err);
void httpd_listen_stop(struct wh_httpd *httpd);
/* Closes connections whose clients have kept the server waiting for too long. */
void httpd_expire_readers(struct wh_httpd *httpd, int64_t now_ns);
/* libmicrohttpd has added or closed a connection. */
void httpd_on_connection(void *ctx, struct MHD_Connection *connection, void **socket_context,
                         enum MHD_ConnectionNotificationCode code);

/* ---- serve.c: for MHD_start_daemon ---- */

void *httpd_on_uri(void *ctx, const char *uri, struct MHD_Connection *connection);
enum MHD_Result httpd_on_access(void *ctx, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_size, void **con_cls);
void httpd_on_completed(void *ctx, struct MHD_Connection *connection, void **con_cls,
                        enum MHD_RequestTerminationCode code);
void httpd_free_pool(struct wh_httpd *httpd);

/* ---- reply.c, request.c ---- */

extern const struct wh_http_ops httpd_ops;

static inline struct httpd_req *httpd_req_of(struct wh_http_req *http)
{
    return (struct httpd_req *)http;
}

void httpd_reply(struct wh_http_req *http, const struct wh_http_reply *reply);
void httpd_reply_stream(struct wh_http_req *http, unsigned status, const char *content_type,
                        const struct wh_http_stream *stream);
void httpd_stream_more(struct wh_http_req *http);

/* Releases the queued response, if there is one. */
void httpd_drop_response(struct httpd_req *req);
/* Moves text (from wh_mem) to the request, which frees it; returns an empty slice without room. */
struct wh_slice httpd_keep(struct httpd_req *req, struct wh_slice text);
/* The client's address, taken from X-Forwarded-For when a trusted proxy is connected. */
struct httpd_addr httpd_client_of(const struct httpd_req *req);

#endif
