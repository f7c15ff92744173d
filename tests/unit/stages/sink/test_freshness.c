#include <string.h>

#include "stages/sink/freshness.h"
#include "tests/lib/th_cmocka.h"

static struct sink_freshness_ring ring;

static void test_quantiles(void **state)
{
    struct sink_freshness f;

    (void)state;
    memset(&ring, 0, sizeof(ring));
    for (int i = 1; i <= 1000; i++) {
        sink_freshness_add(&ring, 1000000 + i, WH_ORIGIN_WEBHOOK, i);
    }
    f = sink_freshness_get(&ring, 1002000, WH_ORIGIN_WEBHOOK);
    assert_int_equal(f.count, 1000);
    assert_true(f.p50_s >= 0.5 && f.p50_s < 0.6);
    assert_true(f.p99_s >= 0.99 && f.p99_s < 1.19);
    assert_int_equal(sink_freshness_get(&ring, 1002000, WH_ORIGIN_REST).count, 0);
}

static void test_window_slides(void **state)
{
    const int64_t hour = 3600000;

    (void)state;
    memset(&ring, 0, sizeof(ring));
    sink_freshness_add(&ring, 10 * hour, WH_ORIGIN_REST, 5);
    assert_int_equal(sink_freshness_get(&ring, 10 * hour, WH_ORIGIN_REST).count, 1);
    assert_int_equal(sink_freshness_get(&ring, 10 * hour + 59 * 60000, WH_ORIGIN_REST).count, 1);
    assert_int_equal(sink_freshness_get(&ring, 11 * hour, WH_ORIGIN_REST).count, 0);
    sink_freshness_add(&ring, 11 * hour, WH_ORIGIN_REST, 7); /* takes the old slot over */
    assert_int_equal(sink_freshness_get(&ring, 11 * hour, WH_ORIGIN_REST).count, 1);
}

static void test_odd_ages(void **state)
{
    (void)state;
    memset(&ring, 0, sizeof(ring));
    sink_freshness_add(&ring, 1000, WH_ORIGIN_IMPORT, -50);
    sink_freshness_add(&ring, 1000, WH_ORIGIN_IMPORT, INT64_MAX);
    sink_freshness_add(&ring, 1000, WH_ORIGIN_COUNT, 5);
    assert_int_equal(sink_freshness_get(&ring, 1000, WH_ORIGIN_IMPORT).count, 2);
    assert_true(sink_freshness_get(&ring, 1000, WH_ORIGIN_IMPORT).p50_s <= 0.001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_window_slides),
        cmocka_unit_test(test_odd_ages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
