/*
 * apply.h - observations into the store: one batch in the making. Several observations of one
 * entity read and write its head once; all that is derived (links, indexes, counts) is a function
 * of the heads before and after the batch, and goes into the same write.
 *
 *   begin -> observation ... offset ... -> seal -> commit (again, after a full disk) -> begin
 *
 * The store changes in commit alone. Whatever fails before it: begin forgets the batch.
 *
 * While one batch is written by another thread, the next can be built over it by a second apply:
 *
 *   a: begin .. seal -> b: begin_over a .. seal -> (a written) -> a: begin_over b .. seal -> (b ..
 *
 * Thread: the writer, but for sink_apply_write. Ownership: bytes of observations are borrowed until
 * commit or begin.
 */
#ifndef WH_SINK_APPLY_H
#define WH_SINK_APPLY_H

#include "common/event/history.h"
#include "stages/sink/store/keyspace.h"
#include "stages/sink/status/status.h"

struct sink_apply;

/* Reads counts and sequence; sets the format version of a new store, WH_E_CORRUPT for another one.
 */
WH_MUST_CHECK enum wh_rc sink_apply_new(struct wh_store *store, size_t max_records,
                                        struct sink_apply **ret, struct wh_err *err);
/* A second one on the same store; free it before the first. */
WH_MUST_CHECK enum wh_rc sink_apply_new_beside(struct sink_apply *first, struct sink_apply **ret,
                                               struct wh_err *err);
void sink_apply_free(struct sink_apply *a);

/* Memory of the batch: for decoding observations. Reset by begin. */
struct wh_arena *sink_apply_arena(struct sink_apply *a);
void sink_apply_begin(struct sink_apply *a);
/* before: sealed and neither begun again nor freed until this batch is sealed; it must be written
 * first. */
void sink_apply_begin_over(struct sink_apply *a, struct sink_apply *before);
/* WH_E_TOO_LARGE when the batch's memory is used up: then begin, and less at a time. */
WH_MUST_CHECK enum wh_rc sink_apply_observation(struct sink_apply *a,
                                                const struct wh_observation *o, int64_t now_ms,
                                                struct wh_history_result *ret, struct wh_err *err);
/* What was known of the entity before the observation that was applied last. */
struct sink_before {
    bool is_new; /* nothing, or only mentions */
    struct wh_version version;
    uint64_t present;
};
const struct sink_before *sink_apply_before(const struct sink_apply *a);
/* As wh_store_get, over the batch before, which is not written yet. Not for ranges that it removes.
 */
WH_MUST_CHECK enum wh_rc sink_apply_get(struct sink_apply *a, unsigned family, struct wh_slice key,
                                        struct wh_buf *out, bool *ret_found, struct wh_err *err);
/* The next offset to read. */
WH_MUST_CHECK enum wh_rc sink_apply_offset(struct sink_apply *a, const char *topic,
                                           int32_t partition, int64_t next, struct wh_err *err);
/* Forgets the offsets of a topic that is gone. */
WH_MUST_CHECK enum wh_rc sink_apply_forget_topic(struct sink_apply *a, const char *topic,
                                                 struct wh_err *err);
/* The document of a connection; ptr NULL removes it. */
WH_MUST_CHECK enum wh_rc sink_apply_connection(struct sink_apply *a, struct wh_slice id,
                                               struct wh_slice document, struct wh_err *err);
/* A value of the family meta; both are copied. */
WH_MUST_CHECK enum wh_rc sink_apply_meta(struct sink_apply *a, struct wh_slice key,
                                         struct wh_slice value, struct wh_err *err);
/* The same, behind all other changes of meta; sink_apply_get finds it. Before seal. */
WH_MUST_CHECK enum wh_rc sink_apply_meta_last(struct sink_apply *a, struct wh_slice key,
                                              struct wh_slice value, struct wh_err *err);
/* Removes keys of meta in [from, to). */
WH_MUST_CHECK enum wh_rc sink_apply_meta_remove(struct sink_apply *a, struct wh_slice from,
                                                struct wh_slice to, struct wh_err *err);
/* Room left for about this batch? */
bool sink_apply_full(const struct sink_apply *a, size_t batch_bytes);
WH_MUST_CHECK enum wh_rc sink_apply_seal(struct sink_apply *a, struct wh_err *err);
WH_MUST_CHECK enum wh_rc sink_apply_commit(struct sink_apply *a, bool sync, struct wh_err *err);
/* The two halves of a commit. Write: any thread, while nobody else touches the batch. */
WH_MUST_CHECK enum wh_rc sink_apply_write(struct sink_apply *a, bool sync, struct wh_err *err);
void sink_apply_written(struct sink_apply *a);

/* Of what is committed. */
const struct sink_kind_counts *sink_apply_counts(const struct sink_apply *a);
uint64_t sink_apply_sequence(const struct sink_apply *a);

/* A stored offset; *ret_found false when there is none. */
WH_MUST_CHECK enum wh_rc sink_offset_get(struct wh_store *store, const char *topic,
                                         int32_t partition, int64_t *ret_next, bool *ret_found,
                                         struct wh_err *err);

#endif
