/* The mapper stage on the in-memory bus: acknowledge, commit, dead letters, breaker, rereads. */
#include "tests/lib/th_cmocka.h"

#include "common/avro/schemas.h"
#include "common/base/mem.h"
#include "tests/lib/bus_mem.h"
#include "common/event/messages.h"
#include "stages/mapper/mapper.h"

#define RAW "wellhead.raw.c1"
#define ENTITIES "wellhead.entities.c1"
#define DEAD "wellhead.dead-letter.c1"
#define REREADS "wellhead.rereads"
#define GROUP "wellhead-mapper"
#define AT "\"updated_at\":\"2026-01-01T00:00:00.500Z\""

struct stage {
    struct wh_bus_mem *bus;
    struct mapper_views *views;
    struct mapper *mapper;
    struct wh_consumer *consumer;
    struct wh_producer *producer;
    struct wh_producer *writer;
    int64_t now_ms;
    int64_t mono_ns;
    struct wh_err fatal;
    bool drained;
    struct wh_buf value;
};

static int64_t now(void *ctx)
{
    return ((struct stage *)ctx)->now_ms;
}

static int64_t mono(void *ctx)
{
    return ((struct stage *)ctx)->mono_ns += 1000;
}

static void on_fatal(void *ctx, const struct wh_err *err)
{
    ((struct stage *)ctx)->fatal = *err;
}

static void on_drained(void *ctx)
{
    ((struct stage *)ctx)->drained = true;
}

static void is_delivered(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    (void)ack;
    assert_int_equal(d->rc, WH_OK);
}

static struct wh_bus_ack written = {.fn = is_delivered};

static void start_mapper(struct stage *s, const struct mapper_conf *conf, size_t queue)
{
    const struct mapper_deps deps = {.views = s->views,
                                     .clock = {now, mono, s},
                                     .on_fatal = on_fatal,
                                     .on_drained = on_drained,
                                     .ctx = s};
    struct wh_producer_conf pc;
    struct wh_consumer_conf cc;
    struct wh_err err;

    th_ok(mapper_new(&deps, conf, &s->mapper, &err), &err);
    wh_producer_conf_init(&pc);
    pc.queue_max_records = queue;
    th_ok(wh_bus_mem_producer(s->bus, &pc, &s->producer, &err), &err);
    wh_consumer_conf_init(&cc);
    cc.group = GROUP;
    cc.rebalance = mapper_rebalance(s->mapper);
    th_ok(wh_bus_mem_consumer(s->bus, &cc, &s->consumer, &err), &err);
    th_ok(mapper_start(s->mapper, s->consumer, s->producer, &err), &err);
}

static void stop_mapper(struct stage *s)
{
    wh_consumer_free(s->consumer);
    wh_producer_free(s->producer);
    mapper_free(s->mapper);
}

static int setup(void **state)
{
    static const char *const topics[] = {RAW, ENTITIES, DEAD, REREADS};
    struct stage *s = wh_mem_zalloc(1, sizeof(*s));
    struct wh_producer_conf pc;
    struct wh_err err;

    s->now_ms = 1700000000000;
    s->bus = wh_bus_mem_new();
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        th_ok(wh_bus_mem_topic(s->bus, topics[i], 1, &err), &err);
    }
    th_ok(mapper_views_load(NULL, &s->views, &err), &err);
    wh_producer_conf_init(&pc);
    th_ok(wh_bus_mem_producer(s->bus, &pc, &s->writer, &err), &err);
    wh_buf_init(&s->value, 1 << 20);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;

    wh_producer_free(s->writer);
    mapper_views_free(s->views);
    wh_bus_mem_free(s->bus);
    wh_buf_done(&s->value);
    wh_mem_free(s);
    return 0;
}

static void put_bytes(struct stage *s, struct wh_slice value)
{
    struct wh_err err;

    th_ok(wh_producer_produce(s->writer,
                              &(struct wh_bus_record){.topic = RAW,
                                                      .partition = 0,
                                                      .key = WH_LIT("issue:1:5"),
                                                      .value = value,
                                                      .ack = &written},
                              &err),
          &err);
    (void)wh_producer_poll(s->writer, 0);
}

