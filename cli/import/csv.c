/* CSV with a header. The only file that includes csv.h of libcsv. */
#include <csv.h>
#include <stdio.h>

#include "cli/import/formats.h"
#include "cli/import/value.h"
#include "common/base/mem.h"

enum { CELLS_MAX = IMPORT_OTHERS_MAX + IMPORT_COLUMNS_MAX, HEADER_MAX = 1 << 20 };

struct cells {
    struct wh_buf bytes;
    size_t ends[CELLS_MAX];
    size_t n; /* may be more than CELLS_MAX; those beyond are not kept */
};

struct csv {
    struct csv_parser parser;
    const struct import_kind *kind;
    struct import_row *row;
    const struct import_rows *rows;
    struct cells header;
    int columns[CELLS_MAX];         /* of the header: which of the kind's; -1: another one */
    bool skipped[CELLS_MAX];        /* columns of the header that are not read */
    bool lacks[IMPORT_COLUMNS_MAX]; /* columns that are needed and that the header does not have */
    bool header_done;
    bool header_wrong;
    struct cells cells;
    bool row_ended;
    int64_t line;     /* of the piece */
    int64_t row_line; /* 0: between two rows */
    size_t row_bytes;
    enum wh_rc rc; /* of a callback */
    struct wh_err err;
};

static struct wh_slice cell(const struct cells *c, size_t i)
{
    size_t from = i ? c->ends[i - 1] : 0;

    return wh_slice(c->bytes.len ? c->bytes.ptr + from : "", c->ends[i] - from);
}

static void cells_reset(struct cells *c)
{
    wh_buf_reset(&c->bytes);
    c->n = 0;
}

/* ---- callbacks of libcsv ---- */

static int no_blank(unsigned char c)
{
    (void)c;
    return 0;
}

static void on_cell(void *bytes, size_t n, void *ctx)
{
    struct csv *csv = ctx;
    struct cells *c = &csv->cells;

    if (c->n < CELLS_MAX && csv->rc == WH_OK) {
        csv->rc = wh_buf_append(&c->bytes, wh_slice(bytes, n), &csv->err);
        c->ends[c->n] = c->bytes.len;
    }
    c->n++;
}

static void on_row(int end, void *ctx)
{
    (void)end;
    ((struct csv *)ctx)->row_ended = true;
}

/* ---- the header ---- */

static void header_is_wrong(struct csv *csv, struct wh_slice column, const char *reason)
{
    csv->header_wrong = true;
    import_row_wrong(csv->row, column, reason);
}

static void check_name(struct csv *csv, size_t i)
{
    struct wh_slice name = cell(&csv->header, i);
    char reason[IMPORT_REASON_MAX];

    csv->skipped[i] = true;
    if (name.len == 0) {
        (void)snprintf(reason, sizeof(reason), "column %zu of the header has no name", i + 1);
        header_is_wrong(csv, WH_LIT("row"), reason);
        return;
    }
    if (!import_text_good(name, reason)) {
        header_is_wrong(csv, WH_LIT("row"), reason);
        return;
    }
    for (size_t k = 0; k < i; k++) {
        if (wh_slice_eq(name, cell(&csv->header, k))) {
            header_is_wrong(csv, name, "the header has this column twice");
            return;
        }
    }
    csv->skipped[i] = false;
    csv->columns[i] = import_column_of(csv->kind, name);
    if (csv->columns[i] < 0 && csv->rows->other) {
        csv->rows->other(csv->rows->ctx, name);
    }
}

static bool has_column(const struct csv *csv, const char *name)
{
    for (size_t i = 0; i < csv->header.n; i++) {
        if (!csv->skipped[i] && wh_slice_eq(cell(&csv->header, i), wh_slice_str(name))) {
            return true;
        }
    }
    return false;
}

static void check_columns(struct csv *csv)
{
    const struct import_kind *kind = csv->kind;
    bool one = !kind->needs_one;
    size_t first = 0;

    for (size_t i = 0; i < kind->n_columns; i++) {
        const struct import_column *c = &kind->columns[i];
        bool there = has_column(csv, c->name);

        if (c->required && !there) {
            csv->lacks[i] = true;
            header_is_wrong(csv, wh_slice_str(c->name), "the header lacks this column");
        }
        first = c->required ? i + 1 : first;
        one = one || (!c->required && there);
    }
    if (!one) {
        csv->lacks[first] = true;
        header_is_wrong(csv, wh_slice_str(kind->columns[first].name),
                        "the header lacks this column and those that could stand for it");
    }
}

