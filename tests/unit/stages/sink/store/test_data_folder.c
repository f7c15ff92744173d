#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stages/sink/store/data_folder.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_tmp.h"

static void test_first_store_and_rebuild(void **state)
{
    char *dir = th_tmp_new();
    char data[512];
    char want[600];
    char path[SINK_PATH_MAX];
    char next[SINK_PATH_MAX];
    struct wh_err err;

    (void)state;
    (void)snprintf(data, sizeof(data), "%s/a/b", dir);
    th_ok(sink_data_current(data, path, &err), &err);
    (void)snprintf(want, sizeof(want), "%s/store-1", data);
    assert_string_equal(path, want);
    th_ok(sink_data_next(data, next, &err), &err);
    (void)snprintf(want, sizeof(want), "%s/store-2", data);
    assert_string_equal(next, want);
    th_ok(sink_data_current(data, path, &err), &err);
    assert_string_not_equal(path, next); /* a rebuild that was not switched in changes nothing */
    th_ok(sink_data_switch(data, next, &err), &err);
    th_ok(sink_data_current(data, path, &err), &err);
    assert_string_equal(path, next);
    th_ok(sink_data_next(data, next, &err), &err);
    (void)snprintf(want, sizeof(want), "%s/store-3", data);
    assert_string_equal(next, want);
    th_tmp_remove(dir);
}

/* A link half made by a killed process is replaced. */
static void test_old_temporary_link(void **state)
{
    char *dir = th_tmp_new();
    char link[600];
    char path[SINK_PATH_MAX];
    struct wh_err err;

    (void)state;
    (void)snprintf(link, sizeof(link), "%s/current.new", dir);
    assert_int_equal(symlink("store-9", link), 0);
    th_ok(sink_data_current(dir, path, &err), &err);
    assert_non_null(strstr(path, "store-1"));
    th_tmp_remove(dir);
}

static void test_odd_links_are_refused(void **state)
{
    static const char *const targets[] = {"elsewhere", "store-", "store-x", "store-0", "store--1"};
    char link[600];
    char path[SINK_PATH_MAX];
    struct wh_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        char *dir = th_tmp_new();

        (void)snprintf(link, sizeof(link), "%s/current", dir);
        assert_int_equal(symlink(targets[i], link), 0);
        assert_int_not_equal(sink_data_current(dir, path, &err), WH_OK);
        assert_int_not_equal(sink_data_next(dir, path, &err), WH_OK);
        th_tmp_remove(dir);
    }
}

static void test_a_file_in_the_way(void **state)
{
    char *dir = th_tmp_new();
    char data[512];
    char path[SINK_PATH_MAX];
    struct wh_err err;
    FILE *file;

    (void)state;
    (void)snprintf(data, sizeof(data), "%s/file", dir);
    file = fopen(data, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    (void)snprintf(data, sizeof(data), "%s/file/below", dir);
    assert_int_equal(sink_data_current(data, path, &err), WH_E_CONFIG);
    assert_non_null(strstr(err.msg, "file"));
    th_tmp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_store_and_rebuild),
        cmocka_unit_test(test_old_temporary_link),
        cmocka_unit_test(test_odd_links_are_refused),
        cmocka_unit_test(test_a_file_in_the_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
