#include "common/json/json_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/enc.h"

void wh_json_writer_init(struct wh_json_writer *w, struct wh_buf *out)
{
    *w = (struct wh_json_writer){.out = out};
}

/* Room for n bytes, which the caller writes; NULL after an error. */
static char *room(struct wh_json_writer *w, size_t n)
{
    struct wh_buf *out = w->out;

    if (w->err.rc != WH_OK || wh_buf_reserve(out, n, &w->err) != WH_OK) {
        return NULL;
    }
    out->len += n;
    out->ptr[out->len] = '\0';
    return out->ptr + out->len - n;
}

static void put(struct wh_json_writer *w, const char *bytes, size_t n)
{
    char *to = room(w, n);

    if (to && n) {
        memcpy(to, bytes, n);
    }
}

static void misuse(struct wh_json_writer *w, const char *what)
{
    if (w->err.rc == WH_OK) {
        (void)wh_fail(&w->err, WH_E_INTERNAL, "JSON writer: %s", what);
    }
}

/* Writes the comma before a value; false when the value must not be written. */
static bool before_value(struct wh_json_writer *w)
{
    if (w->err.rc != WH_OK) {
        return false;
    }
    if (w->after_key) {
        w->after_key = false;
        return true;
    }
    if (w->depth == 0) {
        return true;
    }
    if (w->object[w->depth - 1]) {
        misuse(w, "a value without a key");
        return false;
    }
    if (w->comma[w->depth - 1]) {
        put(w, ",", 1);
    }
    w->comma[w->depth - 1] = true;
    return true;
}

static void open_container(struct wh_json_writer *w, bool object)
{
    if (!before_value(w)) {
        return;
    }
    if (w->depth == WH_JSON_WRITE_DEPTH) {
        misuse(w, "nested too deeply");
        return;
    }
    w->object[w->depth] = object;
    w->comma[w->depth] = false;
    w->depth++;
    put(w, object ? "{" : "[", 1);
}

void wh_jw_object(struct wh_json_writer *w)
{
    open_container(w, true);
}

void wh_jw_array(struct wh_json_writer *w)
{
    open_container(w, false);
}

void wh_jw_end(struct wh_json_writer *w)
{
    if (w->err.rc != WH_OK) {
        return;
    }
    if (w->depth == 0 || w->after_key) {
        misuse(w, "an end without an open container");
        return;
    }
    w->depth--;
    put(w, w->object[w->depth] ? "}" : "]", 1);
}

/* Length of the well-formed UTF-8 character at p, or 0. */
static size_t utf8_char(const char *p, size_t left)
{
    unsigned char c = (unsigned char)*p;
    size_t n = c < 0x80 ? 1 : c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;

    return n <= left && wh_utf8_valid(wh_slice(p, n)) ? n : 0;
}

