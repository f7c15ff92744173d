#include "cli/out/table.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/escape.h"

enum { TABLE_MAX_BYTES = 64 << 20, COLUMNS_MAX = 128, CELL_MAX_WIDTH = 60, GAP = 2 };

void cli_table_init(struct cli_table *t, size_t columns)
{
    wh_buf_init(&t->cells, TABLE_MAX_BYTES);
    t->columns = columns < COLUMNS_MAX ? columns : COLUMNS_MAX;
    t->n_cells = 0;
}

void cli_table_done(struct cli_table *t)
{
    wh_buf_done(&t->cells);
}

void cli_table_cell(struct cli_table *t, struct wh_slice text)
{
    size_t before = t->cells.len;
    struct wh_err err;

    if (wh_escape(text, WH_ESCAPE_LINE, &t->cells, &err) == WH_OK &&
        wh_buf_append_char(&t->cells, '\0', &err) == WH_OK) {
        t->n_cells++;
    } else {
        t->cells.len = before;
    }
}

void cli_table_str(struct cli_table *t, const char *text)
{
    cli_table_cell(t, wh_slice_str(text));
}

void cli_table_int(struct cli_table *t, int64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRId64, value);
    cli_table_str(t, text);
}

void cli_table_head(struct cli_table *t, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        cli_table_str(t, names[i]);
    }
}

/* As it is shown: not longer than a cell may be. */
static struct wh_slice shown(const char *cell)
{
    return wh_escape_cut(wh_slice_str(cell), CELL_MAX_WIDTH);
}

static void find_widths(const struct cli_table *t, size_t rows, size_t widths[COLUMNS_MAX])
{
    const char *cell = wh_buf_str(&t->cells);

    for (size_t i = 0; i < rows * t->columns; i++, cell += strlen(cell) + 1) {
        size_t width = wh_escape_width(shown(cell));

        if (width > widths[i % t->columns]) {
            widths[i % t->columns] = width;
        }
    }
}

/* Prints a row; gives the first cell of the next. */
static const char *print_row(const struct cli_table *t, const char *cell,
                             const size_t widths[COLUMNS_MAX], FILE *to)
{
    for (size_t c = 0; c < t->columns; c++, cell += strlen(cell) + 1) {
        struct wh_slice text = shown(cell);

        (void)fwrite(text.ptr, 1, text.len, to);
        for (size_t n = wh_escape_width(text); c + 1 < t->columns && n < widths[c] + GAP; n++) {
            (void)fputc(' ', to);
        }
    }
    return cell;
}

void cli_table_print(const struct cli_table *t, const struct cli_out *out)
{
    size_t widths[COLUMNS_MAX] = {0};
    size_t rows = t->columns ? t->n_cells / t->columns : 0;
    const char *cell = wh_buf_str(&t->cells);

    find_widths(t, rows, widths);
    for (size_t r = 0; r < rows; r++) {
        bool bold = r == 0 && out->colour;

        (void)fputs(bold ? "\033[1m" : "", out->data);
        cell = print_row(t, cell, widths, out->data);
        (void)fputs(bold ? "\033[0m\n" : "\n", out->data);
    }
}
