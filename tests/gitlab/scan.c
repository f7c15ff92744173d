#include "tests/gitlab/scan.h"

#include <stdlib.h>

#include "common/base/num.h"

enum { NUMBER_MAX = 40 };

static size_t skip_space(struct wh_slice s, size_t at)
{
    while (at < s.len &&
           (s.ptr[at] == ' ' || s.ptr[at] == '\n' || s.ptr[at] == '\t' || s.ptr[at] == '\r')) {
        at++;
    }
    return at;
}

/* From an opening quote to behind the closing one; s.len when it never closes. */
static size_t skip_string(struct wh_slice s, size_t at)
{
    for (at++; at < s.len && s.ptr[at] != '"'; at++) {
        at += s.ptr[at] == '\\';
    }
    return at < s.len ? at + 1 : s.len;
}

static size_t skip_value(struct wh_slice s, size_t at)
{
    size_t depth = 0;

    while (at < s.len) {
        char c = s.ptr[at];

        if (c == '"') {
            at = skip_string(s, at);
            if (depth == 0) {
                return at;
            }
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}' || c == ']' || c == ' ' || c == '\n')) {
            return at;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        at++;
        if (depth == 0 && (c == '}' || c == ']')) {
            return at;
        }
    }
    return at;
}

struct wh_slice gl_scan(struct wh_slice json, const char *key)
{
    struct wh_slice want = wh_slice_str(key);
    size_t at = skip_space(json, 0);

    if (at >= json.len || json.ptr[at] != '{') {
        return (struct wh_slice){0};
    }
    at = skip_space(json, at + 1);
    while (at < json.len && json.ptr[at] == '"') {
        size_t name = at + 1;
        size_t value;
        size_t end = skip_string(json, at);

        at = skip_space(json, end);
        if (at >= json.len || json.ptr[at] != ':') {
            break;
        }
        value = skip_space(json, at + 1);
        at = skip_value(json, value);
        if (wh_slice_eq(wh_slice(json.ptr + name, end - 1 - name), want)) {
            return wh_slice(json.ptr + value, at - value);
        }
        at = skip_space(json, at);
        if (at >= json.len || json.ptr[at] != ',') {
            break;
        }
        at = skip_space(json, at + 1);
    }
    return (struct wh_slice){0};
}

struct wh_slice gl_scan_text(struct wh_slice json, const char *key)
{
    struct wh_slice v = gl_scan(json, key);

    if (v.len < 2 || v.ptr[0] != '"') {
        return (struct wh_slice){0};
    }
    return wh_slice(v.ptr + 1, v.len - 2);
}

int64_t gl_scan_int(struct wh_slice json, const char *key, int64_t otherwise)
{
    struct wh_err err;
    int64_t v;

    return wh_num_i64(gl_scan(json, key), &v, &err) == WH_OK ? v : otherwise;
}

double gl_scan_number(struct wh_slice json, const char *key, double otherwise)
{
    struct wh_slice v = gl_scan(json, key);
    char text[NUMBER_MAX];
    char *end;
    double number;

    if (wh_slice_eq(v, WH_LIT("true"))) {
        return 1;
    }
    if (wh_slice_eq(v, WH_LIT("false"))) {
        return 0;
    }
    if (v.len == 0 || v.len >= sizeof(text)) {
        return otherwise;
    }
    memcpy(text, v.ptr, v.len);
    text[v.len] = '\0';
    number = strtod(text, &end);
    return end == text + v.len ? number : otherwise;
}

bool gl_scan_bool(struct wh_slice json, const char *key, bool otherwise)
{
    struct wh_slice v = gl_scan(json, key);

    return wh_slice_eq(v, WH_LIT("true")) || (!wh_slice_eq(v, WH_LIT("false")) && otherwise);
}

bool gl_scan_is_object(struct wh_slice json)
{
    size_t at = skip_space(json, 0);

    if (at >= json.len || json.ptr[at] != '{') {
        return false;
    }
    at = skip_value(json, at);
    return json.ptr[at - 1] == '}' && skip_space(json, at) == json.len;
}
