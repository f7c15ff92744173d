/* Streams that the mapper holds while it maps all others (stages/mapper/streams.h). */
#include <stdio.h>

#include "common/event/observation.h"
#include "tests/lib/th_mapper.h"

#define ENTITIES1 "wellhead.entities.c1"
#define ENTITIES2 "wellhead.entities.c2"
#define DEAD1 "wellhead.dead-letter.c1"
#define DEAD2 "wellhead.dead-letter.c2"

enum { TURNS = 30, QUEUE = 100000, BAD = 1000 };

/* An event of a schema id that no build knows. */
static const char unknown_schema[] = "\0\0\0\x01\x01rest";

static void put_bad(struct th_mapper *s, const char *connection, enum wh_origin origin, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        th_mapper_put(s, connection, origin, "issue", "{\"id\":\"x\",\"object_attributes\":7}");
    }
}

static size_t dead(const struct th_mapper *s, const char *topic)
{
    return wh_bus_mem_count(s->bus, topic);
}

/* The held streams as "c1/webhook c2/rest". */
static const char *held(const struct th_mapper *s, char out[256])
{
    struct wh_heartbeat h = {0};
    size_t len = 0;

    mapper_held(s->mapper, &h);
    out[0] = '\0';
    for (size_t i = 0; i < h.n_held; i++) {
        len += (size_t)snprintf(out + len, 256 - len, "%s%.*s/%.*s", i ? " " : "",
                                WH_SLICE_ARG(h.held[i].connection), WH_SLICE_ARG(h.held[i].what));
    }
    return out;
}

static bool reason_has(const struct th_mapper *s, const char *words)
{
    struct wh_heartbeat h = {0};
    char text[WH_ERR_MSG_MAX];

    mapper_held(s->mapper, &h);
    assert_int_equal(h.n_held, 1);
    assert_true(h.held[0].since_ms >= 1700000000000);
    (void)snprintf(text, sizeof(text), "%.*s", WH_SLICE_ARG(h.held[0].reason));
    return strstr(text, words) != NULL;
}

static void start(struct th_mapper *s)
{
    struct mapper_conf conf;

    mapper_conf_init(&conf);
    th_mapper_start(s, &conf, QUEUE);
}

/* One tenant sends nothing but what cannot be mapped; the other one is served. */
static void test_two_tenants(void **state)
{
    struct th_mapper *s = *state;
    char text[256];

    start(s);
    put_bad(s, "c1", WH_ORIGIN_WEBHOOK, BAD);
    for (unsigned i = 1; i <= BAD; i++) {
        th_mapper_put_issue(s, "c2", WH_ORIGIN_WEBHOOK, i);
    }
    th_mapper_run(s, TURNS);
    assert_int_equal(wh_bus_mem_count(s->bus, ENTITIES2), BAD);
    assert_int_equal(th_mapper_committed(s, "c2"), BAD);
    assert_int_equal(dead(s, DEAD1), 200);
    assert_int_equal(th_mapper_committed(s, "c1"), 200);
    assert_int_equal(s->fatal.rc, WH_OK);
    assert_null(mapper_not_ready(s->mapper));
    assert_string_equal(held(s, text), "c1/webhook");
    assert_true(reason_has(s, "200 of the last 200 events could not be mapped"));
    assert_true(th_mapper_metric_is(
        s, "wellhead_mapper_stream_held{connection=\"c1\",stream=\"webhook\"} 1"));
    assert_true(th_mapper_metric_is(s, "wellhead_mapper_events_total{result=\"held\"} 800"));
    assert_true(th_mapper_metric_is(s, "wellhead_records_dead_lettered_total{stage=\"mapper\","
                                       "code=\"missing\",connection=\"c1\"} 200"));
    /* For as long as it takes: the stage does not end. */
    s->now_ms += 60000;
    th_mapper_put_issue(s, "c2", WH_ORIGIN_REST, 5000);
    th_mapper_run(s, TURNS);
    assert_true(th_mapper_has_issue(s, "c2", 5000));
    assert_int_equal(s->fatal.rc, WH_OK);
    th_mapper_stop(s);
}

