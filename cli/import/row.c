#include "cli/import/row.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/import/value.h"
#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/json/json_copy.h"

enum {
    ARENA_BLOCK = 64 << 10,
    ARENA_MAX = 16 * IMPORT_ROW_MAX,
    OTHERS_BIT = 31,
    LIST_DEPTH = 4,
};

/* A column that the kind does not have. */
struct other {
    struct wh_slice name;
    struct wh_slice text; /* of CSV */
    struct wh_json_val json;
    bool is_json;
};

struct import_row {
    struct wh_slice instance;
    struct import_report report;
    const struct import_kind *kind;
    int64_t line;
    bool is_wrong;
    struct wh_arena arena;
    struct import_value values[IMPORT_COLUMNS_MAX];
    bool seen[IMPORT_COLUMNS_MAX];
    bool bad[IMPORT_COLUMNS_MAX]; /* its value was wrong, which has been reported */
    struct other others[IMPORT_OTHERS_MAX];
    size_t n_others;
    struct wh_buf identity;
    struct wh_buf payload;
    struct wh_buf attributes;
    struct wh_buf print;
    struct wh_json_parser *lists; /* of the sink, which are texts in its answers */
};

struct import_row *import_row_new(struct wh_slice instance, const struct import_report *report)
{
    struct import_row *row = wh_mem_zalloc(1, sizeof(*row));

    if (row) {
        row->lists = wh_json_parser_new((size_t)8 * IMPORT_ROW_MAX, LIST_DEPTH);
        if (row->lists == NULL) {
            wh_mem_free(row);
            return NULL;
        }
        row->instance = instance;
        row->report = *report;
        wh_arena_init(&row->arena, ARENA_BLOCK, ARENA_MAX);
        wh_buf_init(&row->identity, (size_t)4 * IMPORT_ROW_MAX);
        wh_buf_init(&row->payload, (size_t)8 * IMPORT_ROW_MAX);
        wh_buf_init(&row->attributes, (size_t)8 * IMPORT_ROW_MAX);
        wh_buf_init(&row->print, (size_t)16 * IMPORT_ROW_MAX);
    }
    return row;
}

void import_row_free(struct import_row *row)
{
    if (row) {
        wh_arena_done(&row->arena);
        wh_buf_done(&row->identity);
        wh_buf_done(&row->payload);
        wh_buf_done(&row->attributes);
        wh_buf_done(&row->print);
        wh_json_parser_free(row->lists);
        wh_mem_free(row);
    }
}

static void reset(struct import_row *row)
{
    wh_arena_reset(&row->arena);
    wh_buf_reset(&row->identity);
    wh_buf_reset(&row->payload);
    wh_buf_reset(&row->attributes);
    wh_buf_reset(&row->print);
    memset(row->values, 0, sizeof(row->values));
    memset(row->seen, 0, sizeof(row->seen));
    memset(row->bad, 0, sizeof(row->bad));
    row->n_others = 0;
    row->is_wrong = false;
}

void import_row_begin(struct import_row *row, const struct import_kind *kind, int64_t line)
{
    reset(row);
    row->kind = kind;
    row->line = line;
}

void import_row_wrong(struct import_row *row, struct wh_slice column, const char *reason)
{
    row->is_wrong = true;
    row->report.wrong(row->report.ctx, row->line, column, reason);
}

void import_row_lacks(struct import_row *row, int column)
{
    row->is_wrong = true;
    if (column >= 0) {
        row->bad[column] = true;
    }
}

/* ---- values ---- */

/* False when the row has the column already. */
static bool first_time(struct import_row *row, int i, struct wh_slice column)
{
    bool again = i >= 0 && row->seen[i];

    for (size_t k = 0; i < 0 && k < row->n_others; k++) {
        again = again || wh_slice_eq(row->others[k].name, column);
    }
    if (again) {
        import_row_wrong(row, column, "the column occurs twice");
    } else if (i >= 0) {
        row->seen[i] = true;
    }
    return !again;
}

static void keep_other(struct import_row *row, const struct other *other)
{
    char reason[IMPORT_REASON_MAX];

    if (!import_text_good(other->name, reason)) {
        import_row_wrong(row, WH_LIT("row"), "the name of a column is no text");
    } else if (row->n_others == IMPORT_OTHERS_MAX) {
        import_row_wrong(row, other->name, "there are too many columns");
    } else {
        row->others[row->n_others++] = *other;
    }
}

static void after(struct import_row *row, int i, struct wh_slice column, bool good,
                  const char *reason)
{
    if (!good) {
        row->bad[i] = true;
        import_row_wrong(row, column, reason);
    }
}

