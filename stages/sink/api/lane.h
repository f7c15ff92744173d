/*
 * lane.h - threads for one class of requests, and the requests that wait for them.
 *
 * Requests of different lanes share no thread and no queue: when every thread of the queries' lane
 * works on the longest query that its limits permit, a read of one entity still starts at once.
 *
 *   loop thread:  submit -> queue ....................................... -> done
 *   lane thread:                     work (in the order of submission) ->
 *
 * Thread: the loop's for every function; `work` runs on a thread of the lane.
 */
#ifndef WH_SINK_API_LANE_H
#define WH_SINK_API_LANE_H

#include "common/loop/loop.h"

struct api_lane;

/* Part of the caller's request, which owns it; the lane keeps it until done is called. */
struct api_task {
    void (*work)(void *ctx);
    void (*done)(void *ctx); /* may free the task, and submit others */
    void *ctx;
    struct api_task *next;
};

/* At most `waiting_max` tasks wait besides those that the threads work on. The loop is kept. */
WH_MUST_CHECK enum wh_rc api_lane_new(struct wh_loop *loop, size_t threads, size_t waiting_max,
                                      struct api_lane **ret, struct wh_err *err);
/* WH_E_BUSY when as many wait as may. */
WH_MUST_CHECK enum wh_rc api_lane_submit(struct api_lane *lane, struct api_task *task,
                                         struct wh_err *err);
/* Takes back the oldest task that no thread has begun; it is the caller's again and done is not
 * called. NULL when none waits. */
struct api_task *api_lane_take_back(struct api_lane *lane);
/* Waits for the tasks in work, calls done for what has ended, ends the threads. No task waits. */
void api_lane_free(struct api_lane *lane);

#endif
