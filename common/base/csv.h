/* csv.h - one cell of CSV (RFC 4180), optionally safe to open in a spreadsheet. */
#ifndef WH_BASE_CSV_H
#define WH_BASE_CSV_H

#include <stdbool.h>

#include "common/base/buf.h"

/*
 * Appends a text, quoted when it is empty or holds a comma, a quote, CR or LF: "" is an empty text,
 * nothing is NULL. safe: an apostrophe goes in front of a text that a spreadsheet would run as a
 * formula, or that begins with a control character, which may hide one. Only texts may be passed: a
 * number that begins with '-' is no formula. Pure function. Thread: any.
 */
WH_MUST_CHECK enum wh_rc wh_csv_text(struct wh_slice text, bool safe, struct wh_buf *out,
                                     struct wh_err *err);

#endif
