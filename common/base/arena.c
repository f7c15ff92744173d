#include "common/base/arena.h"

#include <stdalign.h>
#include <stdint.h>

#include "common/base/mem.h"

struct wh_arena_block {
    struct wh_arena_block *next;
    size_t size;
    size_t used;
    alignas(max_align_t) char bytes[];
};

void wh_arena_init(struct wh_arena *arena, size_t block_bytes, size_t max_bytes)
{
    *arena = (struct wh_arena){.block_bytes = block_bytes, .max_bytes = max_bytes};
}

void wh_arena_done(struct wh_arena *arena)
{
    struct wh_arena_block *block = arena->first;

    while (block) {
        struct wh_arena_block *next = block->next;

        wh_mem_free(block);
        block = next;
    }
    wh_arena_init(arena, arena->block_bytes, arena->max_bytes);
}

void wh_arena_reset(struct wh_arena *arena)
{
    struct wh_arena_block **link = &arena->first;

    /* Frees the blocks of outsized allocations; keeps those of the normal size. */
    while (*link) {
        struct wh_arena_block *block = *link;

        if (block->size > arena->block_bytes) {
            *link = block->next;
            wh_mem_free(block);
            continue;
        }
        block->used = 0;
        link = &block->next;
    }
    arena->current = arena->first;
    arena->used_bytes = 0;
}

static struct wh_arena_block *add_block(struct wh_arena *arena, size_t size)
{
    size_t bytes = size > arena->block_bytes ? size : arena->block_bytes;
    struct wh_arena_block *block = wh_mem_alloc(sizeof(*block) + bytes);

    if (block == NULL) {
        return NULL;
    }
    block->size = bytes;
    block->used = 0;
    if (arena->current) {
        block->next = arena->current->next;
        arena->current->next = block;
    } else {
        block->next = arena->first;
        arena->first = block;
    }
    arena->current = block;
    return block;
}

enum wh_rc wh_arena_alloc(struct wh_arena *arena, size_t size, void **ret_ptr, struct wh_err *err)
{
    const size_t align = alignof(max_align_t);
    struct wh_arena_block *block;
    size_t need;

    if (size > arena->max_bytes - arena->used_bytes || size > SIZE_MAX / 2) {
        return wh_fail(err, WH_E_TOO_LARGE, "the message needs more than %zu bytes of memory",
                       arena->max_bytes);
    }
    need = (size + align - 1) & ~(align - 1);
    block = arena->current;
    while (block && need > block->size - block->used) {
        block = block->next;
        if (block) {
            arena->current = block;
        }
    }
    if (block == NULL) {
        block = add_block(arena, need);
    }
    if (block == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an arena block of %zu bytes", need);
    }
    *ret_ptr = block->bytes + block->used;
    block->used += need;
    arena->used_bytes += size;
    return WH_OK;
}

enum wh_rc wh_arena_zalloc(struct wh_arena *arena, size_t n, size_t size, void **ret_ptr,
                           struct wh_err *err)
{
    size_t total;

    if (__builtin_mul_overflow(n, size, &total)) {
        return wh_fail(err, WH_E_TOO_LARGE, "%zu items of %zu bytes overflow", n, size);
    }
    if (wh_arena_alloc(arena, total, ret_ptr, err) != WH_OK) {
        return err->rc;
    }
    memset(*ret_ptr, 0, total);
    return WH_OK;
}

enum wh_rc wh_arena_dup(struct wh_arena *arena, struct wh_slice bytes, struct wh_slice *ret_copy,
                        struct wh_err *err)
{
    void *ptr;

    if (wh_arena_alloc(arena, bytes.len + 1, &ptr, err) != WH_OK) {
        return err->rc;
    }
    if (bytes.len) {
        memcpy(ptr, bytes.ptr, bytes.len);
    }
    ((char *)ptr)[bytes.len] = '\0';
    *ret_copy = wh_slice(ptr, bytes.len);
    return WH_OK;
}
