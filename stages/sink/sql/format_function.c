/*
 * printf and format. SQLite's own takes a width and a precision of up to 2,147,483,647 and then
 * pads or repeats outside of every limit. Here each conversion is read on its own, its numbers are
 * checked, and one call of sqlite3_str_appendf writes it: the results are SQLite's.
 */
#include <string.h>

#include "stages/sink/sql/functions_priv.h"

enum { FLAGS_MAX = 8, SPEC_MAX = 24, CHECK_EVERY = 256 };

struct format {
    sqlite3_context *out;
    sqlite3_str *text;
    struct wh_slice rest; /* of the format string */
    sqlite3_value **args;
    int n_args;
    int next;
};

struct conversion {
    char flags[FLAGS_MAX];
    size_t n_flags;
    sqlite3_int64 width;     /* negative: to the left */
    sqlite3_int64 precision; /* -1: none */
    char letter;             /* 0: the format ends here */
};

static sqlite3_value *next_arg(struct format *f)
{
    return f->next < f->n_args ? f->args[f->next++] : NULL;
}

static sqlite3_int64 next_int(struct format *f)
{
    sqlite3_value *arg = next_arg(f);

    return arg ? sqlite3_value_int64(arg) : 0;
}

static char take_char(struct format *f)
{
    char c = f->rest.len ? f->rest.ptr[0] : 0;

    f->rest = wh_slice_from(f->rest, 1);
    return c;
}

static char peek_char(const struct format *f)
{
    return f->rest.len ? f->rest.ptr[0] : 0;
}

/* Digits or '*'; -1 when there is neither. */
static sqlite3_int64 read_number(struct format *f, bool *ret_given)
{
    sqlite3_int64 n = 0;

    *ret_given = true;
    if (peek_char(f) == '*') {
        (void)take_char(f);
        return next_int(f);
    }
    *ret_given = peek_char(f) >= '0' && peek_char(f) <= '9';
    while (peek_char(f) >= '0' && peek_char(f) <= '9') {
        char digit = take_char(f);

        n = n > SQL_VALUE_MAX_BYTES ? n : n * 10 + (digit - '0');
    }
    return n;
}

static struct conversion read_conversion(struct format *f)
{
    struct conversion c = {.precision = -1};
    bool given;

    while (peek_char(f) && strchr("-+ #!0,", peek_char(f))) {
        char flag = take_char(f);

        if (c.n_flags < FLAGS_MAX && memchr(c.flags, flag, c.n_flags) == NULL) {
            c.flags[c.n_flags++] = flag;
        }
    }
    c.width = read_number(f, &given);
    if (peek_char(f) == '.') {
        (void)take_char(f);
        c.precision = read_number(f, &given);
        c.precision = c.precision < 0 && c.precision > INT32_MIN ? -c.precision : c.precision;
    }
    while (peek_char(f) == 'l') {
        (void)take_char(f);
    }
    c.letter = take_char(f);
    return c;
}

/* %FLAGS*.*END with the width, and the precision when there is one. */
static void append(struct format *f, const struct conversion *c, const char *end,
                   sqlite3_int64 integer, double real, const char *text, char type)
{
    char spec[SPEC_MAX];
    int width = (int)c->width;
    int precision = (int)c->precision;

    (void)sqlite3_snprintf(sizeof(spec), spec, "%%%.*s*%s%s", (int)c->n_flags, c->flags,
                           precision >= 0 ? ".*" : "", end);
    if (type == 'i' && precision >= 0) {
        sqlite3_str_appendf(f->text, spec, width, precision, integer);
    } else if (type == 'i') {
        sqlite3_str_appendf(f->text, spec, width, integer);
    } else if (type == 'r' && precision >= 0) {
        sqlite3_str_appendf(f->text, spec, width, precision, real);
    } else if (type == 'r') {
        sqlite3_str_appendf(f->text, spec, width, real);
    } else if (precision >= 0) {
        sqlite3_str_appendf(f->text, spec, width, precision, text);
    } else {
        sqlite3_str_appendf(f->text, spec, width, text);
    }
}

