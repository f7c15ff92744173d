#include "common/base/nearest.h"

#include <string.h>

#include "tests/lib/th_cmocka.h"

enum { HINT_MAX = 120 };

/* names: by spaces. */
static void hint_is(const char *typed, const char *names, const char *want)
{
    struct wh_nearest near;
    char copy[200];
    char hint[HINT_MAX];
    char *rest = copy;
    char *name;

    (void)snprintf(copy, sizeof(copy), "%s", names);
    wh_nearest_init(&near, wh_slice_str(typed));
    while ((name = strsep(&rest, " ")) != NULL) {
        wh_nearest_offer(&near, name);
    }
    wh_nearest_hint(&near, hint, sizeof(hint));
    assert_string_equal(hint, want);
    if (want[0]) {
        assert_non_null(wh_nearest_name(&near));
    } else {
        assert_null(wh_nearest_name(&near));
    }
}

static void test_a_slip_is_near(void **state)
{
    (void)state;
    hint_is("stauts", "connect status sql", "; did you mean status?");
    hint_is("disconect", "connect disconnect", "; did you mean disconnect or connect?");
    hint_is("TITEL", "title", "; did you mean title?");
    hint_is("http.prot", "http.address http.port", "; did you mean http.port?");
}

static void test_a_beginning_is_near(void **state)
{
    (void)state;
    hint_is("token", "projects token-file", "; did you mean token-file?");
    hint_is("tok", "token-file to", "; did you mean token-file or to?");
    hint_is("client-secret", "client-secret-file", "; did you mean client-secret-file?");
    hint_is("to", "token-file", ""); /* two letters begin too much */
}

static void test_other_names_are_not(void **state)
{
    (void)state;
    hint_is("S3CRET", "check config sql", "");
    hint_is("S", "sql id", "");
    hint_is("", "projects status", "");
    hint_is("a-name-that-is-much-longer-than-any-other-name-of-this-program-can-be-today",
            "a-name-that-is-much-longer-than-any-other-name-of-this-program-can-be-todax", "");
}

static void test_the_nearest_three_in_order(void **state)
{
    (void)state;
    hint_is("state", "staters states stat statesx stale states",
            "; did you mean staters, states or stat?");
    hint_is("state", "state", "; did you mean state?");
}

static void test_a_hint_is_cut(void **state)
{
    struct wh_nearest near;
    char hint[12];

    (void)state;
    wh_nearest_init(&near, WH_LIT("state"));
    wh_nearest_offer(&near, "states");
    wh_nearest_hint(&near, hint, sizeof(hint));
    assert_string_equal(hint, "; did you m");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_slip_is_near),
        cmocka_unit_test(test_a_beginning_is_near),
        cmocka_unit_test(test_other_names_are_not),
        cmocka_unit_test(test_the_nearest_three_in_order),
        cmocka_unit_test(test_a_hint_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
