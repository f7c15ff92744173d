/*
 * concat, and replace, instr, trim, ltrim and rtrim with the results of SQLite's own, in time that is linear in
 * the text (SQLite's are quadratic) and with a look at the deadline.
 */
#include "stages/sink/sql/functions_priv.h"

enum { WINDOW_BYTES = 256 << 10, SET_MAX_BYTES = 256 };

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/*
 * Finds the needle at or behind `from`, a window at a time so that the deadline is seen. *ret_at is
 * the length of the text when there is none; false when the statement must end.
 */
static bool find(sqlite3_context *out, struct wh_slice text, struct wh_slice needle, size_t from,
                 size_t *ret_at)
{
    *ret_at = text.len;
    for (; from + needle.len <= text.len; from += WINDOW_BYTES) {
        size_t len = text.len - from;
        const char *at;

        if (len > WINDOW_BYTES + needle.len - 1) {
            len = WINDOW_BYTES + needle.len - 1;
        }
        at = memmem(text.ptr + from, len, needle.ptr, needle.len);
        if (at) {
            *ret_at = (size_t)(at - text.ptr);
            return true;
        }
        if (len > WINDOW_BYTES / 2 && sql_function_over(out)) {
            return false;
        }
    }
    return true;
}

/* ---- replace(text, needle, with) ---- */

static bool replace_all(sqlite3_context *out, struct wh_slice text, struct wh_slice needle,
                        struct wh_slice with, sqlite3_str *result)
{
    size_t from = 0;

    for (unsigned step = 1;; step++) {
        size_t at;

        if ((step % SQL_STEPS == 0 && sql_function_over(out)) ||
            !find(out, text, needle, from, &at)) {
            return false;
        }
        sqlite3_str_append(result, text.ptr + from, (int)(at - from));
        if (at == text.len || sqlite3_str_errcode(result) != SQLITE_OK) {
            return true;
        }
        sqlite3_str_append(result, with.ptr, (int)with.len);
        from = at + needle.len;
    }
}

static void replace(sqlite3_context *out, int n, sqlite3_value **args)
{
    struct wh_slice text = sql_value_text(args[0]);
    struct wh_slice needle = sql_value_text(args[1]);
    struct wh_slice with = sql_value_text(args[2]);
    sqlite3_str *result;

    (void)n;
    if (text.ptr == NULL || needle.ptr == NULL || sql_function_begins(out, text.len)) {
        return;
    }
    if (needle.len == 0) {
        sqlite3_result_value(out, args[0]);
        return;
    }
    if (with.ptr == NULL) {
        return;
    }
    result = sqlite3_str_new(sqlite3_context_db_handle(out));
    if (replace_all(out, text, needle, with, result)) {
        sql_function_result(out, result);
    } else {
        sqlite3_free(sqlite3_str_finish(result));
    }
}

/* ---- instr(text, needle) ---- */

static struct wh_slice blob_of(sqlite3_value *value)
{
    const char *bytes = sqlite3_value_blob(value);

    return wh_slice(bytes ? bytes : "", (size_t)sqlite3_value_bytes(value));
}

/* The number of the character that begins at a byte, from 1. */
static sqlite3_int64 character_at(struct wh_slice text, size_t at)
{
    sqlite3_int64 n = 1;

    for (size_t i = 1; i <= at; i++) {
        n += !is_continuation(text.ptr[i]);
    }
    return n;
}

static void instr(sqlite3_context *out, int n, sqlite3_value **args)
{
    bool bytes =
        sqlite3_value_type(args[0]) == SQLITE_BLOB && sqlite3_value_type(args[1]) == SQLITE_BLOB;
    struct wh_slice text;
    struct wh_slice needle;
    size_t at = 0;

    (void)n;
    if (sqlite3_value_type(args[0]) == SQLITE_NULL || sqlite3_value_type(args[1]) == SQLITE_NULL ||
        sql_function_over(out)) {
        return;
    }
    text = bytes ? blob_of(args[0]) : sql_value_text(args[0]);
    needle = bytes ? blob_of(args[1]) : sql_value_text(args[1]);
    if (text.ptr == NULL || needle.ptr == NULL) {
        sqlite3_result_error_nomem(out);
    } else if (needle.len == 0) {
        sqlite3_result_int(out, 1);
    } else if (!bytes && is_continuation(needle.ptr[0])) {
        /* Not UTF-8. A match begins at a character, so only the start of the text is left. */
        sqlite3_result_int(out, wh_slice_starts(text, needle));
    } else if (find(out, text, needle, 0, &at)) {
        sqlite3_result_int64(out, at == text.len ? 0
                                  : bytes        ? (sqlite3_int64)at + 1
                                                 : character_at(text, at));
    }
}

/* ---- trim(text, set) ---- */