void import_row_text(struct import_row *row, int i, struct wh_slice column, struct wh_slice text)
{
    char reason[IMPORT_REASON_MAX];

    if (!first_time(row, i, column)) {
        return;
    }
    if (i >= 0) {
        after(row, i, column,
              import_value_text(&row->kind->columns[i], text, &row->arena, &row->values[i], reason),
              reason);
    } else if (memchr(text.ptr ? text.ptr : "", '\0', text.len)) {
        import_row_wrong(row, column, "a NUL byte is not allowed in a text");
    } else if (!wh_utf8_valid(text)) {
        import_row_wrong(row, column, "the text is not valid UTF-8");
    } else {
        keep_other(row, &(struct other){.name = column, .text = text});
    }
}

void import_row_json(struct import_row *row, struct wh_slice column, struct wh_json_val value)
{
    int i = import_column_of(row->kind, column);
    char reason[IMPORT_REASON_MAX];

    if (!first_time(row, i, column)) {
        return;
    }
    if (i < 0) {
        keep_other(row, &(struct other){.name = column, .json = value, .is_json = true});
    } else if (wh_json_type(value) == WH_JSON_NULL) {
        row->values[i].state = IMPORT_EMPTY;
    } else {
        after(
            row, i, column,
            import_value_json(&row->kind->columns[i], value, &row->arena, &row->values[i], reason),
            reason);
    }
}

/* ---- the row as a whole ---- */

static void check_needed(struct import_row *row)
{
    const struct import_kind *kind = row->kind;
    char reason[IMPORT_REASON_MAX] = "one of these is needed:";
    const char *first = NULL;
    bool any = false;
    size_t at = strlen(reason);

    for (size_t i = 0; i < kind->n_columns; i++) {
        const struct import_column *c = &kind->columns[i];
        bool there = row->values[i].state == IMPORT_SHOWN || row->bad[i];

        if (c->required && !there) {
            import_row_wrong(row, wh_slice_str(c->name), "a value is needed");
        }
        if (!c->required) {
            any = any || there;
            first = first ? first : c->name;
            at += (size_t)snprintf(reason + at, sizeof(reason) - at, " %s", c->name);
        }
    }
    if (kind->needs_one && !any) {
        import_row_wrong(row, wh_slice_str(first), reason);
    }
}

static void check_period(struct import_row *row)
{
    const struct import_kind *kind = row->kind;
    const struct import_value *from;
    const struct import_value *to;
    char reason[IMPORT_REASON_MAX];
    int i;
    int k;

    if (kind->from == NULL) {
        return;
    }
    i = import_column_of(kind, wh_slice_str(kind->from));
    k = import_column_of(kind, wh_slice_str(kind->to));
    from = &row->values[i];
    to = &row->values[k];
    if (from->state == IMPORT_SHOWN && to->state == IMPORT_SHOWN && !row->bad[i] && !row->bad[k] &&
        memcmp(from->text.ptr, to->text.ptr, to->text.len) > 0) {
        (void)snprintf(reason, sizeof(reason), "the day is before that in %s", kind->from);
        import_row_wrong(row, wh_slice_str(kind->to), reason);
    }
}

