#include "tests/lib/store_mem.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_store.h"

static struct wh_store *open_store(void)
{
    const struct wh_store_conf conf = {.families = th_store_families,
                                       .n_families = TH_STORE_FAMILIES};
    struct wh_store *s;
    struct wh_err err;

    th_ok(wh_store_mem_open(&conf, &s, &err), &err);
    return s;
}

static void test_behaviour(void **state)
{
    struct wh_store *s = open_store();

    (void)state;
    th_store_behaviour(s);
    wh_store_free(s);
}

static void test_faults(void **state)
{
    struct wh_store *s = open_store();
    struct wh_batch *b;
    struct wh_buf out;
    struct wh_err err;
    bool found;

    (void)state;
    wh_buf_init(&out, 100);
    th_ok(wh_batch_new(s, &b, &err), &err);
    th_ok(wh_batch_put(b, 0, WH_LIT("a"), WH_LIT("1"), &err), &err);
    wh_store_mem_fail(s, WH_STORE_MEM_WRITE, WH_E_NO_SPACE, 1, 2);
    th_ok(wh_store_write(s, b, true, &err), &err);
    wh_batch_reset(b);
    th_ok(wh_batch_put(b, 0, WH_LIT("a"), WH_LIT("2"), &err), &err);
    assert_int_equal(wh_store_write(s, b, true, &err), WH_E_NO_SPACE);
    assert_int_equal(wh_store_write(s, b, true, &err), WH_E_NO_SPACE);
    th_ok(wh_store_get(s, NULL, 0, WH_LIT("a"), &out, &found, &err), &err);
    th_slice_is(wh_buf_slice(&out), "1");
    th_ok(wh_store_write(s, b, true, &err), &err);
    wh_buf_reset(&out);
    th_ok(wh_store_get(s, NULL, 0, WH_LIT("a"), &out, &found, &err), &err);
    th_slice_is(wh_buf_slice(&out), "2");
    wh_store_mem_fail(s, WH_STORE_MEM_GET, WH_E_IO, 0, -1);
    assert_int_equal(wh_store_get(s, NULL, 0, WH_LIT("a"), &out, &found, &err), WH_E_IO);
    assert_int_equal(wh_store_mem_calls(s, WH_STORE_MEM_WRITE), 4);
    wh_buf_done(&out);
    wh_batch_free(b);
    wh_store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_behaviour),
        cmocka_unit_test(test_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
