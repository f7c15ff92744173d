/*
 * set_aside.h - the values of one event that could not be converted.
 *
 * When a value does not fit its field, only that field is not shown. Each such value is noted here and
 * attached to the next observation of the event, so that the sink can count it by view and pointer.
 *
 * Thread: the evaluator's.
 */
#ifndef WH_MAPPER_SET_ASIDE_H
#define WH_MAPPER_SET_ASIDE_H

#include "common/base/arena.h"
#include "common/event/observation.h"
#include "common/json/json_doc.h"

struct set_aside {
    struct wh_set_aside items[WH_SET_ASIDE_MAX];
    size_t n;
};

/*
 * Notes one value. pointer must stay valid as long as the views; err is why the value could not be
 * converted; value.doc is NULL when there is no value to show. Further values at the same pointer only
 * increase its count. Beyond WH_SET_ASIDE_MAX pointers the last entry counts all others. Without memory
 * for the texts the note has none.
 */
void set_aside_add(struct set_aside *notes, struct wh_arena *arena, const char *pointer,
                   const struct wh_err *err, struct wh_json_val value);

/* As set_aside_add; the example is a text of its own, or empty. */
void set_aside_add_text(struct set_aside *notes, struct wh_arena *arena, const char *pointer,
                        const struct wh_err *err, struct wh_slice example);

#endif
