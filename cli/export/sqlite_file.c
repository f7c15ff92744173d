/* A file of SQLite. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/export/target.h"
#include "cli/out/value.h"
#include "common/base/file.h"
#include "common/base/mem.h"

enum { TEXT_MAX_BYTES = 64 << 10, VALUE_MAX_BYTES = 64 << 20 };

struct sqlite_target {
    struct export_target base;
    char path[EXPORT_PATH_MAX];
    char part[EXPORT_PATH_MAX];
    sqlite3 *db;
    sqlite3_stmt *insert;
    char table[64];
    struct wh_buf text;
};

static struct sqlite_target *of(struct export_target *t)
{
    return (struct sqlite_target *)t;
}

static enum wh_rc failed(const struct sqlite_target *t, struct wh_err *err)
{
    return wh_fail(err, sqlite3_errcode(t->db) == SQLITE_FULL ? WH_E_NO_SPACE : WH_E_IO,
                   "%.150s: %s", t->part, sqlite3_errmsg(t->db));
}

static enum wh_rc run(struct sqlite_target *t, const char *text, struct wh_err *err)
{
    return sqlite3_exec(t->db, text, NULL, NULL, NULL) == SQLITE_OK ? WH_OK : failed(t, err);
}

/* Columns by which other tables find a row. */
static bool is_key(const char *column)
{
    return strcmp(column, "id") == 0 || strcmp(column, "entity_id") == 0 ||
           strcmp(column, "from_id") == 0 || strcmp(column, "to_id") == 0;
}

static enum wh_rc create(struct sqlite_target *t, const struct export_column *columns, size_t n,
                         struct wh_err *err)
{
    enum wh_rc rc;

    wh_buf_reset(&t->text);
    rc = wh_buf_printf(&t->text, err, "create table \"%s\" (", t->table);
    for (size_t i = 0; rc == WH_OK && i < n; i++) {
        rc = wh_buf_printf(&t->text, err, "%s\"%s\" %s", i ? ", " : "", columns[i].name,
                           columns[i].type);
    }
    rc = rc == WH_OK ? wh_buf_printf(&t->text, err, ");") : rc;
    for (size_t i = 0; rc == WH_OK && i < n; i++) {
        if (is_key(columns[i].name)) {
            rc = wh_buf_printf(&t->text, err, "create index \"%s_%s\" on \"%s\" (\"%s\");",
                               t->table, columns[i].name, t->table, columns[i].name);
        }
    }
    return rc == WH_OK ? run(t, wh_buf_str(&t->text), err) : rc;
}

static enum wh_rc begin_table(struct export_target *base, const char *name,
                              const struct export_column *columns, size_t n, struct wh_err *err)
{
    struct sqlite_target *t = of(base);
    enum wh_rc rc;

    (void)snprintf(t->table, sizeof(t->table), "%.63s", name);
    rc = run(t, "begin", err);
    rc = rc == WH_OK ? create(t, columns, n, err) : rc;
    wh_buf_reset(&t->text);
    rc = rc == WH_OK ? wh_buf_printf(&t->text, err, "insert into \"%s\" values (", t->table) : rc;
    for (size_t i = 0; rc == WH_OK && i < n; i++) {
        rc = wh_buf_append(&t->text, i ? WH_LIT(",?") : WH_LIT("?"), err);
    }
    rc = rc == WH_OK ? wh_buf_append_char(&t->text, ')', err) : rc;
    if (rc == WH_OK &&
        sqlite3_prepare_v2(t->db, wh_buf_str(&t->text), -1, &t->insert, NULL) != SQLITE_OK) {
        rc = failed(t, err);
    }
    return rc;
}

static int bind(sqlite3_stmt *s, int at, struct wh_json_val v, struct wh_buf *text)
{
    struct wh_slice bytes;

    switch (wh_json_type(v)) {
    case WH_JSON_NULL:
        return sqlite3_bind_null(s, at);
    case WH_JSON_BOOL:
        return sqlite3_bind_int(s, at, wh_json_bool(v));
    case WH_JSON_INT:
        return sqlite3_bind_int64(s, at, wh_json_int(v));
    case WH_JSON_DOUBLE:
        return sqlite3_bind_double(s, at, wh_json_double(v));
    case WH_JSON_STRING:
        bytes = wh_json_string(v);
        return sqlite3_bind_text64(s, at, bytes.ptr, bytes.len, SQLITE_TRANSIENT, SQLITE_UTF8);
    case WH_JSON_UINT:
    case WH_JSON_ARRAY:
    case WH_JSON_OBJECT:
    default:
        wh_buf_reset(text);
        cli_value_text(v, text);
        return sqlite3_bind_text64(s, at, wh_buf_str(text), text->len, SQLITE_TRANSIENT,
                                   SQLITE_UTF8);
    }
}

