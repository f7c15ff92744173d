/*
 * loop.h - the event loop of a process (libuv behind it): timers, descriptors, wake-ups from other
 * threads, work on a small thread pool. One application thread runs it; only wh_wake_send may be
 * called from elsewhere.
 *
 * Callbacks run in the loop's thread and may start, stop and free any of these objects, their own
 * included. A stopped or freed object never calls again.
 */
#ifndef WH_LOOP_LOOP_H
#define WH_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

struct wh_loop;
struct wh_timer;
struct wh_watch;
struct wh_wake;

typedef void (*wh_loop_fn)(void *ctx);
typedef void (*wh_watch_fn)(void *ctx, int fd, unsigned events);

enum wh_watch_events { WH_READABLE = 1, WH_WRITABLE = 2 };

/* NULL when the system refuses. */
struct wh_loop *wh_loop_new(void);
/* Closes what is left open. */
void wh_loop_free(struct wh_loop *loop);
/* Until wh_loop_stop. */
void wh_loop_run(struct wh_loop *loop);
/* One turn: waits at most until the next event when block, for tests. */
void wh_loop_turn(struct wh_loop *loop, bool block);
void wh_loop_stop(struct wh_loop *loop);

/* The timer is made stopped. NULL: no memory. */
struct wh_timer *wh_timer_new(struct wh_loop *loop, wh_loop_fn fn, void *ctx);
/* Fires after delay_ms, then every repeat_ms (0: once). Starting a running timer restarts it. */
void wh_timer_start(struct wh_timer *timer, int64_t delay_ms, int64_t repeat_ms);
void wh_timer_stop(struct wh_timer *timer);
void wh_timer_free(struct wh_timer *timer);

/* Watches a descriptor (borrowed); events 0 pauses. NULL: no memory or a bad fd. */
struct wh_watch *wh_watch_new(struct wh_loop *loop, int fd, unsigned events, wh_watch_fn fn,
                              void *ctx);
void wh_watch_set(struct wh_watch *watch, unsigned events);
/* The descriptor may be closed as soon as this returns. */
void wh_watch_free(struct wh_watch *watch);

/* Several sends before the loop turns may come as one call. */
struct wh_wake *wh_wake_new(struct wh_loop *loop, wh_loop_fn fn, void *ctx);
/* Thread: any. */
void wh_wake_send(struct wh_wake *wake);
void wh_wake_free(struct wh_wake *wake);

/*
 * Runs work(ctx) on a pool thread, then done(ctx) in the loop's thread. WH_E_NOMEM. The pool has
 * four threads; work cannot be taken back, so it needs limits of its own.
 */
WH_MUST_CHECK enum wh_rc wh_loop_work(struct wh_loop *loop, wh_loop_fn work, wh_loop_fn done,
                                      void *ctx, struct wh_err *err);
/* Calls fn when the signal arrives; at most 8 signals, until the loop is freed. */
WH_MUST_CHECK enum wh_rc wh_loop_on_signal(struct wh_loop *loop, int signum, wh_loop_fn fn,
                                           void *ctx, struct wh_err *err);

#endif
