/* One statement: how it is prepared, bound and run within its budget, and what its failures mean. */
#include <stdio.h>

#include "common/base/mem.h"
#include "stages/sink/sql/describe.h"
#include "stages/sink/sql/functions_priv.h"
#include "stages/sink/sql/lookup.h"
#include "stages/sink/sql/near.h"

enum { NAME_MAX_BYTES = 256 };

static bool stop_allocating(void *ctx)
{
    return sql_conn_over(ctx);
}

static enum wh_rc interrupted(const struct sql_conn *conn, const struct sql_query *query,
                              struct wh_err *err)
{
    if (conn->timed_out) {
        return wh_fail(err, WH_E_TIMEOUT,
                       "stopped after %lld ms, the time limit; narrow it down (id, url, project, "
                       "sha, updated_at and created_at are indexed) or ask for more time",
                       (long long)query->timeout_ms);
    }
    return wh_fail(err, WH_E_CANCELED, "the query was stopped");
}

static enum wh_rc out_of_memory(struct sql_conn *conn, const struct sql_query *query,
                                struct wh_err *err)
{
    if (sql_conn_over(conn)) {
        return interrupted(conn, query, err);
    }
    if (conn->budget.exceeded) {
        return wh_fail(err, WH_E_TOO_LARGE,
                       "the query needs more memory than the %zu MiB it may have; sort, group or "
                       "select less",
                       conn->budget.limit >> 20);
    }
    return wh_fail(err, WH_E_TOO_LARGE,
                   "the query is too long: it has more than about 20000 instructions, or the sink "
                   "is out of memory");
}

/* What a failed call of SQLite means. */
static enum wh_rc failure(struct sql_conn *conn, const struct sql_query *query, struct wh_err *err)
{
    int code = sqlite3_errcode(conn->db);
    const char *text = sqlite3_errmsg(conn->db);
    int at = sqlite3_error_offset(conn->db);
    char near[NAME_MAX_BYTES];

    if (conn->err.rc != WH_OK) {
        *err = conn->err;
        return err->rc;
    }
    if (conn->refused) {
        return wh_fail(err, WH_E_FORBIDDEN, "refused: %s", conn->refused);
    }
    switch (code & 0xff) {
    case SQLITE_INTERRUPT:
        return interrupted(conn, query, err);
    case SQLITE_NOMEM:
        return out_of_memory(conn, query, err);
    case SQLITE_TOOBIG:
        return wh_fail(err, WH_E_TOO_LARGE,
                       "a value is larger than %d bytes, which is the limit of this query; a query "
                       "with fewer operations and functions may handle values up to %d bytes",
                       sqlite3_limit(conn->db, SQLITE_LIMIT_LENGTH, -1), SQL_VALUE_MAX_BYTES);
    case SQLITE_AUTH:
    case SQLITE_READONLY:
        return wh_fail(err, WH_E_FORBIDDEN, "refused: %s", sql_refusal(SQLITE_INSERT, NULL, NULL));
    default:
        break;
    }
    if (strstr(text, "may not be modified") || strstr(text, "cannot modify")) {
        return wh_fail(err, WH_E_FORBIDDEN, "refused: %s", sql_refusal(SQLITE_INSERT, NULL, NULL));
    }
    sql_near_hint(text, query->text, near, sizeof(near));
    if (at >= 0) {
        return wh_fail(err, WH_E_INVALID, "%s (at character %d)%s", text, at + 1, near);
    }
    return wh_fail(err, WH_E_INVALID, "%s%s", text, near);
}

static bool only_space(const char *text, const char *end)
{
    /* SQLite has taken comments that stand alone for a statement of nothing. */
    for (; text < end; text++) {
        if (*text != ' ' && *text != '\n' && *text != '\r' && *text != '\t' && *text != ';') {
            return false;
        }
    }
    return true;
}

static bool more_statements(struct sql_conn *conn, const char *tail, const char *end)
{
    sqlite3_stmt *second = NULL;
    bool more;

    if (only_space(tail, end)) {
        return false;
    }
    more = sqlite3_prepare_v2(conn->db, tail, (int)(end - tail), &second, NULL) != SQLITE_OK ||
           second != NULL;
    (void)sqlite3_finalize(second);
    return more;
}

/* EXPLAIN itself runs nothing. */
static enum wh_rc limit_values(struct sql_conn *conn, const struct sql_query *query,
                               sqlite3_stmt *stmt, struct wh_err *err)
{
    int bytes = SQL_VALUE_MAX_BYTES;

    if (!sqlite3_stmt_isexplain(stmt) &&
        sql_value_limit(conn->db, query->text.ptr, query->text.len, &bytes) != SQLITE_OK) {
        return failure(conn, query, err);
    }
    (void)sqlite3_limit(conn->db, SQLITE_LIMIT_LENGTH, bytes);
    return WH_OK;
}

