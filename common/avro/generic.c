/* All calls of avro-c, apart from the shape of a schema, which guard.c reads. */
#include "common/avro/generic.h"

#include <math.h>
#include <stdio.h>

#include "common/avro/guard.h"
#include "common/base/mem.h"

struct wh_generic {
    avro_schema_t schema;
    avro_value_iface_t *class;
    struct wh_guard *guard;
    char name[WH_GENERIC_NAME_MAX];
};

struct wh_generic_resolver {
    const struct wh_generic *writer;
    const struct wh_generic *reader;
    avro_value_iface_t *class;
};

/* avro-c's reason is one text for the whole process. */
static enum wh_rc fail(struct wh_err *err, enum wh_rc rc, const char *doing)
{
    return wh_fail(err, rc, "%s: %s", doing, avro_strerror());
}

/* ---- schemas ---- */

static void name_schema(struct wh_generic *g)
{
    avro_type_t type = avro_typeof(g->schema);
    const char *space = type == AVRO_RECORD || type == AVRO_ENUM || type == AVRO_FIXED
                            ? avro_schema_namespace(g->schema)
                            : NULL;

    (void)snprintf(g->name, sizeof(g->name), "%s%s%s", space ? space : "", space ? "." : "",
                   avro_schema_type_name(g->schema));
}

enum wh_rc wh_generic_new(struct wh_slice schema, struct wh_generic **ret, struct wh_err *err)
{
    struct wh_generic *g;

    if (wh_guard_text(schema, err) != WH_OK) {
        return wh_err_prefix(err, "the schema");
    }
    g = wh_mem_zalloc(1, sizeof(*g));
    if (g == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a schema");
    }
    if (avro_schema_from_json_length(schema.ptr, schema.len, &g->schema) != 0) {
        g->schema = NULL;
        (void)fail(err, WH_E_INVALID, "the schema");
    } else if (wh_guard_new(g->schema, schema.len, &g->guard, err) == WH_OK) {
        g->class = avro_generic_class_from_schema(g->schema);
        if (g->class) {
            name_schema(g);
            *ret = g;
            return WH_OK;
        }
        (void)fail(err, WH_E_UNSUPPORTED, "the schema");
    }
    wh_generic_free(g);
    return err->rc;
}

void wh_generic_free(struct wh_generic *g)
{
    if (g) {
        if (g->class) {
            avro_value_iface_decref(g->class);
        }
        if (g->schema) {
            (void)avro_schema_decref(g->schema);
        }
        wh_guard_free(g->guard);
        wh_mem_free(g);
    }
}

const char *wh_generic_name(const struct wh_generic *g)
{
    return g->name;
}

/* ---- records ---- */

/* Reads a record that the guard has accepted into a value. */
static enum wh_rc read_value(struct wh_slice body, avro_value_t *value, struct wh_err *err)
{
    avro_reader_t reader = avro_reader_memory(body.len ? body.ptr : "", (int64_t)body.len);
    enum wh_rc rc = WH_OK;

    if (reader == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a record");
    }
    if (avro_value_read(reader, value) != 0) {
        rc = fail(err, WH_E_INVALID, "the record");
    }
    avro_reader_free(reader);
    return rc;
}

/* ---- JSON ---- */

struct json {
    const struct wh_generic_json *how;
    struct wh_json_writer *w;
};

static void put_number(const struct json *j, double v)
{
    if (isfinite(v)) {
        wh_jw_double(j->w, v);
    } else {
        wh_jw_str(j->w, isnan(v) ? WH_LIT("NaN")
                        : v > 0  ? WH_LIT("Infinity")
                                 : WH_LIT("-Infinity"));
    }
}

static bool put_scalar(const struct json *j, avro_value_t *value)
{
    int32_t i = 0;
    int64_t l = 0;
    double d = 0;
    float f = 0;
    int b = 0;

    switch ((int)avro_value_get_type(value)) {
    case AVRO_NULL:
        wh_jw_null(j->w);
        return true;
    case AVRO_BOOLEAN:
        (void)avro_value_get_boolean(value, &b);
        wh_jw_bool(j->w, b != 0);
        return true;
    case AVRO_INT32:
        (void)avro_value_get_int(value, &i);
        wh_jw_int(j->w, i);
        return true;
    case AVRO_INT64:
        (void)avro_value_get_long(value, &l);
        wh_jw_int(j->w, l);
        return true;
    case AVRO_FLOAT:
        (void)avro_value_get_float(value, &f);
        put_number(j, (double)f);
        return true;
    case AVRO_DOUBLE:
        (void)avro_value_get_double(value, &d);
        put_number(j, d);
        return true;
    default:
        return false;
    }
}

static bool put_text(const struct json *j, avro_value_t *value, const char *field)
{
    const char *text = "";
    const void *bytes = "";
    size_t n = 0;
    int symbol = 0;

    switch ((int)avro_value_get_type(value)) {
    case AVRO_STRING:
        /* The size counts the NUL. */
        (void)avro_value_get_string(value, &text, &n);
        j->how->text(j->how->ctx, j->w, field, wh_slice(text, n ? n - 1 : 0));
        return true;
    case AVRO_BYTES:
        (void)avro_value_get_bytes(value, &bytes, &n);
        j->how->bytes(j->how->ctx, j->w, field, wh_slice(bytes, n));
        return true;
    case AVRO_FIXED:
        (void)avro_value_get_fixed(value, &bytes, &n);
        j->how->bytes(j->how->ctx, j->w, field, wh_slice(bytes, n));
        return true;
    case AVRO_ENUM:
        (void)avro_value_get_enum(value, &symbol);
        text = avro_schema_enum_get(avro_value_get_schema(value), symbol);
        wh_jw_str(j->w, wh_slice_str(text));
        return true;
    default:
        return false;
    }
}

