#include "tests/gitlab/out.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "tests/gitlab/text.h"

enum { OUT_FIRST_BYTES = 16384, OUT_MAX_BYTES = 256 << 20 };

void gl_out_done(struct gl_out *out)
{
    wh_mem_free(out->ptr);
    *out = (struct gl_out){0};
}

static bool room(struct gl_out *out, size_t n)
{
    size_t cap = out->cap ? out->cap : OUT_FIRST_BYTES;
    char *grown;

    if (out->failed) {
        return false;
    }
    if (out->cap - out->len >= n && out->ptr) {
        return true;
    }
    while (cap - out->len < n && cap < OUT_MAX_BYTES) {
        cap *= 2;
    }
    grown = cap - out->len < n ? NULL : wh_mem_resize(out->ptr, cap, 1);
    if (grown == NULL) {
        out->failed = true;
        return false;
    }
    out->ptr = grown;
    out->cap = cap;
    return true;
}

void gl_out_raw(struct gl_out *out, struct wh_slice bytes)
{
    if (bytes.len > 0 && room(out, bytes.len)) {
        memcpy(out->ptr + out->len, bytes.ptr, bytes.len);
        out->len += bytes.len;
    }
}

void gl_out_str(struct gl_out *out, const char *text)
{
    gl_out_raw(out, wh_slice_str(text));
}

void gl_out_quoted(struct gl_out *out, struct wh_slice text)
{
    gl_out_str(out, "\"");
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        char escaped[8];

        if (c == '"' || c == '\\') {
            escaped[0] = '\\';
            escaped[1] = (char)c;
            gl_out_raw(out, wh_slice(escaped, 2));
        } else if (c < 0x20) {
            (void)snprintf(escaped, sizeof(escaped), "\\u%04x", c);
            gl_out_raw(out, wh_slice(escaped, 6));
        } else {
            gl_out_raw(out, wh_slice(text.ptr + i, 1));
        }
    }
    gl_out_str(out, "\"");
}

/* ---- numbers and times ---- */

static void put_int(struct gl_out *out, int64_t v)
{
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (v < 0) {
        digits[--at] = '-';
    }
    gl_out_raw(out, wh_slice(digits + at, sizeof(digits) - at));
}

static void two(char *to, unsigned v)
{
    to[0] = (char)('0' + v / 10 % 10);
    to[1] = (char)('0' + v % 10);
}

/* Days since 1970 to a civil date: count from 1 March, so that the leap day is a year's last. */
static size_t date_text(int64_t days, char *to)
{
    int64_t z = days + 719468;
    int64_t era = z / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    int64_t month = mp < 10 ? mp + 3 : mp - 9;
    int64_t year = yoe + era * 400 + (month <= 2);

    two(to, (unsigned)(year / 100));
    two(to + 2, (unsigned)(year % 100));
    to[4] = '-';
    two(to + 5, (unsigned)month);
    to[7] = '-';
    two(to + 8, (unsigned)(doy - (153 * mp + 2) / 5 + 1));
    return 10;
}

size_t gl_time_text(int64_t ms, enum gl_time_form form, char text[GL_TIME_MAX])
{
    int64_t day = ms / 86400000;
    unsigned rest = (unsigned)(ms % 86400000);
    size_t n = date_text(day, text);
    const char *tail = "Z";

    if (form == GL_TIME_DATE) {
        return n;
    }
    text[n] = form == GL_TIME_HOOK || form == GL_TIME_OFFSET ? ' ' : 'T';
    two(text + n + 1, rest / 3600000);
    text[n + 3] = ':';
    two(text + n + 4, rest / 60000 % 60);
    text[n + 6] = ':';
    two(text + n + 7, rest / 1000 % 60);
    n += 9;
    if (form == GL_TIME_REST) {
        text[n] = '.';
        text[n + 1] = (char)('0' + rest / 100 % 10);
        two(text + n + 2, rest % 100);
        n += 4;
    } else if (form == GL_TIME_HOOK) {
        tail = " UTC";
    } else if (form == GL_TIME_OFFSET) {
        tail = " +0000";
    }
    memcpy(text + n, tail, strlen(tail));
    return n + strlen(tail);
}

static void put_time(struct gl_out *out, int64_t ms, enum gl_time_form form)
{
    char text[GL_TIME_MAX + 2];
    size_t n;

    if (ms == 0) {
        gl_out_raw(out, WH_LIT("null"));
        return;
    }
    text[0] = '"';
    n = gl_time_text(ms, form, text + 1);
    text[n + 1] = '"';
    gl_out_raw(out, wh_slice(text, n + 2));
}

static void put_double(struct gl_out *out, double v)
{
    int64_t micros = (int64_t)(v * 1e6 + 0.5);
    char digits[6];

    if (v < 0 || v > 1e12) {
        gl_out_raw(out, WH_LIT("null"));
        return;
    }
    put_int(out, micros / 1000000);
    gl_out_raw(out, WH_LIT("."));
    micros %= 1000000;
    for (size_t i = sizeof(digits); i-- > 0; micros /= 10) {
        digits[i] = (char)('0' + micros % 10);
    }
    gl_out_raw(out, wh_slice(digits, sizeof(digits)));
}

static void put_sha(struct gl_out *out, uint64_t seed)
{
    static const char hex[] = "0123456789abcdef";
    char text[40];

    for (unsigned i = 0; i < sizeof(text); i++) {
        if (i % 16 == 0) {
            seed = gl_mix(seed + i);
        }
        text[i] = hex[seed >> (i % 16 * 4) & 15];
    }
    gl_out_raw(out, wh_slice(text, sizeof(text)));
}

static void put_arg(struct gl_out *out, char form, va_list *ap)
{
    int64_t v;

    switch (form) {
    case 'd':
        put_int(out, va_arg(*ap, int64_t));
        break;
    case 'n':
        v = va_arg(*ap, int64_t);
        if (v < 0) {
            gl_out_raw(out, WH_LIT("null"));
        } else {
            put_int(out, v);
        }
        break;
    case 's':
        gl_out_raw(out, va_arg(*ap, struct wh_slice));
        break;
    case 't':
        put_time(out, va_arg(*ap, int64_t), GL_TIME_REST);
        break;
    case 'u':
        put_time(out, va_arg(*ap, int64_t), GL_TIME_HOOK);
        break;
    case 'i':
        put_time(out, va_arg(*ap, int64_t), GL_TIME_ISO);
        break;
    case 'b':
        gl_out_raw(out, va_arg(*ap, int) ? WH_LIT("true") : WH_LIT("false"));
        break;
    case 'f':
        put_double(out, va_arg(*ap, double));
        break;
    case 'h':
        put_sha(out, va_arg(*ap, uint64_t));
        break;
    default:
        out->failed = true;
    }
}

void gl_out_tpl(struct gl_out *out, const char *tpl, ...)
{
    va_list ap;

    va_start(ap, tpl);
    while (*tpl && !out->failed) {
        size_t n = strcspn(tpl, "'%");

        gl_out_raw(out, wh_slice(tpl, n));
        tpl += n;
        if (*tpl == '\'') {
            gl_out_raw(out, wh_slice("\"", 1));
            tpl++;
        } else if (*tpl == '%') {
            put_arg(out, tpl[1], &ap);
            tpl += tpl[1] ? 2 : 1;
        }
    }
    va_end(ap);
}
