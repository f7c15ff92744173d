/* Tables of entities as topics: statements, Avro schemas, records. */
#include <stdio.h>

#include "common/avro/schemas.h"
#include "common/avro/wire.h"
#include "common/base/hash.h"
#include "common/base/time.h"
#include "common/json/json_write.h"
#include "stages/sink/rowtopics/rowtopics_priv.h"

enum { FIRST_ID = 1 << 30 };

/* These move with every read, although nothing else does: such a sighting has no entry in the log of changes. */
static bool is_left_out(const struct sql_column *c)
{
    static const char *const names[] = {"last_seen", "version", "version_at", "changed_at"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(c->name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* labels.h: what other rows show of this one. */
static bool is_label(enum wh_kind kind, const char *column)
{
    static const char *const names[] = {"name", "title", "path", "url"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(column, names[i]) == 0) {
            return true;
        }
    }
    /* People are shown by their team member, which any key of theirs may change. */
    return kind == WH_KIND_TEAM_MEMBER || kind == WH_KIND_PERSON;
}

static enum wh_rc write_statements(struct row_table *t, struct wh_err *err)
{
    struct wh_buf text;
    enum wh_rc rc = WH_OK;

    wh_buf_init(&text, ROW_STATEMENT_BYTES - 1);
    for (size_t i = 0; rc == WH_OK && i < t->n; i++) {
        rc = wh_buf_printf(&text, err, "%s\"%s\"", i ? ", " : "select ", t->columns[i].name);
    }
    rc = rc == WH_OK ? wh_buf_printf(&text, err, " from %s", t->name) : rc;
    (void)snprintf(t->all, sizeof(t->all), "%s", wh_buf_str(&text));
    rc = rc == WH_OK ? wh_buf_printf(&text, err, " where id = :id") : rc;
    (void)snprintf(t->one, sizeof(t->one), "%s", wh_buf_str(&text));
    wh_buf_done(&text);
    return rc;
}

static void take_columns(struct row_table *t)
{
    size_t n = sql_columns(wh_slice_str(t->name), t->columns);

    for (size_t i = 0; i < n; i++) {
        if (!is_left_out(&t->columns[i])) {
            t->columns[t->n] = t->columns[i];
            t->label[t->n] = is_label(t->kind, t->columns[i].name);
            t->n++;
        }
    }
}

static enum wh_rc make_table(const char *prefix, const struct sql_table_info *info,
                             struct row_table *t, struct wh_err *err)
{
    struct wh_buf text;
    enum wh_rc rc;

    *t = (struct row_table){.name = info->name, .kind = info->kind};
    (void)snprintf(t->topic, sizeof(t->topic), "%srows.%s", prefix, info->name);
    take_columns(t);
    if (t->n == 0 || strcmp(t->columns[0].name, "id") != 0) {
        return wh_fail(err, WH_E_INTERNAL, "the table %s does not begin with its id", t->name);
    }
    wh_buf_init(&text, ROW_SCHEMA_BYTES);
    rc = write_statements(t, err);
    rc = rc == WH_OK ? row_schema_text(t, &text, err) : rc;
    t->schema = row_schema_id(wh_buf_slice(&text));
    wh_buf_done(&text);
    return rc;
}

enum wh_rc row_tables(const char *prefix, struct row_table *out, size_t *ret_n, struct wh_err *err)
{
    size_t n;
    const struct sql_table_info *all = sql_tables(&n);

    *ret_n = 0;
    for (size_t i = 0; i < n; i++) {
        if (all[i].base || all[i].kind == WH_KIND_NONE) {
            continue;
        }
        if (*ret_n == ROW_TABLES_MAX) {
            return wh_fail(err, WH_E_INTERNAL, "there are too many tables");
        }
        if (make_table(prefix, &all[i], &out[*ret_n], err) != WH_OK) {
            return err->rc;
        }
        (*ret_n)++;
    }
    return WH_OK;
}

/* ---- schemas ---- */

enum avro_type { AVRO_TEXT, AVRO_LONG, AVRO_DOUBLE, AVRO_BOOL, AVRO_TIME };

static enum avro_type type_of(const struct sql_column *c)
{
    if (c->shape == SQL_SHAPE_TIME) {
        return AVRO_TIME;
    }
    if (c->shape == SQL_SHAPE_BOOL) {
        return AVRO_BOOL;
    }
    return strcmp(c->type, "INTEGER") == 0 ? AVRO_LONG
           : strcmp(c->type, "REAL") == 0  ? AVRO_DOUBLE
                                           : AVRO_TEXT;
}

static void write_type(enum avro_type type, struct wh_json_writer *w)
{
    static const char *const names[] = {[AVRO_TEXT] = "string",
                                        [AVRO_LONG] = "long",
                                        [AVRO_DOUBLE] = "double",
                                        [AVRO_BOOL] = "boolean"};

    if (type != AVRO_TIME) {
        wh_jw_str(w, wh_slice_str(names[type]));
        return;
    }
    wh_jw_object(w);
    wh_jw_put_str(w, "type", WH_LIT("long"));
    wh_jw_put_str(w, "logicalType", WH_LIT("timestamp-millis"));
    wh_jw_end(w);
}

static void write_field(const struct sql_column *c, bool is_id, struct wh_json_writer *w)
{
    wh_jw_object(w);
    wh_jw_put_str(w, "name", wh_slice_str(c->name));
    wh_jw_key(w, "type");
    if (is_id) {
        wh_jw_str(w, WH_LIT("string"));
        wh_jw_end(w);
        return;
    }
    wh_jw_array(w);
    wh_jw_str(w, WH_LIT("null"));
    write_type(type_of(c), w);
    wh_jw_end(w);
    wh_jw_key(w, "default");
    wh_jw_null(w);
    wh_jw_end(w);
}

enum wh_rc row_schema_text(const struct row_table *t, struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "type", WH_LIT("record"));
    wh_jw_put_str(&w, "name", wh_slice_str(t->name));
    wh_jw_put_str(&w, "namespace", WH_LIT("wellhead.rows"));
    wh_jw_key(&w, "fields");
    wh_jw_array(&w);
    for (size_t i = 0; i < t->n; i++) {
        write_field(&t->columns[i], i == 0, &w);
    }
    wh_jw_end(&w);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

/* The same text has the same id in every build and every installation. */
int32_t row_schema_id(struct wh_slice text)
{
    return (int32_t)(FIRST_ID | (wh_hash64(text) & (FIRST_ID - 1)));
}

/* ---- records ---- */

static void write_value(enum avro_type type, const struct sql_value *v, struct wh_avro_writer *w)
{
    struct wh_instant at = {0};
    struct wh_err ignored;
    bool fits = type == AVRO_TIME
                    ? v->type == SQL_TEXT && wh_time_parse(v->bytes, &at, &ignored) == WH_OK
                : type == AVRO_TEXT   ? v->type == SQL_TEXT
                : type == AVRO_DOUBLE ? v->type == SQL_DOUBLE || v->type == SQL_INT
                                      : v->type == SQL_INT;

    wh_avro_write_long(w, fits ? 1 : 0); /* the branch of the union: null comes first */
    if (!fits) {
        return;
    }
    switch (type) {
    case AVRO_TIME:
        wh_avro_write_long(w, at.ms);
        break;
    case AVRO_TEXT:
        wh_avro_write_bytes(w, v->bytes);
        break;
    case AVRO_DOUBLE:
        wh_avro_write_double(w, v->type == SQL_INT ? (double)v->i : v->num);
        break;
    case AVRO_BOOL:
        wh_avro_write_bool(w, v->i != 0);
        break;
    case AVRO_LONG:
    default:
        wh_avro_write_long(w, v->i);
        break;
    }
}

enum wh_rc row_encode(const struct row_table *t, const struct sql_value *values, struct wh_buf *out,
                      struct wh_err *err)
{
    char frame[WH_FRAME_BYTES] = {0};
    struct wh_avro_writer w;

    wh_be_put32(frame + 1, (uint32_t)t->schema);
    if (wh_buf_append(out, wh_slice(frame, sizeof(frame)), err) != WH_OK) {
        return err->rc;
    }
    wh_avro_writer_init(&w, out, err);
    wh_avro_write_bytes(&w, values[0].bytes);
    for (size_t i = 1; i < t->n; i++) {
        write_value(type_of(&t->columns[i]), &values[i], &w);
    }
    return w.rc;
}

uint64_t row_label(const struct row_table *t, const struct sql_value *values)
{
    uint64_t label = 1;

    for (size_t i = 0; i < t->n; i++) {
        if (t->label[i]) {
            uint64_t parts[2] = {label, values[i].type == SQL_TEXT ? wh_hash64(values[i].bytes)
                                                                   : (uint64_t)values[i].i};

            label = wh_hash64(wh_slice(parts, sizeof(parts)));
        }
    }
    return label | 1;
}
