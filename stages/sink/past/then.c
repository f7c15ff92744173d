/*
 * The past: candidates are what an index has now and what was in it once (the family former). The head of
 * then decides, and the list is sorted as the index would be.
 */
#include <stdlib.h>

#include "common/base/mem.h"
#include "stages/sink/past/past_priv.h"

enum { ORDER_MAX = SINK_BY_VALUE_KEY + 16, LIST_MAX = 1 << 20 };

struct item {
    struct past_found found;
    size_t order_len;
    unsigned char order[ORDER_MAX]; /* as the key of the index, without its common beginning */
};

struct past_list {
    struct item *items;
    size_t n;
    size_t cap;
    size_t at;
};

void past_list_free(struct past_list *list)
{
    if (list) {
        wh_mem_free(list->items);
        wh_mem_free(list);
    }
}

static enum wh_rc add(struct past_list *list, const struct past_found *found, const void *order,
                      size_t order_len, struct wh_err *err)
{
    struct item *item;

    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 16;
        struct item *items =
            list->n < LIST_MAX ? wh_mem_resize(list->items, cap, sizeof(*items)) : NULL;

        if (items == NULL) {
            return wh_fail(err, list->n < LIST_MAX ? WH_E_NOMEM : WH_E_TOO_LARGE,
                           "too many entities of the past");
        }
        list->items = items;
        list->cap = cap;
    }
    item = &list->items[list->n++];
    item->found = *found;
    item->order_len = order_len;
    memcpy(item->order, order, order_len);
    return WH_OK;
}

static int by_order(const void *a, const void *b)
{
    const struct item *x = a;
    const struct item *y = b;

    return wh_slice_cmp(wh_slice(x->order, x->order_len), wh_slice(y->order, y->order_len));
}

void past_list_next(struct past_list *list, struct past_found *ret, bool *ret_found)
{
    *ret_found = list->at < list->n;
    if (*ret_found) {
        *ret = list->items[list->at++].found;
    }
}

/* ---- candidates ---- */

struct candidates {
    struct past *past;
    struct past_list *list;
    /* Adds the entity when its head of then confirms it. */
    enum wh_rc (*check)(struct candidates *c, const struct wh_head *head, struct wh_err *err);
    enum wh_kind kind; /* NONE: any */
    unsigned field;
    struct wh_entity_id id; /* that is referred to */
    struct wh_slice from;   /* value keys */
    struct wh_slice to;
};

static enum wh_rc look_at(struct candidates *c, enum wh_kind kind, const char *id,
                          struct wh_err *err)
{
    const struct wh_head *head = NULL;
    struct wh_entity_id found;

    if (wh_kind_def(kind) == NULL || (c->kind != WH_KIND_NONE && c->kind != kind)) {
        return WH_OK;
    }
    memcpy(found.bytes, id, sizeof(found.bytes));
    if (past_check(c->past, err) != WH_OK ||
        past_look(c->past, kind, &found, &head, err) != WH_OK) {
        return err->rc;
    }
    return head ? c->check(c, head, err) : WH_OK;
}

/* The keys of a family in [from, to); an empty `to`: that begin with `from`. They end with an id, and behind
 * kind_at bytes, counted from the end, stands its kind; 0: c->kind. */
static enum wh_rc look_through(struct candidates *c, unsigned family, struct wh_slice from,
                               struct wh_slice to, size_t kind_at, struct wh_err *err)
{
    struct past *p = c->past;
    struct wh_iter *it;
    struct wh_slice key;
    struct wh_slice value;
    enum wh_rc rc = WH_OK;

    if (wh_iter_new(p->conf.store, p->conf.snap, family, from, to, &it, err) != WH_OK) {
        return err->rc;
    }
    for (wh_iter_seek(it, from, false);
         rc == WH_OK && wh_iter_valid(it, &key, &value) && (to.len || wh_slice_starts(key, from));
         wh_iter_step(it, false)) {
        const char *end = key.ptr + key.len;

        if (key.len < SINK_ENTITY_KEY || key.len < kind_at) {
            continue;
        }
        rc = look_at(c, kind_at ? (enum wh_kind)(unsigned char)*(end - kind_at) : c->kind,
                     end - WH_ENTITY_ID_BYTES, err);
    }
    rc = rc == WH_OK ? wh_iter_error(it, err) : rc;
    wh_iter_free(it);
    return rc;
}

static enum wh_rc list_new(struct past *p, struct candidates *c, struct wh_err *err)
{
    c->past = p;
    c->list = wh_mem_zalloc(1, sizeof(*c->list));
    return c->list ? WH_OK : wh_fail(err, WH_E_NOMEM, "no memory for a list");
}

static enum wh_rc list_end(struct candidates *c, enum wh_rc rc, struct past_list **ret)
{
    if (rc != WH_OK) {
        past_list_free(c->list);
        return rc;
    }
    if (c->list->n) {
        qsort(c->list->items, c->list->n, sizeof(c->list->items[0]), by_order);
    }
    *ret = c->list;
    return WH_OK;
}

