/* The functions that a statement may call; see functions_priv.h. */
#include "stages/sink/sql/functions_priv.h"

enum { SHORT_BYTES = 4096, SHORT_CALLS = 16 };

/*
 * All of them, in alphabetical order. The times are those measured with values of 8 MiB, rounded
 * up; what does not depend on the size of a value has 0.
 */
static const struct sql_function_rule rules[] = {
    {"->", SQL_FUNCTION_LINEAR, 16},
    {"->>", SQL_FUNCTION_LINEAR, 16},
    {"abs", SQL_FUNCTION_LINEAR, 4},
    {"acos", SQL_FUNCTION_LINEAR, 4},
    {"acosh", SQL_FUNCTION_LINEAR, 4},
    {"asin", SQL_FUNCTION_LINEAR, 4},
    {"asinh", SQL_FUNCTION_LINEAR, 4},
    {"atan", SQL_FUNCTION_LINEAR, 4},
    {"atan2", SQL_FUNCTION_LINEAR, 8},
    {"atanh", SQL_FUNCTION_LINEAR, 4},
    {"avg", SQL_FUNCTION_LINEAR, 4},
    {"ceil", SQL_FUNCTION_LINEAR, 4},
    {"ceiling", SQL_FUNCTION_LINEAR, 4},
    {"changes", SQL_FUNCTION_LINEAR, 0},
    {"char", SQL_FUNCTION_LINEAR, 4},
    {"coalesce", SQL_FUNCTION_LINEAR, 1},
    {"concat", SQL_FUNCTION_OURS, 0},
    {"cos", SQL_FUNCTION_LINEAR, 4},
    {"cosh", SQL_FUNCTION_LINEAR, 4},
    {"count", SQL_FUNCTION_LINEAR, 0},
    {"cume_dist", SQL_FUNCTION_LINEAR, 0},
    {"current_date", SQL_FUNCTION_LINEAR, 0},
    {"current_time", SQL_FUNCTION_LINEAR, 0},
    {"current_timestamp", SQL_FUNCTION_LINEAR, 0},
    {"date", SQL_FUNCTION_LINEAR, 4},
    {"date_trunc", SQL_FUNCTION_OURS, 0},
    {"datetime", SQL_FUNCTION_LINEAR, 4},
    {"degrees", SQL_FUNCTION_LINEAR, 4},
    {"dense_rank", SQL_FUNCTION_LINEAR, 0},
    {"exp", SQL_FUNCTION_LINEAR, 4},
    {"first_value", SQL_FUNCTION_LINEAR, 1},
    {"floor", SQL_FUNCTION_LINEAR, 4},
    {"format", SQL_FUNCTION_OURS, 0},
    {"glob", SQL_FUNCTION_OURS, 0},
    {"group_concat", SQL_FUNCTION_LINEAR, 2},
    {"hex", SQL_FUNCTION_LINEAR, 4},
    {"ifnull", SQL_FUNCTION_LINEAR, 1},
    {"iif", SQL_FUNCTION_LINEAR, 1},
    {"instr", SQL_FUNCTION_OURS, 0},
    {"json", SQL_FUNCTION_LINEAR, 24},
    {"json_array", SQL_FUNCTION_LINEAR, 8},
    {"json_array_length", SQL_FUNCTION_LINEAR, 16},
    {"json_extract", SQL_FUNCTION_LINEAR, 24},
    {"json_group_array", SQL_FUNCTION_LINEAR, 8},
    {"json_group_object", SQL_FUNCTION_LINEAR, 8},
    {"json_insert", SQL_FUNCTION_LINEAR, 32},
    {"json_object", SQL_FUNCTION_LINEAR, 8},
    {"json_quote", SQL_FUNCTION_LINEAR, 8},
    {"json_remove", SQL_FUNCTION_LINEAR, 32},
    {"json_replace", SQL_FUNCTION_LINEAR, 32},
    {"json_set", SQL_FUNCTION_LINEAR, 32},
    {"json_type", SQL_FUNCTION_LINEAR, 16},
    {"json_valid", SQL_FUNCTION_LINEAR, 16},
    {"julianday", SQL_FUNCTION_LINEAR, 4},
    {"lag", SQL_FUNCTION_LINEAR, 1},
    {"last_insert_rowid", SQL_FUNCTION_LINEAR, 0},
    {"last_value", SQL_FUNCTION_LINEAR, 1},
    {"lead", SQL_FUNCTION_LINEAR, 1},
    {"length", SQL_FUNCTION_LINEAR, 2},
    {"like", SQL_FUNCTION_OURS, 0},
    {"likelihood", SQL_FUNCTION_LINEAR, 1},
    {"likely", SQL_FUNCTION_LINEAR, 1},
    {"ln", SQL_FUNCTION_LINEAR, 4},
    {"local", SQL_FUNCTION_OURS, 0},
    {"log", SQL_FUNCTION_LINEAR, 8},
    {"log10", SQL_FUNCTION_LINEAR, 4},
    {"log2", SQL_FUNCTION_LINEAR, 4},
    {"lower", SQL_FUNCTION_LINEAR, 2},
    {"ltrim", SQL_FUNCTION_OURS, 0},
    {"max", SQL_FUNCTION_LINEAR, 16},
    {"median", SQL_FUNCTION_OURS, 0},
    {"min", SQL_FUNCTION_LINEAR, 16},
    {"mod", SQL_FUNCTION_LINEAR, 8},
    {"nth_value", SQL_FUNCTION_LINEAR, 1},
    {"ntile", SQL_FUNCTION_LINEAR, 1},
    {"nullif", SQL_FUNCTION_LINEAR, 2},
    {"percent_rank", SQL_FUNCTION_LINEAR, 0},
    {"percentile", SQL_FUNCTION_OURS, 0},
    {"pi", SQL_FUNCTION_LINEAR, 0},
    {"pow", SQL_FUNCTION_LINEAR, 8},
    {"power", SQL_FUNCTION_LINEAR, 8},
    {"printf", SQL_FUNCTION_OURS, 0},
    {"quote", SQL_FUNCTION_LINEAR, 4},
    {"radians", SQL_FUNCTION_LINEAR, 4},
    {"random", SQL_FUNCTION_LINEAR, 0},
    {"randomblob", SQL_FUNCTION_LINEAR, 16},
    {"rank", SQL_FUNCTION_LINEAR, 0},
    {"regexp", SQL_FUNCTION_OURS, 0},
    {"replace", SQL_FUNCTION_OURS, 0},
    {"round", SQL_FUNCTION_LINEAR, 8},
    {"row_number", SQL_FUNCTION_LINEAR, 0},
    {"rtrim", SQL_FUNCTION_OURS, 0},
    {"sign", SQL_FUNCTION_LINEAR, 4},
    {"sin", SQL_FUNCTION_LINEAR, 4},
    {"sinh", SQL_FUNCTION_LINEAR, 4},
    {"soundex", SQL_FUNCTION_LINEAR, 2},
    {"sqlite_version", SQL_FUNCTION_LINEAR, 0},
    {"sqrt", SQL_FUNCTION_LINEAR, 4},
    {"stddev", SQL_FUNCTION_OURS, 0},
    {"stream_state", SQL_FUNCTION_OURS, 0},
    {"strftime", SQL_FUNCTION_LINEAR, 64},
    {"substr", SQL_FUNCTION_LINEAR, 2},
    {"substring", SQL_FUNCTION_LINEAR, 2},
    {"subtype", SQL_FUNCTION_LINEAR, 0},
    {"sum", SQL_FUNCTION_LINEAR, 4},
    {"tan", SQL_FUNCTION_LINEAR, 4},
    {"tanh", SQL_FUNCTION_LINEAR, 4},
    {"time", SQL_FUNCTION_LINEAR, 4},
    {"total", SQL_FUNCTION_LINEAR, 4},
    {"total_changes", SQL_FUNCTION_LINEAR, 0},
    {"trim", SQL_FUNCTION_OURS, 0},
    {"trunc", SQL_FUNCTION_LINEAR, 4},
    {"typeof", SQL_FUNCTION_LINEAR, 0},
    {"unicode", SQL_FUNCTION_LINEAR, 1},
    {"unixepoch", SQL_FUNCTION_LINEAR, 4},
    {"unlikely", SQL_FUNCTION_LINEAR, 1},
    {"upper", SQL_FUNCTION_LINEAR, 2},
    {"zeroblob", SQL_FUNCTION_LINEAR, 1},
};

