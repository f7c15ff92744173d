/*
 * loop.h - the event loop of a process, over libuv: timers, descriptors, wake-ups from other threads,
 * signals, and work on a small thread pool.
 *
 * Thread: one application thread makes, runs and frees the loop and all its objects, and all
 * callbacks run in it. Only wh_wake_send may be called from other threads.
 *
 * A callback may start, stop and free any of these objects, its own included. Once an object is
 * stopped or freed its callback is not called again. None may be used after the loop is freed.
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

/* NULL when there is no memory or no descriptor left. */
struct wh_loop *wh_loop_new(void);
/* Waits for work on the pool, whose done functions are called; closes what was not freed. */
void wh_loop_free(struct wh_loop *loop);
/* Runs until wh_loop_stop. */
void wh_loop_run(struct wh_loop *loop);
/*
 * Serves what is due, once. With block it first waits until something is. For tests, and for an owner
 * that must await work on the pool before it frees what that uses.
 */
void wh_loop_turn(struct wh_loop *loop, bool block);
void wh_loop_stop(struct wh_loop *loop);

/* Makes a timer, not started. NULL: no memory. */
struct wh_timer *wh_timer_new(struct wh_loop *loop, wh_loop_fn fn, void *ctx);
/*
 * Fires after delay_ms, then every repeat_ms (0: once). Starting a running timer restarts it. A timer
 * that its own callback starts again with a delay of 0 fires in the same turn, before any
 * descriptor is served: to yield to the rest of the loop, use 1.
 */
void wh_timer_start(struct wh_timer *timer, int64_t delay_ms, int64_t repeat_ms);
void wh_timer_stop(struct wh_timer *timer);
void wh_timer_free(struct wh_timer *timer);

/*
 * Watches a descriptor, which is borrowed until the watch is freed. The callback receives the events
 * that are due; an error on the descriptor counts as both, so that the owner's read or write reports it.
 * NULL: no memory, or not a descriptor that can be watched.
 */
struct wh_watch *wh_watch_new(struct wh_loop *loop, int fd, unsigned events, wh_watch_fn fn,
                              void *ctx);
/* Changes the events of interest; 0 pauses. */
void wh_watch_set(struct wh_watch *watch, unsigned events);
/* The descriptor may be closed as soon as this returns. */
void wh_watch_free(struct wh_watch *watch);

/* Makes a wake-up: each wh_wake_send leads to a call of fn in the loop's thread, but several sends
 * before the loop turns may lead to one call. NULL: no memory. */
struct wh_wake *wh_wake_new(struct wh_loop *loop, wh_loop_fn fn, void *ctx);
/* Thread: any. */
void wh_wake_send(struct wh_wake *wake);
void wh_wake_free(struct wh_wake *wake);

/*
 * Runs work(ctx) on a pool thread, then done(ctx) in the loop's thread. The pool has four threads
 * that all owners share. Work cannot be cancelled, so it must bound its own time, and ctx must live
 * until done is called. WH_E_NOMEM, WH_E_INTERNAL.
 */
WH_MUST_CHECK enum wh_rc wh_loop_work(struct wh_loop *loop, wh_loop_fn work, wh_loop_fn done,
                                      void *ctx, struct wh_err *err);
/* Calls fn in the loop's thread when the signal arrives, until the loop is freed. At most 8 signals;
 * WH_E_INTERNAL beyond that. */
WH_MUST_CHECK enum wh_rc wh_loop_on_signal(struct wh_loop *loop, int signum, wh_loop_fn fn,
                                           void *ctx, struct wh_err *err);

#endif
