/*
 * topics.h - which topics and partitions the sink reads, from which offset, and how far it has got.
 *
 *   scout (pool thread)    lists topics, asks for the first and last offset of each partition
 *   table (writer thread)  takes over each listing: a new partition starts at its stored offset, or
 *                          at the start of the log; a deleted topic is dropped with its offsets
 *
 * When the log no longer has a stored offset, records are lost: the partition is held (not read) and
 * the reason is shown, unless accept_gap permits the gap.
 */
#ifndef WH_SINK_TOPICS_H
#define WH_SINK_TOPICS_H

#include <stdatomic.h>

#include "common/event/topics.h"
#include "stages/sink/batch/apply.h"

enum { SINK_TOPICS_MAX = 256, SINK_PARTITIONS_MAX = 4096 };

/* ---- scout ---- */

struct sink_found_partition {
    size_t topic; /* index into topics */
    int32_t partition;
    int64_t low; /* -1: not asked for */
    int64_t high;
};

struct sink_found_topic {
    char name[WH_TOPIC_MAX];
    char connection[WH_CONNECTION_ID_MAX]; /* empty: a shared topic */
    enum wh_topic_role role;               /* connections, runs, health or entities */
    int32_t partitions;
    struct wh_counter *consumed; /* may be NULL */
};

struct sink_found {
    struct sink_found_topic *topics;
    size_t n_topics;
    struct sink_found_partition *partitions;
    size_t n_partitions;
};

/* Lists the topics; free the result with sink_found_free. WH_E_CANCELED when *stop becomes true.
 * Thread: any. */
WH_MUST_CHECK enum wh_rc sink_scout(struct wh_admin *admin, const char *prefix,
                                    const atomic_bool *stop, struct sink_found **ret,
                                    struct wh_err *err);
void sink_found_free(struct sink_found *found);

/* ---- table ---- */

struct sink_partition {
    int32_t partition;
    int64_t next;    /* the next offset to read, as it is durable */
    int64_t flying;  /* the same after the batch in flight */
    int64_t pending; /* the same after the current batch */
    int64_t first;   /* start of the log at the last listing */
    int64_t high;    /* end of the log as last reported */
    int64_t target;  /* end of the log when the process started; -1 for partitions found later */
    bool held;
};

struct sink_topic {
    char name[WH_TOPIC_MAX];
    char connection[WH_CONNECTION_ID_MAX]; /* empty: a shared topic */
    enum wh_topic_role role;
    struct sink_partition *partitions;
    int32_t n_partitions;
    struct wh_counter *consumed;
    int64_t last_record_ms;
};

struct sink_table {
    struct wh_store *store;
    struct wh_log *log;
    bool accept_gap;
    struct sink_topic *topics[SINK_TOPICS_MAX];
    size_t n_topics;
    bool known; /* at least one listing was taken over */
    char held_reason[WH_ERR_MSG_MAX];
    char purging
        [WH_CONNECTION_ID_MAX]; /* the connection that is being purged, whose topics are not read; "" for none */
    /* The result of the last lookup, as neighbouring records share a topic. */
    const char *last_name;
    struct sink_topic *last_topic;
};

void sink_table_init(struct sink_table *t, struct wh_store *store, struct wh_log *log,
                     bool accept_gap);
void sink_table_done(struct sink_table *t);

/*
 * Takes over a listing, which stays the caller's. relocate: also check known positions, as they may
 * be outside the log. *ret_changed: the assignment must be renewed. gone, unless NULL, is called for
 * each topic that no longer exists, before the topic is dropped.
 */
WH_MUST_CHECK enum wh_rc sink_table_take(struct sink_table *t, const struct sink_found *found,
                                         bool relocate, bool *ret_changed,
                                         enum wh_rc (*gone)(void *ctx, const char *topic,
                                                            struct wh_err *err),
                                         void *ctx, struct wh_err *err);
/* Drops a topic as if it had been deleted; renew the assignment afterwards. */
void sink_table_drop(struct sink_table *t, const char *topic);
WH_MUST_CHECK enum wh_rc sink_table_assign(const struct sink_table *t, struct wh_consumer *c,
                                           struct wh_err *err);
/* NULL when the sink does not read that partition. */
struct sink_partition *sink_table_find(struct sink_table *t, const char *topic, int32_t partition,
                                       struct sink_topic **ret_topic);
/* Stops reading the partition; the reason appears in the readiness answer. */
void sink_table_hold(struct sink_table *t, const struct sink_topic *topic, struct sink_partition *p,
                     const char *why);
/* True when every record that existed at the start of the process is durable. */
bool sink_table_caught_up(const struct sink_table *t);
int64_t sink_topic_lag(const struct sink_topic *topic);

#endif
