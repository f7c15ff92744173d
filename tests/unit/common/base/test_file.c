#include <stdlib.h>
#include <unistd.h>

#include "common/base/file.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_tmp.h"

static void test_what_is_saved_is_loaded(void **state)
{
    char *dir = th_tmp_new();
    struct wh_buf text;
    struct wh_err err;
    char path[512];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/file", dir);
    wh_buf_init(&text, 1 << 20);
    th_ok(wh_file_save(path, WH_LIT("abc"), &err), &err);
    th_ok(wh_file_load(path, &text, &err), &err);
    th_slice_is(wh_buf_slice(&text), "abc");
    th_ok(wh_folder_sync(dir, &err), &err);
    assert_int_equal(wh_file_save(path, WH_LIT("d"), &err), WH_E_EXISTS);
    assert_non_null(strstr(err.msg, "cannot make"));
    wh_buf_done(&text);
    wh_buf_init(&text, 3);
    th_ok(wh_file_load(path, &text, &err), &err);
    wh_buf_done(&text);
    wh_buf_init(&text, 2);
    assert_int_equal(wh_file_load(path, &text, &err), WH_E_TOO_LARGE);
    wh_buf_done(&text);
    th_tmp_remove(dir);
}

static void test_what_is_not_there_is_said(void **state)
{
    struct wh_buf text;
    struct wh_err err;

    (void)state;
    wh_buf_init(&text, 64);
    assert_int_equal(wh_file_load("/nowhere/at all", &text, &err), WH_E_NOT_FOUND);
    assert_string_equal(err.msg, "cannot read /nowhere/at all: No such file or directory");
    assert_int_equal(wh_folder_sync("/nowhere", &err), WH_E_NOT_FOUND);
    assert_int_equal(wh_file_save("/dev/full/x", WH_LIT("x"), &err), WH_E_IO);
    wh_buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_saved_is_loaded),
        cmocka_unit_test(test_what_is_not_there_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
