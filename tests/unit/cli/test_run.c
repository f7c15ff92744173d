/* A command line from its words to its exit code: help, mistakes, errors of stages. */
#include "tests/lib/th_cmocka.h"

#include <stdlib.h>
#include <string.h>

#include "cli/commands/commands.h"
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

static void help_is_data(void **state)
{
    struct th_cli *t = *state;
    size_t n;
    const struct cli_command *commands = cli_command_table(&n);

    assert_int_equal(th_cli_run(t, "help"), CLI_OK);
    for (size_t i = 0; i < n; i++) {
        says(th_cli_stdout(t), commands[i].name);
    }
    assert_string_equal(th_cli_stderr(t), "");
    for (size_t i = 0; i < n; i++) {
        char words[64];
        char *first;

        (void)snprintf(words, sizeof(words), "help %s", commands[i].name);
        assert_int_equal(th_cli_run(t, words), CLI_OK);
        first = strdup(th_cli_stdout(t));
        says(first, "\n\nExamples:\n");
        says(first, "\nUsage: wellhead ");
        (void)snprintf(words, sizeof(words), "%s --help", commands[i].name);
        assert_int_equal(th_cli_run(t, words), CLI_OK);
        assert_string_equal(th_cli_stdout(t), first);
        free(first);
    }
    assert_int_equal(th_cli_run(t, "--help"), CLI_OK);
    says(th_cli_stdout(t), "Commands:");
    assert_int_equal(th_cli_run(t, "help settings"), CLI_OK);
    says(th_cli_stdout(t), "kafka.bootstrap.servers");
    says(th_cli_stdout(t), "kafka.<property>");
    assert_int_equal(th_cli_run(t, "help exit-codes"), CLI_OK);
    says(th_cli_stdout(t), "10 not healthy");
    assert_int_equal(th_cli_run(t, "--version"), CLI_OK);
    says(th_cli_stdout(t), "wellhead ");
}

/* Is the option, by its name or its letter, a word of the text? */
static bool has_option(const char *text, const struct cli_option *o)
{
    char word[64];

    (void)snprintf(word, sizeof(word), " --%s", o->name);
    if (strstr(text, word)) {
        return true;
    }
    (void)snprintf(word, sizeof(word), " -%c ", o->letter ? o->letter : '?');
    return o->letter && strstr(text, word);
}

/* Every option of a command's own stands in one of its examples; what the format or the amount of the output is needs
 * none. */
static void every_option_has_an_example(void **state)
{
    size_t n;
    size_t n_options;
    const struct cli_command *commands = cli_command_table(&n);
    const struct cli_option *options = cli_option_table(&n_options);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n_options; j++) {
            const struct cli_option *o = &options[j];

            if (o->rank != CLI_COMMON && (o->commands & commands[i].bit) &&
                strcmp(o->name, "json") != 0 && strcmp(o->name, "quiet") != 0 &&
                !has_option(commands[i].examples, o)) {
                fail_msg("`wellhead help %s` has no example of --%s", commands[i].name, o->name);
            }
        }
    }
}

/* A line of help that a terminal of 100 columns breaks is hard to read. */
static void help_fits(void **state)
{
    struct th_cli *t = *state;
    size_t n;
    const struct cli_command *commands = cli_command_table(&n);

    for (size_t i = 0; i < n; i++) {
        char words[64];

        (void)snprintf(words, sizeof(words), "help %s", commands[i].name);
        assert_int_equal(th_cli_run(t, words), CLI_OK);
        for (const char *line = th_cli_stdout(t); *line; line += strcspn(line, "\n") + 1) {
            if (line[0] == ' ' && strcspn(line, "\n") > 100) {
                fail_msg("too long: %.*s", (int)strcspn(line, "\n"), line);
            }
        }
    }
}

