/*
 * writer.h - the writer: polls records, turns them into batches, writes them. One turn at a time,
 * so that a test can drive it without a thread.
 *
 *   IDLE      nothing in hand: poll
 *   BUILDING  records of the last poll wait
 *   SEALED    a batch is ready: dead letters first, then the store; again after a pause when the
 *             disk is full or a dead letter is not taken
 *
 * A large batch flies: it is written by the committer while the next one is polled and built over
 * it. It lands before the next one is written, before anything else touches the store, and when
 * there is nothing to poll. Small batches, as they come live, are written at once.
 *
 * Thread: the writer; what it publishes goes through the callbacks of struct sink_writer_deps.
 */
#ifndef WH_SINK_WRITER_H
#define WH_SINK_WRITER_H

#include "stages/sink/ingest/settings.h"
#include "stages/sink/ingest/topics.h"

/* One applied observation, for freshness. */
struct sink_sample {
    unsigned char kind;
    unsigned char origin;
    int64_t observed_at_ms;
    int64_t version_at_ms; /* GitLab's own time of it; 0: none */
};

/* What a committed batch was. */
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

struct sink_writer_deps {
    struct wh_store *store;
    struct wh_consumer *consumer;
    struct wh_producer *dead_letters;
    struct wh_clock clock;
    struct wh_log *log;
    void (*on_commit)(void *ctx, const struct sink_commit *commit);
    /* why NULL: running again. */
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

/* Only when idle. WH_E_NO_SPACE: try again later. */
WH_MUST_CHECK enum wh_rc sink_writer_found(struct sink_writer *w, const struct sink_found *found,
                                           struct wh_err *err);
/*
 * One step; waits for records at most timeout_ms. *ret_wait_ms: not to be called again before that
 * (0: at once). An error ends the process.
 */
WH_MUST_CHECK enum wh_rc sink_writer_turn(struct sink_writer *w, int timeout_ms,
                                          int64_t *ret_wait_ms, struct wh_err *err);
/* A place was lost: nothing is read until the topics were found twice more. */
bool sink_writer_wants_scout(const struct sink_writer *w);

/* Between two batches, so that what the scout found can be taken over. */
bool sink_writer_idle(const struct sink_writer *w);
/* Did the last poll bring records? */
bool sink_writer_busy(const struct sink_writer *w);
/* The topics and how far they are read; valid until the next turn. */
const struct sink_table *sink_writer_table(const struct sink_writer *w);
/* What is durable: counts of WH_KIND_COUNT kinds, and the number of the last change. */
const struct sink_kind_counts *sink_writer_counts(const struct sink_writer *w);
uint64_t sink_writer_sequence(const struct sink_writer *w);

#endif
