/*
 * watch.h - the sink looks at the whole pipeline every interval: heartbeats and connections as the store has
 * them, the lag of every group by Kafka's own offsets, and dead letters that nobody has replayed. What it finds
 * is judged (common/judge) and kept as JSON for the API and as gauges for /metrics.
 *
 * It also commits the sink's own offsets to its group, once they are durable, so that others can tell its lag;
 * the sink itself never reads them back.
 *
 * Each look is work on the loop's pool, one at a time; it never touches the writer. Thread: app, except
 * sink_watch_told.
 */
#ifndef WH_SINK_WATCH_H
#define WH_SINK_WATCH_H

#include "common/base/time.h"
#include "common/bus/bus.h"
#include "common/json/json_write.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/metrics/metrics.h"
#include "common/store/store.h"

struct sink_watch;

/* All are kept and must outlive the watch. */
struct sink_watch_deps {
    struct wh_store *store;
    struct wh_admin *admin; /* nobody else's */
    /* A consumer without a group that reports ends, when there are dead letters to look at. */
    enum wh_rc (*make_consumer)(void *ctx, struct wh_consumer **ret, struct wh_err *err);
    void *ctx;
    struct wh_loop *loop;
    struct wh_clock clock;
    struct wh_log *log;
    struct wh_metrics *metrics;
    const char *topic_prefix;
    const char *process; /* this sink, as its heartbeats name it */
    const char *group;   /* where its offsets are committed */
    int64_t interval_ms;
    int stored_rows; /* rows of the store that a look counts */
};

/* Looks for the first time in the loop's next turn. */
WH_MUST_CHECK enum wh_rc sink_watch_new(const struct sink_watch_deps *deps, struct sink_watch **ret,
                                        struct wh_err *err);
/* Looks no more; a look that is under way ends at its next question to Kafka. */
void sink_watch_stop(struct sink_watch *w);
/* Waits for a look that is under way. Accepts NULL. */
void sink_watch_free(struct sink_watch *w);

/*
 * Writes an object: what the newest look found (wh_findings_write), "watched_at", "processes", "flows" and
 * "unreplayed". Before the first look, and when the newest is too old, the verdict is unknown and the rest is
 * left out. Thread: any.
 */
void sink_watch_told(struct sink_watch *w, struct wh_json_writer *out);
/*
 * How many rows of a source kind ("issue") of one GitLab are stored, without what is deleted, as counted last; *ret_at_ms:
 * when. -1: not counted yet. Thread: any.
 */
int64_t sink_watch_stored(struct sink_watch *w, struct wh_slice instance, struct wh_slice kind,
                          int64_t *ret_at_ms);

#endif
