/* wellhead disconnect and wellhead purge: the order of their steps, what is said, when they give up. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "tests/lib/th_cli.h"

#define LIST "GET http://fetcher/api/v1/connections"
#define DISCONNECT "POST http://fetcher/api/v1/connections/h/disconnect"
#define PURGE "POST http://fetcher/api/v1/connections/h/purge"
#define REPORT "GET http://sink/api/v1/purges/h"

static const char enabled[] = "{\"connections\":[{\"id\":\"h\",\"state\":\"enabled\"}]}";
static const char leaving[] = "{\"connections\":[{\"id\":\"h\",\"state\":\"enabled\",\"leaving\":"
                              "true,\"detail\":\"revoking\"}]}";
static const char left[] = "{\"connections\":[{\"id\":\"x\"},{\"id\":\"h\",\"state\":\"disabled\","
                           "\"detail\":\"the approval is revoked\\u001b\",\"pairs\":["
                           "{\"fingerprint\":\"ab\",\"state\":\"revoked\",\"at_ms\":5}]}]}";
static const char left_unrevoked[] =
    "{\"connections\":[{\"id\":\"h\",\"state\":\"disabled\",\"pairs\":[{\"fingerprint\":\"ab\","
    "\"state\":\"revoked\"},{\"state\":\"lost\",\"reason\":\"it was lost\"}]}]}";
static const char nothing[] = "{\"connections\":[]}";
static const char purged[] = "{\"purge\":{\"finished_at_ms\":9999999999999,\"entities\":5,"
                             "\"revisions\":9,\"changes\":11,\"leftovers\":0}}";

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

static void disconnect_waits_for_the_end(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, LIST, 200, enabled);
    th_cli_answer(t, LIST, 200, leaving);
    th_cli_answer(t, LIST, 200, leaving);
    th_cli_answer(t, LIST, 200, left);
    th_cli_answer(t, DISCONNECT, 202, "");
    assert_int_equal(th_cli_run(t, "disconnect h --confirm h"), CLI_OK);
    assert_string_equal(th_cli_last(t, "POST http://fetcher"), DISCONNECT " ");
    assert_int_equal(th_cli_requests(t), 6); /* one of them counts rows */
    says(th_cli_stdout(t), "Disconnected: h\n");
    says(th_cli_stdout(t), "access     the approval is revoked\\u001b\n");
    says(th_cli_stdout(t), "are kept; `wellhead purge h` removes them");
}

static void disconnect_is_json(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, LIST, 200, left);
    th_cli_answer(t, DISCONNECT, 202, "");
    assert_int_equal(th_cli_run(t, "disconnect h --confirm h --json"), CLI_OK);
    assert_string_equal(th_cli_stdout(t),
                        "{\"ok\":true,\"connection\":\"h\",\"state\":\"disabled\",\"revoked\":true,"
                        "\"detail\":\"the approval is revoked\\u001b\",\"not_revoked\":0,"
                        "\"pairs\":[{\"fingerprint\":\"ab\",\"state\":\"revoked\",\"reason\":\"\","
                        "\"issued_at_ms\":5}]}\n");
}

/* One pair that is not revoked is enough: it is named, and nothing is called revoked. */
static void disconnect_names_what_is_not_revoked(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, LIST, 200, left_unrevoked);
    th_cli_answer(t, DISCONNECT, 202, "");
    assert_int_equal(th_cli_run(t, "disconnect h --confirm h"), CLI_OK);
    says(th_cli_stdout(t), "1 of 2 token pairs");
    says(th_cli_stdout(t), "unknown pair: it was lost");
    th_cli_answer(t, LIST, 200, left_unrevoked);
    th_cli_answer(t, DISCONNECT, 202, "");
    assert_int_equal(th_cli_run(t, "disconnect h --confirm h --json"), CLI_OK);
    says(th_cli_stdout(t), "\"revoked\":false");
    says(th_cli_stdout(t), "\"not_revoked\":1");
}

static void disconnect_gives_up_in_time(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, LIST, 200, leaving);
    th_cli_answer(t, DISCONNECT, 202, "");
    assert_int_equal(th_cli_run(t, "disconnect h --confirm h --timeout 2s"), CLI_TRY_LATER);
    assert_in_range(th_cli_paused_ms(t), 2000, 2400);
    says(th_cli_stdout(t), "Not disconnected yet: h\n");
    assert_int_equal(th_cli_run(t, "disconnect h --confirm h"), CLI_TRY_LATER);
    assert_in_range(th_cli_paused_ms(t), 30000, 30400);
}

