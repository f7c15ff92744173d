#include "stages/mapper/slabs.h"

#include "common/base/mem.h"

enum { SLAB_BYTES = 256 << 10, SPARE_MAX = 16 };

struct slab {
    struct slab *next; /* in the list of spare slabs */
    size_t size;
    size_t used;
    size_t refs;
    char bytes[];
};

static void retire(struct slabs *s, struct slab *slab)
{
    s->in_use -= slab->size;
    if (slab->size != SLAB_BYTES || s->n_spare == SPARE_MAX) {
        wh_mem_free(slab);
        return;
    }
    slab->next = s->spare;
    s->spare = slab;
    s->n_spare++;
}

static struct slab *take(struct slabs *s, size_t size)
{
    struct slab *slab = size == SLAB_BYTES ? s->spare : NULL;

    if (slab) {
        s->spare = slab->next;
        s->n_spare--;
    } else {
        slab = wh_mem_alloc(sizeof(*slab) + size);
        if (slab == NULL) {
            return NULL;
        }
        slab->size = size;
    }
    slab->used = 0;
    slab->refs = 0;
    s->in_use += size;
    return slab;
}

/* A slab with room for n bytes; a full slab is released when all of it is acknowledged. */
static struct slab *with_room(struct slabs *s, size_t n)
{
    struct slab *slab;

    if (n > SLAB_BYTES) {
        return take(s, n);
    }
    if (s->current && n <= s->current->size - s->current->used) {
        return s->current;
    }
    slab = take(s, SLAB_BYTES);
    if (slab == NULL) {
        return NULL;
    }
    if (s->current && s->current->refs == 0) {
        retire(s, s->current);
    }
    s->current = slab;
    return slab;
}

enum wh_rc slabs_put(struct slabs *s, struct wh_slice bytes, struct slab **ret_slab,
                     const char **ret_bytes, struct wh_err *err)
{
    struct slab *slab = with_room(s, bytes.len);

    if (slab == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for records of %zu bytes", bytes.len);
    }
    if (bytes.len) {
        memcpy(slab->bytes + slab->used, bytes.ptr, bytes.len);
    }
    *ret_bytes = slab->bytes + slab->used;
    *ret_slab = slab;
    slab->used += bytes.len;
    slab->refs++;
    return WH_OK;
}

void slabs_release(struct slabs *s, struct slab *slab)
{
    if (--slab->refs > 0) {
        return;
    }
    if (slab == s->current) {
        slab->used = 0;
    } else {
        retire(s, slab);
    }
}

void slabs_done(struct slabs *s)
{
    wh_mem_free(s->current);
    while (s->spare) {
        struct slab *next = s->spare->next;

        wh_mem_free(s->spare);
        s->spare = next;
    }
    *s = (struct slabs){0};
}
