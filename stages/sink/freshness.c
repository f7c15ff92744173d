#include "stages/sink/freshness.h"

#include <math.h>
#include <string.h>

static int64_t slot_number(int64_t now_ms)
{
    return now_ms / SINK_FRESHNESS_SLOT_MS;
}

/* Upper bound of a bucket in ms: 2^(i/4). */
static double bound_ms(unsigned i)
{
    return exp2((double)i / 4);
}

static unsigned bucket_of(int64_t age_ms)
{
    double i;

    if (age_ms <= 1) {
        return 0;
    }
    i = ceil(log2((double)age_ms) * 4);
    return i >= SINK_FRESHNESS_BOUNDS ? SINK_FRESHNESS_BOUNDS : (unsigned)i;
}

void sink_freshness_add(struct sink_freshness_ring *ring, int64_t now_ms, enum wh_origin origin,
                        int64_t age_ms)
{
    int64_t number = slot_number(now_ms);
    struct sink_freshness_slot *slot = &ring->slots[(uint64_t)number % SINK_FRESHNESS_SLOTS];

    if (slot->number != number) {
        memset(slot, 0, sizeof(*slot));
        slot->number = number;
    }
    if ((unsigned)origin < WH_ORIGIN_COUNT) {
        slot->counts[origin][bucket_of(age_ms)]++;
    }
}

static double quantile_s(const uint64_t counts[SINK_FRESHNESS_BOUNDS + 1], uint64_t all, double q)
{
    double rank = q * (double)all;
    double below = 0;

    for (unsigned i = 0; i <= SINK_FRESHNESS_BOUNDS; i++) {
        below += (double)counts[i];
        if (counts[i] > 0 && below >= rank) {
            return bound_ms(i) / 1000;
        }
    }
    return 0;
}

struct sink_freshness sink_freshness_get(const struct sink_freshness_ring *ring, int64_t now_ms,
                                         enum wh_origin origin)
{
    uint64_t counts[SINK_FRESHNESS_BOUNDS + 1] = {0};
    struct sink_freshness ret = {0};
    int64_t newest = slot_number(now_ms);

    for (unsigned s = 0; s < SINK_FRESHNESS_SLOTS; s++) {
        const struct sink_freshness_slot *slot = &ring->slots[s];

        if (slot->number > newest || slot->number <= newest - SINK_FRESHNESS_SLOTS) {
            continue;
        }
        for (unsigned i = 0; i <= SINK_FRESHNESS_BOUNDS; i++) {
            counts[i] += slot->counts[origin][i];
            ret.count += slot->counts[origin][i];
        }
    }
    if (ret.count > 0) {
        ret.p50_s = quantile_s(counts, ret.count, 0.50);
        ret.p99_s = quantile_s(counts, ret.count, 0.99);
    }
    return ret;
}
