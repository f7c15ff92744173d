/*
 * long_text.h - the long texts that a head does not carry: read from the entry that set them.
 *
 * Thread: any, with the snapshot that the head was read from: a head and its entries change in one
 * write.
 */
#ifndef WH_SINK_LONG_TEXT_H
#define WH_SINK_LONG_TEXT_H

#include "common/event/history.h"
#include "common/store/store.h"

/*
 * The value of a field whose value in the head is far; set: the head's version of that field. It
 * points into bytes, which is reset before. WH_E_CORRUPT when the entry does not have it.
 */
WH_MUST_CHECK enum wh_rc sink_long_text_read(struct wh_store *store, const struct wh_snapshot *snap,
                                             const struct wh_kind_def *def,
                                             const struct wh_entity_id *id, unsigned field,
                                             struct wh_version set, struct wh_arena *arena,
                                             struct wh_buf *bytes, struct wh_value *ret,
                                             struct wh_err *err);

#endif
