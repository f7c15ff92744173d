/* SQLite connections, statements and their limits; see sql.h. */
#include <pthread.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "stages/sink/sql/functions_priv.h"
#include "stages/sink/sql/near.h"

enum {
    SQL_TEXT_MAX_BYTES = 1 << 20,
    OPS_BETWEEN_CHECKS = 50,
    INSTRUCTIONS_MAX = 25000,
    ARGUMENTS_MAX = 64,
    COMPOUNDS_MAX = 100,
    OUT_COLUMNS_MAX = 512,
    NAME_MAX_BYTES = 256,
};

struct sql_engine {
    struct sql_engine_conf conf;
    pthread_mutex_t lock; /* idle, busy */
    pthread_cond_t returned;
    struct sql_conn *idle;
    struct sql_conn *conns;
    atomic_bool stopped;
};

bool sql_conn_over(struct sql_conn *conn)
{
    if (wh_clock_mono_ns(&conn->clock) >= conn->deadline_ns) {
        conn->timed_out = true;
        return true;
    }
    return atomic_load_explicit(conn->stopped, memory_order_relaxed) ||
           (conn->canceled && atomic_load_explicit(conn->canceled, memory_order_relaxed));
}

static int on_progress(void *ctx)
{
    return sql_conn_over(ctx);
}

static bool stop_allocating(void *ctx)
{
    return sql_conn_over(ctx);
}

/* ---- what a statement may do ---- */

/* a, b: SQLite's first two details of the action. */
static const char *refusal(int action, const char *a, const char *b)
{
    static const char only_reads[] = "only SELECT, WITH and VALUES are permitted";

    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
        return NULL;
    case SQLITE_FUNCTION:
        return b && sql_function_rule(b) ? NULL : "this function is not available";
    case SQLITE_PRAGMA:
        return "PRAGMA is not permitted; /api/v1/kinds lists tables and columns";
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
        return "ATTACH and DETACH are not permitted";
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
        return "transactions are not needed: every statement reads one snapshot";
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
        if (a && sqlite3_strnicmp(a, "sqlite_", 7) == 0) {
            return only_reads; /* a CREATE or DROP, told as what it writes */
        }
        return "the store is read-only here: entities come from the source";
    default:
        return only_reads;
    }
}

static int authorize(void *ctx, int action, const char *a, const char *b, const char *c,
                     const char *d)
{
    struct sql_conn *conn = ctx;
    const char *why = refusal(action, a, b);

    (void)c;
    (void)d;
    if (why == NULL || conn->declaring) {
        return SQLITE_OK;
    }
    if (conn->refused == NULL) {
        conn->refused = why;
    }
    return SQLITE_DENY;
}

/* ---- connections ---- */

static const struct sql_table_def *def_of(const char *name, enum wh_kind kind)
{
    if (kind != WH_KIND_NONE) {
        return &sql_entities;
    }
    if (strcmp(name, "links") == 0) {
        return &sql_links;
    }
    if (strcmp(name, "revisions") == 0) {
        return &sql_revisions;
    }
    if (strcmp(name, "changes") == 0) {
        return &sql_changes;
    }
    if (strcmp(name, "run_documents") == 0) {
        return &sql_runs;
    }
    if (strcmp(name, "health_documents") == 0) {
        return &sql_health;
    }
    return strcmp(name, "connection_documents") == 0 ? &sql_connections : NULL;
}

static enum wh_rc add_table(struct sql_conn *conn, const struct sql_table_info *info, bool all,
                            struct wh_err *err)
{
    struct sql_table *t = &conn->tables[conn->n_tables];
    char name[NAME_MAX_BYTES];

    (void)snprintf(name, sizeof(name), "%s%s", info->name, all ? "_all" : "");
    *t = (struct sql_table){
        .conn = conn,
        .def = def_of(info->name, info->kind),
        .kind = wh_kind_def(info->kind),
        .all = all,
        .columns = wh_mem_zalloc(SQL_COLUMNS_MAX, sizeof(struct sql_column)),
    };
    if (t->columns == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a table");
    }
    conn->n_tables++;
    t->n_columns = sql_columns(wh_slice_str(name), t->columns);
    sql_table_indexes(t);
    if (sqlite3_create_module(conn->db, name, &sql_module, t) != SQLITE_OK) {
        return wh_fail(err, WH_E_INTERNAL, "SQLite: %s", sqlite3_errmsg(conn->db));
    }
    return WH_OK;
}

static enum wh_rc execute(struct sql_conn *conn, const char *sql, struct wh_err *err)
{
    return sqlite3_exec(conn->db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? WH_OK
               : wh_fail(err, WH_E_INTERNAL, "SQLite: %s", sqlite3_errmsg(conn->db));
}

static enum wh_rc add_tables(struct sql_conn *conn, struct wh_err *err)
{
    const struct sql_table_info *infos;
    size_t n;

