#include "common/loop/loop.h"

#include <uv.h>

#include "common/base/mem.h"

enum { SIGNALS_MAX = 8 };

/*
 * libuv closes a handle asynchronously, so each object is freed by its close callback. uv_close
 * stops the handle at once: nothing is called in between.
 */
struct wh_timer {
    uv_timer_t uv;
    wh_loop_fn fn;
    void *ctx;
};

struct wh_watch {
    uv_poll_t uv;
    wh_watch_fn fn;
    void *ctx;
    int fd;
};

struct wh_wake {
    uv_async_t uv;
    wh_loop_fn fn;
    void *ctx;
};

struct signal_slot {
    uv_signal_t uv;
    wh_loop_fn fn;
    void *ctx;
};

struct work_item {
    uv_work_t uv;
    wh_loop_fn work;
    wh_loop_fn done;
    void *ctx;
};

struct wh_loop {
    uv_loop_t uv;
    struct signal_slot signals[SIGNALS_MAX];
    size_t n_signals;
    bool stop;
};

struct wh_loop *wh_loop_new(void)
{
    struct wh_loop *loop = wh_mem_zalloc(1, sizeof(*loop));

    if (loop == NULL) {
        return NULL;
    }
    if (uv_loop_init(&loop->uv) != 0) {
        wh_mem_free(loop);
        return NULL;
    }
    return loop;
}

static void free_closed(uv_handle_t *handle)
{
    wh_mem_free(handle->data);
}

static void close_left(uv_handle_t *handle, void *ctx)
{
    (void)ctx;
    if (!uv_is_closing(handle)) {
        uv_close(handle, handle->type == UV_SIGNAL ? NULL : free_closed);
    }
}

void wh_loop_free(struct wh_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    uv_walk(&loop->uv, close_left, NULL);
    while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0) {
    }
    (void)uv_loop_close(&loop->uv);
    wh_mem_free(loop);
}

void wh_loop_run(struct wh_loop *loop)
{
    loop->stop = false;
    while (!loop->stop) {
        (void)uv_run(&loop->uv, UV_RUN_ONCE);
    }
}