/* Other separators are a common mistake. */
static void check_separator(struct csv *csv)
{
    struct wh_slice all = cell(&csv->header, 0);

    if (csv->header.n == 1 && (memchr(all.ptr, ';', all.len) || memchr(all.ptr, '\t', all.len))) {
        header_is_wrong(csv, WH_LIT("row"), "the columns must be separated by commas");
    }
}

static void take_header(struct csv *csv)
{
    struct cells swap = csv->header;

    csv->header = csv->cells;
    csv->cells = swap;
    csv->header_done = true;
    import_row_begin(csv->row, csv->kind, csv->row_line);
    if (csv->header.n > CELLS_MAX) {
        header_is_wrong(csv, WH_LIT("row"), "the header has too many columns");
        csv->header.n = CELLS_MAX;
    }
    check_separator(csv);
    for (size_t i = 0; i < csv->header.n; i++) {
        check_name(csv, i);
    }
    check_columns(csv);
}

/* ---- rows ---- */

static void take_cells(struct csv *csv)
{
    char reason[IMPORT_REASON_MAX];
    size_t n = csv->cells.n;

    if (n != csv->header.n) {
        (void)snprintf(reason, sizeof(reason), "the row has %zu cell%s, and the header has %zu", n,
                       n == 1 ? "" : "s", csv->header.n);
        import_row_wrong(csv->row, n < csv->header.n ? cell(&csv->header, n) : WH_LIT("row"),
                         reason);
        for (int i = 0; i < (int)csv->kind->n_columns; i++) {
            import_row_lacks(csv->row, i);
        }
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (!csv->skipped[i]) {
            import_row_text(csv->row, csv->columns[i], cell(&csv->header, i), cell(&csv->cells, i));
        }
    }
    for (size_t i = 0; i < csv->kind->n_columns; i++) {
        if (csv->lacks[i]) {
            import_row_lacks(csv->row, (int)i);
        }
    }
}

static bool is_blank(const struct csv *csv)
{
    struct wh_slice only = csv->cells.n == 1 ? cell(&csv->cells, 0) : WH_LIT("x");

    while (only.len && (only.ptr[0] == ' ' || only.ptr[0] == '\t')) {
        only = wh_slice_from(only, 1);
    }
    return only.len == 0 && csv->header.n != 1;
}

static enum wh_rc end_row(struct csv *csv, struct wh_err *err)
{
    struct import_record record;
    bool good = false;

    if (import_row_end(csv->row, &good, &record, err) != WH_OK) {
        return err->rc;
    }
    return csv->rows->row(csv->rows->ctx, good, &record, err);
}

static enum wh_rc take_row(struct csv *csv, struct wh_err *err)
{
    enum wh_rc rc = WH_OK;

    if (!csv->header_done) {
        take_header(csv);
    } else if (!is_blank(csv)) {
        import_row_begin(csv->row, csv->kind, csv->row_line);
        if (csv->header_wrong) {
            import_row_lacks(csv->row, -1);
        }
        take_cells(csv);
        rc = end_row(csv, err);
    }
    cells_reset(&csv->cells);
    csv->row_ended = false;
    csv->row_line = 0;
    return rc;
}

