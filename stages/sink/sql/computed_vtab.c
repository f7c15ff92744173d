/* The virtual table module of computed tables; see computed.h. */
#include "stages/sink/sql/computed_priv.h"

enum {
    ARENA_BLOCK_BYTES = 16 << 10,
    ARENA_MAX_BYTES = 256 << 20, /* a statement's own limit is smaller */
    CURSORS_MAX = 64,
    ROW_COST = 100, /* beside one read of the store */
};

struct cursor {
    sqlite3_vtab_cursor base;
    struct sql_table *table;
    struct sql_computing computing;
    const struct sql_computed_row *row; /* NULL at the end */
    bool begun;
    bool ended; /* the table has no more steps */
    int64_t rowid;
};

/* ---- plans ---- */

static int key_constraint(const struct sql_table *table, const sqlite3_index_info *info,
                          const char *key)
{
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *c = &info->aConstraint[i];

        if (c->usable && c->op == SQLITE_INDEX_CONSTRAINT_EQ && c->iColumn >= 0 &&
            strcmp(table->columns[c->iColumn].name, key) == 0) {
            return i;
        }
    }
    return SQL_NONE;
}

static int best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    const struct sql_table *table = ((struct sql_vtab *)base)->table;
    const struct sql_computed_def *def = table->computed;

    info->estimatedRows = (sqlite3_int64)def->rows;
    info->estimatedCost = def->rows * ROW_COST;
    for (size_t k = 0; k < def->n_keys; k++) {
        int i = key_constraint(table, info, def->keys[k]);

        if (i != SQL_NONE) {
            info->idxNum = (int)k + 1;
            info->aConstraintUsage[i].argvIndex = 1;
            info->aConstraintUsage[i].omit = def->finds_more;
            info->estimatedRows = 4;
            info->estimatedCost = 4 * ROW_COST;
            return SQLITE_OK;
        }
    }
    return SQLITE_OK;
}

/* ---- cursors ---- */

static int open_cursor(sqlite3_vtab *base, sqlite3_vtab_cursor **ret)
{
    struct sql_table *table = ((struct sql_vtab *)base)->table;
    struct sql_conn *conn = table->conn;
    struct cursor *c;

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
    c->table = table;
    c->computing.def = table->computed;
    c->computing.conn = conn;
    wh_arena_init(&c->computing.kept, ARENA_BLOCK_BYTES, ARENA_MAX_BYTES);
    wh_arena_init(&c->computing.step, ARENA_BLOCK_BYTES, ARENA_MAX_BYTES);
    *ret = &c->base;
    return SQLITE_OK;
}

static void stop(struct cursor *c)
{
    if (c->begun && c->computing.def->stop) {
        c->computing.def->stop(&c->computing);
    }
    c->begun = false;
    c->ended = false;
    c->row = NULL;
    c->computing.state = NULL;
    c->computing.first = NULL;
    c->computing.last = NULL;
    wh_arena_reset(&c->computing.kept);
    wh_arena_reset(&c->computing.step);
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
    struct cursor *c = (struct cursor *)base;

    stop(c);
    c->table->conn->n_cursors--;
    wh_arena_done(&c->computing.kept);
    wh_arena_done(&c->computing.step);
    wh_mem_free(c);
    return SQLITE_OK;
}

static int finished(const struct cursor *c, enum wh_rc rc, const struct wh_err *err)
{
    struct sql_conn *conn = c->table->conn;

    if (rc == WH_OK) {
        return SQLITE_OK;
    }
    if (rc == WH_E_CANCELED) {
        return SQLITE_INTERRUPT;
    }
    if (conn->err.rc == WH_OK) {
        conn->err = *err;
    }
    return rc == WH_E_NOMEM ? SQLITE_NOMEM : SQLITE_ERROR;
}

/* Takes steps until one has a row. */
static enum wh_rc next_step(struct cursor *c, struct wh_err *err)
{
    struct sql_computing *computing = &c->computing;

    c->row = NULL;
    while (!c->ended && c->row == NULL) {
        if (sql_conn_over(c->table->conn)) {
            return wh_fail(err, WH_E_CANCELED, "the statement must end");
        }
        wh_arena_reset(&computing->step);
        computing->first = NULL;
        computing->last = NULL;
        if (computing->def->step(computing, &c->ended, err) != WH_OK) {
            return err->rc;
        }
        c->row = computing->first;
    }
    return WH_OK;
}

static enum wh_rc begin(struct cursor *c, int key, sqlite3_value *value, struct wh_err *err)
{
    struct wh_slice text = value ? sql_value_text(value) : (struct wh_slice){NULL, 0};

    c->rowid = 1;
    c->computing.zone = c->table->conn->zone;
    if (sql_conn_past(c->table->conn, &c->computing.past, err) != WH_OK) {
        return err->rc;
    }
    if (value && text.ptr == NULL) {
        return WH_OK; /* NULL equals nothing */
    }
    c->begun = true;
    if (c->computing.def->start(&c->computing, key, text, err) != WH_OK) {
        return err->rc;
    }
    return next_step(c, err);
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *unused, int argc,
                  sqlite3_value **argv)
{
    struct cursor *c = (struct cursor *)base;
    struct wh_err err = {0};

    (void)unused;
    stop(c);
    return finished(c, begin(c, plan - 1, argc > 0 ? argv[0] : NULL, &err), &err);
}

static int next_row(sqlite3_vtab_cursor *base)
{
    struct cursor *c = (struct cursor *)base;
    struct wh_err err = {0};

    c->rowid++;
    c->row = c->row->next;
    c->table->conn->rows_read++;
    return c->row ? SQLITE_OK : finished(c, next_step(c, &err), &err);
}

static int at_end(sqlite3_vtab_cursor *base)
{
    return ((struct cursor *)base)->row == NULL;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *out, int number)
{
    const struct sql_value *v = &((struct cursor *)base)->row->values[number];
    struct sql_out to = {.to = out};

    switch (v->type) {
    case SQL_INT:
        sql_result_int(&to, v->i);
        break;
    case SQL_DOUBLE:
        sql_result_double(&to, v->num);
        break;
    case SQL_TEXT:
    case SQL_BLOB:
        sql_result_slice(&to, v->bytes);
        break;
    case SQL_NULL:
    default:
        sql_result_null(&to);
        break;
    }
    return SQLITE_OK;
}

static int row_number(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
    *ret = ((struct cursor *)base)->rowid;
    return SQLITE_OK;
}

const sqlite3_module sql_computed_module = {
    .iVersion = 1,
    .xCreate = sql_create_table,
    .xConnect = sql_connect_table,
    .xBestIndex = best_index,
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