static void an_unknown_connection_is_told(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, LIST, 200, nothing);
    assert_int_equal(th_cli_run(t, "disconnect h --confirm h"), CLI_NOTHING);
    assert_int_equal(th_cli_requests(t), 1);
    says(th_cli_stderr(t), "`wellhead status` lists the ids");
    th_cli_answer(t, REPORT, 404, "");
    assert_int_equal(th_cli_run(t, "purge h --confirm h"), CLI_NOTHING);
}

static void refusals_are_told(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, LIST, 200, enabled);
    th_cli_answer(t, DISCONNECT, 503, "{\"error\":\"another fetcher has it\"}");
    assert_int_equal(th_cli_run(t, "disconnect h --confirm h"), CLI_TRY_LATER);
    says(th_cli_stderr(t), "wellhead: disconnect: another fetcher has it");
    th_cli_refuse(t, DISCONNECT, WH_E_NET, "nobody");
    assert_int_equal(th_cli_run(t, "disconnect h --confirm h"), CLI_FAILED);
}

static void unreadable_lists_are_errors(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, LIST, 401, "{\"error\":\"no\"}");
    assert_int_equal(th_cli_run(t, "disconnect h --confirm h"), CLI_SIGN_IN);
    th_cli_answer(t, LIST, 200, "[[");
    assert_int_equal(th_cli_run(t, "disconnect h --confirm h"), CLI_FAILED);
    th_cli_refuse(t, LIST, WH_E_NET, "nobody");
    assert_int_equal(th_cli_run(t, "disconnect h --confirm h"), CLI_FAILED);
}

static void ids_do_not_reach_other_paths(void **state)
{
    static const char *const words[] = {
        "disconnect ../x", "disconnect a/b", "disconnect A", "disconnect a%2f",
        "disconnect abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrs"};
    struct th_cli *t = *state;

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_int_equal(th_cli_run(t, words[i]), CLI_USAGE);
        assert_int_equal(th_cli_requests(t), 0);
    }
}

/* ---- purge ---- */

static void script_purge(struct th_cli *t)
{
    th_cli_answer(t, LIST, 200, enabled);
    th_cli_answer(t, LIST, 200, left);
    th_cli_answer(t, LIST, 200, left);
    th_cli_answer(t, LIST, 200, nothing);
    th_cli_answer(t, DISCONNECT, 202, "");
    th_cli_answer(t, PURGE, 202, "");
    th_cli_answer(t, REPORT, 404, "");
    th_cli_answer(t, REPORT, 200, "{\"purge\":{\"finished_at_ms\":1}}");
    th_cli_answer(t, REPORT, 200, purged);
}

static void make_topic(struct th_cli *t, const char *name)
{
    struct wh_err err;

    th_ok(wh_bus_mem_topic(th_cli_bus(t), name, 1, &err), &err);
}

static void purge_leaves_nothing(void **state)
{
    struct th_cli *t = *state;

    script_purge(t);
    make_topic(t, "wellhead.connections");
    make_topic(t, "wellhead.raw.other-h");
    make_topic(t, "other.raw.h");
    assert_int_equal(th_cli_run(t, "purge h --confirm h"), CLI_OK);
    says(th_cli_stdout(t), "Purged: h\n");
    says(th_cli_stdout(t), "5 rows, 9 revisions, 11 entries");
    says(th_cli_stdout(t), "0 remain");
    says(th_cli_stderr(t), "disconnecting\nremoving topics and keys from Kafka\nremoving rows");
}

static void purge_is_json(void **state)
{
    struct th_cli *t = *state;

    script_purge(t);
    make_topic(t, "wellhead.raw.h");
    /* A topic that is left is a failure. */
    assert_int_equal(th_cli_run(t, "purge h --confirm h --json"), CLI_FAILED);
    assert_string_equal(
        th_cli_stdout(t),
        "{\"ok\":false,\"connection\":\"h\",\"entities\":5,\"revisions\":9,\"changes\":11,"
        "\"leftovers\":0,\"topics_left\":1}\n");
}

static void kafka_that_does_not_say_is_a_failure(void **state)
{
    struct th_cli *t = *state;

    script_purge(t);
    wh_bus_mem_fail(th_cli_bus(t), WH_BUS_MEM_ADMIN, 0, 9, WH_E_TIMEOUT);
    assert_int_equal(th_cli_run(t, "purge h --confirm h --json -q"), CLI_FAILED);
    says(th_cli_stdout(t), "\"topics_left\":-1");
}

