/*
 * bus.h - Kafka as three interfaces: producer, consumer, admin. They have two implementations:
 * librdkafka (bus_kafka*.c) and, for tests, an in-memory one with injected faults
 * (tests/lib/bus_mem.h).
 *
 * Thread: each producer and consumer has one owner thread; callbacks run inside that thread's poll
 * calls. A record has succeeded only when the broker has acknowledged it.
 */
#ifndef WH_BUS_BUS_H
#define WH_BUS_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/conf/conf.h"
#include "common/log/log.h"
#include "common/metrics/metrics.h"

#define WH_BUS_HEADERS_MAX 24
#define WH_BUS_TOPIC_MAX 249

struct wh_bus_header {
    struct wh_slice name;
    struct wh_slice value;
};

/* ---- producer ---- */

struct wh_bus_delivery {
    enum wh_rc rc;
    const char *reason; /* of a failure; valid during the call */
    const char *topic;
    int32_t partition;
    int64_t offset;
};

/*
 * The completion of a record, owned by the caller: usually the first member of the struct that
 * waits for the acknowledgement. fn runs exactly once for each record produced with it, inside the
 * owner's poll or flush; many records may share one. It must stay valid until the last of them has
 * completed, or until the producer is freed.
 */
struct wh_bus_ack {
    void (*fn)(struct wh_bus_ack *ack, const struct wh_bus_delivery *delivery);
};

struct wh_bus_record {
    const char *topic;
    int32_t partition; /* -1: by key (murmur2_random) */
    struct wh_slice key;
    struct wh_slice value; /* ptr NULL: tombstone */
    bool take_value;       /* on WH_OK the bus owns value.ptr, which is from wh_mem_alloc */
    bool keep_value; /* the bus borrows value.ptr until the ack, or until the producer is freed */
    const struct wh_bus_header *headers;
    size_t n_headers;
    int64_t timestamp_ms;   /* 0: now */
    struct wh_bus_ack *ack; /* NULL: the record completes silently */
};

struct wh_producer;
struct wh_producer_ops {
    enum wh_rc (*produce)(struct wh_producer *p, const struct wh_bus_record *r, struct wh_err *err);
    int (*fd)(struct wh_producer *p);
    size_t (*poll)(struct wh_producer *p, int timeout_ms);
    enum wh_rc (*warm)(struct wh_producer *p, const char *topic, int timeout_ms,
                       struct wh_err *err);
    enum wh_rc (*flush)(struct wh_producer *p, int timeout_ms, struct wh_err *err);
    size_t (*pending)(struct wh_producer *p);
    void (*free)(struct wh_producer *p);
};
/* First member of every implementation. */
struct wh_producer {
    const struct wh_producer_ops *ops;
};

enum wh_bus_profile {
    WH_BUS_LIVE,   /* linger ~1 ms, one request in flight: webhooks, rereads, dead letters */
    WH_BUS_EAGER,  /* as LIVE without a linger, for callers that batch records themselves */
    WH_BUS_BULK,   /* linger ~20 ms, larger batches: backfill */
    WH_BUS_REPLAY, /* as BULK, linger ~100 ms: throughput matters and latency does not */
};

struct wh_producer_conf {
    const char *bootstrap; /* "host:port,..." */
    const char *client_id; /* "wellhead-mapper-<host>" */
    enum wh_bus_profile profile;
    const struct wh_conf_pairs *extra; /* kafka.* pass-through, overrides all others; may be NULL */
    size_t queue_max_bytes;            /* beyond it produce returns WH_E_BUSY */
    size_t queue_max_records;
    int64_t delivery_timeout_ms;
    struct wh_log *log;
};

void wh_producer_conf_init(struct wh_producer_conf *conf);
/* Settings: acks=all, idempotent, murmur2_random, lz4. Does not wait for a broker. */
WH_MUST_CHECK enum wh_rc wh_producer_kafka_new(const struct wh_producer_conf *conf,
                                               struct wh_producer **ret, struct wh_err *err);

/*
 * Enqueues the record, whose value is copied unless take_value or keep_value is set. WH_E_BUSY: the
 * queue is full; poll, then retry. WH_E_FATAL_BUS: this producer is unusable; free it, create a new
 * one, and produce unacknowledged records again. After WH_OK, the record's ack runs exactly once.
 */
static inline WH_MUST_CHECK enum wh_rc
wh_producer_produce(struct wh_producer *p, const struct wh_bus_record *r, struct wh_err *err)
{
    return p->ops->produce(p, r, err);
}

/* A descriptor that is readable when poll has work; watch it with the loop. */
static inline int wh_producer_fd(struct wh_producer *p)
{
    return p->ops->fd(p);
}

/* Runs the acks of records that were acknowledged or have failed; returns how many. */
static inline size_t wh_producer_poll(struct wh_producer *p, int timeout_ms)
{
    return p->ops->poll(p, timeout_ms);
}

