/* wellhead tables: what is asked of the sink, and what is shown. */
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

static void the_tables(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "POST http://sink/api/v1/sql", 200,
                  "{\"columns\":[\"table\",\"meaning\"],\"rows\":[[\"jobs\",\"jobs of "
                  "pipelines\"]],\"truncated\":false}");
    assert_int_equal(th_cli_run(t, "tables"), CLI_OK);
    says(th_cli_request(t, 0), "{\"query\":\".tables\"");
    says(th_cli_stdout(t), "jobs   jobs of pipelines\n");
}

/* The answer of both calls: the first one reads the row of the table, the second one its columns. */
static const char answer[] =
    "{\"columns\":[\"table\",\"meaning\",\"example\"],\"rows\":[{\"table\":\"jobs\",\"meaning\":"
    "\"jobs of pipelines\",\"example\":\"select name from jobs\"}],\"truncated\":false}";

static void a_table(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "POST http://sink/api/v1/sql", 200, answer);
    assert_int_equal(th_cli_run(t, "tables jobs_all"), CLI_OK);
    says(th_cli_request(t, 0), "{\"query\":\".tables\"");
    says(th_cli_request(t, 1), "{\"query\":\"describe jobs_all\"");
    says(th_cli_stdout(t),
         "jobs_all: jobs of pipelines\n  wellhead sql \"select name from jobs\"\n");
}

static void machines_get_the_columns_alone(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "POST http://sink/api/v1/sql", 200, answer);
    assert_int_equal(th_cli_run(t, "tables jobs --json"), CLI_OK);
    says(th_cli_request(t, 0), "{\"query\":\"describe jobs\"");
    assert_int_equal(th_cli_requests(t), 1);
    assert_memory_equal(th_cli_stdout(t), answer, strlen(answer));
}

static void a_name_is_a_name(void **state)
{
    static const char *const words[] = {"tables", "jobs; select 1", NULL};
    struct th_cli *t = *state;

    assert_int_equal(th_cli_run_words(t, words), CLI_USAGE);
    assert_int_equal(th_cli_requests(t), 0);
    th_cli_answer(t, "POST http://sink/api/v1/sql", 400,
                  "{\"error\":\"no such table: job; did you mean jobs?\"}");
    assert_int_not_equal(th_cli_run(t, "tables job"), CLI_OK);
    says(th_cli_stderr(t), "wellhead: tables: no such table: job; did you mean jobs?\n");
}

static void more_time_is_an_option(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "POST http://sink/api/v1/sql", 504, "{\"error\":\"stopped\"}");
    assert_int_not_equal(th_cli_run(t, "sql X"), CLI_OK);
    says(th_cli_stderr(t), "`--timeout TIME` gives it more time");
}

static void help_names_the_language(void **state)
{
    struct th_cli *t = *state;

    assert_int_equal(th_cli_run(t, "help sql"), CLI_OK);
    says(th_cli_stdout(t), "The language is that of SQLite 3.");
    says(th_cli_stdout(t), "date_trunc(unit, time[, zone])");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_tables, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(machines_get_the_columns_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_is_a_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_time_is_an_option, set_up, tear_down),
        cmocka_unit_test_setup_teardown(help_names_the_language, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
