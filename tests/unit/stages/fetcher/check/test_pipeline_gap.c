/* Where pipelines may be that no listing has shown. */
#include "stages/fetcher/check/pipeline_gap.h"

#include "common/base/mem.h"
#include "tests/lib/th_cmocka.h"

/* Known numbers with their ids; the gaps after the number `after`. */
struct known {
    int64_t number;
    int64_t id;
};

static void gap_is(const struct known *known, size_t n, int64_t after, bool found,
                   struct pipeline_gap want)
{
    struct number_set *set = number_set_new();
    struct pipeline_gap got = {0};
    struct wh_err err;

    for (size_t i = 0; i < n; i++) {
        th_ok(number_set_put(set, known[i].number, known[i].id,
                             known[i].id ? NUMBER_HAVE : NUMBER_DELETED, false, &err),
              &err);
    }
    assert_int_equal(pipeline_gap_next(set, after, &got), found);
    if (found) {
        assert_int_equal(got.from, want.from);
        assert_int_equal(got.to, want.to);
        assert_int_equal(got.first_id, want.first_id);
        assert_int_equal(got.last_id, want.last_id);
    }
    number_set_free(set);
}

#define GAP(list, after, ...)                                                                      \
    gap_is(list, sizeof(list) / sizeof((list)[0]), after, true, (struct pipeline_gap){__VA_ARGS__})
#define NO_GAP(list, after)                                                                        \
    gap_is(list, sizeof(list) / sizeof((list)[0]), after, false, (struct pipeline_gap){0})

static void test_gaps(void **state)
{
    static const struct known dense[] = {{1, 10}, {2, 20}, {3, 30}};
    static const struct known hole[] = {{1, 10}, {2, 20}, {5, 27}, {6, 31}, {8, 40}};
    static const struct known at_start[] = {{3, 9}, {4, 11}};
    static const struct known beside_the_gone[] = {{1, 10}, {2, 0}, {4, 0}, {5, 20}};
    static const struct known turned[] = {{1, 20}, {3, 10}};

    (void)state;
    NO_GAP(dense, 0);
    GAP(hole, 0, 3, 4, 21, 26);
    GAP(hole, 4, 7, 7, 32, 39);
    NO_GAP(hole, 7);
    GAP(at_start, 0, 1, 2, 1, 8);
    GAP(beside_the_gone, 0, 3, 3, 11, 19);
    GAP(turned, 0, 2, 2, 21, 9);
}

static void test_a_gap_has_a_width(void **state)
{
    const struct pipeline_gap some = {.first_id = 21, .last_id = 26};
    const struct pipeline_gap none = {.first_id = 21, .last_id = 9};

    (void)state;
    assert_int_equal(pipeline_gap_width(&some), 6);
    assert_int_equal(pipeline_gap_width(&none), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_a_gap_has_a_width),
    };

    return cmocka_run_group_tests_name("pipeline_gap", tests, NULL, NULL);
}
