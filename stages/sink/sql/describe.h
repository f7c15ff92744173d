/*
 * describe.h - statements about the tables themselves, answered from the catalogue:
 *
 *   .tables, show tables    the tables with their meaning and an example of a query
 *   describe NAME           a table's columns: type, meaning, what they join to, a value as an example
 *   .schema [NAME]          a CREATE TABLE statement with comments, one line in a row
 *
 * A semicolon may follow; case does not matter in keywords. Thread: any.
 */
#ifndef WH_SINK_SQL_DESCRIBE_H
#define WH_SINK_SQL_DESCRIBE_H

#include "common/base/err.h"
#include "common/base/slice.h"

/*
 * The SELECT that answers such a statement, or NULL in *ret_sql when the text is another one; free it with
 * sqlite3_free. WH_E_INVALID: there is no such table (the message suggests one); WH_E_NOMEM.
 */
WH_MUST_CHECK enum wh_rc sql_describe(struct wh_slice text, char **ret_sql, struct wh_err *err);

/* What a column of the table joins to, for people; empty when nothing. */
const char *sql_column_joins(struct wh_slice table, const char *column, char *out, size_t size);

#endif
