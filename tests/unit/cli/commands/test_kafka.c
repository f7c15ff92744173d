/* wellhead replay, topics and doctor: what they ask Kafka, plan and say. */
#include "tests/lib/th_cmocka.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/lib/th_cli.h"
#include "tests/lib/th_tmp.h"

enum { RECORDS = 10 };

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

/* Two partitions; partition 0 has a record every minute, the last one a minute ago. */
static void fill(struct th_cli *t, const char *topic)
{
    struct wh_producer_conf conf;
    struct wh_producer *p = NULL;
    struct wh_err err;

    wh_producer_conf_init(&conf);
    th_ok(wh_bus_mem_topic(th_cli_bus(t), topic, 2, &err), &err);
    th_ok(wh_bus_mem_producer(th_cli_bus(t), &conf, &p, &err), &err);
    for (int i = 0; i < RECORDS; i++) {
        const struct wh_bus_record r = {.topic = topic,
                                        .partition = 0,
                                        .value = WH_LIT("v"),
                                        .timestamp_ms = th_cli_now_ms(t) - (RECORDS - i) * 60000};

        th_ok(wh_producer_produce(p, &r, &err), &err);
    }
    (void)wh_producer_poll(p, 0);
    wh_producer_free(p);
}

/* ---- replay ---- */

static void a_plan_does_nothing(void **state)
{
    struct th_cli *t = *state;

    fill(t, "wellhead.raw.c");
    th_cli_env(t, "WELLHEAD_MAPPER_PROGRAM=/nonexistent/mapper");
    assert_int_equal(th_cli_run(t, "replay c"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "wellhead.raw.c: 10 records\n"
                                          "partition  from  to  records\n"
                                          "0          0     10  10\n"
                                          "1          0     0   0\n"
                                          "nothing was done; add --execute to replay\n");
    assert_int_equal(
        wh_bus_mem_committed(th_cli_bus(t), "wellhead-replay-1795996800000", "wellhead.raw.c", 0),
        WH_OFFSET_STORED);
}

static void a_replay_begins_where_it_is_told(void **state)
{
    static const struct {
        const char *from;
        const char *records;
    } cases[] = {{"start", "10"},
                 {"beginning", "10"},
                 {"7", "3"},
                 {"99", "0"},
                 {"0:7", "3"},
                 {"1:0", "0"},
                 {"-2", "2"},
                 {"end", "0"},
                 {"2026-11-29T23:55:00Z", "5"},
                 {"-3m", "3"},
                 {"-1d", "10"},
                 {"-1s", "0"},
                 {"@2026-11-29T23:55:00Z", "5"},
                 {"@2026-11-29T00:55:00+01:00", "10"}};
    struct th_cli *t = *state;
    char words[80];
    char part[40];

    fill(t, "wellhead.raw.c");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)snprintf(words, sizeof(words), "replay c --json --from %s", cases[i].from);
        (void)snprintf(part, sizeof(part), "\"records\":%s,\"executed\":false", cases[i].records);
        assert_int_equal(th_cli_run(t, words), CLI_OK);
        says(th_cli_stdout(t), part);
    }
}

static void wrong_beginnings_are_refused(void **state)
{
    static const char *const cases[] = {
        "yesterday", "@yesterday", "-2y", "-h", "1:", ":1", "9223372036854775808"};
    struct th_cli *t = *state;
    char words[80];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)snprintf(words, sizeof(words), "replay c --from %s", cases[i]);
        assert_int_equal(th_cli_run(t, words), CLI_USAGE);
        says(th_cli_stderr(t), "--from must be start, end, OFFSET");
    }
}

static void a_replay_runs_the_mapper(void **state)
{
    struct th_cli *t = *state;

    fill(t, "wellhead.raw.c");
    th_cli_env(t, "WELLHEAD_MAPPER_PROGRAM=/bin/true");
    assert_int_equal(th_cli_run(t, "replay c --from 4 --execute"), CLI_OK);
    says(th_cli_stdout(t), "replayed 6 records\n");
    assert_int_equal(
        wh_bus_mem_committed(th_cli_bus(t), "wellhead-replay-1795996800000", "wellhead.raw.c", 0),
        4);
    assert_int_equal(th_cli_run(t, "replay c --execute --json"), CLI_OK);
    says(th_cli_stdout(t), "\"executed\":true");
}