static void put_escape(struct wh_json_writer *w, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

    switch (c) {
    case '"':
    case '\\':
        text[1] = (char)c;
        put(w, text, 2);
        return;
    case '\n':
        put(w, "\\n", 2);
        return;
    case '\r':
        put(w, "\\r", 2);
        return;
    case '\t':
        put(w, "\\t", 2);
        return;
    default:
        put(w, text, sizeof(text));
        return;
    }
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

/* Are eight bytes plain? */
static bool plain_word(const char *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t x;
    uint64_t quote;
    uint64_t slash;
    uint64_t del;

    /* A top bit is set in each byte that is not ASCII, or is smaller than what is subtracted. */
    memcpy(&x, p, sizeof(x));
    quote = x ^ ones * '"';
    slash = x ^ ones * '\\';
    del = x ^ ones * 0x7F;
    return ((x | (x - ones * 0x20) | (quote - ones) | (slash - ones) | (del - ones)) & ones << 7) ==
           0;
}

/* Bytes at p that are written as they are: ASCII without control characters, quote and backslash. */
static size_t plain_run(const char *p, size_t n)
{
    size_t i = 0;

    while (i + sizeof(uint64_t) <= n && plain_word(p + i)) {
        i += sizeof(uint64_t);
    }
    if (n - i < sizeof(uint64_t) && n >= sizeof(uint64_t) && plain_word(p + n - sizeof(uint64_t))) {
        return n;
    }
    while (i < n && is_plain((unsigned char)p[i])) {
        i++;
    }
    return i;
}

static size_t wide_run(const char *p, size_t n)
{
    size_t i = 0;

    while (i < n && (unsigned char)p[i] >= 0x80) {
        i++;
    }
    return i;
}

/* Writes a run of bytes that are not ASCII; returns its length. */
static size_t put_wide(struct wh_json_writer *w, struct wh_slice text, bool valid)
{
    size_t n = valid ? wide_run(text.ptr, text.len) : utf8_char(text.ptr, text.len);

    put(w, n ? text.ptr : "\xEF\xBF\xBD", n ? n : 3);
    return n ? n : 1;
}

static void put_string(struct wh_json_writer *w, struct wh_slice text)
{
    bool checked = false;
    bool valid = false;
    char *to;

    if (plain_run(text.ptr, text.len) == text.len) {
        to = room(w, text.len + 2);
        if (to) {
            to[0] = '"';
            memcpy(to + 1, text.len ? text.ptr : "", text.len);
            to[text.len + 1] = '"';
        }
        return;
    }
    put(w, "\"", 1);
    while (text.len) {
        size_t n = plain_run(text.ptr, text.len);

        if (n) {
            put(w, text.ptr, n);
        } else if ((unsigned char)text.ptr[0] < 0x80) {
            put_escape(w, (unsigned char)text.ptr[0]);
            n = 1;
        } else {
            valid = checked ? valid : wh_utf8_valid(text);
            checked = true;
            n = put_wide(w, text, valid);
        }
        text = wh_slice_from(text, n);
    }
    put(w, "\"", 1);
}

static void put_plain_key(struct wh_json_writer *w, struct wh_slice key, bool comma)
{
    char *to = room(w, comma + key.len + 3);

    if (to == NULL) {
        return;
    }
    if (comma) {
        *to++ = ',';
    }
    *to++ = '"';
    if (key.len) {
        memcpy(to, key.ptr, key.len);
    }
    memcpy(to + key.len, "\":", 2);
}

void wh_jw_key_slice(struct wh_json_writer *w, struct wh_slice key)
{
    bool comma;

    if (w->err.rc != WH_OK) {
        return;
    }
    if (w->depth == 0 || !w->object[w->depth - 1] || w->after_key) {
        misuse(w, "a key outside of an object");
        return;
    }
    comma = w->comma[w->depth - 1];
    w->comma[w->depth - 1] = true;
    w->after_key = true;
    if (plain_run(key.ptr, key.len) == key.len) {
        put_plain_key(w, key, comma);
        return;
    }
    put(w, ",", comma);
    put_string(w, key);
    put(w, ":", 1);
}

void wh_jw_key(struct wh_json_writer *w, const char *key)
{
    wh_jw_key_slice(w, wh_slice_str(key));
}

void wh_jw_str(struct wh_json_writer *w, struct wh_slice text)
{
    if (before_value(w)) {
        put_string(w, text);
    }
}

void wh_jw_int(struct wh_json_writer *w, int64_t v)
{
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    if (!before_value(w)) {
        return;
    }
    do {
        digits[--at] = (char)('0' + u % 10);
        u /= 10;
    } while (u);
    if (v < 0) {
        digits[--at] = '-';
    }
    put(w, digits + at, sizeof(digits) - at);
}

/* Writes the shortest text that parses back to the same number; NaN and infinities become null. */
void wh_jw_double(struct wh_json_writer *w, double v)
{
    char text[40];
    int n = 0;

    if (!before_value(w)) {
        return;
    }
    if (!isfinite(v)) {
        put(w, "null", 4);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        double back;

        n = snprintf(text, sizeof(text), "%.*g", digits, v);
        back = strtod(text, NULL);
        if (back <= v && back >= v) {
            break;
        }
    }
    put(w, text, n > 0 ? (size_t)n : 0);
}

void wh_jw_bool(struct wh_json_writer *w, bool v)
{
    if (before_value(w)) {
        put(w, v ? "true" : "false", v ? 4 : 5);
    }
}

void wh_jw_null(struct wh_json_writer *w)
{
    if (before_value(w)) {
        put(w, "null", 4);
    }
}

void wh_jw_raw(struct wh_json_writer *w, struct wh_slice json)
{
    if (before_value(w)) {
        put(w, json.ptr, json.len);
    }
}

void wh_jw_put_str(struct wh_json_writer *w, const char *key, struct wh_slice text)
{
    wh_jw_key(w, key);
    wh_jw_str(w, text);
}

void wh_jw_put_int(struct wh_json_writer *w, const char *key, int64_t v)
{
    wh_jw_key(w, key);
    wh_jw_int(w, v);
}

void wh_jw_put_ms(struct wh_json_writer *w, const char *key, int64_t ms)
{
    wh_jw_key(w, key);
    if (ms == 0) {
        wh_jw_null(w);
    } else {
        wh_jw_int(w, ms);
    }
}

void wh_jw_put_bool(struct wh_json_writer *w, const char *key, bool v)
{
    wh_jw_key(w, key);
    wh_jw_bool(w, v);
}

enum wh_rc wh_jw_finish(struct wh_json_writer *w, struct wh_err *err)
{
    if (w->err.rc == WH_OK && (w->depth != 0 || w->after_key)) {
        misuse(w, "a container was left open");
    }
    if (w->err.rc != WH_OK) {
        *err = w->err;
    }
    return w->err.rc;
}
