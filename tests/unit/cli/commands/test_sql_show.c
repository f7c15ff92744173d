/* wellhead sql and wellhead show: what is asked of the sink, and how it is shown. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "tests/lib/th_cli.h"

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

static void a_query_is_sent_as_it_is_typed(void **state)
{
    static const char *const words[] = {"sql", "select :a",    "-p",      "a=x=\"y\"", "-p",
                                        "b=",  "--timeout=2s", "--limit", "5",         NULL};
    struct th_cli *t = *state;

    th_cli_answer(t, "POST http://sink/api/v1/sql", 200, "{\"columns\":[],\"rows\":[]}");
    assert_int_equal(th_cli_run_words(t, words), CLI_OK);
    assert_string_equal(
        th_cli_request(t, 0),
        "POST http://sink/api/v1/sql {\"query\":\"select :a\",\"format\":\"json\","
        "\"limit\":5,\"timeout_ms\":2000,\"params\":{\"a\":\"x=\\\"y\\\"\",\"b\":\"\"}}");
}

static void a_query_may_come_from_standard_input(void **state)
{
    struct th_cli *t = *state;

    th_cli_input(t, "select 1\n");
    th_cli_answer(t, "POST http://sink/api/v1/sql", 200, "{\"columns\":[],\"rows\":[]}");
    assert_int_equal(th_cli_run(t, "sql -"), CLI_OK);
    says(th_cli_request(t, 0), "{\"query\":\"select 1\\n\"");
}

static void an_unreadable_input_is_an_error(void **state)
{
    struct th_cli *t = *state;

    assert_int_equal(th_cli_run(t, "sql -"), CLI_FAILED);
    says(th_cli_stderr(t), "cannot read standard input");
}

static void formats_are_the_sinks(void **state)
{
    static const char *const cases[][2] = {{"sql X --json", "\"format\":\"json\""},
                                           {"sql X --ndjson", "\"format\":\"ndjson\""},
                                           {"sql X --csv", "\"format\":\"csv-raw\""},
                                           {"sql X --csv=safe", "\"format\":\"csv\""}};
    struct th_cli *t = *state;

    th_cli_answer(t, "POST http://sink/api/v1/sql", 200, "the sink's\n");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(th_cli_run(t, cases[i][0]), CLI_OK);
        says(th_cli_request(t, 0), cases[i][1]);
        assert_string_equal(th_cli_stdout(t), "the sink's\n");
    }
}

static void csv_on_a_terminal_is_escaped(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "POST http://sink/api/v1/sql", 200, "title\r\n\033]0;x\a\u202Eb\r\n");
    assert_int_equal(th_cli_run(t, "sql X --csv"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "title\r\n\033]0;x\a\u202Eb\r\n");
    th_cli_on_terminal(t);
    assert_int_equal(th_cli_run(t, "sql X --csv"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "title\n\\u001b]0;x\\u0007\\u202eb\n");
}

static void rows_become_a_table(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(
        t, "POST http://sink/api/v1/sql", 200,
        "{\"columns\":[\"id\",\"t\\u001b\"],\"rows\":[{\"id\":1,\"t\":\"a\\u001b[1A\\nb\"},"
        "[-2.5,null]],\"truncated\":true}");
    assert_int_equal(th_cli_run(t, "sql X"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "id    t\\u001b\n"
                                          "1     a\\u001b[1A b\n"
                                          "-2.5  \n");
    says(th_cli_stderr(t), "only the first 2 rows");
}

static void an_answer_that_is_no_table_is_an_error(void **state)
{
    static const char *const bodies[] = {"<html>", "{}", "{\"columns\":[]}"};
    struct th_cli *t = *state;

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        th_cli_answer(t, "POST http://sink/api/v1/sql", 200, bodies[i]);
        assert_int_equal(th_cli_run(t, "sql X"), CLI_FAILED);
        says(th_cli_stderr(t), "the sink's answer cannot be read");
    }
}

/* ---- show ---- */

