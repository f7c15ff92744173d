/* The stored forms of heads and entries; see history.h. */
#include "common/avro/wire.h"
#include "common/event/history.h"

/* FLAG_REVISION is of entries; FLAG_PARENT and FLAG_MOVED are of heads. */
enum { FLAG_DELETED = 1, FLAG_REVISION = 2, FLAG_PARENT = 2, FLAG_MOVED = 4 };
enum { VERSIONS_MAX = 2 * WH_FIELDS_MAX, LENGTH_BYTES = 4 };

static uint64_t bit(unsigned field)
{
    return UINT64_C(1) << field;
}

/*
 * Head:   body length, body (wh_body_encode_far) - first, so that a column is read without the rest
 *         flags, 7 source texts, version, reason, deleted version, first seen, last seen,
 *         if it is gone with its parent: the reason and the version of that,
 *         n distinct versions ascending, then for each present field the indexes of shown and set
 * Entry:  flags, reason, shown, delta (wh_body_encode), provenance, source project, iid, url
 * A version is two longs: order, tie.
 */

static void write_version(struct wh_avro_writer *w, struct wh_version v)
{
    wh_avro_write_long(w, (int64_t)v.order);
    wh_avro_write_long(w, (int64_t)v.tie);
}

static struct wh_version read_version(struct wh_avro_reader *r)
{
    struct wh_version v;

    v.order = (uint64_t)wh_avro_read_long(r);
    v.tie = (uint64_t)wh_avro_read_long(r);
    return v;
}

/* Distinct versions of a head in order of appearance. They are few, and neighbours often share one. */
struct versions {
    struct wh_version items[VERSIONS_MAX];
    uint8_t rank[VERSIONS_MAX]; /* place in ascending order */
    size_t n;
};

static uint8_t version_slot(struct versions *all, struct wh_version v)
{
    for (size_t i = all->n; i > 0; i--) {
        if (wh_version_cmp(all->items[i - 1], v) == 0) {
            return (uint8_t)(i - 1);
        }
    }
    all->items[all->n] = v;
    return (uint8_t)all->n++;
}

/* Writes the versions in ascending order. */
static void write_ranked(struct wh_avro_writer *w, struct versions *all)
{
    uint8_t by_rank[VERSIONS_MAX];

    for (size_t i = 0; i < all->n; i++) {
        all->rank[i] = 0;
        for (size_t k = 0; k < all->n; k++) {
            all->rank[i] =
                (uint8_t)(all->rank[i] + (wh_version_cmp(all->items[k], all->items[i]) < 0));
        }
        by_rank[all->rank[i]] = (uint8_t)i;
    }
    wh_avro_write_long(w, (int64_t)all->n);
    for (size_t i = 0; i < all->n; i++) {
        write_version(w, all->items[by_rank[i]]);
    }
}

static void write_versions(struct wh_avro_writer *w, const struct wh_head *h)
{
    struct versions all;
    uint8_t slots[VERSIONS_MAX];
    size_t n = 0;

    all.n = 0;
    for (unsigned i = 0; i < h->body.def->n_fields; i++) {
        if (h->body.present & bit(i)) {
            slots[n++] = version_slot(&all, h->shown[i]);
            slots[n++] = version_slot(&all, h->set[i]);
        }
    }
    write_ranked(w, &all);
    for (size_t i = 0; i < n; i++) {
        wh_avro_write_long(w, all.rank[slots[i]]);
    }
}

static enum wh_rc encode_head(const struct wh_head *h, size_t far_from, struct wh_buf *out,
                              struct wh_err *err)
{
    const struct wh_slice source[] = {h->source.system,  h->source.instance, h->source.kind,
                                      h->source.project, h->source.id,       h->source.iid,
                                      h->source.url};
    bool moved = !wh_slice_eq(h->shown_url, h->source.url);
    size_t start = out->len;
    struct wh_avro_writer w;
    char length[4];
    size_t body_len;

