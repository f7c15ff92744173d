/*
 * backoff.h - exponential back-off, and jitter so that processes that failed together do not retry
 * together. Thread: one at a time.
 */
#ifndef WH_BASE_BACKOFF_H
#define WH_BASE_BACKOFF_H

#include <stdint.h>

/*
 * The wait after `failures` consecutive failures (at least 1): first_ms after the first, doubled after
 * each further one, at most max_ms.
 */
int64_t wh_backoff_ms(int64_t first_ms, int64_t max_ms, unsigned failures);

/* A pseudo-random generator (xorshift64), not for secrets. */
struct wh_jitter {
    uint64_t state;
};

void wh_jitter_init(struct wh_jitter *jitter, uint64_t seed);
/* Half of the wait is fixed and half is random: between wait_ms / 2 and wait_ms. */
int64_t wh_jitter_ms(struct wh_jitter *jitter, int64_t wait_ms);

#endif