static void put(struct stage *s, enum wh_origin origin, const char *kind, const char *json)
{
    const struct wh_raw_event e = {.connection = WH_LIT("c1"),
                                   .instance = WH_LIT("https://gitlab.example.com"),
                                   .origin = origin,
                                   .kind = wh_slice_str(kind),
                                   .project = WH_LIT("14"),
                                   .object_id = WH_LIT("9"),
                                   .observed_at_ms = 1700000000000,
                                   .delivery_id = WH_LIT("delivery-7"),
                                   .payload = wh_slice_str(json)};
    struct wh_err err;

    wh_buf_reset(&s->value);
    th_ok(wh_raw_event_encode(&e, &s->value, &err), &err);
    put_bytes(s, wh_buf_slice(&s->value));
}

static void put_issue(struct stage *s, unsigned id)
{
    char json[100];

    (void)snprintf(json, sizeof(json), "{\"id\":%u," AT "}", id);
    put(s, WH_ORIGIN_REST, "issue", json);
}

static void run(struct stage *s, unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        (void)mapper_turn(s->mapper);
        s->now_ms += 100;
        mapper_tick(s->mapper);
    }
}

static int64_t committed(const struct stage *s)
{
    return wh_bus_mem_committed(s->bus, GROUP, RAW, 0);
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
    struct stage *s = *state;
    struct mapper_conf conf;
    const struct wh_bus_header *headers;
    struct wh_observation *o = wh_mem_zalloc(1, sizeof(*o));
    struct wh_bus_msg msg;
    struct wh_arena arena;
    char id[WH_ENTITY_ID_TEXT + 1];
    struct wh_err err;
    size_t n;

    mapper_conf_init(&conf);
    start_mapper(s, &conf, 1000);
    put_issue(s, 5);
    put(s, WH_ORIGIN_WEBHOOK, "push", "{}");
    run(s, 30);
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
    stop_mapper(s);
}

/* Kafka is asked for the outputs when partitions come; without an answer the stage goes on. */
static void test_warms_outputs(void **state)
{
    struct stage *s = *state;
    struct mapper_conf conf;

    mapper_conf_init(&conf);
    wh_bus_mem_fail(s->bus, WH_BUS_MEM_WARM, 0, 1, WH_E_TIMEOUT);
    for (unsigned i = 1; i <= 2; i++) {
        start_mapper(s, &conf, 1000);
        put_issue(s, i);
        run(s, 30);
        assert_int_equal(wh_bus_mem_calls(s->bus, WH_BUS_MEM_WARM), i);
        assert_int_equal(wh_bus_mem_count(s->bus, ENTITIES), i);
        assert_null(mapper_not_ready(s->mapper));
        stop_mapper(s);
    }
}

/* Nothing is committed that is not acknowledged; a restart reads it again. */
static void test_commits_only_acknowledged(void **state)
{
    struct stage *s = *state;
    struct mapper_conf conf;

    mapper_conf_init(&conf);
    conf.flush_ms = 1;
    start_mapper(s, &conf, 1000);
    put_issue(s, 5);
    wh_bus_mem_hold(s->bus, true);
    run(s, 30);
    assert_true(committed(s) <= 0);
    stop_mapper(s);
    assert_true(committed(s) <= 0);
    wh_bus_mem_hold(s->bus, false);
    start_mapper(s, &conf, 1000);
    run(s, 30);
    assert_int_equal(wh_bus_mem_count(s->bus, ENTITIES), 1);
    assert_int_equal(committed(s), 1);
    stop_mapper(s);
}

static void test_dead_letter(void **state)
{
    struct stage *s = *state;
    const struct wh_bus_header *headers;
    struct mapper_conf conf;
    struct wh_dead_letter d;
    struct wh_bus_msg raw;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n;

    mapper_conf_init(&conf);
    start_mapper(s, &conf, 1000);
    put_issue(s, 5);
    put(s, WH_ORIGIN_REST, "issue", "{\"id\":-5," AT "}");
    put_bytes(s, WH_LIT("no frame at all"));
    put_issue(s, 6);
    run(s, 30);
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
    stop_mapper(s);
}

/* One person in many events is mentioned once; a dead letter takes back what its event mentioned.
 */
