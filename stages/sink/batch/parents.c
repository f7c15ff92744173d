#include "stages/sink/batch/parents.h"

#include <string.h>

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
                                .instance = h->source.instance,
                                .url = c->kind == WH_KIND_PROJECT ? h->source.url
                                                                  : (struct wh_slice){NULL, 0}};
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
    if (wh_arena_dup(&a->arena, view.source.instance, &p->instance, err) != WH_OK ||
        (p->kind == WH_KIND_PROJECT &&
         wh_arena_dup(&a->arena, view.source.url, &p->url, err) != WH_OK)) {
        return err->rc;
    }
    return p->gone ? wh_arena_dup(&a->arena, view.reason, &p->reason, err) : WH_OK;
}

static struct sink_parent *slot_of(struct sink_apply *a, const struct wh_entity_id *id)
{
    return &a->parents[id->bytes[sizeof(id->bytes) - 1] % SINK_PARENT_SLOTS];
}

/* The parent, from the batch or else from the store; the last ones are remembered. Of other kinds than projects none is looked
 * up as long as no entity of the kind is deleted. */
static enum wh_rc find_parent(struct sink_apply *a, enum wh_kind kind,
                              const struct wh_entity_id *id, const struct sink_parent **ret,
                              struct wh_err *err)
{
    struct sink_parent *p = slot_of(a, id);
    const struct sink_cached *c;
    enum wh_rc rc;

    *ret = p;
    if (p->kind == kind && wh_entity_id_cmp(&p->id, id) == 0) {
        return WH_OK;
    }
    c = sink_cached_find(a, kind, id);
    *p = c ? sink_parent_of(c) : (struct sink_parent){.kind = kind, .id = *id};
    if (c || (kind != WH_KIND_PROJECT && a->totals.counts[kind].deleted == 0)) {
        return WH_OK;
    }
    rc = read_parent(a, p, err);
    p->kind = rc == WH_OK ? kind : WH_KIND_NONE;
    return rc;
}

/* ---- the child ---- */

/* What the parents say about a child. */
struct said {
    struct sink_parent gone; /* of several parents that are gone, the last one counts */
    struct wh_slice project_url;
};

static void ask_parent(const struct sink_parent *p, const struct wh_head *child, struct said *said)
{
    if (!wh_slice_eq(p->instance, child->source.instance)) {
        return;
    }
    if (p->kind == WH_KIND_PROJECT) {
        said->project_url = p->url;
    }
    if (p->gone && wh_version_cmp(p->version, child->version) > 0 &&
        (!said->gone.gone || wh_version_cmp(p->version, said->gone.version) > 0)) {
        said->gone = *p;
    }
}

static enum wh_rc ask_parents(struct sink_apply *a, const struct sink_cached *c, struct said *ret,
                              struct wh_err *err)
{
    const struct sink_refs *refs = &a->refs[c->kind];
    const struct wh_body *body = &c->head->body;

    *ret = (struct said){0};
    for (unsigned i = 0; i < refs->n_parents; i++) {
        unsigned field = refs->parents[i];
        const struct sink_parent *p;

        if ((body->present >> field & 1) == 0 || body->values[field].is_null) {
            continue;
        }
        if (find_parent(a, body->def->fields[field].ref_kind, &body->values[field].u.ref, &p,
                        err) != WH_OK) {
            return err->rc;
        }
        ask_parent(p, c->head, ret);
    }
    return WH_OK;
}

static void note_gone(struct sink_apply *a, struct sink_cached *c, const struct sink_parent *gone)
{
    struct sink_kind_counts *counts = &a->totals.counts[c->kind];
    struct wh_head *h = c->head;
    bool was = wh_head_is_gone(h);

    if (wh_slice_eq(h->parent_reason, gone->reason) &&
        wh_version_cmp(h->parent_version, gone->version) == 0) {
        return;
    }
    h->parent_reason = gone->reason;
    h->parent_version = gone->version;
    c->dirty = true;
    counts->deleted += (uint64_t)wh_head_is_gone(h);
    counts->deleted -= (uint64_t)was;
}

/* Where a text begins in another; the other's length: nowhere. */
static size_t find(struct wh_slice in, const char *text)
{
    const char *at = in.len ? memmem(in.ptr, in.len, text, strlen(text)) : NULL;

    return at ? (size_t)(at - in.ptr) : in.len;
}

/* The length of scheme and authority, with the slash behind them; 0: it is not an address. */
static size_t origin_len(struct wh_slice url)
{
    size_t scheme = find(url, "://");
    size_t end;

    if (scheme == url.len) {
        return 0;
    }
    end = find(wh_slice_from(url, scheme + 3), "/");
    return scheme + 3 + end < url.len ? scheme + 3 + end + 1 : 0;
}

/* Where the part of an object's address begins that its project does not decide; the address's length: nowhere. */
static size_t own_part(struct wh_slice url, struct wh_slice project_url)
{
    size_t origin = origin_len(project_url);

    if (origin == 0 || url.len < origin || memcmp(url.ptr, project_url.ptr, origin) != 0) {
        return url.len;
    }
    return find(url, "/-/");
}

static enum wh_rc note_address(struct sink_apply *a, struct sink_cached *c,
                               struct wh_slice project_url, struct wh_err *err)
{
    struct wh_slice *url = &c->head->source.url;
    size_t own = own_part(*url, project_url);
    void *memory;
    char *moved;

    if (own == url->len ||
        (own == project_url.len && memcmp(url->ptr, project_url.ptr, own) == 0)) {
        return WH_OK;
    }
    if (wh_arena_alloc(&a->arena, project_url.len + url->len - own, &memory, err) != WH_OK) {
        return err->rc;
    }
    moved = memory;
    memcpy(moved, project_url.ptr, project_url.len);
    memcpy(moved + project_url.len, url->ptr + own, url->len - own);
    *url = wh_slice(moved, project_url.len + url->len - own);
    c->dirty = true;
    return WH_OK;
}

enum wh_rc sink_parents_look(struct sink_apply *a, struct sink_cached *c, struct wh_err *err)
{
    struct said said;

    if (ask_parents(a, c, &said, err) != WH_OK) {
        return err->rc;
    }
    note_gone(a, c, &said.gone);
    return note_address(a, c, said.project_url, err);
}

/* ---- a parent went, came back or moved ---- */

static void due_key(unsigned char key[DUE_KEY], enum wh_kind kind, const struct wh_entity_id *id)
{
    key[0] = 'k';
    sink_entity_key(key + 1, kind, id);
}

/* Its children have to be looked at. */
static bool says_more(const struct sink_parent *now, const struct sink_parent *before)
{
    if (!wh_slice_eq(now->url, before->url)) {
        return true;
    }
    return (now->gone || before->gone) &&
           (now->gone != before->gone || !wh_slice_eq(now->reason, before->reason) ||
            wh_version_cmp(now->version, before->version) != 0);
}

enum wh_rc sink_parents_changed(struct sink_apply *a, const struct sink_cached *c,
                                const struct sink_parent *before, struct wh_err *err)
{
    const struct sink_parent now = sink_parent_of(c);
    unsigned char key[DUE_KEY];

    if (!has_children(c->kind) || !says_more(&now, before)) {
        return WH_OK;
    }
    slot_of(a, &c->id)->kind = WH_KIND_NONE;
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
