/*
 * table.h - a table of text: the first row is the heading, columns are as wide as their cells need.
 *
 * Cells are escaped as they come in (escape.h, one line). Nothing is cut in a file or a pipe, but a cell of more than
 * 60 columns may push the rest of its row out of line. On a
 * terminal the widest columns become narrower until the table fits, and a cut cell ends in "…";
 * where even narrow columns do not fit, each column takes a line of its own.
 */
#ifndef WH_CLI_OUT_TABLE_H
#define WH_CLI_OUT_TABLE_H

#include <stdint.h>

#include "cli/out/out.h"

enum { CLI_TABLE_COLUMNS_MAX = 2000 };

struct cli_table {
    struct wh_buf cells; /* NUL-separated; the heading first */
    size_t columns;
    size_t n_cells;
    size_t n_printed; /* rows, without the heading */
    bool begun;       /* widths are fixed */
    bool expanded;
    uint16_t label_width; /* of the widest heading; expanded */
    uint16_t widths[CLI_TABLE_COLUMNS_MAX];
};

/* At most CLI_TABLE_COLUMNS_MAX columns; SQLite has no more. */
void cli_table_init(struct cli_table *t, size_t columns);
void cli_table_done(struct cli_table *t);
/* One line for each column of a row ("-x"). Before the first print. */
void cli_table_expand(struct cli_table *t);
/* Next cell, from left to right. */
void cli_table_cell(struct cli_table *t, struct wh_slice text);
void cli_table_str(struct cli_table *t, const char *text);
void cli_table_int(struct cli_table *t, int64_t value);
/* The heading's cells. */
void cli_table_head(struct cli_table *t, const char *const *names, size_t n);
/* To stdout; a last row that is not complete is left out. */
void cli_table_print(struct cli_table *t, const struct cli_out *out);
/*
 * For tables of any length, after each row: prints what has come when it is much, and forgets it. The widths
 * are then those of the first part; a wider cell of a later part is cut on a terminal, and out of line
 * elsewhere. cli_table_print prints the rest.
 */
void cli_table_stream(struct cli_table *t, const struct cli_out *out);

#endif
