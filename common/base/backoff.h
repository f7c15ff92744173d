/*
 * backoff.h - how long to wait before something is tried again: exponential back-off, and jitter so
 * that processes that failed together do not come back together. Thread: one at a time.
 */
#ifndef WH_BASE_BACKOFF_H
#define WH_BASE_BACKOFF_H

#include <stdint.h>

/*
 * The wait after that many failures in a row (at least 1): first_ms after the first one, twice as
 * long after each further one, never longer than max_ms.
 */
int64_t wh_backoff_ms(int64_t first_ms, int64_t max_ms, unsigned failures);

/* A source of chance that needs no quality: xorshift64. */
struct wh_jitter {
    uint64_t state;
};

void wh_jitter_init(struct wh_jitter *jitter, uint64_t seed);
/* Half of the wait is fixed and half is chance: between wait_ms / 2 and wait_ms. */
int64_t wh_jitter_ms(struct wh_jitter *jitter, int64_t wait_ms);

#endif
