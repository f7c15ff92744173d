#include "stages/sink/batch/batch_priv.h"

/*
 * Derived keys depend only on the head before and the head after the batch. The order in which
 * observations arrived leaves no trace, so a rebuilt store has the same bytes.
 */

static bool is_ref(const struct wh_field_def *field)
{
    return field->type == WH_FIELD_REF || field->type == WH_FIELD_REFS;
}

void sink_refs_init(struct sink_refs refs[WH_KIND_COUNT])
{
    for (unsigned k = 0; k < WH_KIND_COUNT; k++) {
        const struct wh_kind_def *def = wh_kind_def((enum wh_kind)k);

        refs[k].n = 0;
        refs[k].project = -1;
        refs[k].updated_at = def ? wh_kind_field(def, WH_LIT("updated_at")) : -1;
        refs[k].n_values = 0;
        sink_parents_init((enum wh_kind)k, &refs[k]);
        for (unsigned i = 0; def && i < def->n_fields; i++) {
            if (sink_value_indexed(&def->fields[i])) {
                refs[k].value_fields[refs[k].n_values++] = i;
            }
            if (!is_ref(&def->fields[i])) {
                continue;
            }
            if (def->fields[i].type == WH_FIELD_REF &&
                wh_slice_eq(wh_slice_str(def->fields[i].name), WH_LIT("project"))) {
                refs[k].project = (int)refs[k].n;
            }
            refs[k].fields[refs[k].n++] = i;
        }
    }
}

static int64_t changed_ms(const struct sink_refs *refs, const struct wh_head *head)
{
    int i = refs->updated_at;
    bool shown = i >= 0 && (head->body.present & UINT64_C(1) << i) != 0;

    return wh_head_changed_ms(shown ? &head->body.values[i] : NULL, head->version);
}

enum wh_rc sink_derived_take(struct sink_apply *a, const struct sink_refs *refs,
                             const struct wh_head *head, struct sink_derived *ret,
                             struct wh_err *err)
{
    size_t n_values = refs->n + refs->n_values;
    void *values = NULL;
    void *sets = NULL;

    if (wh_arena_alloc(&a->arena, n_values * sizeof(struct wh_value) + 1, &values, err) != WH_OK ||
        wh_arena_alloc(&a->arena, refs->n * sizeof(struct wh_version) + 1, &sets, err) != WH_OK) {
        return err->rc;
    }
    ret->exists = true;
    ret->changed_ms = changed_ms(refs, head);
    ret->source = head->source;
    ret->shown_url = head->shown_url;
    ret->present = head->body.present;
    ret->refs = values;
    ret->ref_sets = sets;
    ret->values = ret->refs + refs->n;
    for (unsigned i = 0; i < refs->n_values; i++) {
        unsigned field = refs->value_fields[i];

        ret->values[i] = head->body.present >> field & 1 ? head->body.values[field]
                                                         : (struct wh_value){.is_null = true};
    }
    for (unsigned i = 0; i < refs->n; i++) {
        if (head->body.present & UINT64_C(1) << refs->fields[i]) {
            ret->refs[i] = head->body.values[refs->fields[i]];
            ret->ref_sets[i] = head->set[refs->fields[i]];
        }
    }
    return WH_OK;
}

static enum wh_rc put_key(struct sink_apply *a, unsigned family, const void *key, size_t len,
                          struct wh_slice value, struct wh_err *err)
{
    return sink_op_put(a, family, wh_slice(key, len), value, err);
}

static enum wh_rc remove_key(struct sink_apply *a, unsigned family, const void *key, size_t len,
                             struct wh_err *err)
{
    return sink_op_remove(a, family, wh_slice(key, len), err);
}

/* ---- by_time, by_project ---- */

static enum wh_rc derive_by_time(struct sink_apply *a, const struct sink_cached *c,
                                 const struct sink_derived *now, struct wh_err *err)
{
    unsigned char key[SINK_BY_TIME_KEY];
    int64_t old_ms = c->old.changed_ms;
    int64_t new_ms = now->changed_ms;

    if (c->old.exists && now->exists && old_ms == new_ms) {
        return WH_OK;
    }
    if (c->old.exists) {
        sink_by_time_key(key, c->kind, old_ms, &c->id);
        if (remove_key(a, SINK_BY_TIME, key, sizeof(key), err) != WH_OK) {
            return err->rc;
        }
    }
    if (!now->exists) {
        return WH_OK;
    }
    sink_by_time_key(key, c->kind, new_ms, &c->id);
    return put_key(a, SINK_BY_TIME, key, sizeof(key), WH_LIT(""), err);
}

static const struct wh_entity_id *project_of(const struct sink_derived *d,
                                             const struct sink_refs *refs)
{
    if (!d->exists || refs->project < 0 ||
        (d->present & UINT64_C(1) << refs->fields[refs->project]) == 0 ||
        d->refs[refs->project].is_null) {
        return NULL;
    }
    return &d->refs[refs->project].u.ref;
}

