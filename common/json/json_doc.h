/*
 * json_doc.h - reading JSON: a thin C interface to simdjson's DOM (json_doc.cpp).
 *
 * A text is one document in strict UTF-8 without trailing data (RFC 8259). Its size and depth are
 * limited per parser. Values are valid until the parser's next parse. Thread: one parser per thread.
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
 * The parser's tape (simdjson's doc/tape.md): a word is a type character in the top byte and 56 bits
 * of payload. A number occupies the next word too. '[' and '{' hold the index after their end in the
 * low 32 bits. A string's payload is its offset in `strings`: 4 bytes of length, bytes, NUL. Only the
 * functions below use it; they are inline because a call costs more than their work.
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

/* Parses a copy of the text. WH_E_INVALID, WH_E_UTF8, WH_E_TOO_LARGE, WH_E_TOO_DEEP; the message
 * names the position. */
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

/* The index of the word after the value. */
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

/* For a value of another type these return 0, false or an empty slice. */
static inline int64_t wh_json_int(struct wh_json_val v)
{
    return wh_json_tag(v) == 'l' ? (int64_t)wh_json_number_word(v) : 0;
}

uint64_t wh_json_uint(struct wh_json_val v);
double wh_json_double(struct wh_json_val v); /* of any number type */

static inline bool wh_json_bool(struct wh_json_val v)
{
    return wh_json_tag(v) == 't';
}

/* The unescaped text. */
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
/* The field's value if it is a WH_JSON_INT, else `otherwise`. */
int64_t wh_json_get_int(struct wh_json_val object, const char *key, int64_t otherwise);
/* The field's text; empty, and not NULL, when it is absent or no text. */
struct wh_slice wh_json_get_str(struct wh_json_val object, const char *key);
/* True when the field is there and is true. */
bool wh_json_get_flag(struct wh_json_val object, const char *key);
/* The elements of the field; none when it is absent or no array or object. */
struct wh_json_iter wh_json_get_iter(struct wh_json_val object, const char *key);

/*
 * Calls fn for each element of a top-level array, with its value and its exact bytes in the text. The
 * whole text is validated before the first call; an error of fn stops the iteration. WH_E_TYPE: the
 * text is not an array. 64 bytes after the text must be readable, and fn must not use this parser.
 */
typedef enum wh_rc (*wh_json_row_fn)(void *ctx, struct wh_slice row, struct wh_json_val value,
                                     struct wh_err *err);
WH_MUST_CHECK enum wh_rc wh_json_split_array(struct wh_json_parser *parser, struct wh_slice text,
                                             wh_json_row_fn fn, void *ctx, struct wh_err *err);

#ifdef __cplusplus
}
#endif

#endif
