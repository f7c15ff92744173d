/*
 * zone.h - local time by the IANA time zones that are installed on the machine (Debian's tzdata).
 * Rules for years that the files do not list follow from their last rule. Thread: any.
 */
#ifndef WH_BASE_ZONE_H
#define WH_BASE_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A time zone; valid as long as the process. */
struct wh_zone {
    void *impl;
};

/* WH_E_INVALID for a name that no file has; UTC needs no file. */
WH_MUST_CHECK enum wh_rc wh_zone_find(struct wh_slice name, struct wh_zone *ret,
                                      struct wh_err *err);
struct wh_zone wh_zone_utc(void);

enum wh_zone_unit {
    WH_ZONE_SECOND,
    WH_ZONE_MINUTE,
    WH_ZONE_HOUR,
    WH_ZONE_DAY,
    WH_ZONE_WEEK, /* begins on Monday */
    WH_ZONE_MONTH,
    WH_ZONE_QUARTER,
    WH_ZONE_YEAR,
};

/* "day", "week", ...; false: there is no such unit. */
bool wh_zone_unit_parse(struct wh_slice name, enum wh_zone_unit *ret);

/*
 * The instant (ms since 1970 UTC) at which the unit that contains `ms` begins in the zone. A day may
 * have 23 or 25 hours; one without a midnight begins where the clock continues. Of two equal hours,
 * each is an hour of its own.
 */
int64_t wh_zone_trunc(struct wh_zone zone, enum wh_zone_unit unit, int64_t ms);

/* The day of the instant in the zone, and the instant at which a day begins there; days are counted from
 * 1970-01-01 and are wh_date's (time.h). */
int64_t wh_zone_day(struct wh_zone zone, int64_t ms);
int64_t wh_zone_day_begin(struct wh_zone zone, int64_t day);

/* Local time minus UTC, in seconds. */
int wh_zone_offset(struct wh_zone zone, int64_t ms);

enum { WH_ZONE_ABBR_MAX = 16 };
/* What the zone's time is called at that instant: "UTC", "CEST", "-03". Returns ret. */
const char *wh_zone_abbr(struct wh_zone zone, int64_t ms, char ret[WH_ZONE_ABBR_MAX]);

#ifdef __cplusplus
}
#endif

#endif