/* ---- links ---- */

struct refs {
    const struct wh_entity_id *ids;
    size_t n;
};

static struct refs refs_of(const struct wh_head *head, unsigned field)
{
    const struct wh_value *v = &head->body.values[field];
    enum wh_field_type type = head->body.def->fields[field].type;

    if (!(head->body.present >> field & 1) || v->is_null ||
        (type != WH_FIELD_REF && type != WH_FIELD_REFS)) {
        return (struct refs){NULL, 0};
    }
    return type == WH_FIELD_REF ? (struct refs){&v->u.ref, 1}
                                : (struct refs){v->u.refs.items, v->u.refs.n};
}

static enum wh_rc add_link(struct candidates *c, const struct wh_head *head, unsigned field,
                           enum wh_kind kind, const struct wh_entity_id *id, struct wh_err *err)
{
    unsigned char order[2 + WH_ENTITY_ID_BYTES] = {(unsigned char)head->body.def->kind,
                                                   (unsigned char)field};
    struct past_found found = {
        .kind = kind, .id = *id, .field = field, .version = head->set[field]};

    memcpy(order + 2, id->bytes, sizeof(id->bytes));
    return add(c->list, &found, order, sizeof(order), err);
}

static enum wh_rc links_of(struct candidates *c, const struct wh_head *head, struct wh_err *err)
{
    const struct wh_kind_def *def = head->body.def;

    for (unsigned i = 0; i < def->n_fields; i++) {
        struct refs refs = refs_of(head, i);

        for (size_t k = 0; k < refs.n; k++) {
            if (add_link(c, head, i, def->fields[i].ref_kind, &refs.ids[k], err) != WH_OK) {
                return err->rc;
            }
        }
    }
    return WH_OK;
}

enum wh_rc past_then_links_from(struct past *p, const struct wh_entity_id *id,
                                struct past_list **ret, struct wh_err *err)
{
    struct candidates c = {.check = links_of};
    enum wh_rc rc = list_new(p, &c, err);

    if (rc != WH_OK) {
        return rc;
    }
    for (unsigned k = WH_KIND_NONE + 1; rc == WH_OK && k < WH_KIND_COUNT; k++) {
        rc = look_at(&c, (enum wh_kind)k, (const char *)id->bytes, err);
    }
    return list_end(&c, rc, ret);
}

static enum wh_rc refers_to(struct candidates *c, const struct wh_head *head, struct wh_err *err)
{
    const struct wh_kind_def *def = head->body.def;

    for (unsigned i = 0; i < def->n_fields; i++) {
        struct refs refs = refs_of(head, i);

        for (size_t k = 0; k < refs.n; k++) {
            if (wh_entity_id_cmp(&refs.ids[k], &c->id) == 0 &&
                add_link(c, head, i, def->kind, &head->id, err) != WH_OK) {
                return err->rc;
            }
        }
    }
    return WH_OK;
}

/* One entity may refer to another by several fields: then it was a candidate, and is in the list, more often
 * than once. */
static void drop_repeated(struct past_list *list)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->n; i++) {
        if (kept == 0 || by_order(&list->items[kept - 1], &list->items[i]) != 0) {
            list->items[kept++] = list->items[i];
        }
    }
    list->n = kept;
}

enum wh_rc past_then_links_to(struct past *p, const struct wh_entity_id *id, struct past_list **ret,
                              struct wh_err *err)
{
    struct candidates c = {.check = refers_to, .id = *id};
    const struct wh_slice to = wh_slice(id->bytes, sizeof(id->bytes));
    unsigned char former[1 + WH_ENTITY_ID_BYTES] = {'l'};
    enum wh_rc rc = list_new(p, &c, err);

    if (rc != WH_OK) {
        return rc;
    }
    memcpy(former + 1, id->bytes, sizeof(id->bytes));
    rc = look_through(&c, SINK_BACKLINKS, to, wh_slice("", 0), 1 + 1 + WH_ENTITY_ID_BYTES, err);
    if (rc == WH_OK) {
        rc = look_through(&c, SINK_FORMER, wh_slice(former, sizeof(former)), wh_slice("", 0),
                          SINK_ENTITY_KEY, err);
    }
    rc = list_end(&c, rc, ret);
    if (rc == WH_OK) {
        drop_repeated(*ret);
    }
    return rc;
}

/* ---- of a project ---- */

static int64_t changed_ms(const struct wh_head *head)
{
    return wh_head_changed_ms(past_field(head, "updated_at"), head->version);
}

static enum wh_rc is_in_project(struct candidates *c, const struct wh_head *head,
                                struct wh_err *err)
{
    const struct wh_value *project = past_field(head, "project");
    struct past_found found = {.kind = c->kind, .id = head->id};
    unsigned char order[8 + WH_ENTITY_ID_BYTES];

