#include "tests/golden/loop_sim.h"

#include <poll.h>

#include "common/base/mem.h"

enum { NS_PER_MS = 1000000 };

struct wh_timer {
    struct wh_timer *next;
    struct wh_loop *loop;
    wh_loop_fn fn;
    void *ctx;
    bool running;
    int64_t due_ns;
    int64_t repeat_ms;
    uint64_t order; /* of starts */
};

struct wh_watch {
    struct wh_watch *next;
    struct wh_loop *loop;
    int fd;
    unsigned events;
    wh_watch_fn fn; /* NULL: freed, and removed after this turn */
    void *ctx;
};

struct wh_wake {
    struct wh_wake *next;
    struct wh_loop *loop;
    wh_loop_fn fn; /* NULL: freed */
    void *ctx;
    bool sent;
};

struct work {
    struct work *next;
    wh_loop_fn work;
    wh_loop_fn done;
    void *ctx;
};

struct wh_loop {
    int64_t now_ns;
    uint64_t starts;
    struct wh_timer *timers;
    struct wh_watch *watches; /* oldest first */
    struct wh_wake *wakes;
    struct work *first_work;
    struct work **last_work;
    bool stop;
};

struct wh_loop *wh_loop_new(void)
{
    struct wh_loop *loop = wh_mem_zalloc(1, sizeof(*loop));

    if (loop) {
        loop->last_work = &loop->first_work;
    }
    return loop;
}

static int64_t sim_now_ms(void *ctx)
{
    return LOOP_SIM_EPOCH_MS + loop_sim_elapsed_ms(ctx);
}

static int64_t sim_mono_ns(void *ctx)
{
    return ((const struct wh_loop *)ctx)->now_ns;
}

struct wh_clock loop_sim_clock(struct wh_loop *loop)
{
    return (struct wh_clock){.now_ms = sim_now_ms, .mono_ns = sim_mono_ns, .ctx = loop};
}

int64_t loop_sim_elapsed_ms(const struct wh_loop *loop)
{
    return loop->now_ns / NS_PER_MS;
}

/* ---- timers ---- */

struct wh_timer *wh_timer_new(struct wh_loop *loop, wh_loop_fn fn, void *ctx)
{
    struct wh_timer *t = wh_mem_zalloc(1, sizeof(*t));

    if (t) {
        t->loop = loop;
        t->fn = fn;
        t->ctx = ctx;
        t->next = loop->timers;
        loop->timers = t;
    }
    return t;
}

void loop_sim_start_ns(struct wh_timer *timer, int64_t delay_ns)
{
    timer->running = true;
    timer->due_ns = timer->loop->now_ns + delay_ns;
    timer->repeat_ms = 0;
    timer->order = timer->loop->starts++;
}

void wh_timer_start(struct wh_timer *timer, int64_t delay_ms, int64_t repeat_ms)
{
    loop_sim_start_ns(timer, (delay_ms > 0 ? delay_ms : 0) * NS_PER_MS);
    timer->repeat_ms = repeat_ms;
}

void wh_timer_stop(struct wh_timer *timer)
{
    timer->running = false;
}

void wh_timer_free(struct wh_timer *timer)
{
    struct wh_timer **at = timer ? &timer->loop->timers : NULL;

    while (at && *at != timer) {
        at = &(*at)->next;
    }
    if (at) {
        *at = timer->next;
        wh_mem_free(timer);
    }
}

/* The timer that fires next among those started before this turn. */
static struct wh_timer *next_timer(const struct wh_loop *loop, uint64_t before)
{
    struct wh_timer *first = NULL;

    for (struct wh_timer *t = loop->timers; t; t = t->next) {
        if (t->running && t->order < before &&
            (first == NULL || t->due_ns < first->due_ns ||
             (t->due_ns == first->due_ns && t->order < first->order))) {
            first = t;
        }
    }
    return first;
}

static bool run_timers(struct wh_loop *loop)
{
    uint64_t before = loop->starts;
    struct wh_timer *t;
    bool ran = false;

    while ((t = next_timer(loop, before)) != NULL && t->due_ns <= loop->now_ns) {
        t->running = false;
        if (t->repeat_ms > 0) {
            wh_timer_start(t, t->repeat_ms, t->repeat_ms);
        }
        t->fn(t->ctx);
        ran = true;
    }
    return ran;
}

/* ---- watches ---- */

struct wh_watch *wh_watch_new(struct wh_loop *loop, int fd, unsigned events, wh_watch_fn fn,
                              void *ctx)
{
    struct wh_watch *w = fd < 0 ? NULL : wh_mem_zalloc(1, sizeof(*w));
    struct wh_watch **at = &loop->watches;

    if (w == NULL) {
        return NULL;
    }
    *w = (struct wh_watch){.loop = loop, .fd = fd, .events = events, .fn = fn, .ctx = ctx};
    while (*at) {
        at = &(*at)->next;
    }
    *at = w;
    return w;
}

void wh_watch_set(struct wh_watch *watch, unsigned events)
{
    watch->events = events;
}

