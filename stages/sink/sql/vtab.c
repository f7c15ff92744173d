/* The one virtual table module: constraints -> an index of the store -> rows; see sql_priv.h.
 */
#include <inttypes.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "common/json/json_write.h"
#include "stages/sink/sql/lookup.h"

enum {
    ARENA_BLOCK_BYTES = 16 << 10,
    ARENA_MAX_BYTES = 64 << 20,
    VALUE_MAX_BYTES = 64 << 20,
    CHECK_EVERY = 64,
    CHECK_COLUMNS = 16,
    CURSORS_MAX = 128,  /* each holds blocks of the store */
    QUESTION_ROWS = 16, /* what a question to an index costs, beside its rows */
};

/* ---- tables ---- */

static struct sql_table *table_of(struct sql_conn *conn, const char *name)
{
    for (size_t i = 0; i < conn->n_tables; i++) {
        if (strcmp(conn->tables[i].name, name) == 0) {
            return &conn->tables[i];
        }
    }
    return NULL;
}

int sql_connect_table(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret,
                      char **ret_error)
{
    struct sql_table *table = argc > 2 ? table_of(aux, argv[2]) : NULL;
    sqlite3_str *text = sqlite3_str_new(db);
    struct sql_vtab *vtab;
    char *sql;
    int rc;

    (void)ret_error;
    sqlite3_str_appendall(text, "CREATE TABLE x(");
    for (size_t i = 0; table && i < table->n_columns; i++) {
        sqlite3_str_appendf(text, "%s\"%w\" %s", i ? "," : "", table->columns[i].name,
                            table->columns[i].type);
    }
    sqlite3_str_appendall(text, ")");
    sql = sqlite3_str_finish(text);
    if (sql == NULL || table == NULL) {
        rc = sql ? SQLITE_ERROR : SQLITE_NOMEM;
        sqlite3_free(sql);
        return rc;
    }
    table->conn->declaring = true;
    rc = sqlite3_declare_vtab(db, sql);
    table->conn->declaring = false;
    sqlite3_free(sql);
    if (rc != SQLITE_OK) {
        return rc;
    }
    /* Reads only, without side effects: usable inside the views. */
    (void)sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
    vtab = wh_mem_zalloc(1, sizeof(*vtab));
    if (vtab == NULL) {
        return SQLITE_NOMEM;
    }
    vtab->table = table;
    *ret = &vtab->base;
    return SQLITE_OK;
}

/* Another function than sql_connect_table: the module itself is no table. */
int sql_create_table(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret,
                     char **ret_error)
{
    return sql_connect_table(db, aux, argc, argv, ret, ret_error);
}

int sql_disconnect_table(sqlite3_vtab *base)
{
    wh_mem_free(base);
    return SQLITE_OK;
}

static int column_number(const struct sql_table *table, const char *name)
{
    for (size_t i = 0; name && i < table->n_columns; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            return (int)i;
        }
    }
    return SQL_NONE;
}

void sql_table_indexes(struct sql_table *table)
{
    table->n_indexes = 0;
    for (unsigned i = 0; i < table->def->n_indexes; i++) {
        const struct sql_index_def *def = &table->def->indexes[i];

        if ((def->eq && column_number(table, def->eq) == SQL_NONE) ||
            (def->order && column_number(table, def->order) == SQL_NONE)) {
            continue;
        }
        table->indexes[table->n_indexes++] = (struct sql_index){
            .def = def,
            .number = i,
            .eq_column = column_number(table, def->eq),
            .range_column = column_number(table, def->range),
            .order_column = column_number(table, def->order),
            .then_column = column_number(table, def->then),
        };
    }
}

/* ---- cursors ---- */

void sql_cursor_init(struct sql_cursor *c, struct sql_table *table)
{
    c->table = table;
    c->eof = true;
    c->null_field = SQL_NONE;
    wh_buf_init(&c->fetched, VALUE_MAX_BYTES);
    wh_buf_init(&c->text, VALUE_MAX_BYTES);
    wh_buf_init(&c->other, VALUE_MAX_BYTES);
    wh_buf_init(&c->listed, VALUE_MAX_BYTES);
    wh_buf_init(&c->then, VALUE_MAX_BYTES);
    wh_buf_init(&c->other_then, VALUE_MAX_BYTES);
    wh_arena_init(&c->arena, ARENA_BLOCK_BYTES, ARENA_MAX_BYTES);
}

