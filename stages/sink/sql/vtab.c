/* The one virtual table module: constraints -> an index of the store -> rows; see sql_priv.h.
 */
#include <inttypes.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "common/json/json_write.h"
#include "stages/sink/sql/sql_priv.h"

enum {
    ARENA_BLOCK_BYTES = 16 << 10,
    ARENA_MAX_BYTES = 64 << 20,
    VALUE_MAX_BYTES = 64 << 20,
    CHECK_EVERY = 64,
    CHECK_COLUMNS = 16,
    CURSORS_MAX = 128, /* each holds blocks of the store */
    /* Of idxNum. */
    PLAN_INDEX = 0xff,
    PLAN_BACKWARDS = 1 << 8,
    PLAN_EQ = 1 << 9,
    PLAN_LOWER = 1 << 10,
    PLAN_UPPER = 1 << 11,
};

/* ---- tables ---- */

static int connect_table(sqlite3 *db, void *aux, int argc, const char *const *argv,
                         sqlite3_vtab **ret, char **ret_error)
{
    struct sql_table *table = aux;
    sqlite3_str *text = sqlite3_str_new(db);
    struct sql_vtab *vtab;
    char *sql;
    int rc;

    (void)argc;
    (void)argv;
    (void)ret_error;
    sqlite3_str_appendall(text, "CREATE TABLE x(");
    for (size_t i = 0; i < table->n_columns; i++) {
        sqlite3_str_appendf(text, "%s\"%w\" %s", i ? "," : "", table->columns[i].name,
                            table->columns[i].type);
    }
    sqlite3_str_appendall(text, ")");
    sql = sqlite3_str_finish(text);
    if (sql == NULL) {
        return SQLITE_NOMEM;
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

static int disconnect_table(sqlite3_vtab *base)
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

        if (def->eq && column_number(table, def->eq) == SQL_NONE) {
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

/* ---- the choice of an index ---- */

enum op { OP_EQ, OP_LOWER, OP_UPPER };

static bool op_is(unsigned char sqlite_op, enum op op)
{
    switch (op) {
    case OP_EQ:
        return sqlite_op == SQLITE_INDEX_CONSTRAINT_EQ;
    case OP_LOWER:
        return sqlite_op == SQLITE_INDEX_CONSTRAINT_GT || sqlite_op == SQLITE_INDEX_CONSTRAINT_GE;
    case OP_UPPER:
    default:
        return sqlite_op == SQLITE_INDEX_CONSTRAINT_LT || sqlite_op == SQLITE_INDEX_CONSTRAINT_LE;
    }
}

static int find_constraint(sqlite3_index_info *info, int column, enum op op)
{
    if (column == SQL_NONE) {
        return SQL_NONE;
    }
    for (int i = 0; i < info->nConstraint; i++) {
        if (info->aConstraint[i].usable && info->aConstraint[i].iColumn == column &&
            op_is(info->aConstraint[i].op, op) &&
            sqlite3_stricmp(sqlite3_vtab_collation(info, i), "BINARY") == 0) {
            return i;
        }
    }
    return SQL_NONE;
}

/* True when the index yields rows in the requested order. */
static bool gives_order(const sqlite3_index_info *info, const struct sql_index *index,
                        bool *ret_backwards)
{
    int columns[2] = {index->order_column, index->then_column};
    bool desc;

    if (info->nOrderBy < 1 || info->nOrderBy > 2) {
        return false;
    }
    desc = info->aOrderBy[0].desc != 0;
    for (int i = 0; i < info->nOrderBy; i++) {
        if (columns[i] == SQL_NONE || info->aOrderBy[i].iColumn != columns[i] ||
            (info->aOrderBy[i].desc != 0) != desc) {
            return false;
        }
    }
    *ret_backwards = desc;
    return true;
}

struct plan {
    unsigned number;
    int eq;
    int lower;
    int upper;
    bool ordered;
    bool backwards;
    bool unique;
    double rows;
    double cost;
};

static bool plan_with(sqlite3_index_info *info, const struct sql_index *index, struct plan *ret)
{
    *ret = (struct plan){
        .eq = find_constraint(info, index->eq_column, OP_EQ),
        .lower = find_constraint(info, index->range_column, OP_LOWER),
        .upper = find_constraint(info, index->range_column, OP_UPPER),
        .number = index->number,
        .unique = index->def->unique,
        .rows = index->def->rows,
    };
    if (index->eq_column != SQL_NONE && ret->eq == SQL_NONE) {
        return false;
    }
    ret->ordered = index->def->unique || gives_order(info, index, &ret->backwards);
    ret->rows *= (ret->lower == SQL_NONE ? 1 : 0.1) * (ret->upper == SQL_NONE ? 1 : 0.3);
    ret->cost = ret->rows * index->def->row_cost;
    if (info->nOrderBy > 0 && !ret->ordered) {
        ret->cost += ret->rows * 5;
    }
    return true;
}

static int take_argument(sqlite3_index_info *info, int constraint, int *n, int flag)
{
    if (constraint == SQL_NONE) {
        return 0;
    }
    info->aConstraintUsage[constraint].argvIndex = ++*n;
    return flag;
}

static int best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    const struct sql_table *table = ((struct sql_vtab *)base)->table;
    struct plan best = {.cost = -1};
    int n = 0;

    for (size_t i = 0; i < table->n_indexes; i++) {
        struct plan plan;

        if (plan_with(info, &table->indexes[i], &plan) &&
            (best.cost < 0 || plan.cost < best.cost)) {
            best = plan;
        }
    }
    if (best.cost < 0) {
        return SQLITE_CONSTRAINT;
    }
    info->idxNum = (int)best.number | (best.ordered && best.backwards ? PLAN_BACKWARDS : 0);
    info->idxNum |= take_argument(info, best.eq, &n, PLAN_EQ);
    info->idxNum |= take_argument(info, best.lower, &n, PLAN_LOWER);
    info->idxNum |= take_argument(info, best.upper, &n, PLAN_UPPER);
    info->orderByConsumed = info->nOrderBy > 0 && best.ordered;
    info->estimatedCost = best.cost;
    info->estimatedRows = best.rows < 1 ? 1 : (sqlite3_int64)best.rows;
    info->idxFlags = best.unique ? SQLITE_INDEX_SCAN_UNIQUE : 0;
    return SQLITE_OK;
}

/* ---- cursors ---- */

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
    c->table = ((struct sql_vtab *)base)->table;
    c->eof = true;
    wh_buf_init(&c->fetched, VALUE_MAX_BYTES);
    wh_buf_init(&c->text, VALUE_MAX_BYTES);
    wh_arena_init(&c->arena, ARENA_BLOCK_BYTES, ARENA_MAX_BYTES);
    *ret = &c->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
    struct sql_cursor *c = (struct sql_cursor *)base;

    c->table->conn->n_cursors--;
    wh_iter_free(c->it);
    wh_buf_done(&c->fetched);
    wh_buf_done(&c->text);
    wh_arena_done(&c->arena);
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

static int failed(struct sql_cursor *c, const struct wh_err *err)
{
    struct sql_conn *conn = c->table->conn;

    if (conn->err.rc == WH_OK) {
        conn->err = *err;
    }
    c->eof = true;
    return err->rc == WH_E_NOMEM ? SQLITE_NOMEM : SQLITE_ERROR;
}

/* Moves from the current key to the first one that is a row. */
static int settle(struct sql_cursor *c)
{
    struct sql_conn *conn = c->table->conn;
    struct wh_err err = {0};
    bool skip;

    while (!c->eof) {
        if (c->it && !wh_iter_valid(c->it, &c->key, &c->value)) {
            c->eof = true;
            return wh_iter_error(c->it, &err) == WH_OK ? SQLITE_OK : failed(c, &err);
        }
        /* No other limit sees the rows that are skipped here. */
        if (++conn->rows_read % CHECK_EVERY == 0 && sql_conn_over(conn)) {
            return SQLITE_INTERRUPT;
        }
        c->head_ready = false;
        c->body_ready = false;
        c->entry_ready = false;
        c->fields_usual = c->fields_asked;
        c->fields_asked = 0;
        wh_arena_reset(&c->arena);
        skip = false;
        if (c->table->def->row(c, &skip, &err) != WH_OK) {
            return failed(c, &err);
        }
        if (!skip) {
            c->rowid++;
            return SQLITE_OK;
        }
        if (c->it == NULL) {
            c->eof = true;
        } else {
            wh_iter_step(c->it, c->backwards);
        }
    }
    return SQLITE_OK;
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *text, int argc,
                  sqlite3_value **argv)
{
    struct sql_cursor *c = (struct sql_cursor *)base;
    struct sql_bounds bounds = {.backwards = (plan & PLAN_BACKWARDS) != 0};
    struct wh_err err = {0};
    int n = 0;

    (void)text;
    (void)argc;
    wh_iter_free(c->it);
    c->it = NULL;
    c->eof = true;
    c->rowid = 0;
    c->index = (unsigned)plan & PLAN_INDEX;
    bounds.eq = (plan & PLAN_EQ) ? argv[n++] : NULL;
    bounds.lower = (plan & PLAN_LOWER) ? argv[n++] : NULL;
    bounds.upper = (plan & PLAN_UPPER) ? argv[n++] : NULL;
    if (c->table->def->filter(c, c->index, &bounds, &err) != WH_OK) {
        return failed(c, &err);
    }
    return settle(c);
}

static int next_row(sqlite3_vtab_cursor *base)
{
    struct sql_cursor *c = (struct sql_cursor *)base;

    if (c->it == NULL) {
        c->eof = true;
        return SQLITE_OK;
    }
    wh_iter_step(c->it, c->backwards);
    return settle(c);
}

static int at_end(sqlite3_vtab_cursor *base)
{
    return ((struct sql_cursor *)base)->eof;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *out, int number)
{
    struct sql_cursor *c = (struct sql_cursor *)base;
    struct wh_err err = {0};

    if (c->table->def->column(c, out, number, &err) != WH_OK) {
        return failed(c, &err);
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
    .xConnect = connect_table,
    .xBestIndex = best_index,
    .xDisconnect = disconnect_table,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = filter,
    .xNext = next_row,
    .xEof = at_end,
    .xColumn = column,
    .xRowid = row_number,
};
