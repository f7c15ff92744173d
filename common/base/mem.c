#include "common/base/mem.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Process-wide, set by tests only. */
static wh_mem_hook mem_hook;
static void *mem_hook_ctx;

/* The budget of the calling thread, NULL when it has none. */
static _Thread_local struct wh_mem_budget *mem_budget;

enum { LARGE_BYTES = 64 << 10, CALLS_PER_STOP = 64 };

/* Returns whether the budget allows another `more` bytes. */
static bool within(struct wh_mem_budget *b, size_t more)
{
    if (b->stop && (more >= LARGE_BYTES || ++b->calls % CALLS_PER_STOP == 0) && b->stop(b->ctx)) {
        return false;
    }
    if (more > PTRDIFF_MAX / 2 || b->used + (ptrdiff_t)more > (ptrdiff_t)b->limit) {
        b->exceeded = true;
        return false;
    }
    return true;
}

static bool allowed(size_t more)
{
    return (mem_hook == NULL || mem_hook(mem_hook_ctx)) &&
           (mem_budget == NULL || within(mem_budget, more));
}

static void *charged(void *ptr)
{
    if (mem_budget && ptr) {
        mem_budget->used += (ptrdiff_t)malloc_usable_size(ptr);
    }
    return ptr;
}

void *wh_mem_alloc(size_t size)
{
    return allowed(size) ? charged(malloc(size ? size : 1)) : NULL;
}

void *wh_mem_zalloc(size_t n, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(n, size, &total) || !allowed(total)) {
        return NULL;
    }
    return charged(total ? calloc(n, size) : calloc(1, 1));
}

void *wh_mem_resize(void *ptr, size_t n, size_t size)
{
    size_t before = mem_budget && ptr ? malloc_usable_size(ptr) : 0;
    size_t total;
    void *resized;

    if (__builtin_mul_overflow(n, size, &total) || !allowed(total > before ? total - before : 0)) {
        return NULL;
    }
    resized = realloc(ptr, total ? total : 1);
    if (mem_budget && resized) {
        mem_budget->used -= (ptrdiff_t)before;
    }
    return charged(resized);
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

    if (mem_budget && ptr) {
        mem_budget->used -= (ptrdiff_t)malloc_usable_size(ptr);
    }
    free(ptr);
    errno = saved;
}

size_t wh_mem_size(void *ptr)
{
    return ptr ? malloc_usable_size(ptr) : 0;
}

void wh_mem_budget_begin(struct wh_mem_budget *budget)
{
    budget->used = 0;
    budget->calls = 0;
    budget->exceeded = false;
    mem_budget = budget;
}

void wh_mem_budget_end(void)
{
    mem_budget = NULL;
}

struct wh_mem_budget *wh_mem_budget_suspend(void)
{
    struct wh_mem_budget *budget = mem_budget;

    mem_budget = NULL;
    return budget;
}

void wh_mem_budget_resume(struct wh_mem_budget *budget)
{
    mem_budget = budget;
}

void wh_mem_wipe(void *ptr, size_t len)
{
    if (len) {
        explicit_bzero(ptr, len);
    }
}

void wh_mem_free_secret(char *text)
{
    if (text) {
        wh_mem_wipe(text, strlen(text));
    }
    wh_mem_free(text);
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