/* The first character of the argument, as often as the precision says. */
static void append_char(struct format *f, const struct conversion *c)
{
    sqlite3_value *arg = next_arg(f);
    struct wh_slice text = arg ? sql_value_text(arg) : (struct wh_slice){NULL, 0};
    bool left = c->width < 0 || memchr(c->flags, '-', c->n_flags) != NULL;
    int times = c->precision > 1 ? (int)c->precision : 1;
    int width = (int)(c->width < 0 ? -c->width : c->width);
    int pad = width > times ? width - times : 0;

    text.len = sql_char_len(text);
    sqlite3_str_appendchar(f->text, left ? 0 : pad, ' ');
    for (int i = 0; i < times && sqlite3_str_errcode(f->text) == SQLITE_OK; i++) {
        sqlite3_str_append(f->text, text.len ? text.ptr : "", (int)text.len);
    }
    sqlite3_str_appendchar(f->text, left ? pad : 0, ' ');
}

static void append_int(struct format *f, const struct conversion *c, char letter)
{
    const char end[] = {'l', 'l', letter, 0};

    append(f, c, end, next_int(f), 0, NULL, 'i');
}

static void append_real(struct format *f, const struct conversion *c)
{
    const char end[] = {c->letter, 0};
    sqlite3_value *arg = next_arg(f);

    append(f, c, end, 0, arg ? sqlite3_value_double(arg) : 0, NULL, 'r');
}

static void append_text(struct format *f, const struct conversion *c, char letter)
{
    const char end[] = {letter, 0};
    sqlite3_value *arg = next_arg(f);

    append(f, c, end, 0, 0, arg ? (const char *)sqlite3_value_text(arg) : NULL, 't');
}

/* False at the end: SQLite stops at what is no conversion. */
static bool convert(struct format *f, const struct conversion *c)
{
    switch (c->letter) {
    case 'd':
    case 'i':
        append_int(f, c, 'd');
        return true;
    case 'u':
    case 'x':
    case 'X':
    case 'o':
    case 'r':
        append_int(f, c, c->letter);
        return true;
    case 'p':
        append_int(f, c, 'X');
        return true;
    case 'f':
    case 'e':
    case 'E':
    case 'g':
    case 'G':
        append_real(f, c);
        return true;
    case 's':
    case 'z':
        append_text(f, c, 's');
        return true;
    case 'q':
    case 'Q':
    case 'w':
        append_text(f, c, c->letter);
        return true;
    case 'c':
        append_char(f, c);
        return true;
    case '%':
        sqlite3_str_appendchar(f->text, 1, '%');
        return true;
    case 'n':
        return true;
    default:
        return false;
    }
}

static bool within(const struct conversion *c)
{
    return c->width <= SQL_VALUE_MAX_BYTES && c->width >= -SQL_VALUE_MAX_BYTES &&
           c->precision <= SQL_VALUE_MAX_BYTES && c->precision >= -1;
}

/* False when an error is the result. */
static bool write_all(struct format *f)
{
    for (unsigned step = 1; f->rest.len && sqlite3_str_errcode(f->text) == SQLITE_OK; step++) {
        const char *at = memchr(f->rest.ptr, '%', f->rest.len);
        size_t literal = at ? (size_t)(at - f->rest.ptr) : f->rest.len;
        struct conversion c;

        sqlite3_str_append(f->text, f->rest.ptr, (int)literal);
        f->rest = wh_slice_from(f->rest, literal + 1);
        if (at == NULL) {
            break;
        }
        c = read_conversion(f);
        if (c.letter == 0) {
            sqlite3_str_appendchar(f->text, 1, '%');
            break;
        }
        if (!within(&c)) {
            sqlite3_result_error(f->out, "a width or precision of printf is too large", -1);
            return false;
        }
        if (step % CHECK_EVERY == 0 && sql_function_over(f->out)) {
            return false;
        }
        if (!convert(f, &c)) {
            break;
        }
    }
    return true;
}

static void format(sqlite3_context *out, int n, sqlite3_value **args)
{
    struct format f = {.out = out, .args = args, .n_args = n};
    sqlite3_value *first = next_arg(&f);

    f.rest = first ? sql_value_text(first) : (struct wh_slice){NULL, 0};
    if (f.rest.ptr == NULL || sql_function_begins(out, f.rest.len)) {
        return;
    }
    f.text = sqlite3_str_new(sqlite3_context_db_handle(out));
    /* Like SQLite's, the result is NULL when nothing was written. */
    if (write_all(&f) && (sqlite3_str_length(f.text) > 0 || sqlite3_str_errcode(f.text))) {
        sql_function_result(out, f.text);
    } else {
        sqlite3_free(sqlite3_str_finish(f.text));
    }
}

int sql_format_functions_install(struct sql_conn *conn)
{
    int rc = sql_function_add(conn, "printf", -1, format);

    return rc == SQLITE_OK ? sql_function_add(conn, "format", -1, format) : rc;
}
