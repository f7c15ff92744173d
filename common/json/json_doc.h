/*
 * json_doc.h - reading JSON on the hot path: simdjson's DOM behind a thin C face (json_doc.cpp).
 *
 * Strict UTF-8, one document, nothing behind it. Limits: bytes and depth given at birth. A value is
 * two words, borrowed from the parser until its next parse. Thread: one parser per thread.
 */
#ifndef WH_JSON_JSON_DOC_H
#define WH_JSON_JSON_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wh_json_parser;

enum wh_json_type {
    WH_JSON_NULL,
    WH_JSON_BOOL,
    WH_JSON_INT,  /* fits int64 */
    WH_JSON_UINT, /* above int64 */
    WH_JSON_DOUBLE,
    WH_JSON_STRING,
    WH_JSON_ARRAY,
    WH_JSON_OBJECT,
};

struct wh_json_val {
    const void *doc;
    size_t index;
};

/* NULL when out of memory. */
struct wh_json_parser *wh_json_parser_new(size_t max_bytes, size_t max_depth);
void wh_json_parser_free(struct wh_json_parser *parser);

/* WH_E_INVALID, WH_E_UTF8, WH_E_TOO_LARGE, WH_E_TOO_DEEP; the message says where. The text is
 * copied inside (the parser needs padding behind it). */
WH_MUST_CHECK enum wh_rc wh_json_parse(struct wh_json_parser *parser, struct wh_slice text,
                                       struct wh_json_val *ret, struct wh_err *err);

enum wh_json_type wh_json_type(struct wh_json_val v);
/* These expect the right type; a wrong one gives 0, false or an empty slice. */
int64_t wh_json_int(struct wh_json_val v);
uint64_t wh_json_uint(struct wh_json_val v);
double wh_json_double(struct wh_json_val v); /* of any number */
bool wh_json_bool(struct wh_json_val v);
struct wh_slice wh_json_string(struct wh_json_val v); /* unescaped */

/* Iteration over arrays and objects in document order. */
struct wh_json_iter {
    const void *doc;
    size_t pos;
    size_t end;
    bool object;
};
struct wh_json_iter wh_json_iter(struct wh_json_val container);
/* key is set for objects; false at the end. */
bool wh_json_next(struct wh_json_iter *it, struct wh_slice *ret_key, struct wh_json_val *ret);
/* First field of that name; false when absent or not an object. */
bool wh_json_get(struct wh_json_val object, struct wh_slice key, struct wh_json_val *ret);

/*
 * The elements of a top-level array as byte ranges of text, which the caller gives whole; each call
 * of fn gets one element, exactly as received. Stops when fn fails. Elements are checked to be
 * well-formed. WH_E_TYPE when text is not an array; `text` must have 64 readable bytes behind it.
 */
typedef enum wh_rc (*wh_json_row_fn)(void *ctx, struct wh_slice row, struct wh_err *err);
WH_MUST_CHECK enum wh_rc wh_json_split_array(struct wh_json_parser *parser, struct wh_slice text,
                                             wh_json_row_fn fn, void *ctx, struct wh_err *err);

#ifdef __cplusplus
}
#endif

#endif
