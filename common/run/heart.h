/*
 * heart.h - tells the topic `health` every WH_HEARTBEAT_MS that the process works (event/heartbeat.h), by
 * the loop that does the work: a loop that hangs sends no heartbeat. Failures are logged once and never
 * disturb the stage. Thread: app.
 */
#ifndef WH_RUN_HEART_H
#define WH_RUN_HEART_H

#include "common/base/time.h"
#include "common/bus/bus.h"
#include "common/event/heartbeat.h"
#include "common/log/log.h"
#include "common/loop/loop.h"

struct wh_heart;

/* Everything is borrowed until wh_heart_free. */
struct wh_heart_conf {
    struct wh_loop *loop;
    struct wh_log *log;
    struct wh_clock clock;
    const char *topic_prefix;
    const char *stage;
    const char *process;
    /* Called at the start, and again after a fatal error of the bus. */
    enum wh_rc (*make_producer)(void *ctx, struct wh_producer **ret, struct wh_err *err);
    /* Sets group, ready, reason and held; what they point to stays valid until the next call. */
    void (*describe)(void *ctx, struct wh_heartbeat *h);
    void *ctx;
};

/* Sends the first heartbeat in the next turn of the loop. */
WH_MUST_CHECK enum wh_rc wh_heart_new(const struct wh_heart_conf *conf, struct wh_heart **ret,
                                      struct wh_err *err);
/* Says that the process has ended in order, if Kafka took an earlier heartbeat; waits up to one second. */
void wh_heart_stop(struct wh_heart *heart);
void wh_heart_free(struct wh_heart *heart);

#endif