void sql_cursor_done(struct sql_cursor *c)
{
    wh_iter_free(c->it);
    past_scan_free(c->scan);
    wh_buf_done(&c->fetched);
    wh_buf_done(&c->text);
    wh_buf_done(&c->other);
    wh_buf_done(&c->listed);
    wh_buf_done(&c->then);
    wh_buf_done(&c->other_then);
    sql_past_free(c->past);
    wh_arena_done(&c->arena);
}

static int open_cursor(sqlite3_vtab *base, sqlite3_vtab_cursor **ret)
{
    struct sql_conn *conn = ((struct sql_vtab *)base)->table->conn;
    struct sql_cursor *c;

    if (conn->n_cursors >= CURSORS_MAX) {
        (void)wh_fail(&conn->err, WH_E_TOO_LARGE, "the query reads more than %d tables at a time",
                      CURSORS_MAX);
        return SQLITE_ERROR;
    }
    c = wh_mem_zalloc(1, sizeof(*c));
    if (c == NULL) {
        return SQLITE_NOMEM;
    }
    conn->n_cursors++;
    sql_cursor_init(c, ((struct sql_vtab *)base)->table);
    *ret = &c->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
    struct sql_cursor *c = (struct sql_cursor *)base;

    c->table->conn->n_cursors--;
    sql_cursor_done(c);
    wh_mem_free(c);
    return SQLITE_OK;
}

enum wh_rc sql_cursor_range(struct sql_cursor *c, unsigned family, struct wh_slice lower,
                            struct wh_slice upper, bool backwards, struct wh_err *err)
{
    struct sql_conn *conn = c->table->conn;

    if (upper.len && wh_slice_cmp(lower, upper) >= 0) {
        return WH_OK;
    }
    if (wh_iter_new(conn->store, conn->snap, family, lower, upper, &c->it, err) != WH_OK) {
        return err->rc;
    }
    c->backwards = backwards;
    /* Backwards from the upper bound: the last key that is not beyond it. */
    wh_iter_seek(c->it, backwards ? upper : lower, backwards);
    c->eof = false;
    return WH_OK;
}

enum wh_rc sql_cursor_single(struct sql_cursor *c, unsigned family, struct wh_slice key,
                             struct wh_err *err)
{
    struct sql_conn *conn = c->table->conn;
    bool found = false;

    if (key.len > sizeof(c->single_key)) {
        return wh_fail(err, WH_E_INTERNAL, "a key of %zu bytes", key.len);
    }
    memcpy(c->single_key, key.ptr, key.len);
    wh_buf_reset(&c->fetched);
    if (wh_store_get(conn->store, conn->snap, family, key, &c->fetched, &found, err) != WH_OK) {
        return err->rc;
    }
    c->key = wh_slice(c->single_key, key.len);
    c->value = wh_buf_slice(&c->fetched);
    c->eof = !found;
    return WH_OK;
}

/* The code of SQLite; keeps the first error of a table for the statement. */
static int finished(struct sql_cursor *c, enum wh_rc rc, const struct wh_err *err)
{
    struct sql_conn *conn = c->table->conn;

    if (rc == WH_OK) {
        return SQLITE_OK;
    }
    c->eof = true;
    if (rc == WH_E_CANCELED) {
        return SQLITE_INTERRUPT;
    }
    if (conn->err.rc == WH_OK) {
        conn->err = *err;
    }
    return rc == WH_E_NOMEM ? SQLITE_NOMEM : SQLITE_ERROR;
}

static void forget_row(struct sql_cursor *c)
{
    c->head_ready = false;
    c->body_ready = false;
    c->entry_ready = false;
    c->fields_usual = c->fields_asked;
    c->fields_asked = 0;
    wh_arena_reset(&c->arena);
}

/* At the end of a range. */
static enum wh_rc next_range(struct sql_cursor *c, struct wh_err *err)
{
    bool more = false;

