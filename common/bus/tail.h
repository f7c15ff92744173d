/*
 * tail.h - follows a compacted topic without a consumer group: reads all partitions from their
 * beginning, says when it has reached the ends that they had when it began, and goes on with every
 * later record. Each process that does this knows all records of the topic.
 *
 * The partitions and their ends are asked for on a pool thread, again and again until Kafka and the
 * topic are there. An end is reached by a record just before it, or when the consumer reports it:
 * the last offsets of a compacted topic may hold no record any more.
 *
 * Thread: app. Callbacks run in the loop's thread, never inside wh_tail_new. They may call
 * wh_tail_stop, but not wh_tail_free.
 */
#ifndef WH_BUS_TAIL_H
#define WH_BUS_TAIL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/base/err.h"
#include "common/bus/bus.h"
#include "common/log/log.h"
#include "common/loop/loop.h"

enum { WH_TAIL_PARTITIONS_MAX = 256 };

struct wh_tail;

/* Everything is borrowed until wh_tail_free, the topic's name included. */
struct wh_tail_conf {
    /* Without a group, used by nothing else, best with report_ends (bus.h). */
    struct wh_consumer *consumer;
    struct wh_admin *admin;
    struct wh_loop *loop;
    struct wh_log *log;
    const char *topic;
    /* One record; a tombstone has no value. An error of class FATAL ends the tail; after any other the
     * record is logged and skipped. */
    enum wh_rc (*on_record)(void *ctx, const struct wh_bus_msg *msg, struct wh_err *err);
    /* Once: every partition has been read to the end that it had. May be NULL. */
    void (*on_caught_up)(void *ctx);
    /* All records that were waiting have been handled. Called at least once, after on_caught_up if
     * that is due. May be NULL. */
    void (*on_settled)(void *ctx);
    /* The tail has stopped: an error of class FATAL, of Kafka or of on_record. */
    void (*on_fatal)(void *ctx, const struct wh_err *err);
    void *ctx;
};

/* Begins in the loop's next turn. WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc wh_tail_new(const struct wh_tail_conf *conf, struct wh_tail **ret,
                                     struct wh_err *err);
bool wh_tail_caught_up(const struct wh_tail *tail);
/* Is the topic known, so that records are being read? */
bool wh_tail_reading(const struct wh_tail *tail);
/*
 * Makes no further call. Returns whether the admin is free: false while a pool thread asks Kafka, for
 * at most some seconds; call it again to ask again.
 */
bool wh_tail_stop(struct wh_tail *tail);
/* Stops; turns the loop until the admin is free. NULL is ignored. */
void wh_tail_free(struct wh_tail *tail);

/* ---- reading a topic once ---- */

/* How far each partition is read, and to where. */
struct wh_tail_span {
    int32_t n;
    int64_t next[WH_TAIL_PARTITIONS_MAX];
    int64_t end[WH_TAIL_PARTITIONS_MAX];
};

/*
 * Asks for the partitions of a topic, their beginnings and ends; n is 0 when there is no such topic.
 * Blocks for at most timeout_ms in each of 2n + 1 requests; WH_E_CANCELED once *stop is true (stop may
 * be NULL). WH_E_CONFIG for more than WH_TAIL_PARTITIONS_MAX partitions. Thread: pool.
 */
WH_MUST_CHECK enum wh_rc wh_tail_find(struct wh_admin *admin, const char *topic, int timeout_ms,
                                      const atomic_bool *stop, struct wh_tail_span *ret,
                                      struct wh_err *err);
/*
 * Reads a topic from its beginning to its present end, and blocks meanwhile. An error of on_record ends
 * it. When no record comes for 5 s, and the consumer reports no end, what is left is taken for offsets
 * without records. A topic that is not there has no records. Thread: pool.
 */
WH_MUST_CHECK enum wh_rc
wh_tail_read(struct wh_consumer *consumer, struct wh_admin *admin, const char *topic,
             int timeout_ms,
             enum wh_rc (*on_record)(void *ctx, const struct wh_bus_msg *msg, struct wh_err *err),
             void *ctx, struct wh_err *err);

#endif
