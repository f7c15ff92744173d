/* wellhead status: the overview, --check, --wait, --verify and --confirm-deletes. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "tests/lib/th_cli.h"

#define FETCHER "GET http://fetcher/api/v1/status"
#define SINK "GET http://sink/api/v1/status"

static const char fetcher[] =
    "{\"connections\":[{\"id\":\"h\",\"instance\":\"https://"
    "h\",\"state\":\"enabled\",\"projects\":3,"
    "\"runs\":2,\"requests\":41,\"phase\":\"idle\",\"held_deletes\":6,"
    "\"held\":[{\"project\":\"9\",\"path\":\"g/p\",\"stream\":\"issues\",\"count\":6,\"known\":"
    "40,\"examples\":[\"https://h/g/p/-/issues/"
    "3\"]}],\"unsure_deletes\":2,\"detail\":\"why\\u202e\","
    "\"streams\":[{\"stream\":\"issues\",\"state\":\"on_time\",\"read_by\":\"rest\"},{\"stream\":"
    "\"jobs\","
    "\"state\":\"late\",\"read_by\":\"mcp\",\"tool\":\"list_jobs\",\"last_success_ms\":"
    "1795996800000},"
    "{\"stream\":\"notes\",\"state\":\"not_read\",\"read_by\":\"none\",\"reason\":\"no tool\"},"
    "{\"stream\":\"jobs_running\",\"read_by\":\"rest\"}],"
    "\"skipped_projects\":[{\"project\":\"9\",\"path\":\"g/"
    "p\",\"stream\":\"jobs\",\"reason\":\"403\"},"
    "{\"project\":\"8\",\"reason\":\"404\"}],"
    "\"webhooks\":{\"last_delivery_ms\":1795996800000,\"accepted\":5,\"unauthorized\":1,"
    "\"refused\":2,"
    "\"hook\":\"disabled\",\"deliveries\":[{\"project\":\"g/p\",\"event\":\"issue\",\"last_ms\":0,"
    "\"count\":4},{},{},{},{},{},{}]},"
    "\"completeness\":[{\"project\":\"9\",\"path\":\"g/"
    "p\",\"streams\":{\"issues\":{\"expected\":10,"
    "\"have\":7,\"missing\":1},\"merge_requests\":{\"expected\":2,\"have\":2,\"missing\":0}}}],"
    "\"last_runs\":[{\"run\":1795996800000,\"kind\":\"sweep\",\"ok\":true,\"read\":10,\"new\":4,"
    "\"waited_ms\":1500,\"streams\":{\"issues\":{\"read\":8,\"skipped\":1},\"jobs\":{\"read\":0}},"
    "\"kinds\":{\"issue\":{\"new\":4,\"changed\":0,\"deleted\":2}}}]}]}";

#define FLOWS(lag)                                                                                 \
    "\"watched_at\":\"2026-11-30T00:00:01.000Z\",\"flows\":[{\"topic\":\"raw.h\",\"connection\":"  \
    "\"h\","                                                                                       \
    "\"stage\":\"mapper\",\"lag_records\":" lag "}]"
#define WELL "\"health\":{\"healthy\":true,\"findings\":[]," FLOWS("0") "},"

static const char sink[] =
    "{" WELL
    "\"observations\":100,\"caught_up\":true,\"lag_records\":0,\"dead_letters\":2,\"state\":"
    "\"running\","
    "\"topics\":[{\"connection\":\"h\",\"stored_records\":7}],"
    "\"kinds\":{\"issue\":{\"entities\":7,\"deleted\":1,\"revisions\":20}},"
    "\"freshness\":{\"webhook\":{\"count\":3,\"p50_s\":0.012,\"p99_s\":1.5},\"rest\":{\"count\":0}}"
    ","
    "\"live\":{\"issue\":{\"receipt_hour\":{\"count\":2,\"p50_s\":0.01,\"p99_s\":0.02},"
    "\"receipt_day\":{\"count\":3,\"p50_s\":0.03,\"p99_s\":0.04},\"event_day\":{\"count\":0},\"why_"
    "hour\":{\"text\":null},\"why_day\":{\"text\":\"late delivery: 2\"}},"
    "\"note\":{\"receipt_hour\":{\"count\":1},\"receipt_day\":{\"count\":1}}}}";

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

static void the_overview_tells_all(void **state)
{
    static const char *const parts[] = {
        "connection  state    projects  runs  requests  now\n"
        "h           enabled  3         2     41        idle\n",
        "jobs    late      mcp list_jobs  -          -                   2026-11-30T00:00:00.000Z",
        "notes   not_read  -              -          -                   never                     "
        "no tool\n",
        "h is enabled: why\\u202e\n",
        "held: 6 deletions",
        "  g/p issues: 6 of 40 are gone, for example\n    https://h/g/p/-/issues/3\n",
        "unsure: GitLab did not show 2 objects; ",
        "skipped: g/p, jobs: 403\nskipped: 8: 404\n",
        "webhooks: last delivery 2026-11-30T00:00:00.000Z, 5 accepted, 1 with a wrong secret, 2 "
        "refused; "
        "at GitLab: disabled\n",
        "g/p                  issue  never           4\n",
        "1 more: `wellhead sql",
        "not complete: issues: 10 numbers, 7 read, 2 gone, hidden or held, 1 missing\n",
        "2026-11-30T00:00:00.000Z  sweep  ok   10    4",
        "newest run, read: issues 8 (1 skipped); issue: 4 new 2 deleted\n",
        "issue  7     1        20\n",
        "freshness, webhook  receipt to queryable: p50 12.0 ms, p99 1.5 s (3 rows, last hour)\n",
        "sink: running, 0 records behind, 2 dead letters\n",
        "issue        hour       2      10.0 ms      20.0 ms  -          -\n",
        "issue        day        3      30.0 ms      40.0 ms  -          -\n",
        "issue of the last day: late delivery: 2\n",
        "note         hour, day  1",
    };
    struct th_cli *t = *state;

    th_cli_answer(t, FETCHER, 200, fetcher);
    th_cli_answer(t, SINK, 200, sink);
    assert_int_equal(th_cli_run(t, "status"), CLI_OK);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        says(th_cli_stdout(t), parts[i]);
    }
    assert_int_equal(th_cli_run(t, "status --check -q"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "");
}

static void two_connections_have_their_names(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, FETCHER, 200,
                  "{\"connections\":[{\"id\":\"a\",\"state\":\"enabled\"},{\"id\":\"b\",\"state\":"
                  "\"degraded\"},{\"id\":\"left\",\"state\":\"disabled\"}]}");
    th_cli_answer(t, SINK, 200, sink);
    assert_int_equal(th_cli_run(t, "status"), CLI_OK);
    says(th_cli_stdout(t), "\na\n");
    says(th_cli_stdout(t), "\nb\n");
    assert_null(strstr(th_cli_stdout(t), "no connection yet"));
    assert_null(strstr(th_cli_stdout(t), "left"));
}

static void no_connection_has_its_hint(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, FETCHER, 200, "{\"connections\":[]}");
    th_cli_answer(t, SINK, 200, "{}");
    assert_int_equal(th_cli_run(t, "status"), CLI_OK);
    says(th_cli_stdout(t), "no connection yet: `wellhead connect URL`\n");
}

static void json_holds_both_answers(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, FETCHER, 200, "{\"connections\":[{\"state\":\"need_reconnect\"}]}");
    th_cli_answer(t, SINK, 503, "{}");
    assert_int_equal(th_cli_run(t, "status --json"), CLI_OK);
    says(th_cli_stdout(t), "{\"ok\":false,\"healthy\":false,\"verdict\":\"not healthy\",");
    says(th_cli_stdout(t),
         "\"fetcher\":{\"connections\":[{\"state\":\"need_reconnect\"}]},\"sink\":null}\n");
    th_cli_answer(t, SINK, 200, sink);
    assert_int_equal(th_cli_run(t, "status --json --check"), CLI_OK);
    says(th_cli_stdout(t),
         "{\"ok\":true,\"healthy\":true,\"verdict\":\"healthy\",\"findings\":[],");
}

static void nobody_answers(void **state)
{
    struct th_cli *t = *state;

    assert_int_equal(th_cli_run(t, "status"), CLI_FAILED);
    says(th_cli_stdout(t), "fetcher: http://fetcher: nobody listens\nsink: http://sink: nobody");
    assert_int_equal(th_cli_run(t, "status --check"), CLI_NOT_HEALTHY);
}

/* ---- --wait ---- */

