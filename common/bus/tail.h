/*
 * tail.h - follows a compacted topic without a consumer group: reads all partitions from the
 * beginning, reports when it has reached the ends that they had at the start, and continues with
 * later records. Every follower sees all records of the topic.
 *
 * A pool thread requests the partitions and their ends, and retries until Kafka and the topic are
 * available. An end is reached with the record just before it, or when the consumer reports it, because
 * the last offsets of a compacted topic may hold no records.
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
    /* Without a group, not shared, preferably with report_ends (bus.h). */
    struct wh_consumer *consumer;
    struct wh_admin *admin;
    struct wh_loop *loop;
    struct wh_log *log;
    const char *topic;
    /* One record; a tombstone has no value. An error of class FATAL ends the tail; after any other
     * error the record is logged and skipped. */
    enum wh_rc (*on_record)(void *ctx, const struct wh_bus_msg *msg, struct wh_err *err);
    /* Called once, when every partition has been read to its end at the start. May be NULL. */
    void (*on_caught_up)(void *ctx);
    /* Called when no more records wait: at least once, and after on_caught_up if that is due. May be
     * NULL. */
    void (*on_settled)(void *ctx);
    /* The tail has stopped after a FATAL error of Kafka or of on_record. */
    void (*on_fatal)(void *ctx, const struct wh_err *err);
    void *ctx;
};

/* Starts in the loop's next turn. WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc wh_tail_new(const struct wh_tail_conf *conf, struct wh_tail **ret,
                                     struct wh_err *err);
bool wh_tail_caught_up(const struct wh_tail *tail);
/* True once the topic is known and its records are being read. */
bool wh_tail_reading(const struct wh_tail *tail);
/*
 * Stops all callbacks. Returns false while a pool thread still uses the admin, which lasts a few
 * seconds at most; call it again to check.
 */
bool wh_tail_stop(struct wh_tail *tail);
/* Stops, and turns the loop until the pool thread has released the admin. Accepts NULL. */
void wh_tail_free(struct wh_tail *tail);

/* ---- reading a topic once ---- */

/* The next offset to read and the end offset of each partition. */
struct wh_tail_span {
    int32_t n;
    int64_t next[WH_TAIL_PARTITIONS_MAX];
    int64_t end[WH_TAIL_PARTITIONS_MAX];
};

/*
 * Requests the partitions of a topic, their beginnings and ends; n is 0 when the topic does not exist.
 * Blocks for at most timeout_ms in each of 2n + 1 requests. WH_E_CANCELED once *stop is true (stop may
 * be NULL). WH_E_CONFIG for more than WH_TAIL_PARTITIONS_MAX partitions. Thread: pool.
 */
WH_MUST_CHECK enum wh_rc wh_tail_find(struct wh_admin *admin, const char *topic, int timeout_ms,
                                      const atomic_bool *stop, struct wh_tail_span *ret,
                                      struct wh_err *err);
/*
 * Reads a topic from its beginning to its current end; blocking. An error of on_record ends the read.
 * When no record arrives for 5 s and the consumer reports no end, the remaining offsets are assumed to
 * hold no records. A topic that does not exist has no records. Thread: pool.
 */
WH_MUST_CHECK enum wh_rc
wh_tail_read(struct wh_consumer *consumer, struct wh_admin *admin, const char *topic,
             int timeout_ms,
             enum wh_rc (*on_record)(void *ctx, const struct wh_bus_msg *msg, struct wh_err *err),
             void *ctx, struct wh_err *err);

#endif
