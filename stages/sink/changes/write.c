/* A change as JSON. */
#include <stdio.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/mem.h"
#include "stages/sink/changes/changes_priv.h"
#include "stages/sink/sql/field_json.h"
#include "stages/sink/sql/value_json.h"
#include "stages/sink/store/keyspace.h"

enum {
    ARENA_BLOCK_BYTES = 64 << 10,
    ARENA_MAX_BYTES = 64 << 20,
    EARLIER_MAX = 500, /* revisions that are read to find what was before */
    ROW_MAX_BYTES = 1 << 20,
    SHORTENED_MAX = 32,
};

/* One change that is written. */
struct writing {
    struct changes *c;
    const struct change *change;
    const struct wh_kind_def *def;
    struct wh_arena arena;
    struct wh_entry entry;
    bool has_entry;   /* a purge may have removed it */
    uint64_t asked;   /* fields of which it is not known yet what was before */
    uint64_t was_set; /* fields that were there before */
    struct wh_value before[WH_FIELDS_MAX];
    bool is_first; /* there was nothing before */
    struct sql_column columns[SQL_COLUMNS_MAX];
    size_t n_columns;
    struct wh_buf row;
    const char *shortened[SHORTENED_MAX];
    size_t n_shortened;
};

/* ---- what was before ---- */

static enum wh_rc read_entry(struct writing *w, struct wh_err *err)
{
    unsigned char key[SINK_REVISION_KEY];
    WH_AUTO(buf) struct wh_buf value;
    struct wh_slice kept;

    wh_buf_init(&value, ARENA_MAX_BYTES);
    sink_revision_key(key, &w->change->id, w->change->version);
    if (wh_store_get(w->c->conf.store, NULL, SINK_REVISIONS, wh_slice(key, sizeof(key)), &value,
                     &w->has_entry, err) != WH_OK) {
        return err->rc;
    }
    if (!w->has_entry) {
        return WH_OK;
    }
    w->entry.version = w->change->version;
    return wh_arena_dup(&w->arena, wh_buf_slice(&value), &kept, err) == WH_OK
               ? wh_entry_decode(w->def, kept, &w->arena, &w->entry, err)
               : err->rc;
}

/* Takes from an earlier revision what the fields were that are still asked for. */
static enum wh_rc take_earlier(struct writing *w, struct wh_slice bytes, struct wh_err *err)
{
    struct wh_slice kept;
    struct wh_entry entry = {0};
    uint64_t found;

    if (wh_arena_dup(&w->arena, bytes, &kept, err) != WH_OK ||
        wh_entry_decode(w->def, kept, &w->arena, &entry, err) != WH_OK) {
        return err->rc;
    }
    found = entry.delta.present & w->asked;
    for (unsigned i = 0; i < w->def->n_fields; i++) {
        if (found >> i & 1) {
            w->before[i] = entry.delta.values[i];
        }
    }
    w->was_set |= found;
    w->asked &= ~found;
    return WH_OK;
}

static enum wh_rc read_earlier(struct writing *w, struct wh_iter *it, struct wh_err *err)
{
    struct wh_slice key;
    struct wh_slice value;
    size_t n = 0;

    w->is_first = !wh_iter_valid(it, &key, &value);
    while (w->asked && wh_iter_valid(it, &key, &value)) {
        if (n++ == EARLIER_MAX) {
            return WH_OK;
        }
        if (take_earlier(w, value, err) != WH_OK) {
            return err->rc;
        }
        wh_iter_step(it, true);
    }
    if (!wh_iter_valid(it, &key, &value)) {
        w->was_set |= w->asked; /* there is nothing earlier: it was null */
        w->asked = 0;
    }
    return wh_iter_error(it, err);
}

static enum wh_rc find_before(struct writing *w, struct wh_err *err)
{
    unsigned char key[SINK_REVISION_KEY];
    struct wh_slice upper = wh_slice(key, sizeof(key));
    struct wh_iter *it;
    enum wh_rc rc;

    for (unsigned i = 0; i < WH_FIELDS_MAX; i++) {
        w->before[i].is_null = true;
    }
    w->asked = w->entry.delta.present;
    sink_revision_key(key, &w->change->id, w->change->version);
    if (wh_iter_new(w->c->conf.store, NULL, SINK_REVISIONS, wh_slice(key, 16), upper, &it, err) !=
        WH_OK) {
        return err->rc;
    }
    wh_iter_seek(it, WH_LIT(""), true);
    rc = read_earlier(w, it, err);
    wh_iter_free(it);
    return rc;
}

/* ---- texts of bounded length ---- */