static enum wh_rc add_row(struct export_target *base, struct wh_json_val row, struct wh_err *err)
{
    struct sqlite_target *t = of(base);
    struct wh_json_iter it = wh_json_iter(row);
    struct wh_json_val v;
    int at = 0;

    while (wh_json_next(&it, NULL, &v)) {
        if (bind(t->insert, ++at, v, &t->text) != SQLITE_OK) {
            return failed(t, err);
        }
    }
    if (at != sqlite3_bind_parameter_count(t->insert)) {
        return wh_fail(err, WH_E_INVALID, "a row of %s has %d columns", t->table, at);
    }
    if (sqlite3_step(t->insert) != SQLITE_DONE || sqlite3_reset(t->insert) != SQLITE_OK) {
        return failed(t, err);
    }
    return WH_OK;
}

static enum wh_rc end_table(struct export_target *base, int64_t *ret_rows, struct wh_err *err)
{
    struct sqlite_target *t = of(base);
    sqlite3_stmt *count = NULL;
    char text[128];
    enum wh_rc rc;

    (void)sqlite3_finalize(t->insert);
    t->insert = NULL;
    (void)snprintf(text, sizeof(text), "select count(*) from \"%s\"", t->table);
    rc = run(t, "commit", err);
    if (rc == WH_OK && (sqlite3_prepare_v2(t->db, text, -1, &count, NULL) != SQLITE_OK ||
                        sqlite3_step(count) != SQLITE_ROW)) {
        rc = failed(t, err);
    }
    *ret_rows = rc == WH_OK ? sqlite3_column_int64(count, 0) : 0;
    (void)sqlite3_finalize(count);
    return rc;
}

static enum wh_rc close_file(struct export_target *base, bool done, struct wh_err *err)
{
    struct sqlite_target *t = of(base);
    enum wh_rc rc = WH_OK;

    (void)sqlite3_finalize(t->insert);
    /* Durable before it has its name. */
    rc = done
             ? run(t, "pragma synchronous = full; begin immediate; pragma user_version = 1; commit",
                   err)
             : rc;
    if (sqlite3_close(t->db) != SQLITE_OK && rc == WH_OK) {
        rc = wh_fail(err, WH_E_IO, "%.150s cannot be closed", t->part);
    }
    if (done && rc == WH_OK && rename(t->part, t->path) != 0) {
        rc = wh_file_fail(err, "cannot make", t->path);
    }
    if (!done || rc != WH_OK) {
        (void)unlink(t->part);
    }
    wh_buf_done(&t->text);
    wh_mem_free(t);
    return rc;
}

static const struct export_target_ops sqlite_ops = {
    .table = begin_table, .row = add_row, .table_end = end_table, .close = close_file};

enum wh_rc export_sqlite_open(const char *file, struct export_target **ret, struct wh_err *err)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    struct sqlite_target *t = wh_mem_zalloc(1, sizeof(*t));
    struct wh_err ignored;
    enum wh_rc rc;

    if (t == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an export");
    }
    t->base.ops = &sqlite_ops;
    wh_buf_init(&t->text, VALUE_MAX_BYTES);
    if (export_paths(file, t->part, err) != WH_OK) {
        wh_mem_free(t);
        return err->rc;
    }
    (void)snprintf(t->path, sizeof(t->path), "%s", file);
    (void)umask(077);
    rc = sqlite3_open_v2(t->part, &t->db, flags, NULL) == SQLITE_OK
             ? run(t, "pragma journal_mode = off; pragma synchronous = off", err)
             : failed(t, err);
    if (rc == WH_OK) {
        *ret = &t->base;
        return WH_OK;
    }
    /* The first error is the one to tell. */
    return close_file(&t->base, false, &ignored) == WH_E_NOMEM ? WH_E_NOMEM : rc;
}
