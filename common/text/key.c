#include "common/text/key.h"

#include <utf8proc.h>

#include "common/base/mem.h"

/* What Unicode calls white space, and the four separators of ASCII; NFKC has made plain spaces of the
 * others. */
static bool is_separator(utf8proc_int32_t c)
{
    return c == '-' || c == '_' || c == '/' || c == ' ' || (c >= '\t' && c <= '\r') ||
           (c >= 0x1C && c <= 0x1F) || c == 0x85 || c == 0x1680 || c == 0x2028 || c == 0x2029;
}

/* Appends the text, which is normalised and folded, with its separators as hyphens. */
static enum wh_rc append_hyphened(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text.ptr;
    size_t left = text.len;
    bool gap = false;
    bool begun = false;

    if (wh_buf_reserve(out, text.len, err) != WH_OK) {
        return err->rc;
    }
    while (left > 0) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate(at, (utf8proc_ssize_t)left, &c);

        if (n <= 0) {
            return wh_fail(err, WH_E_UTF8, "a name is not valid UTF-8");
        }
        if (is_separator(c)) {
            gap = begun;
        } else {
            if (gap) {
                out->ptr[out->len++] = '-';
            }
            memcpy(out->ptr + out->len, at, (size_t)n);
            out->len += (size_t)n;
            gap = false;
            begun = true;
        }
        at += n;
        left -= (size_t)n;
    }
    out->ptr[out->len] = '\0';
    return WH_OK;
}

/* The text as UTF-8, with wh_mem_free. */
static enum wh_rc map(struct wh_slice text, utf8proc_option_t options, char **ret, size_t *ret_len,
                      struct wh_err *err)
{
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text.ptr;
    utf8proc_ssize_t len = (utf8proc_ssize_t)text.len;
    utf8proc_ssize_t n = utf8proc_decompose(bytes, len, NULL, 0, options);
    utf8proc_int32_t *points = NULL;

    if (n >= 0) {
        points = wh_mem_alloc((size_t)(n + 1) * sizeof(*points));
        if (points == NULL) {
            return wh_fail(err, WH_E_NOMEM, "no memory for a name");
        }
        n = utf8proc_decompose(bytes, len, points, n, options);
    }
    n = n >= 0 ? utf8proc_reencode(points, n, options) : n;
    if (n < 0) {
        wh_mem_free(points);
        return wh_fail(err, WH_E_UTF8, "a name: %s", utf8proc_errmsg(n));
    }
    *ret = (char *)points;
    *ret_len = (size_t)n;
    return WH_OK;
}

/* The first two rules; the result with wh_mem_free. */
static enum wh_rc fold(struct wh_slice text, char **ret, size_t *ret_len, struct wh_err *err)
{
    char *composed = NULL;
    size_t len = 0;
    enum wh_rc rc;

    rc = map(text, UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_COMPOSE, &composed, &len, err);
    if (rc == WH_OK) {
        rc = map(wh_slice(composed, len), UTF8PROC_CASEFOLD, ret, ret_len, err);
    }
    wh_mem_free(composed);
    return rc;
}

static enum wh_rc normalise_unicode(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    char *folded = NULL;
    size_t len = 0;
    enum wh_rc rc = fold(text, &folded, &len, err);

    if (rc == WH_OK) {
        rc = append_hyphened(wh_slice(folded, len), out, err);
    }
    wh_mem_free(folded);
    return rc;
}

static bool is_ascii(struct wh_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] >= 0x80) {
            return false;
        }
    }
    return true;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static enum wh_rc normalise_ascii(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    bool gap = false;
    bool begun = false;
    char *to;

    if (wh_buf_reserve(out, text.len, err) != WH_OK) {
        return err->rc;
    }
    to = out->ptr + out->len;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (is_separator(c)) {
            gap = begun;
            continue;
        }
        if (gap) {
            *to++ = '-';
        }
        *to++ = lower(c);
        gap = false;
        begun = true;
    }
    out->len = (size_t)(to - out->ptr);
    *to = '\0';
    return WH_OK;
}

enum wh_rc wh_key_fold(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    char *folded = NULL;
    size_t before = out->len;
    size_t len = 0;
    enum wh_rc rc;

    if (text.len > WH_KEY_TEXT_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "a name of %zu bytes has no key", text.len);
    }
    if (is_ascii(text)) {
        rc = wh_buf_append(out, text, err);
        for (size_t i = before; i < out->len; i++) {
            out->ptr[i] = lower(out->ptr[i]);
        }
        return rc;
    }
    rc = fold(text, &folded, &len, err);
    if (rc == WH_OK) {
        rc = wh_buf_append(out, wh_slice(folded, len), err);
    }
    wh_mem_free(folded);
    return rc;
}

enum wh_rc wh_key_normalise(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    size_t before = out->len;
    enum wh_rc rc;

    if (text.len == 0) {
        return WH_OK;
    }
    if (text.len > WH_KEY_TEXT_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "a name of %zu bytes has no key", text.len);
    }
    rc = is_ascii(text) ? normalise_ascii(text, out, err) : normalise_unicode(text, out, err);
    if (rc != WH_OK) {
        out->len = before;
    }
    return rc;
}
