/* httpd_priv.h - inside httpd/ only: one request, as libmicrohttpd's callbacks and the API share
 * it. */
#ifndef WH_HTTPD_HTTPD_PRIV_H
#define WH_HTTPD_HTTPD_PRIV_H

#include <microhttpd.h>

#include "common/httpd/httpd.h"

enum { HTTPD_URL_MAX = 8192, HTTPD_KEPT_MAX = 32, HTTPD_CONSTANTS_MAX = 8 };

/* Where a request is in its life. */
enum httpd_state {
    HTTPD_HEAD,   /* on_head is to be called */
    HTTPD_BODY,   /* bytes come */
    HTTPD_DRAIN,  /* refused while bytes come: they are dropped, the answer is queued at the end */
    HTTPD_HANDED, /* on_request was called, the answer is awaited */
    HTTPD_ANSWERED, /* a reply is there */
};

struct wh_http_req {
    struct wh_http_req *prev; /* list of live requests */
    struct wh_http_req *next;
    struct wh_httpd *httpd;
    struct MHD_Connection *connection;
    enum httpd_state state;
    bool suspended;
    bool in_callback; /* libmicrohttpd is calling: replies are queued when it comes back */
    bool head_done;
    bool gone;
    struct wh_buf path; /* decoded; empty: not well-formed */
    struct wh_slice raw_query;
    struct wh_slice method;
    struct wh_buf body;
    size_t body_max;
    int64_t body_deadline_ns;
    int64_t reply_deadline_ns;
    struct MHD_Response *response;
    bool response_shared; /* it belongs to httpd->constants */
    unsigned status;
    void *user;
    char peer[64]; /* formatted when first asked for */
    /* Decoded query arguments that were asked for. */
    char *kept[HTTPD_KEPT_MAX];
    size_t n_kept;
};

/* The response of a reply that never changes. */
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
    struct wh_watch *watch;
    struct wh_timer *timer; /* libmicrohttpd's own timeouts */
    struct wh_timer *sweep; /* our deadlines */
    struct wh_timer *soon;  /* run again in the next turn */
    struct wh_clock clock;
    struct wh_http_req *requests;
    struct wh_http_req *pool; /* finished ones, to be used again */
    size_t n_pool;
    struct httpd_constant constants[HTTPD_CONSTANTS_MAX];
    size_t n_constants;
    uint16_t port;
    bool running; /* inside MHD_run */
    bool again;   /* something was resumed meanwhile */
    bool quiesced;
};

/* Lets libmicrohttpd work, now or in the next turn when it is at work already. */
void httpd_kick(struct wh_httpd *httpd);
/* Lets go of the response that waits, if there is one. */
void httpd_drop_response(struct wh_http_req *req);
/* Takes text (from wh_mem), which lives as long as the request; empty when there is no room. */
struct wh_slice httpd_keep(struct wh_http_req *req, struct wh_slice text);

#endif
