#include "cli/out/format.h"

#include <assert.h>
#include <stdio.h>

#include "common/base/escape.h"
#include "common/base/mem.h"

enum { NUMBER_MAX_BYTES = 32, CELL_MAX_BYTES = 1 << 20, NO_PRECISION = -1 };

/* One conversion of a format: "%-10.*s". */
struct spec {
    bool left;
    int width;
    int precision;
    unsigned longs; /* 1 for l and z, which are as long here, 2 for ll */
    char conversion;
};

static_assert(sizeof(long) == sizeof(size_t), "z is read as l");

static enum wh_rc pad(struct wh_buf *out, const struct spec *spec, size_t columns,
                      struct wh_err *err)
{
    for (; spec->width > 0 && columns < (size_t)spec->width; columns++) {
        if (wh_buf_append_char(out, ' ', err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc put(struct wh_buf *out, const struct spec *spec, struct wh_slice text,
                      struct wh_err *err)
{
    size_t columns = wh_escape_width(text);

    if ((!spec->left && pad(out, spec, columns, err) != WH_OK) ||
        wh_buf_append(out, text, err) != WH_OK) {
        return err->rc;
    }
    return spec->left ? pad(out, spec, columns, err) : WH_OK;
}

static enum wh_rc put_text(struct wh_buf *out, const struct spec *spec, struct wh_slice text,
                           struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf shown;

    wh_buf_init(&shown, CELL_MAX_BYTES);
    /* What is too long is cut. */
    (void)!wh_escape(text, WH_ESCAPE_LINE, &shown, err);
    return put(out, spec, wh_buf_slice(&shown), err);
}

static enum wh_rc put_number(struct wh_buf *out, const struct spec *spec, long long value,
                             struct wh_err *err)
{
    char text[NUMBER_MAX_BYTES];

    (void)snprintf(text, sizeof(text), spec->conversion == 'd' ? "%lld" : "%llu", value);
    return put(out, spec, wh_slice_str(text), err);
}

/* The number at p, which may be a '*': then it is the next argument. */
static const char *read_number(const char *p, va_list *args, int *ret)
{
    if (*p == '*') {
        *ret = va_arg(*args, int);
        return p + 1;
    }
    for (*ret = 0; *p >= '0' && *p <= '9'; p++) {
        *ret = *ret * 10 + (*p - '0');
    }
    return p;
}

/* What stands behind a '%'; gives the first character behind the conversion. */
static const char *read_spec(const char *p, va_list *args, struct spec *ret)
{
    *ret = (struct spec){.precision = NO_PRECISION};
    if (*p == '-') {
        ret->left = true;
        p++;
    }
    p = read_number(p, args, &ret->width);
    if (*p == '.') {
        p = read_number(p + 1, args, &ret->precision);
    }
    for (; *p == 'l' || *p == 'z'; p++) {
        ret->longs++;
    }
    ret->conversion = *p;
    return *p ? p + 1 : p;
}

static struct wh_slice text_of(const char *text, int precision)
{
    if (text == NULL) {
        return WH_LIT("");
    }
    return precision < 0 ? wh_slice_str(text) : wh_slice(text, strnlen(text, (size_t)precision));
}

static long long signed_arg(const struct spec *spec, va_list *args)
{
    return spec->longs == 0   ? va_arg(*args, int)
           : spec->longs == 1 ? va_arg(*args, long)
                              : va_arg(*args, long long);
}

static long long unsigned_arg(const struct spec *spec, va_list *args)
{
    return spec->longs == 0   ? (long long)va_arg(*args, unsigned)
           : spec->longs == 1 ? (long long)va_arg(*args, unsigned long)
                              : (long long)va_arg(*args, unsigned long long);
}

static enum wh_rc put_arg(struct wh_buf *out, const struct spec *spec, va_list *args,
                          struct wh_err *err)
{
    char one;

    switch (spec->conversion) {
    case 's':
        return put_text(out, spec, text_of(va_arg(*args, const char *), spec->precision), err);
    case 'd':
        return put_number(out, spec, signed_arg(spec, args), err);
    case 'u':
        return put_number(out, spec, unsigned_arg(spec, args), err);
    case 'c':
        one = (char)va_arg(*args, int);
        return put_text(out, spec, wh_slice(&one, 1), err);
    case '%':
        return wh_buf_append_char(out, '%', err);
    default:
        assert(false); /* the conversions are those of cli_say's description */
        return wh_fail(err, WH_E_INTERNAL, "conversion %c", spec->conversion);
    }
}

enum wh_rc cli_format(struct wh_buf *out, const char *format, va_list args, struct wh_err *err)
{
    enum wh_rc rc = WH_OK;
    va_list rest;

    va_copy(rest, args);
    for (const char *p = format; *p && rc == WH_OK;) {
        struct spec spec;

        if (*p != '%') {
            rc = wh_buf_append_char(out, *p++, err);
            continue;
        }
        p = read_spec(p + 1, &rest, &spec);
        rc = put_arg(out, &spec, &rest, err);
    }
    va_end(rest);
    return rc;
}
