/* The list of a connection's projects. */
#include "tests/lib/th_cmocka.h"

#include "stages/fetcher/state/projects.h"

static struct project *add_row(struct projects *projects, const char *text)
{
    struct wh_json_parser *parser = wh_json_parser_new(4096, 16);
    struct wh_json_val row;
    struct project *p;
    struct wh_err err;

    assert_non_null(parser);
    th_ok(wh_json_parse(parser, wh_slice_str(text), &row, &err), &err);
    p = projects_add_row(projects, row);
    wh_json_parser_free(parser);
    return p;
}

static void test_add_once(void **state)
{
    struct projects projects = {0};
    struct project *p = projects_add(&projects, WH_LIT("7"));

    (void)state;
    assert_non_null(p);
    assert_ptr_equal(projects_add(&projects, WH_LIT("7")), p);
    assert_int_equal(projects.n, 1);
    assert_ptr_equal(projects_find(&projects, "7"), p);
    assert_null(projects_find(&projects, "70"));
    projects_free(&projects);
    assert_null(projects.first);
}

static void test_rows(void **state)
{
    struct projects projects = {0};
    struct project *p;

    (void)state;
    assert_null(add_row(&projects, "{\"path_with_namespace\":\"a/b\"}"));
    assert_null(add_row(&projects, "{\"id\":\"7\"}"));
    p = add_row(&projects, "{\"id\":7,\"path_with_namespace\":\"a/b\",\"permissions\":{"
                           "\"project_access\":{\"access_level\":20},"
                           "\"group_access\":{\"access_level\":40}}}");
    assert_non_null(p);
    assert_string_equal(p->id, "7");
    assert_string_equal(p->path, "a/b");
    assert_int_equal(p->access, 40);
    assert_ptr_equal(add_row(&projects, "{\"id\":7,\"permissions\":{\"project_access\":null}}"), p);
    assert_int_equal(p->access, 0);
    assert_string_equal(p->path, "a/b");
    p = add_row(&projects, "{\"id\":8,\"fullPath\":\"a/c\"}"); /* by a tool */
    assert_string_equal(p->path, "a/c");
    projects_free(&projects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_once),
        cmocka_unit_test(test_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
