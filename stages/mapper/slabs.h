/*
 * slabs.h - the bytes of records that wait for acknowledgement: copied once, then lent to the
 * producer, and given back slab by slab. A malloc and a free for each record cost more than mapping
 * a small event.
 *
 *      slab: | event 1 | event 2 | event 3 | free ... |   refs = events not acknowledged
 *
 * An event larger than a slab has one of its own. Thread: one at a time.
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

/* All zero is an empty struct slabs. Frees what is there; nothing of it may be lent any more. */
void slabs_done(struct slabs *s);
/* Copies the bytes; *ret_slab is given back with slabs_release. WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc slabs_put(struct slabs *s, struct wh_slice bytes, struct slab **ret_slab,
                                   const char **ret_bytes, struct wh_err *err);
void slabs_release(struct slabs *s, struct slab *slab);

#endif
