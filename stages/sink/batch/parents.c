#include "stages/sink/batch/parents.h"

#include "stages/sink/batch/batch_priv.h"

enum {
    DUE_KEY = 1 + SINK_ENTITY_KEY, /* 'k', kind, id */
    RELATION_KEY = 16 + 1 + 1,     /* the part of a backlink before the child */
};

/* ---- parents and children ---- */

static bool is_gitlabs(enum wh_kind kind)
{
    return kind >= WH_KIND_WORK_ITEM && kind <= WH_KIND_MEMBERSHIP && kind != WH_KIND_TEAM_MEMBER &&
           kind != WH_KIND_PROJECT;
}

static bool is_parent_field(enum wh_kind kind, const struct wh_field_def *field)
{
    struct wh_slice name = wh_slice_str(field->name);

    return field->type == WH_FIELD_REF &&
           (wh_slice_eq(name, WH_LIT("project")) ||
            (kind == WH_KIND_JOB && wh_slice_eq(name, WH_LIT("pipeline"))) ||
            (kind == WH_KIND_NOTE && wh_slice_eq(name, WH_LIT("work_item"))));
}

static bool has_children(enum wh_kind kind)
{
    return kind == WH_KIND_PROJECT || kind == WH_KIND_BUILD_RECORD || kind == WH_KIND_WORK_ITEM;
}

void sink_parents_init(enum wh_kind kind, struct sink_refs *refs)
{
    const struct wh_kind_def *def = is_gitlabs(kind) ? wh_kind_def(kind) : NULL;

    refs->n_parents = 0;
    for (unsigned i = 0; def && i < def->n_fields && refs->n_parents < SINK_PARENTS_MAX; i++) {
        if (is_parent_field(kind, &def->fields[i])) {
            refs->parents[refs->n_parents++] = i;
        }
    }
}

/* ---- the parent ---- */

struct sink_parent sink_parent_of(const struct sink_cached *c)
{
    const struct wh_head *h = c->head;

    return (struct sink_parent){.kind = c->kind,
                                .id = c->id,
                                .gone = !c->is_new && h->deleted,
                                .reason = h->reason,
                                .version = h->deleted_version,
                                .instance = h->source.instance};
}

static enum wh_rc read_parent(struct sink_apply *a, struct sink_parent *p, struct wh_err *err)
{
    unsigned char key[SINK_ENTITY_KEY];
    struct wh_head_view view;
    bool found = false;

    sink_entity_key(key, p->kind, &p->id);
    wh_buf_reset(&a->scratch);
    if (sink_apply_get(a, SINK_ENTITIES, wh_slice(key, sizeof(key)), &a->scratch, &found, err) !=
        WH_OK) {
        return err->rc;
    }
    if (!found) {
        return WH_OK;
    }
    if (wh_head_view(wh_buf_slice(&a->scratch), &view, err) != WH_OK) {
        return err->rc;
    }
    p->gone = view.itself;
    p->version = view.deleted_version;
    if (!p->gone) {
        return WH_OK;
    }
    return wh_arena_dup(&a->arena, view.reason, &p->reason, err) == WH_OK
               ? wh_arena_dup(&a->arena, view.source.instance, &p->instance, err)
               : err->rc;
}

/* Sets a->parent. Where no entity of the kind is deleted, none is looked up. */
static enum wh_rc find_parent(struct sink_apply *a, enum wh_kind kind,
                              const struct wh_entity_id *id, struct wh_err *err)
{
    const struct sink_cached *c;
    enum wh_rc rc;

    if (a->parent.kind == kind && wh_entity_id_cmp(&a->parent.id, id) == 0) {
        return WH_OK;
    }
    c = sink_cached_find(a, kind, id);
    a->parent = c ? sink_parent_of(c) : (struct sink_parent){.kind = kind, .id = *id};
    if (c || a->totals.counts[kind].deleted == 0) {
        return WH_OK;
    }
    rc = read_parent(a, &a->parent, err);
    a->parent.kind = rc == WH_OK ? kind : WH_KIND_NONE;
    return rc;
}

/* ---- the child ---- */

/* Of several parents that are gone, the last one counts. */
static enum wh_rc find_gone(struct sink_apply *a, const struct sink_cached *c,
                            struct sink_parent *ret, struct wh_err *err)
{
    const struct sink_refs *refs = &a->refs[c->kind];
    const struct wh_body *body = &c->head->body;