const struct sql_function_rule *sql_function_rules(size_t *ret_n)
{
    *ret_n = sizeof(rules) / sizeof(rules[0]);
    return rules;
}

const struct sql_function_rule *sql_function_rule(const char *name)
{
    size_t low = 0;
    size_t high = sizeof(rules) / sizeof(rules[0]);

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = sqlite3_stricmp(name, rules[middle].name);

        if (order == 0) {
            return &rules[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

int sql_function_add(struct sql_conn *conn, const char *name, int n_args,
                     void (*fn)(sqlite3_context *out, int n, sqlite3_value **args))
{
    return sqlite3_create_function_v2(conn->db, name, n_args,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, conn,
                                      fn, NULL, NULL, NULL);
}

int sql_functions_install(struct sql_conn *conn)
{
    int rc = sql_text_functions_install(conn);

    rc = rc == SQLITE_OK ? sql_match_functions_install(conn) : rc;
    rc = rc == SQLITE_OK ? sql_format_functions_install(conn) : rc;
    rc = rc == SQLITE_OK ? sql_number_functions_install(conn) : rc;
    rc = rc == SQLITE_OK ? sql_regexp_function_install(conn) : rc;
    rc = rc == SQLITE_OK ? sql_stream_function_install(conn) : rc;
    return rc == SQLITE_OK ? sql_time_functions_install(conn) : rc;
}

bool sql_function_over(sqlite3_context *out)
{
    if (!sql_conn_over(sqlite3_user_data(out))) {
        return false;
    }
    sqlite3_result_error_code(out, SQLITE_INTERRUPT);
    return true;
}

bool sql_function_begins(sqlite3_context *out, size_t bytes)
{
    struct sql_conn *conn = sqlite3_user_data(out);

    return (bytes > SHORT_BYTES || ++conn->calls % SHORT_CALLS == 0) && sql_function_over(out);
}

size_t sql_char_len(struct wh_slice text)
{
    size_t n = text.len > 0;

    if (n && (unsigned char)text.ptr[0] >= 0xc0) {
        while (n < text.len && ((unsigned char)text.ptr[n] & 0xc0) == 0x80) {
            n++;
        }
    }
    return n;
}

void sql_function_result(sqlite3_context *out, sqlite3_str *text)
{
    int code = sqlite3_str_errcode(text);
    int len = sqlite3_str_length(text);
    char *bytes = sqlite3_str_finish(text);

    if (code == SQLITE_TOOBIG) {
        sqlite3_result_error_toobig(out);
        sqlite3_free(bytes);
    } else if (code != SQLITE_OK) {
        sqlite3_result_error_nomem(out);
        sqlite3_free(bytes);
    } else {
        /* Nothing was appended: the text is empty, not NULL. */
        sqlite3_result_text64(out, bytes ? bytes : "", (sqlite3_uint64)len,
                              bytes ? sqlite3_free : SQLITE_STATIC, SQLITE_UTF8);
    }
}
