/*
 * freshness.h - how old records were when they became durable: quantiles of the last hour and the
 * last day for each series. One ring has a slot for each minute and one for each hour; a slot is a
 * histogram from 1 ms to 18 h with four logarithmic bounds for each doubling, so a quantile is right
 * within 19 %.
 *
 * Thread: one at a time; the caller locks.
 */
#ifndef WH_SINK_FRESHNESS_H
#define WH_SINK_FRESHNESS_H

#include "stages/sink/status/status.h"

enum {
    SINK_FRESHNESS_MINUTES = 60,
    SINK_FRESHNESS_HOURS = 24,
    SINK_FRESHNESS_BOUNDS = 104,
    /* Receipt by origin; then, of webhooks: receipt by kind, and GitLab's own time by kind. */
    SINK_FRESHNESS_SERIES = WH_ORIGIN_COUNT + 2 * WH_KIND_COUNT,
};

static inline unsigned sink_freshness_by_origin(enum wh_origin origin)
{
    return (unsigned)origin;
}

static inline unsigned sink_freshness_by_kind(enum wh_kind kind)
{
    return WH_ORIGIN_COUNT + (unsigned)kind;
}

static inline unsigned sink_freshness_of_event(enum wh_kind kind)
{
    return WH_ORIGIN_COUNT + WH_KIND_COUNT + (unsigned)kind;
}

struct sink_freshness_slot {
    int64_t number; /* minutes or hours since 1970 */
    uint32_t counts[SINK_FRESHNESS_SERIES][SINK_FRESHNESS_BOUNDS + 1];
    uint32_t causes[WH_KIND_COUNT][SINK_CAUSES];
    uint32_t least_delay[WH_KIND_COUNT]; /* one more than the ms; 0: no webhook */
};

struct sink_freshness_ring {
    struct sink_freshness_slot minutes[SINK_FRESHNESS_MINUTES];
    struct sink_freshness_slot hours[SINK_FRESHNESS_HOURS];
};

/* Adds one age. A negative age, which clocks that differ can cause, counts as 0. */
void sink_freshness_add(struct sink_freshness_ring *ring, int64_t now_ms, unsigned series,
                        int64_t age_ms);
/*
 * Adds a webhook: since receipt, since GitLab's own time of the event, and why that is long. An event is
 * never younger than its receipt, whatever GitLab's clock says. Returns the age of the event.
 */
int64_t sink_freshness_add_webhook(struct sink_freshness_ring *ring, int64_t now_ms,
                                   enum wh_kind kind, int64_t received_ms, int64_t event_ms);
/* Why webhooks of the kind were old, in the same windows. */
struct sink_why sink_freshness_why(const struct sink_freshness_ring *ring, int64_t now_ms,
                                   enum wh_kind kind, bool day);
enum { SINK_WHY_TEXT_MAX = 200 };
/* Says it in a sentence for people, of `all` webhooks; "" when none was old. */
void sink_why_text(const struct sink_why *y, uint64_t all, char text[SINK_WHY_TEXT_MAX]);
/* The quantiles of the last hour or, with `day`, of the last 23 to 24 hours. */
struct sink_freshness sink_freshness_get(const struct sink_freshness_ring *ring, int64_t now_ms,
                                         unsigned series, bool day);

#endif