    *ret = (struct sink_parent){0};
    for (unsigned i = 0; i < refs->n_parents; i++) {
        unsigned field = refs->parents[i];

        if ((body->present >> field & 1) == 0 || body->values[field].is_null) {
            continue;
        }
        if (find_parent(a, body->def->fields[field].ref_kind, &body->values[field].u.ref, err) !=
            WH_OK) {
            return err->rc;
        }
        if (a->parent.gone && wh_version_cmp(a->parent.version, c->head->version) > 0 &&
            wh_slice_eq(a->parent.instance, c->head->source.instance) &&
            (!ret->gone || wh_version_cmp(a->parent.version, ret->version) > 0)) {
            *ret = a->parent;
        }
    }
    return WH_OK;
}

enum wh_rc sink_parents_look(struct sink_apply *a, struct sink_cached *c, struct wh_err *err)
{
    struct sink_kind_counts *counts = &a->totals.counts[c->kind];
    struct wh_head *h = c->head;
    bool was = wh_head_is_gone(h);
    struct sink_parent gone;

    if (find_gone(a, c, &gone, err) != WH_OK) {
        return err->rc;
    }
    if (wh_slice_eq(h->parent_reason, gone.reason) &&
        wh_version_cmp(h->parent_version, gone.version) == 0) {
        return WH_OK;
    }
    h->parent_reason = gone.reason;
    h->parent_version = gone.version;
    c->dirty = true;
    counts->deleted += (uint64_t)wh_head_is_gone(h);
    counts->deleted -= (uint64_t)was;
    return WH_OK;
}

/* ---- a parent went or came back ---- */

static void due_key(unsigned char key[DUE_KEY], enum wh_kind kind, const struct wh_entity_id *id)
{
    key[0] = 'k';
    sink_entity_key(key + 1, kind, id);
}

enum wh_rc sink_parents_changed(struct sink_apply *a, const struct sink_cached *c,
                                const struct sink_parent *before, struct wh_err *err)
{
    const struct sink_parent now = sink_parent_of(c);
    unsigned char key[DUE_KEY];

    if (!has_children(c->kind) || (!now.gone && !before->gone) ||
        (now.gone == before->gone && wh_slice_eq(now.reason, before->reason) &&
         wh_version_cmp(now.version, before->version) == 0)) {
        return WH_OK;
    }
    a->parent.kind = WH_KIND_NONE;
    a->totals.parents++;
    due_key(key, c->kind, &c->id);
    return sink_op_put(a, SINK_META, wh_slice(key, sizeof(key)), WH_LIT(""), err);
}

uint64_t sink_parents_events(const struct sink_apply *a)
{
    return a->committed->parents;
}

/* ---- a step ---- */

struct step {
    struct sink_apply *a;
    enum wh_kind kind; /* of the parent */
    struct wh_entity_id id;
    unsigned char from[SINK_LINK_KEY]; /* the last child that was looked at */
    size_t from_len;
    size_t left; /* children that this step may look at */
};

static enum wh_rc take_due(struct step *s, struct wh_slice key, struct wh_slice value,
                           struct wh_err *err)
{
    if (key.len != DUE_KEY || value.len > sizeof(s->from) ||
        wh_kind_def((enum wh_kind)(unsigned char)key.ptr[1]) == NULL) {
        return wh_fail(err, WH_E_CORRUPT, "a key 'k' of meta is damaged");
    }
    s->kind = (enum wh_kind)(unsigned char)key.ptr[1];
    memcpy(s->id.bytes, key.ptr + 2, sizeof(s->id.bytes));
    s->from_len = value.len;
    memcpy(s->from, value.ptr ? value.ptr : "", value.len);
    return WH_OK;
}

static enum wh_rc look_at(struct step *s, struct wh_slice key, struct wh_err *err)
{
    enum wh_kind kind = (enum wh_kind)(unsigned char)key.ptr[16];
    struct wh_entity_id id;
    struct sink_cached *c;

    memcpy(id.bytes, key.ptr + RELATION_KEY, sizeof(id.bytes));
    memcpy(s->from, key.ptr, sizeof(s->from));
    s->from_len = sizeof(s->from);
    s->left--;
    c = sink_cached_get(s->a, kind, &id, err);
    if (c == NULL) {
        return err->rc;
    }
    return c->is_new ? WH_OK : sink_parents_look(s->a, c, err);
}