/* Asks for the topic's metadata and waits for them; without them the first record is up to 1 s late.
 * WH_E_NOT_FOUND, or WH_E_TIMEOUT: the answer is not there yet, but is used when it arrives. With
 * timeout_ms 0 it never waits. WH_E_UNAVAILABLE: no broker is connected yet; one is being connected. */
static inline WH_MUST_CHECK enum wh_rc wh_producer_warm(struct wh_producer *p, const char *topic,
                                                        int timeout_ms, struct wh_err *err)
{
    return p->ops->warm(p, topic, timeout_ms, err);
}

/* Waits until every record is acknowledged or has failed; WH_E_TIMEOUT. */
static inline WH_MUST_CHECK enum wh_rc wh_producer_flush(struct wh_producer *p, int timeout_ms,
                                                         struct wh_err *err)
{
    return p->ops->flush(p, timeout_ms, err);
}

/* The number of records whose ack has not run. */
static inline size_t wh_producer_pending(struct wh_producer *p)
{
    return p->ops->pending(p);
}

/* Drops pending records without running their acks. */
static inline void wh_producer_free(struct wh_producer *p)
{
    if (p) {
        p->ops->free(p);
    }
}

/* ---- consumer ---- */

/* Valid until the consumer is polled again or freed. */
struct wh_bus_msg {
    const char *topic;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    struct wh_slice key;
    struct wh_slice value; /* ptr NULL: tombstone */
    void *priv;
};

struct wh_bus_partition {
    const char *topic;
    int32_t partition;
    int64_t offset; /* WH_OFFSET_* or a number */
};

enum { WH_OFFSET_BEGINNING = -2, WH_OFFSET_END = -1, WH_OFFSET_STORED = -1000 };

/* Group consumers only; called inside poll, in the owner's thread. */
struct wh_bus_rebalance {
    void (*on_assign)(void *ctx, const struct wh_bus_partition *parts, size_t n);
    /* Commit acknowledged offsets before returning, unless the partitions are lost. */
    void (*on_revoke)(void *ctx, const struct wh_bus_partition *parts, size_t n, bool lost);
    void *ctx;
};

struct wh_consumer;
struct wh_consumer_ops {
    enum wh_rc (*subscribe)(struct wh_consumer *c, const char *const *topics, size_t n,
                            struct wh_err *err);
    enum wh_rc (*assign)(struct wh_consumer *c, const struct wh_bus_partition *parts, size_t n,
                         struct wh_err *err);
    int (*fd)(struct wh_consumer *c);
    enum wh_rc (*poll)(struct wh_consumer *c, int timeout_ms, size_t max, struct wh_bus_msg *out,
                       size_t *ret_n, struct wh_err *err);
    struct wh_slice (*header)(struct wh_consumer *c, const struct wh_bus_msg *msg,
                              const char *name);
    size_t (*headers)(struct wh_consumer *c, const struct wh_bus_msg *msg,
                      struct wh_bus_header out[WH_BUS_HEADERS_MAX]);
    enum wh_rc (*pause)(struct wh_consumer *c, const struct wh_bus_partition *parts, size_t n,
                        bool pause, struct wh_err *err);
    enum wh_rc (*commit)(struct wh_consumer *c, const struct wh_bus_partition *parts, size_t n,
                         bool wait, struct wh_err *err);
    enum wh_rc (*watermarks)(struct wh_consumer *c, const char *topic, int32_t partition,
                             int timeout_ms, int64_t *ret_low, int64_t *ret_high,
                             struct wh_err *err);
    int64_t (*end)(struct wh_consumer *c, const char *topic, int32_t partition);
    void (*free)(struct wh_consumer *c);
};
struct wh_consumer {
    const struct wh_consumer_ops *ops;
};

struct wh_consumer_conf {
    const char *bootstrap;
    const char *client_id;
    const char *group; /* NULL or "": no group, manual assignment, no commits */
    /* Static group membership (KIP-345): the member keeps its partitions over a restart within the
     * session timeout. Must be unique to one process; NULL: dynamic membership. */
    const char *instance_id;
    const struct wh_conf_pairs *extra;
    size_t fetch_max_bytes;      /* prefetch bound */
    int64_t metadata_refresh_ms; /* how often topics that match a pattern are discovered */
    int64_t session_timeout_ms;
    bool report_ends;                  /* enables wh_consumer_end */
    struct wh_bus_rebalance rebalance; /* for groups */
    struct wh_log *log;
};

void wh_consumer_conf_init(struct wh_consumer_conf *conf);
/* Range assignment; no automatic commit or store; without an offset a group starts at the beginning. */
WH_MUST_CHECK enum wh_rc wh_consumer_kafka_new(const struct wh_consumer_conf *conf,
                                               struct wh_consumer **ret, struct wh_err *err);