/* Reads of a tenant whose webhooks are held go on, in the same partition, behind what is held. */
static void test_two_origins(void **state)
{
    struct th_mapper *s = *state;
    char text[256];

    start(s);
    for (unsigned i = 1; i <= BAD; i++) {
        put_bad(s, "c1", WH_ORIGIN_WEBHOOK, 1);
        th_mapper_put_issue(s, "c1", WH_ORIGIN_REST, i);
    }
    th_mapper_run(s, TURNS);
    assert_string_equal(held(s, text), "c1/webhook");
    assert_int_equal(wh_bus_mem_count(s->bus, ENTITIES1), BAD);
    assert_int_equal(dead(s, DEAD1), 200);
    /* The offset stays at the first event that is held. */
    assert_int_equal(th_mapper_committed(s, "c1"), 400);
    th_mapper_stop(s);
}

/* Fewer failures than half, or fewer events than the minimum, hold nothing. */
static void test_some_failures(void **state)
{
    struct th_mapper *s = *state;
    char text[256];

    start(s);
    put_bad(s, "c2", WH_ORIGIN_REST, 199);
    for (unsigned i = 1; i <= BAD; i++) {
        th_mapper_put_issue(s, "c1", WH_ORIGIN_WEBHOOK, i);
        put_bad(s, "c1", WH_ORIGIN_WEBHOOK, 1);
    }
    th_mapper_run(s, TURNS);
    assert_string_equal(held(s, text), "");
    assert_int_equal(dead(s, DEAD1), BAD);
    assert_int_equal(dead(s, DEAD2), 199);
    assert_int_equal(th_mapper_committed(s, "c1"), 2 * BAD);
    th_mapper_stop(s);
}

/* The good events behind a burst of bad ones are mapped after some retries, and none is lost. */
static void test_recovers(void **state)
{
    struct th_mapper *s = *state;
    int64_t started = s->now_ms;
    char text[256];

    start(s);
    put_bad(s, "c1", WH_ORIGIN_WEBHOOK, 300);
    th_mapper_put_issue(s, "c1", WH_ORIGIN_REST, 1);
    for (unsigned i = 2; i <= 600; i++) {
        th_mapper_put_issue(s, "c1", WH_ORIGIN_WEBHOOK, i);
    }
    th_mapper_run(s, TURNS);
    assert_string_equal(held(s, text), "c1/webhook");
    assert_true(th_mapper_has_issue(s, "c1", 1));
    assert_false(th_mapper_has_issue(s, "c1", 600));
    assert_int_equal(th_mapper_committed(s, "c1"), 200);
    s->now_ms = started + 300000;
    th_mapper_run(s, TURNS);
    assert_string_equal(held(s, text), "");
    assert_int_equal(dead(s, DEAD1), 300);
    assert_int_equal(th_mapper_committed(s, "c1"), 300 + 600);
    for (unsigned i = 1; i <= 600; i += 100) {
        assert_true(th_mapper_has_issue(s, "c1", i));
    }
    assert_true(th_mapper_metric_is(
        s, "wellhead_mapper_stream_held{connection=\"c1\",stream=\"webhook\"} 0"));
    th_mapper_stop(s);
}

/* A stream that stays bad is tried less and less often. */
static void test_retries_are_rare(void **state)
{
    struct th_mapper *s = *state;
    char text[256];
    unsigned retries = 0;
    size_t letters = 200;

    start(s);
    put_bad(s, "c1", WH_ORIGIN_WEBHOOK, 20 * 200);
    th_mapper_run(s, TURNS);
    for (unsigned minute = 0; minute < 24 * 60; minute++) {
        s->now_ms += 60000 - 2 * 100;
        th_mapper_run(s, 2);
        retries += dead(s, DEAD1) != letters;
        letters = dead(s, DEAD1);
        assert_int_equal(letters % 200, 0);
    }
    assert_string_equal(held(s, text), "c1/webhook");
    assert_in_range(retries, 5, 10);
    assert_int_equal(letters, 200 * (retries + 1));
    assert_int_equal(th_mapper_committed(s, "c1"), (int64_t)letters);
    th_mapper_stop(s);
}