static bool parser_init(struct csv *csv)
{
    if (csv_init(&csv->parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        return false;
    }
    csv_set_space_func(&csv->parser, no_blank);
    return true;
}

/* The row cannot be read: reports it and goes on behind this line. */
static enum wh_rc give_up(struct csv *csv, const char *reason, struct wh_err *err)
{
    struct wh_slice column = WH_LIT("row");
    enum wh_rc rc;

    if (csv->header_done && csv->cells.n < csv->header.n) {
        column = cell(&csv->header, csv->cells.n);
    }
    import_row_begin(csv->row, csv->kind, csv->row_line);
    import_row_wrong(csv->row, column, reason);
    for (int i = 0; i < (int)csv->kind->n_columns; i++) {
        import_row_lacks(csv->row, i);
    }
    rc = csv->header_done ? end_row(csv, err) : WH_OK;
    cells_reset(&csv->cells);
    csv->row_ended = false;
    csv->row_line = 0;
    csv_free(&csv->parser);
    if (rc == WH_OK && !parser_init(csv)) {
        rc = wh_fail(err, WH_E_NOMEM, "no memory to read CSV");
    }
    return rc;
}

/* A line with its end, or a part of a long one. */
static enum wh_rc take_piece(struct csv *csv, struct wh_slice piece, struct wh_err *err)
{
    if (csv->row_line == 0) {
        csv->row_line = csv->line;
        csv->row_bytes = 0;
    }
    csv->row_bytes += piece.len;
    if (csv->row_bytes > IMPORT_ROW_MAX) {
        return give_up(csv, "the row is longer than 1 MiB; a quote may be missing", err);
    }
    if (csv_parse(&csv->parser, piece.ptr, piece.len, on_cell, on_row, csv) != piece.len) {
        return csv_error(&csv->parser) == CSV_EPARSE
                   ? give_up(csv,
                             "a quote is out of place: a cell with quotes is quoted itself, and "
                             "they are doubled",
                             err)
                   : wh_fail(err, WH_E_NOMEM, "no memory to read CSV");
    }
    if (csv->rc != WH_OK) {
        *err = csv->err;
        return err->rc;
    }
    /* A blank line ends no row and begins none. */
    if (!csv->row_ended && csv->cells.n == 0 && piece.len <= 2 && csv->row_bytes == piece.len &&
        (piece.ptr[0] == '\r' || piece.ptr[0] == '\n')) {
        csv->row_line = 0;
    }
    return csv->row_ended ? take_row(csv, err) : WH_OK;
}

/* The length of the first line with its end; 0: its end is not here. */
static size_t line_length(struct wh_slice text, bool ended)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\n') {
            return i + 1;
        }
        if (text.ptr[i] == '\r') {
            if (i + 1 == text.len && !ended) {
                return 0;
            }
            return i + 1 < text.len && text.ptr[i + 1] == '\n' ? i + 2 : i + 1;
        }
    }
    return 0;
}

static enum wh_rc take_all(struct csv *csv, struct import_input *in, struct wh_err *err)
{
    for (;;) {
        struct wh_slice rest = import_input_rest(in);
        size_t n = line_length(rest, in->ended);
        bool whole = n > 0;

        if (!whole && !in->ended && rest.len < IMPORT_INPUT_BYTES - 1) {
            if (import_input_more(in, err) != WH_OK) {
                return err->rc;
            }
            continue;
        }
        if (!whole && rest.len == 0) {
            return WH_OK;
        }
        /* The last byte of a full buffer may be the first half of a line's end. */
        n = whole ? n : in->ended ? rest.len : rest.len - 1;
        in->at += n;
        if (take_piece(csv, wh_slice(rest.ptr, n), err) != WH_OK) {
            return err->rc;
        }
        csv->line += whole;
    }
}

static enum wh_rc finish(struct csv *csv, struct wh_err *err)
{
    bool open = csv->row_line != 0;

    if (csv_fini(&csv->parser, on_cell, on_row, csv) != 0) {
        return give_up(csv, "the quoted cell does not end", err);
    }
    if (csv->rc != WH_OK) {
        *err = csv->err;
        return err->rc;
    }
    if (open && csv->cells.n) {
        if (take_row(csv, err) != WH_OK) {
            return err->rc;
        }
    }
    if (!csv->header_done) {
        import_row_begin(csv->row, csv->kind, 1);
        import_row_wrong(csv->row, WH_LIT("row"), "the file has no header");
    }
    return WH_OK;
}

enum wh_rc import_read_csv(struct import_input *in, const struct import_kind *kind,
                           struct import_row *row, const struct import_rows *rows,
                           struct wh_err *err)
{
    WH_AUTO_FREE struct csv *csv = wh_mem_zalloc(1, sizeof(*csv));
    enum wh_rc rc;

    if (csv == NULL || !parser_init(csv)) {
        return wh_fail(err, WH_E_NOMEM, "no memory to read CSV");
    }
    csv->kind = kind;
    csv->row = row;
    csv->rows = rows;
    csv->line = 1;
    wh_buf_init(&csv->header.bytes, HEADER_MAX + IMPORT_ROW_MAX);
    wh_buf_init(&csv->cells.bytes, HEADER_MAX + IMPORT_ROW_MAX);
    rc = take_all(csv, in, err);
    if (rc == WH_OK) {
        rc = finish(csv, err);
    }
    csv_free(&csv->parser);
    wh_buf_done(&csv->header.bytes);
    wh_buf_done(&csv->cells.bytes);
    return rc;
}
