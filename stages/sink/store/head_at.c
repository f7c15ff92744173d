#include "stages/sink/store/head_at.h"

#include "stages/sink/store/keyspace.h"

struct reading {
    const struct wh_kind_def *def;
    struct wh_arena *arena;
    struct wh_history_past *past;
    const struct sink_history_visit *visit;
};

static enum wh_rc take_entry(struct reading *r, struct wh_slice key, struct wh_slice value,
                             struct wh_err *err)
{
    struct wh_entry entry;
    struct wh_slice copy;

    if (key.len != SINK_REVISION_KEY) {
        return wh_fail(err, WH_E_CORRUPT, "the key of a revision has %zu bytes", key.len);
    }
    if (wh_arena_dup(r->arena, value, &copy, err) != WH_OK ||
        wh_entry_decode(r->def, copy, r->arena, &entry, err) != WH_OK) {
        return err->rc;
    }
    entry.version.order = wh_be_get64(key.ptr + 16);
    entry.version.tie = wh_be_get64(key.ptr + 24);
    if (!wh_history_past_add(r->past, &entry) || r->visit == NULL) {
        return WH_OK;
    }
    return r->visit->entry(r->visit->ctx, &entry, err);
}

static enum wh_rc take_all(struct reading *r, struct wh_iter *it, struct wh_slice prefix,
                           struct wh_err *err)
{
    struct wh_slice key;
    struct wh_slice value;

    for (wh_iter_seek(it, prefix, false);
         wh_iter_valid(it, &key, &value) && wh_slice_starts(key, prefix); wh_iter_step(it, false)) {
        if (take_entry(r, key, value, err) != WH_OK) {
            return err->rc;
        }
    }
    return wh_iter_error(it, err);
}

enum wh_rc sink_head_at(struct wh_store *store, const struct wh_snapshot *snap,
                        const struct wh_head *now, struct wh_history_when when,
                        struct wh_arena *arena, const struct sink_history_visit *visit,
                        const struct wh_head **ret, struct wh_err *err)
{
    struct reading r = {.def = now->body.def, .arena = arena, .visit = visit};
    const struct wh_slice prefix = wh_slice(now->id.bytes, sizeof(now->id.bytes));
    struct wh_iter *it;
    enum wh_rc rc;

    if (wh_history_past_new(now, when, arena, &r.past, err) != WH_OK ||
        wh_iter_new(store, snap, SINK_REVISIONS, prefix, wh_slice("", 0), &it, err) != WH_OK) {
        return err->rc;
    }
    rc = take_all(&r, it, prefix, err);
    wh_iter_free(it);
    *ret = wh_history_past_head(r.past);
    return rc;
}