/* A restart begins at the first held event, with a view that maps it or not. */
static void test_restart(void **state)
{
    struct th_mapper *s = *state;
    char text[256];

    start(s);
    put_bad(s, "c1", WH_ORIGIN_WEBHOOK, 250);
    for (unsigned i = 1; i <= 100; i++) {
        th_mapper_put_issue(s, "c1", WH_ORIGIN_WEBHOOK, i);
        th_mapper_put_issue(s, "c1", WH_ORIGIN_REST, 1000 + i);
    }
    th_mapper_run(s, TURNS);
    assert_string_equal(held(s, text), "c1/webhook");
    assert_true(th_mapper_has_issue(s, "c1", 1100));
    assert_false(th_mapper_has_issue(s, "c1", 1));
    th_mapper_stop(s);
    assert_int_equal(th_mapper_committed(s, "c1"), 200);
    start(s);
    th_mapper_run(s, TURNS);
    assert_string_equal(held(s, text), "");
    assert_int_equal(dead(s, DEAD1), 250);
    assert_true(th_mapper_has_issue(s, "c1", 1));
    assert_true(th_mapper_has_issue(s, "c1", 100));
    assert_int_equal(th_mapper_committed(s, "c1"), 450);
    th_mapper_stop(s);
}

/* Another member joins the group and leaves it; the stream is held on, and its offset stays. */
static void test_rebalance(void **state)
{
    struct th_mapper *s = *state;
    static const char *const topics[] = {"^wellhead\\.raw\\..+"};
    struct wh_consumer_conf cc;
    struct wh_consumer *other;
    struct wh_bus_msg msgs[1];
    struct wh_err err;
    char text[256];
    size_t n;

    start(s);
    put_bad(s, "c1", WH_ORIGIN_WEBHOOK, BAD);
    th_mapper_put_issue(s, "c1", WH_ORIGIN_REST, 1);
    th_mapper_run(s, TURNS);
    assert_int_equal(th_mapper_committed(s, "c1"), 200);
    wh_consumer_conf_init(&cc);
    cc.group = TH_MAPPER_GROUP;
    th_ok(wh_bus_mem_consumer(s->bus, &cc, &other, &err), &err);
    th_ok(wh_consumer_subscribe(other, topics, 1, &err), &err);
    th_mapper_run(s, 2);
    th_ok(wh_consumer_poll(other, 0, 1, msgs, &n, &err), &err);
    wh_consumer_free(other);
    th_mapper_put_issue(s, "c1", WH_ORIGIN_REST, 2);
    th_mapper_run(s, TURNS);
    assert_string_equal(held(s, text), "c1/webhook");
    assert_int_equal(dead(s, DEAD1), 200);
    assert_true(th_mapper_has_issue(s, "c1", 2));
    assert_int_equal(th_mapper_committed(s, "c1"), 200);
    th_mapper_stop(s);
}

/* A newer writer's event waits for a newer build, without a dead letter and without stopping others. */
static void test_unknown_schema(void **state)
{
    struct th_mapper *s = *state;
    char text[256];

    start(s);
    th_mapper_put_issue(s, "c1", WH_ORIGIN_REST, 5);
    th_mapper_put_bytes(s, "c1", wh_slice(unknown_schema, sizeof(unknown_schema) - 1));
    th_mapper_put_issue(s, "c1", WH_ORIGIN_REST, 6);
    th_mapper_put_issue(s, "c2", WH_ORIGIN_REST, 7);
    th_mapper_run(s, 100);
    assert_string_equal(held(s, text), "c1/unreadable");
    assert_int_equal(dead(s, DEAD1), 0);
    assert_int_equal(th_mapper_committed(s, "c1"), 1);
    assert_int_equal(th_mapper_committed(s, "c2"), 1);
    assert_true(th_mapper_has_issue(s, "c1", 6));
    assert_true(th_mapper_has_issue(s, "c2", 7));
    assert_int_equal(s->fatal.rc, WH_OK);
    th_mapper_stop(s);
}

