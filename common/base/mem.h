/*
 * mem.h - the heap. Callers check every result; a test can make any allocation fail through the
 * hook. Memory from here may be passed to free(), so that libraries can own it. Thread: any.
 */
#ifndef WH_BASE_MEM_H
#define WH_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

/* NULL when out of memory, or when the hook fails it. Size 0 returns a valid pointer. */
void *wh_mem_alloc(size_t size);
/* Zeroed; NULL also when n * size overflows. */
void *wh_mem_zalloc(size_t n, size_t size);
/* Reallocates ptr to n items. NULL on overflow or without memory; ptr then stays valid. */
void *wh_mem_resize(void *ptr, size_t n, size_t size);
/* Copies len bytes and appends a NUL. */
char *wh_mem_dup(const void *ptr, size_t len);
/* Accepts NULL; leaves errno alone. */
void wh_mem_free(void *ptr);
/* Overwrites a secret; the compiler cannot optimise this away. */
void wh_mem_wipe(void *ptr, size_t len);
/* Overwrites the NUL-terminated text and frees it. Accepts NULL. */
void wh_mem_free_secret(char *text);

/* Called before each allocation; returning false makes it fail. For tests. NULL removes the hook. */
typedef bool (*wh_mem_hook)(void *ctx);
void wh_mem_set_hook(wh_mem_hook hook, void *ctx);

/* The usable size of an allocation of this module, in bytes; 0 for NULL. */
size_t wh_mem_size(void *ptr);

/*
 * Limits the memory that one piece of work in one thread may allocate. Between begin and end, `used`
 * is the net growth of the calling thread's allocations; it is negative when the thread frees more than
 * it allocates. An allocation beyond the limit fails and sets `exceeded`.
 *
 * stop, when set, is called for every large allocation and for every 64th small one; returning true
 * makes the allocation fail. This cancels work inside a library that has no other cancellation point.
 *
 * Thread: the budget belongs to the thread that began it. Budgets do not nest.
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
/* Memory that outlives the work, because others share it, is not the work's: between suspend and resume nothing
 * counts. suspend gives the thread's budget, or NULL, for resume. */
struct wh_mem_budget *wh_mem_budget_suspend(void);
void wh_mem_budget_resume(struct wh_mem_budget *budget);

void wh_mem_free_ref(void *ref);
/* Declares a pointer that is freed when it leaves its scope. */
#define WH_AUTO_FREE __attribute__((cleanup(wh_mem_free_ref)))
/* Declares an embedded struct whose wh_<type>_done runs when it leaves its scope. */
#define WH_AUTO(type) __attribute__((cleanup(wh_##type##_done)))

#endif