void wh_watch_free(struct wh_watch *watch)
{
    if (watch) {
        watch->fn = NULL;
    }
}

static unsigned ready_events(const struct wh_watch *w)
{
    struct pollfd p = {.fd = w->fd};

    p.events =
        (short)((w->events & WH_READABLE ? POLLIN : 0) | (w->events & WH_WRITABLE ? POLLOUT : 0));
    if (w->fn == NULL || w->events == 0 || poll(&p, 1, 0) != 1) {
        return 0;
    }
    return (p.revents & (POLLIN | POLLHUP | POLLERR) ? WH_READABLE : 0U) |
           (p.revents & POLLOUT ? WH_WRITABLE : 0U);
}

static bool run_watches(struct wh_loop *loop)
{
    bool ran = false;

    for (struct wh_watch *w = loop->watches; w; w = w->next) {
        unsigned events = ready_events(w);

        if (events) {
            w->fn(w->ctx, w->fd, events);
            ran = true;
        }
    }
    return ran;
}

static void drop_freed(struct wh_loop *loop)
{
    for (struct wh_watch **at = &loop->watches; *at;) {
        struct wh_watch *w = *at;

        if (w->fn) {
            at = &w->next;
        } else {
            *at = w->next;
            wh_mem_free(w);
        }
    }
    for (struct wh_wake **at = &loop->wakes; *at;) {
        struct wh_wake *w = *at;

        if (w->fn) {
            at = &w->next;
        } else {
            *at = w->next;
            wh_mem_free(w);
        }
    }
}

/* ---- wake-ups, work, signals ---- */

struct wh_wake *wh_wake_new(struct wh_loop *loop, wh_loop_fn fn, void *ctx)
{
    struct wh_wake *w = wh_mem_zalloc(1, sizeof(*w));

    if (w) {
        *w = (struct wh_wake){.next = loop->wakes, .loop = loop, .fn = fn, .ctx = ctx};
        loop->wakes = w;
    }
    return w;
}

void wh_wake_send(struct wh_wake *wake)
{
    wake->sent = true;
}

void wh_wake_free(struct wh_wake *wake)
{
    if (wake) {
        wake->fn = NULL;
    }
}

enum wh_rc wh_loop_work(struct wh_loop *loop, wh_loop_fn work, wh_loop_fn done, void *ctx,
                        struct wh_err *err)
{
    struct work *w = wh_mem_zalloc(1, sizeof(*w));

    if (w == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for work");
    }
    *w = (struct work){.work = work, .done = done, .ctx = ctx};
    *loop->last_work = w;
    loop->last_work = &w->next;
    return WH_OK;
}

enum wh_rc wh_loop_on_signal(struct wh_loop *loop, int signum, wh_loop_fn fn, void *ctx,
                             struct wh_err *err)
{
    (void)loop;
    (void)signum;
    (void)fn;
    (void)ctx;
    return wh_fail(err, WH_E_INTERNAL, "the simulated loop has no signals");
}

static bool run_work(struct wh_loop *loop)
{
    struct work *w = loop->first_work;

    if (w == NULL) {
        return false;
    }
    loop->first_work = w->next;
    if (loop->first_work == NULL) {
        loop->last_work = &loop->first_work;
    }
    w->work(w->ctx);
    w->done(w->ctx);
    wh_mem_free(w);
    return true;
}

static bool run_wakes(struct wh_loop *loop)
{
    bool ran = false;

    for (struct wh_wake *w = loop->wakes; w; w = w->next) {
        if (w->fn && w->sent) {
            w->sent = false;
            w->fn(w->ctx);
            ran = true;
        }
    }
    return ran;
}

/* ---- the loop ---- */

void wh_loop_turn(struct wh_loop *loop, bool block)
{
    const struct wh_timer *next;
    bool ran = run_timers(loop);

    ran = run_work(loop) || ran;
    ran = run_wakes(loop) || ran;
    ran = run_watches(loop) || ran;
    drop_freed(loop);
    next = next_timer(loop, UINT64_MAX);
    if (!ran && block && next && next->due_ns > loop->now_ns) {
        loop->now_ns = next->due_ns;
    }
}

void wh_loop_run(struct wh_loop *loop)
{
    loop->stop = false;
    while (!loop->stop) {
        wh_loop_turn(loop, true);
    }
}

void wh_loop_stop(struct wh_loop *loop)
{
    loop->stop = true;
}

void wh_loop_free(struct wh_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    for (struct wh_watch *w = loop->watches; w; w = w->next) {
        w->fn = NULL;
    }
    for (struct wh_wake *w = loop->wakes; w; w = w->next) {
        w->fn = NULL;
    }
    drop_freed(loop);
    while (loop->timers) {
        wh_timer_free(loop->timers);
    }
    while (loop->first_work) {
        struct work *next = loop->first_work->next;

        wh_mem_free(loop->first_work);
        loop->first_work = next;
    }
    wh_mem_free(loop);
}
