#include "common/base/csv.h"

/* Some spreadsheets take the full-width forms of the signs for the signs themselves. */
static bool is_formula(struct wh_slice text)
{
    static const char *const wide[] = {"\uff1d", "\uff0b", "\uff0d", "\uff20"};
    unsigned char first = text.len ? (unsigned char)text.ptr[0] : 'a';
    unsigned char second = text.len > 1 ? (unsigned char)text.ptr[1] : 0;

    if (first < 0x20 || first == 0x7F || (first == 0xC2 && second >= 0x80 && second <= 0x9F)) {
        return true;
    }
    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
        if (wh_slice_starts(text, wh_slice_str(wide[i]))) {
            return true;
        }
    }
    return first == '=' || first == '+' || first == '-' || first == '@';
}

static enum wh_rc quoted(const char *mark, struct wh_slice text, struct wh_buf *out,
                         struct wh_err *err)
{
    if (wh_buf_printf(out, err, "\"%s", mark) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < text.len; i++) {
        if ((text.ptr[i] == '"' && wh_buf_append_char(out, '"', err) != WH_OK) ||
            wh_buf_append_char(out, text.ptr[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return wh_buf_append_char(out, '"', err);
}

enum wh_rc wh_csv_text(struct wh_slice text, bool safe, struct wh_buf *out, struct wh_err *err)
{
    const char *mark = safe && is_formula(text) ? "'" : "";
    bool quote = text.len == 0;

    for (size_t i = 0; i < text.len && !quote; i++) {
        quote =
            text.ptr[i] == ',' || text.ptr[i] == '"' || text.ptr[i] == '\n' || text.ptr[i] == '\r';
    }
    if (quote) {
        return quoted(mark, text, out, err);
    }
    return wh_buf_append(out, wh_slice_str(mark), err) == WH_OK ? wh_buf_append(out, text, err)
                                                                : err->rc;
}