/*
 * A topic to write to is gone, or rejects a record. Nothing of this connection is committed past what is
 * stored, and a retry maps it again.
 */
static void rejected(struct th_mapper *s, enum wh_rc rc, const char *reason)
{
    char text[256];

    start(s);
    for (unsigned i = 5; i < 8; i++) {
        th_mapper_put_issue(s, "c1", WH_ORIGIN_REST, i);
    }
    wh_bus_mem_fail(s->bus, WH_BUS_MEM_DELIVERY, 1, 1, rc);
    th_mapper_run(s, 3);
    th_mapper_put_issue(s, "c1", WH_ORIGIN_WEBHOOK, 8);
    th_mapper_put_issue(s, "c2", WH_ORIGIN_WEBHOOK, 9);
    th_mapper_run(s, TURNS);
    assert_string_equal(held(s, text), "c1/");
    assert_true(reason_has(s, reason));
    assert_true(th_mapper_committed(s, "c1") <= 1);
    assert_int_equal(th_mapper_committed(s, "c2"), 1);
    assert_true(th_mapper_has_issue(s, "c2", 9));
    assert_int_equal(s->fatal.rc, WH_OK);
    s->now_ms += 300000;
    th_mapper_run(s, TURNS);
    assert_string_equal(held(s, text), "");
    assert_int_equal(th_mapper_committed(s, "c1"), 4);
    for (unsigned i = 5; i < 9; i++) {
        assert_true(th_mapper_has_issue(s, "c1", i));
    }
    th_mapper_stop(s);
}

static void test_output_is_gone(void **state)
{
    rejected(*state, WH_E_NOT_FOUND, "does not exist");
}

static void test_record_is_rejected(void **state)
{
    rejected(*state, WH_E_TOO_LARGE, "rejects a record");
}

/* A replay is of one connection alone: it ends and says why. */
static void test_replay(void **state)
{
    struct th_mapper *s = *state;
    const struct wh_bus_partition end = {.topic = "wellhead.raw.c1", .offset = BAD + 1};
    struct mapper_conf conf;

    put_bad(s, "c1", WH_ORIGIN_WEBHOOK, BAD);
    th_mapper_put_issue(s, "c1", WH_ORIGIN_REST, 1);
    mapper_conf_init(&conf);
    conf.replay_connection = "c1";
    conf.ends = &end;
    conf.n_ends = 1;
    th_mapper_start(s, &conf, QUEUE);
    th_mapper_run(s, TURNS);
    assert_int_equal(wh_rc_class(s->fatal.rc), WH_CLASS_FATAL);
    assert_non_null(strstr(s->fatal.msg, "200 of the last 200"));
    assert_false(s->drained);
    assert_int_equal(th_mapper_committed(s, "c1"), 200);
    th_mapper_stop(s);
}

/* Held streams do not keep the stage from ending in order. */
static void test_drain(void **state)
{
    struct th_mapper *s = *state;

    start(s);
    put_bad(s, "c1", WH_ORIGIN_WEBHOOK, BAD);
    th_mapper_run(s, TURNS);
    mapper_drain(s->mapper);
    (void)mapper_turn(s->mapper);
    assert_true(s->drained);
    th_mapper_stop(s);
    assert_int_equal(th_mapper_committed(s, "c1"), 200);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, th_mapper_setup, th_mapper_teardown)
    const struct CMUnitTest tests[] = {
        T(test_two_tenants),        T(test_two_origins),      T(test_some_failures),
        T(test_recovers),           T(test_retries_are_rare), T(test_restart),
        T(test_rebalance),          T(test_unknown_schema),   T(test_output_is_gone),
        T(test_record_is_rejected), T(test_replay),           T(test_drain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
