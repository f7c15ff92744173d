/* Constraints -> an index of the store, or a lookup; see sql_priv.h and lookup.h. */
#include <inttypes.h>

#include "stages/sink/sql/lookup.h"

/* A question to a lookup, once it is built. Other indexes that find few rows are cheaper. */
enum { LOOKUP_ROWS = 10, LOOKUP_COST = 60 };

enum { SAMPLE_ROWS = 64, RARE_COST = 4 };

enum op { OP_EQ, OP_LOWER, OP_UPPER, OP_PATTERN };

static bool op_is(unsigned char sqlite_op, enum op op)
{
    switch (op) {
    case OP_EQ:
        return sqlite_op == SQLITE_INDEX_CONSTRAINT_EQ;
    case OP_LOWER:
        return sqlite_op == SQLITE_INDEX_CONSTRAINT_GT || sqlite_op == SQLITE_INDEX_CONSTRAINT_GE;
    case OP_PATTERN:
        return sqlite_op == SQLITE_INDEX_CONSTRAINT_LIKE ||
               sqlite_op == SQLITE_INDEX_CONSTRAINT_GLOB;
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
    const struct sql_index_def *def;
    unsigned number;
    int eq;
    int lower;
    int upper;
    bool ordered;
    bool backwards;
    double rows;
    double cost;
    int lookup[SQL_LOOKUP_KEYS]; /* constraints */
    size_t n_lookup;
};

static enum wh_rc read_counts(struct sql_conn *conn, enum wh_kind kind, int64_t counts[2],
                              struct wh_err *err)
{
    const char key[2] = {'c', (char)kind};
    struct wh_buf value;
    bool found = false;
    enum wh_rc rc;

    wh_buf_init(&value, 64);
    rc = wh_store_get(conn->store, conn->snap, SINK_META, wh_slice(key, sizeof(key)), &value,
                      &found, err);
    if (rc == WH_OK) {
        counts[0] = found && value.len >= 16 ? (int64_t)wh_be_get64(value.ptr) : 0;
        counts[1] = found && value.len >= 16 ? (int64_t)wh_be_get64(value.ptr + 8) : 0;
    }
    wh_buf_done(&value);
    return rc;
}

int64_t sql_table_rows(const struct sql_table *table)
{
    struct sql_conn *conn = table->conn;
    int64_t *counts;
    struct wh_err err;

    if (table->kind == NULL) {
        return -1;
    }
    counts = conn->counts[table->kind->kind];
    if (counts[0] < 0 && read_counts(conn, table->kind->kind, counts, &err) != WH_OK) {
        conn->err = conn->err.rc == WH_OK ? err : conn->err;
        return -1;
    }
    return table->all ? counts[0] : counts[0] - counts[1];
}

/* Without a counter, the index's own estimate. */
static double rows_of(const struct sql_table *table, const struct sql_index_def *def)
{
    int64_t rows = sql_table_rows(table);

    if (rows < 0 || def->unique) {
        return def->rows;
    }
    return def->eq == NULL || def->rows > (double)rows ? (double)rows + 1 : def->rows;
}

/* The part of the rows that comparisons with literals leave, for all we know: numbers tell rows apart
 * better than words such as a state. */
static double selected(const struct sql_table *table, sqlite3_index_info *info, int eq)
{
    sqlite3_value *literal = NULL;
    double part = 1;

    for (int i = 0; i < info->nConstraint && part > 1e-4; i++) {
        const struct sqlite3_index_constraint *c = &info->aConstraint[i];

        if (i != eq && c->usable && c->iColumn >= 0 && c->op == SQLITE_INDEX_CONSTRAINT_EQ &&
            sqlite3_vtab_rhs_value(info, i, &literal) == SQLITE_OK) {
            bool number = table->columns[c->iColumn].shape == SQL_SHAPE_PLAIN &&
                          strcmp(table->columns[c->iColumn].type, "INTEGER") == 0;

            part *= number ? 0.01 : 0.25;
        }
    }
    return part;
}

/* ---- rare words ---- */

/* The literal that a column is compared with and its hash; false when there is none. */
static bool literal_of(const struct sql_table *table, sqlite3_index_info *info, int *ret_column,
                       uint64_t *ret_hash)
{
    sqlite3_value *literal = NULL;

    for (int i = 0; table->kind && i < info->nConstraint; i++) {
        if (info->aConstraint[i].usable && info->aConstraint[i].iColumn > 0 &&
            info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_EQ &&
            sqlite3_vtab_rhs_value(info, i, &literal) == SQLITE_OK) {
            *ret_column = info->aConstraint[i].iColumn;
            return sql_hash_value(literal, ret_hash);
        }
    }
    return false;
}

/* Has one of the newest rows the value? A failure is one of the statement later on, too. */
static bool is_among_newest(struct sql_table *table, int column, uint64_t hash)
{
    struct sql_cursor *c = wh_mem_zalloc(1, sizeof(*c));
    const struct sql_bounds newest = {.backwards = true};
    struct wh_err err;
    bool among = false;
    enum wh_rc rc;

    if (c == NULL) {
        return true;
    }
    sql_cursor_init(c, table);
    rc = sql_cursor_start(c, SQL_ENTITIES_NEWEST, &newest, &err);
    for (int i = 0; rc == WH_OK && !c->eof && !among && i < SAMPLE_ROWS; i++) {
        struct sql_out out = {.is_null = true};

        rc = table->def->column(c, &out, column, &err);
        among = rc == WH_OK && !out.is_null && out.hash == hash;
        rc = rc == WH_OK ? sql_cursor_next(c, &err) : rc;
    }
    sql_cursor_done(c);
    wh_mem_free(c);
    return among || rc != WH_OK;
}

/*
 * An order with a limit reads few rows by an index when most rows are wanted, and all of them, one by one,
 * when hardly any is, as for the incidents among many issues.
 */
static bool is_rare(struct sql_table *table, sqlite3_index_info *info)
{
    struct sql_conn *conn = table->conn;
    int64_t read = conn->rows_read;
    uint64_t hash;
    int column;

    if (info->nOrderBy == 0 || !sink_is_now(conn->when) ||
        !literal_of(table, info, &column, &hash)) {
        return false;
    }
    if (conn->sample.statement != conn->statements || conn->sample.table != table ||
        conn->sample.column != column || conn->sample.hash != hash) {
        conn->sample = (struct sql_sample){conn->statements, table, column, hash,
                                           !is_among_newest(table, column, hash)};
        conn->rows_read = read;
    }
    return conn->sample.rare;
}

/* ---- plans ---- */

static bool finds_the_past(const struct sql_table *table, const struct sql_index *index)
{
    return table->kind == NULL || index->number < SQL_ENTITIES_PRESENT;
}

static bool plan_with(const struct sql_table *table, sqlite3_index_info *info,
                      const struct sql_index *index, struct plan *ret)
{
    *ret = (struct plan){
        .def = index->def,
        .eq = find_constraint(info, index->eq_column, OP_EQ),
        .lower = find_constraint(info, index->range_column, OP_LOWER),
        .upper = find_constraint(info, index->range_column, OP_UPPER),
        .number = index->number,
        .rows = rows_of(table, index->def),
    };
    if (ret->eq == SQL_NONE && index->def->prefix) {
        ret->eq = find_constraint(info, index->eq_column, OP_PATTERN);
        ret->rows *= 3;
    }
    if (index->eq_column != SQL_NONE && ret->eq == SQL_NONE) {
        return false;
    }
    ret->ordered = index->def->unique || gives_order(info, index, &ret->backwards);
    ret->rows *= (ret->lower == SQL_NONE ? 1 : 0.1) * (ret->upper == SQL_NONE ? 1 : 0.3);
    ret->cost = ret->rows * index->def->row_cost;
    if (info->nOrderBy > 0 && !ret->ordered) {
        ret->cost += ret->rows * 5;
    }
    ret->rows *= selected(table, info, ret->eq);
    return true;
}

/* ---- lookups ---- */

/* An equality with a value that other rows may give. SQLite does not tell parameters from columns of
 * other tables; a lookup is built only when the question is repeated, so that is no harm. */
static bool may_repeat(sqlite3_index_info *info, int i)
{
    sqlite3_value *literal = NULL;

    return info->aConstraint[i].usable && info->aConstraint[i].iColumn >= 0 &&
           info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_EQ &&
           sqlite3_stricmp(sqlite3_vtab_collation(info, i), "BINARY") == 0 &&
           !sqlite3_vtab_in(info, i, -1) && sqlite3_vtab_rhs_value(info, i, &literal) != SQLITE_OK;
}

/* The columns that the statement reads, when they are few. The last bit stands for all columns from
 * that number on. */
static void add_covered(const struct sql_table *table, sqlite3_index_info *info, char *columns)
{
    char *out = columns;

    for (size_t i = 0; i < table->n_columns; i++) {
        if (!(info->colUsed >> (i < 63 ? i : 63) & 1)) {
            continue;
        }
        if (out == columns + SQL_LOOKUP_COVERED) {
            out = columns;
            break;
        }
        *out++ = (char)(i + 1);
    }
    *out = '\0';
}

/* Not when the order of the rows cannot be kept; and a row that is found by its id needs no lookup that
 * only has ids. */
static bool lookup_serves(const struct sql_table *table, sqlite3_index_info *info,
                          const struct plan *plan)
{
    char covered[SQL_LOOKUP_COVERED + 1];

    if (table->def->key_bytes == 0 ||
        (table->def == &sql_links && !sink_is_now(table->conn->when)) ||
        ((plan->ordered || plan->def->unique) && plan->def->whole == SQL_NONE)) {
        return false;
    }
    add_covered(table, info, covered);
    return !plan->def->unique || covered[0] != '\0';
}

static void add_lookup(const struct sql_table *table, sqlite3_index_info *info, struct plan *plan)
{
    if (!lookup_serves(table, info, plan)) {
        return;
    }
    if (plan->eq != SQL_NONE && may_repeat(info, plan->eq)) {
        plan->lookup[plan->n_lookup++] = plan->eq;
    }
    for (int i = 0; i < info->nConstraint && plan->n_lookup < SQL_LOOKUP_KEYS; i++) {
        if (i != plan->eq && may_repeat(info, i)) {
            plan->lookup[plan->n_lookup++] = i;
        }
    }
    if (plan->n_lookup && plan->cost > LOOKUP_COST) {
        plan->cost = LOOKUP_COST;
        plan->rows = plan->rows < LOOKUP_ROWS ? plan->rows : LOOKUP_ROWS;
    }
}

static bool take_lookup(const struct sql_table *table, sqlite3_index_info *info,
                        const struct plan *plan, int *n)
{
    char text[SQL_LOOKUP_TEXT] = {(char)plan->n_lookup};

    for (size_t i = 0; i < plan->n_lookup; i++) {
        text[1 + i] = (char)(info->aConstraint[plan->lookup[i]].iColumn + 1);
        if (plan->lookup[i] == plan->eq) {
            info->idxNum |= SQL_PLAN_KEY_IS_EQ; /* it has an argument already, the first one */
        } else {
            info->aConstraintUsage[plan->lookup[i]].argvIndex = ++*n;
        }
    }
    if (plan->n_lookup == 0) {
        return true;
    }
    add_covered(table, info, text + 1 + plan->n_lookup);
    info->idxStr = sqlite3_mprintf("%s", text);
    info->needToFreeIdxStr = 1;
    return info->idxStr != NULL;
}

static int take_argument(sqlite3_index_info *info, int constraint, int *n, int flag)
{
    if (constraint == SQL_NONE) {
        return 0;
    }
    info->aConstraintUsage[constraint].argvIndex = ++*n;
    return flag;
}

static int eq_flags(const sqlite3_index_info *info, int constraint)
{
    unsigned char op = constraint == SQL_NONE ? 0 : info->aConstraint[constraint].op;

    return SQL_PLAN_EQ | (op == SQLITE_INDEX_CONSTRAINT_LIKE ? SQL_PLAN_LIKE : 0) |
           (op == SQLITE_INDEX_CONSTRAINT_GLOB ? SQL_PLAN_GLOB : 0);
}

static int take_plan(const struct sql_table *table, sqlite3_index_info *info,
                     const struct plan *plan)
{
    bool ordered = info->nOrderBy > 0 && plan->ordered;
    int n = 0;

    info->idxNum = (int)plan->number;
    info->idxNum |= ordered ? SQL_PLAN_ORDERED : 0;
    info->idxNum |= plan->ordered && plan->backwards ? SQL_PLAN_BACKWARDS : 0;
    info->idxNum |= take_argument(info, plan->eq, &n, eq_flags(info, plan->eq));
    info->idxNum |= take_argument(info, plan->lower, &n, SQL_PLAN_LOWER);
    info->idxNum |= take_argument(info, plan->upper, &n, SQL_PLAN_UPPER);
    info->orderByConsumed = ordered;
    info->estimatedCost = plan->cost;
    info->estimatedRows = plan->rows < 1 ? 1 : (sqlite3_int64)plan->rows;
    info->idxFlags = plan->def->unique ? SQLITE_INDEX_SCAN_UNIQUE : 0;
    return take_lookup(table, info, plan, &n) ? SQLITE_OK : SQLITE_NOMEM;
}

/* No column is asked for, as in count(*): the counter says how many rows there are. */
static bool only_counts(const struct sql_table *table, sqlite3_index_info *info)
{
    bool counted = info->colUsed == 0 && sink_is_now(table->conn->when);
    int64_t rows = counted ? sql_table_rows(table) : -1;

    if (rows < 0) {
        return false;
    }
    info->idxNum = SQL_PLAN_COUNT;
    info->estimatedRows = rows < 1 ? 1 : rows;
    info->estimatedCost = (double)rows / 4 + 1;
    return true;
}

int sql_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    struct sql_table *table = ((struct sql_vtab *)base)->table;
    struct plan best = {.cost = -1};
    bool past = !sink_is_now(table->conn->when);
    bool rare;

    if (only_counts(table, info)) {
        return SQLITE_OK;
    }
    rare = is_rare(table, info);
    for (size_t i = 0; i < table->n_indexes; i++) {
        struct plan plan;

        if ((past && !finds_the_past(table, &table->indexes[i])) ||
            !plan_with(table, info, &table->indexes[i], &plan)) {
            continue;
        }
        if (rare && plan.ordered && plan.def->eq == NULL && plan.def->row_cost > 1) {
            plan.cost *= RARE_COST;
        }
        if (best.cost < 0 || plan.cost < best.cost) {
            best = plan;
        }
    }
    if (table->conn->err.rc != WH_OK) {
        return SQLITE_ERROR;
    }
    if (best.cost < 0) {
        return SQLITE_CONSTRAINT;
    }
    add_lookup(table, info, &best);
    return take_plan(table, info, &best);
}
