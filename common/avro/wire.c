#include "common/avro/wire.h"

#include <string.h>

#include "common/base/enc.h"

enum { LONG_MAX_BYTES = WH_AVRO_LONG_BYTES };

void wh_avro_reader_init(struct wh_avro_reader *r, struct wh_slice bytes)
{
    *r = (struct wh_avro_reader){
        .p = (const unsigned char *)bytes.ptr,
        .end = (const unsigned char *)bytes.ptr + bytes.len,
    };
}

void wh_avro_fail(struct wh_avro_reader *r, enum wh_rc rc, const char *what)
{
    if (r->rc == WH_OK) {
        r->rc = rc;
        r->what = what;
        r->p = r->end;
    }
}

static size_t left(const struct wh_avro_reader *r)
{
    return (size_t)(r->end - r->p);
}

int64_t wh_avro_read_long_more(struct wh_avro_reader *r)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < LONG_MAX_BYTES; i++) {
        unsigned char b;

        if (r->p == r->end) {
            wh_avro_fail(r, WH_E_INVALID, "the record ends within a number");
            return 0;
        }
        b = *r->p++;
        if (i == LONG_MAX_BYTES - 1 && b > 1) {
            break;
        }
        v |= (uint64_t)(b & 0x7F) << (7 * i);
        if ((b & 0x80) == 0) {
            return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
        }
    }
    wh_avro_fail(r, WH_E_RANGE, "a number takes more than 64 bits");
    return 0;
}

int32_t wh_avro_read_int(struct wh_avro_reader *r)
{
    int64_t v = wh_avro_read_long(r);

    if (v < INT32_MIN || v > INT32_MAX) {
        wh_avro_fail(r, WH_E_RANGE, "a number takes more than 32 bits");
        return 0;
    }
    return (int32_t)v;
}

bool wh_avro_read_bool(struct wh_avro_reader *r)
{
    if (left(r) < 1 || *r->p > 1) {
        wh_avro_fail(r, WH_E_INVALID, "a boolean is neither 0 nor 1");
        return false;
    }
    return *r->p++ == 1;
}

double wh_avro_read_double(struct wh_avro_reader *r)
{
    uint64_t bits = 0;
    double v;

    if (left(r) < sizeof(bits)) {
        wh_avro_fail(r, WH_E_INVALID, "the record ends within a double");
        return 0;
    }
    for (unsigned i = 0; i < sizeof(bits); i++) {
        bits |= (uint64_t)r->p[i] << (8 * i);
    }
    r->p += sizeof(bits);
    memcpy(&v, &bits, sizeof(v));
    return v;
}

struct wh_slice wh_avro_read_bytes(struct wh_avro_reader *r)
{
    int64_t n = wh_avro_read_long(r);
    struct wh_slice bytes;

    if (n < 0 || (uint64_t)n > left(r)) {
        wh_avro_fail(r, WH_E_INVALID, "a length points past the record");
        return wh_slice("", 0);
    }
    bytes = wh_slice(r->p, (size_t)n);
    r->p += n;
    return bytes;
}

struct wh_slice wh_avro_read_text(struct wh_avro_reader *r)
{
    struct wh_slice text = wh_avro_read_bytes(r);

    if (!wh_utf8_valid(text)) {
        wh_avro_fail(r, WH_E_UTF8, "a string is not UTF-8");
        return wh_slice("", 0);
    }
    return text;
}

unsigned wh_avro_read_branch(struct wh_avro_reader *r, unsigned n)
{
    int64_t v = wh_avro_read_long(r);

    if (v < 0 || v >= (int64_t)n) {
        wh_avro_fail(r, WH_E_INVALID, "a union has no such branch");
        return 0;
    }
    return (unsigned)v;
}

size_t wh_avro_read_block(struct wh_avro_reader *r)
{
    int64_t n = wh_avro_read_long(r);

    if (n < 0) {
        /* A negative count is followed by the block's size in bytes. */
        int64_t size = wh_avro_read_long(r);

        if (n == INT64_MIN || size < 0 || (uint64_t)size > left(r)) {
            wh_avro_fail(r, WH_E_INVALID, "an array block is damaged");
            return 0;
        }
        n = -n;
    }
    if ((uint64_t)n > left(r)) {
        wh_avro_fail(r, WH_E_INVALID, "an array has more items than bytes");
        return 0;
    }
    return (size_t)n;
}

enum wh_rc wh_avro_reader_end(const struct wh_avro_reader *r, struct wh_err *err)
{
    if (r->rc != WH_OK) {
        return wh_fail(err, r->rc, "%s", r->what);
    }
    if (r->p != r->end) {
        return wh_fail(err, WH_E_INVALID, "%zu extra bytes after the record",
                       (size_t)(r->end - r->p));
    }
    return WH_OK;
}

void wh_avro_writer_init(struct wh_avro_writer *w, struct wh_buf *out, struct wh_err *err)
{
    *w = (struct wh_avro_writer){.out = out, .err = err};
}

void wh_avro_write_bool(struct wh_avro_writer *w, bool v)
{
    wh_avro_write_raw(w, wh_slice(v ? "\1" : "\0", 1));
}

void wh_avro_write_double(struct wh_avro_writer *w, double v)
{
    unsigned char bytes[8];
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    for (unsigned i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char)(bits >> (8 * i));
    }
    wh_avro_write_raw(w, wh_slice(bytes, sizeof(bytes)));
}
