/* One SQLite connection: its tables, its views, its limits. */
#include <stdio.h>

#include "common/base/mem.h"
#include "stages/sink/sql/computed_priv.h"
#include "stages/sink/sql/functions_priv.h"

enum {
    OPS_BETWEEN_CHECKS = 50,
    INSTRUCTIONS_MAX = 25000,
    ARGUMENTS_MAX = 64,
    COMPOUNDS_MAX = 100,
    OUT_COLUMNS_MAX = 512,
    NAME_MAX_BYTES = 256,
};

bool sql_conn_over(struct sql_conn *conn)
{
    int64_t paused_ns = conn->paused_ns ? *conn->paused_ns : 0;

    if (wh_clock_mono_ns(&conn->clock) - paused_ns >= conn->deadline_ns) {
        conn->timed_out = true;
        return true;
    }
    return atomic_load_explicit(conn->stopped, memory_order_relaxed) ||
           (conn->canceled && atomic_load_explicit(conn->canceled, memory_order_relaxed));
}

void sql_conn_forget_counts(struct sql_conn *conn)
{
    for (unsigned k = 0; k < WH_KIND_COUNT; k++) {
        conn->counts[k][0] = -1;
    }
}

static bool is_over(void *ctx)
{
    return sql_conn_over(ctx);
}

enum wh_rc sql_conn_past(struct sql_conn *conn, struct past **ret, struct wh_err *err)
{
    const struct past_conf conf = {.store = conn->store,
                                   .snap = conn->snap,
                                   .when = &conn->when,
                                   .over = is_over,
                                   .ctx = conn};

    if (conn->past == NULL && past_new(&conf, &conn->past, err) != WH_OK) {
        return err->rc;
    }
    *ret = conn->past;
    return WH_OK;
}

enum wh_rc sql_conn_people(struct sql_conn *conn, const struct people_book **ret,
                           struct wh_err *err)
{
    bool now = sink_is_now(conn->when);
    struct people_book_conf conf = {.store = conn->store, .snap = conn->snap};

    conf.when = conn->when;
    if (conn->people == NULL &&
        (sql_conn_past(conn, &conf.past, err) != WH_OK ||
         people_book_get(now ? conn->people_cache : NULL, &conf, &conn->people, err) != WH_OK)) {
        return err->rc;
    }
    *ret = conn->people;
    return WH_OK;
}

static int on_progress(void *ctx)
{
    return sql_conn_over(ctx);
}

/* ---- tables ---- */

static const struct sql_table_def *def_of(const char *name, enum wh_kind kind)
{
    if (sql_computed_find(wh_slice_str(name))) {
        return NULL;
    }
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
    if (strcmp(name, "set_aside_documents") == 0) {
        return &sql_set_aside;
    }
    return strcmp(name, "connection_documents") == 0 ? &sql_connections : NULL;
}

static enum wh_rc execute(struct sql_conn *conn, const char *sql, struct wh_err *err)
{
    return sqlite3_exec(conn->db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? WH_OK
               : wh_fail(err, WH_E_INTERNAL, "SQLite: %s", sqlite3_errmsg(conn->db));
}

/* The columns are named so that sqlite_master shows them. */
static enum wh_rc create_table(struct sql_conn *conn, const struct sql_table *t, struct wh_err *err)
{
    sqlite3_str *text = sqlite3_str_new(conn->db);
    char *sql;
    enum wh_rc rc;

    sqlite3_str_appendf(text, "CREATE VIRTUAL TABLE \"%w\" USING %s(", t->name,
                        t->computed ? "wellhead_computed" : "wellhead");
    for (size_t i = 0; i < t->n_columns; i++) {
        sqlite3_str_appendf(text, "%s\"%w\" %s", i ? ", " : "", t->columns[i].name,
                            t->columns[i].type);
    }
    sqlite3_str_appendall(text, ")");
    sql = sqlite3_str_finish(text);
    rc = sql ? execute(conn, sql, err) : wh_fail(err, WH_E_NOMEM, "no memory for a table");
    sqlite3_free(sql);
    return rc;
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
        .computed = sql_computed_find(wh_slice_str(info->name)),
        .kind = def_of(info->name, info->kind) ? wh_kind_def(info->kind) : NULL,
        .all = all,
        .name = wh_mem_dup(name, strlen(name)),
        .columns = wh_mem_zalloc(SQL_COLUMNS_MAX, sizeof(struct sql_column)),
    };
    conn->n_tables++;
    if (t->columns == NULL || t->name == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a table");
    }
    t->n_columns = sql_columns(wh_slice_str(name), t->columns);
    if (t->def) {
        sql_table_indexes(t);
    }
    if (t->kind) {
        sql_entity_columns(t);
    }
    return create_table(conn, t, err);
}

static enum wh_rc add_tables(struct sql_conn *conn, struct wh_err *err)
{
    const struct sql_table_info *infos;
    size_t n;

    infos = sql_tables(&n);
    if (sqlite3_create_module(conn->db, "wellhead", &sql_module, conn) != SQLITE_OK ||
        sqlite3_create_module(conn->db, "wellhead_computed", &sql_computed_module, conn) !=
            SQLITE_OK) {
        return wh_fail(err, WH_E_INTERNAL, "SQLite: %s", sqlite3_errmsg(conn->db));
    }
    for (size_t i = 0; i < n; i++) {
        if (infos[i].base || (def_of(infos[i].name, infos[i].kind) == NULL &&
                              sql_computed_find(wh_slice_str(infos[i].name)) == NULL)) {
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

void sql_conn_free(struct sql_conn *conn)
{
    (void)sqlite3_close(conn->db);
    for (size_t i = 0; i < conn->n_tables; i++) {
        wh_mem_free(conn->tables[i].columns);
        wh_mem_free(conn->tables[i].name);
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
    if (execute(conn,
                "SELECT 1 FROM json_each('[]'), json_tree('[]'), pragma_table_list,"
                " pragma_table_info('links'), pragma_table_xinfo('links')",
                err) != WH_OK) {
        return err->rc;
    }
    if (sql_functions_install(conn) != SQLITE_OK) {
        return wh_fail(err, WH_E_NOMEM, "SQLite: %s", sqlite3_errmsg(conn->db));
    }
    (void)sqlite3_set_authorizer(conn->db, sql_authorize, conn);
    sqlite3_progress_handler(conn->db, OPS_BETWEEN_CHECKS, on_progress, conn);
    return WH_OK;
}

struct sql_conn *sql_conn_new(const struct sql_engine_conf *conf, struct people_cache *people,
                              atomic_bool *stopped, struct wh_err *err)
{
    struct sql_conn *conn = wh_mem_zalloc(1, sizeof(*conn));

    if (conn == NULL) {
        (void)wh_fail(err, WH_E_NOMEM, "no memory for a connection of SQLite");
        return NULL;
    }
    conn->store = conf->store;
    conn->clock = conf->clock;
    conn->zone = conf->zone.impl ? conf->zone : wh_zone_utc();
    conn->when = SINK_NOW;
    conn->people_cache = people;
    conn->memory_bytes = conf->memory_bytes > 0 ? conf->memory_bytes : SQL_MEMORY_DEFAULT;
    conn->stopped = stopped;
    conn->folder = conf->folder;
    conn->agent_calls = conf->calls;
    sql_conn_forget_counts(conn);
    if (conn_open(conn, err) != WH_OK) {
        sql_conn_free(conn);
        return NULL;
    }
    return conn;
}
