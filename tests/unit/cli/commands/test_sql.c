/* wellhead sql: what is asked of the sink, and how its rows are shown. */
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
    assert_string_equal(th_cli_request(t, 0),
                        "POST http://sink/api/v1/sql {\"query\":\"select :a\",\"format\":\"json\","
                        "\"shape\":\"arrays\",\"limit\":5,\"timeout_ms\":2000,\"params\":{\"a\":"
                        "\"x=\\\"y\\\"\",\"b\":\"\"}}");
}

static void a_query_may_be_of_the_past(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "POST http://sink/api/v1/sql", 200, "{\"columns\":[],\"rows\":[]}");
    assert_int_equal(th_cli_run(t, "sql X --as-of 2026-11-24 --valid-at 2026-11-23T10:00:00+02:00"),
                     CLI_OK);
    says(th_cli_request(t, 0),
         "\"as_of\":\"2026-11-24\",\"valid_at\":\"2026-11-23T10:00:00+02:00\"");
    assert_int_equal(th_cli_run(t, "sql X --as-of yesterday"), CLI_USAGE);
    says(th_cli_stderr(t), "--as-of: write a time as in 2026-11-24T10:00:00Z");
}

static void a_query_may_come_from_standard_input(void **state)
{
    struct th_cli *t = *state;

    th_cli_input(t, "select 1\n");
    th_cli_answer(t, "POST http://sink/api/v1/sql", 200, "{\"columns\":[],\"rows\":[]}");
    assert_int_equal(th_cli_run(t, "sql -"), CLI_OK);
    says(th_cli_request(t, 0), "{\"query\":\"select 1\\n\"");
}

static void an_empty_query_is_not_sent(void **state)
{
    static const char *const words[] = {"sql", " \n;", NULL};
    struct th_cli *t = *state;

    assert_int_equal(th_cli_run_words(t, words), CLI_USAGE);
    says(th_cli_stderr(t), "the query is empty");
    assert_int_equal(th_cli_requests(t), 0);
}

static void an_unreadable_input_is_an_error(void **state)
{
    struct th_cli *t = *state;

    assert_int_equal(th_cli_run(t, "sql -"), CLI_FAILED);
    says(th_cli_stderr(t), "cannot read standard input");
}

static const char rows[] =
    "{\"ok\":true,\"columns\":[\"id\",\"t\\u001b\"],\"rows\":[[1,\"a\\u001b[1A\\nb\"],[-2.5,null],"
    "[0.1,\"say \\\"[{,\\\\\"],[7,\"\"],[8,{\"$base64\":true,\"encoded\":\"+w==\"}]],"
    "\"truncated\":false,\"truncated_by\":null}";

static void rows_become_a_table(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "POST http://sink/api/v1/sql", 200, rows);
    assert_int_equal(th_cli_run(t, "sql X"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "id    t\\u001b\n"
                                          "1     a\\u001b[1A b\n"
                                          "-2.5  \n"
                                          "0.1   say \"[{,\\\n"
                                          "7     \n"
                                          "8     +w==\n");
    assert_string_equal(th_cli_stderr(t), "");
    assert_int_equal(th_cli_run(t, "sql X -x"), CLI_OK);
    says(th_cli_stdout(t),
         "-- row 1\nid       1\nt\\u001b  a\\u001b[1A b\n-- row 2\nid       -2.5\n");
}

/* Lines end in LF, which every tool of a Unix reads. */
static void rows_become_csv(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "POST http://sink/api/v1/sql", 200, rows);
    assert_int_equal(th_cli_run(t, "sql X --csv"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "id,t\033\n"
                                          "1,\"a\033[1A\nb\"\n"
                                          "-2.5,\n"
                                          "0.1,\"say \"\"[{,\\\"\n"
                                          "7,\"\"\n"
                                          "8,+w==\n");
    assert_int_equal(th_cli_run(t, "sql X --csv=safe"), CLI_OK);
    says(th_cli_stdout(t), "\n8,'+w==\n");
    says(th_cli_stdout(t), "\n-2.5,\n");
}

static void csv_on_a_terminal_is_escaped(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "POST http://sink/api/v1/sql", 200,
                  "{\"columns\":[\"t\"],\"rows\":[[\"\\u001b]0;x\\u0007\\u202eb\"]]}");
    th_cli_on_terminal(t);
    assert_int_equal(th_cli_run(t, "sql X --csv"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "t\n\\u001b]0;x\\u0007\\u202eb\n");
}

static const char objects[] = "{\"ok\":true,\"columns\":[\"id\"],\"rows\":[{\"id\":1},{\"id\":"
                              "\"]}\"}],\"truncated\":false}";