    /* Reserves room for the length, which is known afterwards. */
    if (wh_buf_append(out, wh_slice("\0\0\0\0", sizeof(length)), err) != WH_OK ||
        wh_body_encode_far(&h->body, far_from, out, err) != WH_OK) {
        return err->rc;
    }
    body_len = out->len - start - sizeof(length);
    for (unsigned i = 0; i < sizeof(length); i++) {
        out->ptr[start + i] = (char)(body_len >> (8 * i));
    }
    wh_avro_writer_init(&w, out, err);
    wh_avro_write_long(&w, (h->deleted ? FLAG_DELETED : 0) |
                               (h->parent_reason.len ? FLAG_PARENT : 0) | (moved ? FLAG_MOVED : 0));
    for (size_t i = 0; i < sizeof(source) / sizeof(source[0]); i++) {
        wh_avro_write_bytes(&w, source[i]);
    }
    write_version(&w, h->version);
    wh_avro_write_bytes(&w, h->reason);
    write_version(&w, h->deleted_version);
    wh_avro_write_long(&w, h->first_seen_ms);
    wh_avro_write_long(&w, h->last_seen_ms);
    if (h->parent_reason.len) {
        wh_avro_write_bytes(&w, h->parent_reason);
        write_version(&w, h->parent_version);
    }
    if (moved) {
        wh_avro_write_bytes(&w, h->shown_url);
    }
    write_versions(&w, h);
    return w.rc;
}

enum wh_rc wh_head_encode(const struct wh_head *h, struct wh_buf *out, struct wh_err *err)
{
    return encode_head(h, WH_FAR_BYTES, out, err);
}

enum wh_rc wh_head_encode_whole(const struct wh_head *h, struct wh_buf *out, struct wh_err *err)
{
    return encode_head(h, SIZE_MAX, out, err);
}

enum wh_rc wh_head_body(struct wh_slice bytes, struct wh_slice *ret_body, struct wh_err *err)
{
    size_t len = 0;

    if (bytes.len < 4) {
        return wh_fail(err, WH_E_CORRUPT, "a stored head is cut");
    }
    for (unsigned i = 0; i < 4; i++) {
        len |= (size_t)(unsigned char)bytes.ptr[i] << (8 * i);
    }
    if (len > bytes.len - 4) {
        return wh_fail(err, WH_E_CORRUPT, "a stored head is cut");
    }
    *ret_body = wh_slice(bytes.ptr + 4, len);
    return WH_OK;
}

static void read_versions(struct wh_avro_reader *r, struct wh_head *h)
{
    struct wh_version items[VERSIONS_MAX];
    int64_t n = wh_avro_read_long(r);

    if (n < 0 || n > VERSIONS_MAX) {
        wh_avro_fail(r, WH_E_CORRUPT, "a stored head has too many versions");
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        items[i] = read_version(r);
    }
    for (unsigned i = 0; i < h->body.def->n_fields && r->rc == WH_OK; i++) {
        if (h->body.present & bit(i)) {
            unsigned shown = wh_avro_read_branch(r, (unsigned)n);
            unsigned set = wh_avro_read_branch(r, (unsigned)n);

            if (r->rc == WH_OK) {
                h->shown[i] = items[shown];
                h->set[i] = items[set];
            }
        }
    }
}

static void read_lifecycle(struct wh_avro_reader *r, struct wh_head_view *view)
{
    struct wh_slice *source[] = {&view->source.system,  &view->source.instance, &view->source.kind,
                                 &view->source.project, &view->source.id,       &view->source.iid,
                                 &view->source.url};

    int64_t flags = wh_avro_read_long(r);

    view->itself = (flags & FLAG_DELETED) != 0;
    view->deleted = (flags & (FLAG_DELETED | FLAG_PARENT)) != 0;
    for (size_t i = 0; i < sizeof(source) / sizeof(source[0]); i++) {
        *source[i] = wh_avro_read_bytes(r);
    }
    view->version = read_version(r);
    view->reason = wh_avro_read_bytes(r);
    view->deleted_version = read_version(r);
    view->first_seen_ms = wh_avro_read_long(r);
    /* Heads of older builds have the time to the millisecond. */
    view->last_seen_ms = wh_seen_ms(wh_avro_read_long(r));
    view->parent_reason = wh_slice("", 0);
    view->parent_version = (struct wh_version){0};
    if (flags & FLAG_PARENT) {
        view->parent_reason = wh_avro_read_bytes(r);
        view->parent_version = read_version(r);
    }
    view->shown_url = flags & FLAG_MOVED ? wh_avro_read_bytes(r) : view->source.url;
}

