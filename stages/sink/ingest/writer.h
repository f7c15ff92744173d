/*
 * writer.h - the writer: polls records, turns them into batches and writes them. It advances one
 * turn at a time, so that a test can drive it without a thread.
 *
 *   IDLE      no batch: the next turn polls
 *   BUILDING  records of the last poll wait to be applied
 *   SEALED    a batch is complete: its dead letters are sent first, then the store is written; both
 *             are retried after a pause when the disk is full or a dead letter is refused
 *
 * A large batch is written by the committer's thread ("in flight") while the next one is polled and
 * built on top of it. It must be durable ("landed") before the next batch is written, before
 * anything else changes the store, and when there is nothing to poll. Small batches, as they arrive
 * in live operation, are written at once.
 *
 * Thread: the writer's. It reports through the callbacks of struct sink_writer_deps.
 */
#ifndef WH_SINK_WRITER_H
#define WH_SINK_WRITER_H

#include "stages/sink/ingest/settings.h"
#include "stages/sink/ingest/topics.h"

/* One applied observation, as freshness measures it. */
struct sink_sample {
    unsigned char kind;
    unsigned char origin;
    int64_t observed_at_ms;
    int64_t version_at_ms; /* when it happened according to GitLab; 0: unknown */
};

/* A batch that is durable. */
struct sink_commit {
    size_t records;
    uint64_t observations;
    uint64_t duplicates;
    uint64_t dead_letters;
    int64_t now_ms;
    int64_t duration_ns; /* of the write */
    const struct sink_sample *samples;
    size_t n_samples;
};

struct sink_repairs;

struct sink_writer_deps {
    struct wh_store *store;
    struct wh_consumer *consumer;
    struct wh_producer *dead_letters;
    struct wh_clock clock;
    struct wh_log *log;
    const struct sink_repairs *repairs; /* counters; copied; may be NULL */
    void (*on_commit)(void *ctx, const struct sink_commit *commit);
    /* Writing is paused; why is NULL when it continues. */
    void (*on_pause)(void *ctx, const char *why);
    void *ctx;
};

/* Completes dead letters: how many of those sent last were refused, and why. */
struct sink_letters {
    struct wh_bus_ack ack; /* first: the records carry it */
    size_t failed;
    char reason[128];
};

struct sink_writer;

WH_MUST_CHECK enum wh_rc sink_writer_new(const struct sink_writer_deps *deps,
                                         const struct sink_conf *conf, struct sink_writer **ret,
                                         struct wh_err *err);
void sink_writer_free(struct sink_writer *w);

/* Takes over a listing of the topics. The writer must be idle. WH_E_NO_SPACE: try again later. */
WH_MUST_CHECK enum wh_rc sink_writer_found(struct sink_writer *w, const struct sink_found *found,
                                           struct wh_err *err);
/*
 * Does one step and waits at most timeout_ms for records. The caller must let *ret_wait_ms pass
 * before the next turn (0: none). Any error is fatal to the process.
 */
WH_MUST_CHECK enum wh_rc sink_writer_turn(struct sink_writer *w, int timeout_ms,
                                          int64_t *ret_wait_ms, struct wh_err *err);
/* A stored offset is not in the log: nothing is read until the topics were listed twice more. */
bool sink_writer_wants_scout(const struct sink_writer *w);

/* True between two batches, when sink_writer_found may be called. */
bool sink_writer_idle(const struct sink_writer *w);
/* True when the last poll returned records. */
bool sink_writer_busy(const struct sink_writer *w);
/* The topics and how far they are read; valid until the next turn. */
const struct sink_table *sink_writer_table(const struct sink_writer *w);
/* Of the durable batches: the counts of WH_KIND_COUNT kinds, the number of the last change. */
const struct sink_kind_counts *sink_writer_counts(const struct sink_writer *w);
uint64_t sink_writer_sequence(const struct sink_writer *w);

#endif
