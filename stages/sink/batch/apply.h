/*
 * apply.h - turns observations into one batch of changes of the store. Several observations of one
 * entity read and write its head once. Links, indexes and counts are derived from the heads before
 * and after the batch and are part of the same write.
 *
 *   begin -> observation ... offset ... -> seal -> commit (again, after a full disk) -> begin
 *
 * Only commit changes the store. After a failure before it, begin discards the batch.
 *
 * While another thread writes a batch, a second apply can build the next batch on top of it:
 *
 *   a: begin .. seal -> b: begin_over a .. seal -> (a written) -> a: begin_over b .. seal -> (b ..
 *
 * Thread: the writer's, except for sink_apply_write. Ownership: the bytes of observations are
 * borrowed until commit or begin.
 */
#ifndef WH_SINK_APPLY_H
#define WH_SINK_APPLY_H

#include "common/event/history.h"
#include "stages/sink/store/keyspace.h"
#include "stages/sink/status/status.h"

struct sink_apply;

/* Reads the counts and the sequence. A new store gets the format version of this build;
 * WH_E_CORRUPT when the store has another one. The store is kept. */
WH_MUST_CHECK enum wh_rc sink_apply_new(struct wh_store *store, size_t max_records,
                                        struct sink_apply **ret, struct wh_err *err);
/* A second apply for the same store; free it before the first. */
WH_MUST_CHECK enum wh_rc sink_apply_new_beside(struct sink_apply *first, struct sink_apply **ret,
                                               struct wh_err *err);
void sink_apply_free(struct sink_apply *a);

/* The memory of the batch, into which observations are decoded. begin resets it. */
struct wh_arena *sink_apply_arena(struct sink_apply *a);
void sink_apply_begin(struct sink_apply *a);
/* Begins a batch on top of `before`, which is sealed and must be written first. Until this batch is
 * sealed, `before` may be neither begun again nor freed. NULL: as sink_apply_begin. */
void sink_apply_begin_over(struct sink_apply *a, struct sink_apply *before);
/* Applies one observation, which is stored at now_ms. WH_E_TOO_LARGE when the memory of the batch is used up: begin again with
 * fewer observations. */
WH_MUST_CHECK enum wh_rc sink_apply_observation(struct sink_apply *a,
                                                const struct wh_observation *o, int64_t now_ms,
                                                struct wh_history_result *ret, struct wh_err *err);
/* What the store knew of the entity before the last observation was applied. */
struct sink_before {
    bool is_new; /* nothing, or only references from other entities */
    struct wh_version version;
    uint64_t present;
};
const struct sink_before *sink_apply_before(const struct sink_apply *a);
/* As wh_store_get, but sees the batch below, which may not be written yet. It does not see the ranges
 * that the batch below removes. */
WH_MUST_CHECK enum wh_rc sink_apply_get(struct sink_apply *a, unsigned family, struct wh_slice key,
                                        struct wh_buf *out, bool *ret_found, struct wh_err *err);
/* Stores the next offset to read. */
WH_MUST_CHECK enum wh_rc sink_apply_offset(struct sink_apply *a, const char *topic,
                                           int32_t partition, int64_t next, struct wh_err *err);
/* Removes the offsets of a deleted topic. */
WH_MUST_CHECK enum wh_rc sink_apply_forget_topic(struct sink_apply *a, const char *topic,
                                                 struct wh_err *err);
/* Stores the document of a connection; a ptr of NULL removes it. */
WH_MUST_CHECK enum wh_rc sink_apply_connection(struct sink_apply *a, struct wh_slice id,
                                               struct wh_slice document, struct wh_err *err);
/* Stores a decision, with the time at which it was stored first; a document.ptr of NULL removes it. */
WH_MUST_CHECK enum wh_rc sink_apply_decision(struct sink_apply *a, struct wh_slice id,
                                             struct wh_slice document, int64_t stored_ms,
                                             struct wh_err *err);
/* Puts a value of the family meta. Key and value are copied. */
WH_MUST_CHECK enum wh_rc sink_apply_meta(struct sink_apply *a, struct wh_slice key,
                                         struct wh_slice value, struct wh_err *err);
/* The same, ordered after all other changes of meta and visible to sink_apply_get. Only before
 * seal. */
WH_MUST_CHECK enum wh_rc sink_apply_meta_last(struct sink_apply *a, struct wh_slice key,
                                              struct wh_slice value, struct wh_err *err);
/* Removes the keys of the family meta in [from, to). */
WH_MUST_CHECK enum wh_rc sink_apply_meta_remove(struct sink_apply *a, struct wh_slice from,
                                                struct wh_slice to, struct wh_err *err);
/* True when the batch is about this large, or its memory is nearly used up. */
bool sink_apply_full(const struct sink_apply *a, size_t batch_bytes);
WH_MUST_CHECK enum wh_rc sink_apply_seal(struct sink_apply *a, struct wh_err *err);
WH_MUST_CHECK enum wh_rc sink_apply_commit(struct sink_apply *a, bool sync, struct wh_err *err);
/* The two halves of a commit. sink_apply_write may run in any thread while nobody else touches the
 * batch; sink_apply_written follows in the writer's thread when it has succeeded. */
WH_MUST_CHECK enum wh_rc sink_apply_write(struct sink_apply *a, bool sync, struct wh_err *err);
void sink_apply_written(struct sink_apply *a);

/* Of the committed batches. */
const struct sink_kind_counts *sink_apply_counts(const struct sink_apply *a);
uint64_t sink_apply_sequence(const struct sink_apply *a);

/* Reads a stored offset; *ret_found is false when there is none. */
WH_MUST_CHECK enum wh_rc sink_offset_get(struct wh_store *store, const char *topic,
                                         int32_t partition, int64_t *ret_next, bool *ret_found,
                                         struct wh_err *err);

#endif
