/*
 * topics.h - which topics and partitions the sink reads, from where, and how far it is.
 *
 *   scout (pool thread)    lists topics, asks for the first and last offset of each partition
 *   table (writer thread)  takes what was found: new partitions start at the offset in the store,
 *                          or at the log's start; topics that are gone are forgotten
 *
 * A stored offset that the log has dropped means lost records: that partition is held (not read)
 * with a reason, unless accept_gap.
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
    int64_t low; /* -1: not known (asked for only when the caller needs it) */
    int64_t high;
};

struct sink_found_topic {
    char name[WH_TOPIC_MAX];
    char connection[65];     /* empty: a shared topic */
    enum wh_topic_role role; /* connections, runs, health or entities */
    int32_t partitions;
    struct wh_counter *consumed; /* may be NULL */
};

struct sink_found {
    struct sink_found_topic *topics;
    size_t n_topics;
    struct sink_found_partition *partitions;
    size_t n_partitions;
};

/* Gives found (sink_found_free). Stops early with WH_E_CANCELED when *stop becomes true. */
WH_MUST_CHECK enum wh_rc sink_scout(struct wh_admin *admin, const char *prefix,
                                    const atomic_bool *stop, struct sink_found **ret,
                                    struct wh_err *err);
void sink_found_free(struct sink_found *found);

/* ---- table ---- */

struct sink_partition {
    int32_t partition;
    int64_t next;    /* durable: the next offset to read */
    int64_t flying;  /* the same, with the batch that is being written */
    int64_t pending; /* and with the batch in hand */
    int64_t first;   /* the log's start when found */
    int64_t high;    /* the log's end as last heard */
    int64_t target;  /* end at the process' start; -1 for partitions found later */
    bool held;
};

struct sink_topic {
    char name[WH_TOPIC_MAX];
    char connection[65]; /* empty: a shared topic */
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
    bool known; /* at least one find was taken */
    char held_reason[WH_ERR_MSG_MAX];
    char purging[65]; /* the connection whose topics are passed over for now; "" for none */
    /* The last lookup: records come in partition order. */
    const char *last_name;
    struct sink_topic *last_topic;
};

void sink_table_init(struct sink_table *t, struct wh_store *store, struct wh_log *log,
                     bool accept_gap);
void sink_table_done(struct sink_table *t);

/*
 * Takes over what was found; found stays the caller's. relocate: positions may be out of the log's
 * range, check them too. *ret_changed: the assignment has to be renewed. gone (may be NULL) is told
 * of each topic that is not there any more, before it is dropped.
 */
WH_MUST_CHECK enum wh_rc sink_table_take(struct sink_table *t, const struct sink_found *found,
                                         bool relocate, bool *ret_changed,
                                         enum wh_rc (*gone)(void *ctx, const char *topic,
                                                            struct wh_err *err),
                                         void *ctx, struct wh_err *err);
/* Forgets a topic as if it were gone; renew the assignment afterwards. */
void sink_table_drop(struct sink_table *t, const char *topic);
WH_MUST_CHECK enum wh_rc sink_table_assign(const struct sink_table *t, struct wh_consumer *c,
                                           struct wh_err *err);
/* NULL: not ours. */
struct sink_partition *sink_table_find(struct sink_table *t, const char *topic, int32_t partition,
                                       struct sink_topic **ret_topic);
/* Stops reading it; the reason is kept for readiness. */
void sink_table_hold(struct sink_table *t, const struct sink_topic *topic, struct sink_partition *p,
                     const char *why);
/* All that was there at the start is durable. */
bool sink_table_caught_up(const struct sink_table *t);
int64_t sink_topic_lag(const struct sink_topic *topic);

#endif
