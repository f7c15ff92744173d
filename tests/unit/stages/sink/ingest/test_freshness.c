#include <string.h>

#include "stages/sink/ingest/freshness.h"
#include "tests/lib/th_cmocka.h"

static struct sink_freshness_ring ring;

static void test_quantiles(void **state)
{
    struct sink_freshness f;

    (void)state;
    memset(&ring, 0, sizeof(ring));
    for (int i = 1; i <= 1000; i++) {
        sink_freshness_add(&ring, 1000000 + i, sink_freshness_by_origin(WH_ORIGIN_WEBHOOK), i);
    }
    f = sink_freshness_get(&ring, 1002000, sink_freshness_by_origin(WH_ORIGIN_WEBHOOK), false);
    assert_int_equal(f.count, 1000);
    assert_true(f.p50_s >= 0.5 && f.p50_s < 0.6);
    assert_true(f.p99_s >= 0.99 && f.p99_s < 1.19);
    assert_int_equal(
        sink_freshness_get(&ring, 1002000, sink_freshness_by_origin(WH_ORIGIN_REST), false).count,
        0);
}

static void test_window_slides(void **state)
{
    const int64_t hour = 3600000;

    (void)state;
    memset(&ring, 0, sizeof(ring));
    sink_freshness_add(&ring, 10 * hour, sink_freshness_by_origin(WH_ORIGIN_REST), 5);
    assert_int_equal(
        sink_freshness_get(&ring, 10 * hour, sink_freshness_by_origin(WH_ORIGIN_REST), false).count,
        1);
    assert_int_equal(sink_freshness_get(&ring, 10 * hour + 59 * 60000,
                                        sink_freshness_by_origin(WH_ORIGIN_REST), false)
                         .count,
                     1);
    assert_int_equal(
        sink_freshness_get(&ring, 11 * hour, sink_freshness_by_origin(WH_ORIGIN_REST), false).count,
        0);
    sink_freshness_add(&ring, 11 * hour, sink_freshness_by_origin(WH_ORIGIN_REST),
                       7); /* takes the old slot over */
    assert_int_equal(
        sink_freshness_get(&ring, 11 * hour, sink_freshness_by_origin(WH_ORIGIN_REST), false).count,
        1);
}

/* A day back by the hour; a kind's receipt and GitLab's own time are series of their own. */
static void test_day_and_kinds(void **state)
{
    const int64_t hour = 3600000;
    unsigned receipt = sink_freshness_by_kind(WH_KIND_WORK_ITEM);
    unsigned event = sink_freshness_of_event(WH_KIND_WORK_ITEM);

    (void)state;
    memset(&ring, 0, sizeof(ring));
    sink_freshness_add(&ring, 100 * hour, receipt, 8);
    sink_freshness_add(&ring, 100 * hour, event, 900);
    assert_int_equal(sink_freshness_get(&ring, 102 * hour, receipt, false).count, 0);
    assert_int_equal(sink_freshness_get(&ring, 102 * hour, receipt, true).count, 1);
    assert_int_equal(sink_freshness_get(&ring, 123 * hour, event, true).count, 1);
    assert_true(sink_freshness_get(&ring, 123 * hour, event, true).p50_s >= 0.9);
    assert_true(sink_freshness_get(&ring, 123 * hour, receipt, true).p50_s <= 0.01);
    assert_int_equal(sink_freshness_get(&ring, 124 * hour, event, true).count, 0);
    assert_int_equal(
        sink_freshness_get(&ring, 102 * hour, sink_freshness_by_kind(WH_KIND_JOB), true).count, 0);
}

static void test_odd_ages(void **state)
{
    (void)state;
    memset(&ring, 0, sizeof(ring));
    sink_freshness_add(&ring, 1000, sink_freshness_by_origin(WH_ORIGIN_IMPORT), -50);
    sink_freshness_add(&ring, 1000, sink_freshness_by_origin(WH_ORIGIN_IMPORT), INT64_MAX);
    sink_freshness_add(&ring, 1000, SINK_FRESHNESS_SERIES, 5);
    assert_int_equal(
        sink_freshness_get(&ring, 1000, sink_freshness_by_origin(WH_ORIGIN_IMPORT), false).count,
        2);
    assert_true(
        sink_freshness_get(&ring, 1000, sink_freshness_by_origin(WH_ORIGIN_IMPORT), false).p50_s <=
        0.001);
}

/* Whatever GitLab's clock says. */
static void test_an_event_is_never_younger_than_its_receipt(void **state)
{
    static const int64_t clocks_ms[] = {-7200000, -90000, -1500, 0, 1500, 90000, 7200000};
    const int64_t now = 50 * 3600000;

    (void)state;
    for (size_t c = 0; c < sizeof(clocks_ms) / sizeof(clocks_ms[0]); c++) {
        struct sink_freshness receipt;
        struct sink_freshness event;

        memset(&ring, 0, sizeof(ring));
        for (int64_t i = 1; i < 500; i++) {
            int64_t received = now - i * i;
            int64_t age = sink_freshness_add_webhook(&ring, now, WH_KIND_WORK_ITEM, received,
                                                     received - 300 * (i % 7) + clocks_ms[c]);

            assert_true(age >= i * i);
        }
        receipt = sink_freshness_get(&ring, now, sink_freshness_by_kind(WH_KIND_WORK_ITEM), true);
        event = sink_freshness_get(&ring, now, sink_freshness_of_event(WH_KIND_WORK_ITEM), true);
        assert_int_equal(receipt.count, event.count);
        assert_true(event.p50_s >= receipt.p50_s && event.p99_s >= receipt.p99_s);
    }
}

static void test_an_old_event_has_its_reason(void **state)
{
    static const struct {
        const char *text;  /* part of it; "": none */
        int64_t waited_ms; /* of three of eight */
        int64_t delay_ms;
        int64_t others_ms; /* delay of the other five */
    } cases[] = {
        {"", 20, 900, 900},
        {"", 50000, 9000, 900},
        {"late delivery: GitLab delivered 3 of 8 more", 20, 60000000, 900},
        {"backlog: 3 of 8 waited in Wellhead", 60000000, 900, 900},
        {"clock: GitLab's time of 3 of 8 events is after", 20, -5000, 900},
        {"clock: every delivery seems to be at least 30 s late", 20, 30000, 31000},
        {"clock: every delivery seems to be at least 70 s late", 20, 70000, 70000},
    };
    const int64_t now = 50 * 3600000;
    char text[SINK_WHY_TEXT_MAX];

    (void)state;
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct sink_why why;

        memset(&ring, 0, sizeof(ring));
        for (int i = 0; i < 8; i++) {
            int64_t received = now - (i < 3 ? cases[c].waited_ms : 20);

            (void)sink_freshness_add_webhook(&ring, now, WH_KIND_WORK_ITEM, received,
                                             received -
                                                 (i < 3 ? cases[c].delay_ms : cases[c].others_ms));
        }
        why = sink_freshness_why(&ring, now, WH_KIND_WORK_ITEM, false);
        sink_why_text(&why, 8, text);
        if (cases[c].text[0] ? strstr(text, cases[c].text) == NULL : text[0] != '\0') {
            fail_msg("'%s' instead of '%s'", text, cases[c].text);
        }
        why = sink_freshness_why(&ring, now + 3600000, WH_KIND_WORK_ITEM, false);
        sink_why_text(&why, 0, text);
        assert_string_equal(text, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_event_is_never_younger_than_its_receipt),
        cmocka_unit_test(test_an_old_event_has_its_reason),
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_window_slides),
        cmocka_unit_test(test_day_and_kinds),
        cmocka_unit_test(test_odd_ages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
