#include "tests/lib/th_echo.h"

#include "tests/lib/th_cmocka.h"

static size_t on_head(void *ctx, struct wh_http_req *req)
{
    struct th_echo *e = ctx;

    atomic_fetch_add(&e->heads, 1);
    return wh_slice_eq(wh_http_path(req), WH_LIT("/echo")) ? TH_ECHO_BODY_MAX : 0;
}

static bool on_hold(void *ctx, struct wh_http_req *req, size_t bytes)
{
    struct th_echo *e = ctx;

    (void)req;
    if (bytes > atomic_load(&e->bytes)) {
        atomic_store(&e->bytes, bytes);
    }
    return true;
}

static void hold(struct th_echo *e, struct wh_http_req *req)
{
    for (size_t i = 0; i < TH_ECHO_HELD_MAX; i++) {
        if (e->held[i] == NULL) {
            e->held[i] = req;
            return;
        }
    }
    wh_http_reply_error(req, 500, "too many are held", 0);
}

static void on_request(void *ctx, struct wh_http_req *req)
{
    struct th_echo *e = ctx;
    struct wh_slice path = wh_http_path(req);
    struct wh_http_reply reply = {.status = 200, .body = WH_LIT("plain")};

    atomic_fetch_add(&e->requests, 1);
    if (wh_slice_eq(path, WH_LIT("/hold"))) {
        hold(e, req);
        return;
    }
    if (wh_slice_eq(path, WH_LIT("/echo"))) {
        reply.body = wh_http_body(req);
    } else if (wh_slice_eq(path, WH_LIT("/peer"))) {
        reply.body = wh_http_peer(req);
    }
    wh_http_reply(req, &reply);
}

static void on_done(void *ctx, struct wh_http_req *req)
{
    struct th_echo *e = ctx;

    for (size_t i = 0; i < TH_ECHO_HELD_MAX; i++) {
        if (e->held[i] == req) {
            e->held[i] = NULL;
        }
    }
}

static void on_release(void *ctx)
{
    struct th_echo *e = ctx;

    for (size_t i = 0; i < TH_ECHO_HELD_MAX; i++) {
        if (e->held[i]) {
            wh_http_reply(e->held[i],
                          &(struct wh_http_reply){.status = 200, .body = WH_LIT("released")});
            e->held[i] = NULL;
        }
    }
}

static void on_stop(void *ctx)
{
    wh_loop_stop(((struct th_echo *)ctx)->loop);
}

static void *serve(void *ctx)
{
    wh_loop_run(((struct th_echo *)ctx)->loop);
    return NULL;
}

void th_echo_start(struct th_echo *e, const struct wh_httpd_conf *conf)
{
    const struct wh_http_handler handler = {
        .on_head = on_head,
        .on_hold = on_hold,
        .on_request = on_request,
        .on_done = on_done,
        .ctx = e,
    };
    struct wh_err err;

    *e = (struct th_echo){.loop = wh_loop_new()};
    assert_non_null(e->loop);
    e->stop = wh_wake_new(e->loop, on_stop, e);
    e->release = wh_wake_new(e->loop, on_release, e);
    th_ok(wh_httpd_new(e->loop, NULL, conf, &handler, &e->httpd, &err), &err);
    e->port = wh_httpd_port(e->httpd);
    assert_int_equal(pthread_create(&e->thread, NULL, serve, e), 0);
}

void th_echo_release(struct th_echo *e)
{
    wh_wake_send(e->release);
}

void th_echo_stop(struct th_echo *e)
{
    wh_wake_send(e->stop);
    (void)pthread_join(e->thread, NULL);
    wh_httpd_free(e->httpd);
    wh_loop_free(e->loop);
}
