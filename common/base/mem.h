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

/* Called before each allocation: false makes it fail. For tests; NULL takes it away. */
typedef bool (*wh_mem_hook)(void *ctx);
void wh_mem_set_hook(wh_mem_hook hook, void *ctx);

void wh_mem_free_ref(void *ref);
/* Declares a pointer that is freed when it leaves its scope. */
#define WH_AUTO_FREE __attribute__((cleanup(wh_mem_free_ref)))
/* Declares an embedded struct whose wh_<type>_done runs when it leaves its scope. */
#define WH_AUTO(type) __attribute__((cleanup(wh_##type##_done)))

#endif
