/*
 * store_mem.h - faults of the in-memory store, for tests.
 */
#ifndef WH_STORE_STORE_MEM_H
#define WH_STORE_STORE_MEM_H

#include "common/store/store.h"

enum wh_store_mem_call { WH_STORE_MEM_GET, WH_STORE_MEM_WRITE, WH_STORE_MEM_CALL_COUNT };

/* After `after` more successes that call fails `times` times with rc (-1: until told otherwise;
 * 0: never). A failed write changes nothing. Thread: any. */
void wh_store_mem_fail(struct wh_store *base, enum wh_store_mem_call call, enum wh_rc rc, int after,
                       int times);
/* Calls of that kind so far, failed ones included. */
uint64_t wh_store_mem_calls(struct wh_store *base, enum wh_store_mem_call call);

#endif