    c->eof = true;
    if (wh_iter_error(c->it, err) != WH_OK || c->table->def->more == NULL) {
        return err->rc;
    }
    wh_iter_free(c->it);
    c->it = NULL;
    return c->table->def->more(c, &more, err);
}

/* Moves from the current key to the first one that is a row. */
static enum wh_rc settle(struct sql_cursor *c, struct wh_err *err)
{
    struct sql_conn *conn = c->table->conn;
    bool skip;

    while (!c->eof) {
        if (c->it && !wh_iter_valid(c->it, &c->key, &c->value)) {
            if (next_range(c, err) != WH_OK) {
                return err->rc;
            }
            continue;
        }
        /* No other limit sees the rows that are skipped here. */
        if (++conn->rows_read % CHECK_EVERY == 0 && sql_conn_over(conn)) {
            return wh_fail(err, WH_E_CANCELED, "the statement must end");
        }
        if (c->visited) {
            ++*c->visited;
        }
        forget_row(c);
        skip = false;
        if (c->table->def->row(c, &skip, err) != WH_OK) {
            return err->rc;
        }
        if (!skip) {
            c->rowid++;
            return WH_OK;
        }
        if (c->it == NULL) {
            c->eof = true;
        } else {
            wh_iter_step(c->it, c->backwards);
        }
    }
    return WH_OK;
}

static void rewind_cursor(struct sql_cursor *c, unsigned index)
{
    wh_iter_free(c->it);
    c->it = NULL;
    past_scan_free(c->scan);
    c->scan = NULL;
    c->eof = true;
    c->rowid = 0;
    c->index = index;
    c->lookup = NULL;
    c->covered = false;
    c->visited = NULL;
    c->uncounted = 0;
    c->null_field = SQL_NONE;
}

enum wh_rc sql_cursor_start(struct sql_cursor *c, unsigned index, const struct sql_bounds *bounds,
                            struct wh_err *err)
{
    c->index = index;
    if (c->table->def->filter(c, index, bounds, err) != WH_OK) {
        return err->rc;
    }
    return settle(c, err);
}

/* The row that the lookup has found, or the next one behind it that is still there. */
static enum wh_rc take_hit(struct sql_cursor *c, struct wh_err *err)
{
    if (c->covered) {
        c->eof = c->hit == 0;
        c->rowid++;
        return WH_OK;
    }
    for (; c->hit; c->hit = sql_lookup_after(c->lookup, c->hit, c->hit_hash)) {
        if (sql_cursor_single(c, c->table->def->family, sql_lookup_key(c->lookup, c->hit), err) !=
                WH_OK ||
            settle(c, err) != WH_OK) {
            return err->rc;
        }
        if (!c->eof) {
            return WH_OK;
        }
    }
    c->eof = true;
    return WH_OK;
}

enum wh_rc sql_cursor_next(struct sql_cursor *c, struct wh_err *err)
{
    if (c->lookup) {
        c->hit = sql_lookup_after(c->lookup, c->hit, c->hit_hash);
        return take_hit(c, err);
    }
    if (c->it == NULL) {
        c->eof = true;
        return c->scan ? sql_links_next(c, err) : WH_OK;
    }
    wh_iter_step(c->it, c->backwards);
    return settle(c, err);
}

/* *ret_used: the lookup has answered, without the index. */
static enum wh_rc ask_lookup(struct sql_cursor *c, int plan, const char *columns,
                             sqlite3_value **values, bool *ret_used, struct wh_err *err)
{
    const struct sql_index_def *def = &c->table->def->indexes[plan & SQL_PLAN_INDEX];
    const struct sql_lookup_key key = {
        .table = c->table,
        .columns = columns,
        .order = plan & SQL_PLAN_ORDERED ? (unsigned)def->whole : 0,
        .backwards = (plan & SQL_PLAN_ORDERED) && (plan & SQL_PLAN_BACKWARDS),
    };
    struct sql_lookup *l = NULL;

    if (sql_lookup_get(&key, &l, err) != WH_OK || sql_lookup_ready(l, ret_used, err) != WH_OK) {
        return err->rc;
    }
    if (!*ret_used) {
        c->visited = sql_lookup_visited(l);
        *c->visited += QUESTION_ROWS;
        return WH_OK;
    }
    c->lookup = l;
    c->covered = sql_lookup_covers(l);
    c->index = 0;
    c->hit = sql_lookup_hash(l, values, &c->hit_hash) ? sql_lookup_first(l, c->hit_hash) : 0;
    return take_hit(c, err);
}

