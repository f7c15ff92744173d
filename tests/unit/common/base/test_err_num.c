#include "tests/lib/th_cmocka.h"

#include "common/base/err.h"
#include "common/base/num.h"

static void test_prefix(void **state)
{
    struct wh_err err;
    char long_text[400];

    (void)state;
    assert_int_equal(wh_fail(&err, WH_E_IO, "cannot read %s", "x"), WH_E_IO);
    assert_int_equal(wh_err_prefix(&err, "loading %d", 3), WH_E_IO);
    assert_string_equal(err.msg, "loading 3: cannot read x");
    memset(long_text, 'y', sizeof(long_text));
    long_text[sizeof(long_text) - 1] = '\0';
    (void)wh_fail(&err, WH_E_IO, "%s", long_text);
    assert_int_equal(strlen(err.msg), WH_ERR_MSG_MAX - 1);
    (void)wh_err_prefix(&err, "%s", long_text);
    assert_true(strlen(err.msg) < WH_ERR_MSG_MAX);
}

static void test_classes(void **state)
{
    (void)state;
    for (int rc = 0; rc < WH_RC_COUNT; rc++) {
        assert_true(strlen(wh_rc_name((enum wh_rc)rc)) > 0);
        assert_true((rc == WH_OK) == (wh_rc_class((enum wh_rc)rc) == WH_CLASS_NONE));
    }
    assert_int_equal(wh_rc_class(WH_E_BUSY), WH_CLASS_TRANSIENT);
    assert_int_equal(wh_rc_class(WH_E_UTF8), WH_CLASS_POISON);
    assert_int_equal(wh_rc_class((enum wh_rc)9999), WH_CLASS_FATAL);
}

static void test_i64(void **state)
{
    struct wh_err err;
    int64_t v;

    (void)state;
    th_ok(wh_num_i64(WH_LIT("9223372036854775807"), &v, &err), &err);
    assert_true(v == INT64_MAX);
    th_ok(wh_num_i64(WH_LIT("-9223372036854775808"), &v, &err), &err);
    assert_true(v == INT64_MIN);
    assert_int_equal(wh_num_i64(WH_LIT("9223372036854775808"), &v, &err), WH_E_RANGE);
    assert_int_equal(wh_num_i64(WH_LIT("-9223372036854775809"), &v, &err), WH_E_RANGE);
    assert_int_equal(wh_num_i64(WH_LIT(""), &v, &err), WH_E_INVALID);
    assert_int_equal(wh_num_i64(WH_LIT("-"), &v, &err), WH_E_INVALID);
    assert_int_equal(wh_num_i64(WH_LIT("1 "), &v, &err), WH_E_INVALID);
    assert_int_equal(wh_num_i64(WH_LIT("+1"), &v, &err), WH_E_INVALID);
}

static void test_units(void **state)
{
    struct wh_err err;
    int64_t v;

    (void)state;
    th_ok(wh_num_duration_ms(WH_LIT("2h"), &v, &err), &err);
    assert_int_equal(v, 7200000);
    th_ok(wh_num_duration_ms(WH_LIT("150"), &v, &err), &err);
    assert_int_equal(v, 150);
    th_ok(wh_num_size_bytes(WH_LIT("25MiB"), &v, &err), &err);
    assert_int_equal(v, 25 << 20);
    assert_int_equal(wh_num_duration_ms(WH_LIT("5 s"), &v, &err), WH_E_INVALID);
    assert_non_null(strstr(err.msg, "as in 500ms, 30s"));
    assert_int_equal(wh_num_duration_ms(WH_LIT("soon"), &v, &err), WH_E_INVALID);
    assert_non_null(strstr(err.msg, "'soon' does not begin with a number, as in 500ms, 30s"));
    assert_int_equal(wh_num_duration_ms(WH_LIT("-5s"), &v, &err), WH_E_INVALID);
    assert_int_equal(wh_num_size_bytes(WH_LIT("9223372036854775807GiB"), &v, &err), WH_E_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_i64),
        cmocka_unit_test(test_units),
    };

    return cmocka_run_group_tests_name("base/err num", tests, NULL, NULL);
}
