/* What is said of things that are gone, and of connections that are not well. */
#include "stages/fetcher/check/gone.h"
#include "stages/fetcher/conn/health.h"
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

static bool says(const struct health_facts *facts, const char *part)
{
    char detail[HEALTH_DETAIL_MAX];

    return !health_verdict(facts, detail) && strstr(detail, part) != NULL;
}

static void verdicts(void **state)
{
    struct health_facts f = {.now_ms = 1000000};
    char detail[HEALTH_DETAIL_MAX];

    (void)state;
    assert_true(health_verdict(&f, detail)); /* nobody has set a webhook up */
    f.repaired = 9;
    assert_true(health_verdict(&f, detail)); /* then none is missed */
    f.last_ok_ms = 500000;
    assert_true(says(&f, "9 changes came by reads only"));
    f.hook = HOOK_MISSING;
    assert_true(says(&f, "no webhook for this address"));
    f.hook = HOOK_DISABLED;
    assert_true(says(&f, "switched the webhook off, after"));
    memcpy(f.hook_until, "2026-01-01", 11);
    assert_true(says(&f, "off until 2026-01-01"));
    f.hook = HOOK_WORKS;
    f.last_unauthorized_ms = 600000;
    assert_true(says(&f, "wrong secret"));
    f.repaired = 0;
    assert_true(health_verdict(&f, detail));
    /* Degraded until a delivery comes, or GitLab says that the hook works. */
    f = (struct health_facts){.last_ok_ms = 500000, .degraded_ms = 700000};
    assert_true(says(&f, "lost"));
    f.hook = HOOK_WORKS;
    assert_true(health_verdict(&f, detail));
    f.hook = HOOK_UNKNOWN;
    f.last_ok_ms = 700001;
    assert_true(health_verdict(&f, detail));
    /* Switched off, and nothing has changed since. */
    f = (struct health_facts){.last_ok_ms = 5, .hook = HOOK_DISABLED};
    assert_true(says(&f, "switched the webhook off"));
    /* Nothing but wrong secrets ever came. */
    f = (struct health_facts){.last_unauthorized_ms = 5};
    assert_true(says(&f, "wrong secret"));
    /* Silence after deliveries, without any change that was missed. */
    f = (struct health_facts){.now_ms = 1000000, .last_ok_ms = 400000, .silence_ms = 600000};
    assert_true(health_verdict(&f, detail));
    f.now_ms++;
    assert_true(says(&f, "no webhook came since 1970-01-01T00:06:40"));
    f.hook = HOOK_WORKS;
    assert_true(health_verdict(&f, detail));
    f.hook = HOOK_UNKNOWN;
    f.silence_ms = 0;
    assert_true(health_verdict(&f, detail));
    f = (struct health_facts){.held = 30, .repaired = 4, .last_ok_ms = 3};
    assert_true(says(&f, "30 objects are gone at once"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons),
        cmocka_unit_test(too_many),
        cmocka_unit_test(verdicts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
