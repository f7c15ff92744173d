/* A JSON array of objects, or JSON Lines. */
#include <stdio.h>

#include "cli/import/formats.h"
#include "common/base/buf.h"
#include "common/base/mem.h"

enum { DEPTH_MAX = 32 };

/* Where the next byte is. */
enum at {
    AT_START,   /* an array, or the first line */
    AT_BETWEEN, /* of an array: an element, or its end */
    AT_ELEMENT,
    AT_BEHIND, /* of an element: a comma, or the array's end */
    AT_LINES,
    AT_END,  /* behind the array */
    AT_LOST, /* what follows cannot be told apart */
};

struct json_rows {
    const struct import_kind *kind;
    struct import_row *row;
    const struct import_rows *rows;
    struct wh_json_parser *parser;
    struct wh_buf text; /* of the row so far */
    enum at at;
    bool after_comma;
    bool in_text;
    bool escaped;
    bool too_long;
    size_t depth;
    int64_t line;
    int64_t row_line;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* ---- one row ---- */

static void wrong(struct json_rows *j, const char *reason)
{
    import_row_begin(j->row, j->kind, j->row_line);
    import_row_wrong(j->row, WH_LIT("row"), reason);
    for (int i = 0; i < (int)j->kind->n_columns; i++) {
        import_row_lacks(j->row, i);
    }
}

static void take_members(struct json_rows *j, struct wh_json_val object)
{
    struct wh_json_iter it = wh_json_iter(object);
    struct wh_json_val value;
    struct wh_slice key;

    import_row_begin(j->row, j->kind, j->row_line);
    while (wh_json_next(&it, &key, &value)) {
        import_row_json(j->row, key, value);
    }
}

static enum wh_rc take_row(struct json_rows *j, struct wh_err *err)
{
    struct import_record record;
    char reason[IMPORT_REASON_MAX];
    struct wh_json_val root;
    struct wh_err bad;
    bool good = false;

    if (j->too_long) {
        wrong(j, "the row is longer than 1 MiB");
    } else if (wh_json_parse(j->parser, wh_buf_slice(&j->text), &root, &bad) != WH_OK) {
        (void)snprintf(reason, sizeof(reason), "the row is not valid JSON: %.180s", bad.msg);
        wrong(j, reason);
    } else if (wh_json_type(root) != WH_JSON_OBJECT) {
        wrong(j, "a row must be an object");
    } else {
        take_members(j, root);
    }
    wh_buf_reset(&j->text);
    j->too_long = false;
    if (import_row_end(j->row, &good, &record, err) != WH_OK) {
        return err->rc;
    }
    return j->rows->row(j->rows->ctx, good, &record, err);
}

static enum wh_rc keep(struct json_rows *j, struct wh_slice bytes, struct wh_err *err)
{
    j->too_long = j->too_long || j->text.len + bytes.len > IMPORT_ROW_MAX;
    return j->too_long ? WH_OK : wh_buf_append(&j->text, bytes, err);
}

/* ---- lines ---- */

static enum wh_rc end_line(struct json_rows *j, struct wh_err *err)
{
    for (size_t i = 0; i < j->text.len; i++) {
        if (!is_blank(j->text.ptr[i])) {
            return take_row(j, err);
        }
    }
    wh_buf_reset(&j->text);
    return j->too_long ? take_row(j, err) : WH_OK;
}

static enum wh_rc take_lines(struct json_rows *j, struct wh_slice *rest, struct wh_err *err)
{
    const char *end = memchr(rest->ptr, '\n', rest->len);
    size_t len = end ? (size_t)(end - rest->ptr) : rest->len;

