/*
 * json_write.h - writes JSON into a bounded buffer; handles commas, escapes and nesting.
 *
 *   wh_json_writer_init(&w, &buf);
 *   wh_jw_object(&w); wh_jw_key(&w, "n"); wh_jw_int(&w, 3); wh_jw_end(&w);
 *   rc = wh_jw_finish(&w, err);
 *
 * The first error sticks and later calls do nothing, so callers check only wh_jw_finish.
 * Bytes of a string that are not UTF-8 are replaced by U+FFFD. Thread: one at a time.
 */
#ifndef WH_JSON_JSON_WRITE_H
#define WH_JSON_JSON_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"

#define WH_JSON_WRITE_DEPTH 64

struct wh_json_writer {
    struct wh_buf *out;
    struct wh_err err;
    unsigned depth;
    bool object[WH_JSON_WRITE_DEPTH];
    bool comma[WH_JSON_WRITE_DEPTH];
    bool after_key;
};

void wh_json_writer_init(struct wh_json_writer *w, struct wh_buf *out);
void wh_jw_object(struct wh_json_writer *w);
void wh_jw_array(struct wh_json_writer *w);
void wh_jw_end(struct wh_json_writer *w);
void wh_jw_key(struct wh_json_writer *w, const char *key);
void wh_jw_key_slice(struct wh_json_writer *w, struct wh_slice key);
void wh_jw_str(struct wh_json_writer *w, struct wh_slice text);
void wh_jw_int(struct wh_json_writer *w, int64_t v);
void wh_jw_double(struct wh_json_writer *w, double v);
void wh_jw_bool(struct wh_json_writer *w, bool v);
void wh_jw_null(struct wh_json_writer *w);
/* Writes the key and the value of a member. */
void wh_jw_put_str(struct wh_json_writer *w, const char *key, struct wh_slice text);
void wh_jw_put_int(struct wh_json_writer *w, const char *key, int64_t v);
void wh_jw_put_bool(struct wh_json_writer *w, const char *key, bool v);
/* A time in ms since 1970; null for 0, which means that it is not known or never was. */
void wh_jw_put_ms(struct wh_json_writer *w, const char *key, int64_t ms);
/* Writes text that is already JSON; it is not checked. */
void wh_jw_raw(struct wh_json_writer *w, struct wh_slice json);
/* Returns the first error: WH_E_TOO_LARGE, WH_E_NOMEM, WH_E_INTERNAL for wrong nesting. */
WH_MUST_CHECK enum wh_rc wh_jw_finish(struct wh_json_writer *w, struct wh_err *err);

#endif
