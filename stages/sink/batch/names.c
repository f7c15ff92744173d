/*
 * The families claims and mentions: names that heads have, and names that a single observation showed, which
 * are candidates for readers of the past. Both follow from the set of observations alone.
 */
#include "stages/sink/batch/batch_priv.h"

struct adding {
    struct sink_apply *a;
    unsigned family;
    struct sink_name **list;
};

static enum wh_rc add_name(void *ctx, const struct keys_name *found, struct wh_err *err)
{
    const struct adding *to = ctx;
    struct sink_name *name;
    void *memory = NULL;

    if (wh_arena_alloc(&to->a->arena, sizeof(*name), &memory, err) != WH_OK) {
        return err->rc;
    }
    name = memory;
    name->family = to->family;
    name->next = *to->list;
    if (wh_arena_dup(&to->a->arena, found->name, &name->name, err) != WH_OK) {
        return err->rc;
    }
    *to->list = name;
    return WH_OK;
}

enum wh_rc sink_names_add(struct sink_apply *a, const struct wh_source_id *source,
                          const struct wh_body *body, struct sink_name **list, struct wh_err *err)
{
    struct adding claims = {a, SINK_CLAIMS, list};
    struct adding mentions = {a, SINK_MENTIONS, list};

    if (keys_claims(&a->keys, source, body, add_name, &claims, err) != WH_OK) {
        return err->rc;
    }
    return keys_mentions(&a->keys, source, body, add_name, &mentions, err);
}

static bool has(const struct sink_name *list, const struct sink_name *name)
{
    for (; list; list = list->next) {
        if (list->family == name->family && wh_slice_eq(list->name, name->name)) {
            return true;
        }
    }
    return false;
}

/* Did an earlier observation show the name? */
static enum wh_rc was_shown(struct sink_apply *a, unsigned family, struct wh_slice key, bool *ret,
                            struct wh_err *err)
{
    struct wh_buf value;
    bool found = false;
    enum wh_rc rc;

    wh_buf_init(&value, 16);
    rc = sink_apply_get(a, family, key, &value, &found, err);
    *ret = rc == WH_OK && found && value.len == 1 && (value.ptr[0] & SINK_NAME_SHOWN);
    wh_buf_done(&value);
    return rc;
}

static enum wh_rc put_or_remove(struct sink_apply *a, unsigned family, char value,
                                struct wh_err *err)
{
    struct wh_slice key = wh_buf_slice(&a->scratch);

    return value ? sink_op_put(a, family, key, wh_slice(&value, 1), err)
                 : sink_op_remove(a, family, key, err);
}

static enum wh_rc update_name(struct sink_apply *a, const struct sink_cached *c,
                              const struct sink_name *name, bool is_current, struct wh_err *err)
{
    bool shown = has(c->shown_names, name);
    char value = is_current ? SINK_NAME_CURRENT : 0;

    wh_buf_reset(&a->scratch);
    if (sink_name_key(name->name, c->kind, &c->id, &a->scratch, err) != WH_OK ||
        (!shown && was_shown(a, name->family, wh_buf_slice(&a->scratch), &shown, err) != WH_OK)) {
        return err->rc;
    }
    value = (char)(value | (shown ? SINK_NAME_SHOWN : 0));
    if (put_or_remove(a, name->family, value, err) != WH_OK) {
        return err->rc;
    }
    wh_buf_reset(&a->scratch);
    return sink_namer_key(c->kind, &c->id, name->name, &a->scratch, err) == WH_OK
               ? put_or_remove(a, name->family, value, err)
               : err->rc;
}

enum wh_rc sink_derive_names(struct sink_apply *a, const struct sink_cached *c, struct wh_err *err)
{
    const struct sink_name *lists[] = {NULL, c->old_names, c->shown_names};
    struct sink_name *now = NULL;

    if (!c->head->deleted &&
        sink_names_add(a, &c->head->source, &c->head->body, &now, err) != WH_OK) {
        return err->rc;
    }
    lists[0] = now;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        for (const struct sink_name *n = lists[i]; n; n = n->next) {
            bool is_current = has(now, n);
            bool same = is_current && has(c->old_names, n) && !has(c->shown_names, n);

            if (!same && update_name(a, c, n, is_current, err) != WH_OK) {
                return err->rc;
            }
        }
    }
    return WH_OK;
}

static enum wh_rc remove_name(struct sink_apply *a, unsigned family, enum wh_kind kind,
                              const struct wh_entity_id *id, struct wh_slice key,
                              struct wh_err *err)
{
    struct wh_slice name = wh_slice_from(key, 1 + SINK_ENTITY_KEY);

    wh_buf_reset(&a->scratch);
    if (sink_name_key(name, kind, id, &a->scratch, err) != WH_OK ||
        sink_op_remove(a, family, wh_buf_slice(&a->scratch), err) != WH_OK) {
        return err->rc;
    }
    return sink_op_remove(a, family, key, err);
}

static enum wh_rc remove_of_family(struct sink_apply *a, unsigned family, enum wh_kind kind,
                                   const struct wh_entity_id *id, struct wh_err *err)
{
    unsigned char prefix[1 + SINK_ENTITY_KEY] = {'e'};
    const struct wh_slice begin = wh_slice(prefix, sizeof(prefix));
    struct wh_iter *it;
    struct wh_slice key;
    struct wh_slice value;
    enum wh_rc rc = WH_OK;

    sink_entity_key(prefix + 1, kind, id);
    if (wh_iter_new(a->store, NULL, family, begin, wh_slice("", 0), &it, err) != WH_OK) {
        return err->rc;
    }
    for (wh_iter_seek(it, begin, false);
         rc == WH_OK && wh_iter_valid(it, &key, &value) && wh_slice_starts(key, begin);
         wh_iter_step(it, false)) {
        rc = remove_name(a, family, kind, id, key, err);
    }
    rc = rc == WH_OK ? wh_iter_error(it, err) : rc;
    wh_iter_free(it);
    return rc;
}

enum wh_rc sink_remove_names(struct sink_apply *a, enum wh_kind kind, const struct wh_entity_id *id,
                             struct wh_err *err)
{
    return remove_of_family(a, SINK_CLAIMS, kind, id, err) == WH_OK
               ? remove_of_family(a, SINK_MENTIONS, kind, id, err)
               : err->rc;
}
