/* Why objects are gone, and how many of them may go at once. */
#include "stages/fetcher/check/gone.h"
#include "tests/lib/th_cmocka.h"

#include <string.h>

static void reasons(void **state)
{
    const struct number_set_entry open = {.id = 1, .fate = NUMBER_HELD};
    const struct number_set_entry secret = {.id = 1, .fate = NUMBER_HELD, .confidential = true};

    (void)state;
    /* A merge request is never hidden by itself; an issue may be, if we would not see it. */
    assert_string_equal(gone_reason(NUMBERS_MERGE_REQUESTS, &open, NULL, 10), "deleted");
    assert_string_equal(gone_reason(NUMBERS_ISSUES, &open, NULL, 20), "deleted");
    assert_string_equal(gone_reason(NUMBERS_ISSUES, &open, NULL, 10), "deleted_or_hidden");
    assert_string_equal(gone_reason(NUMBERS_ISSUES, &open, NULL, 0), "deleted_or_hidden");
    assert_string_equal(gone_reason(NUMBERS_ISSUES, &secret, NULL, 40), "deleted_or_hidden");
    assert_string_equal(gone_reason(NUMBERS_ISSUES, &secret, "lost_access", 0), "lost_access");
    assert_string_equal(gone_reason(NUMBERS_PROJECT, &open, "project_removed", 0),
                        "project_removed");
    assert_int_equal(gone_fate("deleted"), NUMBER_DELETED);
    assert_int_equal(gone_fate("deleted_or_hidden"), NUMBER_HIDDEN);
    assert_int_equal(gone_fate("out_of_scope"), NUMBER_NO_ACCESS);
    assert_int_equal(gone_fate_unknown(NUMBERS_ISSUES, 10), NUMBER_HIDDEN);
    assert_int_equal(gone_fate_unknown(NUMBERS_ISSUES, 30), NUMBER_DELETED);
    assert_int_equal(gone_fate_unknown(NUMBERS_MERGE_REQUESTS, 0), NUMBER_DELETED);
}

static void too_many(void **state)
{
    (void)state;
    assert_false(gone_too_many(0, 0, 20, 10));
    assert_false(gone_too_many(20, 30, 20, 10)); /* so many in any case */
    assert_true(gone_too_many(21, 30, 20, 10));
    assert_false(gone_too_many(100, 1000, 20, 10)); /* the share */
    assert_true(gone_too_many(101, 1000, 20, 10));
    assert_true(gone_too_many(1, 1000000, 0, 0));
    assert_false(gone_too_many(1000000, 1000000, 0, 100));
    assert_false(gone_too_many(INT64_C(4000000000000), INT64_C(40000000000000), 0, 10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons),
        cmocka_unit_test(too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
