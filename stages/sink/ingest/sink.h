/*
 * sink.h - the part of the sink that reads Kafka: it consumes all entities topics and the shared
 * topics (connections, runs, health), writes the store, and measures lag and freshness.
 *
 *   loop thread          writer thread (the only one that writes the store)
 *   -----------          -------------------------------------------------
 *   every discover_ms:   poll -> decode -> apply -> one batch with records and offsets -> write
 *   list topics and      assigns the partitions that the scout found; pauses on a full disk;
 *   ends (pool thread) ->  sends damaged records to the dead letter topic, and stores an offset
 *                          only after their acknowledgement
 *
 * The next offset of each partition is stored in the batch of the records before it. Kafka's
 * committed offsets are not used.
 *
 * Thread: the loop's, unless a function says otherwise. Ownership: the dependencies are kept and
 * must outlive the sink. Nobody else uses them between sink_new and sink_free, except that readers
 * share the store.
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
    void (*on_fatal)(void *ctx, const struct wh_err *err); /* called once, in the loop's thread */
    void (*on_caught_up)(void *ctx); /* optional; once, when the backlog of the start is stored */
    /* Optional. A batch is stored, with changes up to this sequence. In the writer's thread; must not wait. */
    void (*on_stored)(void *ctx, uint64_t sequence);
    void *ctx;
};

/* Starts the writer at the stored offsets. WH_E_CORRUPT when the store has another format. */
WH_MUST_CHECK enum wh_rc sink_new(const struct sink_deps *deps, const struct sink_conf *conf,
                                  struct sink **ret, struct wh_err *err);
/* Finishes the current batch, then calls on_stopped in the loop's thread. */
void sink_stop(struct sink *s, void (*on_stopped)(void *ctx), void *ctx);
/*
 * After on_stopped, or earlier, when a stop takes too long; on_stopped is then not called. Waits for the
 * listing of topics that is at work in the pool, and turns the loop meanwhile. Accepts NULL.
 */
void sink_free(struct sink *s);

/* Returns NULL when the sink is ready, else a sentence that stays valid until the next call. */
const char *sink_not_ready(struct sink *s);
/* Updates the gauges; call it before /metrics is rendered. */
void sink_collect(struct sink *s);

/* ---- for the query side; Thread: any ---- */

void sink_status_get(struct sink *s, struct sink_status *ret);
/* Fills in at most `max` entries and returns the number of topics, which may be larger. */
size_t sink_topics_get(struct sink *s, struct sink_topic_status *out, size_t max);
/* The number of the last durable entry of the changes log. Cheap. */
uint64_t sink_sequence(const struct sink *s);

const char *sink_state_name(enum sink_state state); /* "starting", "running", "paused", "stopped" */

#endif
