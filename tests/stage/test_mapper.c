/* The mapper stage on the in-memory bus: acknowledge, commit, dead letters, rereads. */
#include "common/event/messages.h"
#include "tests/lib/th_mapper.h"

#define RAW "wellhead.raw.c1"
#define ENTITIES "wellhead.entities.c1"
#define DEAD "wellhead.dead-letter.c1"
#define REREADS "wellhead.rereads"

static void put(struct th_mapper *s, enum wh_origin origin, const char *kind, const char *json)
{
    th_mapper_put(s, "c1", origin, kind, json);
}

static void put_issue(struct th_mapper *s, unsigned id)
{
    th_mapper_put_issue(s, "c1", WH_ORIGIN_REST, id);
}

static int64_t committed(const struct th_mapper *s)
{
    return th_mapper_committed(s, "c1");
}

static struct wh_slice header(const struct wh_bus_header *headers, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (wh_slice_eq(headers[i].name, wh_slice_str(name))) {
            return headers[i].value;
        }
    }
    return wh_slice(NULL, 0);
}

/* ---- cases ---- */

static void test_maps_and_commits(void **state)
{
    struct th_mapper *s = *state;
    struct mapper_conf conf;
    const struct wh_bus_header *headers;
    struct wh_observation *o = wh_mem_zalloc(1, sizeof(*o));
    struct wh_bus_msg msg;
    struct wh_arena arena;
    char id[WH_ENTITY_ID_TEXT + 1];
    struct wh_err err;
    size_t n;

    mapper_conf_init(&conf);
    th_mapper_start(s, &conf, 1000);
    put_issue(s, 5);
    put(s, WH_ORIGIN_WEBHOOK, "push", "{}");
    th_mapper_run(s, 30);
    assert_int_equal(wh_bus_mem_count(s->bus, ENTITIES), 1);
    assert_int_equal(wh_bus_mem_count(s->bus, DEAD), 0);
    assert_int_equal(committed(s), 2);
    assert_true(wh_bus_mem_get(s->bus, ENTITIES, 0, &msg, &headers, &n));
    wh_arena_init(&arena, 4096, 1 << 20);
    th_ok(wh_observation_decode(msg.value, &arena, o, &err), &err);
    th_slice_is(msg.key, wh_entity_id_format(&o->id, id));
    th_slice_is(o->provenance.topic, RAW);
    assert_int_equal(o->provenance.offset, 0);
    th_slice_is(o->provenance.delivery_id, "delivery-7");
    th_slice_is(header(headers, n, "ce_type"), "wellhead.work_item.observed");
    th_slice_is(header(headers, n, "ce_id"), "delivery-7");
    wh_arena_done(&arena);
    wh_mem_free(o);
    assert_null(mapper_not_ready(s->mapper));
    th_mapper_stop(s);
}

/* Kafka is asked for the outputs when partitions come; without an answer the stage goes on. */
static void test_warms_outputs(void **state)
{
    struct th_mapper *s = *state;
    struct mapper_conf conf;

    mapper_conf_init(&conf);
    wh_bus_mem_fail(s->bus, WH_BUS_MEM_WARM, 0, 1, WH_E_TIMEOUT);
    for (unsigned i = 1; i <= 2; i++) {
        th_mapper_start(s, &conf, 1000);
        put_issue(s, i);
        th_mapper_run(s, 30);
        /* The first answer is missing; then both connections are asked for. */
        assert_int_equal(wh_bus_mem_calls(s->bus, WH_BUS_MEM_WARM), 2 * i - 1);
        assert_int_equal(wh_bus_mem_count(s->bus, ENTITIES), i);
        assert_null(mapper_not_ready(s->mapper));
        th_mapper_stop(s);
    }
}

/* Nothing is committed that is not acknowledged; a restart reads it again. */
static void test_commits_only_acknowledged(void **state)
{
    struct th_mapper *s = *state;
    struct mapper_conf conf;

    mapper_conf_init(&conf);
    conf.flush_ms = 1;
    th_mapper_start(s, &conf, 1000);
    put_issue(s, 5);
    wh_bus_mem_hold(s->bus, true);
    th_mapper_run(s, 30);
    assert_true(committed(s) <= 0);
    th_mapper_stop(s);
    assert_true(committed(s) <= 0);
    wh_bus_mem_hold(s->bus, false);
    th_mapper_start(s, &conf, 1000);
    th_mapper_run(s, 30);
    assert_int_equal(wh_bus_mem_count(s->bus, ENTITIES), 1);
    assert_int_equal(committed(s), 1);
    th_mapper_stop(s);
}

