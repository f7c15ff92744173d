/* wellhead people: lists, and decisions that become records of the topic decisions. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/event/decision.h"
#include "common/event/messages.h"
#include "tests/lib/th_cli.h"

#define SQL "POST http://sink/api/v1/sql"
#define A "11111111-1111-5111-8111-111111111111"
#define B "22222222-2222-5222-8222-222222222222"
#define ANA "{\"id\":\"" A "\",\"name\":\"Ana\",\"accounts\":\"[]\"}"
#define BEN "{\"id\":\"" B "\",\"name\":\"Ben\",\"accounts\":\"[]\"}"
#define ROWS(rows) "{\"ok\":true,\"columns\":[],\"rows\":[" rows "],\"truncated\":false}"

static int set_up(void **state)
{
    struct th_cli *t = th_cli_new();
    struct wh_err err;

    th_ok(wh_bus_mem_topic(th_cli_bus(t), "wellhead.decisions", 1, &err), &err);
    *state = t;
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

/* The last record of the topic. */
static void last_decision(struct th_cli *t, struct wh_decision *ret, struct wh_json_parser **parser)
{
    size_t n = wh_bus_mem_count(th_cli_bus(t), "wellhead.decisions");
    struct wh_document document;
    struct wh_bus_msg msg;
    struct wh_err err;

    assert_true(n > 0 &&
                wh_bus_mem_get(th_cli_bus(t), "wellhead.decisions", n - 1, &msg, NULL, NULL));
    *parser = wh_json_parser_new(1 << 16, 4);
    th_ok(wh_document_decode(msg.value, &document, &err), &err);
    th_ok(wh_decision_parse(document.document, *parser, ret, &err), &err);
    assert_true(wh_slice_eq(msg.key, ret->id));
}

static void a_merge_is_published_and_awaited(void **state)
{
    static const char *const words[] = {"people", "merge", "Ana", B, "--why", "the same \"person\"",
                                        NULL};
    struct th_cli *t = *state;
    struct wh_json_parser *parser;
    struct wh_decision d;

    th_cli_answer(t, SQL, 200, ROWS(ANA));
    th_cli_answer(t, SQL, 200, ROWS(BEN));
    th_cli_answer(t, SQL, 200, ROWS(""));
    th_cli_answer(t, SQL, 200, ROWS(ANA));
    assert_int_equal(th_cli_run_words(t, words), CLI_OK);
    says(th_cli_request(t, 0), "\"params\":{\"x\":\"Ana\"}");
    says(th_cli_request(t, 0), "lower(name)");
    says(th_cli_request(t, 1), "where id = :x");
    says(th_cli_stdout(t), "Merged: Ana and Ben are one team member.\n`wellhead people undo d-");
    last_decision(t, &d, &parser);
    assert_int_equal(d.action, WH_ACTION_MERGE);
    th_slice_is(d.subject, A);
    th_slice_is(d.object, B);
    th_slice_is(d.why, "the same \"person\"");
    assert_int_equal(d.at_ms, th_cli_now_ms(t) - th_cli_paused_ms(t));
    assert_true(d.who.len > 0);
    wh_json_parser_free(parser);
}

static void a_split_takes_an_account(void **state)
{
    struct th_cli *t = *state;
    struct wh_json_parser *parser;
    struct wh_decision d;

    th_cli_answer(t, SQL, 200, ROWS("{\"id\":\"" A "\",\"name\":\"Ana\",\"alone\":0}"));
    assert_int_equal(th_cli_run(t, "people split gitlab:ana2 --why two --json"), CLI_OK);
    says(th_cli_stdout(t), "\"action\":\"split\",\"subject\":\"" A "\",\"object\":null}\n");
    last_decision(t, &d, &parser);
    assert_int_equal(d.action, WH_ACTION_SPLIT);
    th_slice_is(d.subject, A);
    wh_json_parser_free(parser);
    th_cli_answer(t, SQL, 200, ROWS("{\"id\":\"" A "\",\"name\":\"Ana\",\"alone\":1}"));
    assert_int_equal(th_cli_run(t, "people split " A " --why two"), CLI_FAILED);
    says(th_cli_stderr(t), "stands alone already");
}

static void an_undo_names_a_decision(void **state)
{
    struct th_cli *t = *state;
    struct wh_json_parser *parser;
    struct wh_decision d;

    th_cli_answer(t, SQL, 200, ROWS("{\"id\":\"d-1\",\"action\":\"merge\",\"undone_at\":null}"));
    assert_int_equal(th_cli_run(t, "people undo d-1 --why wrong"), CLI_OK);
    says(th_cli_stdout(t), "as if the merge had never been made");
    last_decision(t, &d, &parser);
    assert_int_equal(d.action, WH_ACTION_UNDO);
    th_slice_is(d.subject, "d-1");
    wh_json_parser_free(parser);
}

static void refusals(void **state)
{
    struct th_cli *t = *state;

    assert_int_equal(th_cli_run(t, "people merge a b"), CLI_USAGE);
    says(th_cli_stderr(t), "people merge needs --why TEXT");
    assert_int_equal(th_cli_run(t, "people review --why x"), CLI_USAGE);
    assert_int_equal(th_cli_run(t, "people merge a --why x"), CLI_USAGE);
    assert_int_equal(th_cli_run(t, "people marry a b --why x"), CLI_USAGE);
    assert_int_equal(th_cli_requests(t), 0);
    th_cli_answer(t, SQL, 200, ROWS(""));
    assert_int_equal(th_cli_run(t, "people merge a b --why x"), CLI_NOTHING);
    assert_int_equal(th_cli_run(t, "people undo d-9 --why x"), CLI_NOTHING);
    th_cli_answer(t, SQL, 200, ROWS(ANA "," BEN));
    assert_int_equal(th_cli_run(t, "people show a"), CLI_AMBIGUOUS);
    says(th_cli_stderr(t), A "  Ana");
    th_cli_answer(t, SQL, 200, ROWS(ANA));
    assert_int_equal(th_cli_run(t, "people merge a b --why x"), CLI_FAILED);
    says(th_cli_stderr(t), "both are Ana already");
    assert_int_equal(wh_bus_mem_count(th_cli_bus(t), "wellhead.decisions"), 0);
}

static void lists_are_queries(void **state)
{
    struct th_cli *t = *state;

    th_cli_answer(t, SQL, 200,
                  "{\"ok\":true,\"columns\":[\"name\"],\"rows\":[[\"Ana\"]],\"truncated\":false}");
    assert_int_equal(th_cli_run(t, "people --json"), CLI_OK);
    says(th_cli_last(t, "POST"), "from team_members");
    assert_int_equal(th_cli_run(t, "people review --json"), CLI_OK);
    says(th_cli_last(t, "POST"), "from people_review");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_merge_is_published_and_awaited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_split_takes_an_account, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_undo_names_a_decision, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_are_queries, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
