/*
 * slice.h - borrowed bytes: not owned, not NUL-terminated. An empty slice may have ptr NULL.
 */
#ifndef WH_BASE_SLICE_H
#define WH_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct wh_slice {
    const char *ptr;
    size_t len;
};

/* printf("%.*s", WH_SLICE_ARG(s)): for messages only, because it truncates at INT_MAX. */
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

/* Compares the first and the last word, which may overlap and together cover all n bytes. */
#define WH_SLICE_ENDS_EQ(type, p, q, n)                                                            \
    (wh_slice_load_##type(p) == wh_slice_load_##type(q) &&                                         \
     wh_slice_load_##type((p) + (n) - sizeof(type)) ==                                             \
         wh_slice_load_##type((q) + (n) - sizeof(type)))

static inline uint64_t wh_slice_load_uint64_t(const char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint32_t wh_slice_load_uint32_t(const char *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* Inline because most slices are short names, for which calling memcmp costs more. */
static inline bool wh_slice_eq(struct wh_slice a, struct wh_slice b)
{
    if (a.len != b.len) {
        return false;
    }
    if (a.len > 16) {
        return memcmp(a.ptr, b.ptr, a.len) == 0;
    }
    if (a.len >= 8) {
        return WH_SLICE_ENDS_EQ(uint64_t, a.ptr, b.ptr, a.len);
    }
    if (a.len >= 4) {
        return WH_SLICE_ENDS_EQ(uint32_t, a.ptr, b.ptr, a.len);
    }
    return a.len == 0 || (a.ptr[0] == b.ptr[0] && a.ptr[a.len / 2] == b.ptr[a.len / 2] &&
                          a.ptr[a.len - 1] == b.ptr[a.len - 1]);
}

/* Compares bytes; a proper prefix sorts first. Returns <0, 0 or >0. */
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

static inline bool wh_slice_ends(struct wh_slice s, struct wh_slice suffix)
{
    return s.len >= suffix.len &&
           (suffix.len == 0 || memcmp(s.ptr + s.len - suffix.len, suffix.ptr, suffix.len) == 0);
}

/* The bytes starting at `from`; empty when `from` is past the end. */
static inline struct wh_slice wh_slice_from(struct wh_slice s, size_t from)
{
    if (from >= s.len) {
        return (struct wh_slice){s.ptr, 0};
    }
    return (struct wh_slice){s.ptr + from, s.len - from};
}

#endif
