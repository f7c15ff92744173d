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
#include <string.h>

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

/*
 * The parser's tape, as simdjson's documentation lays it out (doc/tape.md): a word is a type
 * character in the top byte and 56 bits of payload; numbers take the next word too; '[' and '{'
 * carry the index behind their end in the low 32 bits; a string's payload is its place among the
 * strings: 4 bytes of length, bytes, NUL. For the functions below only: they are inline because a
 * call costs more than what they do.
 */
struct wh_json_doc {
    const uint64_t *tape;
    const unsigned char *strings;
};

struct wh_json_val {
    const struct wh_json_doc *doc;
    size_t index;
};

/* NULL when out of memory. */
struct wh_json_parser *wh_json_parser_new(size_t max_bytes, size_t max_depth);
void wh_json_parser_free(struct wh_json_parser *parser);

/* WH_E_INVALID, WH_E_UTF8, WH_E_TOO_LARGE, WH_E_TOO_DEEP; the message says where. The text is
 * copied inside (the parser needs padding behind it). */
WH_MUST_CHECK enum wh_rc wh_json_parse(struct wh_json_parser *parser, struct wh_slice text,
                                       struct wh_json_val *ret, struct wh_err *err);

static inline uint64_t wh_json_word(struct wh_json_val v)
{
    return v.doc->tape[v.index];
}

static inline uint64_t wh_json_number_word(struct wh_json_val v)
{
    return v.doc->tape[v.index + 1];
}

static inline char wh_json_tag(struct wh_json_val v)
{
    return (char)(wh_json_word(v) >> 56);
}

static inline struct wh_slice wh_json_string_at(struct wh_json_val v)
{
    const unsigned char *p = v.doc->strings + (wh_json_word(v) & UINT64_C(0x00FFFFFFFFFFFFFF));
    uint32_t n;

    memcpy(&n, p, sizeof(n));
    return wh_slice(p + sizeof(n), n);
}

/* Index of the word behind the value. */
static inline size_t wh_json_after(struct wh_json_val v)
{
    switch (wh_json_tag(v)) {
    case '[':
    case '{':
        return (uint32_t)wh_json_word(v);
    case 'l':
    case 'u':
    case 'd':
        return v.index + 2;
    default:
        return v.index + 1;
    }
}

static inline enum wh_json_type wh_json_type(struct wh_json_val v)
{
    switch (wh_json_tag(v)) {
    case '"':
        return WH_JSON_STRING;
    case 'l':
        return WH_JSON_INT;
    case 'u':
        return WH_JSON_UINT;
    case 'd':
        return WH_JSON_DOUBLE;
    case 't':
    case 'f':
        return WH_JSON_BOOL;
    case '[':
        return WH_JSON_ARRAY;
    case '{':
        return WH_JSON_OBJECT;
    default:
        return WH_JSON_NULL;
    }
}

/* These expect the right type; a wrong one gives 0, false or an empty slice. */
static inline int64_t wh_json_int(struct wh_json_val v)
{
    return wh_json_tag(v) == 'l' ? (int64_t)wh_json_number_word(v) : 0;
}

uint64_t wh_json_uint(struct wh_json_val v);
double wh_json_double(struct wh_json_val v); /* of any number */

static inline bool wh_json_bool(struct wh_json_val v)
{
    return wh_json_tag(v) == 't';
}

/* Unescaped. */
static inline struct wh_slice wh_json_string(struct wh_json_val v)
{
    return wh_json_tag(v) == '"' ? wh_json_string_at(v) : wh_slice(NULL, 0);
}

/* Iteration over arrays and objects in document order. */
struct wh_json_iter {
    const struct wh_json_doc *doc;
    size_t pos;
    size_t end;
    bool object;
};

static inline struct wh_json_iter wh_json_iter(struct wh_json_val container)
{
    struct wh_json_iter it = {container.doc, 0, 0, false};
    char t = wh_json_tag(container);

    if (t == '[' || t == '{') {
        it.object = t == '{';
        it.pos = container.index + 1;
        it.end = wh_json_after(container) - 1;
    }
    return it;
}

/* key is empty for arrays; false at the end. */
static inline bool wh_json_next(struct wh_json_iter *it, struct wh_slice *ret_key,
                                struct wh_json_val *ret)
{
    struct wh_json_val v = {it->doc, it->pos};

    if (it->pos >= it->end) {
        return false;
    }
    if (ret_key != NULL) {
        *ret_key = it->object ? wh_json_string_at(v) : wh_slice(NULL, 0);
    }
    v.index += it->object;
    *ret = v;
    it->pos = wh_json_after(v);
    return true;
}

/* First field of that name; false when absent or not an object. */
bool wh_json_get(struct wh_json_val object, struct wh_slice key, struct wh_json_val *ret);
/* Its value when it is a whole number that fits. */
int64_t wh_json_get_int(struct wh_json_val object, const char *key, int64_t otherwise);

/*
 * The elements of a top-level array, each as its value and as its bytes in text, exactly as
 * received; one pass for both. Stops when fn fails. The whole text is checked before the first
 * call. WH_E_TYPE when text is not an array. `text` must have 64 readable bytes behind it, and fn
 * must not parse with this parser.
 */
typedef enum wh_rc (*wh_json_row_fn)(void *ctx, struct wh_slice row, struct wh_json_val value,
                                     struct wh_err *err);
WH_MUST_CHECK enum wh_rc wh_json_split_array(struct wh_json_parser *parser, struct wh_slice text,
                                             wh_json_row_fn fn, void *ctx, struct wh_err *err);

#ifdef __cplusplus
}
#endif

#endif
