#include "stages/sink/batch/removal.h"

#include "stages/sink/batch/batch_priv.h"

static enum wh_rc decode(struct sink_apply *a, enum wh_kind kind, struct wh_slice value,
                         struct wh_head **ret, struct wh_err *err)
{
    const struct wh_kind_def *def = wh_kind_def(kind);
    void *head = NULL;

    if (def == NULL) {
        return wh_fail(err, WH_E_CORRUPT, "an entity of kind %u", (unsigned)kind);
    }
    if (wh_arena_zalloc(&a->arena, 1, sizeof(struct wh_head), &head, err) != WH_OK) {
        return err->rc;
    }
    *ret = head;
    return wh_head_decode(def, value, &a->arena, *ret, err);
}

bool sink_head_is_of(struct sink_apply *a, struct wh_slice key, struct wh_slice value,
                     struct wh_slice instance)
{
    struct wh_head *head = NULL;
    struct wh_err err;

    return key.len == SINK_ENTITY_KEY &&
           decode(a, (enum wh_kind)(unsigned char)key.ptr[0], value, &head, &err) == WH_OK &&
           head && wh_slice_eq(head->source.instance, instance);
}

/* Removes the keys of a family that begin with the entity's id. */
static enum wh_rc remove_below(struct sink_apply *a, unsigned family, const struct sink_cached *c,
                               uint64_t *revisions, struct wh_err *err)
{
    const struct wh_kind_def *def = wh_kind_def(c->kind);
    struct wh_slice prefix = wh_slice((const char *)c->id.bytes, sizeof(c->id.bytes));
    struct wh_iter *it;
    struct wh_slice key;
    struct wh_slice value;
    enum wh_rc rc = WH_OK;

    if (wh_iter_new(a->store, NULL, family, prefix, wh_slice("", 0), &it, err) != WH_OK) {
        return err->rc;
    }
    for (wh_iter_seek(it, prefix, false);
         rc == WH_OK && wh_iter_valid(it, &key, &value) && wh_slice_starts(key, prefix);
         wh_iter_step(it, false)) {
        struct wh_entry entry;

        if (family == SINK_REVISIONS) {
            rc = wh_entry_decode(def, value, &a->arena, &entry, err);
            *revisions += rc == WH_OK && entry.revision;
            rc = rc == WH_OK ? sink_remove_former(a, c, &entry, err) : rc;
        }
        if (rc == WH_OK) {
            rc = sink_op_remove(a, family, key, err);
        }
    }
    rc = rc == WH_OK ? wh_iter_error(it, err) : rc;
    wh_iter_free(it);
    return rc;
}

enum wh_rc sink_remove_entity(struct sink_apply *a, enum wh_kind kind,
                              const struct wh_entity_id *id, struct wh_slice head_bytes,
                              struct wh_slice instance, bool *ret_removed, uint64_t *ret_revisions,
                              struct wh_err *err)
{
    struct sink_cached c = {.kind = kind, .id = *id};
    struct sink_kind_counts *counts = &a->totals.counts[kind];
    unsigned char key[SINK_ENTITY_KEY];

    *ret_removed = false;
    *ret_revisions = 0;
    if (decode(a, kind, head_bytes, &c.head, err) != WH_OK || c.head == NULL) {
        return err->rc;
    }
    if (!wh_slice_eq(c.head->source.instance, instance)) {
        return WH_OK;
    }
    sink_entity_key(key, kind, id);
    c.head->body.def = wh_kind_def(kind);
    if (sink_derived_take(a, &a->refs[kind], c.head, &c.old, err) != WH_OK ||
        sink_underive(a, &c, err) != WH_OK || sink_remove_names(a, kind, id, err) != WH_OK ||
        remove_below(a, SINK_REVISIONS, &c, ret_revisions, err) != WH_OK ||
        sink_op_remove(a, SINK_ENTITIES, wh_slice((const char *)key, sizeof(key)), err) != WH_OK) {
        return err->rc;
    }
    sink_note_people(a, kind);
    counts->entities -= 1;
    counts->deleted -= (uint64_t)wh_head_is_gone(c.head);
    counts->revisions -= *ret_revisions;
    *ret_removed = true;
    return WH_OK;
}

enum wh_rc sink_remove_key(struct sink_apply *a, unsigned family, struct wh_slice key,
                           struct wh_err *err)
{
    return sink_op_remove(a, family, key, err);
}

enum wh_rc sink_replace_meta(struct sink_apply *a, struct wh_slice key, struct wh_slice value,
                             struct wh_err *err)
{
    return sink_op_put(a, SINK_META, key, value, err);
}
