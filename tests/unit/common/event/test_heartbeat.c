#include "common/event/heartbeat.h"

#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "tests/lib/th_cmocka.h"

struct world {
    struct wh_json_parser *parser;
    struct wh_arena arena;
};

static int set_up(void **state)
{
    struct world *w = wh_mem_zalloc(1, sizeof(*w));

    assert_non_null(w);
    w->parser = wh_json_parser_new(1 << 20, 16);
    assert_non_null(w->parser);
    wh_arena_init(&w->arena, 4096, 1 << 20);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    wh_json_parser_free(w->parser);
    wh_arena_done(&w->arena);
    wh_mem_free(w);
    return 0;
}

static void what_is_written_is_read(void **state)
{
    struct world *w = *state;
    const struct wh_heartbeat_held held[] = {
        {WH_LIT("gitlab"), WH_LIT("webhook"), WH_LIT("most events \"fail\""), 1764000000003},
    };
    const struct wh_heartbeat h = {.stage = WH_LIT("mapper"),
                                   .process = WH_LIT("host-8703"),
                                   .version = WH_LIT("v1.2"),
                                   .group = WH_LIT("wellhead.mapper"),
                                   .at_ms = 1764000000002,
                                   .started_ms = 1764000000001,
                                   .reason = WH_LIT("starting"),
                                   .held = held,
                                   .n_held = 1};
    WH_AUTO(buf) struct wh_buf out;
    struct wh_heartbeat read;
    struct wh_err err;

    wh_buf_init(&out, 1 << 16);
    th_ok(wh_heartbeat_write(&h, &out, &err), &err);
    th_ok(wh_heartbeat_parse(wh_buf_slice(&out), w->parser, &w->arena, &read, &err), &err);
    th_slice_is(read.stage, "mapper");
    th_slice_is(read.process, "host-8703");
    th_slice_is(read.version, "v1.2");
    th_slice_is(read.group, "wellhead.mapper");
    assert_int_equal(read.at_ms, h.at_ms);
    assert_int_equal(read.started_ms, h.started_ms);
    assert_false(read.stopped);
    assert_false(read.ready);
    th_slice_is(read.reason, "starting");
    assert_int_equal(read.n_held, 1);
    th_slice_is(read.held[0].connection, "gitlab");
    th_slice_is(read.held[0].what, "webhook");
    th_slice_is(read.held[0].reason, "most events \"fail\"");
    assert_int_equal(read.held[0].since_ms, held[0].since_ms);
}

static void damaged_ones_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"stage\":\"mapper\",\"process\":\"p\"}",
        "{\"stage\":\"mapper\",\"at_ms\":1}",
        "{\"process\":\"p\",\"at_ms\":1}",
        "{\"stage\":7,\"process\":\"p\",\"at_ms\":1}",
        "{\"stage\":\"mapper\",\"process\":\"p\",\"at_ms\":-1}",
    };
    struct world *w = *state;
    struct wh_heartbeat h;
    struct wh_err err;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_not_equal(
            wh_heartbeat_parse(wh_slice_str(bad[i]), w->parser, &w->arena, &h, &err), WH_OK);
    }
}

static void no_more_is_held_than_fits(void **state)
{
    struct world *w = *state;
    WH_AUTO(buf) struct wh_buf json;
    struct wh_heartbeat h;
    struct wh_err err;

    wh_buf_init(&json, 1 << 16);
    th_ok(wh_buf_append(&json,
                        WH_LIT("{\"stage\":\"mapper\",\"process\":\"p\",\"at_ms\":1,\"held\":[{}"),
                        &err),
          &err);
    for (int i = 0; i < 2 * WH_HEARTBEAT_HELD_MAX; i++) {
        th_ok(wh_buf_append(&json, WH_LIT(",{\"what\":1}"), &err), &err);
    }
    th_ok(wh_buf_append(&json, WH_LIT("]}"), &err), &err);
    th_ok(wh_heartbeat_parse(wh_buf_slice(&json), w->parser, &w->arena, &h, &err), &err);
    assert_int_equal(h.n_held, WH_HEARTBEAT_HELD_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_ones_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_more_is_held_than_fits, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
