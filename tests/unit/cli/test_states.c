/*
 * For every command that asks the sink: what an answer, or its absence, means for the exit code, and what is printed
 * then. L2: data on stdout, messages on stderr; L3: with --json one document, or nothing; L4: nothing asks and nothing
 * is coloured when no terminal is there; the code is the same with and without --json.
 */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/th_cli.h"

static const char *const commands[] = {
    "sql X",
    "tables",
    "show 00000000-0000-5000-8000-000000000000",
    "impact 00000000-0000-5000-8000-000000000000",
    "ask X",
    "search X",
    "measures",
    "measures X",
    "watch",
    "rules",
    "rules deliveries",
    "rules remove X",
    "rules test X",
    "rules replay X",
    "people",
    "tokens",
    "tokens revoke X",
    "open",
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static const char *const methods[] = {"GET http://sink/", "POST http://sink/",
                                      "DELETE http://sink/"};
enum { METHODS = sizeof(methods) / sizeof(methods[0]) };

static int run(struct th_cli *t, const char *command, bool json)
{
    char words[128];

    (void)snprintf(words, sizeof(words), "%s%s", command, json ? " --json" : "");
    return th_cli_run(t, words);
}

static void is_refused(struct th_cli *t, const char *command, int code)
{
    for (int json = 0; json < 2; json++) {
        int is = run(t, command, json == 1);
        const char *says = th_cli_stderr(t);

        if (is != code || th_cli_stdout(t)[0] || strncmp(says, "wellhead: ", 10) != 0 ||
            strchr(says, '\033')) {
            fail_msg("`wellhead %s`%s: exit %d, not %d; stdout '%s'; stderr '%s'", command,
                     json ? " --json" : "", is, code, th_cli_stdout(t), says);
        }
    }
}

static void a_refusal_is_a_code_and_a_message(void **state)
{
    static const struct {
        unsigned status;
        int code;
    } cases[] = {{400, CLI_FAILED},    {401, CLI_SIGN_IN},   {403, CLI_SIGN_IN},
                 {404, CLI_NOTHING},   {429, CLI_TRY_LATER}, {503, CLI_TRY_LATER},
                 {504, CLI_TIMED_OUT}, {500, CLI_FAILED}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct th_cli *t = th_cli_new();

        for (size_t j = 0; j < METHODS; j++) {
            th_cli_answer(t, methods[j], cases[i].status,
                          "{\"ok\":false,\"error\":\"why \\u001b[2J\"}");
        }
        for (size_t j = 0; j < COMMANDS; j++) {
            is_refused(t, commands[j], cases[i].code);
        }
        th_cli_free(t);
    }
}

static void silence_is_a_code_and_a_message(void **state)
{
    static const struct {
        enum wh_rc rc;
        int code;
    } cases[] = {{WH_E_NET, CLI_FAILED},
                 {WH_E_TIMEOUT, CLI_TIMED_OUT},
                 {WH_E_UNAVAILABLE, CLI_TRY_LATER},
                 {WH_E_BUSY, CLI_TRY_LATER}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct th_cli *t = th_cli_new();

        for (size_t j = 0; j < METHODS; j++) {
            th_cli_refuse(t, methods[j], cases[i].rc, "it broke");
        }
        for (size_t j = 0; j < COMMANDS; j++) {
            is_refused(t, commands[j], cases[i].code);
        }
        th_cli_free(t);
    }
}

/* An answer that is no JSON, as of another program on that port. */
static void nonsense_is_no_success(void **state)
{
    struct th_cli *t = th_cli_new();

    (void)state;
    for (size_t j = 0; j < METHODS; j++) {
        th_cli_answer(t, methods[j], 404, "<html>not here</html>");
    }
    for (size_t j = 0; j < COMMANDS; j++) {
        is_refused(t, commands[j], CLI_NOTHING);
    }
    th_cli_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_is_a_code_and_a_message),
        cmocka_unit_test(silence_is_a_code_and_a_message),
        cmocka_unit_test(nonsense_is_no_success),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
