/*
 * httpc.h - the HTTP client: many concurrent transfers on the loop's thread.
 *
 * An interface with two implementations: curl multi (httpc_curl.c) and a scripted one for tests
 * (tests/lib/httpc_script.c). Only http and https. Redirects are never followed: the caller receives
 * the 3xx. TLS certificates are verified. Responses are bounded. Thread: app.
 */
#ifndef WH_HTTPC_HTTPC_H
#define WH_HTTPC_HTTPC_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/log/log.h"
#include "common/loop/loop.h"

struct wh_httpc_header {
    struct wh_slice name;
    struct wh_slice value;
};

struct wh_httpc_answer;

/* What wh_httpc_data_fn decides about received bytes. */
enum wh_httpc_take {
    WH_HTTPC_KEEP,  /* append them to the answer's body */
    WH_HTTPC_TAKEN, /* the callback has consumed them */
    WH_HTTPC_STOP,  /* end the transfer now, with WH_E_CANCELED */
};
/* head has status and headers, valid during the call only. It must not cancel any transfer. */
typedef enum wh_httpc_take (*wh_httpc_data_fn)(void *ctx, const struct wh_httpc_answer *head,
                                               struct wh_slice bytes);

/*
 * Which addresses a transfer may connect to. The resolved address is checked when connecting, so that
 * neither a host name, an unusual notation nor a changed DNS answer bypasses the check. Such a transfer
 * never reuses a connection.
 */
enum wh_httpc_peer {
    WH_HTTPC_PEER_ANY,
    /* Not loopback, private, link-local, unique-local, shared, multicast or reserved, also when
     * mapped into IPv6: WH_E_FORBIDDEN. */
    WH_HTTPC_PEER_PUBLIC,
    WH_HTTPC_PEER_LOOPBACK, /* loopback only */
};

/* Copied by wh_httpc_start. Header values with CR, LF or NUL are WH_E_INVALID. */
struct wh_httpc_request {
    struct wh_slice method; /* "GET", "POST" */
    struct wh_slice url;
    const struct wh_httpc_header *headers;
    size_t n_headers;
    struct wh_slice body;
    /* "Authorization: Bearer <secret>" or "PRIVATE-TOKEN: <secret>", kept out of every log. */
    const char *secret_header;
    struct wh_slice secret;
    wh_httpc_data_fn on_data; /* called with the ctx of start; NULL: every byte is kept */
    enum wh_httpc_peer peer;
    size_t body_max;    /* limit in bytes, including those that on_data consumed; WH_E_TOO_LARGE */
    int64_t timeout_ms; /* whole transfer; 0: none */
    int64_t stall_timeout_ms; /* maximum time without a byte; WH_E_TIMEOUT */
};

/* Valid during the callback only. */
struct wh_httpc_answer {
    enum wh_rc rc; /* WH_OK: a complete HTTP response arrived, whatever its status */
    struct wh_err err;
    unsigned status;
    struct wh_buf *body;
    const struct wh_httpc_header *headers; /* in order; names in lower case */
    size_t n_headers;
    int64_t total_us;
};

struct wh_httpc_transfer;
typedef void (*wh_httpc_fn)(void *ctx, const struct wh_httpc_answer *answer);

struct wh_httpc;
struct wh_httpc_ops {
    enum wh_rc (*start)(struct wh_httpc *c, const struct wh_httpc_request *req, wh_httpc_fn fn,
                        void *ctx, struct wh_httpc_transfer **ret, struct wh_err *err);
    void (*cancel)(struct wh_httpc *c, struct wh_httpc_transfer *t);
    size_t (*active)(const struct wh_httpc *c);
    void (*free)(struct wh_httpc *c);
};
/* First member of every implementation. */
struct wh_httpc {
    const struct wh_httpc_ops *ops;
};

struct wh_httpc_conf {
    unsigned max_connections; /* per host */
    const char *user_agent;
    const char *ca_file; /* NULL: the system's */
    int64_t connect_timeout_ms;
};

WH_MUST_CHECK enum wh_rc wh_httpc_curl_new(struct wh_loop *loop, struct wh_log *log,
                                           const struct wh_httpc_conf *conf, struct wh_httpc **ret,
                                           struct wh_err *err);

/* Calls fn exactly once, after this has returned, unless the transfer is cancelled. ret may be NULL. */
static inline enum wh_rc wh_httpc_start(struct wh_httpc *c, const struct wh_httpc_request *req,
                                        wh_httpc_fn fn, void *ctx, struct wh_httpc_transfer **ret,
                                        struct wh_err *err)
{
    return c->ops->start(c, req, fn, ctx, ret, err);
}

static inline void wh_httpc_cancel(struct wh_httpc *c, struct wh_httpc_transfer *t)
{
    c->ops->cancel(c, t);
}

static inline size_t wh_httpc_active(const struct wh_httpc *c)
{
    return c->ops->active(c);
}

static inline void wh_httpc_free(struct wh_httpc *c)
{
    if (c) {
        c->ops->free(c);
    }
}

/* Whether addr is public (not in the IANA special-purpose registries, RFC 6890), or loopback. False for
 * families other than IPv4 and IPv6. */
struct sockaddr;
bool wh_httpc_public(const struct sockaddr *addr);
bool wh_httpc_loopback(const struct sockaddr *addr);

/* The value of the first header with that lower-case name; ptr NULL when absent. */
struct wh_slice wh_httpc_answer_header(const struct wh_httpc_answer *answer, const char *name);

#endif
