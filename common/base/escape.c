#include "common/base/escape.h"

#include <wchar.h>

struct range {
    uint32_t first;
    uint32_t last;
};

static const struct range forbidden[] = {
    {0x0000, 0x001F}, {0x007F, 0x009F}, {0x061C, 0x061C}, {0x200E, 0x200F},   {0x2028, 0x202E},
    {0x2066, 0x206F}, {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xE0000, 0xE007F},
};

static bool is_forbidden(uint32_t code)
{
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        if (code >= forbidden[i].first && code <= forbidden[i].last) {
            return true;
        }
    }
    return false;
}

/* Length of the character that starts with this byte; 0 when none does. */
static size_t sequence_len(unsigned char lead)
{
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xC2 && lead <= 0xDF) {
        return 2;
    }
    if (lead >= 0xE0 && lead <= 0xEF) {
        return 3;
    }
    return lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
}

/* RFC 3629: decodes the first character of a non-empty text. Returns its length, or 0 when it is not
 * well-formed. */
static size_t decode(struct wh_slice text, uint32_t *ret_code)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    static const unsigned char lead_bits[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    unsigned char lead = (unsigned char)text.ptr[0];
    size_t len = sequence_len(lead);
    uint32_t code;

    if (len == 0 || len > text.len) {
        return 0;
    }
    code = lead & lead_bits[len];
    for (size_t i = 1; i < len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];

        if ((byte & 0xC0) != 0x80) {
            return 0;
        }
        code = code << 6 | (byte & 0x3FU);
    }
    if (code < smallest[len] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
        return 0;
    }
    *ret_code = code;
    return len;
}

size_t wh_escape_next(struct wh_slice text, uint32_t *ret_code, bool *ret_steers)
{
    size_t len = decode(text, ret_code);

    if (len == 0) {
        *ret_code = (unsigned char)text.ptr[0];
        *ret_steers = true;
        return 1;
    }
    *ret_steers = is_forbidden(*ret_code);
    return len;
}

static enum wh_rc append_escape(uint32_t code, struct wh_buf *out, struct wh_err *err)
{
    if (code <= 0xFFFF) {
        return wh_buf_printf(out, err, "\\u%04x", code);
    }
    code -= 0x10000;
    return wh_buf_printf(out, err, "\\u%04x\\u%04x", 0xD800 + (code >> 10),
                         0xDC00 + (code & 0x3FF));
}

/* Appends the escaped form of the text's first character and returns the bytes it consumed. */
static enum wh_rc escape_one(struct wh_slice text, enum wh_escape_mode mode, struct wh_buf *out,
                             size_t *ret_taken, struct wh_err *err)
{
    uint32_t code = 0;
    size_t len = decode(text, &code);
    bool crlf = code == '\r' && text.len > 1 && text.ptr[1] == '\n';

    *ret_taken = len ? len : 1;
    if (len == 0) {
        return wh_buf_printf(out, err, "\\x%02x", (unsigned char)text.ptr[0]);
    }
    if (crlf || code == '\n' || code == '\t') {
        *ret_taken = crlf ? 2 : 1;
        return wh_buf_append_char(out,
                                  mode == WH_ESCAPE_LINE ? ' '
                                  : crlf                 ? '\n'
                                                         : (char)code,
                                  err);
    }
    return is_forbidden(code) ? append_escape(code, out, err)
                              : wh_buf_append(out, wh_slice(text.ptr, len), err);
}

enum wh_rc wh_escape(struct wh_slice text, enum wh_escape_mode mode, struct wh_buf *out,
                     struct wh_err *err)
{
    size_t taken = 0;

    for (; text.len; text = wh_slice_from(text, taken)) {
        if (escape_one(text, mode, out, &taken, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* wcwidth knows no character in a process that has set no locale. */
static size_t columns_of(uint32_t code)
{
    int columns = wcwidth((wchar_t)code);

    return columns < 0 ? 1 : (size_t)columns;
}

struct wh_slice wh_escape_cut(struct wh_slice text, size_t columns)
{
    struct wh_slice rest = text;

    while (rest.len) {
        uint32_t code = 0;
        bool steers;
        size_t len = wh_escape_next(rest, &code, &steers);
        size_t width = columns_of(code);

        if (width > columns) {
            return wh_slice(text.ptr, (size_t)(rest.ptr - text.ptr));
        }
        columns -= width;
        rest = wh_slice_from(rest, len);
    }
    return text;
}

size_t wh_escape_width(struct wh_slice text)
{
    size_t n = 0;

    while (text.len) {
        uint32_t code = 0;
        bool steers;
        size_t len = wh_escape_next(text, &code, &steers);

        n += columns_of(code);
        text = wh_slice_from(text, len);
    }
    return n;
}
