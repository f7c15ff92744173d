/*
 * th_server.h - a real HTTP server on loopback in the test's own loop, answering as the test says.
 */
#ifndef TH_SERVER_H
#define TH_SERVER_H

#include "common/base/buf.h"
#include "common/httpc/httpc.h"
#include "common/httpd/httpd.h"
#include "common/loop/loop.h"

struct th_server;
/* Replies, now or later. */
typedef void (*th_server_fn)(void *ctx, struct wh_http_req *req);

/* Fails the test when it cannot. */
struct th_server *th_server_new(struct wh_loop *loop, th_server_fn fn, void *ctx);
void th_server_free(struct th_server *s);
/* "http://127.0.0.1:<port>" */
const char *th_server_origin(const struct th_server *s);
/* Requests so far whose "METHOD /path" begins so; each also keeps its body. */
unsigned th_server_count(const struct th_server *s, const char *prefix);
/* The body of the last such request; "" when there was none. */
const char *th_server_body(const struct th_server *s, const char *prefix);
/* Does any body so far hold that text? */
bool th_server_heard(const struct th_server *s, const char *text);
/* The value of a header of the last such request; "" */
const char *th_server_header(const struct th_server *s, const char *prefix, const char *name);

void th_reply(struct wh_http_req *req, unsigned status, const char *type, const char *fmt, ...)
    WH_PRINTF(4, 5);
/* One extra header. */
void th_reply_with(struct wh_http_req *req, unsigned status, const char *name, const char *value,
                   const char *type, const char *body);
/* A client of curl's; fails the test when it cannot. */
struct wh_httpc *th_client_new(struct wh_loop *loop);

#endif
