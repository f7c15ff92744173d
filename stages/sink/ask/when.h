/* when.h - times and lengths of time in words. Thread: any. Pure functions. */
#ifndef WH_SINK_ASK_WHEN_H
#define WH_SINK_ASK_WHEN_H

#include "common/base/buf.h"
#include "common/base/zone.h"

enum { ASK_DAY_TEXT = 64 };

struct ask_interval {
    int64_t from_ms;   /* INT64_MIN: no begin */
    int64_t to_ms;     /* exclusive; INT64_MAX: no end */
    int64_t first_day; /* the days of it in the zone, both inclusive */
    int64_t last_day;
};

/* "Tuesday, 24 November 2026" of a day since 1970-01-01. Gives text. */
const char *ask_day_text(int64_t day, char text[ASK_DAY_TEXT]);
/* "09:05" in the zone. Gives text. */
const char *ask_clock_text(struct wh_zone zone, int64_t ms, char text[ASK_DAY_TEXT]);
/* Appends " on Tuesday, 24 November 2026 (UTC)", " from ... to ... (UTC)" and such, with the blank in front. */
WH_MUST_CHECK enum wh_rc ask_say_interval(const struct ask_interval *i, struct wh_zone zone,
                                          struct wh_slice zone_name, struct wh_buf *out,
                                          struct wh_err *err);
/* Appends "2 d 3 h", "1 h 45 min", "12 min" or "8 s". */
WH_MUST_CHECK enum wh_rc ask_say_length(int64_t seconds, struct wh_buf *out, struct wh_err *err);

#endif