static void documents_and_lines_are_the_sinks(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "POST http://sink/api/v1/sql", 200, objects);
    assert_int_equal(th_cli_run(t, "sql X --ndjson"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "{\"id\":1}\n{\"id\":\"]}\"}\n");
    says(th_cli_request(t, 0), "\"shape\":\"objects\"");
    assert_int_equal(th_cli_run(t, "sql X --json"), CLI_OK);
    assert_memory_equal(th_cli_stdout(t), objects, strlen(objects));
    assert_string_equal(th_cli_stdout(t) + strlen(objects), "\n");
}

static void an_empty_answer_has_a_heading(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "POST http://sink/api/v1/sql", 200,
                  "{\"columns\":[\"id\",\"title\"],\"rows\":[],\"truncated\":false}");
    assert_int_equal(th_cli_run(t, "sql X"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "id  title\n");
    assert_int_equal(th_cli_run(t, "sql X --csv"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "id,title\n");
    assert_int_equal(th_cli_run(t, "sql X --ndjson"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "");
}

/* In no format does a missing row look like an answer that has all, nor its reason like a row. */
static void missing_rows_are_told_on_stderr(void **state)
{
    static const char *const formats[][2] = {
        {"sql X", "id\n1\n"}, {"sql X --csv", "id\n1\n"}, {"sql X --limit 1 --csv", "id\n1\n"}};
    struct th_cli *t = *state;

    th_cli_answer(
        t, "POST http://sink/api/v1/sql", 200,
        "{\"columns\":[\"id\"],\"rows\":[[1]],\"truncated\":true,\"truncated_by\":\"rows\"}");
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        assert_int_equal(th_cli_run(t, formats[i][0]), CLI_CUT);
        assert_string_equal(th_cli_stdout(t), formats[i][1]);
        says(th_cli_stderr(t), "there are more rows than the 1 shown: that is the limit; --limit");
    }
    th_cli_answer(t, "POST http://sink/api/v1/sql {\"query\":\"Y\"", 200,
                  "{\"columns\":[\"id\"],\"rows\":[{\"id\":1}],\"truncated\":true,"
                  "\"truncated_by\":\"bytes\"}");
    assert_int_equal(th_cli_run(t, "sql Y --ndjson"), CLI_CUT);
    assert_string_equal(th_cli_stdout(t), "{\"id\":1}\n");
    says(th_cli_stderr(t), "the answer has reached its longest size");
    assert_int_equal(th_cli_run(t, "sql Y --json"), CLI_CUT);
    says(th_cli_stdout(t), "\"truncated\":true");
}

static void a_failure_amid_rows_is_an_error(void **state)
{
    struct th_cli *t = *state;

    th_cli_refuse(t, "POST http://sink/api/v1/sql", WH_E_IO, "the time limit is over");
    assert_int_equal(th_cli_run(t, "sql X --csv"), CLI_FAILED);
    says(th_cli_stderr(t), "sql: the time limit is over; the 0 rows before are not all\n");
}

static void no_limit_is_asked_for(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "POST http://sink/api/v1/sql", 200, objects);
    assert_int_equal(th_cli_run(t, "sql X --ndjson"), CLI_OK);
    assert_null(strstr(th_cli_request(t, 0), "limit"));
    assert_int_equal(th_cli_run(t, "sql X --ndjson --limit 0"), CLI_OK);
    says(th_cli_request(t, 0), "\"limit\":0");
}

static void an_answer_that_is_no_table_is_an_error(void **state)
{
    static const char *const bodies[] = {"<html>",
                                         "{}",
                                         "{\"columns\":[]}",
                                         "{\"columns\":[],\"rows\":[",
                                         "{\"columns\":[],\"rows\":[]",
                                         "{\"columns\":[],\"rows\":[]}{",
                                         "{\"columns\":[],\"rows\":[1]}",
                                         "{\"columns\":[\"a\"],\"rows\":[[\"\\u00zz\"]]}",
                                         "{\"rows\":[]}"};
    struct th_cli *t = *state;

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        th_cli_answer(t, "POST http://sink/api/v1/sql", 200, bodies[i]);
        assert_int_equal(th_cli_run(t, "sql X"), CLI_FAILED);
        says(th_cli_stderr(t), "the sink's answer cannot be read");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_query_is_sent_as_it_is_typed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_query_may_be_of_the_past, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_query_may_come_from_standard_input, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_query_is_not_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unreadable_input_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_become_a_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_become_csv, set_up, tear_down),
        cmocka_unit_test_setup_teardown(csv_on_a_terminal_is_escaped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(documents_and_lines_are_the_sinks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_answer_has_a_heading, set_up, tear_down),
        cmocka_unit_test_setup_teardown(missing_rows_are_told_on_stderr, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failure_amid_rows_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_limit_is_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_answer_that_is_no_table_is_an_error, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
