/*
 * time.h - time in milliseconds since 1970 UTC, the clock interface, and parsing of every date format
 * that GitLab sends (tests/unit/common/base/test_time.c lists them with their sources).
 */
#ifndef WH_BASE_TIME_H
#define WH_BASE_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/slice.h"

/* A clock. Cores receive it from their caller, so that tests control time. Thread: any. */
struct wh_clock {
    /* Wall clock, ms since 1970 UTC. */
    int64_t (*now_ms)(void *ctx);
    /* Monotonic, ns, for durations. */
    int64_t (*mono_ns)(void *ctx);
    void *ctx;
};

/* The machine's clock. */
struct wh_clock wh_clock_real(void);

static inline int64_t wh_clock_now_ms(const struct wh_clock *clock)
{
    return clock->now_ms(clock->ctx);
}

static inline int64_t wh_clock_mono_ns(const struct wh_clock *clock)
{
    return clock->mono_ns(clock->ctx);
}

/* An instant, and whether its text had fractional seconds (REST sends them, webhooks do not). */
struct wh_instant {
    int64_t ms;
    bool has_fraction;
};

/*
 * Parses a date, optionally followed by 'T' or a space and hh:mm[:ss[.fraction]], an optional space,
 * and Z, UTC, +hh:mm, +hhmm or nothing, which means UTC. A date alone means midnight UTC. Years
 * 1..4147. WH_E_INVALID for anything else.
 */
WH_MUST_CHECK enum wh_rc wh_time_parse(struct wh_slice text, struct wh_instant *ret,
                                       struct wh_err *err);

/* Is it a day of the calendar alone, 2026-11-30, in the years 1..9999? */
bool wh_date_valid(struct wh_slice text);
/* Days since 1970-01-01 of a date, and the other way round. The month is 1 to 12; a day past its month is one of
 * the next. */
int64_t wh_date_days(int year, int month, int day);
void wh_date_of_days(int64_t days, int *year, int *month, int *day);
int wh_date_days_in_month(int year, int month);

#define WH_TIME_TEXT_MAX 32
/* RFC 3339 UTC with milliseconds: 2026-11-24T01:02:03.004Z. Returns text. */
const char *wh_time_format(int64_t ms, char text[WH_TIME_TEXT_MAX]);

#endif