/* ---- before anything is done ---- */

static const char in_use[] =
    "{\"connections\":[{\"id\":\"h\",\"instance\":\"https://h.example\",\"state\":\"enabled\","
    "\"credentials\":{\"read_api\":true},\"pairs\":[{\"fingerprint\":\"ab\",\"state\":\"in_use\"},"
    "{\"fingerprint\":\"cd\",\"state\":\"revoked\"}]}]}";

static void script_counts(struct th_cli *t)
{
    th_cli_answer(t, LIST, 200, in_use);
    th_cli_answer(
        t, "GET http://sink/api/v1/kinds", 200,
        "{\"rows\":[{\"table\":\"jobs\",\"entities\":4,\"deleted\":1},{\"table\":\"notes\","
        "\"entities\":0,\"deleted\":0},{\"table\":\"x;y\",\"entities\":1}]}");
    th_cli_answer(t, "POST http://sink/api/v1/sql", 200,
                  "{\"columns\":[\"name\",\"n\"],\"rows\":[{\"name\":\"jobs\",\"n\":5}]}");
}

static void nothing_done(struct th_cli *t)
{
    assert_string_equal(th_cli_last(t, "POST http://fetcher"), "");
}

static void what_would_be_done_is_shown(void **state)
{
    struct th_cli *t = *state;

    script_counts(t);
    make_topic(t, "wellhead.raw.h");
    make_topic(t, "wellhead.entities.h");
    make_topic(t, "wellhead.raw.other-h");
    assert_int_equal(th_cli_run(t, "purge h --dry-run"), CLI_OK);
    assert_string_equal(
        th_cli_stdout(t),
        "wellhead purge h ends the connection to https://h.example:\n"
        "  revoked   1 token pair that GitLab issued is revoked there, and tried afterwards\n"
        "  forgotten the access token that was given by hand; only you can revoke it, in GitLab\n"
        "  refused   its webhooks, from then on\n"
        "  removed   5 rows (5 jobs) with their revisions and links, for good\n"
        "  removed   2 topics of Kafka with 0 records, for good\n");
    assert_string_equal(th_cli_stderr(t), "nothing was done\n");
    nothing_done(t);
    says(th_cli_last(t, "POST http://sink"), "from jobs_all where instance = ");
    assert_null(strstr(th_cli_last(t, "POST http://sink"), "notes_all"));
    assert_null(strstr(th_cli_last(t, "POST http://sink"), "x;y"));
    assert_int_equal(th_cli_run(t, "disconnect h -n --json"), CLI_OK);
    assert_string_equal(th_cli_stdout(t),
                        "{\"ok\":true,\"executed\":false,\"connection\":\"h\",\"instance\":"
                        "\"https://h.example\",\"pairs_to_revoke\":1,\"token_to_forget\":true,"
                        "\"rows\":5,\"tables\":{\"jobs\":5}}\n");
    nothing_done(t);
}

static void what_is_not_known_is_told(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, LIST, 200, in_use);
    wh_bus_mem_fail(th_cli_bus(t), WH_BUS_MEM_ADMIN, 0, 9, WH_E_TIMEOUT);
    assert_int_equal(th_cli_run(t, "purge h -n"), CLI_OK);
    says(th_cli_stdout(t), "all rows (the sink could not count them) with their revisions");
    says(th_cli_stdout(t), "its topics, for good (Kafka did not say how much they hold)");
    assert_int_equal(th_cli_run(t, "purge h -n --json"), CLI_OK);
    says(th_cli_stdout(t), "\"rows\":null,\"tables\":{},\"topics\":null,\"records\":null}");
}

static void a_script_must_name_the_connection(void **state)
{
    static const char *const words[][2] = {
        {"purge h", "--confirm h does it without a question"},
        {"disconnect h", "--confirm h does it without a question"},
        {"disconnect h --confirm x", "--confirm names another connection; nothing was done"},
        {"purge h --confirm H", "--confirm names another connection; nothing was done"}};
    struct th_cli *t = *state;

    th_cli_input(t, "h\n");
    script_counts(t);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_int_equal(th_cli_run(t, words[i][0]), CLI_FAILED);
        says(th_cli_stderr(t), "5 rows (5 jobs)");
        says(th_cli_stderr(t), words[i][1]);
        nothing_done(t);
    }
}

