#include "stages/sink/sql/spill.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/tempfile.h"

enum { FIRST_BYTES = 64 << 10 };

void sql_spill_init(struct sql_spill *s, const char *folder, size_t memory_max, size_t *file_bytes,
                    size_t file_max)
{
    *s = (struct sql_spill){.fd = -1,
                            .folder = folder,
                            .memory_max = memory_max,
                            .file_bytes = file_bytes,
                            .file_max = file_max};
}

/* The disk must have the blocks before they are mapped: a write to a hole of a full disk would be a
 * signal, not an error. */
static void *map(int fd, void *old, size_t old_cap, size_t cap)
{
    void *at;

    if (posix_fallocate(fd, 0, (off_t)cap) != 0) {
        return NULL;
    }
    at = old ? mremap(old, old_cap, cap, MREMAP_MAYMOVE)
             : mmap(NULL, cap, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

static enum wh_rc grow_file(struct sql_spill *s, size_t cap, struct wh_err *err)
{
    size_t had = s->fd >= 0 ? s->cap : 0;
    int fd = s->fd;
    char *at;

    if (*s->file_bytes - had + cap > s->file_max) {
        return wh_fail(err, WH_E_TOO_LARGE, "temporary files of more than %zu MiB",
                       s->file_max >> 20);
    }
    if (fd < 0) {
        fd = s->folder ? wh_tempfile_open(s->folder) : -1;
    }
    at = fd >= 0 ? map(fd, had ? s->ptr : NULL, had, cap) : NULL;
    if (at == NULL) {
        if (fd >= 0 && fd != s->fd) {
            (void)close(fd);
        }
        return wh_fail(err, WH_E_NO_SPACE, "no room for a temporary file of %zu bytes", cap);
    }
    if (had == 0 && s->ptr) {
        memcpy(at, s->ptr, s->cap);
        wh_mem_free(s->ptr);
    }
    *s->file_bytes += cap - had;
    s->fd = fd;
    s->ptr = at;
    s->cap = cap;
    return WH_OK;
}

enum wh_rc sql_spill_reserve(struct sql_spill *s, size_t bytes, struct wh_err *err)
{
    size_t cap = s->cap ? s->cap : FIRST_BYTES;
    char *more;

    if (bytes <= s->cap) {
        return WH_OK;
    }
    while (cap < bytes) {
        cap *= 2;
    }
    if (s->fd >= 0 || cap > s->memory_max) {
        return grow_file(s, cap, err);
    }
    more = wh_mem_resize(s->ptr, cap, 1);
    if (more == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a lookup");
    }
    s->ptr = more;
    s->cap = cap;
    return WH_OK;
}

void sql_spill_done(struct sql_spill *s)
{
    if (s->fd >= 0) {
        (void)munmap(s->ptr, s->cap);
        (void)close(s->fd);
        *s->file_bytes -= s->cap;
    } else {
        wh_mem_free(s->ptr);
    }
    s->ptr = NULL;
    s->cap = 0;
    s->fd = -1;
}