static void mistakes_are_messages(void **state)
{
    static const char *const cases[][2] = {
        {"", "Commands:"},
        {"stauts", "did you mean `wellhead status`?"},
        {"pruge", "there is no such command; see"},
        {"disconect", "there is no such command; see"},
        {"help S3CRET", "there is no help on that"},
        {"S3CRET", "there is no such command"},
        {"status --execute", "status has no option --execute"},
        {"status S3CRET", "one word too many"},
        {"--nope", "argument 1 is not an option"},
        {"connect", "Usage: wellhead connect URL"},
        {"connect https://root:S3CRET@h", "must not hold a user name or a password"},
        {"connect https://h --client-secret-file S3CRET", "--client-secret-file needs --client-id"},
        {"show", "show needs an entity's id"},
        {"show https://root:S3CRET@h/x", "must not hold a user name"},
        {"sql", "sql needs one query"},
        {"replay", "replay needs a connection's id"},
        {"replay c --from yesterday", "--from must be start, end, OFFSET"},
        {"disconnect S3CRET", "disconnect needs a connection's id"},
        {"purge S3CRET", "purge needs a connection's id"},
    };
    struct th_cli *t = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(th_cli_run(t, cases[i][0]), CLI_USAGE);
        says(th_cli_stderr(t), cases[i][1]);
        assert_string_equal(th_cli_stdout(t), "");
        assert_null(strstr(th_cli_stderr(t), "S3CRET"));
        assert_int_equal(th_cli_requests(t), 0);
    }
}

static void a_bad_setting_is_refused(void **state)
{
    struct th_cli *t = *state;

    th_cli_env(t, "WELLHEAD_TIMEOUT=soon");
    assert_int_equal(th_cli_run(t, "status"), CLI_USAGE);
    says(th_cli_stderr(t), "timeout");
    assert_int_equal(th_cli_run(t, "help"), CLI_OK); /* help needs no settings */
}

static void answers_decide_the_exit_code(void **state)
{
    static const struct {
        unsigned status;
        int code;
    } cases[] = {{400, CLI_FAILED},    {401, CLI_SIGN_IN},   {403, CLI_SIGN_IN},
                 {404, CLI_NOTHING},   {429, CLI_TRY_LATER}, {503, CLI_TRY_LATER},
                 {504, CLI_TIMED_OUT}, {500, CLI_FAILED}};
    struct th_cli *t = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        th_cli_answer(t, "POST http://sink/api/v1/sql", cases[i].status,
                      "{\"ok\":false,\"error\":\"why \\u001b[2J\"}");
        assert_int_equal(th_cli_run(t, "sql X --json"), cases[i].code);
        says(th_cli_stderr(t), "wellhead: sql: why \\u001b[2J\n");
        assert_null(strstr(th_cli_stderr(t), "HTTP"));
        assert_int_equal(th_cli_run(t, "sql X --json -v"), cases[i].code);
        says(th_cli_stderr(t), "POST http://sink/api/v1/sql: ");
        says(th_cli_stderr(t), "why \\u001b[2J (HTTP ");
        assert_string_equal(th_cli_stdout(t), "");
    }
}

static void failed_calls_decide_the_exit_code(void **state)
{
    static const struct {
        enum wh_rc rc;
        int code;
    } cases[] = {{WH_E_NET, CLI_FAILED},
                 {WH_E_TIMEOUT, CLI_TIMED_OUT},
                 {WH_E_UNAVAILABLE, CLI_TRY_LATER},
                 {WH_E_BUSY, CLI_TRY_LATER},
                 {WH_E_DENIED, CLI_FAILED}};
    struct th_cli *t = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        th_cli_refuse(t, "POST http://sink/api/v1/sql", cases[i].rc, "it broke");
        assert_int_equal(th_cli_run(t, "sql X"), cases[i].code);
        says(th_cli_stderr(t), "wellhead: sql: it broke\n");
        assert_int_equal(strstr(th_cli_stderr(t), "is that process running?") != NULL,
                         cases[i].rc == WH_E_NET);
    }
}

static void headings_are_bold_on_a_terminal(void **state)
{
    static const char body[] = "{\"columns\":[\"a\"],\"rows\":[{\"a\":1}]}";
    struct th_cli *t = *state;

    th_cli_answer(t, "POST http://sink/api/v1/sql", 200, body);
    assert_int_equal(th_cli_run(t, "sql X"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "a\n1\n");
    th_cli_on_terminal(t);
    assert_int_equal(th_cli_run(t, "sql X"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "\033[1ma\033[0m\n1\n");
    assert_int_equal(th_cli_run(t, "sql X --no-color"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "a\n1\n");
    th_cli_env(t, "NO_COLOR=1");
    assert_int_equal(th_cli_run(t, "sql X"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "a\n1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(help_is_data, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_option_has_an_example, set_up, tear_down),
        cmocka_unit_test_setup_teardown(help_fits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mistakes_are_messages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bad_setting_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answers_decide_the_exit_code, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failed_calls_decide_the_exit_code, set_up, tear_down),
        cmocka_unit_test_setup_teardown(headings_are_bold_on_a_terminal, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
