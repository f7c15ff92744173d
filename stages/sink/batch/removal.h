/*
 * removal.h - takes rows out of the store: what a purge needs besides observations.
 *
 * Every change goes into the batch in hand (apply.h) and is durable with it. The store is read as
 * it was before the batch.
 *
 * Thread: the writer.
 */
#ifndef WH_SINK_REMOVAL_H
#define WH_SINK_REMOVAL_H

#include "stages/sink/batch/apply.h"

/* Is this stored head that of an entity of the instance? False also when it cannot be decoded. */
bool sink_head_is_of(struct sink_apply *a, struct wh_slice key, struct wh_slice value,
                     struct wh_slice instance);
/*
 * When the head is that of an entity of the instance: removes the entity with its revisions, its
 * links and index keys, and its share of the counts. *ret_removed is false for another instance;
 * *ret_revisions is the number of revisions that go. WH_E_CORRUPT: the head cannot be decoded.
 */
WH_MUST_CHECK enum wh_rc sink_remove_entity(struct sink_apply *a, enum wh_kind kind,
                                            const struct wh_entity_id *id,
                                            struct wh_slice head_bytes, struct wh_slice instance,
                                            bool *ret_removed, uint64_t *ret_revisions,
                                            struct wh_err *err);
/* Removes one key of a family from which nothing else follows (changes, meta); it is copied. */
WH_MUST_CHECK enum wh_rc sink_remove_key(struct sink_apply *a, unsigned family, struct wh_slice key,
                                         struct wh_err *err);
/* Puts a value of the family meta; both are copied. Ordered among the removals of the batch. */
WH_MUST_CHECK enum wh_rc sink_replace_meta(struct sink_apply *a, struct wh_slice key,
                                           struct wh_slice value, struct wh_err *err);

#endif
