/* near.h - suggests existing names for one that does not exist. Thread: any. */
#ifndef WH_SINK_SQL_NEAR_H
#define WH_SINK_SQL_NEAR_H

#include <stddef.h>

#include "common/base/slice.h"

/*
 * Writes "; did you mean a, b or c?" for SQLite's messages "no such column: x", "no such table: x" and
 * "no such function: x", or says which statement lists what there is. Columns are those of the tables
 * that the statement names. The text is empty for other messages.
 */
void sql_near_hint(const char *message, struct wh_slice statement, char *out, size_t size);
/* The same for a column of one table. */
void sql_near_column(struct wh_slice table, struct wh_slice name, char *out, size_t size);

#endif
