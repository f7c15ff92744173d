#include "common/base/backoff.h"

#include "tests/lib/th_cmocka.h"

static void test_waits_double_up_to_the_longest(void **state)
{
    static const int64_t waits[] = {500, 1000, 2000, 4000, 8000, 10000, 10000};

    (void)state;
    for (unsigned i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        assert_int_equal(wh_backoff_ms(500, 10000, i + 1), waits[i]);
    }
    assert_int_equal(wh_backoff_ms(500, 10000, 0), 500);
    assert_int_equal(wh_backoff_ms(500, 10000, UINT32_MAX), 10000);
    assert_int_equal(wh_backoff_ms(500, 100, 1), 100);
    assert_int_equal(wh_backoff_ms(0, 100, UINT32_MAX), 0);
    assert_true(wh_backoff_ms(3, INT64_MAX, UINT32_MAX) == INT64_MAX);
}

static void test_jitter_stays_between_half_and_whole(void **state)
{
    struct wh_jitter jitter;
    int64_t least = INT64_MAX;
    int64_t most = 0;

    (void)state;
    wh_jitter_init(&jitter, 0);
    for (int i = 0; i < 1000; i++) {
        int64_t wait = wh_jitter_ms(&jitter, 1000);

        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
    }
    assert_in_range(least, 500, 520);
    assert_in_range(most, 980, 1000);
    assert_int_equal(wh_jitter_ms(&jitter, 0), 0);
    assert_in_range(wh_jitter_ms(&jitter, 1), 0, 1);
}

static void test_seeds_give_different_waits(void **state)
{
    struct wh_jitter a;
    struct wh_jitter b;
    int same = 0;

    (void)state;
    wh_jitter_init(&a, 1234567);
    wh_jitter_init(&b, 7654321);
    for (int i = 0; i < 100; i++) {
        same += wh_jitter_ms(&a, 60000) == wh_jitter_ms(&b, 60000);
    }
    assert_true(same < 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_double_up_to_the_longest),
        cmocka_unit_test(test_jitter_stays_between_half_and_whole),
        cmocka_unit_test(test_seeds_give_different_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
