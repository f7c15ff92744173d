/* wellhead connect: the request, the steps, the approval in the browser, the end. */
#include "tests/lib/th_cmocka.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/th_cli.h"
#include "tests/lib/th_tmp.h"

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

static void write_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
}

static const char connected[] =
    "{\"ok\":true,\"connection\":\"h\",\"instance\":\"https://"
    "h\",\"gitlab_version\":\"19.0\",\"user\":"
    "\"Ann\\u202e\",\"scopes\":\"api\",\"existing\":false,\"streams\":[{\"stream\":\"issues\","
    "\"read_by\":"
    "\"rest\"}],\"webhook\":{\"path\":\"/hooks/h\",\"signing_key\":\"whsec_K\",\"token\":\"T0K\"}}";

static void a_connection_is_reported(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "POST http://fetcher/api/v1/connections", 200, connected);
    assert_int_equal(th_cli_run(t,
                                "connect https://h --project 7 --project a/b --oauth --new-client "
                                "--new-secret --move --client-id I"),
                     CLI_OK);
    assert_string_equal(
        th_cli_request(t, 0),
        "POST http://fetcher/api/v1/connections {\"url\":\"https://h\","
        "\"client_id\":\"I\",\"oauth\":true,\"new_client\":true,\"new_secret\":true,"
        "\"move\":true,\"projects\":[7,\"a/b\"]}");
    says(th_cli_stdout(t), "Connected: h\n");
    says(th_cli_stdout(t), "user           Ann\\u202e\n");
    says(th_cli_stdout(t), "this token may do more than read");
    says(th_cli_stdout(t), "REST, every stream");
    says(th_cli_stdout(t), "projects       are being listed; `wellhead status` shows them\n");
    says(th_cli_stdout(t), "http://intake/hooks/h\n");
    says(th_cli_stdout(t), "public.url of the fetcher names it");
    says(th_cli_stdout(t), "whsec_K");
    says(th_cli_stdout(t), "T0K");
    says(th_cli_stdout(t), "wellhead status --wait 10m");
    assert_int_equal(th_cli_run(t, "connect https://h --json"), CLI_OK);
    assert_memory_equal(th_cli_stdout(t), connected, strlen(connected));
}

static void the_projects_are_shown_once_they_are_listed(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "POST http://fetcher/api/v1/connections", 200, connected);
    th_cli_answer(t, "GET http://fetcher/api/v1/status", 200,
                  "{\"connections\":[{\"id\":\"h\",\"runs\":0,\"phase\":\"idle\"}]}");
    th_cli_answer(t, "GET http://fetcher/api/v1/status", 200,
                  "{\"connections\":[{\"id\":\"h\",\"runs\":0,\"phase\":\"projects\"}]}");
    th_cli_answer(t, "GET http://fetcher/api/v1/status", 200,
                  "{\"connections\":[{\"id\":\"x\"},{\"id\":\"h\",\"runs\":0,\"phase\":"
                  "\"streams\",\"projects\":3,\"project_paths\":[\"g/a\\u001b\",\"g/b\"]}]}");
    assert_int_equal(th_cli_run(t, "connect https://h"), CLI_OK);
    assert_int_equal(th_cli_paused_ms(t), 600);
    says(th_cli_stdout(t),
         "  projects       3\n                 g/a\\u001b\n                 g/b\n"
         "                 and 1 more: `wellhead sql \"select path from projects\"`\n");
}

static void no_projects_are_told(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "POST http://fetcher/api/v1/connections", 200, connected);
    th_cli_answer(
        t, "GET http://fetcher/api/v1/status", 200,
        "{\"connections\":[{\"id\":\"h\",\"runs\":1,\"phase\":\"idle\",\"projects\":0}]}");
    assert_int_equal(th_cli_run(t, "connect https://h"), CLI_OK);
    says(th_cli_stdout(t), "projects       none: GitLab lists the projects of which this user is");
}

/* 127.0.0.1 is this machine; GitLab is elsewhere. */
static void an_address_that_gitlab_cannot_reach_is_not_given(void **state)
{
    struct th_cli *t = *state;

    th_cli_env(t, "WELLHEAD_INTAKE_URL=http://127.0.0.1:8702");
    th_cli_answer(t, "POST http://fetcher/api/v1/connections", 200, connected);
    assert_int_equal(th_cli_run(t, "connect https://h"), CLI_OK);
    says(th_cli_stdout(t), "URL            https://ADDRESS/hooks/h\n");
    says(th_cli_stdout(t), "which listens at http://127.0.0.1:8702 here");
    assert_null(strstr(th_cli_stdout(t), "127.0.0.1:8702/hooks"));
}