static void a_mapper_that_fails_is_told(void **state)
{
    struct th_cli *t = *state;

    fill(t, "wellhead.raw.c");
    th_cli_env(t, "WELLHEAD_MAPPER_PROGRAM=/bin/false");
    assert_int_equal(th_cli_run(t, "replay c --execute --json"), CLI_FAILED);
    says(th_cli_stderr(t), "/bin/false failed\n");
    assert_string_equal(th_cli_stdout(t), "");
}

/* A mapper that needs a while. */
static char *slow_mapper(struct th_cli *t, const char *folder, const char *seconds)
{
    char path[128];
    char *setting;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/mapper", folder);
    file = fopen(path, "w");
    assert_non_null(file);
    (void)fprintf(file, "#!/bin/sh\nexec sleep %s\n", seconds);
    (void)fclose(file);
    assert_int_equal(chmod(path, 0700), 0);
    assert_true(asprintf(&setting, "WELLHEAD_MAPPER_PROGRAM=%s", path) > 0);
    th_cli_env(t, setting);
    return setting;
}

static void a_replay_says_how_far_it_is(void **state)
{
    struct th_cli *t = *state;
    char *folder = th_tmp_new();
    char *setting = slow_mapper(t, folder, "0.1");

    fill(t, "wellhead.raw.c");
    assert_int_equal(th_cli_run(t, "replay c --from 4 --execute"), CLI_OK);
    says(th_cli_stderr(t), "replaying: 0 of 6 records\n");
    th_cli_on_terminal(t);
    assert_int_equal(th_cli_run(t, "replay c --from 4 --execute"), CLI_OK);
    says(th_cli_stderr(t), "\r\033[Kreplaying: 0 of 6 records\r");
    free(setting);
    th_tmp_remove(folder);
}

static void an_interrupted_replay_ends_its_mapper(void **state)
{
    struct th_cli *t = *state;
    char *folder = th_tmp_new();
    char *setting = slow_mapper(t, folder, "600");

    fill(t, "wellhead.raw.c");
    th_cli_interrupt(t, 2);
    assert_int_equal(th_cli_run(t, "replay c --execute"), CLI_INTERRUPTED);
    says(th_cli_stderr(t), "interrupted after about 0 of 10 records; the same command replays all");
    assert_null(strstr(th_cli_stdout(t), "replayed"));
    free(setting);
    th_tmp_remove(folder);
}

static void a_mapper_that_is_not_there_is_told(void **state)
{
    struct th_cli *t = *state;

    fill(t, "wellhead.raw.c");
    th_cli_env(t, "WELLHEAD_MAPPER_PROGRAM=/nonexistent/mapper");
    assert_int_equal(th_cli_run(t, "replay c --execute"), CLI_FAILED);
    says(th_cli_stderr(t), "set mapper.program");
    /* Nothing to replay: no mapper is needed. */
    assert_int_equal(th_cli_run(t, "replay c --from 99 --execute"), CLI_OK);
}

static void dead_letters_have_their_topic(void **state)
{
    struct th_cli *t = *state;

    fill(t, "wellhead.dead-letter.c");
    assert_int_equal(th_cli_run(t, "replay c --dead-letters"), CLI_OK);
    says(th_cli_stdout(t), "wellhead.dead-letter.c: 10 records\n");
    assert_int_equal(th_cli_run(t, "replay s3cret"), CLI_NOTHING);
    says(th_cli_stderr(t), "no connection has that id");
    assert_null(strstr(th_cli_stderr(t), "s3cret"));
    assert_int_equal(th_cli_run(t, "replay S3CRET"), CLI_USAGE);
    assert_null(strstr(th_cli_stderr(t), "S3CRET"));
}