static enum wh_rc derive_by_project(struct sink_apply *a, const struct sink_cached *c,
                                    const struct sink_derived *now, struct wh_err *err)
{
    unsigned char key[SINK_BY_PROJECT_KEY];
    const struct sink_refs *refs = &a->refs[c->kind];
    const struct wh_entity_id *was = project_of(&c->old, refs);
    const struct wh_entity_id *is = project_of(now, refs);
    int64_t old_ms = c->old.changed_ms;
    int64_t new_ms = now->changed_ms;

    if (was && is && old_ms == new_ms && wh_entity_id_cmp(was, is) == 0) {
        return WH_OK;
    }
    if (was) {
        sink_by_project_key(key, c->kind, was, old_ms, &c->id);
        if (remove_key(a, SINK_BY_PROJECT, key, sizeof(key), err) != WH_OK) {
            return err->rc;
        }
    }
    if (is == NULL) {
        return WH_OK;
    }
    sink_by_project_key(key, c->kind, is, new_ms, &c->id);
    return put_key(a, SINK_BY_PROJECT, key, sizeof(key), WH_LIT(""), err);
}

/* ---- by_value ---- */

static enum wh_rc derive_value(struct sink_apply *a, const struct sink_cached *c, unsigned field,
                               const struct wh_value *was, const struct wh_value *is,
                               struct wh_err *err)
{
    unsigned char old[SINK_BY_VALUE_KEY];
    unsigned char key[SINK_BY_VALUE_KEY];
    size_t old_len = was ? sink_value_prefix(old, c->kind, field, was) : 0;
    size_t len = is ? sink_value_prefix(key, c->kind, field, is) : 0;

    if (old_len == len && memcmp(old, key, len) == 0) {
        return WH_OK;
    }
    memcpy(old + old_len, c->id.bytes, sizeof(c->id.bytes));
    memcpy(key + len, c->id.bytes, sizeof(c->id.bytes));
    if (old_len && remove_key(a, SINK_BY_VALUE, old, old_len + sizeof(c->id.bytes), err) != WH_OK) {
        return err->rc;
    }
    return len ? put_key(a, SINK_BY_VALUE, key, len + sizeof(c->id.bytes), WH_LIT(""), err) : WH_OK;
}