    if (project == NULL || wh_entity_id_cmp(&project->u.ref, &c->id) != 0) {
        return WH_OK;
    }
    wh_be_put64(order, sink_time_key(changed_ms(head)));
    memcpy(order + 8, head->id.bytes, sizeof(head->id.bytes));
    return add(c->list, &found, order, sizeof(order), err);
}

enum wh_rc past_then_of_project(struct past *p, enum wh_kind kind,
                                const struct wh_entity_id *project, struct past_list **ret,
                                struct wh_err *err)
{
    struct candidates c = {.check = is_in_project, .kind = kind, .id = *project};
    unsigned char now[SINK_ENTITY_KEY];
    unsigned char former[1 + WH_ENTITY_ID_BYTES] = {'l'};
    enum wh_rc rc = list_new(p, &c, err);

    if (rc != WH_OK) {
        return rc;
    }
    sink_entity_key(now, kind, project);
    memcpy(former + 1, project->bytes, sizeof(project->bytes));
    rc = look_through(&c, SINK_BY_PROJECT, wh_slice(now, sizeof(now)), wh_slice("", 0), 0, err);
    if (rc == WH_OK) {
        rc = look_through(&c, SINK_FORMER, wh_slice(former, sizeof(former)), wh_slice("", 0),
                          SINK_ENTITY_KEY, err);
    }
    rc = list_end(&c, rc, ret);
    if (rc == WH_OK) {
        drop_repeated(*ret);
    }
    return rc;
}

/* ---- by a value ---- */

static enum wh_rc has_value(struct candidates *c, const struct wh_head *head, struct wh_err *err)
{
    struct past_found found = {.kind = c->kind, .id = head->id};
    unsigned char order[SINK_BY_VALUE_KEY + WH_ENTITY_ID_BYTES];
    struct wh_slice key;
    size_t len;

    if (!(head->body.present >> c->field & 1) ||
        (head->body.def->fields[c->field].type == WH_FIELD_STRING &&
         head->body.values[c->field].u.str.len >= WH_FAR_BYTES)) {
        return WH_OK;
    }
    len = sink_value_prefix(order, c->kind, c->field, &head->body.values[c->field]);
    key = wh_slice(order, len);
    if (len == 0 || (c->to.len ? wh_slice_cmp(key, c->from) < 0 || wh_slice_cmp(key, c->to) >= 0
                               : !wh_slice_starts(key, c->from))) {
        return WH_OK;
    }
    memcpy(order + len, head->id.bytes, sizeof(head->id.bytes));
    return add(c->list, &found, order, len + sizeof(head->id.bytes), err);
}

enum wh_rc past_then_by_value(struct past *p, enum wh_kind kind, unsigned field,
                              struct wh_slice from, struct wh_slice to, struct past_list **ret,
                              struct wh_err *err)
{
    struct candidates c = {
        .check = has_value, .kind = kind, .field = field, .from = from, .to = to};
    struct wh_buf former[2];
    enum wh_rc rc = list_new(p, &c, err);

    if (rc != WH_OK) {
        return rc;
    }
    wh_buf_init(&former[0], 2 * SINK_BY_VALUE_KEY);
    wh_buf_init(&former[1], 2 * SINK_BY_VALUE_KEY);
    rc = look_through(&c, SINK_BY_VALUE, from, to, 0, err);
    if (rc == WH_OK) {
        rc = sink_former_value_key(from, kind, NULL, &former[0], err);
    }
    if (rc == WH_OK && to.len) {
        rc = sink_former_value_key(to, kind, NULL, &former[1], err);
    }
    if (rc == WH_OK) {
        rc = look_through(&c, SINK_FORMER, wh_buf_slice(&former[0]), wh_buf_slice(&former[1]), 0,
                          err);
    }
    wh_buf_done(&former[0]);
    wh_buf_done(&former[1]);
    rc = list_end(&c, rc, ret);
    if (rc == WH_OK) {
        drop_repeated(*ret);
    }
    return rc;
}

/* ---- names ---- */

struct looking {
    struct wh_slice name;
    bool found;
};

static enum wh_rc is_name(void *ctx, const struct keys_name *found, struct wh_err *err)
{
    struct looking *l = ctx;

    (void)err;
    l->found = l->found || wh_slice_eq(found->name, l->name);
    return WH_OK;
}

enum wh_rc past_has_name(struct past *p, const struct wh_head *head, bool mentions,
                         struct wh_slice name, bool *ret, struct wh_err *err)
{
    struct looking l = {.name = name};
    enum wh_rc rc = mentions ? keys_mentions(&p->keys, &head->source, &head->body, is_name, &l, err)
                             : keys_claims(&p->keys, &head->source, &head->body, is_name, &l, err);

    *ret = l.found;
    return rc;
}
