#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "common/base/num.h"

enum { TABLE_MAX_BYTES = 64 << 20, COLUMNS_MAX = 128, CELL_MAX_WIDTH = 60 };

void cli_table_init(struct cli_table *t, size_t columns)
{
    wh_buf_init(&t->cells, TABLE_MAX_BYTES);
    t->columns = columns < COLUMNS_MAX ? columns : COLUMNS_MAX;
    t->n_cells = 0;
}

void cli_table_cell(struct cli_table *t, struct wh_slice text)
{
    struct wh_err err;

    /* Line breaks and control characters would break the table (and a terminal). */
    for (size_t i = 0; i < text.len; i++) {
        char c = (unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7F ? ' ' : text.ptr[i];

        if (wh_buf_append_char(&t->cells, c, &err) != WH_OK) {
            return;
        }
    }
    if (wh_buf_append_char(&t->cells, '\0', &err) == WH_OK) {
        t->n_cells++;
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

/* Characters, not bytes; wide ones count as one. */
static size_t text_width(const char *text)
{
    size_t n = 0;

    for (; *text; text++) {
        n += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return n;
}

static size_t print_cut(const char *text, size_t width, FILE *out)
{
    size_t n = 0;
    const char *p = text;

    while (*p) {
        bool start = ((unsigned char)*p & 0xC0) != 0x80;

        if (start && n == width) {
            break;
        }
        n += start;
        p++;
    }
    (void)fwrite(text, 1, (size_t)(p - text), out);
    return n;
}

void cli_table_print(const struct cli *cli, struct cli_table *t, FILE *out)
{
    size_t widths[COLUMNS_MAX] = {0};
    const char *cell = wh_buf_str(&t->cells);
    size_t rows = t->columns ? t->n_cells / t->columns : 0;

    for (size_t i = 0; i < rows * t->columns; i++, cell += strlen(cell) + 1) {
        size_t w = text_width(cell);

        w = w < CELL_MAX_WIDTH ? w : CELL_MAX_WIDTH;
        if (w > widths[i % t->columns]) {
            widths[i % t->columns] = w;
        }
    }
    cell = wh_buf_str(&t->cells);
    for (size_t r = 0; r < rows; r++) {
        if (r == 0 && cli->colour) {
            (void)fputs("\033[1m", out);
        }
        for (size_t c = 0; c < t->columns; c++, cell += strlen(cell) + 1) {
            size_t n = print_cut(cell, CELL_MAX_WIDTH, out);

            for (; c + 1 < t->columns && n < widths[c] + 2; n++) {
                (void)fputc(' ', out);
            }
        }
        (void)fputs(r == 0 && cli->colour ? "\033[0m\n" : "\n", out);
    }
}

void cli_table_done(struct cli_table *t)
{
    wh_buf_done(&t->cells);
}

bool cli_print(struct wh_slice text)
{
    bool newline = text.len == 0 || text.ptr[text.len - 1] != '\n';

    return fwrite(text.ptr, 1, text.len, stdout) == text.len &&
           (!newline || fputc('\n', stdout) != EOF);
}

static void append_int(struct wh_buf *out, int64_t value)
{
    struct wh_err err;

    (void)!wh_buf_printf(out, &err, "%" PRId64, value);
}

void cli_value_text(struct wh_json_val v, struct wh_buf *out)
{
    struct wh_json_iter it;
    struct wh_json_val item;
    struct wh_slice key;
    struct wh_err err;
    bool first = true;

    switch (wh_json_type(v)) {
    case WH_JSON_NULL:
        break;
    case WH_JSON_BOOL:
        (void)!wh_buf_append(out, wh_json_bool(v) ? WH_LIT("true") : WH_LIT("false"), &err);
        break;
    case WH_JSON_INT:
        append_int(out, wh_json_int(v));
        break;
    case WH_JSON_UINT:
    case WH_JSON_DOUBLE:
        (void)!wh_buf_printf(out, &err, "%.15g", wh_json_double(v));
        break;
    case WH_JSON_STRING:
        (void)!wh_buf_append(out, wh_json_string(v), &err);
        break;
    case WH_JSON_ARRAY:
    case WH_JSON_OBJECT:
    default:
        /* One level is enough for people; --json has all. */
        for (it = wh_json_iter(v); wh_json_next(&it, &key, &item); first = false) {
            enum wh_json_type type = wh_json_type(item);

            (void)!wh_buf_append(out, first ? WH_LIT("") : WH_LIT(", "), &err);
            if (type == WH_JSON_STRING) {
                (void)!wh_buf_append(out, wh_json_string(item), &err);
            } else if (type == WH_JSON_INT) {
                append_int(out, wh_json_int(item));
            }
        }
        break;
    }
}

struct wh_slice cli_get_str(struct wh_json_val object, const char *key)
{
    struct wh_json_val v;

    if (!wh_json_get(object, wh_slice_str(key), &v) || wh_json_type(v) != WH_JSON_STRING) {
        return WH_LIT("");
    }
    return wh_json_string(v);
}

double cli_get_num(struct wh_json_val object, const char *key, double otherwise)
{
    struct wh_json_val v;

    if (!wh_json_get(object, wh_slice_str(key), &v) || wh_json_type(v) < WH_JSON_INT ||
        wh_json_type(v) > WH_JSON_DOUBLE) {
        return otherwise;
    }
    return wh_json_double(v);
}

const char *cli_seconds(double seconds, char text[32])
{
    /* Tenths of a millisecond are enough, and a year is long enough. */
    double clamped = seconds < 0 ? 0 : seconds > 3.2e7 ? 3.2e7 : seconds;
    unsigned tenths = (unsigned)(clamped < 1 ? clamped * 10000 : clamped * 10);

    if (clamped < 1) {
        (void)snprintf(text, 32, "%u.%u ms", tenths / 10, tenths % 10);
    } else if (clamped < 120) {
        (void)snprintf(text, 32, "%u.%u s", tenths / 10, tenths % 10);
    } else {
        (void)snprintf(text, 32, "%u min", tenths / 600);
    }
    return text;
}

enum wh_rc cli_duration_ms(const char *text, int64_t *ret_ms, struct wh_err *err)
{
    if (text[0] && text[strspn(text, "0123456789")] == '\0') {
        return wh_fail(err, WH_E_INVALID, "'%.32s' has no unit; write it as in 500ms, 5s, 10m",
                       text);
    }
    return wh_num_duration_ms(wh_slice_str(text), ret_ms, err);
}