static void a_first_sync_is_awaited(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, FETCHER, 200,
                  "{\"connections\":[{\"id\":\"h\",\"runs\":0,\"phase\":\"listing\"}]}");
    th_cli_answer(t, FETCHER, 200, fetcher);
    th_cli_answer(t, SINK, 200, "{\"observations\":1}");
    th_cli_answer(t, SINK, 200,
                  "{\"observations\":50,\"caught_up\":true,\"topics\":[{\"connection\":\"h\","
                  "\"stored_records\":1}]}");
    th_cli_answer(t, SINK, 200, sink);
    assert_int_equal(th_cli_run(t, "status --wait 10m"), CLI_OK);
    /* 50, 100 and once more 100. */
    assert_int_equal(th_cli_paused_ms(t), 1500);
    says(th_cli_stdout(t), "sink: running");
}

/* The mapper finds a new topic late: a sink without lag is not yet the end. */
static void an_empty_connection_is_given_time(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, FETCHER, 200, fetcher);
    th_cli_answer(t, SINK, 200,
                  "{\"observations\":0,\"caught_up\":true,\"lag_records\":0,\"topics\":[]}");
    assert_int_equal(th_cli_run(t, "status --wait 10m -q"), CLI_OK);
    assert_in_range(th_cli_paused_ms(t), 15000, 16000);
}