static void a_shadow_is_of_all_raw_events(void **state)
{
    struct th_cli *t = *state;

    assert_int_equal(th_cli_run(t, "replay c --dead-letters --shadow v.json"), CLI_USAGE);
    assert_int_equal(th_cli_run(t, "replay c --shadow v.json --execute"), CLI_USAGE);
    assert_int_equal(th_cli_run(t, "replay c --shadow /nonexistent/v.json"), CLI_FAILED);
}

static void dead_letters_go_on_where_the_last_replay_ended(void **state)
{
    static const char topic[] = "wellhead.dead-letter.c";
    struct wh_bus_partition at = {.topic = topic, .partition = 0, .offset = 6};
    struct th_cli *t = *state;
    struct wh_admin *admin;
    struct wh_err err;

    fill(t, topic);
    th_ok(wh_bus_mem_admin(th_cli_bus(t), &admin, &err), &err);
    th_ok(wh_admin_group_set(admin, "wellhead.dead-letters", &at, 1, 1000, &err), &err);
    assert_int_equal(th_cli_run(t, "replay c --dead-letters"), CLI_OK);
    says(th_cli_stdout(t), "wellhead.dead-letter.c: 4 records\n");
    assert_int_equal(th_cli_run(t, "replay c --dead-letters --from start"), CLI_OK);
    says(th_cli_stdout(t), "wellhead.dead-letter.c: 10 records\n");
    at.offset = 99;
    th_ok(wh_admin_group_set(admin, "wellhead.dead-letters", &at, 1, 1000, &err), &err);
    assert_int_equal(th_cli_run(t, "replay c --dead-letters"), CLI_OK);
    says(th_cli_stdout(t), "wellhead.dead-letter.c: 0 records\n");
    wh_admin_free(admin);
}

static void a_group_that_is_in_use_is_told(void **state)
{
    struct th_cli *t = *state;

    fill(t, "wellhead.raw.c");
    wh_bus_mem_fail(th_cli_bus(t), WH_BUS_MEM_ADMIN, 2, 1, WH_E_BUSY);
    assert_int_equal(th_cli_run(t, "replay c --execute"), CLI_TRY_LATER);
    says(th_cli_stderr(t), "is Kafka at 127.0.0.1:9092?");
}

/* ---- topics ---- */

static void topics_are_made_once(void **state)
{
    struct th_cli *t = *state;

    assert_int_equal(th_cli_run(t, "topics --check"), CLI_NOT_HEALTHY);
    says(th_cli_stdout(t),
         "wellhead.connections  0           ?        missing: run `wellhead topics`\n");
    assert_int_equal(th_cli_run(t, "topics"), CLI_OK);
    says(th_cli_stdout(t),
         "wellhead.connections  1           0        connections, with sealed credentials\n");
    says(th_cli_stdout(t),
         "wellhead.fetch-state  4           0        how far each stream is read\n");
    assert_int_equal(th_cli_run(t, "topics --check --json"), CLI_OK);
    says(th_cli_stdout(t), "{\"ok\":true,\"topics\":[{\"topic\":\"wellhead.connections\","
                           "\"partitions\":1,\"state\":\"ok\",\"records_at_most\":0,\"holds\":");
    assert_int_equal(th_cli_run(t, "topics -q"), CLI_OK);
    assert_string_equal(th_cli_stdout(t), "");
}

static void the_topics_of_the_installation_are_listed(void **state)
{
    struct th_cli *t = *state;

    fill(t, "wellhead.raw.c");
    fill(t, "wellhead.other");
    fill(t, "elsewhere");
    assert_int_equal(th_cli_run(t, "topics"), CLI_OK);
    says(th_cli_stdout(t),
         "wellhead.other        2           10       not known to this version\n"
         "wellhead.raw.c        2           10       webhooks and rows of reads,");
    assert_null(strstr(th_cli_stdout(t), "elsewhere"));
    assert_int_equal(th_cli_run(t, "topics --json"), CLI_OK);
    says(th_cli_stdout(t), "{\"topic\":\"wellhead.raw.c\",\"partitions\":2,\"state\":\"ok\","
                           "\"records\":10,\"holds\":\"webhooks");
    /* Their counts are unknown, not zero. */
    wh_bus_mem_fail(th_cli_bus(t), WH_BUS_MEM_OFFSETS, 0, 99, WH_E_TIMEOUT);
    assert_int_equal(th_cli_run(t, "topics"), CLI_OK);
    says(th_cli_stdout(t), "wellhead.raw.c        2           ?        webhooks");
}

