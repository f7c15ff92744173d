/*
 * arena.h - a bounded arena: many small allocations for one message, freed together.
 *
 * A reset keeps the blocks, so the steady state allocates nothing. Thread: one at a time.
 */
#ifndef WH_BASE_ARENA_H
#define WH_BASE_ARENA_H

#include "common/base/err.h"
#include "common/base/slice.h"

struct wh_arena_block;

struct wh_arena {
    struct wh_arena_block *first;
    struct wh_arena_block *current;
    size_t block_bytes;
    size_t used_bytes;
    size_t max_bytes;
};

/* Allocates nothing yet. block_bytes is the size of a block, max_bytes the limit between two resets. */
void wh_arena_init(struct wh_arena *arena, size_t block_bytes, size_t max_bytes);
void wh_arena_done(struct wh_arena *arena);
/* Invalidates every allocation; keeps the blocks for reuse. */
void wh_arena_reset(struct wh_arena *arena);
/* Aligned for any type, not zeroed. WH_E_TOO_LARGE beyond max_bytes, WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc wh_arena_alloc(struct wh_arena *arena, size_t size, void **ret_ptr,
                                        struct wh_err *err);
/* n items of size bytes, zeroed. WH_E_TOO_LARGE also when n * size overflows. */
WH_MUST_CHECK enum wh_rc wh_arena_zalloc(struct wh_arena *arena, size_t n, size_t size,
                                         void **ret_ptr, struct wh_err *err);
/* Copies bytes into the arena and appends a NUL. */
WH_MUST_CHECK enum wh_rc wh_arena_dup(struct wh_arena *arena, struct wh_slice bytes,
                                      struct wh_slice *ret_copy, struct wh_err *err);

#endif
