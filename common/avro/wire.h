/*
 * wire.h - Avro's binary primitives (Avro 1.11 specification, "Binary Encoding"), by hand: the
 * schemas are few and fixed, and the generic library costs twenty times as much and trusts its
 * input. Tests hold these bytes equal to avro-c's.
 *
 * Reader: a cursor that cannot leave its bytes. The first error sticks; later reads give zeros, so
 * that only the end is checked. Writer: appends to a bounded buffer, the first error sticks too.
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
/* Bytes inside the input; text is checked to be UTF-8. */
struct wh_slice wh_avro_read_bytes(struct wh_avro_reader *r);
struct wh_slice wh_avro_read_text(struct wh_avro_reader *r);
/* Index of a union's branch, below n. */
unsigned wh_avro_read_branch(struct wh_avro_reader *r, unsigned n);
/*
 * Items of an array's next block, 0 at its end. Each item takes at least one byte in our schemas,
 * so a count above what is left is refused: nothing a peer sends chooses an allocation.
 */
size_t wh_avro_read_block(struct wh_avro_reader *r);
/* WH_OK when nothing failed and every byte was used. */
WH_MUST_CHECK enum wh_rc wh_avro_reader_end(const struct wh_avro_reader *r, struct wh_err *err);

struct wh_avro_writer {
    struct wh_buf *out;
    struct wh_err *err;
    enum wh_rc rc;
};

void wh_avro_writer_init(struct wh_avro_writer *w, struct wh_buf *out, struct wh_err *err);
void wh_avro_write_bool(struct wh_avro_writer *w, bool v);
void wh_avro_write_double(struct wh_avro_writer *w, double v);

/* Inline, as records are mostly lengths and short texts. */

enum { WH_AVRO_LONG_BYTES = 10 };

/* Puts v at `to`, which has room for WH_AVRO_LONG_BYTES; gives the place behind it. */
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