static void note_shortened(struct writing *w, const char *field)
{
    for (size_t i = 0; i < w->n_shortened; i++) {
        if (strcmp(w->shortened[i], field) == 0) {
            return;
        }
    }
    if (w->n_shortened < SHORTENED_MAX) {
        w->shortened[w->n_shortened++] = field;
    }
}

/* Does not cut a character. */
static struct wh_slice cut(struct wh_slice text)
{
    size_t n = CHANGE_TEXT_MAX_BYTES;

    while (n > 0 && ((unsigned char)text.ptr[n] & 0xC0) == 0x80) {
        n--;
    }
    return wh_slice(text.ptr, n);
}

static void write_field(struct writing *w, struct wh_json_writer *json, unsigned field,
                        const struct wh_value *value)
{
    const struct wh_field_def *def = &w->def->fields[field];

    if (def->type == WH_FIELD_STRING && !value->is_null &&
        value->u.str.len > CHANGE_TEXT_MAX_BYTES) {
        note_shortened(w, def->name);
        wh_jw_str(json, cut(value->u.str));
        return;
    }
    sql_field_json(json, def->type, value);
}

/* ---- the row ---- */

static enum wh_rc on_columns(void *ctx, const struct wh_slice *names, size_t n, struct wh_err *err)
{
    struct writing *w = ctx;

    (void)names;
    return n == w->n_columns ? WH_OK
                             : wh_fail(err, WH_E_INTERNAL, "%zu columns of %zu", n, w->n_columns);
}

static void write_cell(struct writing *w, struct wh_json_writer *json, size_t i,
                       const struct sql_value *value)
{
    struct sql_value shown = *value;
    enum sql_shape shape = w->columns[i].shape;

    if (value->type == SQL_TEXT && value->bytes.len > CHANGE_TEXT_MAX_BYTES) {
        note_shortened(w, w->columns[i].name);
        /* A part of a list is none. */
        shown.bytes = shape == SQL_SHAPE_JSON ? WH_LIT("null") : cut(value->bytes);
    }
    sql_value_json(json, &shown, shape);
}

static enum wh_rc on_row(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                         struct wh_err *err)
{
    struct writing *w = ctx;
    struct wh_json_writer json;

    (void)ret_full;
    wh_buf_reset(&w->row);
    wh_json_writer_init(&json, &w->row);
    wh_jw_object(&json);
    for (size_t i = 0; i < n; i++) {
        wh_jw_key(&json, w->columns[i].name);
        write_cell(w, &json, i, &values[i]);
    }
    wh_jw_end(&json);
    return wh_jw_finish(&json, err);
}

static void forget_row(void *ctx)
{
    struct writing *w = ctx;

    wh_buf_reset(&w->row);
}

static enum wh_rc read_row(struct writing *w, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text;
    struct changes_question q = {.rows = {.columns = on_columns, .row = on_row, .ctx = w},
                                 .again = forget_row};
    char table[64];

    wh_buf_init(&text, sizeof(table) + 64);
    if (wh_buf_printf(&text, err, "SELECT * FROM \"%s_all\" WHERE id = :id", w->def->table) !=
        WH_OK) {
        return err->rc;
    }
    q.text = wh_buf_slice(&text);
    (void)snprintf(table, sizeof(table), "%s_all", w->def->table);
    w->n_columns = sql_columns(wh_slice_str(table), w->columns);
    return changes_ask(w->c, &q, w->change, err);
}

/* ---- the object ---- */

static const char *operation(const struct writing *w)
{
    if (w->has_entry && w->entry.change == WH_CHANGE_DELETE) {
        return "deleted";
    }
    return w->is_first ? "new" : "changed";
}

static void write_identity(const struct writing *w, struct wh_json_writer *json)
{
    const struct change *change = w->change;
    char text[WH_ENTITY_ID_TEXT + WH_TIME_TEXT_MAX];
    char place[CHANGES_PLACE_TEXT];
    char version[33];

    (void)snprintf(version, sizeof(version), "%016llx%016llx",
                   (unsigned long long)change->version.order,
                   (unsigned long long)change->version.tie);
    wh_jw_put_int(json, "sequence", (int64_t)change->sequence);
    wh_jw_put_str(json, "place",
                  wh_slice_str(changes_place_format(
                      (struct changes_place){changes_store(w->c), change->sequence}, place)));
    wh_jw_put_str(json, "id", wh_slice_str(wh_entity_id_format(&change->id, text)));
    wh_jw_put_str(json, "kind", wh_slice_str(w->def->name));
    wh_jw_put_str(json, "table", wh_slice_str(w->def->table));
    wh_jw_put_str(json, "operation", wh_slice_str(operation(w)));
    wh_jw_put_str(json, "revision", wh_slice_str(version));
    wh_jw_put_str(json, "time", wh_slice_str(wh_time_format(change_at_ms(change), text)));
    wh_jw_put_str(json, "stored_at", wh_slice_str(wh_time_format(change->stored_ms, text)));
    wh_jw_put_bool(json, "late", change->late);
}

