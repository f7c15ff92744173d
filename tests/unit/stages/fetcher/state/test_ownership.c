/* Who works for what: one partition for all of a project, ownership that comes and goes. */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>

#include "stages/fetcher/state/ownership.h"

static void alone_owns_everything(void **state)
{
    struct ownership s;

    (void)state;
    ownership_init(&s, 0);
    assert_true(ownership_owns(&s, WH_LIT("c"), WH_LIT("101")));
    assert_true(ownership_owns(&s, WH_LIT("c"), WH_LIT("")));
    assert_int_equal(ownership_partition(WH_LIT("c"), WH_LIT("101"), 0), -1);
}

/* Fixed values: every member, of every version, must agree on them. */
static void partitions_never_change(void **state)
{
    (void)state;
    assert_int_equal(ownership_partition(WH_LIT("gitlab-example-com"), WH_LIT("101"), 4), 3);
    assert_int_equal(ownership_partition(WH_LIT("gitlab-example-com"), WH_LIT(""), 4), 2);
}

static void projects_are_spread(void **state)
{
    unsigned n[4] = {0};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        char id[12];
        int32_t p;

        (void)snprintf(id, sizeof(id), "%d", i);
        p = ownership_partition(WH_LIT("c"), wh_slice_str(id), 4);
        assert_in_range(p, 0, 3);
        n[p]++;
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_in_range(n[i], 200, 300);
    }
}

static void owns_when_ready_until_revoked(void **state)
{
    struct ownership s;
    int32_t p = ownership_partition(WH_LIT("c"), WH_LIT("7"), 8);

    (void)state;
    ownership_init(&s, 8);
    assert_false(ownership_owns(&s, WH_LIT("c"), WH_LIT("7")));
    ownership_assign(&s, p);
    assert_false(ownership_owns(&s, WH_LIT("c"), WH_LIT("7")));
    ownership_ready(&s, p);
    assert_true(ownership_owns(&s, WH_LIT("c"), WH_LIT("7")));
    assert_true(ownership_works_on(&s, p));
    assert_false(ownership_works_on(&s, (p + 1) % 8));
    ownership_revoke(&s, p);
    assert_false(ownership_owns(&s, WH_LIT("c"), WH_LIT("7")));
    /* Read to the end too late: it is somebody else's by now. */
    ownership_ready(&s, p);
    assert_false(ownership_owns(&s, WH_LIT("c"), WH_LIT("7")));
    ownership_assign(&s, 8);
    ownership_ready(&s, -1);
    assert_false(ownership_works_on(&s, 8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone_owns_everything),
        cmocka_unit_test(partitions_never_change),
        cmocka_unit_test(projects_are_spread),
        cmocka_unit_test(owns_when_ready_until_revoked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