static enum wh_rc prepare(struct sql_conn *conn, const struct sql_query *query, sqlite3_stmt **ret,
                          struct wh_err *err)
{
    sqlite3_stmt *stmt = NULL;
    const char *tail = NULL;

    if (query->text.len > SQL_TEXT_MAX_BYTES) {
        return wh_fail(err, WH_E_TOO_LARGE, "the query is longer than %d bytes",
                       SQL_TEXT_MAX_BYTES);
    }
    if (query->text.len == 0 || memchr(query->text.ptr, 0, query->text.len)) {
        return wh_fail(err, WH_E_INVALID, "the query is empty or holds a NUL character");
    }
    if (sqlite3_prepare_v2(conn->db, query->text.ptr, (int)query->text.len, &stmt, &tail) !=
        SQLITE_OK) {
        return failure(conn, query, err);
    }
    if (stmt == NULL) {
        return wh_fail(err, WH_E_INVALID, "the query holds no statement");
    }
    if (more_statements(conn, tail, query->text.ptr + query->text.len)) {
        (void)sqlite3_finalize(stmt);
        return wh_fail(err, WH_E_INVALID, "one statement at a time");
    }
    /* REINDEX, say, asks the authorizer nothing when there is no index. */
    if (!sqlite3_stmt_readonly(stmt) || sqlite3_column_count(stmt) == 0) {
        (void)sqlite3_finalize(stmt);
        return wh_fail(err, WH_E_FORBIDDEN, "refused: %s", sql_refusal(-1, NULL, NULL));
    }
    *ret = stmt;
    return WH_OK;
}

static int bind_value(sqlite3_stmt *stmt, int i, const struct sql_value *v)
{
    switch (v->type) {
    case SQL_INT:
        return sqlite3_bind_int64(stmt, i, v->i);
    case SQL_DOUBLE:
        return sqlite3_bind_double(stmt, i, v->num);
    case SQL_TEXT:
        return sqlite3_bind_text64(stmt, i, v->bytes.ptr ? v->bytes.ptr : "", v->bytes.len,
                                   SQLITE_TRANSIENT, SQLITE_UTF8);
    case SQL_BLOB:
        return sqlite3_bind_blob64(stmt, i, v->bytes.ptr ? v->bytes.ptr : "", v->bytes.len,
                                   SQLITE_TRANSIENT);
    case SQL_NULL:
    default:
        return sqlite3_bind_null(stmt, i);
    }
}

static enum wh_rc bind(struct sql_conn *conn, const struct sql_query *query, sqlite3_stmt *stmt,
                       struct wh_err *err)
{
    for (int i = 1; i <= sqlite3_bind_parameter_count(stmt); i++) {
        const char *name = sqlite3_bind_parameter_name(stmt, i);
        const struct sql_param *param = NULL;

        for (size_t k = 0; name && name[0] != '?' && k < query->n_params; k++) {
            if (wh_slice_eq(query->params[k].name, wh_slice_str(name + 1))) {
                param = &query->params[k];
            }
        }
        if (name == NULL || name[0] == '?') {
            return wh_fail(err, WH_E_INVALID, "parameters have names: write :name instead of ?");
        }
        if (param == NULL) {
            return wh_fail(err, WH_E_INVALID, "no value was given for the parameter %.60s", name);
        }
        if (bind_value(stmt, i, &param->value) != SQLITE_OK) {
            return failure(conn, query, err);
        }
    }
    return WH_OK;
}