/* Of several columns joined by ':', in which ':' and '\' are behind a '\'. */
static enum wh_rc add_part(struct wh_buf *out, struct wh_slice text, struct wh_err *err)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((text.ptr[i] == ':' || text.ptr[i] == '\\') &&
            wh_buf_append_char(out, '\\', err) != WH_OK) {
            return err->rc;
        }
        if (wh_buf_append_char(out, text.ptr[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc write_identity(struct import_row *row, struct wh_err *err)
{
    size_t n = import_identity_columns(row->kind);
    bool first = true;

    for (size_t i = 0; i < row->kind->n_columns; i++) {
        if (!row->kind->columns[i].identity) {
            continue;
        }
        if ((!first && wh_buf_append_char(&row->identity, ':', err) != WH_OK) ||
            (n == 1 ? wh_buf_append(&row->identity, row->values[i].text, err)
                    : add_part(&row->identity, row->values[i].text, err)) != WH_OK) {
            return err->rc;
        }
        first = false;
    }
    return WH_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct other *x = a;
    const struct other *y = b;
    size_t n = x->name.len < y->name.len ? x->name.len : y->name.len;
    int order = n ? memcmp(x->name.ptr, y->name.ptr, n) : 0;

    return order ? order : (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

static void write_others(const struct import_row *row, struct wh_json_writer *w)
{
    for (size_t i = 0; i < row->n_others; i++) {
        const struct other *o = &row->others[i];

        wh_jw_key_slice(w, o->name);
        if (o->is_json) {
            wh_jw_value(w, o->json);
        } else {
            wh_jw_str(w, o->text);
        }
    }
}

static enum wh_rc write_payload(struct import_row *row, struct wh_err *err)
{
    struct wh_json_writer w;

    qsort(row->others, row->n_others, sizeof(row->others[0]), by_name);
    wh_json_writer_init(&w, &row->payload);
    wh_jw_object(&w);
    for (size_t i = 0; i < row->kind->n_columns; i++) {
        if (row->values[i].state != IMPORT_ABSENT) {
            wh_jw_key(&w, row->kind->columns[i].name);
            import_value_write(&w, &row->kind->columns[i], &row->values[i]);
        }
    }
    write_others(row, &w);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

/* ---- contents ---- */

static enum wh_rc write_attributes(struct import_row *row, struct wh_err *err)
{
    struct wh_json_writer w;

    if (row->n_others == 0) {
        return WH_OK;
    }
    wh_json_writer_init(&w, &row->attributes);
    wh_jw_object(&w);
    write_others(row, &w);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

/* A page that is not given stays as it is in the store. */
static bool compared(const struct import_column *c, const struct import_value *v)
{
    return c->stored && v->state != IMPORT_ABSENT &&
           !(c->type == IMPORT_URL && v->state == IMPORT_EMPTY);
}

static enum wh_rc find_content(struct import_row *row, struct import_record *ret,
                               struct wh_err *err)
{
    const struct import_value others = {.text = wh_buf_slice(&row->attributes)};

    ret->shown = UINT32_C(1) << OTHERS_BIT;
    for (size_t i = 0; i < row->kind->n_columns; i++) {
        if (compared(&row->kind->columns[i], &row->values[i])) {
            ret->shown |= UINT32_C(1) << i;
            if (import_value_print(&row->print, &row->values[i], err) != WH_OK) {
                return err->rc;
            }
        }
    }
    if (import_value_print(&row->print, &others, err) != WH_OK) {
        return err->rc;
    }
    ret->content = wh_hash128(wh_buf_slice(&row->print));
    return WH_OK;
}

enum wh_rc import_row_end(struct import_row *row, bool *ret_good, struct import_record *ret,
                          struct wh_err *err)
{
    check_needed(row);
    check_period(row);
    *ret = (struct import_record){.line = row->line};
    *ret_good = false;
    if (row->is_wrong) {
        return WH_OK;
    }
    if (write_identity(row, err) != WH_OK || write_payload(row, err) != WH_OK ||
        write_attributes(row, err) != WH_OK || find_content(row, ret, err) != WH_OK) {
        return err->rc;
    }
    ret->identity = wh_buf_slice(&row->identity);
    ret->payload = wh_buf_slice(&row->payload);
    if (ret->identity.len > IMPORT_IDENTITY_MAX) {
        import_row_wrong(row, wh_slice_str(row->kind->columns[0].name),
                         "the columns of the row's identity are too long: 1000 bytes at most");
        return WH_OK;
    }
    ret->id = wh_entity_id_make(row->instance, wh_slice_str(row->kind->entity), ret->identity);
    *ret_good = true;
    return WH_OK;
}

/* A value as the sink has it, in the form that the check gives. */
static bool stored_value(struct import_row *row, const struct import_column *column,
                         struct wh_json_val json, struct import_value *ret)
{
    char reason[IMPORT_REASON_MAX];
    struct wh_err err;

    *ret = (struct import_value){.state = IMPORT_EMPTY};
    if (column->type == IMPORT_LIST && wh_json_type(json) == WH_JSON_STRING &&
        wh_json_parse(row->lists, wh_json_string(json), &json, &err) != WH_OK) {
        return false;
    }
    return wh_json_type(json) == WH_JSON_NULL ||
           import_value_json(column, json, &row->arena, ret, reason);
}

enum wh_rc import_stored_content(struct import_row *row, const struct import_kind *kind,
                                 uint32_t shown, struct wh_json_iter *values,
                                 struct wh_hash128 *ret, struct wh_err *err)
{
    struct import_value value;
    struct wh_json_val json;

    reset(row);
    for (size_t i = 0; i < kind->n_columns; i++) {
        if (kind->columns[i].stored == NULL || !wh_json_next(values, NULL, &json) ||
            !(shown >> i & 1)) {
            continue;
        }
        /* What another producer stored may be nothing that a file can say: it differs then. */
        if ((stored_value(row, &kind->columns[i], json, &value)
                 ? import_value_print(&row->print, &value, err)
                 : wh_buf_append_char(&row->print, '?', err)) != WH_OK) {
            return err->rc;
        }
    }
    value = (struct import_value){.state = IMPORT_EMPTY};
    if (wh_json_next(values, NULL, &json)) {
        value.text = wh_json_string(json);
    }
    if (import_value_print(&row->print, &value, err) != WH_OK) {
        return err->rc;
    }
    *ret = wh_hash128(wh_buf_slice(&row->print));
    return WH_OK;
}
