/*
 * writer_priv.h - the writer's state, for the files that work on it: writer.c, documents.c and
 * dead_letters.c.
 */
#ifndef WH_SINK_WRITER_PRIV_H
#define WH_SINK_WRITER_PRIV_H

#include "stages/sink/ingest/committer.h"
#include "stages/sink/ingest/outcomes.h"
#include "stages/sink/ingest/purge.h"
#include "stages/sink/ingest/writer.h"

enum sink_phase { SINK_IDLE, SINK_BUILDING, SINK_SEALED };

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
    struct sink_apply *apply; /* of the current batch */
    int64_t begun_ms;         /* when the store was begun */
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
    size_t from; /* the current batch is msgs[from, to) */
    size_t to;
    size_t limit;      /* the batch ends here: the record at this index needs a batch of its own */
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
    bool aside_done;       /* the dead letters of this batch are acknowledged */
    bool reassign;         /* the assignment has changed: a partition was held or a topic dropped */
    bool purge_marked;     /* the current batch makes a purge due */
    bool parents_due;      /* children of parents that went or came back are to be looked at */
    uint64_t parents_seen; /* sink_parents_events, when that was last true */
    unsigned relocate; /* listings to wait for after a lost position; the first may be outdated */
};

/* ---- documents.c ---- */

/* Adds a record of a shared topic to the current batch. */
WH_MUST_CHECK enum wh_rc sink_keep_document(struct sink_writer *w, enum wh_topic_role role,
                                            const struct wh_bus_msg *msg, struct wh_err *err);
/* Publishes what the newest runs changed, at most twice a second and only when the backlog of the
 * start is stored. */
void sink_publish_outcomes(struct sink_writer *w);

/* ---- dead_letters.c ---- */

/* Sends the damaged records of the batch to their dead letter topics; WH_OK when all of them are
 * acknowledged. */
void sink_letters_init(struct sink_letters *letters);
WH_MUST_CHECK enum wh_rc sink_set_aside(struct sink_writer *w, struct wh_err *err);

/* ---- set_aside.c ---- */

/* Stores the values of the raw event that the mapper could not convert. The same value again changes
 * nothing. */
WH_MUST_CHECK enum wh_rc sink_keep_set_aside(struct sink_writer *w, const char *connection,
                                             const struct wh_observation *o, struct wh_err *err);

#endif
