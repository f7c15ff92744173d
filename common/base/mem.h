/*
 * mem.h - the only callers of malloc. Every result is checked by its caller; a test can make any
 * allocation fail through the hook.
 *
 * Memory from here may be given to free(), so that libraries can take it over.
 */
#ifndef WH_BASE_MEM_H
#define WH_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

/* NULL when out of memory, or when the hook says so. size 0 gives a valid pointer. */
void *wh_mem_alloc(size_t size);
/* Zeroed; NULL also when n * size overflows. */
void *wh_mem_zalloc(size_t n, size_t size);
/* As realloc for n items; NULL on overflow or no memory, and then ptr stays valid. */
void *wh_mem_resize(void *ptr, size_t n, size_t size);
/* Copy of len bytes with a NUL behind them. */
char *wh_mem_dup(const void *ptr, size_t len);
/* Accepts NULL; leaves errno alone. */
void wh_mem_free(void *ptr);
/* Overwrites secrets in a way that the compiler keeps. */
void wh_mem_wipe(void *ptr, size_t len);
/* Overwrites the NUL-terminated text and frees it. Accepts NULL. */
void wh_mem_free_secret(char *text);

/* Called before each allocation: false makes it fail. For tests; NULL takes it away. */
typedef bool (*wh_mem_hook)(void *ctx);
void wh_mem_set_hook(wh_mem_hook hook, void *ctx);

/* The bytes that an allocation of this module really takes; 0 for NULL. */
size_t wh_mem_size(void *ptr);

/*
 * A limit on what one piece of work in one thread may allocate. Between begin and end every
 * allocation of the calling thread is added to `used` and every free is subtracted; an allocation
 * that would pass the limit fails and sets `exceeded`. Memory that was allocated before begin and
 * is freed in between makes `used` smaller, so the sum is the net growth and may be negative.
 *
 * stop, when set, is asked at every large allocation and at every 64th small one; true makes the
 * allocation fail. Work that allocates can be ended this way in places that ask nobody else.
 *
 * Threads: the budget belongs to the thread that began it. Budgets do not nest.
 */
struct wh_mem_budget {
    size_t limit;
    bool (*stop)(void *ctx);
    void *ctx;
    ptrdiff_t used;
    unsigned calls;
    bool exceeded;
};
void wh_mem_budget_begin(struct wh_mem_budget *budget);
void wh_mem_budget_end(void);

void wh_mem_free_ref(void *ref);
/* Declares a pointer that is freed when it leaves its scope. */
#define WH_AUTO_FREE __attribute__((cleanup(wh_mem_free_ref)))
/* Declares an embedded struct whose wh_<type>_done runs when it leaves its scope. */
#define WH_AUTO(type) __attribute__((cleanup(wh_##type##_done)))

#endif
