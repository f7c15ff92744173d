#include "stages/sink/ingest/freshness.h"

#include <math.h>
#include <string.h>

static const int64_t minute_ms = 60000;
static const int64_t hour_ms = 3600000;

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

static void add(struct sink_freshness_slot *slots, size_t n, int64_t number, unsigned series,
                int64_t age_ms)
{
    struct sink_freshness_slot *slot = &slots[(uint64_t)number % n];

    if (slot->number != number) {
        memset(slot, 0, sizeof(*slot));
        slot->number = number;
    }
    slot->counts[series][bucket_of(age_ms)]++;
}

void sink_freshness_add(struct sink_freshness_ring *ring, int64_t now_ms, unsigned series,
                        int64_t age_ms)
{
    if (series < SINK_FRESHNESS_SERIES) {
        add(ring->minutes, SINK_FRESHNESS_MINUTES, now_ms / minute_ms, series, age_ms);
        add(ring->hours, SINK_FRESHNESS_HOURS, now_ms / hour_ms, series, age_ms);
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
                                         unsigned series, bool day)
{
    const struct sink_freshness_slot *slots = day ? ring->hours : ring->minutes;
    int64_t n = day ? SINK_FRESHNESS_HOURS : SINK_FRESHNESS_MINUTES;
    int64_t newest = now_ms / (day ? hour_ms : minute_ms);
    uint64_t counts[SINK_FRESHNESS_BOUNDS + 1] = {0};
    struct sink_freshness ret = {0};

    for (int64_t s = 0; s < n; s++) {
        const struct sink_freshness_slot *slot = &slots[s];

        if (slot->number > newest || slot->number <= newest - n) {
            continue;
        }
        for (unsigned i = 0; i <= SINK_FRESHNESS_BOUNDS; i++) {
            counts[i] += slot->counts[series][i];
            ret.count += slot->counts[series][i];
        }
    }
    if (ret.count > 0) {
        ret.p50_s = quantile_s(counts, ret.count, 0.50);
        ret.p99_s = quantile_s(counts, ret.count, 0.99);
    }
    return ret;
}
