/*
 * th_echo.h - a real HTTP server in a thread of its own, for tests of the server itself.
 *
 *   /echo   takes a body of at most 1000 bytes and sends it back
 *   /hold   is not answered before th_echo_release, and takes no body
 *   /peer   the client's address
 *   others  "plain"; they take no body
 */
#ifndef TH_ECHO_H
#define TH_ECHO_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/httpd/httpd.h"

enum { TH_ECHO_BODY_MAX = 1000, TH_ECHO_HELD_MAX = 16 };

struct th_echo {
    struct wh_loop *loop;
    struct wh_httpd *httpd;
    struct wh_wake *stop;
    struct wh_wake *release;
    pthread_t thread;
    struct wh_http_req *held[TH_ECHO_HELD_MAX];
    atomic_uint heads;    /* on_head was called */
    atomic_uint requests; /* on_request was called */
    atomic_size_t bytes;  /* the most that the server wanted to hold for a body */
    uint16_t port;
};

void th_echo_start(struct th_echo *e, const struct wh_httpd_conf *conf);
void th_echo_release(struct th_echo *e);
void th_echo_stop(struct th_echo *e);

#endif
