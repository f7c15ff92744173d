/* The input partitions: assignment, revocation and commits. */
#include <stdio.h>

#include "common/base/mem.h"
#include "stages/mapper/mapper_priv.h"

enum { WARM_MS = 500 };

/* ---- one partition ---- */

void part_free(struct mapper *m, struct part *part)
{
    struct part **at = &m->parts;

    while (*at && *at != part) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = part->next;
    }
    if (m->last == part) {
        m->last = NULL;
    }
    streams_leave(&m->streams, part->streams);
    wh_acktrack_free(part->track);
    wh_mem_free(part);
}

enum wh_topic_role mapper_input(const struct mapper *m)
{
    return m->conf.replay_dead_letters ? WH_TOPIC_DEAD_LETTER : WH_TOPIC_RAW;
}

static enum wh_rc part_new(struct mapper *m, const struct wh_bus_msg *msg, struct part **ret,
                           struct wh_err *err)
{
    struct part *part = wh_mem_zalloc(1, sizeof(*part));
    char label[WH_TOPIC_MAX + 16];

    if (part == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a partition");
    }
    part->partition = msg->partition;
    part->committed = msg->offset;
    part->held_from = -1;
    part->track = wh_acktrack_new(m->conf.in_flight_max, msg->offset);
    (void)snprintf(part->topic, sizeof(part->topic), "%s", msg->topic);
    if (part->track == NULL ||
        !wh_topic_connection(m->conf.topic_prefix, mapper_input(m), part->topic,
                             &part->connection) ||
        wh_topic_name(m->conf.topic_prefix, WH_TOPIC_ENTITIES, part->connection, part->entities,
                      err) != WH_OK ||
        wh_topic_name(m->conf.topic_prefix, WH_TOPIC_DEAD_LETTER, part->connection,
                      part->dead_letters, err) != WH_OK) {
        wh_acktrack_free(part->track);
        wh_mem_free(part);
        return wh_fail(err, WH_E_INTERNAL, "%s is not an input topic", msg->topic);
    }
    part->streams = streams_use(&m->streams, part->connection);
    if (part->streams == NULL) {
        wh_acktrack_free(part->track);
        wh_mem_free(part);
        return wh_fail(err, WH_E_NOMEM, "no memory for the streams of a connection");
    }
    (void)snprintf(label, sizeof(label), "topic=\"%s\"", part->topic);
    if (m->deps.metrics) {
        part->consumed = wh_metrics_counter(m->deps.metrics, "wellhead_records_consumed_total",
                                            label, "records read, by topic");
    }
    part->next = m->parts;
    m->parts = part;
    *ret = part;
    return WH_OK;
}

static bool part_is(const struct part *p, const char *topic, int32_t partition)
{
    return !p->revoked && p->partition == partition && strcmp(p->topic, topic) == 0;
}

struct part *part_find(const struct mapper *m, const char *topic, int32_t partition)
{
    for (struct part *p = m->parts; p; p = p->next) {
        if (part_is(p, topic, partition)) {
            return p;
        }
    }
    return NULL;
}

enum wh_rc part_of(struct mapper *m, const struct wh_bus_msg *msg, struct part **ret,
                   struct wh_err *err)
{
    if (m->last == NULL || !part_is(m->last, msg->topic, msg->partition)) {
        m->last = part_find(m, msg->topic, msg->partition);
    }
    if (m->last == NULL) {
        enum wh_rc rc = part_new(m, msg, &m->last, err);

        if (rc != WH_OK) {
            return rc;
        }
    }
    *ret = m->last;
    return WH_OK;
}

/* ---- commits ---- */

int64_t part_position(const struct part *p)
{
    int64_t position = wh_acktrack_position(p->track);

    return p->held_from >= 0 && position > p->held_from ? p->held_from : position;
}

static void commit_one(struct mapper *m, struct part *p, bool wait)
{
    struct wh_bus_partition at = {.topic = p->topic, .partition = p->partition};
    struct wh_err err;

    at.offset = part_position(p);
    if (at.offset <= p->committed) {
        return;
    }
    if (wh_consumer_commit(m->consumer, &at, 1, wait, &err) != WH_OK) {
        wh_log_warn(m->deps.log, "offsets not committed", WH_STR("topic", p->topic),
                    WH_I("partition", p->partition), WH_RC(&err));
        return;
    }
    p->committed = at.offset;
}

void parts_commit(struct mapper *m, bool wait)
{
    for (struct part *p = m->parts; p && m->consumer; p = p->next) {
        if (!p->revoked) {
            commit_one(m, p, wait);
        }
    }
}

/* ---- rebalances ---- */

static void on_revoke(void *ctx, const struct wh_bus_partition *parts, size_t n, bool lost)
{
    struct mapper *m = ctx;
    struct wh_err err;

    if (!lost && m->producer && !m->dead &&
        wh_producer_flush(m->producer, (int)m->conf.flush_ms, &err) != WH_OK) {
        wh_log_warn(m->deps.log, "partitions revoked before all records were acknowledged",
                    WH_RC(&err));
    }
    for (size_t i = 0; i < n; i++) {
        struct part *p = part_find(m, parts[i].topic, parts[i].partition);

        if (p == NULL) {
            continue;
        }
        if (!lost && m->consumer) {
            commit_one(m, p, true);
        }
        p->revoked = true;
        if (wh_acktrack_in_flight(p->track) == 0) {
            part_free(m, p);
        }
    }
    wh_log_info(m->deps.log, "partitions revoked", WH_I("partitions", n), WH_B("lost", lost));
}

/* A producer's first record to an unknown topic is delayed by up to a second. */
static void warm_outputs(struct mapper *m, const struct wh_bus_partition *parts, size_t n)
{
    struct wh_err err;

    for (size_t i = 0; i < n && m->producer && !m->dead; i++) {
        char entities[WH_TOPIC_MAX];
        struct wh_slice connection;

        if ((i && strcmp(parts[i].topic, parts[i - 1].topic) == 0) ||
            !wh_topic_connection(m->conf.topic_prefix, mapper_input(m), parts[i].topic,
                                 &connection) ||
            wh_topic_name(m->conf.topic_prefix, WH_TOPIC_ENTITIES, connection, entities, &err) !=
                WH_OK) {
            continue;
        }
        if (wh_producer_warm(m->producer, entities, WARM_MS, &err) != WH_OK) {
            wh_log_debug(m->deps.log, "topic metadata not available yet", WH_RC(&err));
            return;
        }
    }
}

static void on_assign(void *ctx, const struct wh_bus_partition *parts, size_t n)
{
    struct mapper *m = ctx;

    warm_outputs(m, parts, n);
    streams_retry(&m->streams);
    m->rejoin_until_ms = 0;
    sent_clear(m->sent);
    wh_log_info(m->deps.log, "partitions assigned", WH_I("partitions", n));
}

struct wh_bus_rebalance mapper_rebalance(struct mapper *m)
{
    return (struct wh_bus_rebalance){.on_assign = on_assign, .on_revoke = on_revoke, .ctx = m};
}
