/* SQLite's heap, and how long a value may be in a statement; see functions_priv.h. */
#include <pthread.h>
#include <string.h>

#include "common/base/mem.h"
#include "stages/sink/sql/functions_priv.h"

enum { NAME_MAX_BYTES = 64 };

/* ---- memory ---- */

static void *mem_alloc(int size)
{
    return wh_mem_alloc((size_t)size);
}

static void *mem_resize(void *ptr, int size)
{
    return wh_mem_resize(ptr, 1, (size_t)size);
}

static int mem_size(void *ptr)
{
    return (int)wh_mem_size(ptr);
}

static int mem_round_up(int size)
{
    return (size + 7) & ~7;
}

static int mem_start(void *ctx)
{
    (void)ctx;
    return SQLITE_OK;
}

static void mem_end(void *ctx)
{
    (void)ctx;
}

static const sqlite3_mem_methods methods = {mem_alloc,    wh_mem_free, mem_resize, mem_size,
                                            mem_round_up, mem_start,   mem_end,    NULL};

static int configured = SQLITE_MISUSE;

static void configure(void)
{
    /* SQLite's own statistics would take a lock of the whole process at every allocation. */
    configured = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (configured == SQLITE_OK) {
        configured = sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    }
}

enum wh_rc sql_memory_install(struct wh_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, configure);
    return configured == SQLITE_OK
               ? WH_OK
               : wh_fail(err, WH_E_INTERNAL, "SQLite was in use before its memory was configured");
}

/* ---- instructions ---- */

/* Instructions whose time does not depend on the size of a value, or that end in our code, which
 * asks for the deadline. In alphabetical order. */
static const char *const constant[] = {
    "AddImm",      "BeginSubrtn", "Close",         "ColumnsUsed",   "DecrJumpZero",  "EndCoroutine",
    "Explain",     "Gosub",       "Goto",          "Halt",          "HaltIfNull",    "IfNotZero",
    "IfNullRow",   "IfPos",       "Init",          "InitCoroutine", "Int64",         "IntCopy",
    "Integer",     "IsNull",      "IsNullOrType",  "IsType",        "Jump",          "Last",
    "Move",        "Next",        "Noop",          "NotNull",       "Null",          "NullRow",
    "OffsetLimit", "Once",        "OpenAutoindex", "OpenDup",       "OpenEphemeral", "OpenPseudo",
    "Permutation", "Prev",        "Real",          "ReopenIdx",     "ResetSorter",   "ResultRow",
    "Return",      "Rewind",      "SCopy",         "Sequence",      "SoftNull",      "SorterNext",
    "SorterOpen",  "SorterSort",  "String",        "String8",       "Transaction",   "VColumn",
    "VFilter",     "VInitIn",     "VNext",         "VOpen",         "Variable",      "Yield",
};

/* Those that may turn two texts into numbers. */
static const char *const numeric[] = {
    "Add", "And", "BitAnd",    "BitNot",    "BitOr",      "Cast",     "Divide",
    "Eq",  "Ge",  "Gt",        "Le",        "Lt",         "Multiply", "Ne",
    "Not", "Or",  "Remainder", "ShiftLeft", "ShiftRight", "Subtract",
};

enum { NUMERIC_NS = 8, COPY_NS = 1 };

static bool listed(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* "json_extract(-1)": the function's name without its number of arguments. */
static unsigned function_cost(const char *text)
{
    const struct sql_function_rule *rule;
    const char *end = text ? strrchr(text, '(') : NULL;
    char name[NAME_MAX_BYTES];

    if (end == NULL || (size_t)(end - text) >= sizeof(name)) {
        return 1;
    }
    memcpy(name, text, (size_t)(end - text));
    name[end - text] = 0;
    rule = sql_function_rule(name);
    return rule ? rule->ns_per_byte : 1;
}

/* Nanoseconds per byte of the longest value. */
static unsigned cost_of(const char *opcode, const char *p4)
{
    if (strncmp(opcode, "Agg", 3) == 0 || strcmp(opcode, "Function") == 0 ||
        strcmp(opcode, "PureFunc") == 0) {
        return function_cost(p4);
    }
    if (listed(constant, sizeof(constant) / sizeof(constant[0]), opcode)) {
        return 0;
    }
    return listed(numeric, sizeof(numeric) / sizeof(numeric[0]), opcode) ? NUMERIC_NS : COPY_NS;
}

/* A record of one constant, as those of IN (1, 2, 3): no value of the store is in it. */
static bool constant_record(const char *opcode, int columns, bool after_constant)
{
    return after_constant && columns == 1 && strcmp(opcode, "MakeRecord") == 0;
}

static int add_costs(sqlite3_stmt *explain, int64_t *ret)
{
    bool after_constant = false;
    int rc;

    *ret = 0;
    while ((rc = sqlite3_step(explain)) == SQLITE_ROW) {
        const char *opcode = (const char *)sqlite3_column_text(explain, 1);
        const char *p4 = (const char *)sqlite3_column_text(explain, 5);

        if (opcode == NULL) {
            return SQLITE_NOMEM;
        }
        if (!constant_record(opcode, sqlite3_column_int(explain, 3), after_constant)) {
            *ret += cost_of(opcode, p4);
        }
        after_constant = strcmp(opcode, "Integer") == 0 || strcmp(opcode, "String8") == 0 ||
                         strcmp(opcode, "Int64") == 0 || strcmp(opcode, "Real") == 0;
    }
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int sql_value_limit(sqlite3 *db, const char *sql, size_t len, int *ret_bytes)
{
    sqlite3_str *text = sqlite3_str_new(db);
    sqlite3_stmt *explain = NULL;
    int64_t cost = 0;
    int64_t bytes;
    char *all;
    int rc;

    sqlite3_str_appendall(text, "EXPLAIN ");
    sqlite3_str_append(text, sql, (int)len);
    rc = sqlite3_str_errcode(text);
    all = sqlite3_str_finish(text);
    rc = rc == SQLITE_OK ? sqlite3_prepare_v2(db, all, -1, &explain, NULL) : rc;
    rc = rc == SQLITE_OK ? add_costs(explain, &cost) : rc;
    (void)sqlite3_finalize(explain);
    sqlite3_free(all);
    bytes = cost > 0 ? SQL_PASS_NS / cost : SQL_VALUE_MAX_BYTES;
    bytes = bytes > SQL_VALUE_MAX_BYTES ? SQL_VALUE_MAX_BYTES : bytes;
    *ret_bytes = (int)(bytes < SQL_VALUE_MIN_BYTES ? SQL_VALUE_MIN_BYTES : bytes);
    return rc;
}