static void a_sync_that_does_not_end_times_out(void **state)
{
    struct th_cli *t = *state;

    th_cli_on_terminal(t);
    th_cli_answer(t, FETCHER, 200,
                  "{\"connections\":[{\"id\":\"h\",\"state\":\"enabled\",\"runs\":0}]}");
    th_cli_answer(t, SINK, 200, "{\"observations\":12}");
    assert_int_equal(th_cli_run(t, "status --wait 2s"), CLI_TIMED_OUT);
    assert_in_range(th_cli_paused_ms(t), 2000, 2600);
    says(th_cli_stderr(t), "\r\033[Kreading: 0 of 0 lists, 0 rows; stored: 12 records");
    says(th_cli_stderr(t), "\r\033[Kwellhead: the first sync is not done yet\n");
    assert_int_equal(th_cli_run(t, "status --wait 2s --json"), CLI_TIMED_OUT);
    assert_string_equal(th_cli_stdout(t), "");
}

static const char under_way[] =
    "{\"connections\":[{\"id\":\"h\",\"state\":\"enabled\",\"runs\":0,\"phase\":\"streams\","
    "\"lists\":55,\"lists_read\":34,\"streams\":[{\"rows\":100},{\"rows\":20}]},"
    "{\"id\":\"i\",\"state\":\"enabled\",\"runs\":0,\"phase\":\"check\",\"lists\":5,\"lists_read\":"
    "5,"
    "\"streams\":[{\"rows\":3}]},{\"id\":\"j\",\"state\":\"disabled\",\"lists\":9}]}";

/* Each number stands beside the one that it grows to; without a terminal a line comes now and then. */
static void a_wait_says_how_far_it_is(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, FETCHER, 200, under_way);
    th_cli_answer(t, SINK, 200, "{\"observations\":90,\"lag_records\":33}");
    assert_int_equal(th_cli_run(t, "status --wait 11s"), CLI_TIMED_OUT);
    says(th_cli_stderr(t), "reading: 39 of 60 lists, 123 rows; looking for gaps; stored: 90 of 123 "
                           "records\nwellhead: the first sync is not done yet\n");
    assert_int_equal(th_cli_run(t, "status --wait 11s -q"), CLI_TIMED_OUT);
    assert_string_equal(th_cli_stderr(t), "wellhead: the first sync is not done yet\n");
}

static void interrupt(const char *words)
{
    struct th_cli *t = th_cli_new();

    th_cli_answer(t, FETCHER, 200, under_way);
    th_cli_answer(t, SINK, 200, "{\"observations\":90,\"lag_records\":33}");
    th_cli_answer(t, "POST http://fetcher", 202, "{}");
    th_cli_interrupt(t, 3);
    assert_int_equal(th_cli_run(t, words), CLI_INTERRUPTED);
    assert_int_equal(th_cli_paused_ms(t), 1500);
    says(th_cli_stderr(t), "the sync goes on without this command; `wellhead status` shows");
    assert_string_equal(th_cli_stdout(t), "");
    th_cli_free(t);
}

static void an_interrupted_wait_says_what_goes_on(void **state)
{
    (void)state;
    interrupt("status --wait 10m");
    interrupt("status --verify");
}

/* ---- --verify ---- */

