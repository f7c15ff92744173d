/* Ranges of keys whose entries name entities. */
#include "common/base/mem.h"
#include "stages/sink/past/past_priv.h"

enum { KEY_MAX_BYTES = 16 << 10 };

/* How a key names an entity. */
enum shape { SHAPE_ENTITY, SHAPE_NAME, SHAPE_NAMES, SHAPE_LINK, SHAPE_BACKLINK, SHAPE_INDEX };

struct past_scan {
    struct past *past;
    struct wh_iter *it;
    struct wh_buf prefix;
    struct wh_buf upper;
    enum shape shape;
    enum wh_kind kind; /* of SHAPE_INDEX */
    bool mentions;     /* of names */
    bool begun;
    struct past_list *list; /* of the past, when an index does not give it; NULL otherwise */
};

void past_scan_free(struct past_scan *scan)
{
    if (scan == NULL) {
        return;
    }
    wh_iter_free(scan->it);
    past_list_free(scan->list);
    wh_buf_done(&scan->prefix);
    wh_buf_done(&scan->upper);
    wh_mem_free(scan);
}

/* An empty scan, whose prefix the caller fills; NULL without memory. */
static struct past_scan *begin(struct past *p, enum shape shape)
{
    struct past_scan *scan = wh_mem_zalloc(1, sizeof(*scan));

    if (scan) {
        scan->past = p;
        scan->shape = shape;
        wh_buf_init(&scan->prefix, KEY_MAX_BYTES);
        wh_buf_init(&scan->upper, KEY_MAX_BYTES);
    }
    return scan;
}

static enum wh_rc no_memory(struct wh_err *err)
{
    return wh_fail(err, WH_E_NOMEM, "no memory for a scan");
}

/* The smallest key behind all keys with the prefix; empty: the end of the family. */
static void raise_upper(struct wh_buf *upper)
{
    while (upper->len > 0 && (unsigned char)upper->ptr[upper->len - 1] == 0xFF) {
        upper->len--;
    }
    if (upper->len > 0) {
        upper->ptr[upper->len - 1] = (char)((unsigned char)upper->ptr[upper->len - 1] + 1);
    }
}

/* Reads the keys with the prefix, or, when upper is set, those from the prefix up to it. Frees the scan on
 * failure. */
static enum wh_rc open_scan(struct past_scan *scan, unsigned family, enum wh_rc rc,
                            struct past_scan **ret, struct wh_err *err)
{
    const struct past_conf *conf = &scan->past->conf;

    if (rc == WH_OK && scan->upper.len == 0) {
        rc = wh_buf_append(&scan->upper, wh_buf_slice(&scan->prefix), err);
    }
    if (rc == WH_OK) {
        raise_upper(&scan->upper);
        rc = wh_iter_new(conf->store, conf->snap, family, wh_buf_slice(&scan->prefix),
                         wh_buf_slice(&scan->upper), &scan->it, err);
    }
    if (rc != WH_OK) {
        past_scan_free(scan);
        return rc;
    }
    wh_iter_seek(scan->it, wh_buf_slice(&scan->prefix), false);
    *ret = scan;
    return WH_OK;
}

/* A scan of the keys that begin with these bytes. */
static enum wh_rc by_prefix(struct past *p, enum shape shape, enum wh_kind kind, unsigned family,
                            const void *prefix, size_t len, struct past_scan **ret,
                            struct wh_err *err)
{
    struct past_scan *scan = begin(p, shape);

    if (scan == NULL) {
        return no_memory(err);
    }
    scan->kind = kind;
    return open_scan(scan, family, wh_buf_append(&scan->prefix, wh_slice(prefix, len), err), ret,
                     err);
}

enum wh_rc past_each(struct past *p, enum wh_kind kind, struct past_scan **ret, struct wh_err *err)
{
    const unsigned char prefix = (unsigned char)kind;

    return by_prefix(p, SHAPE_ENTITY, kind, SINK_ENTITIES, &prefix, 1, ret, err);
}

/* A scan of what was found in the past. Frees the list on failure. */
static enum wh_rc of_list(struct past *p, enum wh_rc rc, struct past_list **list,
                          struct past_scan **ret, struct wh_err *err)
{
    struct past_scan *scan = rc == WH_OK ? begin(p, SHAPE_INDEX) : NULL;

    if (scan == NULL) {
        past_list_free(*list);
        return rc == WH_OK ? no_memory(err) : rc;
    }
    scan->list = *list;
    *ret = scan;
    return WH_OK;
}

