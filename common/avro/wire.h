/*
 * wire.h - Avro's binary primitives (Avro 1.11 specification, "Binary Encoding"). They are written
 * by hand because the schemas are few and fixed, and avro-c costs twenty times as much and trusts
 * its input. Tests compare the bytes with avro-c's.
 *
 * Reader: bounds-checked. The first error sticks and later reads return zeros, so callers check only
 * wh_avro_reader_end. Writer: appends to a bounded buffer; the first error sticks too.
 */
#ifndef WH_AVRO_WIRE_H
#define WH_AVRO_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/slice.h"

struct wh_avro_reader {
    const unsigned char *p;
    const unsigned char *end;
    enum wh_rc rc;
    const char *what; /* static text of the first error */
};

void wh_avro_reader_init(struct wh_avro_reader *r, struct wh_slice bytes);
void wh_avro_fail(struct wh_avro_reader *r, enum wh_rc rc, const char *what);
int64_t wh_avro_read_long_more(struct wh_avro_reader *r);
/* Most numbers take one byte. */
static inline int64_t wh_avro_read_long(struct wh_avro_reader *r)
{
    if (r->p != r->end && *r->p < 0x80) {
        unsigned char b = *r->p++;

        return (int64_t)(b >> 1) ^ -(int64_t)(b & 1);
    }
    return wh_avro_read_long_more(r);
}
int32_t wh_avro_read_int(struct wh_avro_reader *r);
bool wh_avro_read_bool(struct wh_avro_reader *r);
double wh_avro_read_double(struct wh_avro_reader *r);
/* Slices of the input. Text must be UTF-8 (WH_E_UTF8). */
struct wh_slice wh_avro_read_bytes(struct wh_avro_reader *r);
struct wh_slice wh_avro_read_text(struct wh_avro_reader *r);
/* The branch index of a union with n branches; always below n. */
unsigned wh_avro_read_branch(struct wh_avro_reader *r, unsigned n);
/*
 * The number of items in the array's next block; 0 at the array's end. Every item of our schemas takes
 * at least one byte, so a count above the bytes that are left is an error: input never sizes memory.
 */
size_t wh_avro_read_block(struct wh_avro_reader *r);
/* WH_OK when no read failed and no bytes are left. */
WH_MUST_CHECK enum wh_rc wh_avro_reader_end(const struct wh_avro_reader *r, struct wh_err *err);

struct wh_avro_writer {
    struct wh_buf *out;
    struct wh_err *err;
    enum wh_rc rc;
};

void wh_avro_writer_init(struct wh_avro_writer *w, struct wh_buf *out, struct wh_err *err);
void wh_avro_write_bool(struct wh_avro_writer *w, bool v);
void wh_avro_write_double(struct wh_avro_writer *w, double v);

/* Inline because records consist mostly of lengths and short texts. */

enum { WH_AVRO_LONG_BYTES = 10 };

/* Writes v at `to`, which must have room for WH_AVRO_LONG_BYTES. Returns the end of the number. */
static inline char *wh_avro_put_long(char *to, int64_t v)
{
    uint64_t zigzag = ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);

    while (zigzag > 0x7F) {
        *to++ = (char)(zigzag | 0x80);
        zigzag >>= 7;
    }
    *to++ = (char)zigzag;
    return to;
}

static inline bool wh_avro_room(struct wh_avro_writer *w, size_t n)
{
    if (w->rc == WH_OK) {
        w->rc = wh_buf_reserve(w->out, n, w->err);
    }
    return w->rc == WH_OK;
}

static inline void wh_avro_wrote(struct wh_avro_writer *w, char *end)
{
    w->out->len = (size_t)(end - w->out->ptr);
    *end = '\0';
}

static inline void wh_avro_write_long(struct wh_avro_writer *w, int64_t v)
{
    if (wh_avro_room(w, WH_AVRO_LONG_BYTES)) {
        wh_avro_wrote(w, wh_avro_put_long(w->out->ptr + w->out->len, v));
    }
}

static inline void wh_avro_write_raw(struct wh_avro_writer *w, struct wh_slice bytes)
{
    if (w->rc == WH_OK) {
        w->rc = wh_buf_append(w->out, bytes, w->err);
    }
}

static inline void wh_avro_write_bytes(struct wh_avro_writer *w, struct wh_slice bytes)
{
    char *to;

    if (!wh_avro_room(w, WH_AVRO_LONG_BYTES + bytes.len)) {
        return;
    }
    to = wh_avro_put_long(w->out->ptr + w->out->len, (int64_t)bytes.len);
    if (bytes.len) {
        memcpy(to, bytes.ptr, bytes.len);
    }
    wh_avro_wrote(w, to + bytes.len);
}

#endif
