#include "stages/sink/ingest/freshness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* So many deliveries, all so late: that is a clock. */
enum { DELAYS_MIN = 5, DELAY_OF_ALL_MS = 10000 };

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

static struct sink_freshness_slot *slot_of(struct sink_freshness_slot *slots, size_t n,
                                           int64_t number)
{
    struct sink_freshness_slot *slot = &slots[(uint64_t)number % n];

    if (slot->number != number) {
        memset(slot, 0, sizeof(*slot));
        slot->number = number;
    }
    return slot;
}

static struct sink_freshness_slot *minute_of(struct sink_freshness_ring *ring, int64_t now_ms)
{
    return slot_of(ring->minutes, SINK_FRESHNESS_MINUTES, now_ms / minute_ms);
}

static struct sink_freshness_slot *hour_of(struct sink_freshness_ring *ring, int64_t now_ms)
{
    return slot_of(ring->hours, SINK_FRESHNESS_HOURS, now_ms / hour_ms);
}

void sink_freshness_add(struct sink_freshness_ring *ring, int64_t now_ms, unsigned series,
                        int64_t age_ms)
{
    if (series < SINK_FRESHNESS_SERIES) {
        minute_of(ring, now_ms)->counts[series][bucket_of(age_ms)]++;
        hour_of(ring, now_ms)->counts[series][bucket_of(age_ms)]++;
    }
}

/* ---- webhooks ---- */

/* SINK_CAUSES: the age needs no reason. */
static enum sink_cause cause_of(int64_t age_ms, int64_t waited_ms, int64_t delay_ms)
{
    if (delay_ms < -SINK_CLOCK_MS) {
        return SINK_CLOCK;
    }
    if (age_ms <= SINK_SLOW_MS) {
        return SINK_CAUSES;
    }
    return waited_ms >= age_ms / 2 ? SINK_BACKLOG : SINK_LATE;
}

static void note_cause(struct sink_freshness_slot *slot, enum wh_kind kind, enum sink_cause cause,
                       int64_t delay_ms)
{
    uint32_t delay = delay_ms <= 0                ? 1
                     : delay_ms >= UINT32_MAX - 1 ? UINT32_MAX
                                                  : (uint32_t)delay_ms + 1;

    if (cause < SINK_CAUSES) {
        slot->causes[kind][cause]++;
    }
    if (slot->least_delay[kind] == 0 || delay < slot->least_delay[kind]) {
        slot->least_delay[kind] = delay;
    }
}

int64_t sink_freshness_add_webhook(struct sink_freshness_ring *ring, int64_t now_ms,
                                   enum wh_kind kind, int64_t received_ms, int64_t event_ms)
{
    int64_t waited_ms = now_ms > received_ms ? now_ms - received_ms : 0;
    int64_t delay_ms = received_ms - event_ms;
    int64_t age_ms = delay_ms > 0 ? waited_ms + delay_ms : waited_ms;
    enum sink_cause cause = cause_of(age_ms, waited_ms, delay_ms);

    sink_freshness_add(ring, now_ms, sink_freshness_by_kind(kind), waited_ms);
    sink_freshness_add(ring, now_ms, sink_freshness_of_event(kind), age_ms);
    note_cause(minute_of(ring, now_ms), kind, cause, delay_ms);
    note_cause(hour_of(ring, now_ms), kind, cause, delay_ms);
    return age_ms;
}

struct sink_why sink_freshness_why(const struct sink_freshness_ring *ring, int64_t now_ms,
                                   enum wh_kind kind, bool day)
{
    const struct sink_freshness_slot *slots = day ? ring->hours : ring->minutes;
    int64_t n = day ? SINK_FRESHNESS_HOURS : SINK_FRESHNESS_MINUTES;
    int64_t newest = now_ms / (day ? hour_ms : minute_ms);
    struct sink_why ret = {.least_delay_ms = 0};
    uint32_t least = 0;

    for (int64_t s = 0; s < n; s++) {
        const struct sink_freshness_slot *slot = &slots[s];

        if (slot->number > newest || slot->number <= newest - n) {
            continue;
        }
        for (unsigned c = 0; c < SINK_CAUSES; c++) {
            ret.counts[c] += slot->causes[kind][c];
        }
        if (slot->least_delay[kind] > 0 && (least == 0 || slot->least_delay[kind] < least)) {
            least = slot->least_delay[kind];
        }
    }
    ret.least_delay_ms = least > 0 ? (int64_t)least - 1 : 0;
    return ret;
}

void sink_why_text(const struct sink_why *y, uint64_t all, char text[SINK_WHY_TEXT_MAX])
{
    uint64_t late = y->counts[SINK_LATE];
    uint64_t backlog = y->counts[SINK_BACKLOG];

    text[0] = '\0';
    if (all >= DELAYS_MIN && y->least_delay_ms >= DELAY_OF_ALL_MS) {
        (void)snprintf(text, SINK_WHY_TEXT_MAX,
                       "clock: every delivery seems to be at least %lld s late; GitLab's clock is "
                       "behind, or it delivers late",
                       (long long)(y->least_delay_ms / 1000));
    } else if (y->counts[SINK_CLOCK] > late + backlog) {
        (void)snprintf(
            text, SINK_WHY_TEXT_MAX,
            "clock: GitLab's time of %llu of %llu events is after their receipt, so that "
            "its clock is ahead of ours",
            (unsigned long long)y->counts[SINK_CLOCK], (unsigned long long)all);
    } else if (late > 0 && late >= backlog) {
        (void)snprintf(text, SINK_WHY_TEXT_MAX,
                       "late delivery: GitLab delivered %llu of %llu more than a minute after the "
                       "event",
                       (unsigned long long)late, (unsigned long long)all);
    } else if (backlog > 0) {
        (void)snprintf(text, SINK_WHY_TEXT_MAX,
                       "backlog: %llu of %llu waited in Wellhead for most of that time, as after a "
                       "stop or a replay",
                       (unsigned long long)backlog, (unsigned long long)all);
    }
}

/* ---- quantiles ---- */

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
