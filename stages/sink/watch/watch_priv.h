/*
 * watch_priv.h - what the files of this room share. A look fills the evidence; everything that it allocates
 * lives in the arena until the next look begins.
 */
#ifndef WH_SINK_WATCH_PRIV_H
#define WH_SINK_WATCH_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/base/arena.h"
#include "common/event/topics.h"
#include "common/json/json_doc.h"
#include "common/judge/judge.h"
#include "common/judge/lag.h"
#include "stages/sink/watch/watch.h"

enum {
    WATCH_PROCESSES_MAX = 64,
    WATCH_CONNECTIONS_MAX = 256,
    WATCH_FLOWS_MAX = 1024,
    WATCH_PARTITIONS_MAX = 4096,
    WATCH_LETTERS_MAX = 256,
    WATCH_COUNTS_MAX = 1024,
    WATCH_NAME_MAX = 256,
    WATCH_TIMEOUT_MS = 5000,
};

/* When the newest heartbeat of a process was found. */
struct watch_sign {
    char key[WATCH_NAME_MAX]; /* "<stage>:<process>" */
    int64_t at_ms;            /* of the heartbeat */
    int64_t seen_ms;          /* 0: it is from before the watch */
};

/* Where a reader of a topic stood, and since when. */
struct watch_stand {
    char key[WH_BUS_TOPIC_MAX + WATCH_NAME_MAX + 2];
    int64_t position; /* sum over the partitions */
    int64_t advanced_ms;
};

/* GitLab's numbers of one kind of a connection, over its projects. */
struct watch_count {
    char connection[72];
    char kind[32];
    int64_t numbers;
    int64_t have;
    int64_t missing;
};

struct watch_letters;
struct watch_stored;
struct watch_gauge;

struct sink_watch {
    struct sink_watch_deps deps;
    struct wh_timer *timer;
    bool looking;
    atomic_bool stop;

    /* Of the look: the pool's thread until its done callback. */
    struct wh_arena arena;
    struct wh_json_parser *json; /* texts of parsed documents are copied into the arena */
    struct wh_bus_topic_info *topics;
    size_t n_topics;
    struct watch_sign signs[WATCH_PROCESSES_MAX];
    size_t n_signs;
    struct watch_stand *stands; /* WATCH_FLOWS_MAX */
    size_t n_stands;
    struct watch_letters *letters;
    struct watch_stored *stored;
    int64_t since_ms;
    int64_t looked_ms;
    int64_t committed; /* sum of the offsets that were committed last */
    struct wh_seen_process *processes;
    struct wh_seen_flow *flows;
    struct wh_evidence evidence;
    struct wh_lag *lags; /* by partition: of shared groups and of this sink, then of other sinks */
    size_t n_lags;
    size_t n_own_lags; /* without those of other sinks */
    struct wh_findings findings;
    int64_t success_ms[WATCH_CONNECTIONS_MAX]; /* of each connection of the evidence; 0: none */
    struct watch_count *counts;                /* WATCH_COUNTS_MAX; counted once in a while */
    size_t n_counts;
    int64_t counted_ms;

    pthread_mutex_t lock; /* protects told and told_ms */
    struct wh_buf told;
    int64_t told_ms;

    struct wh_gauge *verdict;
    struct watch_gauge *gauges;
    size_t n_gauges;
    size_t cap_gauges;
    size_t at_gauge;
    unsigned look;
};

/* ---- seen.c: what the store says ---- */

WH_MUST_CHECK enum wh_rc watch_processes(struct sink_watch *w, struct wh_err *err);
WH_MUST_CHECK enum wh_rc watch_connections(struct sink_watch *w, struct wh_err *err);

/* The last success of each connection, and GitLab's numbers. */
WH_MUST_CHECK enum wh_rc watch_progress(struct sink_watch *w, struct wh_err *err);

/* ---- stored.c ---- */

struct watch_stored *watch_stored_new(void);
void watch_stored_free(struct watch_stored *s);
/* Counts the next part of the store. */
WH_MUST_CHECK enum wh_rc watch_stored_count(struct sink_watch *w, struct wh_err *err);

/* ---- flows.c: what Kafka says ---- */

/* Commits the sink's own offsets, and fills the lags and flows of all readers. */
WH_MUST_CHECK enum wh_rc watch_flows(struct sink_watch *w, struct wh_err *err);

/* ---- letters.c: dead letters after the last replay ---- */

struct watch_letters *watch_letters_new(void);
void watch_letters_free(struct watch_letters *l);
WH_MUST_CHECK enum wh_rc watch_letters_count(struct sink_watch *w, struct wh_err *err);

/* ---- tell.c ---- */

/* Writes the evidence and the findings. */
WH_MUST_CHECK enum wh_rc watch_write(const struct sink_watch *w, struct wh_buf *out,
                                     struct wh_err *err);

/* ---- measure.c ---- */

/* In the loop's thread, after a look. */
void watch_set_metrics(struct sink_watch *w);

#endif