    infos = sql_tables(&n);
    for (size_t i = 0; i < n; i++) {
        if (infos[i].base || def_of(infos[i].name, infos[i].kind) == NULL) {
            continue;
        }
        if (add_table(conn, &infos[i], false, err) != WH_OK ||
            (infos[i].kind != WH_KIND_NONE && add_table(conn, &infos[i], true, err) != WH_OK)) {
            return err->rc;
        }
    }
    if (execute(conn, sql_document_views, err) != WH_OK) {
        return err->rc;
    }
    return execute(conn,
                   "CREATE VIEW incidents AS SELECT * FROM work_items WHERE type = 'incident';"
                   "CREATE VIEW issues AS SELECT * FROM work_items WHERE type = 'issue';"
                   "CREATE VIEW merge_requests AS"
                   " SELECT * FROM work_items WHERE type = 'merge_request';"
                   "CREATE VIEW pipelines AS SELECT * FROM build_records;"
                   "CREATE VIEW incidents_all AS"
                   " SELECT * FROM work_items_all WHERE type = 'incident';"
                   "CREATE VIEW issues_all AS SELECT * FROM work_items_all WHERE type = 'issue';"
                   "CREATE VIEW merge_requests_all AS"
                   " SELECT * FROM work_items_all WHERE type = 'merge_request';"
                   "CREATE VIEW pipelines_all AS SELECT * FROM build_records_all;",
                   err);
}

static void conn_free(struct sql_conn *conn)
{
    (void)sqlite3_close(conn->db);
    for (size_t i = 0; i < conn->n_tables; i++) {
        wh_mem_free(conn->tables[i].columns);
    }
    wh_mem_free(conn);
}

static enum wh_rc conn_open(struct sql_conn *conn, struct wh_err *err)
{
    if (sqlite3_open_v2(":memory:", &conn->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK) {
        return wh_fail(err, WH_E_NOMEM, "SQLite cannot open a connection");
    }
    if (execute(conn, "PRAGMA temp_store = MEMORY", err) != WH_OK ||
        add_tables(conn, err) != WH_OK) {
        return err->rc;
    }
    (void)sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    /* "name" is a column, never a string that was meant to be one. */
    (void)sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    (void)sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    (void)sqlite3_limit(conn->db, SQLITE_LIMIT_LENGTH, SQL_VALUE_MAX_BYTES);
    (void)sqlite3_limit(conn->db, SQLITE_LIMIT_SQL_LENGTH, SQL_TEXT_MAX_BYTES);
    (void)sqlite3_limit(conn->db, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, SQL_PATTERN_MAX_BYTES);
    (void)sqlite3_limit(conn->db, SQLITE_LIMIT_ATTACHED, 0);
    (void)sqlite3_limit(conn->db, SQLITE_LIMIT_EXPR_DEPTH, 200);
    (void)sqlite3_limit(conn->db, SQLITE_LIMIT_COLUMN, OUT_COLUMNS_MAX);
    (void)sqlite3_limit(conn->db, SQLITE_LIMIT_VARIABLE_NUMBER, 1000);
    (void)sqlite3_limit(conn->db, SQLITE_LIMIT_WORKER_THREADS, 0);
    (void)sqlite3_limit(conn->db, SQLITE_LIMIT_VDBE_OP, INSTRUCTIONS_MAX);
    (void)sqlite3_limit(conn->db, SQLITE_LIMIT_FUNCTION_ARG, ARGUMENTS_MAX);
    (void)sqlite3_limit(conn->db, SQLITE_LIMIT_COMPOUND_SELECT, COMPOUNDS_MAX);
    (void)sqlite3_limit(conn->db, SQLITE_LIMIT_TRIGGER_DEPTH, 1);
    /* Made known now: to SQLite that is a CREATE TABLE, which is refused later. */
    if (execute(conn, "SELECT 1 FROM json_each('[]'), json_tree('[]')", err) != WH_OK) {
        return err->rc;
    }
    if (sql_functions_install(conn) != SQLITE_OK) {
        return wh_fail(err, WH_E_NOMEM, "SQLite: %s", sqlite3_errmsg(conn->db));
    }
    (void)sqlite3_set_authorizer(conn->db, authorize, conn);
    sqlite3_progress_handler(conn->db, OPS_BETWEEN_CHECKS, on_progress, conn);
    return WH_OK;
}

/* NULL when it cannot be opened. */
static struct sql_conn *conn_new(struct sql_engine *engine, struct wh_err *err)
{
    struct sql_conn *conn = wh_mem_zalloc(1, sizeof(*conn));

    if (conn == NULL) {
        (void)wh_fail(err, WH_E_NOMEM, "no memory for a connection of SQLite");
        return NULL;
    }
    conn->engine = engine;
    conn->store = engine->conf.store;
    conn->clock = engine->conf.clock;
    conn->stopped = &engine->stopped;
    if (conn_open(conn, err) != WH_OK) {
        conn_free(conn);
        return NULL;
    }
    return conn;
}

enum wh_rc sql_engine_new(const struct sql_engine_conf *conf, struct sql_engine **ret,
                          struct wh_err *err)
{
    struct sql_engine *e = wh_mem_zalloc(1, sizeof(*e));