/* The children that refer to the parent by one field. */
static enum wh_rc look_at_relation(struct step *s, enum wh_kind kind, unsigned field,
                                   struct wh_err *err)
{
    unsigned char prefix[RELATION_KEY];
    struct wh_slice start = wh_slice(prefix, sizeof(prefix));
    struct wh_slice last = wh_slice("", 0);
    unsigned char copy[SINK_LINK_KEY];
    struct wh_slice key;
    struct wh_slice value;
    struct wh_iter *it;
    enum wh_rc rc = WH_OK;

    memcpy(prefix, s->id.bytes, sizeof(s->id.bytes));
    prefix[16] = (unsigned char)kind;
    prefix[17] = (unsigned char)field;
    if (s->from_len == sizeof(s->from) && memcmp(s->from, prefix, sizeof(prefix)) > 0) {
        return WH_OK; /* an earlier step was there */
    }
    if (s->from_len && memcmp(s->from, prefix, sizeof(prefix)) == 0) {
        memcpy(copy, s->from, sizeof(copy));
        last = wh_slice(copy, sizeof(copy));
    }
    if (wh_iter_new(s->a->store, NULL, SINK_BACKLINKS, start, wh_slice("", 0), &it, err) != WH_OK) {
        return err->rc;
    }
    for (wh_iter_seek(it, last.len ? last : start, false);
         rc == WH_OK && s->left > 0 && wh_iter_valid(it, &key, &value) &&
         wh_slice_starts(key, start) && key.len == SINK_LINK_KEY;
         wh_iter_step(it, false)) {
        rc = wh_slice_eq(key, last) ? WH_OK : look_at(s, key, err);
    }
    rc = rc == WH_OK ? wh_iter_error(it, err) : rc;
    wh_iter_free(it);
    return rc;
}

static enum wh_rc look_at_all(struct step *s, struct wh_err *err)
{
    for (unsigned k = 0; k < WH_KIND_COUNT; k++) {
        const struct sink_refs *refs = &s->a->refs[k];
        const struct wh_kind_def *def = wh_kind_def((enum wh_kind)k);

        for (unsigned i = 0; def && i < refs->n_parents && s->left > 0; i++) {
            if (def->fields[refs->parents[i]].ref_kind == s->kind &&
                look_at_relation(s, (enum wh_kind)k, refs->parents[i], err) != WH_OK) {
                return err->rc;
            }
        }
    }
    return WH_OK;
}

/* Where the next step goes on, or that there is none. */
static enum wh_rc save_place(struct step *s, struct wh_err *err)
{
    unsigned char key[DUE_KEY];

    due_key(key, s->kind, &s->id);
    if (s->left > 0) {
        return sink_op_remove(s->a, SINK_META, wh_slice(key, sizeof(key)), err);
    }
    return sink_op_put(s->a, SINK_META, wh_slice(key, sizeof(key)), wh_slice(s->from, s->from_len),
                       err);
}

/* The parents in the order of their keys. *ret_n: how many were taken. */
static enum wh_rc look_at_parents(struct step *s, size_t most, size_t *ret_n, struct wh_err *err)
{
    struct wh_slice key;
    struct wh_slice value;
    struct wh_iter *it;
    enum wh_rc rc = WH_OK;

    *ret_n = 0;
    if (wh_iter_new(s->a->store, NULL, SINK_META, WH_LIT("k"), WH_LIT("l"), &it, err) != WH_OK) {
        return err->rc;
    }
    for (wh_iter_seek(it, WH_LIT("k"), false);
         rc == WH_OK && s->left > 0 && *ret_n < most && wh_iter_valid(it, &key, &value);
         wh_iter_step(it, false)) {
        ++*ret_n;
        rc = take_due(s, key, value, err);
        rc = rc == WH_OK ? look_at_all(s, err) : rc;
        rc = rc == WH_OK ? save_place(s, err) : rc;
    }
    rc = rc == WH_OK ? wh_iter_error(it, err) : rc;
    wh_iter_free(it);
    return rc;
}

enum wh_rc sink_parents_step(struct sink_apply *a, size_t most, bool sync, bool *ret_more,
                             struct wh_err *err)
{
    struct step s = {.a = a, .left = most};
    size_t n = 0;
    enum wh_rc rc;

    sink_apply_begin(a);
    rc = look_at_parents(&s, most, &n, err);
    *ret_more = n > 0;
    if (rc == WH_OK && n > 0) {
        rc = sink_apply_seal(a, err);
        rc = rc == WH_OK ? sink_apply_commit(a, sync, err) : rc;
    }
    sink_apply_begin(a);
    return rc;
}
