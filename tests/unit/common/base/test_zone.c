/* Time zones: known days, and the C library over the same files. */
#include "common/base/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/time.h"
#include "tests/lib/th_cmocka.h"

static struct wh_zone zone(const char *name)
{
    struct wh_zone z = {NULL};
    struct wh_err err;

    th_ok(wh_zone_find(wh_slice_str(name), &z, &err), &err);
    return z;
}

static int64_t ms_of(const char *text)
{
    struct wh_instant at = {0, false};
    struct wh_err err;

    th_ok(wh_time_parse(wh_slice_str(text), &at, &err), &err);
    return at.ms;
}

static void begins(const char *name, const char *unit, const char *at, const char *want)
{
    char text[WH_TIME_TEXT_MAX];
    enum wh_zone_unit u;

    assert_true(wh_zone_unit_parse(wh_slice_str(unit), &u));
    assert_string_equal(wh_time_format(wh_zone_trunc(zone(name), u, ms_of(at)), text), want);
}

static void units(void **state)
{
    (void)state;
    begins("UTC", "second", "2026-11-24T01:02:03.999Z", "2026-11-24T01:02:03.000Z");
    begins("UTC", "minute", "2026-11-24T01:02:03.999Z", "2026-11-24T01:02:00.000Z");
    begins("UTC", "hour", "2026-11-24T01:02:03.999Z", "2026-11-24T01:00:00.000Z");
    begins("UTC", "day", "2026-11-24T23:59:59.999Z", "2026-11-24T00:00:00.000Z");
    begins("UTC", "week", "2026-11-24T01:02:03Z", "2026-11-23T00:00:00.000Z");
    begins("UTC", "week", "2026-11-23T00:00:00Z", "2026-11-23T00:00:00.000Z");
    begins("UTC", "week", "2026-11-29T23:59:59Z", "2026-11-23T00:00:00.000Z");
    begins("UTC", "week", "2027-01-03T12:00:00Z", "2026-12-28T00:00:00.000Z");
    begins("UTC", "month", "2026-02-28T23:59:59Z", "2026-02-01T00:00:00.000Z");
    begins("UTC", "quarter", "2026-06-30T23:59:59Z", "2026-04-01T00:00:00.000Z");
    begins("UTC", "quarter", "2026-10-01T00:00:00Z", "2026-10-01T00:00:00.000Z");
    begins("UTC", "year", "2026-12-31T23:59:59Z", "2026-01-01T00:00:00.000Z");
    begins("UTC", "hour", "1969-12-31T23:59:59.5Z", "1969-12-31T23:00:00.000Z");
    begins("UTC", "year", "1600-02-29T00:00:00Z", "1600-01-01T00:00:00.000Z");
    assert_false(wh_zone_unit_parse(WH_LIT("days"), &(enum wh_zone_unit){0}));
}

/* Days of 23 and 25 hours; equal hours; a day without a midnight; a day that was left out. */
static void changes_of_the_clock(void **state)
{
    (void)state;
    begins("Europe/Berlin", "day", "2026-03-28T23:30:00Z", "2026-03-28T23:00:00.000Z");
    begins("Europe/Berlin", "day", "2026-03-29T21:59:59Z", "2026-03-28T23:00:00.000Z");
    begins("Europe/Berlin", "day", "2026-03-29T22:00:00Z", "2026-03-29T22:00:00.000Z");
    begins("Europe/Berlin", "day", "2026-10-25T22:59:59Z", "2026-10-24T22:00:00.000Z");
    begins("Europe/Berlin", "day", "2026-10-25T23:00:00Z", "2026-10-25T23:00:00.000Z");
    begins("Europe/Berlin", "hour", "2026-10-25T00:30:00Z", "2026-10-25T00:00:00.000Z");
    begins("Europe/Berlin", "hour", "2026-10-25T01:30:00Z", "2026-10-25T01:00:00.000Z");
    begins("Europe/Berlin", "week", "2026-03-30T00:00:00Z", "2026-03-29T22:00:00.000Z");
    begins("Europe/Berlin", "month", "2026-10-31T22:59:59Z", "2026-09-30T22:00:00.000Z");
    begins("Europe/Berlin", "year", "2026-12-31T23:00:00Z", "2026-12-31T23:00:00.000Z");
    begins("America/Sao_Paulo", "day", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00.000Z");
    begins("Pacific/Apia", "day", "2011-12-30T09:59:59Z", "2011-12-29T10:00:00.000Z");
    begins("Pacific/Apia", "day", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00.000Z");
    begins("Asia/Kathmandu", "hour", "2026-01-01T00:00:00Z", "2025-12-31T23:15:00.000Z");
    /* Years that no file lists. */
    begins("Europe/Berlin", "day", "2100-07-01T22:30:00Z", "2100-07-01T22:00:00.000Z");
    begins("Europe/Berlin", "day", "2100-12-01T22:30:00Z", "2100-11-30T23:00:00.000Z");
}

static void names(void **state)
{
    static const char *const bad[] = {
        "",
        "Nowhere",
        "europe/berlin/",
        "../zoneinfo/UTC",
        "/etc/UTC",
        "Europe",
        "Europe/Berlin\n",
        "file:/etc/localtime",
        "leapseconds.",
        "Europe/../UTC",
        "localtime:Europe/Rome",
        "iso3166.tab",
    };
    static char longest[300];
    struct wh_zone z;
    struct wh_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(wh_zone_find(wh_slice_str(bad[i]), &z, &err), WH_E_INVALID);
    }
    memset(longest, 'a', sizeof(longest));
    assert_int_equal(wh_zone_find(wh_slice(longest, sizeof(longest)), &z, &err), WH_E_INVALID);
    assert_int_equal(wh_zone_offset(wh_zone_utc(), 0), 0);
}

/* Offsets of the C library at every 37th hour of 140 years. */
static void the_c_library_agrees(void **state)
{
    static const char *const zones[] = {"Europe/Berlin", "America/New_York",  "Australia/Lord_Howe",
                                        "Asia/Tehran",   "Africa/Casablanca", "Pacific/Apia"};

    (void)state;
    for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
        struct wh_zone z = zone(zones[i]);

        assert_int_equal(setenv("TZ", zones[i], 1), 0);
        tzset();
        for (time_t at = -1500000000; at < 2900000000; at += 37 * 3600 + 11) {
            struct tm tm;

            assert_non_null(localtime_r(&at, &tm));
            if (tm.tm_gmtoff != wh_zone_offset(z, (int64_t)at * 1000)) {
                fail_msg("%s at %lld: %d", zones[i], (long long)at,
                         wh_zone_offset(z, (int64_t)at * 1000));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units),
        cmocka_unit_test(changes_of_the_clock),
        cmocka_unit_test(names),
        cmocka_unit_test(the_c_library_agrees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
