/*
 * json_doc.cpp - simdjson's DOM behind json_doc.h; the only file that includes it.
 *
 * A value is (document, index of its word on simdjson's tape); json_doc.h has the tape's layout.
 */
#include <cstdlib>
#include <cstring>
#include <new>
#include <simdjson.h>

/* Our headers are C, and one of their parameters has the name of a C++ keyword. */
extern "C" {
#define class class_
#include "common/base/err.h"
#undef class
#include "common/base/enc.h"
#include "common/base/mem.h"
}
#include "common/json/json_doc.h"

namespace dom = simdjson::dom;

static const size_t COPY_MIN = 16384;

struct wh_json_parser {
    dom::parser parser;
    struct wh_json_doc doc;
    char *copy;
    size_t copy_bytes;
    size_t max_bytes;
    size_t max_depth;

    wh_json_parser(size_t bytes, size_t depth) noexcept
        : parser(bytes), doc(), copy(nullptr), copy_bytes(0), max_bytes(bytes), max_depth(depth)
    {
    }
};

struct wh_json_parser *wh_json_parser_new(size_t max_bytes, size_t max_depth)
{
    void *place = wh_mem_alloc(sizeof(struct wh_json_parser));

    if (place == nullptr) {
        return nullptr;
    }
    auto *p = new (place) wh_json_parser(max_bytes, max_depth);
    if (p->parser.allocate(COPY_MIN, max_depth) != simdjson::SUCCESS) {
        wh_json_parser_free(p);
        return nullptr;
    }
    return p;
}

void wh_json_parser_free(struct wh_json_parser *parser)
{
    if (parser != nullptr) {
        wh_mem_free(parser->copy);
        parser->~wh_json_parser();
        wh_mem_free(parser);
    }
}

/* Copies the text into a reused buffer with padding after it. */
static enum wh_rc pad(struct wh_json_parser *p, struct wh_slice text, struct wh_err *err)
{
    size_t need = text.len + simdjson::SIMDJSON_PADDING;

    if (need > p->copy_bytes) {
        size_t bytes = p->copy_bytes ? p->copy_bytes : COPY_MIN;

        while (bytes < need) {
            bytes *= 2;
        }
        wh_mem_free(p->copy);
        p->copy_bytes = 0;
        p->copy = static_cast<char *>(wh_mem_alloc(bytes));
        if (p->copy == nullptr) {
            return wh_fail(err, WH_E_NOMEM, "no memory for a JSON text of %zu bytes", text.len);
        }
        p->copy_bytes = bytes;
    }
    memcpy(p->copy, text.ptr, text.len);
    memset(p->copy + text.len, ' ', simdjson::SIMDJSON_PADDING);
    return WH_OK;
}

/* The position of the first malformed UTF-8 byte, found by bisection. */
static size_t utf8_error_at(struct wh_slice text)
{
    size_t good = 0;
    size_t bad = text.len;

    while (bad - good > 1) {
        size_t mid = good + (bad - good) / 2;
        size_t cut = mid;

        /* A prefix must not end inside a character. */
        while (cut > good && (static_cast<unsigned char>(text.ptr[cut]) & 0xC0) == 0x80) {
            cut--;
        }
        if (cut > good && wh_utf8_valid(wh_slice(text.ptr + good, cut - good))) {
            good = cut;
        } else if (cut == good) {
            break;
        } else {
            bad = cut;
        }
    }
    return good;
}