static enum wh_rc start(struct sql_cursor *c, int plan, const char *lookup, sqlite3_value **values,
                        struct wh_err *err)
{
    struct sql_bounds bounds = {.backwards = (plan & SQL_PLAN_BACKWARDS) != 0};
    sqlite3_value *keys[SQL_LOOKUP_KEYS];
    bool found = false;
    int n_keys = 0;
    int n = 0;

    bounds.eq = (plan & SQL_PLAN_EQ) ? values[n++] : NULL;
    bounds.lower = (plan & SQL_PLAN_LOWER) ? values[n++] : NULL;
    bounds.upper = (plan & SQL_PLAN_UPPER) ? values[n++] : NULL;
    bounds.match = plan & SQL_PLAN_LIKE   ? SQL_MATCH_LIKE
                   : plan & SQL_PLAN_GLOB ? SQL_MATCH_GLOB
                                          : SQL_MATCH_EQ;
    if (plan & SQL_PLAN_KEY_IS_EQ) {
        keys[n_keys++] = bounds.eq;
    }
    while (lookup && n_keys < lookup[0]) {
        keys[n_keys++] = values[n++];
    }
    if (lookup && ask_lookup(c, plan, lookup, keys, &found, err) != WH_OK) {
        return err->rc;
    }
    return found ? WH_OK : sql_cursor_start(c, (unsigned)plan & SQL_PLAN_INDEX, &bounds, err);
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *lookup, int argc,
                  sqlite3_value **argv)
{
    struct sql_cursor *c = (struct sql_cursor *)base;
    struct wh_err err = {0};

    (void)argc;
    rewind_cursor(c, (unsigned)plan & SQL_PLAN_INDEX);
    if (plan & SQL_PLAN_COUNT) {
        c->uncounted = (uint64_t)sql_table_rows(c->table);
        c->eof = c->uncounted == 0;
        c->rowid = 1;
        return SQLITE_OK;
    }
    return finished(c, start(c, plan, lookup, argv, &err), &err);
}

static int next_row(sqlite3_vtab_cursor *base)
{
    struct sql_cursor *c = (struct sql_cursor *)base;
    struct wh_err err = {0};

    if (c->uncounted) {
        c->rowid++;
        c->eof = --c->uncounted == 0;
        return SQLITE_OK;
    }
    return finished(c, sql_cursor_next(c, &err), &err);
}

static int at_end(sqlite3_vtab_cursor *base)
{
    return ((struct sql_cursor *)base)->eof;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *out, int number)
{
    struct sql_cursor *c = (struct sql_cursor *)base;
    struct sql_out to = {.to = out};
    struct wh_err err = {0};

    if (c->covered) {
        return finished(c, sql_lookup_column(c->lookup, c->hit, number, out, &err), &err);
    }
    if (c->table->def->column(c, &to, number, &err) != WH_OK) {
        return finished(c, err.rc, &err);
    }
    /* Long texts take time to decode, and a row of them is one step to SQLite. */
    if (++c->table->conn->columns_read % CHECK_COLUMNS == 0 && sql_conn_over(c->table->conn)) {
        return SQLITE_INTERRUPT;
    }
    return SQLITE_OK;
}

static int row_number(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
    *ret = ((struct sql_cursor *)base)->rowid;
    return SQLITE_OK;
}

const sqlite3_module sql_module = {
    .iVersion = 1,
    .xCreate = sql_create_table,
    .xConnect = sql_connect_table,
    .xBestIndex = sql_best_index,
    .xDisconnect = sql_disconnect_table,
    .xDestroy = sql_disconnect_table,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = filter,
    .xNext = next_row,
    .xEof = at_end,
    .xColumn = column,
    .xRowid = row_number,
};
