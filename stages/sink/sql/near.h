/* near.h - suggests existing names for one that does not exist. Thread: any. */
#ifndef WH_SINK_SQL_NEAR_H
#define WH_SINK_SQL_NEAR_H

#include <stddef.h>

#include "common/base/slice.h"

/*
 * Writes "; did you mean a, b or c?" for SQLite's messages "no such column: x" and "no such table:
 * x". The text is empty for other messages and when no name is similar.
 */
void sql_near_hint(const char *message, char *out, size_t size);
/* The same for a column of one table. */
void sql_near_column(struct wh_slice table, struct wh_slice name, char *out, size_t size);

#endif