#define RUN(runs, phase, more)                                                                     \
    "{\"connections\":[{\"id\":\"h\",\"instance\":\"I\",\"state\":\"enabled\",\"runs\":" runs      \
    ",\"phase\":\"" phase "\"" more "},{\"id\":\"gone\",\"state\":\"disabled\"}]}"
#define SWEEP(ok)                                                                                  \
    ",\"last_runs\":[{\"kind\":\"sweep\",\"ok\":" ok                                               \
    "}],\"completeness\":[{\"project\":\"9\",\"path\":"                                            \
    "\"g/p\",\"streams\":{\"issues\":{\"expected\":10,\"have\":7,\"missing\":0,\"deleted\":3},"    \
    "\"merge_requests\":{\"expected\":2,\"have\":2}}}]"

static void script_verify(struct th_cli *t, const char *ok, const char *stored)
{
    char body[256];

    th_cli_answer(t, FETCHER, 200, RUN("4", "listing", ""));
    th_cli_answer(t, FETCHER, 200, RUN("5", "idle", ""));
    th_cli_answer(t, FETCHER, 200,
                  strcmp(ok, "true") == 0 ? RUN("6", "idle", SWEEP("true"))
                                          : RUN("6", "idle", SWEEP("false") ",\"error\":\"401\""));
    th_cli_answer(t, SINK, 200, sink);
    th_cli_answer(t, "POST http://fetcher/api/v1/connections/h/", 202, "");
    (void)snprintf(body, sizeof(body), "{\"rows\":[{\"x\":\"%s\"}]}", stored);
    th_cli_answer(t, "POST http://sink/api/v1/sql", 200, body);
}

static void a_complete_store_is_verified(void **state)
{
    struct th_cli *t = *state;

    script_verify(
        t, "true",
        "[[\\\"I\\\",\\\"9\\\",\\\"issue\\\",7],[\\\"I\\\",\\\"9\\\",\\\"merge_request\\\",2]]");
    assert_int_equal(th_cli_run(t, "status --verify"), CLI_OK);
    assert_string_equal(th_cli_last(t, "POST http://fetcher"),
                        "POST http://fetcher/api/v1/connections/h/verify ");
    says(th_cli_stdout(t), "g/p      issues          10        7     0        3");
    says(th_cli_stdout(t), "all complete: 2 of 2\n");
    assert_int_equal(th_cli_run(t, "status --verify --json --wait 3s"), CLI_TIMED_OUT);
}

/* Nothing is complete while records wait, or while nobody knows. */
static void what_waits_is_not_complete(void **state)
{
    static const struct {
        const char *health;
        const char *text;
    } cases[] = {
        {"{" FLOWS("0") "}",
         "complete: merge_requests: 2 numbers, 2 read, 0 gone, hidden or held, 0 missing\n"},
        {"{" FLOWS("7") "}",
         "not known yet: merge_requests: 2 numbers, 2 read, 0 gone, hidden or held, 0 missing; 7 "
         "records wait for mapper and sink\n"},
        {"{" FLOWS("null") "}",
         "not known yet: merge_requests: 2 numbers, 2 read, 0 gone, hidden or held, 0 missing; "
         "what waits for mapper and sink is not known\n"},
        {"{}", "not known yet: merge_requests: "},
    };
    struct th_cli *t = *state;
    char body[512];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)snprintf(body, sizeof(body),
                       "{\"observations\":5,\"caught_up\":true,\"lag_records\":0,\"health\":%s}",
                       cases[i].health);
        th_cli_answer(t, FETCHER, 200, fetcher);
        th_cli_answer(t, SINK, 200, body);
        assert_int_equal(th_cli_run(t, "status"), CLI_OK);
        says(th_cli_stdout(t), cases[i].text);
        says(th_cli_stdout(t), "listed, not proved: issues, jobs\n");
    }
}