static enum wh_rc explain(simdjson::error_code code, struct wh_slice text, struct wh_err *err)
{
    switch (code) {
    case simdjson::CAPACITY:
        return wh_fail(err, WH_E_TOO_LARGE, "JSON of %zu bytes is over the limit", text.len);
    case simdjson::MEMALLOC:
        return wh_fail(err, WH_E_NOMEM, "no memory for JSON of %zu bytes", text.len);
    case simdjson::DEPTH_ERROR:
        return wh_fail(err, WH_E_TOO_DEEP, "JSON is nested deeper than the limit");
    case simdjson::UTF8_ERROR:
        return wh_fail(err, WH_E_UTF8, "JSON is not UTF-8 at or after byte %zu of %zu",
                       utf8_error_at(text), text.len);
    case simdjson::EMPTY:
        return wh_fail(err, WH_E_INVALID, "JSON text is empty");
    case simdjson::NUMBER_ERROR:
        return wh_fail(err, WH_E_INVALID,
                       "malformed JSON: a number is malformed or takes more than 64 bits");
    case simdjson::STRING_ERROR:
        return wh_fail(err, WH_E_INVALID, "malformed JSON: bad escape in a string");
    case simdjson::UNCLOSED_STRING:
        return wh_fail(err, WH_E_INVALID, "malformed JSON: a string does not end within %zu bytes",
                       text.len);
    case simdjson::UNESCAPED_CHARS:
        return wh_fail(err, WH_E_INVALID, "malformed JSON: control character in a string");
    default:
        return wh_fail(err, WH_E_INVALID, "malformed JSON within %zu bytes", text.len);
    }
}

/* simdjson 3.0.1 turns a lone low surrogate (\uDC00..\uDFFF) into bytes that are not UTF-8. */
static bool surrogate_escape(struct wh_slice text)
{
    const char *p = text.ptr;
    const char *end = text.ptr + text.len;

    while ((p = static_cast<const char *>(memchr(p, '\\', static_cast<size_t>(end - p)))) !=
           nullptr) {
        if (end - p >= 4 && p[1] == 'u' && (p[2] | 0x20) == 'd' && p[3] > '7') {
            return true;
        }
        p += end - p >= 2 ? 2 : 1;
    }
    return false;
}

static enum wh_rc check_strings(const struct wh_json_doc *doc, struct wh_err *err);

/* bytes: the text where the padding is readable. */
static enum wh_rc parse_padded(struct wh_json_parser *parser, const char *bytes,
                               struct wh_slice text, struct wh_json_val *ret, struct wh_err *err)
{
    dom::element root;
    auto code = parser->parser.parse(bytes, text.len, false).get(root);

    if (code != simdjson::SUCCESS) {
        return explain(code, text, err);
    }
    parser->doc.tape = parser->parser.doc.tape.get();
    parser->doc.strings = parser->parser.doc.string_buf.get();
    if (surrogate_escape(text) && check_strings(&parser->doc, err) != WH_OK) {
        return err->rc;
    }
    ret->doc = &parser->doc;
    ret->index = 1;
    return WH_OK;
}

static enum wh_rc check_size(const struct wh_json_parser *parser, struct wh_slice text,
                             struct wh_err *err)
{
    if (text.len > parser->max_bytes) {
        return wh_fail(err, WH_E_TOO_LARGE, "JSON of %zu bytes is over the limit of %zu", text.len,
                       parser->max_bytes);
    }
    if (text.len == 0) {
        return wh_fail(err, WH_E_INVALID, "JSON text is empty");
    }
    return WH_OK;
}

enum wh_rc wh_json_parse(struct wh_json_parser *parser, struct wh_slice text,
                         struct wh_json_val *ret, struct wh_err *err)
{
    if (check_size(parser, text, err) != WH_OK || pad(parser, text, err) != WH_OK) {
        return err->rc;
    }
    return parse_padded(parser, parser->copy, text, ret, err);
}

/* ---- values ---- */

static enum wh_rc check_strings(const struct wh_json_doc *doc, struct wh_err *err)
{
    size_t end = doc->tape[0] & 0xFFFFFFFFU;
    struct wh_json_val v = {doc, 1};

    while (v.index < end) {
        char t = wh_json_tag(v);

        if (t == '"' && !wh_utf8_valid(wh_json_string_at(v))) {
            return wh_fail(err, WH_E_UTF8, "a string escapes a lone surrogate");
        }
        v.index += t == 'l' || t == 'u' || t == 'd' ? 2 : 1;
    }
    return WH_OK;
}

uint64_t wh_json_uint(struct wh_json_val v)
{
    char t = wh_json_tag(v);
    uint64_t word = t == 'u' || t == 'l' ? wh_json_number_word(v) : 0;

    return t == 'u' || static_cast<int64_t>(word) >= 0 ? word : 0;
}