static void test_dead_letter(void **state)
{
    struct th_mapper *s = *state;
    const struct wh_bus_header *headers;
    struct mapper_conf conf;
    struct wh_dead_letter d;
    struct wh_bus_msg raw;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n;

    mapper_conf_init(&conf);
    th_mapper_start(s, &conf, 1000);
    put_issue(s, 5);
    put(s, WH_ORIGIN_REST, "issue", "{\"id\":-5," TH_MAPPER_AT "}");
    th_mapper_put_bytes(s, "c1", WH_LIT("no frame at all"));
    put_issue(s, 6);
    th_mapper_run(s, 30);
    assert_int_equal(wh_bus_mem_count(s->bus, ENTITIES), 2);
    assert_int_equal(wh_bus_mem_count(s->bus, DEAD), 2);
    assert_int_equal(committed(s), 4);
    assert_true(wh_bus_mem_get(s->bus, DEAD, 0, &msg, &headers, &n));
    th_slice_is(msg.key, "issue:1:5");
    th_slice_is(header(headers, n, "__dlq.errors.topic"), RAW);
    th_slice_is(header(headers, n, "__dlq.errors.offset"), "1");
    th_slice_is(header(headers, n, "wellhead.error.code"), "out_of_range");
    th_slice_is(header(headers, n, "wellhead.error.class"), "poison");
    th_slice_is(header(headers, n, "wellhead.stage"), "mapper");
    th_ok(wh_dead_letter_decode(msg.value, &d, &err), &err);
    th_slice_is(d.code, "out_of_range");
    th_slice_is(d.topic, RAW);
    assert_int_equal(d.offset, 1);
    assert_true(wh_bus_mem_get(s->bus, RAW, 1, &raw, &headers, &n));
    assert_true(wh_slice_eq(raw.value, d.value));
    assert_true(wh_bus_mem_get(s->bus, DEAD, 1, &msg, &headers, &n));
    th_slice_is(header(headers, n, "wellhead.error.code"), "invalid");
    th_mapper_stop(s);
}

/* A dead letter that has no room for the bytes says so. */
static void test_large_dead_letter(void **state)
{
    struct th_mapper *s = *state;
    const struct wh_bus_header *headers;
    struct mapper_conf conf;
    struct wh_dead_letter d;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n;

    mapper_conf_init(&conf);
    conf.max_record_bytes = 1000;
    th_mapper_start(s, &conf, 1000);
    wh_buf_reset(&s->value);
    for (unsigned i = 0; i < 2000; i++) {
        th_ok(wh_buf_append_char(&s->value, 'x', &err), &err);
    }
    th_mapper_put_bytes(s, "c1", wh_buf_slice(&s->value));
    th_mapper_run(s, 30);
    assert_int_equal(committed(s), 1);
    assert_true(wh_bus_mem_get(s->bus, DEAD, 0, &msg, &headers, &n));
    th_ok(wh_dead_letter_decode(msg.value, &d, &err), &err);
    assert_int_equal(d.value.len, 0);
    assert_true(memmem(d.text.ptr, d.text.len, "read them at their origin", 25) != NULL);
    th_mapper_stop(s);
}

/* One person in many events is mentioned once; a dead letter takes back what its event mentioned.
 */
static void test_mentions(void **state)
{
    struct th_mapper *s = *state;
    struct mapper_conf conf;

    mapper_conf_init(&conf);
    th_mapper_start(s, &conf, 1000);
    put(s, WH_ORIGIN_REST, "issue",
        "{\"id\":5,\"author\":{\"id\":7,\"name\":\"a\"},\"updated_at\":\"yesterday\"}");
    put(s, WH_ORIGIN_REST, "issue",
        "{\"id\":5,\"author\":{\"id\":7,\"name\":\"a\"}," TH_MAPPER_AT "}");
    put(s, WH_ORIGIN_REST, "issue",
        "{\"id\":6,\"author\":{\"id\":7,\"name\":\"a\"}," TH_MAPPER_AT "}");
    put(s, WH_ORIGIN_REST, "issue",
        "{\"id\":6,\"author\":{\"id\":7,\"name\":\"b\"}," TH_MAPPER_AT "}");
    th_mapper_run(s, 30);
    assert_int_equal(wh_bus_mem_count(s->bus, DEAD), 1);
    /* Issues 5, 6 and 6 again; the person as "a" and as "b". */
    assert_int_equal(wh_bus_mem_count(s->bus, ENTITIES), 5);
    assert_int_equal(committed(s), 4);
    th_mapper_stop(s);
}

/* A queue of two records: everything comes out all the same, in order. */
static void test_back_pressure(void **state)
{
    struct th_mapper *s = *state;
    struct mapper_conf conf;

    mapper_conf_init(&conf);
    conf.in_flight_max = 3;
    th_mapper_start(s, &conf, 2);
    for (unsigned i = 1; i <= 300; i++) {
        put_issue(s, i);
    }
    th_mapper_run(s, 600);
    assert_int_equal(wh_bus_mem_count(s->bus, ENTITIES), 300);
    assert_int_equal(committed(s), 300);
    th_mapper_stop(s);
}

/* One event's bytes at a time: none is lost and none waits for ever. */
static void test_back_pressure_of_bytes(void **state)
{
    struct th_mapper *s = *state;
    struct mapper_conf conf;

    mapper_conf_init(&conf);
    conf.in_flight_bytes = 1;
    th_mapper_start(s, &conf, 1000);
    for (unsigned i = 1; i <= 20; i++) {
        put_issue(s, i);
    }
    mapper_turn(s->mapper);
    assert_int_equal(wh_bus_mem_count(s->bus, ENTITIES), 1);
    th_mapper_run(s, 100);
    assert_int_equal(wh_bus_mem_count(s->bus, ENTITIES), 20);
    assert_int_equal(committed(s), 20);
    th_mapper_stop(s);
}

