/*
 * buf.h - a growing byte buffer with a maximum size that is set when it is initialised.
 *
 *      ptr            ptr+len          ptr+cap <= max
 *       |---- written ---|---- free ------|
 *
 * Appending past max fails with WH_E_TOO_LARGE and leaves the buffer unchanged. Once memory is
 * reserved, ptr[len] is always NUL. Thread: one at a time.
 */
#ifndef WH_BASE_BUF_H
#define WH_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/slice.h"

struct wh_buf {
    char *ptr;
    size_t len;
    size_t cap;
    size_t max;
    bool secret;
};

/* Allocates nothing yet; max is in bytes, at least 1. */
void wh_buf_init(struct wh_buf *buf, size_t max);
/*
 * For secrets: the bytes are overwritten before their memory is freed or reused, in wh_buf_done,
 * wh_buf_reset and whenever the buffer grows.
 */
void wh_buf_init_secret(struct wh_buf *buf, size_t max);
/* Frees the bytes; the buffer can be used again, as after init. Accepts a zeroed struct. */
void wh_buf_done(struct wh_buf *buf);
/* Empties the buffer; keeps its memory. */
void wh_buf_reset(struct wh_buf *buf);
/* The slow path of wh_buf_reserve: allocates. */
WH_MUST_CHECK enum wh_rc wh_buf_grow(struct wh_buf *buf, size_t n, struct wh_err *err);

/* Makes room for n more bytes at ptr+len. WH_E_TOO_LARGE beyond max, WH_E_NOMEM. */
static inline WH_MUST_CHECK enum wh_rc wh_buf_reserve(struct wh_buf *buf, size_t n,
                                                      struct wh_err *err)
{
    /* cap never exceeds max. */
    return buf->ptr && n <= buf->cap - buf->len ? WH_OK : wh_buf_grow(buf, n, err);
}

static inline WH_MUST_CHECK enum wh_rc wh_buf_append(struct wh_buf *buf, struct wh_slice bytes,
                                                     struct wh_err *err)
{
    if (wh_buf_reserve(buf, bytes.len, err) != WH_OK) {
        return err->rc;
    }
    if (bytes.len) {
        memcpy(buf->ptr + buf->len, bytes.ptr, bytes.len);
    }
    buf->len += bytes.len;
    buf->ptr[buf->len] = '\0';
    return WH_OK;
}

WH_MUST_CHECK enum wh_rc wh_buf_append_char(struct wh_buf *buf, char c, struct wh_err *err);
WH_MUST_CHECK enum wh_rc wh_buf_printf(struct wh_buf *buf, struct wh_err *err, const char *fmt, ...)
    WH_PRINTF(3, 4);
/* Moves the bytes to the caller, who frees them (wh_mem_free, wh_mem_free_secret). NULL if empty. */
char *wh_buf_take(struct wh_buf *buf, size_t *ret_len);

static inline struct wh_slice wh_buf_slice(const struct wh_buf *buf)
{
    return wh_slice(buf->ptr, buf->len);
}

/* The written bytes as a C string; "" when nothing was written. */
static inline const char *wh_buf_str(const struct wh_buf *buf)
{
    return buf->ptr ? buf->ptr : "";
}

#endif