static void put_value(const struct json *j, avro_value_t *value, const char *field);

/* NOLINTNEXTLINE(misc-no-recursion): WH_GUARD_DEPTH_MAX bounds it */
static void put_members(const struct json *j, avro_value_t *value)
{
    bool array = avro_value_get_type(value) == AVRO_ARRAY;
    bool record = avro_value_get_type(value) == AVRO_RECORD;
    avro_value_t member;
    size_t n = 0;

    (void)avro_value_get_size(value, &n);
    if (array) {
        wh_jw_array(j->w);
    } else {
        wh_jw_object(j->w);
    }
    for (size_t i = 0; i < n; i++) {
        const char *name = "";

        if (avro_value_get_by_index(value, i, &member, &name) != 0) {
            break;
        }
        if (!array) {
            wh_jw_key(j->w, name);
        }
        put_value(j, &member, record ? name : "");
    }
    wh_jw_end(j->w);
}

/* NOLINTNEXTLINE(misc-no-recursion): WH_GUARD_DEPTH_MAX bounds it */
static void put_value(const struct json *j, avro_value_t *value, const char *field)
{
    avro_value_t branch;

    if (avro_value_get_type(value) == AVRO_UNION) {
        if (avro_value_get_current_branch(value, &branch) == 0) {
            put_value(j, &branch, field);
        }
        return;
    }
    if (!put_scalar(j, value) && !put_text(j, value, field)) {
        put_members(j, value);
    }
}

enum wh_rc wh_generic_json(const struct wh_generic *g, struct wh_slice body,
                           const struct wh_generic_json *how, struct wh_json_writer *w,
                           struct wh_err *err)
{
    const struct json j = {.how = how, .w = w};
    avro_value_t value;
    enum wh_rc rc;

    if (wh_guard_check(g->guard, body, err) != WH_OK) {
        return err->rc;
    }
    if (avro_generic_value_new(g->class, &value) != 0) {
        return fail(err, WH_E_TOO_LARGE, "the record");
    }
    rc = read_value(body, &value, err);
    if (rc == WH_OK) {
        put_value(&j, &value, "");
    }
    avro_value_decref(&value);
    return rc;
}

/* ---- conversion ---- */

enum wh_rc wh_generic_resolver_new(const struct wh_generic *writer, const struct wh_generic *reader,
                                   struct wh_generic_resolver **ret, struct wh_err *err)
{
    struct wh_generic_resolver *r = wh_mem_zalloc(1, sizeof(*r));

    if (r == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a schema");
    }
    *r = (struct wh_generic_resolver){.writer = writer, .reader = reader};
    r->class = avro_resolved_writer_new(writer->schema, reader->schema);
    if (r->class == NULL) {
        (void)wh_fail(err, WH_E_UNSUPPORTED, "%.80s cannot be read as %.80s: %s", writer->name,
                      reader->name, avro_strerror());
        wh_mem_free(r);
        return err->rc;
    }
    *ret = r;
    return WH_OK;
}

void wh_generic_resolver_free(struct wh_generic_resolver *r)
{
    if (r) {
        avro_value_iface_decref(r->class);
        wh_mem_free(r);
    }
}

static enum wh_rc write_value(avro_value_t *value, struct wh_buf *out, struct wh_err *err)
{
    avro_writer_t writer;
    size_t size = 0;
    enum wh_rc rc = WH_OK;

    if (avro_value_sizeof(value, &size) != 0) {
        return fail(err, WH_E_INVALID, "the record");
    }
    if (wh_buf_reserve(out, size, err) != WH_OK) {
        return err->rc;
    }
    writer = avro_writer_memory(out->ptr + out->len, (int64_t)size);
    if (writer == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a record");
    }
    if (avro_value_write(writer, value) != 0) {
        rc = fail(err, WH_E_INVALID, "the record");
    } else {
        out->len += size;
        out->ptr[out->len] = '\0';
    }
    avro_writer_free(writer);
    return rc;
}

enum wh_rc wh_generic_resolve(const struct wh_generic_resolver *r, struct wh_slice body,
                              struct wh_buf *out, struct wh_err *err)
{
    avro_value_t value;
    avro_value_t resolved;
    enum wh_rc rc;

    if (wh_guard_check(r->writer->guard, body, err) != WH_OK) {
        return err->rc;
    }
    if (avro_generic_value_new(r->reader->class, &value) != 0) {
        return fail(err, WH_E_TOO_LARGE, "the record");
    }
    if (avro_resolved_writer_new_value(r->class, &resolved) != 0) {
        avro_value_decref(&value);
        return fail(err, WH_E_TOO_LARGE, "the record");
    }
    avro_resolved_writer_set_dest(&resolved, &value);
    rc = read_value(body, &resolved, err);
    if (rc == WH_OK) {
        rc = write_value(&value, out, err);
    }
    avro_value_decref(&resolved);
    avro_value_decref(&value);
    return rc;
}
