/* th_sql.h - one statement of an engine as text. */
#ifndef TH_SQL_H
#define TH_SQL_H

#include "stages/sink/sql/sql.h"

/*
 * "rows\n", then a line for each row, each value followed by '|'; free with wh_mem_free. The parameter
 * :p is 'main'. *ret_read is the number of rows that the statement read. Fails the test when the
 * statement does.
 */
char *th_sql_rows(struct sql_engine *engine, const char *sql, int64_t *ret_read);
/* The same of the past; NULL: now. */
char *th_sql_rows_at(struct sql_engine *engine, const char *sql, const struct wh_history_when *when,
                     int64_t *ret_read);
/* The statement gives these rows. */
void th_sql_is(struct sql_engine *engine, const char *sql, const char *want);
/* Both statements give the same rows. Gives the number of rows that the first one read. */
int64_t th_sql_same(struct sql_engine *engine, const char *sql, const char *as);

#endif
