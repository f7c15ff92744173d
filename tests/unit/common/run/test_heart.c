/* A real loop, the bus in memory. */
#include "common/run/heart.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/event/messages.h"
#include "common/json/json_doc.h"
#include "tests/lib/bus_mem.h"
#include "tests/lib/th_cmocka.h"

#define TOPIC "wellhead.health"

struct world {
    struct wh_bus_mem *bus;
    struct wh_loop *loop;
    struct wh_timer *look;
    struct wh_heart *heart;
    const char *reason;
    size_t made;  /* producers */
    size_t await; /* records, until the loop is stopped */
    size_t await_made;
};

static enum wh_rc make_producer(void *ctx, struct wh_producer **ret, struct wh_err *err)
{
    struct world *w = ctx;
    struct wh_producer_conf conf;

    w->made++;
    wh_producer_conf_init(&conf);
    return wh_bus_mem_producer(w->bus, &conf, ret, err);
}

static void describe(void *ctx, struct wh_heartbeat *h)
{
    const struct world *w = ctx;

    h->ready = w->reason == NULL;
    h->reason = wh_slice_str(w->reason ? w->reason : "");
}

static void look(void *ctx)
{
    struct world *w = ctx;

    if (wh_bus_mem_count(w->bus, TOPIC) >= w->await && w->made >= w->await_made) {
        wh_loop_stop(w->loop);
    }
}

static int set_up(void **state)
{
    struct world *w = wh_mem_zalloc(1, sizeof(*w));
    struct wh_err err;

    assert_non_null(w);
    w->bus = wh_bus_mem_new();
    w->loop = wh_loop_new();
    assert_true(w->bus && w->loop);
    w->look = wh_timer_new(w->loop, look, w);
    wh_timer_start(w->look, 1, 1);
    th_ok(wh_bus_mem_topic(w->bus, TOPIC, 1, &err), &err);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    wh_heart_free(w->heart);
    wh_timer_free(w->look);
    wh_loop_free(w->loop);
    wh_bus_mem_free(w->bus);
    wh_mem_free(w);
    return 0;
}

static void begin(struct world *w)
{
    const struct wh_heart_conf conf = {
        .loop = w->loop,
        .clock = wh_clock_real(),
        .topic_prefix = "wellhead.",
        .stage = "mapper",
        .process = "host-8703",
        .make_producer = make_producer,
        .describe = describe,
        .ctx = w,
    };
    struct wh_err err;

    th_ok(wh_heart_new(&conf, &w->heart, &err), &err);
}

static void read_beat(struct world *w, size_t index, struct wh_json_parser *parser,
                      struct wh_arena *arena, struct wh_heartbeat *h)
{
    const struct wh_bus_header *headers;
    struct wh_document document;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n;

    assert_true(wh_bus_mem_get(w->bus, TOPIC, index, &msg, &headers, &n));
    th_slice_is(msg.key, "_process:mapper:host-8703");
    th_ok(wh_document_decode(msg.value, &document, &err), &err);
    th_ok(wh_heartbeat_parse(document.document, parser, arena, h, &err), &err);
}

static void it_tells_life_and_the_end_in_order(void **state)
{
    struct world *w = *state;
    struct wh_json_parser *parser = wh_json_parser_new(1 << 16, 8);
    struct wh_arena arena;
    struct wh_heartbeat h;

    assert_non_null(parser);
    wh_arena_init(&arena, 4096, 1 << 16);
    w->await = 1;
    w->reason = "starting";
    begin(w);
    wh_loop_run(w->loop);
    read_beat(w, 0, parser, &arena, &h);
    assert_false(h.stopped || h.ready);
    th_slice_is(h.reason, "starting");
    assert_true(h.started_ms > 0 && h.at_ms >= h.started_ms);
    w->reason = NULL;
    wh_heart_stop(w->heart);
    assert_int_equal(wh_bus_mem_count(w->bus, TOPIC), 2);
    read_beat(w, 1, parser, &arena, &h);
    assert_true(h.stopped && h.ready);
    wh_arena_done(&arena);
    wh_json_parser_free(parser);
}

static void an_end_that_nobody_hears_takes_no_time(void **state)
{
    struct world *w = *state;

    begin(w);
    wh_heart_stop(w->heart);
    assert_int_equal(wh_bus_mem_count(w->bus, TOPIC), 0);
}

static void a_fatal_error_of_the_bus_costs_one_heartbeat(void **state)
{
    struct world *w = *state;

    wh_bus_mem_fail(w->bus, WH_BUS_MEM_PRODUCE, 0, 1, WH_E_FATAL_BUS);
    begin(w);
    w->await = 1;
    w->await_made = 2;
    wh_loop_run(w->loop);
    assert_int_equal(wh_bus_mem_count(w->bus, TOPIC), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_tells_life_and_the_end_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_end_that_nobody_hears_takes_no_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_fatal_error_of_the_bus_costs_one_heartbeat, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