/* Numbers without a pipeline: nobody can say whether there ever was one to read. */
static void pipelines_without_a_proof_are_told(void **state)
{
    static const char sweep[] =
        ",\"last_runs\":[{\"kind\":\"sweep\",\"ok\":true}],\"completeness\":[{\"project\":\"9\","
        "\"path\":\"g/p\",\"streams\":{\"pipelines\":{\"expected\":10,\"have\":7,\"missing\":3}}}]";
    static const char *const texts[] = {
        "complete: 0 of 1\nlisted, not proved: 1: some numbers are of no pipeline that GitLab "
        "lists",
        "\"verdict\":\"listed, not proved\"}],\"complete\":null,\"not_proved\":1,"};
    char body[1024];
    struct th_cli *t;

    (void)state;
    (void)snprintf(body, sizeof(body), RUN("6", "idle", "%s"), sweep);
    for (size_t i = 0; i < 2; i++) {
        t = th_cli_new();
        th_cli_answer(t, FETCHER, 200, RUN("4", "idle", ""));
        th_cli_answer(t, FETCHER, 200, body);
        th_cli_answer(t, SINK, 200, sink);
        th_cli_answer(t, "POST http://fetcher/api/v1/connections/h/", 202, "");
        th_cli_answer(t, "POST http://sink/api/v1/sql", 200,
                      "{\"rows\":[{\"x\":\"[[\\\"I\\\",\\\"9\\\",\\\"pipeline\\\",7]]\"}]}");
        assert_int_equal(th_cli_run(t, i ? "status --verify --json" : "status --verify"), CLI_OK);
        says(th_cli_stdout(t), texts[i]);
        th_cli_free(t);
    }
}

/* The last look of the sink was before the run ended. */
static void a_look_before_the_end_verifies_nothing(void **state)
{
    struct th_cli *t = *state;

    script_verify(t, "true", "[]");
    th_cli_answer(t, FETCHER, 200, RUN("6", "idle", ",\"run_finished_ms\":1795996802000"));
    assert_int_equal(th_cli_run(t, "status --verify --wait 3s"), CLI_TIMED_OUT);
}

static void a_store_that_differs_is_not_complete(void **state)
{
    struct th_cli *t = *state;

    script_verify(t, "true", "[[\\\"I\\\",\\\"9\\\",\\\"issue\\\",6]]");
    assert_int_equal(th_cli_run(t, "status --verify --json"), CLI_NOT_HEALTHY);
    says(th_cli_stdout(t), "\"in_store\":6,\"verdict\":\"the store differs\"");
    says(th_cli_stdout(t), "\"complete\":false,\"not_proved\":0,\"unread_connections\":0}\n");
}

static void a_run_that_failed_verifies_nothing(void **state)
{
    struct th_cli *t = *state;

    script_verify(t, "false", "[]");
    assert_int_equal(th_cli_run(t, "status --verify"), CLI_NOT_HEALTHY);
    says(th_cli_stderr(t), "wellhead: h could not be read: 401\n");
    says(th_cli_stdout(t), "not verified");
}

static void verifying_takes_its_time_and_no_more(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, FETCHER, 200, RUN("4", "idle", ""));
    th_cli_answer(t, SINK, 200, sink);
    th_cli_answer(t, "POST http://fetcher/api/v1/connections/h/", 202, "");
    assert_int_equal(th_cli_run(t, "status --verify --wait 3s"), CLI_TIMED_OUT);
    assert_in_range(th_cli_paused_ms(t), 3000, 3600);
    says(th_cli_stderr(t), "the run is not done yet");
}

static void a_refused_run_is_told(void **state)
{
    struct th_cli *t = *state;

    assert_int_equal(th_cli_run(t, "status --verify"), CLI_FAILED);
    says(th_cli_stderr(t), "nobody listens");
    th_cli_answer(t, FETCHER, 200, RUN("4", "idle", ""));
    th_cli_answer(t, "POST http://fetcher/api/v1/connections/h/", 503, "{\"error\":\"busy\"}");
    assert_int_equal(th_cli_run(t, "status --verify"), CLI_TRY_LATER);
    th_cli_refuse(t, "POST http://fetcher/api/v1/connections/h/v", WH_E_TIMEOUT, "timed out");
    assert_int_equal(th_cli_run(t, "status --verify"), CLI_TIMED_OUT);
}

static void a_sink_that_cannot_count_is_told(void **state)
{
    static const char *const bodies[] = {"{\"rows\":[]}", "{", "{\"rows\":[{\"x\":\"[\"}]}"};

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct th_cli *t = th_cli_new();

        th_cli_answer(t, FETCHER, 200, RUN("4", "idle", ""));
        th_cli_answer(t, FETCHER, 200, RUN("5", "idle", SWEEP("true")));
        th_cli_answer(t, SINK, 200, sink);
        th_cli_answer(t, "POST http://fetcher/api/v1/connections/h/", 202, "");
        th_cli_answer(t, "POST http://sink/api/v1/sql", 200, bodies[i]);
        assert_int_equal(th_cli_run(t, "status --verify"), CLI_FAILED);
        says(th_cli_stderr(t), "wellhead: counting the store: ");
        th_cli_free(t);
    }
    (void)state;
}

