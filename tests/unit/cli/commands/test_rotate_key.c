/* wellhead rotate-key: asks for a rotation, follows it, and says which connections keep the old key. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "tests/lib/th_cli.h"

#define ROTATE "POST http://fetcher/api/v1/keys/rotate"
#define KEYS "GET http://fetcher/api/v1/keys"

static const char begun[] =
    "{\"key\":\"k2\",\"keys\":[\"k2\",\"k1\"],\"connections\":3,\"left\":2,\"rotating\":true}";
static const char sealed[] =
    "{\"key\":\"k2\",\"keys\":[\"k2\",\"k1\"],\"connections\":3,\"left\":0,"
    "\"old_key_leaves_in_ms\":1500,\"rotating\":true}";
static const char ended[] =
    "{\"key\":\"k2\",\"keys\":[\"k2\"],\"connections\":3,\"left\":0,\"rotating\":false}";

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

static void a_rotation_is_followed_to_its_end(void **state)
{
    struct th_cli *t = *state;

    th_cli_on_terminal(t);
    th_cli_answer(t, ROTATE, 202, begun);
    th_cli_answer(t, KEYS, 200, sealed);
    th_cli_answer(t, KEYS, 200, ended);
    assert_int_equal(th_cli_run(t, "rotate-key"), CLI_OK);
    assert_int_equal(th_cli_requests(t), 3);
    says(th_cli_stderr(t), "sealed again: 1 of 3 connections");
    says(th_cli_stderr(t), "the old key leaves in 2 s");
    says(th_cli_stdout(t), "Rotated: key k2 replaces k1\n");
    assert_int_equal(th_cli_run(t, "rotate-key --json"), CLI_OK);
    assert_string_equal(th_cli_stdout(t),
                        "{\"ok\":true,\"key\":\"k2\",\"old_key\":\"k1\",\"connections\":3}\n");
}

static void connections_that_keep_the_old_key_are_named(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, ROTATE, 202, begun);
    th_cli_answer(t, KEYS, 200,
                  "{\"key\":\"k2\",\"connections\":3,\"left\":1,\"rotating\":true,\"problems\":[{"
                  "\"connection\":\"h\",\"reason\":\"wrong key\\u001b\"}]}");
    assert_int_equal(th_cli_run(t, "rotate-key"), CLI_FAILED);
    says(th_cli_stderr(t), "h cannot be sealed again: wrong key\\u001b\n");
    assert_string_equal(th_cli_stdout(t), "");
}

static void following_ends_in_time(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, ROTATE, 202, begun);
    th_cli_answer(t, KEYS, 200, begun);
    assert_int_equal(th_cli_run(t, "rotate-key --timeout 3s"), CLI_TIMED_OUT);
    assert_in_range(th_cli_paused_ms(t), 3000, 3600);
    says(th_cli_stderr(t), "2 of 3 connections are left");
}

static void refusals_are_told(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, ROTATE, 503, "{\"error\":\"busy\"}");
    assert_int_equal(th_cli_run(t, "rotate-key"), CLI_TRY_LATER);
    th_cli_answer(t, ROTATE, 202, "{");
    assert_int_equal(th_cli_run(t, "rotate-key"), CLI_FAILED);
    th_cli_answer(t, ROTATE, 202, begun);
    assert_int_equal(th_cli_run(t, "rotate-key"), CLI_FAILED);
    says(th_cli_stderr(t), "nobody listens");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_rotation_is_followed_to_its_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connections_that_keep_the_old_key_are_named, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(following_ends_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refusals_are_told, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
