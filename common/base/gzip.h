/* gzip.h - compresses bytes in pieces, by zlib at its fastest level. Thread: one at a time. */
#ifndef WH_BASE_GZIP_H
#define WH_BASE_GZIP_H

#include <stdbool.h>

#include "common/base/err.h"
#include "common/base/slice.h"

struct wh_gzip;

/* Takes compressed bytes, which are valid during the call. */
typedef enum wh_rc (*wh_gzip_fn)(void *ctx, struct wh_slice bytes, struct wh_err *err);

/* About 270 KiB. NULL: no memory. */
struct wh_gzip *wh_gzip_new(void);
void wh_gzip_free(struct wh_gzip *gzip);
/*
 * Compresses the bytes and calls fn for what is ready, which may be nothing. With end it is called for
 * all that is left, and the stream is complete. Returns the first error of fn.
 */
WH_MUST_CHECK enum wh_rc wh_gzip_write(struct wh_gzip *gzip, struct wh_slice bytes, bool end,
                                       wh_gzip_fn fn, void *ctx, struct wh_err *err);

#endif