enum wh_rc wh_head_view(struct wh_slice bytes, struct wh_head_view *ret, struct wh_err *err)
{
    struct wh_avro_reader r;

    if (wh_head_body(bytes, &ret->body, err) != WH_OK) {
        return err->rc;
    }
    wh_avro_reader_init(&r, wh_slice_from(bytes, LENGTH_BYTES + ret->body.len));
    read_lifecycle(&r, ret);
    if (ret->deleted && !ret->itself) {
        ret->reason = ret->parent_reason;
        ret->deleted_version = ret->parent_version;
    }
    return r.rc == WH_OK ? WH_OK : wh_fail(err, WH_E_CORRUPT, "a stored head: %s", r.what);
}

enum wh_rc wh_head_flags(struct wh_slice bytes, struct wh_slice *ret_body, bool *ret_deleted,
                         struct wh_err *err)
{
    struct wh_slice body;
    struct wh_slice rest;

    if (wh_head_body(bytes, &body, err) != WH_OK) {
        return err->rc;
    }
    rest = wh_slice_from(bytes, LENGTH_BYTES + body.len);
    if (rest.len == 0) {
        return wh_fail(err, WH_E_CORRUPT, "a stored head is cut");
    }
    /* The flags are a long of one byte, which Avro shifts by one bit. */
    *ret_deleted = (rest.ptr[0] & (FLAG_DELETED | FLAG_PARENT) << 1) != 0;
    *ret_body = body;
    return WH_OK;
}

/* Reads everything after the body, which determines the fields that are present. */
static void read_tail(struct wh_avro_reader *r, struct wh_head *h)
{
    struct wh_head_view view;

    read_lifecycle(r, &view);
    h->deleted = view.itself;
    h->parent_reason = view.parent_reason;
    h->parent_version = view.parent_version;
    h->source = view.source;
    h->shown_url = view.shown_url;
    h->version = view.version;
    h->reason = view.reason;
    h->deleted_version = view.deleted_version;
    h->first_seen_ms = view.first_seen_ms;
    h->last_seen_ms = view.last_seen_ms;
    read_versions(r, h);
}

enum wh_rc wh_head_decode(const struct wh_kind_def *def, struct wh_slice bytes,
                          struct wh_arena *arena, struct wh_head *ret, struct wh_err *err)
{
    struct wh_avro_reader r;
    struct wh_slice body;
    size_t used;

    if (wh_head_body(bytes, &body, err) != WH_OK ||
        wh_body_decode(def, body, arena, &ret->body, &used, err) != WH_OK) {
        return err->rc;
    }
    wh_avro_reader_init(&r, wh_slice_from(bytes, 4 + body.len));
    read_tail(&r, ret);
    if (wh_avro_reader_end(&r, err) != WH_OK) {
        return wh_err_prefix(err, "stored head");
    }
    return WH_OK;
}

enum wh_rc wh_head_set_version(const struct wh_kind_def *def, struct wh_slice bytes, unsigned field,
                               struct wh_version *ret, struct wh_err *err)
{
    struct wh_slice body;
    struct wh_avro_reader r;
    struct wh_head head;

    if (wh_head_body(bytes, &body, err) != WH_OK) {
        return err->rc;
    }
    wh_avro_reader_init(&r, body);
    head.body.def = def;
    head.body.present = (uint64_t)wh_avro_read_long(&r);
    if (r.rc != WH_OK || (head.body.present & bit(field)) == 0) {
        return wh_fail(err, WH_E_CORRUPT, "a stored head does not have field %u", field);
    }
    wh_avro_reader_init(&r, wh_slice_from(bytes, 4 + body.len));
    read_tail(&r, &head);
    if (r.rc != WH_OK) {
        return wh_fail(err, r.rc, "stored head: %s", r.what);
    }
    *ret = head.set[field];
    return WH_OK;
}

enum wh_rc wh_entry_encode(const struct wh_entry *e, struct wh_buf *out, struct wh_err *err)
{
    struct wh_avro_writer w;

