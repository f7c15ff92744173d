/*
 * escape.h - makes text from other systems safe to print on a terminal.
 *
 * A title, a user name or an error message from GitLab can contain any character. Printed unescaped,
 * it could move the cursor, overwrite earlier output, change the window's title, or reverse the
 * reading order so that a line displays something other than its bytes (Unicode UAX #9).
 *
 * The following are replaced by a visible escape:
 *
 *   U+0000-001F, U+007F, U+0080-009F   control characters, C1 as well      \u001b
 *   U+061C, 200E, 200F, 202A-202E,     marks, embeddings, overrides and    \u202e
 *     2066-206F                        isolates of the reading direction
 *   U+2028, 2029                       line and paragraph separator        \u2028
 *   U+FEFF, FFF9-FFFB                  byte order mark, annotations        \ufeff
 *   U+E0000-E007F                      tags, which are invisible           \udb40\udc41
 *   a byte that is not UTF-8           also overlong forms and surrogates  \x9b
 *
 * Code points are escaped as JSON strings do, so escaping a JSON document leaves its meaning
 * unchanged. Escaping is idempotent. Pure functions. Thread: any.
 */
#ifndef WH_BASE_ESCAPE_H
#define WH_BASE_ESCAPE_H

#include "common/base/buf.h"

enum wh_escape_mode {
    WH_ESCAPE_LINE,  /* a newline (also CR LF) and a tab become one space each */
    WH_ESCAPE_BLOCK, /* newlines and tabs are kept */
};

/* Appends the text to out. WH_E_TOO_LARGE beyond out's maximum; out then ends with a whole character. */
WH_MUST_CHECK enum wh_rc wh_escape(struct wh_slice text, enum wh_escape_mode mode,
                                   struct wh_buf *out, struct wh_err *err);

/*
 * Decodes the first character of a non-empty text. Returns its length in bytes and sets its code point;
 * for a byte that is not UTF-8, returns 1 and sets the byte. *ret_steers: it must be escaped.
 */
size_t wh_escape_next(struct wh_slice text, uint32_t *ret_code, bool *ret_steers);

/* Columns of escaped text on a terminal, as wcwidth counts them: two for most characters of East Asia, none
 * for a combining accent. Where the process has set no LC_CTYPE, every code point counts as one. */
size_t wh_escape_width(struct wh_slice text);
/* The longest prefix of escaped text that fits in `columns`, with the accents of its last character. */
struct wh_slice wh_escape_cut(struct wh_slice text, size_t columns);

#endif
