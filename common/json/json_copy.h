/*
 * json_copy.h - writes a parsed JSON value as text again, for example one row of a larger answer.
 *
 * The text is compact and in document order. Numbers beyond int64 are written as doubles. Pure.
 */
#ifndef WH_JSON_JSON_COPY_H
#define WH_JSON_JSON_COPY_H

#include "common/json/json_doc.h"
#include "common/json/json_write.h"

/* Writes the value and all that is in it. A value that is nested deeper than the writer allows
 * (WH_JSON_WRITE_DEPTH) makes the writer fail with WH_E_TOO_DEEP. */
void wh_jw_value(struct wh_json_writer *w, struct wh_json_val v);

#endif