/* Characters to take away; those of more than one byte are found one after the other. */
struct char_set {
    bool ascii[128];
    struct wh_slice wide[SET_MAX_BYTES];
    size_t n_wide;
};

static void char_set_fill(struct char_set *set, struct wh_slice chars)
{
    *set = (struct char_set){0};
    while (chars.len) {
        struct wh_slice c = wh_slice(chars.ptr, sql_char_len(chars));

        if (c.len == 1 && (unsigned char)c.ptr[0] < sizeof(set->ascii)) {
            set->ascii[(unsigned char)c.ptr[0]] = true;
        } else if (set->n_wide < sizeof(set->wide) / sizeof(set->wide[0])) {
            set->wide[set->n_wide++] = c;
        }
        chars = wh_slice_from(chars, c.len);
    }
}

/* Bytes of the set's character that the text begins (or ends) with; 0 when there is none. */
static size_t trimmable(const struct char_set *set, struct wh_slice text, bool at_end)
{
    unsigned char edge;

    if (text.len == 0) {
        return 0;
    }
    edge = (unsigned char)text.ptr[at_end ? text.len - 1 : 0];
    if (edge < sizeof(set->ascii)) {
        return set->ascii[edge];
    }
    for (size_t i = 0; i < set->n_wide; i++) {
        struct wh_slice c = set->wide[i];

        if (c.len <= text.len &&
            memcmp(text.ptr + (at_end ? text.len - c.len : 0), c.ptr, c.len) == 0) {
            return c.len;
        }
    }
    return 0;
}

/* False when the statement must end. */
static bool trim_edge(sqlite3_context *out, const struct char_set *set, struct wh_slice *text,
                      bool at_end)
{
    size_t n;

    for (unsigned step = 1; (n = trimmable(set, *text, at_end)) > 0; step++) {
        *text = at_end ? wh_slice(text->ptr, text->len - n) : wh_slice_from(*text, n);
        if (step % SQL_STEPS == 0 && sql_function_over(out)) {
            return false;
        }
    }
    return true;
}

static void trim_with(sqlite3_context *out, int n, sqlite3_value **args, bool left, bool right)
{
    struct wh_slice text = sql_value_text(args[0]);
    struct wh_slice chars = n > 1 ? sql_value_text(args[1]) : WH_LIT(" ");
    struct char_set set;

    if (text.ptr == NULL || chars.ptr == NULL || sql_function_begins(out, text.len)) {
        return;
    }
    if (chars.len > SET_MAX_BYTES) {
        sqlite3_result_error(out, "the characters to trim are more than 256 bytes", -1);
        return;
    }
    char_set_fill(&set, chars);
    if ((!left || trim_edge(out, &set, &text, false)) &&
        (!right || trim_edge(out, &set, &text, true))) {
        sqlite3_result_text64(out, text.ptr, text.len, SQLITE_TRANSIENT, SQLITE_UTF8);
    }
}

static void trim(sqlite3_context *out, int n, sqlite3_value **args)
{
    trim_with(out, n, args, true, true);
}

static void ltrim(sqlite3_context *out, int n, sqlite3_value **args)
{
    trim_with(out, n, args, true, false);
}

static void rtrim(sqlite3_context *out, int n, sqlite3_value **args)
{
    trim_with(out, n, args, false, true);
}

/* ---- concat(value, ...): NULLs are empty, unlike in || ---- */

static void concat(sqlite3_context *out, int n, sqlite3_value **args)
{
    sqlite3_str *result;

    if (sql_function_begins(out, 0)) {
        return;
    }
    result = sqlite3_str_new(sqlite3_context_db_handle(out));
    for (int i = 0; i < n && sqlite3_str_errcode(result) == SQLITE_OK; i++) {
        struct wh_slice text = sql_value_text(args[i]);

        if (text.len > WINDOW_BYTES && sql_function_over(out)) {
            sqlite3_free(sqlite3_str_finish(result));
            return;
        }
        sqlite3_str_append(result, text.ptr ? text.ptr : "", (int)text.len);
    }
    sql_function_result(out, result);
}

int sql_text_functions_install(struct sql_conn *conn)
{
    int rc = sql_function_add(conn, "replace", 3, replace);

    rc = rc == SQLITE_OK ? sql_function_add(conn, "concat", -1, concat) : rc;
    rc = rc == SQLITE_OK ? sql_function_add(conn, "instr", 2, instr) : rc;
    for (int n = 1; n <= 2 && rc == SQLITE_OK; n++) {
        rc = sql_function_add(conn, "trim", n, trim);
        rc = rc == SQLITE_OK ? sql_function_add(conn, "ltrim", n, ltrim) : rc;
        rc = rc == SQLITE_OK ? sql_function_add(conn, "rtrim", n, rtrim) : rc;
    }
    return rc;
}
