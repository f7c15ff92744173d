#include "common/event/health.h"

#include <string.h>

#include "common/json/json_doc.h"
#include "common/base/mem.h"
#include "tests/lib/th_cmocka.h"

static struct wh_json_parser *parser;

static void test_outcome(void **state)
{
    struct wh_outcome o = {.connection = WH_LIT("gitlab-example-com"),
                           .run = 1764000000123,
                           .at_ms = 1764000009999,
                           .repaired_oldest_ms = 1763990000000};
    WH_AUTO(buf) struct wh_buf out;
    struct wh_outcome read;
    struct wh_err err;

    (void)state;
    wh_buf_init(&out, 1 << 16);
    for (unsigned i = 0; i < WH_OUTCOME_KINDS; i++) {
        assert_int_equal(wh_outcome_kind_of(wh_slice_str(wh_outcome_kind(i))), i);
        o.kinds[i] = (struct wh_outcome_counts){100 + i, i, 2 * (int64_t)i, i / 2, 1};
    }
    th_ok(wh_outcome_write(&o, &out, &err), &err);
    th_ok(wh_outcome_parse(wh_buf_slice(&out), parser, &read, &err), &err);
    th_slice_is(read.connection, "gitlab-example-com");
    assert_int_equal(read.run, o.run);
    assert_int_equal(read.at_ms, o.at_ms);
    assert_int_equal(read.repaired_oldest_ms, o.repaired_oldest_ms);
    assert_memory_equal(read.kinds, o.kinds, sizeof(o.kinds));
    assert_int_equal(wh_outcome_sum(&read).deleted, WH_OUTCOME_KINDS);
    assert_int_equal(wh_outcome_kind_of(WH_LIT("spaceship")), WH_OUTCOME_KINDS - 1);
}

static void test_webhooks(void **state)
{
    const struct wh_webhook_line lines[] = {
        {WH_LIT("17"), WH_LIT("merge_request"), 1764000000001, 3},
        {WH_LIT("18"), WH_LIT("issue"), 1764000000002, 1},
    };
    const struct wh_webhook_health h = {.connection = WH_LIT("c"),
                                        .intake = WH_LIT("host-1"),
                                        .at_ms = 5,
                                        .last_ok_ms = 4,
                                        .last_unauthorized_ms = 3,
                                        .accepted = 4,
                                        .unauthorized = 2,
                                        .refused = 1,
                                        .lines = lines,
                                        .n_lines = 2};
    WH_AUTO(buf) struct wh_buf out;
    struct wh_webhook_health read;
    struct wh_arena arena;
    struct wh_err err;

    (void)state;
    wh_buf_init(&out, 1 << 16);
    wh_arena_init(&arena, 4096, 1 << 16);
    th_ok(wh_webhook_health_write(&h, &out, &err), &err);
    th_ok(wh_webhook_health_parse(wh_buf_slice(&out), parser, &arena, &read, &err), &err);
    th_slice_is(read.intake, "host-1");
    assert_int_equal(read.accepted, 4);
    assert_int_equal(read.unauthorized, 2);
    assert_int_equal(read.refused, 1);
    assert_int_equal(read.last_ok_ms, 4);
    assert_int_equal(read.n_lines, 2);
    th_slice_is(read.lines[1].project, "18");
    th_slice_is(read.lines[0].event, "merge_request");
    assert_int_equal(read.lines[0].last_ms, 1764000000001);
    wh_arena_done(&arena);
}

static void test_damaged(void **state)
{
    static const char *const bad[] = {"",
                                      "[]",
                                      "{}",
                                      "{\"connection\":\"c\"}",
                                      "{\"connection\":7,",
                                      "{\"connection\":\"c\",\"run\":\"x\",\"kinds\":{}}"};
    struct wh_webhook_health h;
    struct wh_outcome o;
    struct wh_arena arena;
    struct wh_err err;

    (void)state;
    wh_arena_init(&arena, 4096, 1 << 16);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_not_equal(wh_outcome_parse(wh_slice_str(bad[i]), parser, &o, &err), WH_OK);
        assert_int_not_equal(
            wh_webhook_health_parse(wh_slice_str(bad[i]), parser, &arena, &h, &err), WH_OK);
    }
    wh_arena_done(&arena);
}

static int set_up(void **state)
{
    (void)state;
    parser = wh_json_parser_new(1 << 20, 16);
    return parser == NULL;
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
        cmocka_unit_test(test_outcome),
        cmocka_unit_test(test_webhooks),
        cmocka_unit_test(test_damaged),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
