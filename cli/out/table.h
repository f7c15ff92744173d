/*
 * table.h - a table of text: the first row is the heading, columns are as wide as their cells need.
 * Cells are escaped as they come in (escape.h, one line) and cut after 60 columns.
 */
#ifndef WH_CLI_OUT_TABLE_H
#define WH_CLI_OUT_TABLE_H

#include <stdint.h>

#include "cli/out/out.h"

struct cli_table {
    struct wh_buf cells; /* NUL-separated */
    size_t columns;
    size_t n_cells;
};

/* At most 128 columns. */
void cli_table_init(struct cli_table *t, size_t columns);
void cli_table_done(struct cli_table *t);
/* Next cell, from left to right. Past 64 MiB cells are left out. */
void cli_table_cell(struct cli_table *t, struct wh_slice text);
void cli_table_str(struct cli_table *t, const char *text);
void cli_table_int(struct cli_table *t, int64_t value);
/* The heading's cells. */
void cli_table_head(struct cli_table *t, const char *const *names, size_t n);
/* To stdout; a last row that is not complete is left out. */
void cli_table_print(const struct cli_table *t, const struct cli_out *out);

#endif