static void kafka_that_does_not_answer_is_waited_for(void **state)
{
    struct th_cli *t = *state;

    wh_bus_mem_fail(th_cli_bus(t), WH_BUS_MEM_ADMIN, 0, 9, WH_E_UNAVAILABLE);
    assert_int_equal(th_cli_run(t, "topics"), CLI_TRY_LATER);
    says(th_cli_stderr(t), "wellhead: waiting for Kafka at 127.0.0.1:9092 ...\n");
    says(th_cli_stderr(t), "kafka.bootstrap.servers says where it is");
    wh_bus_mem_fail(th_cli_bus(t), WH_BUS_MEM_ADMIN, 0, 9, WH_E_TIMEOUT);
    assert_int_equal(th_cli_run(t, "topics --check -q"), CLI_TIMED_OUT);
    assert_null(strstr(th_cli_stderr(t), "waiting"));
}

/* ---- doctor ---- */

static void all_is_well(void **state)
{
    static const char *const urls[] = {"GET http://fetcher", "GET http://intake",
                                       "GET http://mapper", "GET http://sink"};
    struct th_cli *t = *state;

    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        th_cli_answer(t, urls[i], 200, "ready\n");
    }
    assert_int_equal(th_cli_run(t, "doctor"), CLI_OK);
    says(th_cli_stdout(t), "ok   kafka           127.0.0.1:9092, 0 topics\n");
    says(th_cli_stdout(t), "ok   mapper          http://mapper: ready");
    says(th_cli_stdout(t), "ok   sink token      accepted\n");
    assert_null(strstr(th_cli_stdout(t), "FAIL"));
    assert_int_equal(th_cli_run(t, "doctor --json"), CLI_OK);
    says(th_cli_stdout(t), "{\"ok\":true,\"checks\":[{\"name\":\"kafka\",\"ok\":true,");
}

static void each_fault_has_its_advice(void **state)
{
    struct th_cli *t = *state;

    wh_bus_mem_fail(th_cli_bus(t), WH_BUS_MEM_ADMIN, 0, 99, WH_E_UNAVAILABLE);
    th_cli_answer(t, "GET http://fetcher/ready", 503, "draining \033[2J");
    th_cli_answer(t, "GET http://fetcher/api/v1/status", 401, "");
    assert_int_equal(th_cli_run(t, "doctor"), CLI_NOT_HEALTHY);
    says(th_cli_stdout(t), "FAIL kafka ");
    says(th_cli_stdout(t), "start the broker, or set kafka.bootstrap.servers");
    says(th_cli_stdout(t), "FAIL fetcher         http://fetcher: draining \\u001b[2J\n");
    says(th_cli_stdout(t), "FAIL sink            http://sink: nobody listens\n");
    says(th_cli_stdout(t), "FAIL fetcher token   refused");
    assert_int_equal(th_cli_run(t, "doctor --json"), CLI_NOT_HEALTHY);
    says(th_cli_stdout(t), "{\"ok\":false,");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_plan_does_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_replay_begins_where_it_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_beginnings_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_replay_runs_the_mapper, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_mapper_that_fails_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_replay_says_how_far_it_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_interrupted_replay_ends_its_mapper, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_mapper_that_is_not_there_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dead_letters_have_their_topic, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_shadow_is_of_all_raw_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(dead_letters_go_on_where_the_last_replay_ended, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_group_that_is_in_use_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(topics_are_made_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_topics_of_the_installation_are_listed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(kafka_that_does_not_answer_is_waited_for, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(all_is_well, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_fault_has_its_advice, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
