/*
 * The family former: references, values and addresses that an entity once had and that its head does not
 * have. They are candidates for readers of the past. Like every derived key, they follow from the set of
 * observations alone: all that a revision ever set, without what the head has. An address that the newest
 * entry shows is a former one when the project has moved since (parents.h).
 */
#include "stages/sink/batch/batch_priv.h"

struct former {
    struct former *next;
    struct wh_slice key;
};

/* What an entity has (derived), or what one revision set (delta). */
struct having {
    uint64_t present;
    struct wh_slice url;
    const struct sink_derived *derived; /* NULL: delta */
    const struct wh_body *delta;
};

static struct having having_of(const struct sink_derived *d)
{
    bool moved = !wh_slice_eq(d->shown_url, d->source.url);

    return (struct having){
        .present = d->present, .url = moved ? wh_slice("", 0) : d->shown_url, .derived = d};
}

static struct having having_set(const struct wh_entry *e)
{
    return (struct having){.present = e->delta.present, .url = e->source.url, .delta = &e->delta};
}

static enum wh_rc add_key(struct sink_apply *a, struct former **list, enum wh_rc made,
                          struct wh_err *err)
{
    struct former *f;
    void *memory = NULL;

    if (made == WH_E_TOO_LARGE) {
        return WH_OK; /* as in source_ids: it is not found by that address */
    }
    if (made != WH_OK || wh_arena_alloc(&a->arena, sizeof(*f), &memory, err) != WH_OK) {
        return err->rc;
    }
    f = memory;
    f->next = *list;
    if (wh_arena_dup(&a->arena, wh_buf_slice(&a->scratch), &f->key, err) != WH_OK) {
        return err->rc;
    }
    *list = f;
    return WH_OK;
}