static void write_changes(struct writing *w, struct wh_json_writer *json)
{
    wh_jw_key(json, "changes");
    wh_jw_object(json);
    for (unsigned i = 0; w->has_entry && i < w->def->n_fields; i++) {
        if (!(w->entry.delta.present >> i & 1)) {
            continue;
        }
        wh_jw_key(json, w->def->fields[i].name);
        wh_jw_object(json);
        if (w->was_set >> i & 1) {
            wh_jw_key(json, "before");
            write_field(w, json, i, &w->before[i]);
        }
        wh_jw_key(json, "after");
        write_field(w, json, i, &w->entry.delta.values[i]);
        wh_jw_end(json);
    }
    wh_jw_end(json);
}

/* A row that does not fit is left out. */
static enum wh_rc write_object(struct writing *w, bool with_row, struct wh_buf *out,
                               struct wh_err *err)
{
    struct wh_json_writer json;

    wh_json_writer_init(&json, out);
    wh_jw_object(&json);
    write_identity(w, &json);
    write_changes(w, &json);
    wh_jw_key(&json, "row");
    if (with_row && w->row.len) {
        wh_jw_raw(&json, wh_buf_slice(&w->row));
    } else {
        wh_jw_null(&json);
    }
    wh_jw_key(&json, "shortened");
    wh_jw_array(&json);
    for (size_t i = 0; i < w->n_shortened; i++) {
        wh_jw_str(&json, wh_slice_str(w->shortened[i]));
    }
    if (w->row.len && !with_row) {
        wh_jw_str(&json, WH_LIT("row"));
    }
    wh_jw_end(&json);
    wh_jw_end(&json);
    return wh_jw_finish(&json, err);
}

static enum wh_rc write_bounded(struct writing *w, struct wh_buf *out, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text;
    enum wh_rc rc;

    wh_buf_init(&text, CHANGE_JSON_MAX_BYTES);
    rc = write_object(w, true, &text, err);
    if (rc == WH_E_TOO_LARGE) {
        wh_buf_reset(&text);
        rc = write_object(w, false, &text, err);
    }
    if (rc == WH_E_TOO_LARGE) {
        wh_buf_reset(&text);
        w->has_entry = false;
        rc = write_object(w, false, &text, err);
    }
    return rc == WH_OK ? wh_buf_append(out, wh_buf_slice(&text), err) : rc;
}

static enum wh_rc write_all(struct writing *w, struct wh_buf *out, struct wh_err *err)
{
    if (read_entry(w, err) != WH_OK || find_before(w, err) != WH_OK || read_row(w, err) != WH_OK) {
        return err->rc;
    }
    return write_bounded(w, out, err);
}

static enum wh_rc begin(struct writing *w, struct changes *c, const struct change *change,
                        struct wh_err *err)
{
    w->c = c;
    w->change = change;
    w->def = wh_kind_def(change->kind);
    if (w->def == NULL) {
        return wh_fail(err, WH_E_CORRUPT, "a change of an unknown kind %d", (int)change->kind);
    }
    wh_arena_init(&w->arena, ARENA_BLOCK_BYTES, ARENA_MAX_BYTES);
    wh_buf_init(&w->row, ROW_MAX_BYTES);
    return WH_OK;
}

static void end(struct writing *w)
{
    wh_buf_done(&w->row);
    wh_arena_done(&w->arena);
}

enum wh_rc change_learned_ms(struct changes *c, const struct change *change, int64_t *ret_ms,
                             struct wh_err *err)
{
    WH_AUTO_FREE struct writing *w = wh_mem_zalloc(1, sizeof(*w));
    enum wh_rc rc;

    if (w == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a change");
    }
    rc = begin(w, c, change, err);
    if (rc == WH_OK) {
        rc = read_entry(w, err);
        end(w);
    }
    *ret_ms = w->has_entry && w->entry.provenance.observed_at_ms
                  ? w->entry.provenance.observed_at_ms
                  : change->stored_ms;
    return rc;
}

enum wh_rc change_write(struct changes *c, const struct change *change, struct wh_buf *out,
                        struct wh_err *err)
{
    WH_AUTO_FREE struct writing *w = wh_mem_zalloc(1, sizeof(*w));
    enum wh_rc rc;

    if (w == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a change");
    }
    rc = begin(w, c, change, err);
    if (rc == WH_OK) {
        rc = write_all(w, out, err);
        end(w);
    }
    return rc;
}
