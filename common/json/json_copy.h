/*
 * json_copy.h - serializes a parsed JSON value, for example one row of a larger document.
 *
 * The text is compact and in document order. Numbers beyond int64 are written as doubles.
 */
#ifndef WH_JSON_JSON_COPY_H
#define WH_JSON_JSON_COPY_H

#include "common/json/json_doc.h"
#include "common/json/json_write.h"

/* Writes the value with its members. A value nested deeper than WH_JSON_WRITE_DEPTH makes the writer
 * fail with WH_E_TOO_DEEP. */
void wh_jw_value(struct wh_json_writer *w, struct wh_json_val v);

#endif
