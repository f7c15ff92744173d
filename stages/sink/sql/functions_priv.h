/*
 * functions_priv.h - what a statement may compute, and how long one step of it may take.
 *
 * SQLite asks its progress handler between instructions and only at jumps, never inside a function.
 * Its own printf, replace, instr, trim, LIKE and GLOB can run for minutes over a few megabytes, and
 * so can a long expression without a jump. Three rules keep every statement's deadline:
 *
 *   1. A function runs only when it is listed in sql_function_rules. Those whose time is not linear
 *      in their arguments are replaced by ours, which ask for the deadline while they work. Any
 *      other function of the linked SQLite, also one that a later version adds, is refused.
 *   2. The instructions of a statement that cost time per byte are added up when it is prepared.
 *      The longer the statement, the shorter the values that it may handle (sql_value_limit), so
 *      that a pass through all of its instructions stays below SQL_PASS_NS.
 *   3. SQLite's memory comes from a budget of the statement (sql_memory_install and
 *      common/base/mem.h), which ends work that allocates when the deadline has passed.
 */
#ifndef WH_SINK_SQL_FUNCTIONS_PRIV_H
#define WH_SINK_SQL_FUNCTIONS_PRIV_H

#include "stages/sink/sql/sql_priv.h"

enum {
    SQL_VALUE_MAX_BYTES = 8 << 20,
    SQL_VALUE_MIN_BYTES = 16 << 10, /* what even the longest statement may handle */
    SQL_PATTERN_MAX_BYTES = 1024,
    SQL_PASS_NS = 512 << 20,
};

enum sql_function_kind {
    SQL_FUNCTION_LINEAR, /* SQLite's own */
    SQL_FUNCTION_OURS,   /* asks for the deadline itself */
};

struct sql_function_rule {
    const char *name;
    enum sql_function_kind kind;
    unsigned ns_per_byte; /* LINEAR: most time per byte of its largest argument or result */
};

/* All of them, in alphabetical order. */
const struct sql_function_rule *sql_function_rules(size_t *ret_n);
/* NULL when no statement may call the function. Case does not matter. */
const struct sql_function_rule *sql_function_rule(const char *name);
/* Puts our functions in the place of SQLite's, and adds those that SQLite lacks. An SQLite code. */
WH_MUST_CHECK int sql_functions_install(struct sql_conn *conn);
WH_MUST_CHECK int sql_text_functions_install(struct sql_conn *conn);
WH_MUST_CHECK int sql_match_functions_install(struct sql_conn *conn);
WH_MUST_CHECK int sql_format_functions_install(struct sql_conn *conn);
WH_MUST_CHECK int sql_number_functions_install(struct sql_conn *conn);
WH_MUST_CHECK int sql_regexp_function_install(struct sql_conn *conn);
WH_MUST_CHECK int sql_time_functions_install(struct sql_conn *conn);
WH_MUST_CHECK int sql_stream_function_install(struct sql_conn *conn);

/*
 * Makes one function known. It must ask sql_function_begins at its start, and sql_function_over at
 * least once in SQL_STEPS steps of its work.
 */
enum { SQL_STEPS = 1 << 14 };
WH_MUST_CHECK int sql_function_add(struct sql_conn *conn, const char *name, int n_args,
                                   void (*fn)(sqlite3_context *out, int n, sqlite3_value **args));
/* True when the statement must end; the function's result is then that error. */
bool sql_function_over(sqlite3_context *out);
/* The same at the start of a function over so many bytes: a call over a short text asks for the
 * time only now and then. */
bool sql_function_begins(sqlite3_context *out, size_t bytes);
/* Bytes of the character that the text begins with, as SQLite reads UTF-8; 0 for an empty text. */
size_t sql_char_len(struct wh_slice text);
/* Takes the text over as the function's result. */
void sql_function_result(sqlite3_context *out, sqlite3_str *text);

/*
 * The longest value that a statement may handle, from its instructions: EXPLAIN is prepared in the
 * same connection. An SQLite code; SQLITE_OK sets *ret_bytes.
 */
WH_MUST_CHECK int sql_value_limit(sqlite3 *db, const char *sql, size_t len, int *ret_bytes);

#endif
