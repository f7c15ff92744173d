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

#include "stages/sink/ingest/outcomes.h"
#include "stages/sink/ingest/purge.h"
#include "stages/sink/ingest/committer.h"
#include "stages/sink/ingest/topics.h"

enum sink_phase { SINK_IDLE, SINK_BUILDING, SINK_SEALED };

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

/* The batch that is being written. */
struct sink_flight {
    struct sink_apply *batch; /* NULL: none */
    struct sink_commit commit;
    struct sink_sample *samples; /* buffer, the other one is the writer's */
};

struct sink_writer {
    struct sink_writer_deps deps;
    struct sink_conf conf;
    struct sink_apply *applies[2];
    struct sink_apply *apply; /* of the batch in hand */
    struct sink_committer *committer;
    struct sink_flight flight;
    struct sink_purge *purge;
    struct sink_table table;
    struct sink_letters letters;
    struct sink_outcomes *outcomes;
    int64_t publish_at_ns;
    struct wh_json_parser *json;
    enum sink_phase phase;
    struct wh_bus_msg *msgs; /* of the last poll */
    size_t n_msgs;
    size_t from; /* the batch in hand is msgs[from, to) */
    size_t to;
    size_t limit;      /* a batch may not go past it: what lies there needs a batch of its own */
    size_t *set_aside; /* indexes of damaged records in the batch */
    enum wh_rc *set_aside_rc;
    size_t n_set_aside;
    size_t poison; /* index that is known to be damaged; SIZE_MAX none */
    enum wh_rc poison_rc;
    struct sink_sample *samples;
    size_t n_samples;
    uint64_t observations;
    uint64_t duplicates;
    struct wh_buf scratch;
    bool paused;
    int64_t pause_ms;
    int64_t retry_at_ns;
    bool aside_done;   /* the damaged records of this batch are acknowledged */
    bool reassign;     /* a partition was held, a topic forgotten */
    bool purge_marked; /* the batch in hand makes a purge due */
    unsigned relocate; /* the consumer lost its place: finds to wait for, the first may be old */
};

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

/* ---- documents.c ---- */

/* A record of a shared topic into the batch. */
WH_MUST_CHECK enum wh_rc sink_keep_document(struct sink_writer *w, enum wh_topic_role role,
                                            const struct wh_bus_msg *msg, struct wh_err *err);
/* Tells what runs changed, at most twice a second and only when all that was there is stored. */
void sink_publish_outcomes(struct sink_writer *w);

/* ---- dead_letters.c ---- */

/* Sends the damaged records of the batch to their dead letter topics; WH_OK when all of them are
 * acknowledged. */
void sink_letters_init(struct sink_letters *letters);
WH_MUST_CHECK enum wh_rc sink_set_aside(struct sink_writer *w, struct wh_err *err);

#endif
