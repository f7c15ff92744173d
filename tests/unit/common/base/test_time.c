#include "tests/lib/th_cmocka.h"

#include <stdlib.h>
#include <time.h>

#include "common/base/time.h"

struct good {
    const char *text;
    int64_t ms;
    bool fraction;
};

/* Forms and where they are seen: REST, webhooks, deployments, old users, dates alone. */
static const struct good goods[] = {
    {"2016-08-11T11:28:34.085Z", 1470914914085, true},
    {"2020-10-06 15:27:18 UTC", 1601998038000, false},
    {"2021-04-28 21:50:00 +0200", 1619639400000, false},
    {"2018-03-25T09:43:17.048+01:00", 1521967397048, true},
    {"2023-01-10 13:50:02 UTC", 1673358602000, false},
    {"2021-02-23T02:41:37.886Z", 1614048097886, true},
    {"2012-02-29", 1330473600000, false},
    {"2017-09-15T16:52:00Z", 1505494320000, false},
    {"2017-09-15T16:52:00", 1505494320000, false},
    {"2017-09-15 16:52", 1505494320000, false},
    {"2017-09-15T16:52:00.123456789Z", 1505494320123, true},
    {"2017-09-15T16:52:00.1Z", 1505494320100, true},
    {"1970-01-01T00:00:00Z", 0, false},
    {"1969-12-31T23:59:59.999Z", -1, true},
    {"2016-12-31T23:59:60Z", 1483228800000, false},
    {"2017-09-15T16:52:00-07:00", 1505519520000, false},
};

static void test_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++) {
        struct wh_instant at;
        struct wh_err err;

        th_ok(wh_time_parse(wh_slice_str(goods[i].text), &at, &err), &err);
        if (at.ms != goods[i].ms || at.has_fraction != goods[i].fraction) {
            fail_msg("%s gave %lld", goods[i].text, (long long)at.ms);
        }
    }
}

static void test_refused(void **state)
{
    static const char *const bads[] = {"",
                                       "2017",
                                       "2017-13-01",
                                       "2017-02-29",
                                       "2017-9-15",
                                       "2017-09-15T",
                                       "2017-09-15T24:00:00",
                                       "2017-09-15T16:60:00Z",
                                       "tomorrow",
                                       "2017-09-15 16",
                                       "2017-09-15T16:52:00.Z",
                                       "2017-09-15T16:52:00 PST",
                                       "2017-09-15T16:52:00ZZ",
                                       "0000-01-01",
                                       "9999-01-01",
                                       "2017-09-15T16:52:00+2500",
                                       "0001-01-01T00:00:00+01:00",
                                       "4147-12-31T23:59:60Z"};

    (void)state;
    for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
        struct wh_instant at;
        struct wh_err err;

        if (wh_time_parse(wh_slice_str(bads[i]), &at, &err) != WH_E_INVALID) {
            fail_msg("'%s' was taken", bads[i]);
        }
    }
}

/* libc's calendar is the oracle. */
static void test_against_libc(void **state)
{
    uint64_t seed = 88172645463325252ULL;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        char text[WH_TIME_TEXT_MAX];
        char want[40];
        struct wh_instant at;
        struct wh_err err;
        struct tm tm;
        int64_t ms;
        time_t seconds;
        int part;

        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        ms = (int64_t)(seed % 60000000000000ULL);
        seconds = ms / 1000;
        part = (int)(ms % 1000);
        assert_non_null(gmtime_r(&seconds, &tm));
        assert_true(strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S", &tm) > 0);
        (void)wh_time_format(ms, text);
        assert_memory_equal(text, want, 19);
        assert_int_equal(strtol(text + 20, NULL, 10), part);
        th_ok(wh_time_parse(wh_slice_str(text), &at, &err), &err);
        assert_int_equal(at.ms, ms);
    }
}

static void test_days(void **state)
{
    static const char *const good[] = {"0001-01-01", "2024-02-29", "2026-12-31", "9999-12-31"};
    static const char *const bad[] = {"",           "2025-02-29", "2026-13-01",  "2026-00-10",
                                      "2026-1-1",   "0000-01-01", "2026-01-01T", "2026-01-01 ",
                                      "26-01-01",   "2026/01/01", "10000-01-01", " 2026-01-01",
                                      "2026-04-31", "1900-02-29"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(wh_date_valid(wh_slice_str(good[i])));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(wh_date_valid(wh_slice_str(bad[i])));
    }
    assert_false(wh_date_valid(wh_slice(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_days),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_against_libc),
    };

    return cmocka_run_group_tests_name("base/time", tests, NULL, NULL);
}
