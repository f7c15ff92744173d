/*
 * head_at.h - the head of an entity at a time in the past, folded from its stored revisions. It costs as
 * much as reading the whole history of that entity, and nothing else.
 */
#ifndef WH_SINK_HEAD_AT_H
#define WH_SINK_HEAD_AT_H

#include "common/event/history.h"
#include "common/store/store.h"

/* Everything counts: the present. */
#define SINK_NOW ((struct wh_history_when){INT64_MAX, INT64_MAX})
static inline bool sink_is_now(struct wh_history_when when)
{
    return when.stored_ms == INT64_MAX && when.valid_ms == INT64_MAX;
}

/* The entries that count, in version order, as they were then; they live as long as the arena. Not WH_OK
 * ends the reading. */
struct sink_history_visit {
    enum wh_rc (*entry)(void *ctx, const struct wh_entry *entry, struct wh_err *err);
    void *ctx;
};

/*
 * now: the present head with its id and body.def. *ret lives in the arena, and its texts are never far
 * (history.h); NULL: nothing of the entity counts. visit may be NULL. Thread: any.
 */
WH_MUST_CHECK enum wh_rc sink_head_at(struct wh_store *store, const struct wh_snapshot *snap,
                                      const struct wh_head *now, struct wh_history_when when,
                                      struct wh_arena *arena,
                                      const struct sink_history_visit *visit,
                                      const struct wh_head **ret, struct wh_err *err);

#endif