static enum wh_rc derive_values(struct sink_apply *a, const struct sink_cached *c,
                                const struct sink_derived *now, struct wh_err *err)
{
    const struct sink_refs *refs = &a->refs[c->kind];

    for (unsigned i = 0; i < refs->n_values; i++) {
        if (derive_value(a, c, refs->value_fields[i], c->old.exists ? &c->old.values[i] : NULL,
                         now->exists ? &now->values[i] : NULL, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* ---- source_ids ---- */

/* True when the key belongs to another entity and must stay. */
static enum wh_rc owned_by(struct sink_apply *a, struct wh_slice key, const unsigned char *owner,
                           bool *ret, struct wh_err *err)
{
    struct wh_buf value;
    bool found = false;
    enum wh_rc rc;

    wh_buf_init(&value, 64);
    rc = sink_apply_get(a, SINK_SOURCE_IDS, key, &value, &found, err);
    if (rc == WH_OK) {
        *ret = !found ||
               (value.len == SINK_ENTITY_KEY && memcmp(value.ptr, owner, SINK_ENTITY_KEY) == 0);
    }
    wh_buf_done(&value);
    return rc;
}

/* One of the two keys of a source identity; empty when the identity lacks it or it is too long. */
static enum wh_rc source_key(const struct sink_derived *d, bool by_url, struct wh_buf *out,
                             struct wh_err *err)
{
    enum wh_rc rc = WH_OK;

    if (!d->exists || (by_url ? d->source.url.len : d->source.iid.len) == 0) {
        return WH_OK;
    }
    rc = by_url ? sink_url_key(d->source.url, out, err) : sink_iid_key(&d->source, out, err);
    return rc == WH_E_TOO_LARGE ? WH_OK : rc;
}

static enum wh_rc replace_source_key(struct sink_apply *a, const struct sink_cached *c,
                                     struct wh_slice old, struct wh_slice now, struct wh_err *err)
{
    unsigned char owner[SINK_ENTITY_KEY];
    bool mine = false;

    sink_entity_key(owner, c->kind, &c->id);
    if (old.len > 0) {
        if (owned_by(a, old, owner, &mine, err) != WH_OK) {
            return err->rc;
        }
        if (mine && sink_op_remove(a, SINK_SOURCE_IDS, old, err) != WH_OK) {
            return err->rc;
        }
    }
    if (now.len == 0) {
        return WH_OK;
    }
    return sink_op_put(a, SINK_SOURCE_IDS, now, wh_slice(owner, sizeof(owner)), err);
}

static bool same_source(const struct sink_derived *a, const struct sink_derived *b, bool by_url)
{
    if (!a->exists) {
        return false;
    }
    if (by_url) {
        return wh_slice_eq(a->source.url, b->source.url);
    }
    return wh_slice_eq(a->source.iid, b->source.iid) &&
           wh_slice_eq(a->source.project, b->source.project) &&
           wh_slice_eq(a->source.kind, b->source.kind) &&
           wh_slice_eq(a->source.instance, b->source.instance);
}

static enum wh_rc derive_source(struct sink_apply *a, const struct sink_cached *c,
                                const struct sink_derived *now, bool by_url, struct wh_err *err)
{
    size_t split;

    if (same_source(&c->old, now, by_url)) {
        return WH_OK;
    }
    wh_buf_reset(&a->scratch);
    if (source_key(&c->old, by_url, &a->scratch, err) != WH_OK) {
        return err->rc;
    }
    split = a->scratch.len;
    if (source_key(now, by_url, &a->scratch, err) != WH_OK) {
        return err->rc;
    }
    return replace_source_key(a, c, wh_slice(a->scratch.ptr, split),
                              wh_slice_from(wh_buf_slice(&a->scratch), split), err);
}

/* ---- links, backlinks ---- */

struct targets {
    const struct wh_entity_id *ids;
    size_t n;
};

static struct targets targets_of(const struct sink_derived *d, enum wh_field_type type,
                                 unsigned field, unsigned ref)
{
    const struct wh_value *v;

    if (!d->exists || (d->present & UINT64_C(1) << field) == 0 || d->refs[ref].is_null) {
        return (struct targets){NULL, 0};
    }
    v = &d->refs[ref];
    return type == WH_FIELD_REF ? (struct targets){&v->u.ref, 1}
                                : (struct targets){v->u.refs.items, v->u.refs.n};
}

static enum wh_rc remove_links(struct sink_apply *a, const struct sink_cached *c, unsigned field,
                               struct targets t, struct wh_err *err)
{
    unsigned char key[SINK_LINK_KEY];

    for (size_t i = 0; i < t.n; i++) {
        sink_link_key(key, &c->id, c->kind, field, &t.ids[i]);
        if (remove_key(a, SINK_LINKS, key, sizeof(key), err) != WH_OK) {
            return err->rc;
        }
        sink_link_key(key, &t.ids[i], c->kind, field, &c->id);
        if (remove_key(a, SINK_BACKLINKS, key, sizeof(key), err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc put_links(struct sink_apply *a, const struct sink_cached *c, unsigned field,
                            struct targets t, struct wh_version set, struct wh_err *err)
{
    unsigned char key[SINK_LINK_KEY];
    unsigned char value[16];

    wh_be_put64(value, set.order);
    wh_be_put64(value + 8, set.tie);
    for (size_t i = 0; i < t.n; i++) {
        sink_link_key(key, &c->id, c->kind, field, &t.ids[i]);
        if (put_key(a, SINK_LINKS, key, sizeof(key), wh_slice(value, sizeof(value)), err) !=
            WH_OK) {
            return err->rc;
        }
        sink_link_key(key, &t.ids[i], c->kind, field, &c->id);
        if (put_key(a, SINK_BACKLINKS, key, sizeof(key), wh_slice(value, sizeof(value)), err) !=
            WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static bool same_targets(struct targets a, struct targets b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.ids, b.ids, a.n * sizeof(a.ids[0])) == 0);
}

static enum wh_rc derive_links(struct sink_apply *a, const struct sink_cached *c,
                               const struct sink_derived *now, struct wh_err *err)
{
    const struct sink_refs *refs = &a->refs[c->kind];
    const struct wh_kind_def *def = wh_kind_def(c->kind);

    for (unsigned i = 0; i < refs->n; i++) {
        unsigned field = refs->fields[i];
        struct targets was = targets_of(&c->old, def->fields[field].type, field, i);
        struct targets is = targets_of(now, def->fields[field].type, field, i);

        if (same_targets(was, is) &&
            (is.n == 0 || wh_version_cmp(c->old.ref_sets[i], now->ref_sets[i]) == 0)) {
            continue;
        }
        if (remove_links(a, c, field, was, err) != WH_OK ||
            put_links(a, c, field, is, is.n ? now->ref_sets[i] : (struct wh_version){0}, err) !=
                WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc derive_all(struct sink_apply *a, const struct sink_cached *c,
                             const struct sink_derived *now, struct wh_err *err)
{
    if (derive_by_time(a, c, now, err) != WH_OK || derive_by_project(a, c, now, err) != WH_OK ||
        derive_values(a, c, now, err) != WH_OK || derive_source(a, c, now, true, err) != WH_OK ||
        derive_source(a, c, now, false, err) != WH_OK) {
        return err->rc;
    }
    return derive_links(a, c, now, err);
}

enum wh_rc sink_derive(struct sink_apply *a, const struct sink_cached *c, struct wh_err *err)
{
    struct sink_derived now = {0};

    if (sink_derived_take(a, &a->refs[c->kind], c->head, &now, err) != WH_OK) {
        return err->rc;
    }
    return derive_all(a, c, &now, err) == WH_OK ? sink_derive_former(a, c, &now, err) : err->rc;
}

enum wh_rc sink_underive(struct sink_apply *a, const struct sink_cached *c, struct wh_err *err)
{
    const struct sink_derived nothing = {0};

    return derive_all(a, c, &nothing, err);
}
