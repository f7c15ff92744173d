/*
 * scan.h - finds fields in small trusted JSON texts (control requests, recorded rows) without
 * Wellhead's own JSON code, so that the oracle owes nothing to what it judges.
 */
#ifndef GL_SCAN_H
#define GL_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"

/* The value's bytes as they stand; ptr NULL when json is no object or has no such key. */
struct wh_slice gl_scan(struct wh_slice json, const char *key);
/* Inside of a string, escapes left as they are; ptr NULL when it is no string. */
struct wh_slice gl_scan_text(struct wh_slice json, const char *key);
int64_t gl_scan_int(struct wh_slice json, const char *key, int64_t otherwise);
double gl_scan_number(struct wh_slice json, const char *key, double otherwise);
bool gl_scan_bool(struct wh_slice json, const char *key, bool otherwise);
/* True for a text that is one JSON object as far as nesting and strings go. */
bool gl_scan_is_object(struct wh_slice json);

#endif
