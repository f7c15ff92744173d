/*
 * mapper.h - the stage's core: raw topics in, entities, dead letters and rereads out.
 *
 *   poll -> decode -> map -> produce -> (acknowledged) -> commit
 *
 * The committed offset of a partition moves past an event only when the broker has acknowledged every
 * record of the event; for a failed event that is its dead letter. A connection whose events cannot be
 * mapped is held, stream by stream, while all others go on (streams.h). The caller passes all
 * interfaces in.
 *
 * Thread: app.
 */
#ifndef WH_MAPPER_MAPPER_H
#define WH_MAPPER_MAPPER_H

#include "common/base/time.h"
#include "common/bus/bus.h"
#include "common/event/heartbeat.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/metrics/metrics.h"
#include "stages/mapper/streams.h"
#include "stages/mapper/foreign.h"
#include "stages/mapper/view/view.h"

struct mapper;

struct mapper_conf {
    const char *topic_prefix;
    size_t in_flight_max;   /* unacknowledged events per partition */
    size_t in_flight_bytes; /* unacknowledged bytes; a single event of any size is always allowed */
    size_t max_event_bytes; /* of a payload */
    size_t max_event_depth;
    size_t max_record_bytes; /* of a produced record */
    int64_t commit_interval_ms;
    int64_t flush_ms;    /* longest wait for acknowledgements on revocation and at the end */
    size_t remember_max; /* observations that are remembered (sent.h); 0: all are produced */
    size_t breaker_window;
    size_t breaker_min;
    size_t breaker_share;     /* percent */
    int64_t breaker_retry_ms; /* until a held stream is tried again (streams.h); 0: never */
    /*
     * Replays one connection's raw events (or its dead letters) up to the given ends (one past the last
     * offset; borrowed), then drains. Empty: the live pipeline.
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
    struct foreign *foreign; /* borrowed; NULL: events have our schemas only */
    void (*on_fatal)(void *ctx, const struct wh_err *err);
    void (*on_drained)(void *ctx);
    void *ctx;
};

void mapper_conf_init(struct mapper_conf *conf);
WH_MUST_CHECK enum wh_rc mapper_new(const struct mapper_deps *deps, const struct mapper_conf *conf,
                                    struct mapper **ret, struct wh_err *err);
/* For the consumer's configuration. */
struct wh_bus_rebalance mapper_rebalance(struct mapper *m);
/* Subscribes and, with a loop, starts. Consumer and producer are borrowed; the caller frees the
 * consumer, then the producer, then the mapper. */
WH_MUST_CHECK enum wh_rc mapper_start(struct mapper *m, struct wh_consumer *consumer,
                                      struct wh_producer *producer, struct wh_err *err);
/* Works for a few milliseconds; returns true when there is more work. */
bool mapper_turn(struct mapper *m);
/* Periodic work: commits, trailing rereads, retries. */
void mapper_tick(struct mapper *m);
/* Stops reading; calls on_drained when every record is acknowledged and every offset committed. */
void mapper_drain(struct mapper *m);
/* Returns why the stage is not ready; NULL when it is. */
const char *mapper_not_ready(struct mapper *m);
/* Adds the streams that are held; what h points to is the mapper's, until the next turn. */
void mapper_held(struct mapper *m, struct wh_heartbeat *h);
void mapper_free(struct mapper *m);

#endif