static enum wh_rc by_name(struct past *p, unsigned family, struct wh_slice name,
                          struct past_scan **ret, struct wh_err *err)
{
    struct past_scan *scan = begin(p, SHAPE_NAME);

    if (scan == NULL) {
        return no_memory(err);
    }
    scan->mentions = family == SINK_MENTIONS;
    return open_scan(scan, family, sink_name_prefix(name, &scan->prefix, err), ret, err);
}

enum wh_rc past_claimants(struct past *p, struct wh_slice name, struct past_scan **ret,
                          struct wh_err *err)
{
    return by_name(p, SINK_CLAIMS, name, ret, err);
}

enum wh_rc past_mentioners(struct past *p, struct wh_slice name, struct past_scan **ret,
                           struct wh_err *err)
{
    return by_name(p, SINK_MENTIONS, name, ret, err);
}

enum wh_rc past_names(struct past *p, bool mentions, struct wh_slice prefix, struct past_scan **ret,
                      struct wh_err *err)
{
    struct past_scan *scan = begin(p, SHAPE_NAMES);
    enum wh_rc rc;

    if (scan == NULL) {
        return no_memory(err);
    }
    scan->mentions = mentions;
    rc = wh_buf_append_char(&scan->prefix, 'k', err);
    rc = rc == WH_OK ? wh_buf_append(&scan->prefix, prefix, err) : rc;
    return open_scan(scan, mentions ? SINK_MENTIONS : SINK_CLAIMS, rc, ret, err);
}

enum wh_rc past_links_from(struct past *p, const struct wh_entity_id *id, struct past_scan **ret,
                           struct wh_err *err)
{
    struct past_list *list = NULL;

    if (!sink_is_now(p->when)) {
        return of_list(p, past_then_links_from(p, id, &list, err), &list, ret, err);
    }
    return by_prefix(p, SHAPE_LINK, WH_KIND_NONE, SINK_LINKS, id->bytes, sizeof(id->bytes), ret,
                     err);
}

enum wh_rc past_links_to(struct past *p, const struct wh_entity_id *id, struct past_scan **ret,
                         struct wh_err *err)
{
    struct past_list *list = NULL;

    if (!sink_is_now(p->when)) {
        return of_list(p, past_then_links_to(p, id, &list, err), &list, ret, err);
    }
    return by_prefix(p, SHAPE_BACKLINK, WH_KIND_NONE, SINK_BACKLINKS, id->bytes, sizeof(id->bytes),
                     ret, err);
}

enum wh_rc past_of_project(struct past *p, enum wh_kind kind, const struct wh_entity_id *project,
                           struct past_scan **ret, struct wh_err *err)
{
    unsigned char prefix[SINK_ENTITY_KEY];
    struct past_list *list = NULL;

    if (!sink_is_now(p->when)) {
        return of_list(p, past_then_of_project(p, kind, project, &list, err), &list, ret, err);
    }
    sink_entity_key(prefix, kind, project);
    return by_prefix(p, SHAPE_INDEX, kind, SINK_BY_PROJECT, prefix, sizeof(prefix), ret, err);
}

enum wh_rc past_by_commit(struct past *p, enum wh_kind kind, const char *field,
                          struct wh_slice commit, struct past_scan **ret, struct wh_err *err)
{
    unsigned char prefix[SINK_BY_VALUE_KEY];
    unsigned number = (unsigned)wh_kind_field(wh_kind_def(kind), wh_slice_str(field));
    size_t len = sink_commit_prefix(prefix, kind, number, commit);
    struct past_list *list = NULL;

    if (!sink_is_now(p->when)) {
        return of_list(
            p,
            past_then_by_value(p, kind, number, wh_slice(prefix, len), wh_slice("", 0), &list, err),
            &list, ret, err);
    }
    return by_prefix(p, SHAPE_INDEX, kind, SINK_BY_VALUE, prefix, len, ret, err);
}

enum wh_rc past_by_time(struct past *p, enum wh_kind kind, const char *field, int64_t from_ms,
                        int64_t to_ms, struct past_scan **ret, struct wh_err *err)
{
    const unsigned number = (unsigned)wh_kind_field(wh_kind_def(kind), wh_slice_str(field));
    struct wh_value value = {.u.i = from_ms};
    unsigned char bound[SINK_BY_VALUE_KEY];
    struct past_scan *scan = begin(p, SHAPE_INDEX);
    size_t len = sink_value_prefix(bound, kind, number, &value);
    enum wh_rc rc;

    if (scan == NULL) {
        return no_memory(err);
    }
    scan->kind = kind;
    rc = wh_buf_append(&scan->prefix, wh_slice(bound, len), err);
    value.u.i = to_ms;
    len = sink_value_prefix(bound, kind, number, &value);
    rc = rc == WH_OK ? wh_buf_append(&scan->upper, wh_slice(bound, len), err) : rc;
    if (!sink_is_now(p->when) && rc == WH_OK) {
        raise_upper(&scan->upper);
        rc = past_then_by_value(p, kind, number, wh_buf_slice(&scan->prefix),
                                wh_buf_slice(&scan->upper), &scan->list, err);
    }
    if (scan->list) {
        *ret = scan;
        return WH_OK;
    }
    return open_scan(scan, SINK_BY_VALUE, rc, ret, err);
}