void wh_loop_turn(struct wh_loop *loop, bool block)
{
    (void)uv_run(&loop->uv, block ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

void wh_loop_stop(struct wh_loop *loop)
{
    loop->stop = true;
}

static void on_timer(uv_timer_t *uv)
{
    struct wh_timer *timer = uv->data;

    timer->fn(timer->ctx);
}

struct wh_timer *wh_timer_new(struct wh_loop *loop, wh_loop_fn fn, void *ctx)
{
    struct wh_timer *timer = wh_mem_zalloc(1, sizeof(*timer));

    if (timer == NULL) {
        return NULL;
    }
    timer->fn = fn;
    timer->ctx = ctx;
    (void)uv_timer_init(&loop->uv, &timer->uv);
    timer->uv.data = timer;
    return timer;
}

void wh_timer_start(struct wh_timer *timer, int64_t delay_ms, int64_t repeat_ms)
{
    /* The loop caches the time, which is stale after long work: a delay counts from now. */
    uv_update_time(timer->uv.loop);
    (void)uv_timer_start(&timer->uv, on_timer, delay_ms < 0 ? 0 : (uint64_t)delay_ms,
                         repeat_ms < 0 ? 0 : (uint64_t)repeat_ms);
}

void wh_timer_stop(struct wh_timer *timer)
{
    (void)uv_timer_stop(&timer->uv);
}

void wh_timer_free(struct wh_timer *timer)
{
    if (timer) {
        uv_close((uv_handle_t *)&timer->uv, free_closed);
    }
}

static void on_poll(uv_poll_t *uv, int status, int events)
{
    struct wh_watch *watch = uv->data;
    unsigned bits = 0;

    /* An error counts as both events, so that the owner's read or write reports it. */
    if (status < 0 || (events & UV_READABLE)) {
        bits |= WH_READABLE;
    }
    if (status < 0 || (events & UV_WRITABLE)) {
        bits |= WH_WRITABLE;
    }
    watch->fn(watch->ctx, watch->fd, bits);
}

static int uv_events(unsigned events)
{
    return ((events & WH_READABLE) ? UV_READABLE : 0) | ((events & WH_WRITABLE) ? UV_WRITABLE : 0);
}

struct wh_watch *wh_watch_new(struct wh_loop *loop, int fd, unsigned events, wh_watch_fn fn,
                              void *ctx)
{
    struct wh_watch *watch = wh_mem_zalloc(1, sizeof(*watch));

    if (watch == NULL) {
        return NULL;
    }
    watch->fn = fn;
    watch->ctx = ctx;
    watch->fd = fd;
    if (uv_poll_init(&loop->uv, &watch->uv, fd) != 0) {
        wh_mem_free(watch);
        return NULL;
    }
    watch->uv.data = watch;
    wh_watch_set(watch, events);
    return watch;
}

void wh_watch_set(struct wh_watch *watch, unsigned events)
{
    if (events == 0) {
        (void)uv_poll_stop(&watch->uv);
        return;
    }
    (void)uv_poll_start(&watch->uv, uv_events(events), on_poll);
}

void wh_watch_free(struct wh_watch *watch)
{
    if (watch) {
        (void)uv_poll_stop(&watch->uv);
        uv_close((uv_handle_t *)&watch->uv, free_closed);
    }
}

static void on_wake(uv_async_t *uv)
{
    struct wh_wake *wake = uv->data;

    wake->fn(wake->ctx);
}

struct wh_wake *wh_wake_new(struct wh_loop *loop, wh_loop_fn fn, void *ctx)
{
    struct wh_wake *wake = wh_mem_zalloc(1, sizeof(*wake));

    if (wake == NULL) {
        return NULL;
    }
    wake->fn = fn;
    wake->ctx = ctx;
    if (uv_async_init(&loop->uv, &wake->uv, on_wake) != 0) {
        wh_mem_free(wake);
        return NULL;
    }
    wake->uv.data = wake;
    return wake;
}

void wh_wake_send(struct wh_wake *wake)
{
    (void)uv_async_send(&wake->uv);
}

void wh_wake_free(struct wh_wake *wake)
{
    if (wake) {
        uv_close((uv_handle_t *)&wake->uv, free_closed);
    }
}

static void run_work(uv_work_t *uv)
{
    struct work_item *item = uv->data;

    item->work(item->ctx);
}

static void work_done(uv_work_t *uv, int status)
{
    struct work_item *item = uv->data;
    wh_loop_fn done = item->done;
    void *ctx = item->ctx;

    (void)status;
    wh_mem_free(item);
    done(ctx);
}

enum wh_rc wh_loop_work(struct wh_loop *loop, wh_loop_fn work, wh_loop_fn done, void *ctx,
                        struct wh_err *err)
{
    struct work_item *item = wh_mem_zalloc(1, sizeof(*item));

    if (item == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a work item");
    }
    item->work = work;
    item->done = done;
    item->ctx = ctx;
    item->uv.data = item;
    if (uv_queue_work(&loop->uv, &item->uv, run_work, work_done) != 0) {
        wh_mem_free(item);
        return wh_fail(err, WH_E_INTERNAL, "the thread pool refused work");
    }
    return WH_OK;
}

static void on_signal(uv_signal_t *uv, int signum)
{
    struct signal_slot *slot = uv->data;

    (void)signum;
    slot->fn(slot->ctx);
}

enum wh_rc wh_loop_on_signal(struct wh_loop *loop, int signum, wh_loop_fn fn, void *ctx,
                             struct wh_err *err)
{
    struct signal_slot *slot;

    if (loop->n_signals == SIGNALS_MAX) {
        return wh_fail(err, WH_E_INTERNAL, "more than %d signals", SIGNALS_MAX);
    }
    slot = &loop->signals[loop->n_signals];
    slot->fn = fn;
    slot->ctx = ctx;
    (void)uv_signal_init(&loop->uv, &slot->uv);
    loop->n_signals++;
    slot->uv.data = slot;
    if (uv_signal_start(&slot->uv, on_signal, signum) != 0) {
        return wh_fail(err, WH_E_INTERNAL, "cannot watch signal %d", signum);
    }
    return WH_OK;
}
