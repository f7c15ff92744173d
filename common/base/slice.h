/*
 * slice.h - borrowed bytes. Never NUL-terminated, never owned; an empty slice may have ptr NULL.
 */
#ifndef WH_BASE_SLICE_H
#define WH_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct wh_slice {
    const char *ptr;
    size_t len;
};

/* printf("%.*s", WH_SLICE_ARG(s)): for messages only, the length is cut at INT_MAX. */
#define WH_SLICE_ARG(s) (int)((s).len > 0x7fffffff ? 0x7fffffff : (s).len), (s).ptr ? (s).ptr : ""
/* A slice over a string literal. */
#define WH_LIT(text) ((struct wh_slice){(text), sizeof(text) - 1})

static inline struct wh_slice wh_slice(const void *ptr, size_t len)
{
    return (struct wh_slice){(const char *)ptr, len};
}

static inline struct wh_slice wh_slice_str(const char *text)
{
    return (struct wh_slice){text, text ? strlen(text) : 0};
}

static inline bool wh_slice_eq(struct wh_slice a, struct wh_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Byte order, shorter first on a common prefix; <0, 0, >0. */
static inline int wh_slice_cmp(struct wh_slice a, struct wh_slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.ptr, b.ptr, n) : 0;

    if (c != 0) {
        return c;
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

static inline bool wh_slice_starts(struct wh_slice s, struct wh_slice prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

/* Bytes from `from` on; empty when from is past the end. */
static inline struct wh_slice wh_slice_from(struct wh_slice s, size_t from)
{
    if (from >= s.len) {
        return (struct wh_slice){s.ptr, 0};
    }
    return (struct wh_slice){s.ptr + from, s.len - from};
}

#endif
