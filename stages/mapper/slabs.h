/*
 * slabs.h - memory for the bytes of records that are not acknowledged yet. The bytes are copied once,
 * the producer borrows them, and a slab is reused when all events in it are acknowledged. One malloc
 * and one free for each record cost more than mapping a small event.
 *
 *      slab: | event 1 | event 2 | event 3 | free ... |   refs = events not acknowledged
 *
 * An event that is larger than a slab gets a slab of its own. Not thread-safe.
 */
#ifndef WH_MAPPER_SLABS_H
#define WH_MAPPER_SLABS_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/base/slice.h"

struct slab;

struct slabs {
    struct slab *current; /* the one that is filled */
    struct slab *spare;   /* empty ones */
    size_t n_spare;
    size_t in_use; /* bytes of all that are not spare */
};

/* A zeroed struct slabs is empty. Frees all slabs; the producer must not use any of them any more. */
void slabs_done(struct slabs *s);
/* Copies the bytes. The caller returns *ret_slab with slabs_release. WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc slabs_put(struct slabs *s, struct wh_slice bytes, struct slab **ret_slab,
                                   const char **ret_bytes, struct wh_err *err);
void slabs_release(struct slabs *s, struct slab *slab);

#endif
