/*
 * sink.h - the core of the sink: reads all entities topics and the connections topic, keeps the
 * store, knows how fresh it is.
 *
 *   loop thread          writer thread (the only one that writes the store)
 *   -----------          -------------------------------------------------
 *   every discover_ms:   poll -> decode -> apply -> one batch with records and offsets -> write
 *   list topics and      assigns what the scout found; pauses on a full disk; sets damaged
 *   ends (pool thread) ->  records aside (acknowledged before the offset counts)
 *
 * The truth about positions is in the store, in the same batch as the records. Kafka's committed
 * offsets are not used.
 *
 * Thread: app, unless said. Ownership: deps are kept (must outlive the sink) and not used by anyone
 * else between sink_new and sink_free, but the store, which readers share.
 */
#ifndef WH_SINK_SINK_H
#define WH_SINK_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/time.h"
#include "common/bus/bus.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/metrics/metrics.h"
#include "common/store/store.h"
#include "stages/sink/ingest/settings.h"
#include "stages/sink/status/status.h"

struct sink;

struct sink_deps {
    struct wh_store *store;
    struct wh_consumer *consumer; /* no group */
    struct wh_admin *admin;
    struct wh_producer *dead_letters;
    struct wh_loop *loop;
    struct wh_clock clock;
    struct wh_log *log;
    struct wh_metrics *metrics;
    void (*on_fatal)(void *ctx, const struct wh_err *err); /* once, in the loop's thread */
    void (*on_caught_up)(void *ctx); /* optional; once, all that was there at the start is stored */
    void *ctx;
};

/* Reads the positions, starts the writer. WH_E_CORRUPT when the store is of another format. */
WH_MUST_CHECK enum wh_rc sink_new(const struct sink_deps *deps, const struct sink_conf *conf,
                                  struct sink **ret, struct wh_err *err);
/* The batch in hand is written, then on_stopped is called in the loop's thread. */
void sink_stop(struct sink *s, void (*on_stopped)(void *ctx), void *ctx);
/* Stopped, or never started anything. */
void sink_free(struct sink *s);

/* NULL when ready; else a sentence, valid until the next call. */
const char *sink_not_ready(struct sink *s);
/* Sets the gauges, before /metrics is rendered. */
void sink_collect(struct sink *s);

/* ---- for the query side; Thread: any ---- */

void sink_status_get(struct sink *s, struct sink_status *ret);
/* Fills up to max, gives the number of topics there are. */
size_t sink_topics_get(struct sink *s, struct sink_topic_status *out, size_t max);
/* Last durable sequence of the changes log; cheap. */
uint64_t sink_sequence(const struct sink *s);

const char *sink_state_name(enum sink_state state); /* "starting", "running", "paused", "stopped" */

#endif
