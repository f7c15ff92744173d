/*
 * httpd.h - the HTTP/1.1 server of a stage: libmicrohttpd (epoll) run inside the loop's thread.
 *
 * A request has two halves (http.h). on_head returns how many bytes of body the request may have; only
 * then is the body read, into memory that grows with what has arrived. on_request replies at once or
 * later; after reply_timeout_ms the client gets 503 with Retry-After. A reply whose client has gone is
 * dropped.
 *
 * The server itself replies:
 *   400  the request or its framing is malformed: Content-Length together with Transfer-Encoding,
 *        either of them twice, a length that is not a plain number, a transfer coding other than
 *        chunked, folded headers, white space before a colon (RFC 9112 sections 5 and 6)
 *   408  the head did not arrive within head_timeout_ms, or the body within body_timeout_ms
 *   411  a POST, PUT or PATCH that may have a body has neither Content-Length nor chunks
 *   413  the body is larger than on_head allows; 431 and 414: the head is larger than 16 KiB
 *   505  the answer is a stream of unknown length, and the client speaks HTTP/1.0
 *   503  with Retry-After: out of memory, or the client's share of open requests is used up
 * The connection is closed when a request is refused before its body is complete.
 *
 * Connections: each client address (for IPv6 its /64 network) has a share of the table. When a
 * client exceeds its share, or the table is full, the connection that has kept the server waiting
 * the longest is closed in favour of the new one; conns.h has the rules.
 *
 * Thread: app. Ownership: requests belong to the server; a handler keeps the pointer until it has
 * replied, and never after.
 */
#ifndef WH_HTTPD_HTTPD_H
#define WH_HTTPD_HTTPD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/httpd/http.h"
#include "common/log/log.h"
#include "common/loop/loop.h"

struct wh_httpd;

struct wh_httpd_conf {
    const char *address; /* "127.0.0.1", "::1", "0.0.0.0" */
    uint16_t port;       /* 0: any free one, see wh_httpd_port */
    /*
     * Addresses and networks of reverse proxies: "10.0.0.0/8, 192.0.2.1". Their connections have
     * no share; the last address in X-Forwarded-For that is not a proxy's own is the client, and
     * the client's open requests count against its share.
     */
    const char *trusted_proxies;
    unsigned max_connections;
    unsigned max_per_peer;    /* share of one client; 0: a quarter of max_connections */
    int64_t head_timeout_ms;  /* from the start of a connection to the end of its first head */
    int64_t idle_timeout_ms;  /* from a reply to the end of the next head */
    int64_t body_timeout_ms;  /* from the end of the head to the end of the body */
    int64_t reply_timeout_ms; /* from the end of the request to the handler's reply */
};

void wh_httpd_conf_init(struct wh_httpd_conf *conf);

/*
 * Listens at once. WH_E_IO: the port is in use, or the address cannot be listened on. WH_E_CONFIG:
 * the address or trusted_proxies is not one. handler is copied, its ctx kept; conf is not kept.
 */
WH_MUST_CHECK enum wh_rc wh_httpd_new(struct wh_loop *loop, struct wh_log *log,
                                      const struct wh_httpd_conf *conf,
                                      const struct wh_http_handler *handler, struct wh_httpd **ret,
                                      struct wh_err *err);
uint16_t wh_httpd_port(const struct wh_httpd *httpd);
/* Stops listening; open requests are completed. */
void wh_httpd_quiesce(struct wh_httpd *httpd);
/* Replies 503 to open requests, then frees the server. */
void wh_httpd_free(struct wh_httpd *httpd);

#endif
