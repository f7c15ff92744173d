/*
 * LIKE and GLOB with the results of SQLite's own. When the text does not go on as the pattern does,
 * only the newest '%' is tried again one character further: an older one could not match what a
 * newer one could not. The deadline is seen while a match runs.
 */
#include "stages/sink/sql/functions_priv.h"

struct matcher {
    sqlite3_context *out;
    bool glob;
    char any;            /* sequence of any length */
    char one;            /* one character */
    struct wh_slice esc; /* empty: none */
    unsigned steps;
    bool over;
};

/* The character as a number, so that ranges can compare it; lenient about what is not UTF-8. */
static uint32_t char_code(struct wh_slice text, size_t len)
{
    static const unsigned char masks[] = {0xff, 0xff, 0x1f, 0x0f, 0x07};
    uint32_t code = (unsigned char)text.ptr[0];

    code &= masks[len < sizeof(masks) ? len : sizeof(masks) - 1];
    for (size_t i = 1; i < len && i < sizeof(masks); i++) {
        code = code << 6 | ((unsigned char)text.ptr[i] & 0x3f);
    }
    return code;
}

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_char(const struct matcher *m, struct wh_slice a, size_t len, struct wh_slice b)
{
    if (b.len < len) {
        return false;
    }
    return len == 1 && !m->glob ? fold(a.ptr[0]) == fold(b.ptr[0]) : memcmp(a.ptr, b.ptr, len) == 0;
}

static uint32_t next_code(struct wh_slice *pattern)
{
    size_t len = sql_char_len(*pattern);
    uint32_t code = len ? char_code(*pattern, len) : 0;

    *pattern = wh_slice_from(*pattern, len);
    return code;
}

/* [...] behind its bracket. False when it is not closed or does not hold the character. */
static bool in_set(struct wh_slice *pattern, uint32_t c)
{
    uint32_t code = next_code(pattern);
    uint32_t prior = 0;
    bool invert = code == '^';
    bool seen = false;

    code = invert ? next_code(pattern) : code;
    if (code == ']') {
        seen = c == ']';
        code = next_code(pattern);
    }
    for (; code != 0 && code != ']'; code = next_code(pattern)) {
        if (code == '-' && pattern->len && pattern->ptr[0] != ']' && prior > 0) {
            code = next_code(pattern);
            seen = seen || (c >= prior && c <= code);
            prior = 0;
        } else {
            seen = seen || c == code;
            prior = code;
        }
    }
    return code == ']' && seen != invert;
}

/* One character of the text against the next element of the pattern; both move on. */
static bool step(const struct matcher *m, struct wh_slice *pattern, struct wh_slice *text)
{
    size_t in_text = sql_char_len(*text);
    size_t in_pattern;
    struct wh_slice element = *pattern;

    if (in_text == 0 || element.len == 0) {
        return false;
    }
    if (m->esc.len && wh_slice_starts(element, m->esc)) {
        element = wh_slice_from(element, m->esc.len);
    } else if (element.ptr[0] == m->one) {
        *pattern = wh_slice_from(element, 1);
        *text = wh_slice_from(*text, in_text);
        return true;
    } else if (m->glob && element.ptr[0] == '[') {
        *pattern = wh_slice_from(element, 1);
        element = *text;
        *text = wh_slice_from(*text, in_text);
        return in_set(pattern, char_code(element, in_text));
    }
    in_pattern = sql_char_len(element);
    if (in_pattern == 0 || !same_char(m, element, in_pattern, *text)) {
        return false;
    }
    *pattern = wh_slice_from(element, in_pattern);
    *text = wh_slice_from(*text, in_pattern);
    return true;
}

static bool is_any(const struct matcher *m, struct wh_slice pattern)
{
    return pattern.len && pattern.ptr[0] == m->any &&
           !(m->esc.len && wh_slice_starts(pattern, m->esc));
}

/* The first place in the text where the pattern can begin to match, by its first byte alone. */
static struct wh_slice skip(const struct matcher *m, struct wh_slice pattern, struct wh_slice text)
{
    char first = pattern.ptr[0];
    size_t i = 0;

    if (first == m->one || first == m->any || (m->glob && first == '[') ||
        (m->esc.len && first == m->esc.ptr[0]) || ((unsigned char)first & 0xc0) == 0x80) {
        return text;
    }
    if (m->glob) {
        const char *at = text.len ? memchr(text.ptr, first, text.len) : NULL;

        return wh_slice_from(text, at ? (size_t)(at - text.ptr) : text.len);
    }
    first = fold(first);
    while (i < text.len && fold(text.ptr[i]) != first) {
        i++;
    }
    return wh_slice_from(text, i);
}

static bool matches(struct matcher *m, struct wh_slice pattern, struct wh_slice text)
{
    struct wh_slice retry_pattern = {NULL, 0};
    struct wh_slice retry_text = {NULL, 0};

    while (pattern.len || text.len) {
        if (++m->steps % SQL_STEPS == 0 && sql_function_over(m->out)) {
            m->over = true;
            return false;
        }
        if (is_any(m, pattern)) {
            pattern = wh_slice_from(pattern, 1);
            if (pattern.len == 0) {
                return true;
            }
            text = skip(m, pattern, text);
            retry_pattern = pattern;
            retry_text = text;
        } else if (!step(m, &pattern, &text)) {
            if (retry_pattern.ptr == NULL || retry_text.len == 0) {
                return false;
            }
            retry_text =
                skip(m, retry_pattern, wh_slice_from(retry_text, sql_char_len(retry_text)));
            pattern = retry_pattern;
            text = retry_text;
        }
    }
    return true;
}

static void match(struct matcher *m, sqlite3_value *pattern_value, sqlite3_value *text_value)
{
    struct wh_slice pattern;
    struct wh_slice text;
    bool result;

    /* As Debian's SQLite is built: a blob is like nothing. */
    if (sqlite3_value_type(pattern_value) == SQLITE_BLOB ||
        sqlite3_value_type(text_value) == SQLITE_BLOB) {
        sqlite3_result_int(m->out, 0);
        return;
    }
    pattern = sql_value_text(pattern_value);
    text = sql_value_text(text_value);
    if (pattern.len > SQL_PATTERN_MAX_BYTES) {
        sqlite3_result_error(m->out, "LIKE or GLOB pattern too complex", -1);
        return;
    }
    if (pattern.ptr == NULL || text.ptr == NULL || sql_function_begins(m->out, text.len)) {
        return;
    }
    result = matches(m, pattern, text);
    if (!m->over) {
        sqlite3_result_int(m->out, result);
    }
}

static void like(sqlite3_context *out, int n, sqlite3_value **args)
{
    struct matcher m = {.out = out, .any = '%', .one = '_'};

    if (n == 3) {
        m.esc = sql_value_text(args[2]);
        if (m.esc.ptr == NULL) {
            return;
        }
        if (m.esc.len == 0 || sql_char_len(m.esc) != m.esc.len) {
            sqlite3_result_error(out, "ESCAPE expression must be a single character", -1);
            return;
        }
    }
    match(&m, args[0], args[1]);
}

static void glob(sqlite3_context *out, int n, sqlite3_value **args)
{
    struct matcher m = {.out = out, .glob = true, .any = '*', .one = '?'};

    (void)n;
    match(&m, args[0], args[1]);
}

int sql_match_functions_install(struct sql_conn *conn)
{
    int rc = sql_function_add(conn, "like", 2, like);

    rc = rc == SQLITE_OK ? sql_function_add(conn, "like", 3, like) : rc;
    return rc == SQLITE_OK ? sql_function_add(conn, "glob", 2, glob) : rc;
}