static void a_known_connection_keeps_its_secrets(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(
        t, "POST http://fetcher/api/v1/connections", 200,
        "{\"connection\":\"h\",\"existing\":true,\"scopes\":\"read_api\",\"streams\":["
        "{\"stream\":\"issues\",\"read_by\":\"rest\"},{\"stream\":\"jobs\",\"read_by\":\"mcp\","
        "\"tool\":\"list_jobs\"},{\"stream\":\"notes\",\"read_by\":\"none\",\"reason\":\"no\"}],"
        "\"webhook\":{\"path\":\"/hooks/h\",\"url\":\"https://w.example/hooks/h\"}}");
    assert_int_equal(th_cli_run(t, "connect https://h"), CLI_OK);
    says(th_cli_stdout(t), "Connected again: h\n");
    says(th_cli_stdout(t), "jobs    mcp      list_jobs\n");
    says(th_cli_stdout(t), "notes   none     no\n");
    says(th_cli_stdout(t), "URL            https://w.example/hooks/h\n");
    says(th_cli_stdout(t), "--new-secret");
    assert_null(strstr(th_cli_stdout(t), "may do more"));
}

static void secrets_come_from_files(void **state)
{
    struct th_cli *t = *state;
    char *folder = th_tmp_new();
    char token[256];
    char secret[256];
    const char *words[] = {"connect",     "https://h", "--token-file",         token,
                           "--client-id", "I",         "--client-secret-file", secret,
                           NULL};

    (void)snprintf(token, sizeof(token), "%s/token", folder);
    (void)snprintf(secret, sizeof(secret), "%s/client", folder);
    write_file(token, "glpat-1\n", 0600);
    write_file(secret, "s2\n", 0600);
    th_cli_answer(t, "POST http://fetcher/api/v1/connections", 200, connected);
    assert_int_equal(th_cli_run_words(t, words), CLI_OK);
    says(th_cli_request(t, 0),
         "\"token\":\"glpat-1\",\"client_id\":\"I\",\"client_secret\":\"s2\"");
    assert_null(strstr(th_cli_stdout(t), "glpat-1"));
    /* Readable by others: refused, and nothing is sent. */
    assert_int_equal(chmod(token, 0644), 0);
    assert_int_equal(th_cli_run_words(t, words), CLI_FAILED);
    says(th_cli_stderr(t), "cannot read what --token-file names");
    assert_int_equal(th_cli_requests(t), 0);
    assert_int_equal(chmod(token, 0600), 0);
    assert_int_equal(unlink(secret), 0);
    assert_int_equal(th_cli_run_words(t, words), CLI_FAILED);
    says(th_cli_stderr(t), "cannot read what --client-secret-file names");
    th_tmp_remove(folder);
}

/* The token itself in the place of its file's name. */
static void a_token_is_not_repeated(void **state)
{
    struct th_cli *t = *state;

    assert_int_equal(th_cli_run(t, "connect https://h --token-file glpat-S3CRET"), CLI_FAILED);
    assert_null(strstr(th_cli_stderr(t), "S3CRET"));
    says(th_cli_stderr(t), "chmod 600");
}

static void refusals_are_told(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, "POST http://fetcher/api/v1/connections", 401, "{\"error\":\"no\"}");
    assert_int_equal(th_cli_run(t, "connect https://h"), CLI_SIGN_IN);
    says(th_cli_stderr(t), "wellhead doctor");
    th_cli_answer(t, "POST http://fetcher/api/v1/connections", 200, "not json");
    assert_int_equal(th_cli_run(t, "connect https://h"), CLI_FAILED);
    says(th_cli_stderr(t), "cannot be read");
    th_cli_refuse(t, "POST http://fetcher/api/v1/connections", WH_E_NET, "nobody");
    assert_int_equal(th_cli_run(t, "connect https://h"), CLI_FAILED);
    says(th_cli_stderr(t), "is that process running?");
}

/* ---- the approval ---- */

#define SESSION "GET http://fetcher/api/v1/connects/s1"

static void begin_session(struct th_cli *t)
{
    th_cli_answer(t, "POST http://fetcher/api/v1/connections", 202, "{\"session\":\"s1\"}");
    th_cli_answer(
        t, SESSION, 200,
        "{\"state\":\"running\",\"steps\":[{\"step\":\"ask\",\"text\":\"a\\u001b[2J\\nb\"}]}");
    th_cli_answer(
        t, SESSION, 200,
        "{\"state\":\"running\",\"steps\":[{\"step\":\"ask\",\"text\":\"again\"},{\"step\":"
        "\"wait\",\"text\":\"for you\"}],\"approve_url\":\"https://h/oauth?x=1\","
        "\"redirect_uri\":\"http://127.0.0.1/cb\"}");
}

static void steps_are_shown_once_and_escaped(void **state)
{
    struct th_cli *t = *state;

    begin_session(t);
    th_cli_answer(t, SESSION, 200, "{\"state\":\"done\",\"connection\":\"h\"}");
    assert_int_equal(th_cli_run(t, "connect https://h --no-browser"), CLI_OK);
    says(th_cli_stderr(t), "  ask        a\\u001b[2J b\n");
    says(th_cli_stderr(t), "  wait       for you\n");
    assert_null(strstr(th_cli_stderr(t), "again"));
    says(th_cli_stderr(t), "Approve in your browser:\n\n  https://h/oauth?x=1\n");
    says(th_cli_stderr(t), "ends at http://127.0.0.1/cb...");
}