    wh_avro_writer_init(&w, out, err);
    wh_avro_write_long(&w, (e->change == WH_CHANGE_DELETE ? FLAG_DELETED : 0) |
                               (e->revision ? FLAG_REVISION : 0));
    wh_avro_write_bytes(&w, e->reason);
    wh_avro_write_long(&w, (int64_t)e->shown);
    if (w.rc != WH_OK || wh_body_encode(&e->delta, out, err) != WH_OK) {
        return err->rc;
    }
    wh_avro_write_long(&w, (int64_t)e->provenance.origin);
    wh_avro_write_bytes(&w, e->provenance.delivery_id);
    wh_avro_write_long(&w, e->provenance.observed_at_ms);
    wh_avro_write_bytes(&w, e->provenance.topic);
    wh_avro_write_long(&w, e->provenance.partition);
    wh_avro_write_long(&w, e->provenance.offset);
    wh_avro_write_bytes(&w, e->provenance.view);
    wh_avro_write_bytes(&w, e->source.project);
    wh_avro_write_bytes(&w, e->source.iid);
    wh_avro_write_bytes(&w, e->source.url);
    wh_avro_write_long(&w, e->stored_ms);
    return w.rc;
}

enum wh_rc wh_entry_field(const struct wh_kind_def *def, struct wh_slice bytes, unsigned field,
                          struct wh_arena *arena, struct wh_value *ret, struct wh_err *err)
{
    struct wh_avro_reader r;
    bool present = false;

    wh_avro_reader_init(&r, bytes);
    (void)wh_avro_read_long(&r);
    (void)wh_avro_read_bytes(&r);
    (void)wh_avro_read_long(&r);
    if (r.rc != WH_OK) {
        return wh_fail(err, r.rc, "stored entry: %s", r.what);
    }
    if (wh_body_decode_field(def, wh_slice(r.p, (size_t)(r.end - r.p)), field, arena, &present, ret,
                             err) != WH_OK) {
        return err->rc;
    }
    return present ? WH_OK
                   : wh_fail(err, WH_E_CORRUPT, "a stored entry did not set field %u", field);
}

enum wh_rc wh_entry_decode(const struct wh_kind_def *def, struct wh_slice bytes,
                           struct wh_arena *arena, struct wh_entry *ret, struct wh_err *err)
{
    struct wh_avro_reader r;
    size_t used;
    int64_t flags;

    wh_avro_reader_init(&r, bytes);
    flags = wh_avro_read_long(&r);
    ret->change = (flags & FLAG_DELETED) ? WH_CHANGE_DELETE : WH_CHANGE_UPSERT;
    ret->revision = (flags & FLAG_REVISION) != 0;
    ret->reason = wh_avro_read_bytes(&r);
    ret->shown = (uint64_t)wh_avro_read_long(&r);
    if (r.rc != WH_OK) {
        return wh_fail(err, r.rc, "stored entry: %s", r.what);
    }
    if (wh_body_decode(def, wh_slice(r.p, (size_t)(r.end - r.p)), arena, &ret->delta, &used, err) !=
        WH_OK) {
        return err->rc;
    }
    r.p += used;
    ret->provenance.origin = (enum wh_origin)wh_avro_read_branch(&r, WH_ORIGIN_COUNT);
    ret->provenance.delivery_id = wh_avro_read_bytes(&r);
    ret->provenance.observed_at_ms = wh_avro_read_long(&r);
    ret->provenance.topic = wh_avro_read_bytes(&r);
    ret->provenance.partition = wh_avro_read_int(&r);
    ret->provenance.offset = wh_avro_read_long(&r);
    ret->provenance.view = wh_avro_read_bytes(&r);
    ret->source = (struct wh_source_id){0};
    ret->source.project = wh_avro_read_bytes(&r);
    ret->source.iid = wh_avro_read_bytes(&r);
    ret->source.url = wh_avro_read_bytes(&r);
    ret->stored_ms = wh_avro_read_long(&r);
    if (wh_avro_reader_end(&r, err) != WH_OK) {
        return wh_err_prefix(err, "stored entry");
    }
    return WH_OK;
}
