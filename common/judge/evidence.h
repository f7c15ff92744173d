/*
 * evidence.h - what an observer of the pipeline has seen at one moment: types alone. An observer is whoever
 * reads the topic `health`, Kafka's offsets and the topic `connections`: the sink, for all others.
 *
 * Times are of the observer's clock unless a comment says otherwise; 0 means never, and -1 in a count
 * means that it is not known. Texts are borrowed.
 */
#ifndef WH_JUDGE_EVIDENCE_H
#define WH_JUDGE_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/slice.h"
#include "common/event/heartbeat.h"
#include "common/event/streams.h"

/* One process of a stage, by its heartbeats. */
struct wh_seen_process {
    struct wh_heartbeat beat; /* the last one; its times are of the clock of the process */
    int64_t seen_ms;          /* when it arrived; 0: before this observer began */
};

/* One topic on its way to one reader. */
struct wh_seen_flow {
    struct wh_slice topic;
    struct wh_slice connection; /* empty: a topic that all share */
    struct wh_slice stage;      /* the stage that reads it */
    struct wh_slice process; /* the reader, if each process reads all; empty: a group shares it */
    int64_t lag_records;     /* -1: not known */
    int64_t lag_ms;          /* age of the oldest record that waits; 0: none waits; -1: not known */
    int64_t advanced_ms;     /* when the reader last moved on or had nothing to read */
    int64_t patience_ms;     /* how long it may stand still; 0: for ever */
};

struct wh_seen_connection {
    struct wh_slice id;
    struct wh_slice instance;
    struct wh_slice state;            /* as in the topic `connections` */
    struct wh_slice detail;           /* why, as text */
    const struct wh_streams *streams; /* what its fetchers report; NULL: nothing yet */
};

/* Dead letters that nobody has replayed. */
struct wh_seen_letters {
    struct wh_slice connection;
    struct wh_slice stage;
    struct wh_slice class_; /* "poison", "transient", "fatal"; empty: not known */
    int64_t count;
};

struct wh_evidence {
    int64_t now_ms;
    int64_t since_ms;            /* since when the observer has looked without a gap */
    struct wh_slice observer;    /* its own process, among the processes */
    struct wh_slice kafka_error; /* why Kafka could not be asked; empty: it answers */
    const struct wh_seen_process *processes;
    size_t n_processes;
    const struct wh_seen_flow *flows;
    size_t n_flows;
    const struct wh_seen_connection *connections;
    size_t n_connections;
    const struct wh_seen_letters *letters;
    size_t n_letters;
};

#endif