static void a_person_types_the_name(void **state)
{
    struct th_cli *t = *state;

    script_counts(t);
    th_cli_type(t, "y\n");
    assert_int_equal(th_cli_run(t, "purge h"), CLI_FAILED);
    says(th_cli_stderr(t), "Type h to do this: wellhead: that is not its name; nothing was done\n");
    nothing_done(t);
    th_cli_type(t, "h\n");
    assert_int_equal(th_cli_run(t, "purge h --no-input"), CLI_FAILED);
    nothing_done(t);
    th_cli_answer(t, LIST, 200, left);
    th_cli_answer(t, DISCONNECT, 202, "");
    assert_int_equal(th_cli_run(t, "disconnect h"), CLI_OK);
    says(th_cli_stdout(t), "Disconnected: h\n");
}

static void purge_that_fails_is_told(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, LIST, 200, enabled);
    th_cli_answer(t, LIST, 200, left);
    th_cli_answer(
        t, LIST, 200,
        "{\"connections\":[{\"id\":\"h\",\"purging\":false,\"detail\":\"purge failed: x\"}]}");
    th_cli_answer(t, DISCONNECT, 202, "");
    th_cli_answer(t, PURGE, 202, "");
    assert_int_equal(th_cli_run(t, "purge h --confirm h"), CLI_FAILED);
    says(th_cli_stderr(t), "wellhead: purge: purge failed: x\n");
}

static void purge_waits_for_the_disconnect(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, LIST, 200, leaving);
    th_cli_answer(t, DISCONNECT, 202, "");
    assert_int_equal(th_cli_run(t, "purge h --confirm h --timeout 1s"), CLI_TRY_LATER);
    assert_string_equal(th_cli_last(t, PURGE), "");
}

static void purge_gives_up_in_time(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, LIST, 200, left);
    th_cli_answer(t, DISCONNECT, 202, "");
    th_cli_answer(t, PURGE, 202, "");
    assert_int_equal(th_cli_run(t, "purge h --confirm h --timeout 3s"), CLI_TIMED_OUT);
    assert_in_range(th_cli_paused_ms(t), 3000, 3400);
    says(th_cli_stderr(t), "it goes on by itself; the same command follows it");
}

static void a_purge_can_be_left_alone(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, LIST, 200, left);
    th_cli_answer(t, DISCONNECT, 202, "");
    th_cli_answer(t, PURGE, 202, "");
    th_cli_interrupt(t, 2);
    assert_int_equal(th_cli_run(t, "purge h --confirm h"), CLI_INTERRUPTED);
    says(th_cli_stderr(t), "it goes on by itself; the same command follows it");
}

/* The fetcher has forgotten the connection, and the sink is still at work. */
static void a_purge_can_be_followed(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, LIST, 200, nothing);
    th_cli_answer(t, REPORT, 200, "{\"purge\":{\"finished_at_ms\":0}}");
    th_cli_answer(t, REPORT, 200, purged);
    assert_int_equal(th_cli_run(t, "purge h"), CLI_OK);
    says(th_cli_stdout(t), "Purged: h\n");
    nothing_done(t);
}

static void a_report_that_does_not_come_is_told(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, LIST, 200, enabled);
    th_cli_answer(t, LIST, 200, left);
    th_cli_answer(t, LIST, 200, nothing);
    th_cli_answer(t, DISCONNECT, 202, "");
    th_cli_answer(t, PURGE, 202, "");
    th_cli_answer(t, REPORT, 404, "");
    assert_int_equal(th_cli_run(t, "purge h --confirm h --timeout 3s -q"), CLI_TIMED_OUT);
    says(th_cli_stderr(t), "it goes on by itself; the same command follows it");
    assert_null(strstr(th_cli_stderr(t), "disconnecting"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(disconnect_waits_for_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(disconnect_is_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(disconnect_names_what_is_not_revoked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(disconnect_gives_up_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_connection_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refusals_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unreadable_lists_are_errors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ids_do_not_reach_other_paths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(purge_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(purge_is_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kafka_that_does_not_say_is_a_failure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_would_be_done_is_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_known_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_script_must_name_the_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_person_types_the_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_purge_can_be_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_purge_can_be_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(purge_that_fails_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(purge_waits_for_the_disconnect, set_up, tear_down),
        cmocka_unit_test_setup_teardown(purge_gives_up_in_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_report_that_does_not_come_is_told, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
