#include "stages/webhook-intake/health.h"

#include "common/base/mem.h"
#include "common/event/health.h"
#include "common/json/json_doc.h"
#include "tests/lib/th_cmocka.h"

static void read_back(struct intake_health *h, struct wh_webhook_health *ret,
                      struct wh_json_parser *parser, struct wh_arena *arena)
{
    WH_AUTO(buf) struct wh_buf out;
    struct wh_err err;

    wh_buf_init(&out, 256 << 10);
    th_ok(intake_health_write(h, WH_LIT("c"), WH_LIT("i"), 99, &out, &err), &err);
    th_ok(wh_webhook_health_parse(wh_buf_slice(&out), parser, arena, ret, &err), &err);
}

static void test_lines(void **state)
{
    struct wh_json_parser *parser = wh_json_parser_new(1 << 20, 16);
    struct intake_health h = {0};
    struct wh_webhook_health read;
    struct wh_arena arena;

    (void)state;
    wh_arena_init(&arena, 4096, 1 << 20);
    assert_false(h.dirty);
    intake_health_ok(&h, "7", 2, 10);
    intake_health_ok(&h, "7", 2, 11);
    intake_health_ok(&h, "7", 4, 12);
    intake_health_ok(&h, "", 2, 13);
    intake_health_unauthorized(&h, 14);
    intake_health_refused(&h);
    assert_true(h.dirty);
    read_back(&h, &read, parser, &arena);
    assert_false(h.dirty);
    assert_int_equal(read.n_lines, 3);
    th_slice_is(read.lines[0].project, "7");
    th_slice_is(read.lines[0].event, "issue");
    assert_int_equal(read.lines[0].count, 2);
    assert_int_equal(read.lines[0].last_ms, 11);
    assert_int_equal(read.accepted, 4);
    assert_int_equal(read.last_ok_ms, 13);
    assert_int_equal(read.unauthorized, 1);
    assert_int_equal(read.last_unauthorized_ms, 14);
    assert_int_equal(read.refused, 1);
    intake_health_done(&h);
    wh_arena_done(&arena);
    wh_json_parser_free(parser);
}

/* However many projects send, the document has a bound; the most silent line goes. */
static void test_bounded(void **state)
{
    struct intake_health h = {0};
    char project[24];

    (void)state;
    for (int i = 0; i < 2 * INTAKE_HEALTH_LINES; i++) {
        (void)snprintf(project, sizeof(project), "%d", i);
        intake_health_ok(&h, project, 2, 100 + i);
    }
    assert_int_equal(h.n, INTAKE_HEALTH_LINES);
    for (size_t i = 0; i < h.n; i++) {
        assert_true(h.lines[i].last_ms >= 100 + INTAKE_HEALTH_LINES);
    }
    assert_int_equal(h.accepted, 2 * INTAKE_HEALTH_LINES);
    intake_health_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