    j->row_line = j->line;
    if (keep(j, wh_slice(rest->ptr, len), err) != WH_OK) {
        return err->rc;
    }
    *rest = wh_slice_from(*rest, end ? len + 1 : len);
    if (end == NULL) {
        return WH_OK;
    }
    if (end_line(j, err) != WH_OK) {
        return err->rc;
    }
    j->line++;
    return WH_OK;
}

/* ---- an array ---- */

static void lost(struct json_rows *j, const char *reason)
{
    j->row_line = j->line;
    wrong(j, reason);
    j->at = AT_LOST;
}

/* Does the element end before this byte (1), with it (2), or go on (0)? */
static int element_ends(struct json_rows *j, char c)
{
    if (j->in_text) {
        j->in_text = j->escaped || c != '"';
        j->escaped = !j->escaped && c == '\\';
        return 0;
    }
    switch (c) {
    case '"':
        j->in_text = true;
        return 0;
    case '{':
    case '[':
        j->depth++;
        return 0;
    case '}':
    case ']':
        if (j->depth == 0) {
            return 1;
        }
        return --j->depth == 0 ? 2 : 0;
    case ',':
        return j->depth == 0 ? 1 : 0;
    default:
        return 0;
    }
}

static enum wh_rc take_element(struct json_rows *j, struct wh_slice *rest, struct wh_err *err)
{
    size_t i = 0;
    int ends = 0;

    for (; i < rest->len && ends == 0; i++) {
        ends = element_ends(j, rest->ptr[i]);
        j->line += ends != 1 && rest->ptr[i] == '\n';
    }
    i -= ends == 1;
    if (keep(j, wh_slice(rest->ptr, i), err) != WH_OK) {
        return err->rc;
    }
    *rest = wh_slice_from(*rest, i);
    if (ends == 0) {
        return WH_OK;
    }
    j->at = AT_BEHIND;
    return take_row(j, err);
}

/* A byte outside of elements. True when it belongs to an element, or to the first line. */
static bool begins(struct json_rows *j, char c)
{
    if (j->at == AT_START) {
        j->at = c == '[' ? AT_BETWEEN : AT_LINES;
        return j->at == AT_LINES;
    }
    if (c == ']' && (j->at == AT_BEHIND || (j->at == AT_BETWEEN && !j->after_comma))) {
        j->at = AT_END;
        return false;
    }
    if (j->at == AT_BEHIND && c == ',') {
        j->at = AT_BETWEEN;
        j->after_comma = true;
        return false;
    }
    if (j->at == AT_BETWEEN && c != ',' && c != ']') {
        j->at = AT_ELEMENT;
        j->row_line = j->line;
        j->depth = 0;
        j->in_text = false;
        return true;
    }
    lost(j, j->at == AT_END ? "something follows the end of the array"
                            : "between two rows a comma is expected");
    return false;
}

static void skip_to_row(struct json_rows *j, struct wh_slice *rest)
{
    while (rest->len) {
        char c = rest->ptr[0];

        if (!is_blank(c) && (j->at == AT_LOST || begins(j, c))) {
            return;
        }
        j->line += c == '\n';
        *rest = wh_slice_from(*rest, 1);
    }
}

static enum wh_rc take(struct json_rows *j, struct wh_slice rest, struct wh_err *err)
{
    while (rest.len && j->at != AT_LOST) {
        if (j->at != AT_LINES && j->at != AT_ELEMENT) {
            skip_to_row(j, &rest);
            continue;
        }
        if ((j->at == AT_LINES ? take_lines : take_element)(j, &rest, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc finish(struct json_rows *j, struct wh_err *err)
{
    if (j->at == AT_LINES) {
        return end_line(j, err);
    }
    if (j->at == AT_START) {
        lost(j, "the file is empty");
    } else if (j->at != AT_END && j->at != AT_LOST) {
        lost(j, "the array does not end");
    }
    return WH_OK;
}

static enum wh_rc read_all(struct json_rows *j, struct import_input *in, struct wh_err *err)
{
    for (;;) {
        if (take(j, import_input_rest(in), err) != WH_OK) {
            return err->rc;
        }
        in->at = in->len;
        if (in->ended || j->at == AT_LOST) {
            return finish(j, err);
        }
        if (import_input_more(in, err) != WH_OK) {
            return err->rc;
        }
    }
}

enum wh_rc import_read_json(struct import_input *in, const struct import_kind *kind,
                            struct import_row *row, const struct import_rows *rows,
                            struct wh_err *err)
{
    struct json_rows j = {.kind = kind, .row = row, .rows = rows, .line = 1};
    enum wh_rc rc;

    j.parser = wh_json_parser_new(IMPORT_ROW_MAX + 1, DEPTH_MAX);
    if (j.parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory to read JSON");
    }
    wh_buf_init(&j.text, IMPORT_ROW_MAX + 1);
    rc = read_all(&j, in, err);
    wh_buf_done(&j.text);
    wh_json_parser_free(j.parser);
    return rc;
}
