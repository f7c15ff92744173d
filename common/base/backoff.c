#include "common/base/backoff.h"

int64_t wh_backoff_ms(int64_t first_ms, int64_t max_ms, unsigned failures)
{
    int64_t wait = first_ms;

    for (unsigned i = 1; i < failures && wait > 0 && wait < max_ms; i++) {
        wait = wait > max_ms / 2 ? max_ms : wait * 2;
    }
    return wait < max_ms ? wait : max_ms;
}

void wh_jitter_init(struct wh_jitter *jitter, uint64_t seed)
{
    jitter->state = seed | 1; /* xorshift never leaves a state of 0 */
}

int64_t wh_jitter_ms(struct wh_jitter *jitter, int64_t wait_ms)
{
    jitter->state ^= jitter->state << 13;
    jitter->state ^= jitter->state >> 7;
    jitter->state ^= jitter->state << 17;
    return wait_ms / 2 + (int64_t)(jitter->state % (uint64_t)(wait_ms / 2 + 1));
}