static const char entity[] =
    "{\"ok\":true,\"entity\":{\"id\":\"ID1\",\"kind\":\"work_item\",\"source\":{\"instance\":"
    "\"https://h\","
    "\"kind\":\"issue\",\"id\":\"7\",\"url\":\"https://h/a/b/-/issues/7\"},\"fields\":{\"title\":"
    "\"T\\u202e\",\"labels\":[\"x\",\"y\"]},\"set_by\":{\"title\":\"r1\"},\"set_by_versions\":{"
    "\"r1\":"
    "{\"origin\":\"webhook\",\"version_at\":\"2026-11-29T00:00:00Z\"}}}}";

static void an_entity_is_shown_with_its_past(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "GET http://sink/api/v1/entities/ID1/revisions", 200,
                  "{\"rows\":[{\"version_at\":\"V\",\"change\":\"update\",\"offset\":3}]}");
    th_cli_answer(t, "GET http://sink/api/v1/entities/ID1/links", 200,
                  "{\"rows\":[{\"direction\":\"out\",\"relation\":\"closes\",\"title\":\"L\"}]}");
    th_cli_answer(t, "GET http://sink/api/v1/entities/ID1", 200, entity);
    assert_int_equal(th_cli_run(t, "show ID1"), CLI_OK);
    says(th_cli_stdout(t), "work_item ID1\nhttps://h issue 7\nhttps://h/a/b/-/issues/7\n\n");
    says(th_cli_stdout(t), "field   value    set by   at\n");
    says(th_cli_stdout(t), "T\\u202e  webhook  2026-11-29T00:00:00Z\n");
    says(th_cli_stdout(t), "labels  x, y");
    says(th_cli_stdout(t), "\nrevisions\nversion_at  change  ");
    says(th_cli_stdout(t), "\nlinks\ndirection  relation  ");
    assert_int_equal(th_cli_run(t, "show ID1 --json"), CLI_OK);
    assert_int_equal(th_cli_requests(t), 1);
    assert_memory_equal(th_cli_stdout(t), entity, strlen(entity));
}

static void an_address_is_asked_for_by_url(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "GET http://sink/api/v1/entities?url=", 404,
                  "{\"error\":\"nothing is known of that\"}");
    assert_int_equal(th_cli_run(t, "show https://h/a/b/-/issues/7"), CLI_NOTHING);
    assert_string_equal(
        th_cli_request(t, 0),
        "GET http://sink/api/v1/entities?url=https%3A%2F%2Fh%2Fa%2Fb%2F-%2Fissues%2F7 ");
    says(th_cli_stderr(t), "nothing is known of that (HTTP 404)");
}

static void a_part_that_fails_is_an_error(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "GET http://sink/api/v1/entities/ID1", 200, entity);
    th_cli_answer(t, "GET http://sink/api/v1/entities/ID1/revisions", 200, "{\"rows\":[]}");
    th_cli_answer(t, "GET http://sink/api/v1/entities/ID1/links", 503, "{\"error\":\"busy\"}");
    assert_int_equal(th_cli_run(t, "show ID1"), CLI_TRY_LATER);
    th_cli_answer(t, "GET http://sink/api/v1/entities/ID2", 200, "[");
    assert_int_equal(th_cli_run(t, "show ID2"), CLI_FAILED);
    says(th_cli_stderr(t), "cannot be read");
    th_cli_answer(t, "GET http://sink/api/v1/entities/ID3", 200, "{}");
    assert_int_equal(th_cli_run(t, "show ID3"), CLI_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_query_is_sent_as_it_is_typed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_query_may_come_from_standard_input, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unreadable_input_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(formats_are_the_sinks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(csv_on_a_terminal_is_escaped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_become_a_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_that_is_no_table_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_entity_is_shown_with_its_past, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_address_is_asked_for_by_url, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_part_that_fails_is_an_error, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
