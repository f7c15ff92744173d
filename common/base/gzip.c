#include "common/base/gzip.h"

#include <zlib.h>

#include "common/base/mem.h"

enum {
    OUT_BYTES = 16 << 10,
    PIECE_MAX = 1 << 30, /* zlib counts in unsigned int */
    MEMORY_LEVEL = 8,
    GZIP_WINDOW = 15 + 16, /* 32 KiB, with gzip's head and tail */
};

struct wh_gzip {
    z_stream z;
    unsigned char out[OUT_BYTES];
};

struct wh_gzip *wh_gzip_new(void)
{
    struct wh_gzip *gzip = wh_mem_zalloc(1, sizeof(*gzip));

    if (gzip && deflateInit2(&gzip->z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL,
                             Z_DEFAULT_STRATEGY) != Z_OK) {
        wh_mem_free(gzip);
        return NULL;
    }
    return gzip;
}

void wh_gzip_free(struct wh_gzip *gzip)
{
    if (gzip) {
        (void)deflateEnd(&gzip->z);
        wh_mem_free(gzip);
    }
}

/* Until zlib has taken all its input and, for Z_FINISH, has given all its output. */
static enum wh_rc run(struct wh_gzip *gzip, int flush, wh_gzip_fn fn, void *ctx, struct wh_err *err)
{
    z_stream *z = &gzip->z;

    do {
        size_t n;

        z->next_out = gzip->out;
        z->avail_out = OUT_BYTES;
        if (deflate(z, flush) == Z_STREAM_ERROR) {
            return wh_fail(err, WH_E_INTERNAL, "zlib refuses its own state");
        }
        n = OUT_BYTES - z->avail_out;
        if (n && fn(ctx, wh_slice((const char *)gzip->out, n), err) != WH_OK) {
            return err->rc;
        }
    } while (z->avail_out == 0);
    return WH_OK;
}

enum wh_rc wh_gzip_write(struct wh_gzip *gzip, struct wh_slice bytes, bool end, wh_gzip_fn fn,
                         void *ctx, struct wh_err *err)
{
    while (bytes.len) {
        size_t n = bytes.len < PIECE_MAX ? bytes.len : PIECE_MAX;
        void *in;

        memcpy(&in, &bytes.ptr, sizeof(in));
        gzip->z.next_in = in;
        gzip->z.avail_in = (unsigned)n;
        if (run(gzip, Z_NO_FLUSH, fn, ctx, err) != WH_OK) {
            return err->rc;
        }
        bytes = wh_slice_from(bytes, n);
    }
    return end ? run(gzip, Z_FINISH, fn, ctx, err) : WH_OK;
}
