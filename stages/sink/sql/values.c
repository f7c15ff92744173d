/* Values of SQLite <-> values of the store: bounds, results. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/json/json_write.h"
#include "stages/sink/sql/sql_priv.h"
#include "stages/sink/sql/field_json.h"

bool sql_prefix_end(unsigned char *key, size_t len)
{
    while (len > 0) {
        if (++key[--len] != 0) {
            return true;
        }
    }
    return false;
}

struct wh_slice sql_value_text(sqlite3_value *value)
{
    const char *text = (const char *)sqlite3_value_text(value);

    return text ? wh_slice(text, (size_t)sqlite3_value_bytes(value)) : (struct wh_slice){NULL, 0};
}

static struct wh_slice text_of(sqlite3_value *value)
{
    if (sqlite3_value_type(value) != SQLITE_TEXT) {
        return (struct wh_slice){NULL, 0};
    }
    return sql_value_text(value);
}

bool sql_bound_id(sqlite3_value *value, struct wh_entity_id *ret)
{
    struct wh_err err;

    return wh_entity_id_parse(text_of(value), ret, &err) == WH_OK;
}

/*
 * Rows show times as 24 characters. If a row's text is >= the bound, then so is its prefix of n
 * characters against the bound's prefix: a bound's date, or date and time, is thus a safe bound.
 */
static bool parse_prefix(struct wh_slice text, int64_t *ret_ms, int64_t *ret_width_ms)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    size_t len = 0;
    struct wh_instant at;
    struct wh_err err;

    while (len < text.len && len < sizeof(form) - 1 &&
           (form[len] == 'd' ? text.ptr[len] >= '0' && text.ptr[len] <= '9'
                             : text.ptr[len] == form[len])) {
        len++;
    }
    if (len == sizeof(form) - 1) {
        *ret_width_ms = 1;
    } else if (len >= 19) {
        len = 19;
        *ret_width_ms = 1000;
    } else if (len >= 10) {
        len = 10;
        *ret_width_ms = 86400000;
    } else {
        return false;
    }
    if (wh_time_parse(wh_slice(text.ptr, len), &at, &err) != WH_OK) {
        return false;
    }
    *ret_ms = at.ms;
    return true;
}

bool sql_bound_time_lower(sqlite3_value *value, int64_t *ret_ms)
{
    int64_t width;

    return parse_prefix(text_of(value), ret_ms, &width);
}

bool sql_bound_time_upper(sqlite3_value *value, int64_t *ret_ms)
{
    int64_t width;

    if (!parse_prefix(text_of(value), ret_ms, &width)) {
        return false;
    }
    *ret_ms += width;
    return true;
}

/* ---- hashes ---- */

enum { NUMBER_MAX_BYTES = 512 }; /* a longer text is hashed as text */

uint64_t sql_hash_number(double value)
{
    double one_zero = value + 0.0; /* 0.0 and -0.0 are equal */

    return wh_hash64(wh_slice(&one_zero, sizeof(one_zero)));
}

/* True for every text that SQLite's numeric affinity turns into a number. */
static bool number_of(struct wh_slice text, double *ret)
{
    char copy[NUMBER_MAX_BYTES + 1];
    char *end;

    while (text.len && strchr(" \t\n\v\f\r", text.ptr[text.len - 1])) {
        text.len--;
    }
    if (text.len == 0 || text.len > NUMBER_MAX_BYTES) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\0' || !strchr("0123456789+-.eE \t\n\v\f\r", text.ptr[i])) {
            return false;
        }
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    *ret = strtod(copy, &end);
    return end == copy + text.len;
}

uint64_t sql_hash_text(struct wh_slice text)
{
    double number;

    return number_of(text, &number) ? sql_hash_number(number) : wh_hash64(text);
}

