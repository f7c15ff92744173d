/*
 * Text of other systems on its way to a terminal. Whatever comes in: what goes out is UTF-8 without
 * a character that steers a terminal, escaping it again changes nothing, and its width stays.
 */
#include <stdint.h>
#include <stdlib.h>

#include "common/base/escape.h"
#include "common/base/enc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX_BYTES = 1 << 20 };

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* Looks for the bytes themselves, not by way of a decoder. */
static bool holds(struct wh_slice text, const char *bytes)
{
    return text.len && memmem(text.ptr, text.len, bytes, strlen(bytes)) != NULL;
}

static void check_shown(struct wh_slice shown, enum wh_escape_mode mode)
{
    static const char *const forbidden[] = {
        "\u061C", "\u200E", "\u200F", "\u2028", "\u2029", "\u202A", "\u202B", "\u202C",
        "\u202D", "\u202E", "\u2066", "\u2067", "\u2068", "\u2069", "\uFEFF", "\U000E0001"};

    check(wh_utf8_valid(shown));
    for (size_t i = 0; i < shown.len; i++) {
        unsigned char c = (unsigned char)shown.ptr[i];

        check(c >= 0x20 || (mode == WH_ESCAPE_BLOCK && (c == '\n' || c == '\t')));
        check(c != 0x7F);
        check(c != 0xC2 || (i + 1 < shown.len && (unsigned char)shown.ptr[i + 1] >= 0xA0));
    }
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
        check(!holds(shown, forbidden[i]));
    }
}

static void try_mode(struct wh_slice text, enum wh_escape_mode mode)
{
    struct wh_buf once;
    struct wh_buf twice;
    struct wh_err err;

    wh_buf_init(&once, TEXT_MAX_BYTES);
    wh_buf_init(&twice, TEXT_MAX_BYTES);
    if (wh_escape(text, mode, &once, &err) == WH_OK) {
        struct wh_slice shown = wh_buf_slice(&once);
        size_t width = wh_escape_width(shown);

        check_shown(shown, mode);
        check(wh_escape(shown, mode, &twice, &err) == WH_OK);
        check(wh_slice_eq(shown, wh_buf_slice(&twice)));
        check(wh_escape_width(wh_buf_slice(&twice)) == width);
        for (size_t columns = 0; columns <= width && columns < 80; columns++) {
            struct wh_slice cut = wh_escape_cut(shown, columns);

            check(wh_escape_width(cut) == columns && wh_utf8_valid(cut));
        }
    }
    wh_buf_done(&once);
    wh_buf_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wh_slice text = wh_slice(data, size);

    try_mode(text, WH_ESCAPE_LINE);
    try_mode(text, WH_ESCAPE_BLOCK);
    return 0;
}