/* Subscribes to topics or patterns ("^regex"). Group consumers only. Subscribing again joins the group
 * again: all partitions are revoked, and reading goes on at the committed offsets. */
static inline WH_MUST_CHECK enum wh_rc wh_consumer_subscribe(struct wh_consumer *c,
                                                             const char *const *topics, size_t n,
                                                             struct wh_err *err)
{
    return c->ops->subscribe(c, topics, n, err);
}

/* Replaces the assignment of a consumer without a group. A partition that is already assigned keeps its
 * position when its offset is WH_OFFSET_STORED. */
static inline WH_MUST_CHECK enum wh_rc wh_consumer_assign(struct wh_consumer *c,
                                                          const struct wh_bus_partition *parts,
                                                          size_t n, struct wh_err *err)
{
    return c->ops->assign(c, parts, n, err);
}

/* Readable when messages or events wait; call poll(0) until it returns none. */
static inline int wh_consumer_fd(struct wh_consumer *c)
{
    return c->ops->fd(c);
}

/*
 * Returns up to max messages in partition order; waits up to timeout_ms for the first one only, and may
 * return none. Broker errors are logged and retried inside. WH_E_FATAL_BUS: the consumer is unusable.
 */
static inline WH_MUST_CHECK enum wh_rc wh_consumer_poll(struct wh_consumer *c, int timeout_ms,
                                                        size_t max, struct wh_bus_msg *out,
                                                        size_t *ret_n, struct wh_err *err)
{
    return c->ops->poll(c, timeout_ms, max, out, ret_n, err);
}

/* ptr NULL when absent. */
static inline struct wh_slice wh_consumer_header(struct wh_consumer *c,
                                                 const struct wh_bus_msg *msg, const char *name)
{
    return c->ops->header(c, msg, name);
}

/* All headers, at most WH_BUS_HEADERS_MAX. */
static inline size_t wh_consumer_headers(struct wh_consumer *c, const struct wh_bus_msg *msg,
                                         struct wh_bus_header out[WH_BUS_HEADERS_MAX])
{
    return c->ops->headers(c, msg, out);
}

static inline WH_MUST_CHECK enum wh_rc wh_consumer_pause(struct wh_consumer *c,
                                                         const struct wh_bus_partition *parts,
                                                         size_t n, bool pause, struct wh_err *err)
{
    return c->ops->pause(c, parts, n, pause, err);
}

/* Commits parts[i].offset, the next offset to read; `wait` until the broker has confirmed. */
static inline WH_MUST_CHECK enum wh_rc wh_consumer_commit(struct wh_consumer *c,
                                                          const struct wh_bus_partition *parts,
                                                          size_t n, bool wait, struct wh_err *err)
{
    return c->ops->commit(c, parts, n, wait, err);
}

/* Blocks on a request to the broker for at most timeout_ms. */
static inline WH_MUST_CHECK enum wh_rc wh_consumer_watermarks(struct wh_consumer *c,
                                                              const char *topic, int32_t partition,
                                                              int timeout_ms, int64_t *ret_low,
                                                              int64_t *ret_high, struct wh_err *err)
{
    return c->ops->watermarks(c, topic, partition, timeout_ms, ret_low, ret_high, err);
}

/*
 * The offset at which recent polls reached the end of an assigned partition, -1 when they did not.
 * Everything before it has been read. It may be past the newest record, because the last offsets of a
 * compacted topic may hold no records. Always -1 without report_ends.
 */
static inline int64_t wh_consumer_end(struct wh_consumer *c, const char *topic, int32_t partition)
{
    return c->ops->end(c, topic, partition);
}

/* Leaves the group, in bounded time. */
static inline void wh_consumer_free(struct wh_consumer *c)
{
    if (c) {
        c->ops->free(c);
    }
}

/* ---- admin ---- */

struct wh_bus_topic {
    const char *name;
    int32_t partitions;
    int32_t replication;
    int64_t retention_ms; /* -1: for ever */
    bool compact; /* keeps the newest record of a key, limited by retention_ms if that is set */
    int64_t max_message_bytes; /* 0: the broker's default */
    int64_t
        segment_ms; /* how long a file of the log grows before it can be compacted; 0: default */
};

/* The name is owned; free the array with wh_bus_topic_list_free. */
struct wh_bus_topic_info {
    char *name;
    int32_t partitions;
};