bool sql_hash_value(sqlite3_value *value, uint64_t *ret)
{
    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
    case SQLITE_FLOAT:
        *ret = sql_hash_number(sqlite3_value_double(value));
        return true;
    case SQLITE_TEXT:
        *ret = sql_hash_text(sql_value_text(value));
        return true;
    case SQLITE_BLOB: {
        const void *bytes = sqlite3_value_blob(value);

        *ret = wh_hash64(wh_slice(bytes, bytes ? (size_t)sqlite3_value_bytes(value) : 0));
        return true;
    }
    default:
        return false;
    }
}

/* ---- copies: a type, then 8 bytes of a number, or the length of a text and its bytes ---- */

enum copy_type { COPY_NULL, COPY_INT, COPY_DOUBLE, COPY_TEXT };

static void copy(struct sql_out *out, enum copy_type type, const void *number, struct wh_slice text)
{
    char head[1 + 8] = {(char)type};
    struct wh_err err;

    if (out->copy == NULL || out->rc != WH_OK) {
        return;
    }
    memcpy(head + 1, number, 8);
    if (wh_buf_append(out->copy, wh_slice(head, type == COPY_NULL ? 1 : sizeof(head)), &err) !=
            WH_OK ||
        wh_buf_append(out->copy, text, &err) != WH_OK) {
        out->rc = err.rc;
    }
}

struct wh_slice sql_copy_skip(struct wh_slice bytes)
{
    enum copy_type type = (enum copy_type)bytes.ptr[0];
    uint64_t len = 0;

    if (type == COPY_TEXT) {
        memcpy(&len, bytes.ptr + 1, sizeof(len));
    }
    return wh_slice_from(bytes, type == COPY_NULL ? 1 : 9 + (size_t)len);
}

struct wh_slice sql_copy_result(sqlite3_context *out, struct wh_slice bytes)
{
    struct wh_slice rest = sql_copy_skip(bytes);
    int64_t i = 0;
    double num = 0;

    switch ((enum copy_type)bytes.ptr[0]) {
    case COPY_INT:
        memcpy(&i, bytes.ptr + 1, sizeof(i));
        sqlite3_result_int64(out, i);
        break;
    case COPY_DOUBLE:
        memcpy(&num, bytes.ptr + 1, sizeof(num));
        sqlite3_result_double(out, num);
        break;
    case COPY_TEXT:
        sqlite3_result_text64(out, bytes.ptr + 9, bytes.len - rest.len - 9, SQLITE_STATIC,
                              SQLITE_UTF8);
        break;
    case COPY_NULL:
    default:
        sqlite3_result_null(out);
        break;
    }
    return rest;
}

/* ---- results ---- */

void sql_result_slice(struct sql_out *out, struct wh_slice text)
{
    uint64_t len = text.len;

    if (out->to == NULL) {
        out->is_null = false;
        out->hash = sql_hash_text(text);
        copy(out, COPY_TEXT, &len, text);
        return;
    }
    /* Copied: SQLite may keep a row's value longer than the cursor stays on the row. */
    sqlite3_result_text64(out->to, text.ptr ? text.ptr : "", text.len, SQLITE_TRANSIENT,
                          SQLITE_UTF8);
}

void sql_result_null(struct sql_out *out)
{
    if (out->to) {
        sqlite3_result_null(out->to);
    }
    out->is_null = true;
}

void sql_result_int(struct sql_out *out, int64_t value)
{
    if (out->to) {
        sqlite3_result_int64(out->to, value);
        return;
    }
    out->is_null = false;
    out->hash = sql_hash_number((double)value);
    copy(out, COPY_INT, &value, wh_slice("", 0));
}

void sql_result_double(struct sql_out *out, double value)
{
    if (out->to) {
        sqlite3_result_double(out->to, value);
        return;
    }
    out->is_null = false;
    out->hash = sql_hash_number(value);
    copy(out, COPY_DOUBLE, &value, wh_slice("", 0));
}

void sql_result_maybe(struct sql_out *out, struct wh_slice text)
{
    if (text.len) {
        sql_result_slice(out, text);
    } else {
        sql_result_null(out);
    }
}

