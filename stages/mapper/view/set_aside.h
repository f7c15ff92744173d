/*
 * set_aside.h - the values of one event that could not be converted.
 *
 * A value that does not fit its field costs that field alone. Each such value is noted here and
 * travels with the next observation of the event, so that the sink can count it by view and
 * pointer.
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
 * Notes one value: pointer stays valid as long as the views, err is why it could not be converted,
 * and value is the value itself (doc NULL where there is none to show). A second value at the same
 * pointer is counted with the first. Beyond WH_SET_ASIDE_MAX pointers the last entry counts for all
 * others. Without memory for the texts the note is kept without them.
 */
void set_aside_add(struct set_aside *notes, struct wh_arena *arena, const char *pointer,
                   const struct wh_err *err, struct wh_json_val value);

#endif
