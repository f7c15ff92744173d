/*
 * store_mem.h - the store in memory, with injected faults.
 */
#ifndef TH_STORE_MEM_H
#define TH_STORE_MEM_H

#include "common/store/store.h"

/* Never a path: nothing is kept on disk. WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc wh_store_mem_open(const struct wh_store_conf *conf, struct wh_store **ret,
                                           struct wh_err *err);

enum wh_store_mem_call {
    WH_STORE_MEM_GET,
    WH_STORE_MEM_WRITE,
    WH_STORE_MEM_COLD, /* a get or a seek of a snapshot in memory; fail it with WH_E_BUSY */
    WH_STORE_MEM_CALL_COUNT
};

/* After `after` more successes that call fails `times` times with rc (-1: until told otherwise;
 * 0: never). A failed write changes nothing. Thread: any. */
void wh_store_mem_fail(struct wh_store *base, enum wh_store_mem_call call, enum wh_rc rc, int after,
                       int times);
/* Calls of that kind so far, failed ones included. */
uint64_t wh_store_mem_calls(struct wh_store *base, enum wh_store_mem_call call);

#endif
