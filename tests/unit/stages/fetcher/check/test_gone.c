/* Why objects are gone, and how many of them may go at once. */
#include "stages/fetcher/check/gone.h"
#include "tests/lib/th_cmocka.h"

#include <string.h>

static void reasons(void **state)
{
    const struct ids_entry open = {.id = 1, .fate = IDS_HELD};
    const struct ids_entry secret = {.id = 1, .fate = IDS_HELD, .confidential = true};

    (void)state;
    /* A merge request is never hidden by itself; an issue may be, if we would not see it. */
    assert_string_equal(gone_reason(NUMBERED_MERGE_REQUESTS, &open, NULL, 10), "deleted");
    assert_string_equal(gone_reason(NUMBERED_ISSUES, &open, NULL, 20), "deleted");
    assert_string_equal(gone_reason(NUMBERED_ISSUES, &open, NULL, 10), "deleted_or_hidden");
    assert_string_equal(gone_reason(NUMBERED_ISSUES, &open, NULL, 0), "deleted_or_hidden");
    assert_string_equal(gone_reason(NUMBERED_ISSUES, &secret, NULL, 40), "deleted_or_hidden");
    assert_string_equal(gone_reason(NUMBERED_ISSUES, &secret, "lost_access", 0), "lost_access");
    assert_string_equal(gone_reason(NUMBERED_PROJECT, &open, "project_removed", 0),
                        "project_removed");
    assert_int_equal(gone_fate("deleted"), IDS_DELETED);
    assert_int_equal(gone_fate("deleted_or_hidden"), IDS_HIDDEN);
    assert_int_equal(gone_fate("out_of_scope"), IDS_NO_ACCESS);
    assert_int_equal(gone_fate_unknown(NUMBERED_ISSUES, 10), IDS_HIDDEN);
    assert_int_equal(gone_fate_unknown(NUMBERED_ISSUES, 30), IDS_DELETED);
    assert_int_equal(gone_fate_unknown(NUMBERED_MERGE_REQUESTS, 0), IDS_DELETED);
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
