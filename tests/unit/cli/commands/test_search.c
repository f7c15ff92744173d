/* wellhead search: what is sent, what is printed, and how it ends. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "tests/lib/th_cli.h"

#define SEARCH "GET http://sink/api/v1/search?_search="

static int set_up(void **state)
{
    *state = th_cli_new();
    return 0;
}

static int tear_down(void **state)
{
    th_cli_free(*state);
    return 0;
}

static const char body[] =
    "{\"ok\":true,\"total\":1,\"partial\":false,\"hint\":null,"
    "\"kinds\":[{\"kind\":\"issue\",\"count\":1}],\"index\":{\"ready\":true},"
    "\"rows\":[{\"kind\":\"issue\",\"id\":\"i\",\"title\":\"Payments\\u001b "
    "fail\",\"state\":\"opened\","
    "\"project_path\":\"shop/api\",\"url\":\"https://h/45\",\"snippet\":\"they "
    "fail\",\"deleted\":false,"
    "\"note\":\"only in revision 2; the text is gone now\"}]}";

static void hits_are_printed(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, SEARCH "payments%20fail&kind=issues&_size=5", 200, body);
    assert_int_equal(th_cli_run(t, "search payments fail --kind issues --limit 5"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "Payments\\u001b fail\n"
                                          "    only in revision 2; the text is gone now\n"
                                          "    they fail\n"
                                          "    issue opened shop/api https://h/45\n");
    assert_string_equal(th_cli_stderr(t), "       1 issue\n");
    th_cli_answer(t, SEARCH "%2112", 200, body);
    assert_int_equal(th_cli_run(t, "search !12 --json"), CLI_OK);
    assert_non_null(strstr(th_cli_stdout(t), body));
    th_cli_answer(t, SEARCH "x&_format=csv-raw", 200, "kind,id\r\n");
    assert_int_equal(th_cli_run(t, "search x --csv"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "kind,id\r\n");
}

static void nothing_found_is_an_exit_code(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, SEARCH "x", 200, "{\"ok\":true,\"rows\":[],\"index\":{\"ready\":false}}");
    assert_int_equal(th_cli_run(t, "search x"), CLI_NOTHING);
    assert_non_null(strstr(th_cli_stderr(t), "the index is being built"));
    assert_non_null(strstr(th_cli_stderr(t), "nothing was found"));
    th_cli_answer(t, SEARCH "x&kind=y", 400, "{\"ok\":false,\"error\":\"no kind y\"}");
    assert_int_equal(th_cli_run(t, "search x --kind y"), CLI_FAILED);
    assert_int_equal(th_cli_run(t, "search"), CLI_USAGE);
    assert_int_equal(th_cli_run(t, "search x --limit 101"), CLI_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hits_are_printed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_found_is_an_exit_code, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("cli/commands/search", tests, NULL, NULL);
}
