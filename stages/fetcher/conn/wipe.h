/*
 * wipe.h - removes what Kafka holds of a connection, except for its record in the topic connections:
 * its own topics are deleted, and each of its keys in the topics that all connections share gets a
 * tombstone, on the partition where the key is.
 */
#ifndef WH_FETCHER_WIPE_H
#define WH_FETCHER_WIPE_H

#include "common/bus/bus.h"

struct wipe_task {
    const char *connection; /* its id */
    const char *topic_prefix;
    struct wh_admin *admin;
    /* A consumer without a group, and a producer; both are used by this thread alone. */
    enum wh_rc (*consumer_new)(void *ctx, struct wh_consumer **ret, struct wh_err *err);
    enum wh_rc (*producer_new)(void *ctx, struct wh_producer **ret, struct wh_err *err);
    void *ctx; /* of both */
};

struct wipe_report {
    unsigned topics; /* removed */
    uint64_t keys;   /* that got a tombstone */
};

/* Blocks until Kafka no longer lists the topics and has acknowledged the tombstones, for up to minutes.
 * It may be repeated after an error. WH_E_TIMEOUT, WH_E_UNAVAILABLE, or an error of the bus.
 * Thread: any; the task's memory must not be shared with another thread. */
WH_MUST_CHECK enum wh_rc wipe_connection(const struct wipe_task *task, struct wipe_report *ret,
                                         struct wh_err *err);

#endif
