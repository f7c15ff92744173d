#include "common/base/enc.h"

#include <stdint.h>

static const char hex_digits[] = "0123456789abcdef";
static const char base64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

enum wh_rc wh_hex_encode(struct wh_slice bytes, struct wh_buf *out, struct wh_err *err)
{
    if (bytes.len > SIZE_MAX / 2) {
        return wh_fail(err, WH_E_TOO_LARGE, "too long for hex");
    }
    if (wh_buf_reserve(out, bytes.len * 2, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char b = (unsigned char)bytes.ptr[i];

        out->ptr[out->len++] = hex_digits[b >> 4];
        out->ptr[out->len++] = hex_digits[b & 15];
    }
    out->ptr[out->len] = '\0';
    return WH_OK;
}

enum wh_rc wh_hex_decode(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    if (text.len % 2 != 0) {
        return wh_fail(err, WH_E_INVALID, "hex needs an even number of digits");
    }
    for (size_t i = 0; i < text.len; i++) {
        if (hex_value(text.ptr[i]) < 0) {
            return wh_fail(err, WH_E_INVALID, "not a hex digit at position %zu", i);
        }
    }
    if (wh_buf_reserve(out, text.len / 2, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < text.len; i += 2) {
        out->ptr[out->len++] = (char)(hex_value(text.ptr[i]) << 4 | hex_value(text.ptr[i + 1]));
    }
    out->ptr[out->len] = '\0';
    return WH_OK;
}

static enum wh_rc base64_encode(struct wh_slice bytes, const char *alphabet, bool pad,
                                struct wh_buf *out, struct wh_err *err)
{
    if (bytes.len > SIZE_MAX / 2) {
        return wh_fail(err, WH_E_TOO_LARGE, "too long for base64");
    }
    if (wh_buf_reserve(out, (bytes.len + 2) / 3 * 4, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t group = 0;

        for (size_t k = 0; k < 3; k++) {
            group = group << 8 | (k < n ? (unsigned char)bytes.ptr[i + k] : 0U);
        }
        for (size_t k = 0; k < 4; k++) {
            if (k <= n) {
                out->ptr[out->len++] = alphabet[group >> (18 - 6 * k) & 63];
            } else if (pad) {
                out->ptr[out->len++] = '=';
            }
        }
    }
    out->ptr[out->len] = '\0';
    return WH_OK;
}

enum wh_rc wh_base64_encode(struct wh_slice bytes, struct wh_buf *out, struct wh_err *err)
{
    return base64_encode(bytes, base64_alphabet, true, out, err);
}

enum wh_rc wh_base64url_encode(struct wh_slice bytes, struct wh_buf *out, struct wh_err *err)
{
    return base64_encode(bytes, base64url_alphabet, false, out, err);
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '+' || c == '-') {
        return 62;
    }
    if (c == '/' || c == '_') {
        return 63;
    }
    return -1;
}

/* Length without padding, or SIZE_MAX when the padding is wrong. */
static size_t base64_digits(struct wh_slice text)
{
    size_t pad = 0;

    while (pad < text.len && pad < 3 && text.ptr[text.len - 1 - pad] == '=') {
        pad++;
    }
    if (pad > 2 || (pad > 0 && text.len % 4 != 0) || (text.len - pad) % 4 == 1) {
        return SIZE_MAX;
    }
    return text.len - pad;
}

enum wh_rc wh_base64_decode(struct wh_slice text, struct wh_buf *out, struct wh_err *err)
{
    size_t n = base64_digits(text);
    uint32_t bits = 0;
    unsigned n_bits = 0;

    if (n == SIZE_MAX) {
        return wh_fail(err, WH_E_INVALID, "base64 text has an invalid length");
    }
    if (wh_buf_reserve(out, n / 4 * 3 + 3, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < n; i++) {
        int value = base64_value(text.ptr[i]);

        if (value < 0) {
            return wh_fail(err, WH_E_INVALID, "not a base64 digit at position %zu", i);
        }
        bits = bits << 6 | (uint32_t)value;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            out->ptr[out->len++] = (char)(bits >> n_bits & 255);
        }
    }
    out->ptr[out->len] = '\0';
    if (n_bits && (bits & ((1U << n_bits) - 1)) != 0) {
        return wh_fail(err, WH_E_INVALID, "base64 text ends with stray bits");
    }
    return WH_OK;
}

static bool unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

enum wh_rc wh_percent_encode(struct wh_slice bytes, struct wh_buf *out, struct wh_err *err)
{
    if (bytes.len > SIZE_MAX / 3) {
        return wh_fail(err, WH_E_TOO_LARGE, "too long for percent encoding");
    }
    if (wh_buf_reserve(out, bytes.len * 3, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char b = (unsigned char)bytes.ptr[i];

        if (unreserved((char)b)) {
            out->ptr[out->len++] = (char)b;
            continue;
        }
        out->ptr[out->len++] = '%';
        out->ptr[out->len++] = "0123456789ABCDEF"[b >> 4];
        out->ptr[out->len++] = "0123456789ABCDEF"[b & 15];
    }
    out->ptr[out->len] = '\0';
    return WH_OK;
}

enum wh_rc wh_percent_decode(struct wh_slice text, bool plus_is_space, struct wh_buf *out,
                             struct wh_err *err)
{
    if (wh_buf_reserve(out, text.len, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '%') {
            int high = i + 2 < text.len ? hex_value(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_value(text.ptr[i + 2]) : -1;

            if (high < 0 || low < 0 || (high == 0 && low == 0)) {
                return wh_fail(err, WH_E_INVALID, "bad percent encoding at position %zu", i);
            }
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        out->ptr[out->len++] = c;
    }
    out->ptr[out->len] = '\0';
    return WH_OK;
}

/* Length of the well-formed sequence at p, or 0 (Unicode Standard, table 3-7). */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    size_t n;

    if (p[0] < 0x80) {
        return 1;
    }
    if (p[0] >= 0xC2 && p[0] <= 0xDF) {
        n = 2;
    } else if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        n = 3;
        low = p[0] == 0xE0 ? 0xA0 : low;
        high = p[0] == 0xED ? 0x9F : high;
    } else if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        n = 4;
        low = p[0] == 0xF0 ? 0x90 : low;
        high = p[0] == 0xF4 ? 0x8F : high;
    } else {
        return 0;
    }
    if (left < n || p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return n;
}

/* Counts leading ASCII bytes, 32 or 8 at a time, because most text is ASCII. */
static size_t ascii_run(const unsigned char *p, size_t len)
{
    const uint64_t high = UINT64_C(0x8080808080808080);
    uint64_t w[4];
    size_t i = 0;

    for (; len - i >= sizeof(w); i += sizeof(w)) {
        memcpy(w, p + i, sizeof(w));
        if ((w[0] | w[1] | w[2] | w[3]) & high) {
            break;
        }
    }
    for (; len - i >= sizeof(w[0]); i += sizeof(w[0])) {
        memcpy(w, p + i, sizeof(w[0]));
        if (w[0] & high) {
            break;
        }
    }
    return i;
}

bool wh_utf8_valid(struct wh_slice text)
{
    const unsigned char *p = (const unsigned char *)text.ptr;
    size_t i = 0;

    while (i < text.len) {
        size_t n = ascii_run(p + i, text.len - i);

        i += n;
        if (i == text.len) {
            break;
        }
        n = utf8_sequence(p + i, text.len - i);
        if (n == 0) {
            return false;
        }
        i += n;
    }
    return true;
}
