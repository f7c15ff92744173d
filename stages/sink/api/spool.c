/* A long answer: in memory first, then in an unlinked file; compressed if the client accepts that. */
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/tempfile.h"
#include "stages/sink/api/api_priv.h"

enum { MEMORY_MAX_BYTES = 1 << 20 };

void api_spool_init(struct api_spool *out, const char *folder)
{
    *out = (struct api_spool){.fd = -1, .folder = folder};
    wh_buf_init(&out->memory, MEMORY_MAX_BYTES);
}

void api_spool_done(struct api_spool *out)
{
    wh_gzip_free(out->compressor);
    out->compressor = NULL;
    wh_buf_done(&out->memory);
    if (out->fd >= 0) {
        (void)close(out->fd);
    }
    out->fd = -1;
}

int64_t api_spool_bytes(const struct api_spool *out)
{
    return out->in_file + (int64_t)out->memory.len;
}

static enum wh_rc to_file(struct api_spool *out, struct wh_slice bytes, struct wh_err *err)
{
    size_t done = 0;

    while (done < bytes.len) {
        ssize_t n = pwrite(out->fd, bytes.ptr + done, bytes.len - done, (off_t)out->in_file);

        if (n <= 0) {
            return wh_fail(err, WH_E_NO_SPACE, "no room for a long answer");
        }
        done += (size_t)n;
        out->in_file += n;
    }
    return WH_OK;
}

static enum wh_rc spill(struct api_spool *out, struct wh_err *err)
{
    if (out->fd < 0) {
        out->fd = wh_tempfile_open(out->folder && out->folder[0] ? out->folder : "/tmp");
    }
    if (out->fd < 0) {
        return wh_fail(err, WH_E_IO, "cannot make a file for a long answer");
    }
    if (to_file(out, wh_buf_slice(&out->memory), err) != WH_OK) {
        return err->rc;
    }
    wh_buf_reset(&out->memory);
    return WH_OK;
}

static enum wh_rc keep(void *ctx, struct wh_slice bytes, struct wh_err *err)
{
    struct api_spool *out = ctx;

    if (out->flow) {
        return api_flow_write(out->flow, bytes, err);
    }
    if (out->memory.len + bytes.len > MEMORY_MAX_BYTES && spill(out, err) != WH_OK) {
        return err->rc;
    }
    if (bytes.len > MEMORY_MAX_BYTES) {
        return to_file(out, bytes, err);
    }
    return wh_buf_append(&out->memory, bytes, err);
}

/* What was kept so far becomes the beginning of the compressed answer. */
static enum wh_rc compress_from_here(struct api_spool *out, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf before = out->memory;

    wh_buf_init(&out->memory, MEMORY_MAX_BYTES);
    out->compressor = wh_gzip_new();
    if (out->compressor == NULL) {
        return wh_fail(err, WH_E_UNAVAILABLE, "out of memory");
    }
    out->compressed = true;
    return wh_gzip_write(out->compressor, wh_buf_slice(&before), false, keep, out, err);
}

enum wh_rc api_spool_write(struct api_spool *out, struct wh_slice bytes, struct wh_err *err)
{
    bool is_long = out->flow || out->taken + (int64_t)bytes.len > API_GZIP_MIN_BYTES;

    if (out->gzip && is_long && !out->compressed && compress_from_here(out, err) != WH_OK) {
        return err->rc;
    }
    out->taken += (int64_t)bytes.len;
    return out->compressor ? wh_gzip_write(out->compressor, bytes, false, keep, out, err)
                           : keep(out, bytes, err);
}

enum wh_rc api_spool_end(struct api_spool *out, struct wh_err *err)
{
    enum wh_rc rc = WH_OK;

    if (out->compressor) {
        rc = wh_gzip_write(out->compressor, wh_slice("", 0), true, keep, out, err);
        wh_gzip_free(out->compressor);
        out->compressor = NULL;
    }
    return rc;
}

enum wh_rc api_spool_read(const struct api_spool *out, int64_t from, char *to, size_t max,
                          size_t *ret_n, struct wh_err *err)
{
    struct wh_slice rest;
    ssize_t n;

    if (from < out->in_file) {
        int64_t left = out->in_file - from;

        n = pread(out->fd, to, (int64_t)max < left ? max : (size_t)left, (off_t)from);
        if (n <= 0) {
            return wh_fail(err, WH_E_IO, "cannot read a long answer back");
        }
        *ret_n = (size_t)n;
        return WH_OK;
    }
    rest = wh_slice_from(wh_buf_slice(&out->memory), (size_t)(from - out->in_file));
    *ret_n = rest.len < max ? rest.len : max;
    if (*ret_n) {
        memcpy(to, rest.ptr, *ret_n);
    }
    return WH_OK;
}