struct wh_admin;
struct wh_admin_ops {
    enum wh_rc (*create)(struct wh_admin *a, const struct wh_bus_topic *topics, size_t n,
                         int timeout_ms, struct wh_err *err);
    enum wh_rc (*remove)(struct wh_admin *a, const char *const *topics, size_t n, int timeout_ms,
                         struct wh_err *err);
    enum wh_rc (*list)(struct wh_admin *a, int timeout_ms, struct wh_bus_topic_info **ret,
                       size_t *ret_n, struct wh_err *err);
    enum wh_rc (*offsets)(struct wh_admin *a, struct wh_bus_partition *parts, size_t n,
                          int64_t at_ms, int timeout_ms, struct wh_err *err);
    enum wh_rc (*group_set)(struct wh_admin *a, const char *group,
                            const struct wh_bus_partition *parts, size_t n, int timeout_ms,
                            struct wh_err *err);
    enum wh_rc (*group_get)(struct wh_admin *a, const char *group, struct wh_bus_partition *parts,
                            size_t n, int timeout_ms, struct wh_err *err);
    void (*free)(struct wh_admin *a);
};
struct wh_admin {
    const struct wh_admin_ops *ops;
};

/*
 * A program's check_pairs (conf.h). WH_E_CONFIG names the first pair whose name or value librdkafka
 * rejects.
 */
WH_MUST_CHECK enum wh_rc wh_bus_kafka_check(const struct wh_conf_pairs *pairs, struct wh_err *err);

/* client_id and extra are borrowed until wh_admin_free. */
WH_MUST_CHECK enum wh_rc wh_admin_kafka_new(const char *bootstrap, const char *client_id,
                                            const struct wh_conf_pairs *extra, struct wh_log *log,
                                            struct wh_admin **ret, struct wh_err *err);

/* Succeeds for topics that exist already. WH_E_UNAVAILABLE while no broker answers. */
static inline WH_MUST_CHECK enum wh_rc wh_admin_create(struct wh_admin *a,
                                                       const struct wh_bus_topic *topics, size_t n,
                                                       int timeout_ms, struct wh_err *err)
{
    return a->ops->create(a, topics, n, timeout_ms, err);
}

/* Succeeds for topics that do not exist. */
static inline WH_MUST_CHECK enum wh_rc wh_admin_remove(struct wh_admin *a,
                                                       const char *const *topics, size_t n,
                                                       int timeout_ms, struct wh_err *err)
{
    return a->ops->remove(a, topics, n, timeout_ms, err);
}

/* Lists all topics. The caller frees the array with wh_bus_topic_list_free. */
static inline WH_MUST_CHECK enum wh_rc wh_admin_list(struct wh_admin *a, int timeout_ms,
                                                     struct wh_bus_topic_info **ret, size_t *ret_n,
                                                     struct wh_err *err)
{
    return a->ops->list(a, timeout_ms, ret, ret_n, err);
}

/*
 * Fills parts[i].offset with the first offset whose timestamp is >= at_ms, or with the low or high
 * watermark when at_ms is WH_OFFSET_BEGINNING or WH_OFFSET_END; one request to each broker. Partitions
 * that cannot be asked get WH_OFFSET_STORED; the call fails when that are all of them.
 */
static inline WH_MUST_CHECK enum wh_rc wh_admin_offsets(struct wh_admin *a,
                                                        struct wh_bus_partition *parts, size_t n,
                                                        int64_t at_ms, int timeout_ms,
                                                        struct wh_err *err)
{
    return a->ops->offsets(a, parts, n, at_ms, timeout_ms, err);
}

/* The same for one partition. */
static inline WH_MUST_CHECK enum wh_rc wh_admin_offset(struct wh_admin *a, const char *topic,
                                                       int32_t partition, int64_t at_ms,
                                                       int timeout_ms, int64_t *ret_offset,
                                                       struct wh_err *err)
{
    struct wh_bus_partition part = {.topic = topic, .partition = partition};

    if (a->ops->offsets(a, &part, 1, at_ms, timeout_ms, err) != WH_OK) {
        return err->rc;
    }
    *ret_offset = part.offset;
    return WH_OK;
}

/* Sets the committed offsets of a group. WH_E_BUSY when the group has members. */
static inline WH_MUST_CHECK enum wh_rc wh_admin_group_set(struct wh_admin *a, const char *group,
                                                          const struct wh_bus_partition *parts,
                                                          size_t n, int timeout_ms,
                                                          struct wh_err *err)
{
    return a->ops->group_set(a, group, parts, n, timeout_ms, err);
}

/* Fills parts[i].offset, with WH_OFFSET_STORED where the group has no committed offset. */
static inline WH_MUST_CHECK enum wh_rc wh_admin_group_get(struct wh_admin *a, const char *group,
                                                          struct wh_bus_partition *parts, size_t n,
                                                          int timeout_ms, struct wh_err *err)
{
    return a->ops->group_get(a, group, parts, n, timeout_ms, err);
}

static inline void wh_admin_free(struct wh_admin *a)
{
    if (a) {
        a->ops->free(a);
    }
}

void wh_bus_topic_list_free(struct wh_bus_topic_info *list, size_t n);

#endif
