/*
 * The mapper over one event with each allocation failing once. No memory says nothing about the
 * event: it is no dead letter, its offset stays, the stage ends with a FATAL error or goes on; and
 * the next mapper maps it.
 */
#include "common/base/mem.h"
#include "tests/lib/bus_mem.h"
#include "common/event/raw_event.h"
#include "stages/mapper/mapper.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_fault.h"

#define RAW "wellhead.raw.c1"
#define ENTITIES "wellhead.entities.c1"
#define DEAD "wellhead.dead-letter.c1"
#define REREADS "wellhead.rereads"
#define GROUP "wellhead-mapper"

enum { MANY = 5000, TURNS = 30 };

/* An author known by number alone asks for a read; labels, people and a description are mapped. */
static const char issue[] =
    "{\"id\":5,\"iid\":3,\"project_id\":14,\"title\":\"t\",\"description\":\"d\",\"state\":"
    "\"opened\","
    "\"labels\":[\"a\",\"b\"],\"author\":{\"id\":7,\"username\":\"u\",\"name\":\"n\"},"
    "\"assignees\":[{\"id\":8,\"username\":\"v\"}],\"created_at\":\"2026-01-01T00:00:00.000Z\","
    "\"updated_at\":\"2026-01-01T00:00:00.500Z\"}";

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
    (void)ctx;
}

static void start(struct stage *s)
{
    const struct mapper_deps deps = {.views = s->views,
                                     .clock = {now, mono, s},
                                     .on_fatal = on_fatal,
                                     .on_drained = on_drained,
                                     .ctx = s};
    struct mapper_conf conf;
    struct wh_producer_conf pc;
    struct wh_consumer_conf cc;
    struct wh_err err;

    mapper_conf_init(&conf);
    th_ok(mapper_new(&deps, &conf, &s->mapper, &err), &err);
    wh_producer_conf_init(&pc);
    th_ok(wh_bus_mem_producer(s->bus, &pc, &s->producer, &err), &err);
    wh_consumer_conf_init(&cc);
    cc.group = GROUP;
    cc.rebalance = mapper_rebalance(s->mapper);
    th_ok(wh_bus_mem_consumer(s->bus, &cc, &s->consumer, &err), &err);
    th_ok(mapper_start(s->mapper, s->consumer, s->producer, &err), &err);
}

static void stop(struct stage *s)
{
    wh_consumer_free(s->consumer);
    wh_producer_free(s->producer);
    mapper_free(s->mapper);
}

static void put(struct stage *s, const char *json)
{
    const struct wh_raw_event e = {.connection = WH_LIT("c1"),
                                   .instance = WH_LIT("https://gitlab.example.com"),
                                   .origin = WH_ORIGIN_REST,
                                   .kind = WH_LIT("issue"),
                                   .project = WH_LIT("14"),
                                   .object_id = WH_LIT("5"),
                                   .observed_at_ms = 1700000000000,
                                   .delivery_id = WH_LIT("d"),
                                   .payload = wh_slice_str(json)};
    struct wh_bus_record r = {.topic = RAW, .key = WH_LIT("issue:14:5")};
    struct wh_buf value;
    struct wh_err err;

    wh_buf_init(&value, 1 << 20);
    th_ok(wh_raw_event_encode(&e, &value, &err), &err);
    r.value = wh_buf_slice(&value);
    th_ok(wh_producer_produce(s->writer, &r, &err), &err);
    (void)wh_producer_poll(s->writer, 0);
    wh_buf_done(&value);
}

static void world_open(struct stage *s, struct mapper_views *views)
{
    static const char *const topics[] = {RAW, ENTITIES, DEAD, REREADS};
    struct wh_producer_conf pc;
    struct wh_err err;

    *s = (struct stage){.views = views, .now_ms = 1700000000000, .bus = wh_bus_mem_new()};
    assert_non_null(s->bus);
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        th_ok(wh_bus_mem_topic(s->bus, topics[i], 1, &err), &err);
    }
    wh_producer_conf_init(&pc);
    th_ok(wh_bus_mem_producer(s->bus, &pc, &s->writer, &err), &err);
}

static void world_close(struct stage *s)
{
    wh_producer_free(s->writer);
    wh_bus_mem_free(s->bus);
}

static void run(struct stage *s)
{
    for (unsigned i = 0; i < TURNS && s->fatal.rc == WH_OK; i++) {
        (void)mapper_turn(s->mapper);
        s->now_ms += 100;
        mapper_tick(s->mapper);
    }
}

static int64_t committed(const struct stage *s)
{
    return wh_bus_mem_committed(s->bus, GROUP, RAW, 0);
}

static size_t count(const struct stage *s, const char *topic)
{
    return wh_bus_mem_count(s->bus, topic);
}

/* What the event gives without a fault. */
static size_t records_of(struct mapper_views *views, const char *json, const char *topic)
{
    struct stage s;
    size_t n;

    world_open(&s, views);
    start(&s);
    put(&s, json);
    run(&s);
    assert_int_equal(committed(&s), 1);
    n = count(&s, topic);
    stop(&s);
    world_close(&s);
    return n;
}

/* json gives records in `topic` alone, of the two; none of them is lost, none goes elsewhere. */
static void walk(const char *json, const char *topic, const char *never)
{
    struct mapper_views *views;
    struct th_fault fault;
    struct wh_err err;
    size_t expected;
    bool more = true;
    long n = 0;

    th_ok(mapper_views_load(NULL, &views, &err), &err);
    expected = records_of(views, json, topic);
    assert_true(expected > 0);
    for (; more; n++) {
        struct stage s;

        assert_true(n < MANY);
        world_open(&s, views);
        start(&s);
        put(&s, json);
        th_fault_arm(&fault, n);
        run(&s);
        more = th_fault_disarm(&fault);
        assert_true(s.fatal.rc == WH_OK || wh_rc_class(s.fatal.rc) == WH_CLASS_FATAL);
        if (committed(&s) > 0) {
            assert_true(count(&s, topic) >= expected);
        }
        stop(&s);
        /* After a restart, with memory. */
        s.fatal.rc = WH_OK;
        start(&s);
        run(&s);
        assert_int_equal(s.fatal.rc, WH_OK);
        assert_int_equal(committed(&s), 1);
        assert_true(count(&s, topic) >= expected);
        assert_int_equal(count(&s, never), 0);
        stop(&s);
        world_close(&s);
    }
    assert_true(n > 10);
    mapper_views_free(views);
}

static void test_mapped(void **state)
{
    (void)state;
    walk(issue, ENTITIES, DEAD);
}

static void test_dead_letter(void **state)
{
    (void)state;
    walk("{\"id\":\"not a number\"", DEAD, ENTITIES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mapped),
        cmocka_unit_test(test_dead_letter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