    if (e == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the SQL engine");
    }
    if (sql_memory_install(err) != WH_OK) {
        wh_mem_free(e);
        return err->rc;
    }
    e->conf = *conf;
    if (e->conf.memory_bytes <= 0) {
        e->conf.memory_bytes = SQL_MEMORY_DEFAULT;
    }
    (void)pthread_mutex_init(&e->lock, NULL);
    (void)pthread_cond_init(&e->returned, NULL);
    for (size_t i = 0; i < conf->connections; i++) {
        struct sql_conn *conn = conn_new(e, err);

        if (conn == NULL) {
            sql_engine_free(e);
            return err->rc;
        }
        conn->next = e->idle;
        e->idle = conn;
    }
    *ret = e;
    return WH_OK;
}

void sql_engine_stop(struct sql_engine *engine)
{
    atomic_store(&engine->stopped, true);
}

void sql_engine_free(struct sql_engine *engine)
{
    if (engine == NULL) {
        return;
    }
    while (engine->idle) {
        struct sql_conn *conn = engine->idle;

        engine->idle = conn->next;
        conn_free(conn);
    }
    (void)pthread_cond_destroy(&engine->returned);
    (void)pthread_mutex_destroy(&engine->lock);
    wh_mem_free(engine);
}

static struct sql_conn *borrow(struct sql_engine *e)
{
    struct sql_conn *conn;

    (void)pthread_mutex_lock(&e->lock);
    while (e->idle == NULL) {
        (void)pthread_cond_wait(&e->returned, &e->lock);
    }
    conn = e->idle;
    e->idle = conn->next;
    (void)pthread_mutex_unlock(&e->lock);
    return conn;
}

static void give_back(struct sql_engine *e, struct sql_conn *conn)
{
    (void)pthread_mutex_lock(&e->lock);
    conn->next = e->idle;
    e->idle = conn;
    (void)pthread_cond_signal(&e->returned);
    (void)pthread_mutex_unlock(&e->lock);
}

/* ---- statements ---- */

static enum wh_rc interrupted(const struct sql_conn *conn, const struct sql_query *query,
                              struct wh_err *err)
{
    if (conn->timed_out) {
        return wh_fail(err, WH_E_TIMEOUT,
                       "stopped after %lld ms, the time limit; narrow it down (id, url, project, "
                       "changed_at are indexed) or ask for more time",
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
        return wh_fail(err, WH_E_FORBIDDEN, "refused: %s", refusal(SQLITE_INSERT, NULL, NULL));
    default:
        break;
    }
    if (strstr(text, "may not be modified") || strstr(text, "cannot modify")) {
        return wh_fail(err, WH_E_FORBIDDEN, "refused: %s", refusal(SQLITE_INSERT, NULL, NULL));
    }
    sql_near_hint(text, near, sizeof(near));
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
        return wh_fail(err, WH_E_FORBIDDEN, "refused: %s", refusal(-1, NULL, NULL));
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
    conn->snap = NULL;
    wh_store_snapshot_free(conn->store, snap);
    (void)sqlite3_limit(conn->db, SQLITE_LIMIT_LENGTH, SQL_VALUE_MAX_BYTES);
    wh_arena_done(&arena);
    return rc;
}

/* Everything that the statement allocates, also for its rows, counts against its budget. */
static enum wh_rc run_within_budget(struct sql_conn *conn, const struct sql_query *query,
                                    const struct sql_rows *rows, struct sql_outcome *ret,
                                    struct wh_err *err)
{
    enum wh_rc rc;

    conn->budget = (struct wh_mem_budget){
        .limit = (size_t)conn->engine->conf.memory_bytes, .stop = stop_allocating, .ctx = conn};
    wh_mem_budget_begin(&conn->budget);
    rc = run_on(conn, query, rows, ret, err);
    wh_mem_budget_end();
    return rc == WH_E_NOMEM ? out_of_memory(conn, query, err) : rc;
}

enum wh_rc sql_run(struct sql_engine *engine, const struct sql_query *query,
                   const struct sql_rows *rows, struct sql_outcome *ret, struct wh_err *err)
{
    int64_t started = wh_clock_mono_ns(&engine->conf.clock);
    struct sql_conn *conn;
    enum wh_rc rc;

    *ret = (struct sql_outcome){0};
    if (atomic_load(&engine->stopped)) {
        return wh_fail(err, WH_E_UNAVAILABLE, "this sink is stopping");
    }
    if (query->waited_ms >= query->timeout_ms) {
        return wh_fail(
            err, WH_E_BUSY,
            "the query waited %lld ms for other queries, its whole time limit; ask again",
            (long long)query->waited_ms);
    }
    conn = borrow(engine);
    conn->deadline_ns =
        wh_clock_mono_ns(&conn->clock) + (query->timeout_ms - query->waited_ms) * 1000000;
    conn->canceled = query->canceled;
    conn->timed_out = false;
    conn->rows_read = 0;
    conn->refused = NULL;
    wh_err_clear(&conn->err);
    rc = run_within_budget(conn, query, rows, ret, err);
    ret->rows_read = conn->rows_read;
    ret->elapsed_us = (wh_clock_mono_ns(&engine->conf.clock) - started) / 1000;
    give_back(engine, conn);
    return rc;
}
