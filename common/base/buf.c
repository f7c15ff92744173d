#include "common/base/buf.h"

#include <stdio.h>

#include "common/base/mem.h"

enum { FIRST_CAPACITY = 64 };

void wh_buf_init(struct wh_buf *buf, size_t max)
{
    *buf = (struct wh_buf){.max = max};
}

void wh_buf_init_secret(struct wh_buf *buf, size_t max)
{
    *buf = (struct wh_buf){.max = max, .secret = true};
}

static void give_back(const struct wh_buf *buf)
{
    if (buf->secret && buf->ptr) {
        wh_mem_wipe(buf->ptr, buf->cap);
    }
    wh_mem_free(buf->ptr);
}

void wh_buf_done(struct wh_buf *buf)
{
    give_back(buf);
    *buf = (struct wh_buf){.max = buf->max, .secret = buf->secret};
}

void wh_buf_reset(struct wh_buf *buf)
{
    if (buf->secret && buf->ptr) {
        wh_mem_wipe(buf->ptr, buf->len);
    }
    buf->len = 0;
    if (buf->ptr) {
        buf->ptr[0] = '\0';
    }
}

static size_t grown(size_t cap, size_t need, size_t limit)
{
    size_t next = cap ? cap : FIRST_CAPACITY;

    while (next < need) {
        if (next > limit / 2) {
            return limit;
        }
        next *= 2;
    }
    return next < limit ? next : limit;
}

/* realloc may move a secret and leave a copy behind. */
static char *moved(const struct wh_buf *buf, size_t size)
{
    char *ptr = wh_mem_alloc(size);

    if (ptr && buf->len) {
        memcpy(ptr, buf->ptr, buf->len);
    }
    if (ptr) {
        give_back(buf);
    }
    return ptr;
}

enum wh_rc wh_buf_grow(struct wh_buf *buf, size_t n, struct wh_err *err)
{
    char *ptr;
    size_t cap;

    if (n > buf->max - buf->len) {
        return wh_fail(err, WH_E_TOO_LARGE, "buffer limit of %zu bytes exceeded", buf->max);
    }
    cap = grown(buf->cap, buf->len + n, buf->max);
    ptr = buf->secret ? moved(buf, cap + 1) : wh_mem_resize(buf->ptr, cap + 1, 1);
    if (ptr == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a buffer of %zu bytes", cap);
    }
    ptr[buf->len] = '\0';
    buf->ptr = ptr;
    buf->cap = cap;
    return WH_OK;
}

enum wh_rc wh_buf_append_char(struct wh_buf *buf, char c, struct wh_err *err)
{
    return wh_buf_append(buf, wh_slice(&c, 1), err);
}

enum wh_rc wh_buf_printf(struct wh_buf *buf, struct wh_err *err, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        return wh_fail(err, WH_E_INTERNAL, "formatting failed");
    }
    if (wh_buf_reserve(buf, (size_t)n, err) != WH_OK) {
        return err->rc;
    }
    va_start(ap, fmt);
    (void)vsnprintf(buf->ptr + buf->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    buf->len += (size_t)n;
    return WH_OK;
}

char *wh_buf_take(struct wh_buf *buf, size_t *ret_len)
{
    char *ptr = buf->ptr;

    *ret_len = buf->len;
    *buf = (struct wh_buf){.max = buf->max, .secret = buf->secret};
    return ptr;
}