/* ---- --confirm-deletes ---- */

static void held_deletions_are_let_through(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, FETCHER, 200, RUN("4", "idle", ",\"held_deletes\":6"));
    th_cli_answer(t, FETCHER, 200, RUN("4", "idle", ",\"held_deletes\":6"));
    th_cli_answer(t, FETCHER, 200, RUN("5", "idle", SWEEP("true")));
    th_cli_answer(t, SINK, 200, sink);
    th_cli_answer(t, "POST http://fetcher/api/v1/connections/h/", 202, "");
    assert_int_equal(th_cli_run(t, "status --confirm-deletes"), CLI_OK);
    says(th_cli_last(t, "POST http://fetcher"), "/h/confirm-deletes ");
    says(th_cli_stdout(t), "6 held deletions are confirmed");
}

#define HELD                                                                                       \
    ",\"held_deletes\":6,\"held\":[{\"project\":\"9\",\"path\":\"\",\"stream\":\"issues\","        \
    "\"count\":6,\"known\":40,\"examples\":[\"https://h/api/v4/projects/9/issues/3\"]}]"

static void they_are_shown_first(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, FETCHER, 200, RUN("4", "idle", HELD));
    th_cli_answer(t, SINK, 200, sink);
    th_cli_type(t, "5\n");
    assert_int_equal(th_cli_run(t, "status --confirm-deletes"), CLI_FAILED);
    says(th_cli_stderr(t), "h: 6 deletions are held\n  9 issues: 6 of 40 are gone, for example\n"
                           "    https://h/api/v4/projects/9/issues/3\n");
    says(th_cli_stderr(t), "Type 6 to delete them");
    assert_string_equal(th_cli_last(t, "POST"), "");
}

static void a_person_confirms_what_was_shown(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, FETCHER, 200, RUN("4", "idle", HELD));
    th_cli_answer(t, FETCHER, 200, RUN("4", "idle", HELD));
    th_cli_answer(t, FETCHER, 200, RUN("5", "idle", SWEEP("true")));
    th_cli_answer(t, SINK, 200, sink);
    th_cli_answer(t, "POST http://fetcher/api/v1/connections/h/", 202, "");
    th_cli_type(t, "6\n");
    assert_int_equal(th_cli_run(t, "status --confirm-deletes"), CLI_OK);
    says(th_cli_last(t, "POST http://fetcher"), "/h/confirm-deletes ");
}

static void nothing_was_held(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, FETCHER, 200, RUN("4", "idle", ""));
    th_cli_answer(t, FETCHER, 200, RUN("4", "idle", ""));
    th_cli_answer(t, FETCHER, 200, RUN("5", "idle", SWEEP("true")));
    th_cli_answer(t, SINK, 200, sink);
    th_cli_answer(t, "POST http://fetcher/api/v1/connections/h/", 202, "");
    assert_int_equal(th_cli_run(t, "status --confirm-deletes"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "no deletions were held\n");
}

static void a_connection_that_needs_you_is_no_success(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(
        t, FETCHER, 200,
        "{\"connections\":[{\"id\":\"h\",\"state\":\"need_reconnect\",\"detail\":\"approve\"}]}");
    th_cli_answer(t, SINK, 200, sink);
    assert_int_equal(th_cli_run(t, "status --confirm-deletes --json"), CLI_NOT_HEALTHY);
    says(th_cli_stderr(t), "h could not be read: approve");
    assert_string_equal(th_cli_last(t, "POST"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_overview_tells_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_connections_have_their_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_connection_has_its_hint, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_holds_both_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_first_sync_is_awaited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wait_says_how_far_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_interrupted_wait_says_what_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_connection_is_given_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sync_that_does_not_end_times_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_complete_store_is_verified, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_store_that_differs_is_not_complete, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waits_is_not_complete, set_up, tear_down),
        cmocka_unit_test(pipelines_without_a_proof_are_told),
        cmocka_unit_test_setup_teardown(a_look_before_the_end_verifies_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_run_that_failed_verifies_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verifying_takes_its_time_and_no_more, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refused_run_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_sink_that_cannot_count_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(held_deletions_are_let_through, set_up, tear_down),
        cmocka_unit_test_setup_teardown(they_are_shown_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_person_confirms_what_was_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_was_held, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_connection_that_needs_you_is_no_success, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
