#include "common/event/version.h"

static const char *const origin_names[WH_ORIGIN_COUNT] = {"import", "webhook", "mcp", "rest"};

enum {
    SECONDS_SHIFT = 28,
    FRACTION_SHIFT = 27,
    MS_SHIFT = 17,
    STATE_SHIFT = 12,
    ORIGIN_SHIFT = 9,
    STATE_MAX = 31,
};

static const int64_t seconds_max = (INT64_C(1) << 36) - 1;

const char *wh_origin_name(enum wh_origin origin)
{
    return (unsigned)origin < WH_ORIGIN_COUNT ? origin_names[origin] : "unknown";
}

enum wh_origin wh_origin_parse(struct wh_slice name)
{
    for (unsigned i = 0; i < WH_ORIGIN_COUNT; i++) {
        if (wh_slice_eq(name, wh_slice_str(origin_names[i]))) {
            return (enum wh_origin)i;
        }
    }
    return WH_ORIGIN_COUNT;
}

uint64_t wh_version_order(struct wh_instant at, unsigned state_rank, enum wh_origin origin)
{
    int64_t seconds = at.ms < 0 ? 0 : at.ms / 1000;
    uint64_t ms = at.ms < 0 ? 0 : (uint64_t)(at.ms % 1000);

    if (seconds > seconds_max) {
        seconds = seconds_max;
        ms = 999;
    }
    return (uint64_t)seconds << SECONDS_SHIFT | (uint64_t)at.has_fraction << FRACTION_SHIFT |
           ms << MS_SHIFT |
           (uint64_t)(state_rank < STATE_MAX ? state_rank : STATE_MAX) << STATE_SHIFT |
           (uint64_t)origin << ORIGIN_SHIFT;
}

int64_t wh_version_at_ms(uint64_t order)
{
    return (int64_t)(order >> SECONDS_SHIFT) * 1000 + (int64_t)(order >> MS_SHIFT & 1023);
}