static void test_mentions(void **state)
{
    struct stage *s = *state;
    struct mapper_conf conf;

    mapper_conf_init(&conf);
    start_mapper(s, &conf, 1000);
    put(s, WH_ORIGIN_REST, "issue",
        "{\"id\":5,\"author\":{\"id\":7,\"name\":\"a\"},\"updated_at\":\"yesterday\"}");
    put(s, WH_ORIGIN_REST, "issue", "{\"id\":5,\"author\":{\"id\":7,\"name\":\"a\"}," AT "}");
    put(s, WH_ORIGIN_REST, "issue", "{\"id\":6,\"author\":{\"id\":7,\"name\":\"a\"}," AT "}");
    put(s, WH_ORIGIN_REST, "issue", "{\"id\":6,\"author\":{\"id\":7,\"name\":\"b\"}," AT "}");
    run(s, 30);
    assert_int_equal(wh_bus_mem_count(s->bus, DEAD), 1);
    /* Issues 5, 6 and 6 again; the person as "a" and as "b". */
    assert_int_equal(wh_bus_mem_count(s->bus, ENTITIES), 5);
    assert_int_equal(committed(s), 4);
    stop_mapper(s);
}

/* A queue of two records: everything comes out all the same, in order. */
static void test_back_pressure(void **state)
{
    struct stage *s = *state;
    struct mapper_conf conf;

    mapper_conf_init(&conf);
    conf.in_flight_max = 3;
    start_mapper(s, &conf, 2);
    for (unsigned i = 1; i <= 300; i++) {
        put_issue(s, i);
    }
    run(s, 600);
    assert_int_equal(wh_bus_mem_count(s->bus, ENTITIES), 300);
    assert_int_equal(committed(s), 300);
    stop_mapper(s);
}

/* One event's bytes at a time: none is lost and none waits for ever. */
static void test_back_pressure_of_bytes(void **state)
{
    struct stage *s = *state;
    struct mapper_conf conf;

    mapper_conf_init(&conf);
    conf.in_flight_bytes = 1;
    start_mapper(s, &conf, 1000);
    for (unsigned i = 1; i <= 20; i++) {
        put_issue(s, i);
    }
    mapper_turn(s->mapper);
    assert_int_equal(wh_bus_mem_count(s->bus, ENTITIES), 1);
    run(s, 100);
    assert_int_equal(wh_bus_mem_count(s->bus, ENTITIES), 20);
    assert_int_equal(committed(s), 20);
    stop_mapper(s);
}

static void test_breaker(void **state)
{
    struct stage *s = *state;
    struct mapper_conf conf;

    mapper_conf_init(&conf);
    start_mapper(s, &conf, 100000);
    for (unsigned i = 0; i < 1000; i++) {
        put(s, WH_ORIGIN_REST, "issue", "{\"id\":\"x\"}");
    }
    run(s, 20);
    assert_int_equal(wh_bus_mem_count(s->bus, DEAD), 200);
    assert_non_null(mapper_not_ready(s->mapper));
    assert_non_null(strstr(mapper_not_ready(s->mapper), "200 of the last 200"));
    assert_int_equal(s->fatal.rc, WH_OK);
    s->now_ms += conf.breaker_exit_after_ms;
    run(s, 2);
    assert_int_equal(wh_rc_class(s->fatal.rc), WH_CLASS_FATAL);
    assert_int_equal(committed(s), 200);
    stop_mapper(s);
}

/* A newer writer's event is waited for, not set aside. */
static void test_unknown_schema(void **state)
{
    struct stage *s = *state;
    struct mapper_conf conf;

    mapper_conf_init(&conf);
    start_mapper(s, &conf, 1000);
    put_issue(s, 5);
    put_bytes(s, wh_slice("\0\0\0\x01\x01rest", 9));
    put_issue(s, 6);
    run(s, 100);
    assert_int_equal(wh_bus_mem_count(s->bus, ENTITIES), 1);
    assert_int_equal(wh_bus_mem_count(s->bus, DEAD), 0);
    assert_int_equal(committed(s), 1);
    assert_non_null(strstr(mapper_not_ready(s->mapper), "waiting"));
    s->now_ms += conf.schema_wait_ms;
    run(s, 2);
    assert_int_equal(s->fatal.rc, WH_E_UNKNOWN_SCHEMA);
    stop_mapper(s);
}

