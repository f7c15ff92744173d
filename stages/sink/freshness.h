/*
 * freshness.h - how old records were when they became durable: quantiles by origin over the last
 * hour. A ring of one-minute slots, each a histogram with logarithmic bounds (four a doubling, so a
 * quantile is right within 19 %), 1 ms to 18 h.
 *
 * Thread: one at a time.
 */
#ifndef WH_SINK_FRESHNESS_H
#define WH_SINK_FRESHNESS_H

#include "stages/sink/sink.h"

enum {
    SINK_FRESHNESS_SLOTS = 60,
    SINK_FRESHNESS_SLOT_MS = 60000,
    SINK_FRESHNESS_BOUNDS = 104,
};

struct sink_freshness_slot {
    int64_t number; /* minutes since 1970 */
    uint32_t counts[WH_ORIGIN_COUNT][SINK_FRESHNESS_BOUNDS + 1];
};

struct sink_freshness_ring {
    struct sink_freshness_slot slots[SINK_FRESHNESS_SLOTS];
};

/* age_ms below 0 counts as 0: clocks differ. */
void sink_freshness_add(struct sink_freshness_ring *ring, int64_t now_ms, enum wh_origin origin,
                        int64_t age_ms);
struct sink_freshness sink_freshness_get(const struct sink_freshness_ring *ring, int64_t now_ms,
                                         enum wh_origin origin);

#endif
