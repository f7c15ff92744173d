/* wellhead status: the first line, --check and --watch. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "tests/lib/th_cli.h"

#define FETCHER "GET http://fetcher/api/v1/status"
#define SINK "GET http://sink/api/v1/status"

#define FINDING(severity, subject, text, advice)                                                   \
    "{\"severity\":\"" severity "\",\"subject\":\"" subject "\",\"text\":\"" text                  \
    "\",\"advice\":\"" advice "\"}"
#define HEALTH(findings, more) "{\"health\":{\"findings\":[" findings "]" more "}}"

static const char fetcher[] =
    "{\"connections\":[{\"id\":\"h\",\"instance\":\"https://h\",\"state\":\"enabled\"}]}";

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

static void begins(const char *text, const char *part)
{
    if (strncmp(text, part, strlen(part)) != 0) {
        fail_msg("'%s' is not how it begins: %s", part, text);
    }
}

static void the_first_line_is_the_verdict(void **unused)
{
    static const struct {
        const char *sink;
        const char *first;
        int code;
    } cases[] = {
        {HEALTH("", ""), "healthy\n\n", CLI_OK},
        {HEALTH(FINDING("note", "connection x", "disconnected", ""), ""),
         "healthy\n  note: connection x: disconnected\n", CLI_OK},
        {HEALTH(FINDING("warning", "connection h", "3 dead letters", "replay"), ""),
         "healthy\n  warning: connection h: 3 dead letters; replay\n", CLI_OK},
        {HEALTH(FINDING("unknown", "mapper", "no heartbeat", "start it"), ""),
         "unknown: mapper: no heartbeat; start it\n", CLI_NOT_HEALTHY},
        {HEALTH(FINDING("unknown", "kafka", "away", "") "," FINDING("error", "mapper", "silent",
                                                                    "start it"),
                ""),
         "not healthy: mapper: silent; start it\n  unknown: kafka: away\n", CLI_NOT_HEALTHY},
        {HEALTH(FINDING("catastrophe", "mapper", "silent", ""), ""), "not healthy: mapper: silent",
         CLI_NOT_HEALTHY},
        {"{\"health\":null}", "unknown: sink: it tells nothing of the other", CLI_NOT_HEALTHY},
        {"{}", "unknown: sink: it tells nothing of the other stages", CLI_NOT_HEALTHY},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct th_cli *t = th_cli_new();

        th_cli_answer(t, FETCHER, 200, fetcher);
        th_cli_answer(t, SINK, 200, cases[i].sink);
        assert_int_equal(th_cli_run(t, "status"), CLI_OK);
        begins(th_cli_stdout(t), cases[i].first);
        assert_int_equal(th_cli_run(t, "status --check"), cases[i].code);
        th_cli_free(t);
    }
}

static void a_sink_that_is_away_leaves_the_fetcher_s_word(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, FETCHER, 200,
                  "{\"connections\":[{\"id\":\"h\",\"instance\":\"https://"
                  "h\",\"state\":\"need_reconnect\"},{\"id\":\"x\",\"state\":\"disabled\"}]}");
    assert_int_equal(th_cli_run(t, "status --check"), CLI_NOT_HEALTHY);
    begins(th_cli_stdout(t), "not healthy: sink: it does not answer: http://sink: nobody listens");
    says(th_cli_stdout(t), "  error: connection h: need_reconnect; `wellhead connect https://h`\n");
    says(th_cli_stdout(t), "  unknown: mapper, webhook-intake: how they are is not known");
    says(th_cli_stdout(t), "  note: connection x: disconnected");
}

static void a_fetcher_that_is_away_is_not_known(void **state)
{
    struct th_cli *t = *state;

    th_cli_refuse(t, FETCHER, WH_E_TIMEOUT, "timed out");
    th_cli_answer(t, SINK, 200, HEALTH("", ""));
    assert_int_equal(th_cli_run(t, "status --check"), CLI_NOT_HEALTHY);
    begins(th_cli_stdout(t), "unknown: fetcher: it does not answer this command: timed out");
    assert_int_equal(th_cli_run(t, "status --check --json"), CLI_NOT_HEALTHY);
    says(th_cli_stdout(t), "\"healthy\":null,\"verdict\":\"unknown\"");
}

static void processes_and_what_waits_are_tables(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, FETCHER, 200, fetcher);
    th_cli_answer(
        t, SINK, 200,
        "{\"health\":{\"findings\":[],\"processes\":[{\"stage\":\"mapper\",\"process\":\"h-3\","
        "\"state\":\"up\",\"last_heartbeat\":\"T\",\"version\":\"v1\"}],\"flows\":[{\"topic\":"
        "\"raw.h\",\"stage\":\"mapper\",\"lag_records\":7,\"lag_seconds\":3},{\"topic\":\"e.h\","
        "\"stage\":\"sink\",\"lag_records\":null,\"lag_seconds\":null}]},\"set_aside\":[{"
        "\"connection\":\"h\",\"values\":12,\"or_more\":true}],\"last_success\":[{\"connection\":"
        "\"h\",\"at\":\"T2\",\"streams\":{\"issues\":\"T2\",\"jobs\":\"T1\",\"notes\":null}},{"
        "\"connection\":\"new\",\"at\":null}]}");
    assert_int_equal(th_cli_run(t, "status"), CLI_OK);
    says(th_cli_stdout(t), "mapper  h-3      up     T               v1\n");
    says(th_cli_stdout(t), "raw.h  mapper     7        3\n");
    says(th_cli_stdout(t), "e.h    sink       unknown  unknown\n");
    says(th_cli_stdout(t), "set aside: at least 12 values of h that could not be converted: ");
    says(th_cli_stdout(t), "last good run of h: T2\n");
    says(th_cli_stdout(t), "last good run of new: none yet\n");
}

/* Names, never ids; what is not known has a dash. */
static void streams_are_a_table(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, FETCHER, 200, fetcher);
    th_cli_answer(
        t, SINK, 200,
        "{\"health\":{\"findings\":[]},\"streams\":[{\"connection\":\"h\",\"streams\":[{\"stream\":"
        "\"issues\",\"state\":\"on_time\",\"read_by\":\"rest\",\"tool\":null,\"credential\":"
        "\"read_api "
        "token\",\"reason\":null,\"at_gitlab\":7,\"stored\":6,\"counted_by\":\"numbers\","
        "\"last_success\":\"T1\"},{\"stream\":\"pipelines\",\"state\":\"failing\",\"read_by\":"
        "\"mcp\","
        "\"tool\":\"list_pipelines\",\"credential\":\"approval\",\"reason\":\"GitLab answers 500\","
        "\"at_gitlab\":null,\"counted_by\":null,\"last_success\":null},{\"stream\":\"releases\","
        "\"state\":\"not_read\",\"read_by\":\"none\",\"reason\":\"not allowed\"}]}]}");
    assert_int_equal(th_cli_run(t, "status"), CLI_OK);
    says(th_cli_stdout(t),
         "issues     on_time   rest, read_api token          7          6       numbers     T1");
    says(th_cli_stdout(t),
         "pipelines  failing   mcp list_pipelines, approval  -          -                   never");
    says(th_cli_stdout(t), "GitLab answers 500\n");
    says(th_cli_stdout(t),
         "releases   not_read  -                             -          -                   never");
}

