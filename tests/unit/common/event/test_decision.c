/* Decisions are read as they are written, and what is none is refused. */
#include "tests/lib/th_cmocka.h"

#include "common/base/mem.h"
#include "common/event/decision.h"

static struct wh_json_parser *parser;

static void test_round_trip(void **state)
{
    const struct wh_decision decisions[] = {
        {WH_LIT("d-1"), 1764000000123, WH_LIT("ana"), WH_ACTION_MERGE, WH_LIT("a"), WH_LIT("b"),
         WH_LIT("the \"same\" person")},
        {WH_LIT("d-2"), 1, WH_LIT("ben"), WH_ACTION_SPLIT, WH_LIT("a"), WH_LIT(""), WH_LIT("two")},
        {WH_LIT("d-3"), 2, WH_LIT("ben"), WH_ACTION_UNDO, WH_LIT("d-2"), WH_LIT(""), WH_LIT("no")},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(decisions) / sizeof(decisions[0]); i++) {
        WH_AUTO(buf) struct wh_buf out;
        struct wh_decision d;
        struct wh_err err;

        wh_buf_init(&out, 1 << 16);
        th_ok(wh_decision_write(&decisions[i], &out, &err), &err);
        th_ok(wh_decision_parse(wh_buf_slice(&out), parser, &d, &err), &err);
        assert_true(wh_slice_eq(d.id, decisions[i].id));
        assert_int_equal(d.at_ms, decisions[i].at_ms);
        assert_true(wh_slice_eq(d.who, decisions[i].who));
        assert_int_equal(d.action, decisions[i].action);
        assert_true(wh_slice_eq(d.subject, decisions[i].subject));
        assert_true(wh_slice_eq(d.object, decisions[i].object));
        assert_true(wh_slice_eq(d.why, decisions[i].why));
    }
}

#define REST "\"at\":\"2026-01-01T00:00:00Z\",\"who\":\"w\",\"why\":\"y\""

static void test_what_is_no_decision(void **state)
{
    static const struct {
        const char *json;
        const char *why;
    } cases[] = {
        {"[]", "no text 'id'"},
        {"{" REST ",\"action\":\"split\",\"subject\":\"a\"}", "no text 'id'"},
        {"{\"id\":\"\"," REST ",\"action\":\"split\",\"subject\":\"a\"}", "1 to 64 bytes"},
        {"{\"id\":\"d\"," REST ",\"action\":\"join\",\"subject\":\"a\"}", "'join' is not what"},
        {"{\"id\":\"d\"," REST ",\"action\":\"merge\",\"subject\":\"a\"}", "no text 'object'"},
        {"{\"id\":\"d\"," REST ",\"action\":\"undo\"}", "no text 'subject'"},
        {"{\"id\":\"d\",\"at\":\"soon\",\"who\":\"w\",\"why\":\"y\",\"action\":\"undo\","
         "\"subject\":\"a\"}",
         "soon"},
        {"{\"id\":1}", "no text 'id'"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wh_decision d;
        struct wh_err err;

        assert_int_not_equal(wh_decision_parse(wh_slice_str(cases[i].json), parser, &d, &err),
                             WH_OK);
        if (strstr(err.msg, cases[i].why) == NULL) {
            fail_msg("%s: %s", cases[i].json, err.msg);
        }
    }
}

static int set_up(void **state)
{
    (void)state;
    parser = wh_json_parser_new(1 << 20, 8);
    return parser ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    wh_json_parser_free(parser);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_what_is_no_decision),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
