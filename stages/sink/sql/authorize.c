/* What a statement may do: SQLite asks for every action while it prepares one. */
#include "stages/sink/sql/functions_priv.h"

static bool is_description(const char *pragma)
{
    static const char *const names[] = {"table_info", "table_xinfo", "table_list"};

    for (size_t i = 0; pragma && i < sizeof(names) / sizeof(names[0]); i++) {
        if (sqlite3_stricmp(pragma, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

const char *sql_refusal(int action, const char *a, const char *b)
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
        return is_description(a) ? NULL
                                 : "of PRAGMA only table_info, table_xinfo and table_list are "
                                   "permitted; `.tables` and `describe TABLE` tell more";
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

int sql_authorize(void *ctx, int action, const char *a, const char *b, const char *c, const char *d)
{
    struct sql_conn *conn = ctx;
    const char *why = sql_refusal(action, a, b);

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