double wh_json_double(struct wh_json_val v)
{
    uint64_t bits;
    double d;

    switch (wh_json_tag(v)) {
    case 'l':
        return static_cast<double>(static_cast<int64_t>(wh_json_number_word(v)));
    case 'u':
        return static_cast<double>(wh_json_number_word(v));
    case 'd':
        bits = wh_json_number_word(v);
        memcpy(&d, &bits, sizeof(d));
        return d;
    default:
        return 0;
    }
}

bool wh_json_get(struct wh_json_val object, struct wh_slice key, struct wh_json_val *ret)
{
    struct wh_json_iter it = wh_json_iter(object);
    struct wh_json_val v;
    struct wh_slice name;

    while (it.object && wh_json_next(&it, &name, &v)) {
        if (wh_slice_eq(name, key)) {
            *ret = v;
            return true;
        }
    }
    return false;
}

int64_t wh_json_get_int(struct wh_json_val object, const char *key, int64_t otherwise)
{
    struct wh_json_val v;

    return wh_json_get(object, wh_slice_str(key), &v) && wh_json_type(v) == WH_JSON_INT
               ? wh_json_int(v)
               : otherwise;
}

struct wh_slice wh_json_get_str(struct wh_json_val object, const char *key)
{
    struct wh_json_val v;

    return wh_json_get(object, wh_slice_str(key), &v) && wh_json_type(v) == WH_JSON_STRING
               ? wh_json_string(v)
               : wh_slice("", 0);
}

bool wh_json_get_flag(struct wh_json_val object, const char *key)
{
    struct wh_json_val v;

    return wh_json_get(object, wh_slice_str(key), &v) && wh_json_type(v) == WH_JSON_BOOL &&
           wh_json_bool(v);
}

struct wh_json_iter wh_json_get_iter(struct wh_json_val object, const char *key)
{
    struct wh_json_iter none = {object.doc, 0, 0, false};
    struct wh_json_val v;

    return wh_json_get(object, wh_slice_str(key), &v) ? wh_json_iter(v) : none;
}

/* ---- splitting ---- */

static inline bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The structural characters of the text that was parsed last: where simdjson's first stage found
 * each bracket, comma and colon, and each value's first byte. */
struct structure {
    const char *text;
    const uint32_t *at;
    size_t n;
};

/* Index of what ends the element that begins at i: a comma or a bracket, of its own level. */
static size_t element_end(const struct structure *s, size_t i)
{
    size_t depth = 0;

    for (; i < s->n; i++) {
        switch (s->text[s->at[i]]) {
        case '[':
        case '{':
            depth++;
            break;
        case ']':
        case '}':
            if (depth == 0) {
                return i;
            }
            depth--;
            break;
        case ',':
            if (depth == 0) {
                return i;
            }
            break;
        default:
            break;
        }
    }
    return i;
}

enum wh_rc wh_json_split_array(struct wh_json_parser *parser, struct wh_slice text,
                               wh_json_row_fn fn, void *ctx, struct wh_err *err)
{
    struct wh_json_val root = {};
    struct wh_json_val value = {};
    struct wh_json_iter it;

    if (check_size(parser, text, err) != WH_OK ||
        parse_padded(parser, text.ptr, text, &root, err) != WH_OK || root.doc == nullptr) {
        return err->rc;
    }
    if (wh_json_type(root) != WH_JSON_ARRAY) {
        return wh_fail(err, WH_E_TYPE, "a JSON array was expected");
    }
    const auto &stage1 = *parser->parser.implementation;
    const struct structure s = {text.ptr, stage1.structural_indexes.get(),
                                stage1.n_structural_indexes};
    size_t i = 1;

    it = wh_json_iter(root);
    while (wh_json_next(&it, nullptr, &value)) {
        size_t stop = element_end(&s, i);
        const char *first = text.ptr + s.at[i];
        const char *last = text.ptr + s.at[stop];
        enum wh_rc rc;

        while (blank(last[-1])) {
            last--;
        }
        rc = fn(ctx, wh_slice(first, static_cast<size_t>(last - first)), value, err);
        if (rc != WH_OK) {
            return rc;
        }
        i = stop + 1;
    }
    return WH_OK;
}