static void a_watch_with_check_ends_when_something_is_wrong(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, FETCHER, 200, fetcher);
    th_cli_answer(t, SINK, 200, HEALTH("", ""));
    th_cli_answer(t, SINK, 200, HEALTH("", ""));
    th_cli_answer(t, SINK, 200, HEALTH(FINDING("error", "mapper", "silent", "start it"), ""));
    assert_int_equal(th_cli_run(t, "status --watch --check"), CLI_NOT_HEALTHY);
    assert_int_equal(th_cli_paused_ms(t), 4000);
    begins(th_cli_stdout(t), "healthy\n");
    says(th_cli_stdout(t), "not healthy: mapper: silent");
}

static void a_watch_clears_a_terminal(void **state)
{
    struct th_cli *t = *state;

    th_cli_on_terminal(t);
    th_cli_answer(t, FETCHER, 200, fetcher);
    th_cli_answer(t, SINK, 200, HEALTH(FINDING("error", "mapper", "silent", ""), ""));
    assert_int_equal(th_cli_run(t, "status --watch --check"), CLI_NOT_HEALTHY);
    begins(th_cli_stdout(t), "\033[H\033[2Jnot healthy: mapper: silent");
    assert_int_equal(th_cli_run(t, "status --watch --check --json"), CLI_NOT_HEALTHY);
    begins(th_cli_stdout(t), "{\"ok\":true,\"healthy\":false,");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_line_is_the_verdict),
        TEST(a_sink_that_is_away_leaves_the_fetcher_s_word),
        TEST(a_fetcher_that_is_away_is_not_known),
        TEST(processes_and_what_waits_are_tables),
        TEST(streams_are_a_table),
        TEST(a_watch_with_check_ends_when_something_is_wrong),
        TEST(a_watch_clears_a_terminal),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