/* ---- the next one ---- */

static struct wh_entity_id id_at(struct wh_slice key, size_t at)
{
    struct wh_entity_id id;

    memcpy(id.bytes, key.ptr + at, sizeof(id.bytes));
    return id;
}

static bool name_found(const struct past_scan *scan, struct wh_slice key, struct wh_slice value,
                       struct past_found *ret)
{
    size_t at = key.len - SINK_ENTITY_KEY;

    /* A name that goes on behind a zero byte has the same beginning. */
    if (key.len < SINK_ENTITY_KEY + 2 || value.len != 1 ||
        (sink_is_now(scan->past->when) && !(value.ptr[0] & SINK_NAME_CURRENT)) ||
        (scan->shape == SHAPE_NAME && at != scan->prefix.len)) {
        return false;
    }
    ret->kind = (enum wh_kind)(unsigned char)key.ptr[at];
    ret->id = id_at(key, at + 1);
    ret->name = wh_slice(key.ptr + 1, at - 2);
    return true;
}

static bool link_found(const struct past_scan *scan, struct wh_slice key, struct wh_slice value,
                       struct past_found *ret)
{
    const struct wh_kind_def *from;

    if (key.len != SINK_LINK_KEY || value.len < 16) {
        return false;
    }
    from = wh_kind_def((enum wh_kind)(unsigned char)key.ptr[16]);
    ret->field = (unsigned char)key.ptr[17];
    if (from == NULL || ret->field >= from->n_fields) {
        return false;
    }
    ret->id = id_at(key, 18);
    ret->kind = scan->shape == SHAPE_BACKLINK ? from->kind : from->fields[ret->field].ref_kind;
    ret->version = (struct wh_version){wh_be_get64(value.ptr), wh_be_get64(value.ptr + 8)};
    return true;
}

static bool found_in(const struct past_scan *scan, struct wh_slice key, struct wh_slice value,
                     struct past_found *ret)
{
    *ret = (struct past_found){.kind = scan->kind};
    switch (scan->shape) {
    case SHAPE_NAME:
    case SHAPE_NAMES:
        return name_found(scan, key, value, ret);
    case SHAPE_LINK:
    case SHAPE_BACKLINK:
        return link_found(scan, key, value, ret);
    case SHAPE_ENTITY:
    case SHAPE_INDEX:
    default:
        if (key.len < SINK_ENTITY_KEY) {
            return false;
        }
        ret->id = id_at(key, key.len - sizeof(ret->id.bytes));
        return true;
    }
}

/* Drops what was found when its head of then does not confirm it. */
static enum wh_rc confirm(const struct past_scan *scan, const struct past_found *found,
                          bool *ret_found, struct wh_err *err)
{
    bool names = scan->shape == SHAPE_NAME || scan->shape == SHAPE_NAMES;
    const struct wh_head *head = NULL;

    if (!*ret_found || sink_is_now(scan->past->when)) {
        return WH_OK;
    }
    if (past_look(scan->past, found->kind, &found->id, &head, err) != WH_OK) {
        return err->rc;
    }
    *ret_found = head && !(names && head->deleted);
    return *ret_found && names
               ? past_has_name(scan->past, head, scan->mentions, found->name, ret_found, err)
               : WH_OK;
}

enum wh_rc past_next(struct past_scan *scan, struct past_found *ret, bool *ret_found,
                     struct wh_err *err)
{
    struct wh_slice key;
    struct wh_slice value;

    *ret_found = false;
    if (scan->list) {
        past_list_next(scan->list, ret, ret_found);
        return WH_OK;
    }
    while (!*ret_found) {
        if (scan->begun) {
            wh_iter_step(scan->it, false);
        }
        scan->begun = true;
        if (past_check(scan->past, err) != WH_OK) {
            return err->rc;
        }
        if (!wh_iter_valid(scan->it, &key, &value)) {
            return wh_iter_error(scan->it, err);
        }
        *ret_found = found_in(scan, key, value, ret);
        if (confirm(scan, ret, ret_found, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}
