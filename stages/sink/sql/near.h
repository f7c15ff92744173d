/* near.h - the nearest names to one that does not exist, for messages. Thread: any. */
#ifndef WH_SINK_SQL_NEAR_H
#define WH_SINK_SQL_NEAR_H

#include <stddef.h>

#include "common/base/slice.h"

/*
 * For SQLite's "no such column: x" and "no such table: x": "; did you mean a, b or c?". Empty for
 * other messages and when nothing is near.
 */
void sql_near_hint(const char *message, char *out, size_t size);
/* The same for a column of one table. */
void sql_near_column(struct wh_slice table, struct wh_slice name, char *out, size_t size);

#endif
