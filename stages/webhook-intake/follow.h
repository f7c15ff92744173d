/*
 * follow.h - reads the connections topic from its beginning, without a group: every intake knows
 * all connections. Caught up once all that was there at the assignment has been applied.
 *
 * Until the topic can be assigned, the loop asks the broker again and again, each time for at most
 * a second; nothing is served meanwhile, so nobody waits for that.
 */
#ifndef INTAKE_FOLLOW_H
#define INTAKE_FOLLOW_H

#include "common/bus/bus.h"
#include "common/loop/loop.h"

struct intake_follow;

struct intake_follow_deps {
    struct wh_consumer *consumer; /* borrowed */
    struct wh_admin *admin;       /* borrowed */
    struct wh_loop *loop;
    struct wh_log *log;
    const char *topic; /* kept by reference */
    /* One record. FATAL is the end, other errors are logged and the record is skipped. */
    enum wh_rc (*apply)(void *ctx, const struct wh_bus_msg *msg, struct wh_err *err);
    /* All that waited has been applied. */
    void (*settled)(void *ctx);
    void (*on_fatal)(void *ctx, const struct wh_err *err);
    void *ctx;
};

/* Begins in the loop's next turn. */
WH_MUST_CHECK enum wh_rc intake_follow_new(const struct intake_follow_deps *deps,
                                           struct intake_follow **ret, struct wh_err *err);
bool intake_follow_caught_up(const struct intake_follow *f);
void intake_follow_stop(struct intake_follow *f);
void intake_follow_free(struct intake_follow *f);

#endif
