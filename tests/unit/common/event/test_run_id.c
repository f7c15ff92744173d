#include "common/base/mem.h"
#include "common/event/run_id.h"

#include "common/base/mem.h"
#include "tests/lib/th_cmocka.h"

static void test_round_trip(void **state)
{
    WH_AUTO(buf) struct wh_buf out;
    struct wh_err err;

    (void)state;
    wh_buf_init(&out, 256);
    th_ok(wh_run_id_write(WH_LIT("/api/v4/projects/1/issues?page=2"), 1764000000123, &out, &err),
          &err);
    th_slice_is(wh_buf_slice(&out), "/api/v4/projects/1/issues?page=2#run=1764000000123");
    assert_int_equal(wh_run_id_of(wh_buf_slice(&out)), 1764000000123);
}

static void test_without(void **state)
{
    static const char *const none[] = {
        "", "1", "#run=", "/api/v4/users/17", "/a#run=x1", "/a#run=99999999999999999999", "un=1"};
    WH_AUTO(buf) struct wh_buf out;
    struct wh_err err;

    (void)state;
    wh_buf_init(&out, 256);
    th_ok(wh_run_id_write(WH_LIT("/api/v4/users/1"), 0, &out, &err), &err);
    th_slice_is(wh_buf_slice(&out), "/api/v4/users/1");
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_int_equal(wh_run_id_of(wh_slice_str(none[i])), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_without),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