static void test_rereads(void **state)
{
    static const char pipeline[] =
        "{\"object_attributes\":{\"id\":31,\"status\":\"running\",\"created_at\":\"2026-01-01 "
        "00:00:00 UTC\"},\"project\":{\"id\":14}}";
    struct stage *s = *state;
    const struct wh_bus_header *headers;
    struct mapper_conf conf;
    struct wh_reread r;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n;

    mapper_conf_init(&conf);
    start_mapper(s, &conf, 1000);
    for (unsigned i = 0; i < 5; i++) {
        put(s, WH_ORIGIN_WEBHOOK, "pipeline", pipeline);
    }
    run(s, 5);
    assert_int_equal(wh_bus_mem_count(s->bus, REREADS), 1);
    run(s, 40);
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
    stop_mapper(s);
}

/* A delivery that fails for good ends the process; the position stays. */
static void test_delivery_fails(void **state)
{
    struct stage *s = *state;
    struct mapper_conf conf;

    mapper_conf_init(&conf);
    start_mapper(s, &conf, 1000);
    put_issue(s, 5);
    put_issue(s, 6);
    wh_bus_mem_fail(s->bus, WH_BUS_MEM_DELIVERY, 1, 1, WH_E_TIMEOUT);
    run(s, 30);
    assert_int_equal(wh_rc_class(s->fatal.rc), WH_CLASS_FATAL);
    stop_mapper(s);
    assert_true(committed(s) <= 1);
    s->fatal.rc = WH_OK;
    start_mapper(s, &conf, 1000);
    run(s, 30);
    assert_int_equal(committed(s), 2);
    stop_mapper(s);
}

/*
 * The topic to write to is gone: the stage says so and stays up, since a purge takes the input away
 * next; when it does not, the stage ends, and nothing was committed past what is stored.
 */
static void test_output_is_gone(void **state)
{
    struct stage *s = *state;
    struct mapper_conf conf;

    mapper_conf_init(&conf);
    conf.schema_wait_ms = 5000;
    start_mapper(s, &conf, 1000);
    put_issue(s, 5);
    put_issue(s, 6);
    put_issue(s, 7);
    wh_bus_mem_fail(s->bus, WH_BUS_MEM_DELIVERY, 1, 1, WH_E_NOT_FOUND);
    run(s, 3);
    assert_int_equal(s->fatal.rc, WH_OK);
    assert_non_null(strstr(mapper_not_ready(s->mapper), "does not exist"));
    put_issue(s, 8);
    run(s, 30);
    assert_true(committed(s) <= 1);
    s->now_ms += conf.schema_wait_ms + conf.commit_interval_ms;
    run(s, 1);
    assert_int_equal(wh_rc_class(s->fatal.rc), WH_CLASS_FATAL);
    stop_mapper(s);
    s->fatal.rc = WH_OK;
    start_mapper(s, &conf, 1000);
    run(s, 30);
    assert_int_equal(committed(s), 4);
    stop_mapper(s);
}

static void test_drain(void **state)
{
    struct stage *s = *state;
    struct mapper_conf conf;

    mapper_conf_init(&conf);
    start_mapper(s, &conf, 1000);
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
    stop_mapper(s);
}

/* An event of another connection in this connection's topic is not let through. */
static void test_foreign_connection(void **state)
{
    struct stage *s = *state;
    const struct wh_raw_event e = {.connection = WH_LIT("c2"),
                                   .instance = WH_LIT("https://x"),
                                   .origin = WH_ORIGIN_REST,
                                   .kind = WH_LIT("issue"),
                                   .payload = WH_LIT("{\"id\":1," AT "}")};
    struct mapper_conf conf;
    struct wh_err err;

    mapper_conf_init(&conf);
    start_mapper(s, &conf, 1000);
    wh_buf_reset(&s->value);
    th_ok(wh_raw_event_encode(&e, &s->value, &err), &err);
    put_bytes(s, wh_buf_slice(&s->value));
    run(s, 30);
    assert_int_equal(wh_bus_mem_count(s->bus, ENTITIES), 0);
    assert_int_equal(wh_bus_mem_count(s->bus, DEAD), 1);
    stop_mapper(s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_maps_and_commits),
        T(test_warms_outputs),
        T(test_commits_only_acknowledged),
        T(test_dead_letter),
        T(test_mentions),
        T(test_back_pressure),
        T(test_back_pressure_of_bytes),
        T(test_breaker),
        T(test_unknown_schema),
        T(test_rereads),
        T(test_delivery_fails),
        T(test_output_is_gone),
        T(test_drain),
        T(test_foreign_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
