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
#include "common/event/kind.h"
#include "common/event/version.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/metrics/metrics.h"
#include "common/store/store.h"

struct sink;

struct sink_conf {
    const char *topic_prefix;
    size_t batch_records; /* most records of one batch */
    size_t batch_bytes;   /* most bytes of one batch, about */
    bool sync;            /* durable before the next batch */
    int64_t discover_ms;  /* how often topics and ends are asked for */
    int64_t retry_ms; /* first pause after a full disk or a refused dead letter; doubles to 16x */
    bool rebuild;     /* damaged records were set aside before: only counted */
    bool accept_gap;  /* go on at the log's start when the stored offset is gone */
};

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

void sink_conf_init(struct sink_conf *conf);
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

enum sink_state {
    SINK_STARTING, /* topics not known yet */
    SINK_RUNNING,
    SINK_PAUSED, /* disk full, or a dead letter cannot be set aside: reading goes on */
    SINK_STOPPED,
};

struct sink_kind_counts {
    uint64_t entities; /* deleted ones included */
    uint64_t deleted;
    uint64_t revisions;
};

/* How old records were when they became durable in the store. */
struct sink_freshness {
    uint64_t count;
    double p50_s;
    double p99_s;
};

/* Webhooks of one kind: since receipt at our door, and since GitLab's own time of the event (which
 * webhooks cut to the second). */
struct sink_live {
    struct sink_freshness receipt_hour;
    struct sink_freshness receipt_day;
    struct sink_freshness event_hour;
    struct sink_freshness event_day;
};

struct sink_status {
    enum sink_state state;
    char reason[WH_ERR_MSG_MAX]; /* why it is not ready; empty when it is */
    int64_t started_at_ms;
    int64_t last_write_ms; /* 0: none yet */
    uint64_t sequence;     /* last durable change */
    uint64_t observations; /* applied since start */
    uint64_t duplicates;   /* of these */
    uint64_t dead_letters; /* set aside since start */
    bool caught_up;        /* all that was there at the start is stored */
    int64_t lag_records;   /* over all topics; -1 while not known */
    struct sink_kind_counts kinds[WH_KIND_COUNT];
    struct sink_freshness freshness[WH_ORIGIN_COUNT]; /* since receipt, last hour */
    struct sink_live live[WH_KIND_COUNT];
};

struct sink_topic_status {
    char topic[WH_BUS_TOPIC_MAX + 1];
    char connection[65]; /* empty for the connections topic */
    int32_t partitions;
    int64_t stored_records; /* sum of next offsets minus the logs' starts */
    int64_t lag_records;    /* -1 while not known */
    double lag_seconds;     /* 0 when there is no lag: age of the newest stored record, else */
    int64_t last_record_ms; /* Kafka time of the newest stored record; 0: none since start */
    bool held;              /* a partition is stopped; status.reason says why */
};

void sink_status_get(struct sink *s, struct sink_status *ret);
/* Fills up to max, gives the number of topics there are. */
size_t sink_topics_get(struct sink *s, struct sink_topic_status *out, size_t max);
/* Last durable sequence of the changes log; cheap. */
uint64_t sink_sequence(const struct sink *s);

const char *sink_state_name(enum sink_state state); /* "starting", "running", "paused", "stopped" */

#endif
