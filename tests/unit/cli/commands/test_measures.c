/* wellhead measures: what is asked of the sink, and what is shown. */
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

static const char list[] =
    "{\"ok\":true,\"measures\":[{\"id\":\"time_to_merge\",\"title\":\"Time to merge\","
    "\"definition\":\"From begin to "
    "merge.\",\"unit\":\"seconds\",\"by\":[\"project\",\"author\"]}]}";

static const char numbers[] =
    "{\"ok\":true,\"measure\":{\"title\":\"Time to merge\",\"definition\":\"From begin to merge.\","
    "\"unit\":\"seconds\"},\"zone\":\"Europe/Berlin\",\"timed_out\":false,\"gaps\":[{\"since\":"
    "\"2026-11-01T00:00:00.000Z\",\"until\":\"2026-11-02T00:00:00.000Z\",\"what\":\"nothing was "
    "read "
    "from "
    "gitlab\",\"made_up_for\":true}],\"rows\":[{\"since\":\"2026-11-02T00:00:00.000Z\",\"until\":"
    "\"2026-11-09T00:00:00.000Z\",\"project\":\"shop/web\",\"rows\":3,\"p50\":7300,\"p90\":null,"
    "\"rows_url\":\"/rows/x\"}]}";

static void the_list(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "GET http://sink/api/v1/measures", 200, list);
    assert_int_equal(th_cli_run(t, "measures"), CLI_OK);
    says(th_cli_stdout(t), "time_to_merge  seconds");
    says(th_cli_stdout(t), "From begin to merge.");
}

static void one_measure(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(
        t,
        "GET http://sink/api/v1/measures/time_to_merge?by=project&over=month&since=-52w&_zone="
        "Europe%2FBerlin&label=a%20b",
        200, numbers);
    {
        static const char *const words[] = {
            "measures",     "time_to_merge", "--by",          "project", "--over",    "month",
            "--since=-52w", "--zone",        "Europe/Berlin", "-p",      "label=a b", NULL};

        assert_int_equal(th_cli_run_words(t, words), CLI_OK);
    }
    says(th_cli_stdout(t), "Time to merge: From begin to merge.\nin Europe/Berlin\n");
    says(th_cli_stdout(t), "since");
    says(th_cli_stdout(t), "shop/web  3     2.03 h");
    says(th_cli_stdout(t),
         "2026-11-01T00:00 to 2026-11-02T00:00: nothing was read from gitlab; read since then");
}

static void machines_get_the_answer(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "GET http://sink/api/v1/measures/time_to_merge", 200, numbers);
    assert_int_equal(th_cli_run(t, "measures time_to_merge --json"), CLI_OK);
    assert_memory_equal(th_cli_stdout(t), numbers, strlen(numbers));
}

static void as_csv(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "GET http://sink/api/v1/measures/x?_format=csv", 200, "since,until\r\n");
    assert_int_equal(th_cli_run(t, "measures x --csv"), CLI_OK);
    says(th_cli_stdout(t), "since,until\r\n");
}

static void what_is_not_there_or_takes_too_long(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "GET http://sink/api/v1/measures/velocity", 404,
                  "{\"error\":\"there is no measure 'velocity'\"}");
    assert_int_equal(th_cli_run(t, "measures velocity"), CLI_NOTHING);
    says(th_cli_stderr(t), "there is no measure 'velocity'");
    th_cli_answer(t, "GET http://sink/api/v1/measures/x", 200,
                  "{\"measure\":{\"title\":\"x\",\"definition\":\"y\",\"unit\":\"count\"},\"timed_"
                  "out\":true}");
    assert_int_equal(th_cli_run(t, "measures x"), CLI_TIMED_OUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_measure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(machines_get_the_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(as_csv, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_there_or_takes_too_long, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
