/*
 * escape.h - makes text from other systems safe to show on a terminal.
 *
 * A title, a user name or an error message of GitLab can hold anything. Sent to a terminal as it
 * is, it could move the cursor, rewrite what was printed before, change the window's title, or
 * reverse the reading order so that a line says something else than its bytes do.
 *
 * These are replaced by an escape that can be read:
 *
 *   U+0000-001F, U+007F, U+0080-009F   control characters, C1 as well      \u001b
 *   U+061C, 200E, 200F, 202A-202E,     marks, embeddings, overrides and    \u202e
 *     2066-206F                        isolates of the reading direction
 *   U+2028, 2029                       line and paragraph separator        \u2028
 *   U+FEFF, FFF9-FFFB                  byte order mark, annotations        \ufeff
 *   U+E0000-E007F                      tags, which are invisible           \udb40\udc41
 *   a byte that is not UTF-8           also overlong forms and surrogates  \x9b
 *
 * Inside a JSON string the escapes of code points are JSON's own, so that JSON that is shown on a
 * terminal still is the same document. Escaped text holds nothing to escape: escaping it again
 * changes nothing. Pure functions; any thread.
 */
#ifndef WH_BASE_ESCAPE_H
#define WH_BASE_ESCAPE_H

#include "common/base/buf.h"

enum wh_escape_mode {
    WH_ESCAPE_LINE,  /* a newline (also CR LF) and a tab become one space each */
    WH_ESCAPE_BLOCK, /* newlines and tabs stay */
};

/* Appends the text to out. WH_E_TOO_LARGE past out's maximum: out then ends between two characters.
 */
WH_MUST_CHECK enum wh_rc wh_escape(struct wh_slice text, enum wh_escape_mode mode,
                                   struct wh_buf *out, struct wh_err *err);

/*
 * The first character of a text that is not empty: gives its bytes and code, or 1 and the byte when it
 * is not UTF-8. *ret_steers: it is one of those above, or not UTF-8.
 */
size_t wh_escape_next(struct wh_slice text, uint32_t *ret_code, bool *ret_steers);

/* Columns of escaped text: one for each code point. */
size_t wh_escape_width(struct wh_slice text);
/* The longest start of escaped text that has at most so many columns. */
struct wh_slice wh_escape_cut(struct wh_slice text, size_t columns);

#endif
