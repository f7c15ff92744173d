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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_window_slides),
        cmocka_unit_test(test_day_and_kinds),
        cmocka_unit_test(test_odd_ages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