static void an_approval_ends_well(void **state)
{
    struct th_cli *t = *state;

    begin_session(t);
    th_cli_answer(t, SESSION, 200,
                  "{\"state\":\"done\",\"connection\":\"h\",\"instance\":\"https://h\"}");
    assert_int_equal(th_cli_run(t, "connect https://h --no-browser -q"), CLI_OK);
    says(th_cli_stdout(t), "Connected: h\n");
    assert_null(strstr(th_cli_stderr(t), "for you"));
}

static void an_approval_fails(void **state)
{
    struct th_cli *t = *state;

    begin_session(t);
    th_cli_answer(t, SESSION, 200, "{\"state\":\"failed\",\"error\":\"you said no\\u0007\"}");
    assert_int_equal(th_cli_run(t, "connect https://h --no-browser"), CLI_FAILED);
    says(th_cli_stderr(t), "wellhead: connect: you said no\\u0007\n");
}

static void a_lost_session_is_an_error(void **state)
{
    struct th_cli *t = *state;

    begin_session(t);
    th_cli_answer(t, SESSION, 404, "{\"error\":\"no such session\"}");
    assert_int_equal(th_cli_run(t, "connect https://h --no-browser"), CLI_NOTHING);
}

static void a_session_that_is_no_json_is_an_error(void **state)
{
    struct th_cli *t = *state;

    begin_session(t);
    th_cli_answer(t, SESSION, 200, "{");
    assert_int_equal(th_cli_run(t, "connect https://h --no-browser"), CLI_FAILED);
}

static void an_unreachable_session_is_an_error(void **state)
{
    struct th_cli *t = *state;

    begin_session(t);
    th_cli_refuse(t, SESSION, WH_E_TIMEOUT, "timed out");
    assert_int_equal(th_cli_run(t, "connect https://h --no-browser"), CLI_TIMED_OUT);
}

static void a_pasted_redirect_is_sent(void **state)
{
    struct th_cli *t = *state;

    begin_session(t);
    th_cli_input(t, "http://127.0.0.1/cb?code=1\nrest");
    th_cli_answer(t, SESSION, 200, "{\"state\":\"running\"}");
    th_cli_answer(t, SESSION, 200, "{\"state\":\"done\",\"connection\":\"h\"}");
    th_cli_answer(t, "POST http://fetcher/api/v1/connects/s1/redirect", 400,
                  "{\"error\":\"stale\"}");
    assert_int_equal(th_cli_run(t, "connect https://h --no-browser"), CLI_OK);
    assert_string_equal(th_cli_last(t, "POST http://fetcher/api/v1/connects"),
                        "POST http://fetcher/api/v1/connects/s1/redirect "
                        "{\"url\":\"http://127.0.0.1/cb?code=1\"}");
    says(th_cli_stderr(t), "wellhead: connect: stale");
}

/* The browser's program gets the address as one argument; no shell sees it. */
static void the_browser_is_opened(void **state)
{
    struct th_cli *t = *state;
    char *folder = th_tmp_new();
    char opener[256];
    char script[1024];
    char seen[256];
    char path[256];
    char text[128] = "";
    const struct timespec pause = {.tv_nsec = 10000000};
    int fd = -1;

    (void)snprintf(opener, sizeof(opener), "%s/xdg-open", folder);
    (void)snprintf(seen, sizeof(seen), "%s/seen", folder);
    (void)snprintf(script, sizeof(script), "#!/bin/sh\nprintf %%s \"$1\" > %s.new\nmv %s.new %s\n",
                   seen, seen, seen);
    write_file(opener, script, 0700);
    (void)snprintf(path, sizeof(path), "%s:/usr/bin:/bin", folder);
    assert_int_equal(setenv("PATH", path, 1), 0);
    begin_session(t);
    th_cli_answer(t, SESSION, 200, "{\"state\":\"done\",\"connection\":\"h\"}");
    assert_int_equal(th_cli_run(t, "connect https://h"), CLI_OK);
    for (int i = 0; i < 3000 && fd < 0; i++) {
        fd = open(seen, O_RDONLY);
        (void)nanosleep(&pause, NULL);
    }
    assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
    (void)close(fd);
    assert_string_equal(text, "https://h/oauth?x=1");
    th_tmp_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_connection_is_reported, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_projects_are_shown_once_they_are_listed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(no_projects_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_address_that_gitlab_cannot_reach_is_not_given, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_known_connection_keeps_its_secrets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(secrets_come_from_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_token_is_not_repeated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refusals_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(steps_are_shown_once_and_escaped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_approval_ends_well, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_approval_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_session_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_session_that_is_no_json_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unreachable_session_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_pasted_redirect_is_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_browser_is_opened, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
