/* Values of SQLite <-> values of the store: bounds, results. */
#include <inttypes.h>
#include <stdio.h>

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

void sql_result_slice(sqlite3_context *out, struct wh_slice text)
{
    /* Copied: SQLite may keep a row's value longer than the cursor stays on the row. */
    sqlite3_result_text64(out, text.ptr ? text.ptr : "", text.len, SQLITE_TRANSIENT, SQLITE_UTF8);
}

void sql_result_maybe(sqlite3_context *out, struct wh_slice text)
{
    if (text.len) {
        sql_result_slice(out, text);
    } else {
        sqlite3_result_null(out);
    }
}

void sql_result_time(sqlite3_context *out, int64_t ms)
{
    char text[WH_TIME_TEXT_MAX];

    sql_result_slice(out, wh_slice_str(wh_time_format(ms, text)));
}

void sql_result_id(sqlite3_context *out, const struct wh_entity_id *id)
{
    char text[WH_ENTITY_ID_TEXT + 1];

    sql_result_slice(out, wh_slice_str(wh_entity_id_format(id, text)));
}

void sql_result_version(sqlite3_context *out, struct wh_version version)
{
    char text[33];

    (void)snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64, version.order, version.tie);
    sql_result_slice(out, wh_slice_str(text));
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
    return text.len == 32 && parse_hex(text.ptr, &ret->order) &&
           parse_hex(text.ptr + 16, &ret->tie);
}

enum wh_rc sql_result_value(sqlite3_context *out, struct wh_buf *scratch, enum wh_field_type type,
                            const struct wh_value *value, struct wh_err *err)
{
    struct wh_json_writer w;

    if (value->is_null) {
        sqlite3_result_null(out);
        return WH_OK;
    }
    switch (type) {
    case WH_FIELD_LONG:
        sqlite3_result_int64(out, value->u.i);
        return WH_OK;
    case WH_FIELD_DOUBLE:
        sqlite3_result_double(out, value->u.num);
        return WH_OK;
    case WH_FIELD_BOOL:
        sqlite3_result_int(out, value->u.b);
        return WH_OK;
    case WH_FIELD_TIME:
        sql_result_time(out, value->u.i);
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
