#include "common/event/observation.h"

#include "common/avro/schemas.h"
#include "common/avro/wire.h"
#include "common/base/be.h"

static uint64_t bit(unsigned field)
{
    return UINT64_C(1) << field;
}

static struct wh_hash128 hash_of(const struct wh_value *v)
{
    return v->is_far ? v->u.far : wh_hash128(v->u.str);
}

static bool string_eq(const struct wh_value *a, const struct wh_value *b)
{
    struct wh_hash128 x;
    struct wh_hash128 y;

    if (!a->is_far && !b->is_far) {
        return wh_slice_eq(a->u.str, b->u.str);
    }
    x = hash_of(a);
    y = hash_of(b);
    return x.high == y.high && x.low == y.low;
}

static uint64_t double_bits(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

bool wh_value_eq(enum wh_field_type type, const struct wh_value *a, const struct wh_value *b)
{
    if (a->is_null || b->is_null) {
        return a->is_null && b->is_null;
    }
    switch (type) {
    case WH_FIELD_LONG:
    case WH_FIELD_TIME:
        return a->u.i == b->u.i;
    case WH_FIELD_DOUBLE:
        /* Compares bits, as in the store: -0.0 differs from 0.0, and NaN equals itself. */
        return double_bits(a->u.num) == double_bits(b->u.num);
    case WH_FIELD_BOOL:
        return a->u.b == b->u.b;
    case WH_FIELD_REF:
        return wh_entity_id_cmp(&a->u.ref, &b->u.ref) == 0;
    case WH_FIELD_REFS:
        return a->u.refs.n == b->u.refs.n &&
               (a->u.refs.n == 0 || memcmp(a->u.refs.items, b->u.refs.items,
                                           a->u.refs.n * sizeof(*a->u.refs.items)) == 0);
    case WH_FIELD_STRINGS:
        if (a->u.strs.n != b->u.strs.n) {
            return false;
        }
        for (size_t i = 0; i < a->u.strs.n; i++) {
            if (!wh_slice_eq(a->u.strs.items[i], b->u.strs.items[i])) {
                return false;
            }
        }
        return true;
    case WH_FIELD_STRING:
    default:
        return string_eq(a, b);
    }
}

/* ---- values: Avro with uuids as text on the wire, as 16 bytes in the store ---- */

enum id_form { ID_TEXT, ID_BYTES };

/* Branches of a value's union. BRANCH_FAR, a hash of 16 bytes, occurs in heads only. */
enum { BRANCH_NULL, BRANCH_VALUE, BRANCH_FAR, HASH_BYTES = 16 };

static void write_id(struct wh_avro_writer *w, const struct wh_entity_id *id, enum id_form form)
{
    char *to;

    if (form == ID_BYTES) {
        wh_avro_write_raw(w, wh_slice(id->bytes, sizeof(id->bytes)));
        return;
    }
    if (wh_avro_room(w, WH_AVRO_LONG_BYTES + WH_ENTITY_ID_TEXT + 1)) {
        to = wh_avro_put_long(w->out->ptr + w->out->len, WH_ENTITY_ID_TEXT);
        (void)wh_entity_id_format(id, to);
        wh_avro_wrote(w, to + WH_ENTITY_ID_TEXT);
    }
}

static struct wh_entity_id read_id(struct wh_avro_reader *r, enum id_form form)
{
    struct wh_entity_id id = {{0}};
    struct wh_err err;

    if (form == ID_TEXT) {
        struct wh_slice text = wh_avro_read_bytes(r);

        if (r->rc == WH_OK && wh_entity_id_parse(text, &id, &err) != WH_OK) {
            wh_avro_fail(r, WH_E_INVALID, "a reference is not a UUID");
        }
        return id;
    }
    if ((size_t)(r->end - r->p) < sizeof(id.bytes)) {
        wh_avro_fail(r, WH_E_INVALID, "the record ends within a reference");
        return id;
    }
    memcpy(id.bytes, r->p, sizeof(id.bytes));
    r->p += sizeof(id.bytes);
    return id;
}

static void write_refs(struct wh_avro_writer *w, const struct wh_value *v, enum id_form form)
{
    if (v->u.refs.n) {
        wh_avro_write_long(w, (int64_t)v->u.refs.n);
        for (size_t i = 0; i < v->u.refs.n; i++) {
            write_id(w, &v->u.refs.items[i], form);
        }
    }
    wh_avro_write_long(w, 0);
}

static void write_strings(struct wh_avro_writer *w, const struct wh_value *v)
{
    if (v->u.strs.n) {
        wh_avro_write_long(w, (int64_t)v->u.strs.n);
        for (size_t i = 0; i < v->u.strs.n; i++) {
            wh_avro_write_bytes(w, v->u.strs.items[i]);
        }
    }
    wh_avro_write_long(w, 0);
}

static void write_far(struct wh_avro_writer *w, const struct wh_value *v)
{
    struct wh_hash128 hash = hash_of(v);
    unsigned char bytes[HASH_BYTES];

    wh_be_put64(bytes, hash.high);
    wh_be_put64(bytes + 8, hash.low);
    wh_avro_write_long(w, BRANCH_FAR);
    wh_avro_write_raw(w, wh_slice(bytes, sizeof(bytes)));
}

static void write_value(struct wh_avro_writer *w, enum wh_field_type type, const struct wh_value *v,
                        enum id_form form)
{
    wh_avro_write_long(w, v->is_null ? BRANCH_NULL : BRANCH_VALUE);
    if (v->is_null) {
        return;
    }
    switch (type) {
    case WH_FIELD_LONG:
    case WH_FIELD_TIME:
        wh_avro_write_long(w, v->u.i);
        break;
    case WH_FIELD_DOUBLE:
        wh_avro_write_double(w, v->u.num);
        break;
    case WH_FIELD_BOOL:
        wh_avro_write_bool(w, v->u.b);
        break;
    case WH_FIELD_REF:
        write_id(w, &v->u.ref, form);
        break;
    case WH_FIELD_REFS:
        write_refs(w, v, form);
        break;
    case WH_FIELD_STRINGS:
        write_strings(w, v);
        break;
    case WH_FIELD_STRING:
    default:
        wh_avro_write_bytes(w, v->u.str);
        break;
    }
}

/* An array of unknown length, which grows in the arena by doubling. */
struct items {
    struct wh_arena *arena;
    void *ptr;
    size_t size;
    size_t n;
    size_t cap;
};

static void *next_item(struct wh_avro_reader *r, struct items *items, size_t block_left)
{
    struct wh_err err;

    if (items->n == items->cap) {
        size_t cap = block_left < items->n ? 2 * items->n : items->n + block_left;
        void *grown;

        if (wh_arena_zalloc(items->arena, cap, items->size, &grown, &err) != WH_OK) {
            wh_avro_fail(r, err.rc, "an array is too large");
            return NULL;
        }
        if (items->ptr && items->n) {
            memcpy(grown, items->ptr, items->n * items->size);
        }
        items->ptr = grown;
        items->cap = cap;
    }
    return (char *)items->ptr + items->n++ * items->size;
}

static void read_refs(struct wh_avro_reader *r, struct wh_arena *arena, struct wh_value *v,
                      enum id_form form)
{
    struct items items = {.arena = arena, .size = sizeof(struct wh_entity_id)};
    size_t block;

    while ((block = wh_avro_read_block(r)) > 0) {
        for (; block > 0 && r->rc == WH_OK; block--) {
            struct wh_entity_id *id = next_item(r, &items, block);

            if (id) {
                *id = read_id(r, form);
            }
        }
    }
    v->u.refs.items = items.ptr;
    v->u.refs.n = items.n;
}

static void read_strings(struct wh_avro_reader *r, struct wh_arena *arena, struct wh_value *v)
{
    struct items items = {.arena = arena, .size = sizeof(struct wh_slice)};
    size_t block;

    while ((block = wh_avro_read_block(r)) > 0) {
        for (; block > 0 && r->rc == WH_OK; block--) {
            struct wh_slice *text = next_item(r, &items, block);

            if (text) {
                *text = wh_avro_read_text(r);
            }
        }
    }
    v->u.strs.items = items.ptr;
    v->u.strs.n = items.n;
}

static void read_far(struct wh_avro_reader *r, struct wh_value *v)
{
    if ((size_t)(r->end - r->p) < HASH_BYTES) {
        wh_avro_fail(r, WH_E_INVALID, "the record ends within a hash");
        return;
    }
    v->u.far = (struct wh_hash128){wh_be_get64(r->p), wh_be_get64(r->p + 8)};
    r->p += HASH_BYTES;
}

/* Reads a branch that this form and type allow. */
static unsigned read_value_branch(struct wh_avro_reader *r, enum wh_field_type type,
                                  enum id_form form)
{
    return wh_avro_read_branch(r, form == ID_BYTES && type == WH_FIELD_STRING ? 3 : 2);
}

static void read_value(struct wh_avro_reader *r, enum wh_field_type type, struct wh_arena *arena,
                       enum id_form form, struct wh_value *v)
{
    unsigned branch = read_value_branch(r, type, form);

    *v = (struct wh_value){.is_null = branch == BRANCH_NULL, .is_far = branch == BRANCH_FAR};
    if (v->is_null) {
        return;
    }
    if (v->is_far) {
        read_far(r, v);
        return;
    }
    switch (type) {
    case WH_FIELD_LONG:
    case WH_FIELD_TIME:
        v->u.i = wh_avro_read_long(r);
        break;
    case WH_FIELD_DOUBLE:
        v->u.num = wh_avro_read_double(r);
        break;
    case WH_FIELD_BOOL:
        v->u.b = wh_avro_read_bool(r);
        break;
    case WH_FIELD_REF:
        v->u.ref = read_id(r, form);
        break;
    case WH_FIELD_REFS:
        read_refs(r, arena, v, form);
        break;
    case WH_FIELD_STRINGS:
        read_strings(r, arena, v);
        break;
    case WH_FIELD_STRING:
    default:
        v->u.str = form == ID_TEXT ? wh_avro_read_text(r) : wh_avro_read_bytes(r);
        break;
    }
}

/* Skips a value in its stored form. */
static void skip_value(struct wh_avro_reader *r, enum wh_field_type type)
{
    size_t block;
    unsigned branch = read_value_branch(r, type, ID_BYTES);
    struct wh_value far;

    if (branch == BRANCH_NULL) {
        return;
    }
    if (branch == BRANCH_FAR) {
        read_far(r, &far);
        return;
    }
    switch (type) {
    case WH_FIELD_LONG:
    case WH_FIELD_TIME:
        (void)wh_avro_read_long(r);
        break;
    case WH_FIELD_DOUBLE:
        (void)wh_avro_read_double(r);
        break;
    case WH_FIELD_BOOL:
        (void)wh_avro_read_bool(r);
        break;
    case WH_FIELD_REF:
        (void)read_id(r, ID_BYTES);
        break;
    case WH_FIELD_REFS:
        while ((block = wh_avro_read_block(r)) > 0) {
            for (; block > 0 && r->rc == WH_OK; block--) {
                (void)read_id(r, ID_BYTES);
            }
        }
        break;
    case WH_FIELD_STRINGS:
        while ((block = wh_avro_read_block(r)) > 0) {
            for (; block > 0 && r->rc == WH_OK; block--) {
                (void)wh_avro_read_bytes(r);
            }
        }
        break;
    case WH_FIELD_STRING:
    default:
        (void)wh_avro_read_bytes(r);
        break;
    }
}

/* ---- the store's coding of a body ---- */

static bool goes_far(enum wh_field_type type, const struct wh_value *v, size_t far_from)
{
    return type == WH_FIELD_STRING && !v->is_null && (v->is_far || v->u.str.len >= far_from);
}

enum wh_rc wh_body_encode_far(const struct wh_body *body, size_t far_from, struct wh_buf *out,
                              struct wh_err *err)
{
    struct wh_avro_writer w;

    wh_avro_writer_init(&w, out, err);
    wh_avro_write_long(&w, (int64_t)body->present);
    for (unsigned i = 0; i < body->def->n_fields; i++) {
        enum wh_field_type type = body->def->fields[i].type;

        if ((body->present & bit(i)) == 0) {
            continue;
        }
        if (goes_far(type, &body->values[i], far_from)) {
            write_far(&w, &body->values[i]);
        } else {
            write_value(&w, type, &body->values[i], ID_BYTES);
        }
    }
    return w.rc;
}

enum wh_rc wh_body_encode(const struct wh_body *body, struct wh_buf *out, struct wh_err *err)
{
    return wh_body_encode_far(body, SIZE_MAX, out, err);
}

static uint64_t read_present(struct wh_avro_reader *r, const struct wh_kind_def *def)
{
    uint64_t present = (uint64_t)wh_avro_read_long(r);

    if (present >> def->n_fields != 0) {
        wh_avro_fail(r, WH_E_INVALID, "a body shows fields that its kind does not have");
        return 0;
    }
    return present;
}

enum wh_rc wh_body_decode(const struct wh_kind_def *def, struct wh_slice bytes,
                          struct wh_arena *arena, struct wh_body *ret, size_t *ret_used,
                          struct wh_err *err)
{
    struct wh_avro_reader r;

    wh_avro_reader_init(&r, bytes);
    ret->def = def;
    ret->present = read_present(&r, def);
    for (unsigned i = 0; i < def->n_fields && r.rc == WH_OK; i++) {
        if (ret->present & bit(i)) {
            read_value(&r, def->fields[i].type, arena, ID_BYTES, &ret->values[i]);
        }
    }
    if (r.rc != WH_OK) {
        return wh_fail(err, r.rc, "stored body: %s", r.what);
    }
    *ret_used = (size_t)(r.p - (const unsigned char *)bytes.ptr);
    return WH_OK;
}

enum wh_rc wh_body_decode_field(const struct wh_kind_def *def, struct wh_slice bytes,
                                unsigned field, struct wh_arena *arena, bool *ret_present,
                                struct wh_value *ret, struct wh_err *err)
{
    struct wh_avro_reader r;
    uint64_t present;

    wh_avro_reader_init(&r, bytes);
    present = read_present(&r, def);
    *ret_present = (present & bit(field)) != 0;
    for (unsigned i = 0; *ret_present && i < field; i++) {
        if (present & bit(i)) {
            skip_value(&r, def->fields[i].type);
        }
    }
    if (*ret_present) {
        read_value(&r, def->fields[field].type, arena, ID_BYTES, ret);
    }
    return r.rc == WH_OK ? WH_OK : wh_fail(err, r.rc, "stored body: %s", r.what);
}

/* ---- the record ---- */

static void write_body(struct wh_avro_writer *w, const struct wh_body *body)
{
    static const struct wh_value null = {.is_null = true};

    /* Branch 0 is null; each kind's branch is its number. */
    wh_avro_write_long(w, (int64_t)body->def->kind);
    for (unsigned i = 0; i < body->def->n_fields; i++) {
        bool shown = (body->present & bit(i)) != 0;

        write_value(w, body->def->fields[i].type, shown ? &body->values[i] : &null, ID_TEXT);
    }
}

static void write_set_aside(struct wh_avro_writer *w, const struct wh_observation *o)
{
    if (o->n_set_aside) {
        wh_avro_write_long(w, (int64_t)o->n_set_aside);
        for (size_t i = 0; i < o->n_set_aside; i++) {
            wh_avro_write_bytes(w, o->set_aside[i].pointer);
            wh_avro_write_bytes(w, o->set_aside[i].reason);
            wh_avro_write_bytes(w, o->set_aside[i].example);
            wh_avro_write_long(w, o->set_aside[i].count);
        }
    }
    wh_avro_write_long(w, 0);
}

enum wh_rc wh_observation_encode(const struct wh_observation *o, struct wh_buf *out,
                                 struct wh_err *err)
{
    const struct wh_slice source[] = {o->source.system,  o->source.instance, o->source.kind,
                                      o->source.project, o->source.id,       o->source.iid,
                                      o->source.url};
    bool deleted = o->change == WH_CHANGE_DELETE;
    struct wh_avro_writer w;

    if (wh_frame_write(WH_SCHEMA_OBSERVATION, out, err) != WH_OK) {
        return err->rc;
    }
    wh_avro_writer_init(&w, out, err);
    write_id(&w, &o->id, ID_TEXT);
    wh_avro_write_bytes(&w, wh_slice_str(o->body.def->name));
    for (size_t i = 0; i < sizeof(source) / sizeof(source[0]); i++) {
        wh_avro_write_bytes(&w, source[i]);
    }
    wh_avro_write_long(&w, (int64_t)o->version.order);
    wh_avro_write_long(&w, (int64_t)o->version.tie);
    wh_avro_write_bytes(&w, wh_slice_str(wh_origin_name(o->provenance.origin)));
    wh_avro_write_bytes(&w, o->provenance.delivery_id);
    wh_avro_write_long(&w, o->provenance.observed_at_ms);
    wh_avro_write_bytes(&w, o->provenance.topic);
    wh_avro_write_long(&w, o->provenance.partition);
    wh_avro_write_long(&w, o->provenance.offset);
    wh_avro_write_bytes(&w, o->provenance.view);
    wh_avro_write_bytes(&w, deleted ? WH_LIT("delete") : WH_LIT("upsert"));
    wh_avro_write_bytes(&w, o->reason);
    wh_avro_write_long(&w, deleted ? 0 : (int64_t)o->body.present);
    if (deleted) {
        wh_avro_write_long(&w, 0);
    } else {
        write_body(&w, &o->body);
    }
    write_set_aside(&w, o);
    return w.rc;
}

static void read_set_aside(struct wh_avro_reader *r, struct wh_arena *arena,
                           struct wh_observation *o)
{
    struct items items = {.arena = arena, .size = sizeof(struct wh_set_aside)};
    size_t block;

    while ((block = wh_avro_read_block(r)) > 0) {
        for (; block > 0 && r->rc == WH_OK; block--) {
            struct wh_set_aside *item = items.n < WH_SET_ASIDE_MAX ? next_item(r, &items, 1) : NULL;

            if (item == NULL) {
                wh_avro_fail(r, WH_E_RANGE, "too many values are set aside");
                break;
            }
            item->pointer = wh_avro_read_text(r);
            item->reason = wh_avro_read_text(r);
            item->example = wh_avro_read_text(r);
            item->count = wh_avro_read_int(r);
        }
    }
    o->set_aside = items.ptr;
    o->n_set_aside = items.n;
}

static void read_body(struct wh_avro_reader *r, struct wh_arena *arena, int version,
                      struct wh_body *body)
{
    unsigned branch = wh_avro_read_branch(r, WH_KIND_COUNT);
    unsigned n = wh_kind_fields_at(body->def, version);

    if (branch == 0) {
        if (body->present) {
            wh_avro_fail(r, WH_E_INVALID, "fields are present, but there is no body");
        }
        return;
    }
    if (branch != (unsigned)body->def->kind || n == 0 || body->present >> n != 0) {
        wh_avro_fail(r, WH_E_INVALID, "the body is not of the record's kind");
        return;
    }
    for (unsigned i = 0; i < n && r->rc == WH_OK; i++) {
        read_value(r, body->def->fields[i].type, arena, ID_TEXT, &body->values[i]);
    }
}

static void read_head(struct wh_avro_reader *r, struct wh_observation *o)
{
    struct wh_slice *source[] = {&o->source.system,  &o->source.instance, &o->source.kind,
                                 &o->source.project, &o->source.id,       &o->source.iid,
                                 &o->source.url};

    o->id = read_id(r, ID_TEXT);
    o->body.def = wh_kind_by_name(wh_avro_read_text(r));
    for (size_t i = 0; i < sizeof(source) / sizeof(source[0]); i++) {
        *source[i] = wh_avro_read_text(r);
    }
    o->version.order = (uint64_t)wh_avro_read_long(r);
    o->version.tie = (uint64_t)wh_avro_read_long(r);
    o->provenance.origin = wh_origin_parse(wh_avro_read_text(r));
    o->provenance.delivery_id = wh_avro_read_text(r);
    o->provenance.observed_at_ms = wh_avro_read_long(r);
    o->provenance.topic = wh_avro_read_text(r);
    o->provenance.partition = wh_avro_read_int(r);
    o->provenance.offset = wh_avro_read_long(r);
    o->provenance.view = wh_avro_read_text(r);
}

static void read_change(struct wh_avro_reader *r, struct wh_observation *o)
{
    struct wh_slice change = wh_avro_read_text(r);

    o->reason = wh_avro_read_text(r);
    o->change = WH_CHANGE_UPSERT;
    if (wh_slice_eq(change, WH_LIT("delete"))) {
        o->change = WH_CHANGE_DELETE;
    } else if (!wh_slice_eq(change, WH_LIT("upsert"))) {
        wh_avro_fail(r, WH_E_INVALID, "a change is neither upsert nor delete");
    }
}

enum wh_rc wh_observation_decode(struct wh_slice bytes, struct wh_arena *arena,
                                 struct wh_observation *ret, struct wh_err *err)
{
    struct wh_avro_reader r;
    struct wh_slice body;
    int version;

    if (wh_frame_read(bytes, WH_SCHEMA_OBSERVATION, &version, &body, err) != WH_OK) {
        return err->rc;
    }
    wh_avro_reader_init(&r, body);
    read_head(&r, ret);
    if (r.rc == WH_OK && (ret->body.def == NULL || ret->provenance.origin == WH_ORIGIN_COUNT)) {
        wh_avro_fail(&r, WH_E_UNKNOWN_KIND, "unknown kind or origin");
    }
    read_change(&r, ret);
    ret->body.present = (uint64_t)wh_avro_read_long(&r);
    if (r.rc == WH_OK && ret->body.def) {
        read_body(&r, arena, version, &ret->body);
    }
    ret->set_aside = NULL;
    ret->n_set_aside = 0;
    if (r.rc == WH_OK && version >= 2) {
        read_set_aside(&r, arena, ret);
    }
    if (r.rc == WH_OK && (ret->change == WH_CHANGE_DELETE && ret->body.present)) {
        wh_avro_fail(&r, WH_E_INVALID, "a delete carries fields");
    }
    if (wh_avro_reader_end(&r, err) != WH_OK) {
        return wh_err_prefix(err, "observation");
    }
    return WH_OK;
}

enum wh_rc wh_observation_tie(const struct wh_observation *o, struct wh_buf *scratch, uint64_t *ret,
                              struct wh_err *err)
{
    const char head[2] = {(char)o->body.def->kind, (char)o->change};

    const struct wh_slice source[] = {o->source.project, o->source.iid, o->source.url};

    wh_buf_reset(scratch);
    if (wh_buf_append(scratch, wh_slice(head, sizeof(head)), err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < sizeof(source) / sizeof(source[0]); i++) {
        if (wh_buf_append(scratch, source[i], err) != WH_OK ||
            wh_buf_append_char(scratch, '\0', err) != WH_OK) {
            return err->rc;
        }
    }
    if (o->change == WH_CHANGE_DELETE) {
        if (wh_buf_append(scratch, o->reason, err) != WH_OK) {
            return err->rc;
        }
    } else if (wh_body_encode(&o->body, scratch, err) != WH_OK) {
        return err->rc;
    }
    *ret = wh_hash64(wh_buf_slice(scratch));
    return WH_OK;
}
