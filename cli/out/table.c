#include "cli/out/table.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/escape.h"

enum {
    TABLE_MAX_BYTES = 256 << 20,
    PART_BYTES = 1 << 20,
    GAP = 2,
    NARROW = 8, /* columns that a cell needs to be of use */
    WIDE = 60,  /* no column of a file is padded to more; wider cells are out of line */
};

static const char cut_mark[] = "\xE2\x80\xA6"; /* … */

void cli_table_init(struct cli_table *t, size_t columns)
{
    *t = (struct cli_table){.columns =
                                columns < CLI_TABLE_COLUMNS_MAX ? columns : CLI_TABLE_COLUMNS_MAX};
    wh_buf_init(&t->cells, TABLE_MAX_BYTES);
}

void cli_table_done(struct cli_table *t)
{
    wh_buf_done(&t->cells);
}

void cli_table_expand(struct cli_table *t)
{
    t->expanded = true;
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

/* ---- widths ---- */

static void find_widths(struct cli_table *t, size_t rows)
{
    const char *cell = wh_buf_str(&t->cells);

    for (size_t i = 0; i < rows * t->columns; i++, cell += strlen(cell) + 1) {
        size_t full = wh_escape_width(wh_slice_str(cell));
        uint16_t width = full < UINT16_MAX ? (uint16_t)full : UINT16_MAX;

        if (i < t->columns && width > t->label_width) {
            t->label_width = width;
        }
        if (width > t->widths[i % t->columns]) {
            t->widths[i % t->columns] = width;
        }
    }
}

static void limit_widths(struct cli_table *t)
{
    for (size_t c = 0; c < t->columns; c++) {
        t->widths[c] = t->widths[c] < WIDE ? t->widths[c] : WIDE;
    }
}

/* The table's width when no column is wider than this. */
static size_t width_with(const struct cli_table *t, size_t widest)
{
    size_t sum = GAP * (t->columns - 1);

    for (size_t c = 0; c < t->columns; c++) {
        sum += t->widths[c] < widest ? t->widths[c] : widest;
    }
    return sum;
}

/* Makes the widest columns narrower until the table fits into `room`. False when it cannot. */
static bool fit(struct cli_table *t, size_t room)
{
    size_t low = NARROW; /* fits */
    size_t high = UINT16_MAX;
    size_t rest;

    if (width_with(t, high) <= room) {
        return true;
    }
    if (width_with(t, low) > room) {
        return false;
    }
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        *(width_with(t, middle) <= room ? &low : &high) = middle;
    }
    rest = room - width_with(t, low);
    for (size_t c = 0; c < t->columns; c++) {
        if (t->widths[c] > low) {
            t->widths[c] = (uint16_t)(low + (rest > 0));
            rest -= rest > 0;
        }
    }
    return true;
}

/* ---- rows ---- */

/* Prints a cell and the gap behind it. */
static void print_cell(struct wh_slice text, size_t width, bool last, const struct cli_out *out)
{
    size_t shown = wh_escape_width(text);

    if (out->columns && shown > width) {
        text = wh_escape_cut(text, width - 1);
        (void)fwrite(text.ptr, 1, text.len, out->data);
        (void)fputs(cut_mark, out->data);
        shown = wh_escape_width(text) + 1;
    } else {
        (void)fwrite(text.ptr, 1, text.len, out->data);
    }
    for (size_t n = shown < width ? width - shown + GAP : GAP; !last && n > 0; n--) {
        (void)fputc(' ', out->data);
    }
}

/* Prints a row; gives the first cell of the next. */
static const char *print_row(const struct cli_table *t, const char *cell, bool bold,
                             const struct cli_out *out)
{
    (void)fputs(bold ? "\033[1m" : "", out->data);
    for (size_t c = 0; c < t->columns; c++, cell += strlen(cell) + 1) {
        print_cell(wh_slice_str(cell), t->widths[c], c + 1 == t->columns, out);
    }
    (void)fputs(bold ? "\033[0m\n" : "\n", out->data);
    return cell;
}

/* A line for each column. */
static const char *print_expanded(struct cli_table *t, const char *cell, const struct cli_out *out)
{
    const char *label = wh_buf_str(&t->cells);

    (void)fprintf(out->data, "%s-- row %zu%s\n", out->colour ? "\033[1m" : "", t->n_printed + 1,
                  out->colour ? "\033[0m" : "");
    for (size_t c = 0; c < t->columns; c++, cell += strlen(cell) + 1, label += strlen(label) + 1) {
        (void)fputs(label, out->data);
        for (size_t n = wh_escape_width(wh_slice_str(label)); n < (size_t)t->label_width + GAP;
             n++) {
            (void)fputc(' ', out->data);
        }
        (void)fprintf(out->data, "%s\n", cell);
    }
    return cell;
}

static void begin(struct cli_table *t, size_t rows, const struct cli_out *out)
{
    find_widths(t, rows);
    if (out->columns == 0) {
        limit_widths(t);
    } else if (!fit(t, out->columns)) {
        t->expanded = true;
    }
    t->begun = true;
    if (!t->expanded) {
        (void)print_row(t, wh_buf_str(&t->cells), out->colour, out);
    }
}

/* The first cell behind the heading. */
static const char *first_cell(const struct cli_table *t)
{
    const char *cell = wh_buf_str(&t->cells);

    for (size_t c = 0; c < t->columns; c++) {
        cell += strlen(cell) + 1;
    }
    return cell;
}

void cli_table_print(struct cli_table *t, const struct cli_out *out)
{
    size_t rows = t->columns ? t->n_cells / t->columns : 0;
    const char *cell;

    if (rows == 0) {
        return;
    }
    if (!t->begun) {
        begin(t, rows, out);
    }
    cell = first_cell(t);
    for (size_t r = 1; r < rows; r++, t->n_printed++) {
        cell = t->expanded ? print_expanded(t, cell, out) : print_row(t, cell, false, out);
    }
}

void cli_table_stream(struct cli_table *t, const struct cli_out *out)
{
    if (t->cells.len >= PART_BYTES && t->n_cells % t->columns == 0) {
        cli_table_print(t, out);
        t->cells.len = (size_t)(first_cell(t) - t->cells.ptr); /* the heading stays */
        t->n_cells = t->columns;
    }
}
