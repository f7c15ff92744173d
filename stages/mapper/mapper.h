/*
 * mapper.h - the stage's core: raw topics in, entities, dead letters and rereads out.
 *
 *   poll -> decode -> map -> produce -> (acknowledged) -> commit
 *
 * The committed offset of a partition moves past an event only when the broker has acknowledged every
 * record of the event; for a failed event that is its dead letter. The caller passes all interfaces in.
 *
 * Thread: app.
 */
#ifndef WH_MAPPER_MAPPER_H
#define WH_MAPPER_MAPPER_H

#include "common/base/time.h"
#include "common/bus/bus.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/metrics/metrics.h"
#include "stages/mapper/view/view.h"

struct mapper;

struct mapper_conf {
    const char *topic_prefix;
    size_t in_flight_max;   /* events per partition that wait for acknowledgement */
    size_t in_flight_bytes; /* of all records that wait; one event of any size always may */
    size_t max_event_bytes; /* of a payload */
    size_t max_event_depth;
    size_t max_record_bytes; /* of what is produced */
    int64_t commit_interval_ms;
    int64_t flush_ms; /* longest wait for acknowledgements when partitions go or at the end */
    size_t breaker_window;
    size_t breaker_min;
    size_t breaker_share;          /* percent */
    int64_t breaker_exit_after_ms; /* 0: stay stopped */
    int64_t schema_wait_ms;        /* how long an unknown schema id is waited for before the end */
    /*
     * A replay: one connection's raw events (or its dead letters) once more, up to the given ends
     * (one past the last offset, kept), then drained by itself. Empty: the live pipeline.
     */
    const char *replay_connection;
    bool replay_dead_letters;
    const struct wh_bus_partition *ends;
    size_t n_ends;
};

struct mapper_deps {
    const struct mapper_views *views;
    struct wh_loop *loop; /* NULL: the owner calls mapper_turn and mapper_tick */
    struct wh_clock clock;
    struct wh_log *log;
    struct wh_metrics *metrics;
    void (*on_fatal)(void *ctx, const struct wh_err *err);
    void (*on_drained)(void *ctx);
    void *ctx;
};

void mapper_conf_init(struct mapper_conf *conf);
WH_MUST_CHECK enum wh_rc mapper_new(const struct mapper_deps *deps, const struct mapper_conf *conf,
                                    struct mapper **ret, struct wh_err *err);
/* For the consumer's configuration. */
struct wh_bus_rebalance mapper_rebalance(struct mapper *m);
/* Subscribes and, with a loop, starts. Both are borrowed and freed before the mapper: consumer,
 * then producer. */
WH_MUST_CHECK enum wh_rc mapper_start(struct mapper *m, struct wh_consumer *consumer,
                                      struct wh_producer *producer, struct wh_err *err);
/* Works for a few milliseconds; true when there is more to do at once. */
bool mapper_turn(struct mapper *m);
/* What is done every so often: commits, trailing rereads, retries. */
void mapper_tick(struct mapper *m);
/* Takes no more input; on_drained is called when all is acknowledged and committed. */
void mapper_drain(struct mapper *m);
/* NULL when ready. */
const char *mapper_not_ready(struct mapper *m);
void mapper_free(struct mapper *m);

#endif
