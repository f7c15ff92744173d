/* wellhead ask: what is sent, what is printed, and how it ends. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "tests/lib/th_cli.h"

#define ASK "POST http://sink/api/v1/ask?q="

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

static void an_answer_is_printed(void **state)
{
    static const char *const words[] = {"ask",    "who was hit?",  "--now", "2026-11-24",
                                        "--zone", "Europe/Berlin", NULL};
    static const char *const json[] = {"ask", "who was hit?", "--json", NULL};
    static const char body[] =
        "{\"ok\":true,\"answer\":\"There was 1 incident:\\n#1 A\\u001b\\n\"}";
    struct th_cli *t = *state;

    th_cli_answer(t, ASK "who%20was%20hit%3F&now=2026-11-24&zone=Europe%2FBerlin", 200, body);
    th_cli_answer(t, ASK "who%20was%20hit%3F", 200, body);
    assert_int_equal(th_cli_run_words(t, words), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "There was 1 incident:\n#1 A\\u001b\n");
    assert_int_equal(th_cli_run_words(t, json), CLI_OK);
    says(th_cli_stdout(t), body);
}

static void forms_are_listed(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(
        t, "GET http://sink/api/v1/questions", 200,
        "{\"ok\":true,\"forms\":[{\"subject\":\"issues\",\"measure\":\"list\",\"example\":\"open "
        "issues\"},"
        "{\"subject\":\"issues\",\"measure\":\"count\",\"example\":\"how many issues\"}]}");
    assert_int_equal(th_cli_run(t, "ask --list"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "issues\n  open issues\n  how many issues\n");
    assert_int_equal(th_cli_run(t, "ask --list open"), CLI_USAGE);
}

static void the_last_question_is_refined(void **state)
{
    static const char *const words[] = {"ask", "--follow", "by author", NULL};
    struct th_cli *t = *state;

    th_cli_answer(t, "GET http://sink/api/v1/conversations", 200, "{\"ok\":true,\"rows\":[]}");
    assert_int_equal(th_cli_run_words(t, words), CLI_NOTHING);
    th_cli_answer(t, "GET http://sink/api/v1/conversations", 200,
                  "{\"ok\":true,\"rows\":[{\"id\":\"c1\",\"turns\":[]},{\"id\":\"c2\"}]}");
    th_cli_answer(t, ASK "by%20author&conversation=c1", 200, "{\"ok\":true,\"answer\":\"two\"}");
    assert_int_equal(th_cli_run_words(t, words), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "two\n");
}

static void conversations_are_listed_and_forgotten(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(
        t, "GET http://sink/api/v1/conversations", 200,
        "{\"ok\":true,\"rows\":[{\"id\":\"c1\",\"updated_at\":\"2026-11-26T12:00:00.000Z\","
        "\"turns\":[{\"question\":\"a\"},{\"question\":\"b\"}]}]}");
    assert_int_equal(th_cli_run(t, "ask --conversations"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "c1  2026-11-26T12:00:00  b\n");
    th_cli_answer(t, "DELETE http://sink/api/v1/conversations/c1", 200, "{\"ok\":true}");
    assert_int_equal(th_cli_run(t, "ask --forget c1"), CLI_OK);
    th_cli_answer(t, "GET http://sink/api/v1/ask?q=&conversation=c1", 200,
                  "{\"ok\":true,\"answer\":\"again\"}");
    assert_int_equal(th_cli_run(t, "ask --conversation c1"), CLI_OK);
}

static void one_of_several_is_chosen(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, ASK "incidents&choose=i", 200, "{\"ok\":true,\"answer\":\"none\"}");
    assert_int_equal(th_cli_run(t, "ask incidents --choose i"), CLI_OK);
}

static void the_past_can_be_asked(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, ASK "incidents&as_of=2026-11-24", 200, "{\"ok\":true,\"answer\":\"none\"}");
    assert_int_equal(th_cli_run(t, "ask incidents --as-of 2026-11-24"), CLI_OK);
}

static void what_is_not_understood_has_suggestions(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, ASK "hello", 422,
                  "{\"ok\":false,\"error\":\"why\",\"suggestions\":[\"what happened last week\"]}");
    assert_int_equal(th_cli_run(t, "ask hello"), CLI_NOTHING);
    assert_string_equal(th_cli_stdout(t), "");
    says(th_cli_stderr(t), "wellhead: ask: why; questions are understood as in\n"
                           "  wellhead ask \"what happened last week\"\n");
    assert_int_equal(th_cli_run(t, "ask"), CLI_USAGE);
}

static void what_is_ambiguous_is_a_choice(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(
        t, ASK "%231", 409,
        "{\"ok\":false,\"error\":\"several\",\"choices\":[{\"kind\":\"incident\",\"id\":"
        "\"i\",\"name\":\"A\",\"url\":\"https://h/1\"},{\"kind\":\"service\",\"id\":\"s\","
        "\"name\":\"B\",\"url\":\"\"}]}");
    assert_int_equal(th_cli_run(t, "ask #1"), CLI_AMBIGUOUS);
    says(th_cli_stderr(t), "wellhead: ask: several\n  incident A  https://h/1\n  service B  s\n");
    assert_int_equal(th_cli_run(t, "ask #1 --json"), CLI_AMBIGUOUS);
    says(th_cli_stdout(t), "\"choices\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_is_printed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forms_are_listed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_last_question_is_refined, set_up, tear_down),
        cmocka_unit_test_setup_teardown(conversations_are_listed_and_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_of_several_is_chosen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_past_can_be_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_understood_has_suggestions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_ambiguous_is_a_choice, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("cli/commands/ask", tests, NULL, NULL);
}
