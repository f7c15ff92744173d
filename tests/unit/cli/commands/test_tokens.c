/* wellhead tokens: the list as the sink gives it, and the end of one. */
#include <string.h>

#include "tests/lib/th_cli.h"
#include "tests/lib/th_cmocka.h"

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

static void says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' is not in: %s", part, text);
    }
}

static void the_list(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "GET http://sink/api/v1/tokens", 200,
                  "{\"columns\":[\"kind\",\"token\"],\"rows\":[[\"agent\",\"4f2a\"]],"
                  "\"truncated\":false}");
    assert_int_equal(th_cli_run(t, "tokens"), CLI_OK);
    says(th_cli_request(t, 0), "/api/v1/tokens?_shape=arrays");
    says(th_cli_stdout(t), "agent  4f2a\n");
}

static void one_is_ended(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "POST http://sink/api/v1/tokens", 200, "{\"ok\":true}");
    assert_int_equal(th_cli_run(t, "tokens revoke 4f2a"), CLI_OK);
    says(th_cli_request(t, 0), "{\"end\":\"4f2a\"}");
    says(th_cli_stderr(t), "4f2a is refused from now on.");
    th_cli_answer(t, "POST http://sink/api/v1/tokens", 404,
                  "{\"ok\":false,\"error\":\"nothing has this id\"}");
    assert_int_not_equal(th_cli_run(t, "tokens revoke 5555"), CLI_OK);
    says(th_cli_stderr(t), "nothing has this id");
    assert_int_equal(th_cli_run(t, "tokens end 5555"), CLI_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_is_ended, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
