#include "common/base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One of the three process-wide variables that the style allows: the allocation hook. */
static wh_mem_hook mem_hook;
static void *mem_hook_ctx;

static bool allowed(void)
{
    return mem_hook == NULL || mem_hook(mem_hook_ctx);
}

void *wh_mem_alloc(size_t size)
{
    return allowed() ? malloc(size ? size : 1) : NULL;
}

void *wh_mem_zalloc(size_t n, size_t size)
{
    if (!allowed()) {
        return NULL;
    }
    return n && size ? calloc(n, size) : calloc(1, 1);
}

void *wh_mem_resize(void *ptr, size_t n, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(n, size, &total) || !allowed()) {
        return NULL;
    }
    return realloc(ptr, total ? total : 1);
}

char *wh_mem_dup(const void *ptr, size_t len)
{
    char *copy = len < (size_t)-1 ? wh_mem_alloc(len + 1) : NULL;

    if (copy == NULL) {
        return NULL;
    }
    if (len) {
        memcpy(copy, ptr, len);
    }
    copy[len] = '\0';
    return copy;
}

void wh_mem_free(void *ptr)
{
    int saved = errno;

    free(ptr);
    errno = saved;
}

void wh_mem_wipe(void *ptr, size_t len)
{
    if (len) {
        explicit_bzero(ptr, len);
    }
}

void wh_mem_set_hook(wh_mem_hook hook, void *ctx)
{
    mem_hook = hook;
    mem_hook_ctx = ctx;
}

void wh_mem_free_ref(void *ref)
{
    void *ptr;

    memcpy(&ptr, ref, sizeof(ptr));
    wh_mem_free(ptr);
}