static void test_rereads(void **state)
{
    static const char pipeline[] =
        "{\"object_attributes\":{\"id\":31,\"status\":\"running\",\"created_at\":\"2026-01-01 "
        "00:00:00 UTC\"},\"project\":{\"id\":14}}";
    struct th_mapper *s = *state;
    const struct wh_bus_header *headers;
    struct mapper_conf conf;
    struct wh_reread r;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n;

    mapper_conf_init(&conf);
    th_mapper_start(s, &conf, 1000);
    for (unsigned i = 0; i < 5; i++) {
        put(s, WH_ORIGIN_WEBHOOK, "pipeline", pipeline);
    }
    th_mapper_run(s, 5);
    assert_int_equal(wh_bus_mem_count(s->bus, REREADS), 1);
    th_mapper_run(s, 40);
    assert_int_equal(wh_bus_mem_count(s->bus, REREADS), 2);
    assert_true(wh_bus_mem_get(s->bus, REREADS, 1, &msg, &headers, &n));
    th_slice_is(msg.key, "c1:pipeline:14:31");
    th_ok(wh_reread_decode(msg.value, &r, &err), &err);
    th_slice_is(r.kind, "pipeline");
    th_slice_is(r.reason, "no_version");
    put(s, WH_ORIGIN_WEBHOOK, "pipeline", pipeline);
    put(s, WH_ORIGIN_WEBHOOK, "pipeline", pipeline);
    (void)mapper_turn(s->mapper);
    mapper_drain(s->mapper);
    (void)mapper_turn(s->mapper);
    assert_true(s->drained);
    assert_true(wh_bus_mem_count(s->bus, REREADS) >= 3);
    th_mapper_stop(s);
}

/* A delivery that fails for good ends the process; the position stays. */
static void test_delivery_fails(void **state)
{
    struct th_mapper *s = *state;
    struct mapper_conf conf;

    mapper_conf_init(&conf);
    th_mapper_start(s, &conf, 1000);
    put_issue(s, 5);
    put_issue(s, 6);
    wh_bus_mem_fail(s->bus, WH_BUS_MEM_DELIVERY, 1, 1, WH_E_TIMEOUT);
    th_mapper_run(s, 30);
    assert_int_equal(wh_rc_class(s->fatal.rc), WH_CLASS_FATAL);
    th_mapper_stop(s);
    assert_true(committed(s) <= 1);
    s->fatal.rc = WH_OK;
    th_mapper_start(s, &conf, 1000);
    th_mapper_run(s, 30);
    assert_int_equal(committed(s), 2);
    th_mapper_stop(s);
}

static void test_drain(void **state)
{
    struct th_mapper *s = *state;
    struct mapper_conf conf;

    mapper_conf_init(&conf);
    th_mapper_start(s, &conf, 1000);
    put_issue(s, 5);
    wh_bus_mem_hold(s->bus, true);
    (void)mapper_turn(s->mapper);
    (void)mapper_turn(s->mapper);
    mapper_drain(s->mapper);
    (void)mapper_turn(s->mapper);
    assert_false(s->drained);
    wh_bus_mem_hold(s->bus, false);
    put_issue(s, 6);
    (void)mapper_turn(s->mapper);
    assert_true(s->drained);
    assert_int_equal(committed(s), 1);
    assert_int_equal(wh_bus_mem_count(s->bus, ENTITIES), 1);
    th_mapper_stop(s);
}

/* An event of another connection in this connection's topic is not let through. */
static void test_foreign_connection(void **state)
{
    struct th_mapper *s = *state;
    const struct wh_raw_event e = {.connection = WH_LIT("c2"),
                                   .instance = WH_LIT("https://x"),
                                   .origin = WH_ORIGIN_REST,
                                   .kind = WH_LIT("issue"),
                                   .payload = WH_LIT("{\"id\":1," TH_MAPPER_AT "}")};
    struct mapper_conf conf;
    struct wh_err err;

    mapper_conf_init(&conf);
    th_mapper_start(s, &conf, 1000);
    wh_buf_reset(&s->value);
    th_ok(wh_raw_event_encode(&e, &s->value, &err), &err);
    th_mapper_put_bytes(s, "c1", wh_buf_slice(&s->value));
    th_mapper_run(s, 30);
    assert_int_equal(wh_bus_mem_count(s->bus, ENTITIES), 0);
    assert_int_equal(wh_bus_mem_count(s->bus, DEAD), 1);
    th_mapper_stop(s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, th_mapper_setup, th_mapper_teardown)
    const struct CMUnitTest tests[] = {
        T(test_maps_and_commits),
        T(test_warms_outputs),
        T(test_commits_only_acknowledged),
        T(test_dead_letter),
        T(test_large_dead_letter),
        T(test_mentions),
        T(test_back_pressure),
        T(test_back_pressure_of_bytes),
        T(test_rereads),
        T(test_delivery_fails),
        T(test_drain),
        T(test_foreign_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