/* Names of the result, made unique by _2, _3, ... so that rows can be objects. */
static enum wh_rc send_columns(sqlite3_stmt *stmt, struct wh_arena *arena, int n,
                               const struct sql_rows *rows, struct wh_err *err)
{
    struct wh_slice *names;
    void *memory;
    char text[NAME_MAX_BYTES];

    if (wh_arena_zalloc(arena, (size_t)n, sizeof(*names), &memory, err) != WH_OK) {
        return err->rc;
    }
    names = memory;
    for (int i = 0; i < n; i++) {
        const char *name = sqlite3_column_name(stmt, i);
        int suffix = 1;
        bool taken = true;

        for (; taken; suffix++) {
            if (suffix == 1) {
                (void)snprintf(text, sizeof(text), "%.200s", name ? name : "");
            } else {
                (void)snprintf(text, sizeof(text), "%.200s_%d", name ? name : "", suffix);
            }
            taken = false;
            for (int k = 0; k < i && !taken; k++) {
                taken = wh_slice_eq(names[k], wh_slice_str(text));
            }
        }
        if (wh_arena_dup(arena, wh_slice_str(text), &names[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return rows->columns(rows->ctx, names, (size_t)n, err);
}

/* ptr NULL and type TEXT when memory is short. */
static struct sql_value column_value(sqlite3_stmt *stmt, int i)
{
    struct sql_value v = {.type = SQL_NULL};

    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_INTEGER:
        v.type = SQL_INT;
        v.i = sqlite3_column_int64(stmt, i);
        break;
    case SQLITE_FLOAT:
        v.type = SQL_DOUBLE;
        v.num = sqlite3_column_double(stmt, i);
        break;
    case SQLITE_TEXT:
        v.type = SQL_TEXT;
        v.bytes.ptr = (const char *)sqlite3_column_text(stmt, i);
        v.bytes.len = (size_t)sqlite3_column_bytes(stmt, i);
        break;
    case SQLITE_BLOB:
        v.type = SQL_BLOB;
        v.bytes.ptr = sqlite3_column_blob(stmt, i);
        v.bytes.len = (size_t)sqlite3_column_bytes(stmt, i);
        break;
    default:
        break;
    }
    return v;
}

static enum wh_rc send_rows(struct sql_conn *conn, const struct sql_query *query,
                            sqlite3_stmt *stmt, struct wh_arena *arena, const struct sql_rows *rows,
                            struct sql_outcome *ret, struct wh_err *err)
{
    int n = sqlite3_column_count(stmt);
    struct sql_value *values;
    bool full = false;
    void *memory;
    int step;

    if (send_columns(stmt, arena, n, rows, err) != WH_OK ||
        wh_arena_zalloc(arena, (size_t)n, sizeof(*values), &memory, err) != WH_OK) {
        return err->rc;
    }
    values = memory;
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (ret->rows >= query->max_rows) {
            ret->cut = SQL_CUT_ROWS;
            return WH_OK;
        }
        for (int i = 0; i < n; i++) {
            values[i] = column_value(stmt, i);
            if (values[i].type == SQL_TEXT && values[i].bytes.ptr == NULL) {
                return failure(conn, query, err);
            }
        }
        if (rows->row(rows->ctx, values, (size_t)n, &full, err) != WH_OK) {
            return err->rc;
        }
        if (full) {
            ret->cut = SQL_CUT_FULL;
            return WH_OK;
        }
        ret->rows++;
    }
    return step == SQLITE_DONE ? WH_OK : failure(conn, query, err);
}

static enum wh_rc run_on(struct sql_conn *conn, const struct sql_query *query,
                         const struct sql_rows *rows, struct sql_outcome *ret, struct wh_err *err)
{
    sqlite3_stmt *stmt = NULL;
    struct wh_arena arena;
    struct wh_snapshot *snap = NULL;
    enum wh_rc rc;

    wh_arena_init(&arena, 4096, 1 << 20);
    if (wh_store_snapshot(conn->store, &snap, err) != WH_OK) {
        return err->rc;
    }
    conn->snap = snap;
    conn->statements++;
    sql_conn_forget_counts(conn);
    rc = prepare(conn, query, &stmt, err);
    if (rc == WH_OK) {
        rc = limit_values(conn, query, stmt, err);
    }
    if (rc == WH_OK) {
        rc = bind(conn, query, stmt, err);
    }
    if (rc == WH_OK) {
        rc = send_rows(conn, query, stmt, &arena, rows, ret, err);
    }
    /* Cursors read the snapshot: they go first. */
    (void)sqlite3_finalize(stmt);
    sql_lookups_free(conn);
    people_book_free(conn->people);
    conn->people = NULL;
    past_free(conn->past);
    conn->past = NULL;
    conn->snap = NULL;
    wh_store_snapshot_free(conn->store, snap);
    (void)sqlite3_limit(conn->db, SQLITE_LIMIT_LENGTH, SQL_VALUE_MAX_BYTES);
    wh_arena_done(&arena);
    return rc;
}

/* A statement about the tables themselves is replaced by the SELECT that answers it. */
static enum wh_rc run_text(struct sql_conn *conn, const struct sql_query *query,
                           const struct sql_rows *rows, struct sql_outcome *ret, struct wh_err *err)
{
    struct sql_query described = *query;
    char *sql = NULL;
    enum wh_rc rc = sql_describe(query->text, &sql, err);

    if (rc != WH_OK) {
        return rc;
    }
    if (sql) {
        described.text = wh_slice_str(sql);
    }
    rc = run_on(conn, &described, rows, ret, err);
    sqlite3_free(sql);
    return rc;
}

/* Everything that the statement allocates, also for its rows, counts against its budget. */
enum wh_rc sql_statement_run(struct sql_conn *conn, const struct sql_query *query,
                             const struct sql_rows *rows, struct sql_outcome *ret,
                             struct wh_err *err)
{
    enum wh_rc rc;

    conn->budget = (struct wh_mem_budget){
        .limit = (size_t)conn->memory_bytes, .stop = stop_allocating, .ctx = conn};
    wh_mem_budget_begin(&conn->budget);
    rc = run_text(conn, query, rows, ret, err);
    wh_mem_budget_end();
    return rc == WH_E_NOMEM ? out_of_memory(conn, query, err) : rc;
}