/* A field that GitLab sent: 1970 is what it says. */
static void instant(struct sql_out *out, int64_t ms)
{
    char text[WH_TIME_TEXT_MAX];

    sql_result_slice(out, wh_slice_str(wh_time_format(ms, text)));
}

void sql_result_time(struct sql_out *out, int64_t ms)
{
    if (ms == 0) {
        sql_result_null(out);
    } else {
        instant(out, ms);
    }
}

void sql_result_id(struct sql_out *out, const struct wh_entity_id *id)
{
    char text[WH_ENTITY_ID_TEXT + 1];

    sql_result_slice(out, wh_slice_str(wh_entity_id_format(id, text)));
}

const char *sql_version_format(struct wh_version version, char text[SQL_VERSION_TEXT + 1])
{
    (void)snprintf(text, SQL_VERSION_TEXT + 1, "%016" PRIx64 "%016" PRIx64, version.order,
                   version.tie);
    return text;
}

void sql_result_version(struct sql_out *out, struct wh_version version)
{
    char text[SQL_VERSION_TEXT + 1];

    sql_result_slice(out, wh_slice_str(sql_version_format(version, text)));
}

static bool parse_hex(const char *digits, uint64_t *ret)
{
    uint64_t v = 0;

    for (int i = 0; i < 16; i++) {
        char c = digits[i];

        if (c >= '0' && c <= '9') {
            v = v << 4 | (uint64_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            v = v << 4 | (uint64_t)(c - 'a' + 10);
        } else {
            return false;
        }
    }
    *ret = v;
    return true;
}

bool sql_version_parse(struct wh_slice text, struct wh_version *ret)
{
    return text.len == SQL_VERSION_TEXT && parse_hex(text.ptr, &ret->order) &&
           parse_hex(text.ptr + 16, &ret->tie);
}

enum wh_rc sql_result_value(struct sql_out *out, struct wh_buf *scratch, enum wh_field_type type,
                            const struct wh_value *value, struct wh_err *err)
{
    struct wh_json_writer w;

    if (value->is_null) {
        sql_result_null(out);
        return WH_OK;
    }
    switch (type) {
    case WH_FIELD_LONG:
        sql_result_int(out, value->u.i);
        return WH_OK;
    case WH_FIELD_DOUBLE:
        sql_result_double(out, value->u.num);
        return WH_OK;
    case WH_FIELD_BOOL:
        sql_result_int(out, value->u.b);
        return WH_OK;
    case WH_FIELD_TIME:
        instant(out, value->u.i);
        return WH_OK;
    case WH_FIELD_REF:
        sql_result_id(out, &value->u.ref);
        return WH_OK;
    case WH_FIELD_STRINGS:
    case WH_FIELD_REFS:
        wh_buf_reset(scratch);
        wh_json_writer_init(&w, scratch);
        sql_field_json(&w, type, value);
        if (wh_jw_finish(&w, err) != WH_OK) {
            return err->rc;
        }
        sql_result_slice(out, wh_buf_slice(scratch));
        return WH_OK;
    case WH_FIELD_STRING:
    default:
        sql_result_slice(out, value->u.str);
        return WH_OK;
    }
}

enum wh_rc sql_kind_of(struct sql_conn *conn, const struct wh_entity_id *id, struct wh_buf *scratch,
                       const struct wh_kind_def **ret, struct wh_err *err)
{
    unsigned char key[SINK_ENTITY_KEY];

    *ret = NULL;
    for (unsigned k = WH_KIND_NONE + 1; k < WH_KIND_COUNT && *ret == NULL; k++) {
        bool found = false;

        sink_entity_key(key, (enum wh_kind)k, id);
        wh_buf_reset(scratch);
        if (wh_store_get(conn->store, conn->snap, SINK_ENTITIES, wh_slice(key, sizeof(key)),
                         scratch, &found, err) != WH_OK) {
            return err->rc;
        }
        if (found) {
            *ret = wh_kind_def((enum wh_kind)k);
        }
    }
    return WH_OK;
}
