#include "common/json/json_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/enc.h"

void wh_json_writer_init(struct wh_json_writer *w, struct wh_buf *out)
{
    *w = (struct wh_json_writer){.out = out};
}

static void put(struct wh_json_writer *w, const char *bytes, size_t n)
{
    if (w->err.rc == WH_OK) {
        (void)!wh_buf_append(w->out, wh_slice(bytes, n), &w->err);
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

static void put_string(struct wh_json_writer *w, struct wh_slice text)
{
    bool valid = wh_utf8_valid(text);
    size_t from = 0;
    size_t i = 0;

    put(w, "\"", 1);
    while (i < text.len) {
        unsigned char c = (unsigned char)text.ptr[i];
        size_t n = valid || c < 0x80 ? 1 : utf8_char(text.ptr + i, text.len - i);

        if (n != 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7F) {
            i += n;
            continue;
        }
        put(w, text.ptr + from, i - from);
        if (n == 0) {
            put(w, "\xEF\xBF\xBD", 3);
        } else {
            put_escape(w, c);
        }
        i++;
        from = i;
    }
    if (i > from) {
        put(w, text.ptr + from, i - from);
    }
    put(w, "\"", 1);
}

void wh_jw_key_slice(struct wh_json_writer *w, struct wh_slice key)
{
    if (w->err.rc != WH_OK) {
        return;
    }
    if (w->depth == 0 || !w->object[w->depth - 1] || w->after_key) {
        misuse(w, "a key outside of an object");
        return;
    }
    if (w->comma[w->depth - 1]) {
        put(w, ",", 1);
    }
    w->comma[w->depth - 1] = true;
    put_string(w, key);
    put(w, ":", 1);
    w->after_key = true;
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
