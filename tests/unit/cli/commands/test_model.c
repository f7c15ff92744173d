/* wellhead model: what is asked of the sink, and what is shown. */
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

static const char answer[] =
    "{\"ok\":true,\"kinds\":[{\"kind\":\"work_item\",\"table\":\"work_items\",\"meaning\":\"what "
    "to "
    "do\",\"count\":7,\"sampled\":7,\"fields\":[{\"name\":\"title\",\"type\":\"string\","
    "\"meaning\":"
    "\"one line\",\"source\":[{\"view\":\"v@1\",\"pointer\":\"/title\",\"conversion\":\"string\"},"
    "{\"view\":\"w@1\",\"pointer\":\"/d\",\"rule\":\"line:started\"}],\"null_share\":0.25,"
    "\"example\":\"Fix "
    "it\"},{\"name\":\"author\",\"type\":\"reference\",\"meaning\":\"who\",\"to\":"
    "\"team_member\",\"source\":null,\"null_share\":null,\"example\":null}],\"links\":[{\"from\":"
    "\"work_item\",\"relation\":\"author\",\"to\":\"team_member\"}]}]}";

static void all_kinds(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "GET http://sink/api/v1/model", 200, answer);
    assert_int_equal(th_cli_run(t, "model"), CLI_OK);
    says(th_cli_stdout(t), "kind       table       entities  fields  meaning\n");
    says(th_cli_stdout(t), "work_item  work_items  7         2       what to do\n");
}

static void one_kind(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "GET http://sink/api/v1/model/work_item", 200, answer);
    assert_int_equal(th_cli_run(t, "model work_item -x"), CLI_OK);
    says(th_cli_stdout(t), "work_item: what to do\n7 entities in the table work_items;");
    says(th_cli_stdout(t), "v@1 /title (string); w@1 /d (line:started)\n");
    says(th_cli_stdout(t), "25%\n");
    says(th_cli_stdout(t), "Fix it\n");
    says(th_cli_stdout(t), "  work_item.author -> team_member\n");
}

static void machines_get_the_answer(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "GET http://sink/api/v1/model", 200, answer);
    assert_int_equal(th_cli_run(t, "model --json"), CLI_OK);
    assert_memory_equal(th_cli_stdout(t), answer, strlen(answer));
}

static void a_kind_is_a_name(void **state)
{
    static const char *const words[] = {"model", "../status", NULL};
    struct th_cli *t = *state;

    assert_int_equal(th_cli_run_words(t, words), CLI_USAGE);
    assert_int_equal(th_cli_requests(t), 0);
    th_cli_answer(t, "GET http://sink/api/v1/model/nothing", 404,
                  "{\"error\":\"there is no kind of that name\"}");
    assert_int_equal(th_cli_run(t, "model nothing"), CLI_NOTHING);
    says(th_cli_stderr(t), "there is no kind of that name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_kinds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_kind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(machines_get_the_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_kind_is_a_name, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
