/*
 * loop_sim.h - an event loop in simulated time. It defines the wh_loop_*, wh_timer_*, wh_watch_*
 * and wh_wake_* calls of common/loop, so a program that links this links no libuv loop.
 *
 * Time stands still while anything is ready to run and then jumps to the next timer. Work for the
 * pool runs in the loop's own thread. The order of callbacks therefore depends on the program
 * alone: timers by due time and then by start, watches by creation.
 */
#ifndef GOLDEN_LOOP_SIM_H
#define GOLDEN_LOOP_SIM_H

#include "common/base/time.h"
#include "common/loop/loop.h"

/* Simulated time starts here: 2026-11-24T00:00:00Z. */
#define LOOP_SIM_EPOCH_MS INT64_C(1795478400000)

/* The loop's clock, for everything that takes a clock. */
struct wh_clock loop_sim_clock(struct wh_loop *loop);
/* Simulated milliseconds since the loop was made. */
int64_t loop_sim_elapsed_ms(const struct wh_loop *loop);
/* As wh_timer_start without a repeat, with a resolution of one nanosecond. */
void loop_sim_start_ns(struct wh_timer *timer, int64_t delay_ns);

#endif
