#include "cli/http/rows.h"

enum { DEPTH_OF_ROWS = 2 };

void cli_rows_init(struct cli_rows *rows, const struct cli_rows_sink *sink)
{
    *rows = (struct cli_rows){.sink = sink, .at = CLI_ROWS_HEAD};
    wh_buf_init(&rows->part, CLI_ROW_MAX_BYTES);
}

void cli_rows_done(struct cli_rows *rows)
{
    wh_buf_done(&rows->part);
}

bool cli_rows_whole(const struct cli_rows *rows)
{
    return rows->at == CLI_ROWS_END;
}

struct wh_slice cli_rows_tail(const struct cli_rows *rows)
{
    return cli_rows_whole(rows) ? wh_buf_slice(&rows->part) : WH_LIT("");
}

static bool keep(struct cli_rows *rows, struct wh_slice bytes)
{
    struct wh_err err;

    return wh_buf_append(&rows->part, bytes, &err) == WH_OK;
}

/* Follows quotes and brackets through one character outside of a text. */
static void count(struct cli_rows *rows, char c)
{
    rows->in_text = c == '"';
    if (c == '{' || c == '[') {
        rows->depth++;
    } else if ((c == '}' || c == ']') && rows->depth) {
        rows->depth--;
    }
}

/* How much of the bytes belongs to the text that they are inside of. */
static size_t skip_text(struct cli_rows *rows, struct wh_slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (rows->escaped) {
            rows->escaped = false;
        } else if (bytes.ptr[i] == '\\') {
            rows->escaped = true;
        } else if (bytes.ptr[i] == '"') {
            rows->in_text = false;
            return i + 1;
        }
    }
    return bytes.len;
}

/* The head ends with the array of rows, the only one behind this name. */
static bool begins_rows(const struct cli_rows *rows)
{
    static const char end[] = "\"rows\":[";
    size_t n = sizeof(end) - 1;

    return rows->depth == DEPTH_OF_ROWS && rows->part.len >= n &&
           memcmp(rows->part.ptr + rows->part.len - n, end, n) == 0;
}

/* Is the part over with this character? The part holds it. */
static bool is_over(const struct cli_rows *rows, char c)
{
    switch (rows->at) {
    case CLI_ROWS_HEAD:
        return c == '[' && begins_rows(rows);
    case CLI_ROWS_ROW:
        return rows->depth == DEPTH_OF_ROWS;
    case CLI_ROWS_TAIL:
        return rows->depth == 0;
    case CLI_ROWS_BETWEEN:
    case CLI_ROWS_END:
    default:
        return false;
    }
}

static bool end_part(struct cli_rows *rows)
{
    struct wh_slice part = wh_buf_slice(&rows->part);
    bool more;

    if (rows->at == CLI_ROWS_TAIL) {
        rows->at = CLI_ROWS_END; /* the tail is kept */
        return true;
    }
    more = (rows->at == CLI_ROWS_HEAD ? rows->sink->head : rows->sink->row)(rows->sink->ctx, part);
    rows->at = CLI_ROWS_BETWEEN;
    wh_buf_reset(&rows->part);
    return more;
}

/* A character between two rows: the begin of one, or the end of all. */
static bool begin_part(struct cli_rows *rows, char c)
{
    if (c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t') {
        return true;
    }
    if (c != '{' && c != '[' && c != ']') {
        return false;
    }
    rows->at = c == ']' ? CLI_ROWS_TAIL : CLI_ROWS_ROW;
    count(rows, c);
    return keep(rows, wh_slice(&c, 1));
}

/* Takes a part's bytes as far as a bracket that may end it. */
static bool take_part(struct cli_rows *rows, struct wh_slice bytes, size_t *ret_taken)
{
    size_t i = 0;

    while (i < bytes.len) {
        char c = bytes.ptr[i];

        if (rows->in_text) {
            i += skip_text(rows, wh_slice_from(bytes, i));
            continue;
        }
        i++;
        count(rows, c);
        if (c == '[' || c == ']' || c == '}') {
            *ret_taken = i;
            return keep(rows, wh_slice(bytes.ptr, i)) && (!is_over(rows, c) || end_part(rows));
        }
    }
    *ret_taken = i;
    return keep(rows, bytes);
}

bool cli_rows_take(struct cli_rows *rows, struct wh_slice bytes)
{
    while (bytes.len) {
        size_t taken = 1;
        bool ok = rows->at == CLI_ROWS_END       ? bytes.ptr[0] == '\n'
                  : rows->at == CLI_ROWS_BETWEEN ? begin_part(rows, bytes.ptr[0])
                                                 : take_part(rows, bytes, &taken);

        if (!ok) {
            return false;
        }
        bytes = wh_slice_from(bytes, taken);
    }
    return true;
}
