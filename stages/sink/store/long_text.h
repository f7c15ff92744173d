/*
 * long_text.h - reads a long text, which a head does not carry, from the entry that set it.
 *
 * Thread: any. Use the snapshot that the head was read from, because a head and its entries change
 * in one write.
 */
#ifndef WH_SINK_LONG_TEXT_H
#define WH_SINK_LONG_TEXT_H

#include "common/event/history.h"
#include "common/store/store.h"

/*
 * Reads the value of a field that the head marks as far. `set` is the version that set the field,
 * as the head says. The value points into `bytes`, which is reset first. WH_E_CORRUPT when the entry
 * does not have the field.
 */
WH_MUST_CHECK enum wh_rc sink_long_text_read(struct wh_store *store, const struct wh_snapshot *snap,
                                             const struct wh_kind_def *def,
                                             const struct wh_entity_id *id, unsigned field,
                                             struct wh_version set, struct wh_arena *arena,
                                             struct wh_buf *bytes, struct wh_value *ret,
                                             struct wh_err *err);

#endif