static enum wh_rc add_refs(struct sink_apply *a, const struct sink_cached *c, unsigned field,
                           const struct wh_value *v, struct former **list, struct wh_err *err)
{
    bool many = wh_kind_def(c->kind)->fields[field].type == WH_FIELD_REFS;
    const struct wh_entity_id *ids = many ? v->u.refs.items : &v->u.ref;
    size_t n = many ? v->u.refs.n : 1;

    for (size_t i = 0; i < n; i++) {
        wh_buf_reset(&a->scratch);
        if (add_key(a, list,
                    sink_former_link_key(&ids[i], field, c->kind, &c->id, &a->scratch, err),
                    err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc add_url(struct sink_apply *a, const struct sink_cached *c, struct wh_slice url,
                          struct former **list, struct wh_err *err)
{
    wh_buf_reset(&a->scratch);
    return url.len
               ? add_key(a, list, sink_former_url_key(url, c->kind, &c->id, &a->scratch, err), err)
               : WH_OK;
}

static enum wh_rc add_all(struct sink_apply *a, const struct sink_cached *c,
                          const struct having *had, struct former **list, struct wh_err *err)
{
    const struct sink_refs *refs = &a->refs[c->kind];

    for (unsigned i = 0; i < refs->n; i++) {
        const struct wh_value *v =
            had->derived ? &had->derived->refs[i] : &had->delta->values[refs->fields[i]];

        if ((had->present >> refs->fields[i] & 1) && !v->is_null &&
            add_refs(a, c, refs->fields[i], v, list, err) != WH_OK) {
            return err->rc;
        }
    }
    for (unsigned i = 0; i < refs->n_values; i++) {
        unsigned field = refs->value_fields[i];
        const struct wh_value *v =
            had->derived ? &had->derived->values[i] : &had->delta->values[field];
        unsigned char value[SINK_BY_VALUE_KEY];
        size_t len = had->present >> field & 1 ? sink_value_prefix(value, c->kind, field, v) : 0;

        wh_buf_reset(&a->scratch);
        if (len &&
            add_key(a, list,
                    sink_former_value_key(wh_slice(value, len), c->kind, &c->id, &a->scratch, err),
                    err) != WH_OK) {
            return err->rc;
        }
    }
    return add_url(a, c, had->url, list, err);
}

static bool has(const struct former *list, struct wh_slice key)
{
    for (; list; list = list->next) {
        if (wh_slice_eq(list->key, key)) {
            return true;
        }
    }
    return false;
}

static enum wh_rc decode_put(struct sink_apply *a, const struct sink_cached *c,
                             struct wh_slice bytes, struct wh_entry **ret, struct wh_err *err)
{
    void *memory = NULL;

    if (wh_arena_alloc(&a->arena, sizeof(struct wh_entry), &memory, err) != WH_OK) {
        return err->rc;
    }
    *ret = memory;
    return wh_entry_decode(wh_kind_def(c->kind), bytes, &a->arena, *ret, err);
}

/* What revisions of this batch set, of which the head may not have everything. */
static enum wh_rc list_set(struct sink_apply *a, const struct sink_cached *c, struct former **list,
                           struct wh_err *err)
{
    for (const struct sink_put *p = c->puts; p; p = p->next) {
        struct wh_entry *entry = NULL;
        struct having set;

        if (wh_version_cmp(p->version, c->head->version) == 0) {
            continue; /* the newest one: the head has it */
        }
        if (decode_put(a, c, p->bytes, &entry, err) != WH_OK) {
            return err->rc;
        }
        set = having_set(entry);
        if (add_all(a, c, &set, list, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* Most changes leave all of it as it is, or are the first. */
static bool nothing_to_do(const struct sink_apply *a, const struct sink_cached *c,
                          const struct sink_derived *now)
{
    const struct sink_refs *refs = &a->refs[c->kind];
    bool only_newest = c->puts == NULL || (c->puts->next == NULL &&
                                           wh_version_cmp(c->puts->version, c->head->version) == 0);

    if (!only_newest || !c->old.exists) {
        return only_newest && wh_slice_eq(now->shown_url, now->source.url);
    }
    if (c->old.present != now->present || !wh_slice_eq(c->old.source.url, now->source.url) ||
        !wh_slice_eq(c->old.shown_url, now->shown_url)) {
        return false;
    }
    for (unsigned i = 0; i < refs->n; i++) {
        if ((now->present >> refs->fields[i] & 1) &&
            !wh_value_eq(wh_kind_def(c->kind)->fields[refs->fields[i]].type, &c->old.refs[i],
                         &now->refs[i])) {
            return false;
        }
    }
    for (unsigned i = 0; i < refs->n_values; i++) {
        if ((now->present >> refs->value_fields[i] & 1) &&
            !wh_value_eq(wh_kind_def(c->kind)->fields[refs->value_fields[i]].type,
                         &c->old.values[i], &now->values[i])) {
            return false;
        }
    }
    return true;
}

enum wh_rc sink_derive_former(struct sink_apply *a, const struct sink_cached *c,
                              const struct sink_derived *now, struct wh_err *err)
{
    const struct having had_before = having_of(&c->old);
    const struct having has_now = having_of(now);
    struct former *current = NULL;
    struct former *before = NULL;
    struct former *ever;

    if (nothing_to_do(a, c, now)) {
        return WH_OK;
    }
    if (add_all(a, c, &has_now, &current, err) != WH_OK ||
        (c->old.exists && add_all(a, c, &had_before, &before, err) != WH_OK)) {
        return err->rc;
    }
    ever = before;
    if (list_set(a, c, &ever, err) != WH_OK || add_url(a, c, now->shown_url, &ever, err) != WH_OK ||
        (c->old.exists && add_url(a, c, c->old.shown_url, &ever, err) != WH_OK)) {
        return err->rc;
    }
    for (const struct former *f = ever; f; f = f->next) {
        if (!has(current, f->key) &&
            sink_op_put(a, SINK_FORMER, f->key, WH_LIT(""), err) != WH_OK) {
            return err->rc;
        }
    }
    for (const struct former *f = current; f && c->old.exists; f = f->next) {
        if (!has(before, f->key) && sink_op_remove(a, SINK_FORMER, f->key, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

enum wh_rc sink_remove_former(struct sink_apply *a, const struct sink_cached *c,
                              const struct wh_entry *entry, struct wh_err *err)
{
    const struct having set = having_set(entry);
    struct former *list = NULL;

    if (add_all(a, c, &set, &list, err) != WH_OK) {
        return err->rc;
    }
    for (const struct former *f = list; f; f = f->next) {
        if (sink_op_remove(a, SINK_FORMER, f->key, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}
