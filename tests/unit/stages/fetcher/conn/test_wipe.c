/* What a purge removes from Kafka, and what it leaves. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/base/mem.h"
#include "stages/fetcher/conn/wipe.h"
#include "tests/lib/bus_mem.h"

static const char *const shared[] = {"p.fetch-state", "p.runs", "p.rereads", "p.health"};
static const char *const own[] = {"p.raw.c", "p.entities.c", "p.dead-letter.c"};

enum { SHARED = 4, OWN = 3, PARTITIONS = 3 };

struct fixture {
    struct wh_bus_mem *bus;
    struct wh_admin *admin;
    struct wh_producer *producer;
    struct wipe_task task;
};

static enum wh_rc new_consumer(void *ctx, struct wh_consumer **ret, struct wh_err *err)
{
    struct wh_consumer_conf conf;

    wh_consumer_conf_init(&conf);
    conf.report_ends = true;
    return wh_bus_mem_consumer(ctx, &conf, ret, err);
}

static enum wh_rc new_producer(void *ctx, struct wh_producer **ret, struct wh_err *err)
{
    struct wh_producer_conf conf;

    wh_producer_conf_init(&conf);
    conf.queue_max_bytes = 1 << 20;
    conf.queue_max_records = 2; /* tombstones meet a full queue */
    return wh_bus_mem_producer(ctx, &conf, ret, err);
}

static void put(struct fixture *x, const char *topic, const char *key)
{
    const struct wh_bus_record r = {
        .topic = topic, .partition = -1, .key = wh_slice_str(key), .value = WH_LIT("v")};
    struct wh_err err;

    th_ok(wh_producer_produce(x->producer, &r, &err), &err);
    (void)wh_producer_poll(x->producer, 0);
}

static int set_up(void **state)
{
    struct fixture *x = wh_mem_zalloc(1, sizeof(*x));
    struct wh_err err;

    assert_non_null(x);
    x->bus = wh_bus_mem_new();
    assert_non_null(x->bus);
    for (size_t i = 0; i < SHARED; i++) {
        th_ok(wh_bus_mem_topic(x->bus, shared[i], PARTITIONS, &err), &err);
    }
    th_ok(wh_bus_mem_admin(x->bus, &x->admin, &err), &err);
    th_ok(new_producer(x->bus, &x->producer, &err), &err);
    x->task = (struct wipe_task){.connection = "c",
                                 .topic_prefix = "p.",
                                 .admin = x->admin,
                                 .consumer_new = new_consumer,
                                 .producer_new = new_producer,
                                 .ctx = x->bus};
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    wh_producer_free(x->producer);
    wh_admin_free(x->admin);
    wh_bus_mem_free(x->bus);
    wh_mem_free(x);
    return 0;
}

/* The newest record of the key in the topic has a value. */
static bool holds(const struct fixture *x, const char *topic, const char *key)
{
    const struct wh_bus_header *headers;
    struct wh_bus_msg msg;
    bool held = false;
    size_t n;

    for (size_t i = 0; wh_bus_mem_get(x->bus, topic, i, &msg, &headers, &n); i++) {
        if (wh_slice_eq(msg.key, wh_slice_str(key))) {
            held = msg.value.ptr != NULL;
        }
    }
    return held;
}

static bool is_listed(const struct fixture *x, const char *topic)
{
    struct wh_bus_topic_info *list;
    bool there = false;
    struct wh_err err;
    size_t n;

    th_ok(wh_admin_list(x->admin, 0, &list, &n, &err), &err);
    for (size_t i = 0; i < n; i++) {
        there |= strcmp(list[i].name, topic) == 0;
    }
    wh_bus_topic_list_free(list, n);
    return there;
}

static void test_its_topics_and_keys_go(void **state)
{
    static const char *const ours[] = {"c", "c:7:issues", "c::sync", "c:outcome"};
    static const char *const others[] = {"c2", "cc:7:issues", "x:c", "d:outcome"};
    struct fixture *x = *state;
    struct wipe_report report = {0};
    struct wh_err err;

    for (size_t i = 0; i < OWN; i++) {
        th_ok(wh_bus_mem_topic(x->bus, own[i], 1, &err), &err);
    }
    th_ok(wh_bus_mem_topic(x->bus, "p.raw.c2", 1, &err), &err);
    for (size_t i = 0; i < SHARED; i++) {
        for (size_t k = 0; k < 4; k++) {
            put(x, shared[i], ours[k]);
            put(x, shared[i], others[k]);
        }
    }
    th_ok(wipe_connection(&x->task, &report, &err), &err);
    assert_int_equal(report.topics, OWN);
    assert_int_equal(report.keys, SHARED * 4);
    for (size_t i = 0; i < OWN; i++) {
        assert_false(is_listed(x, own[i]));
    }
    assert_true(is_listed(x, "p.raw.c2"));
    for (size_t i = 0; i < SHARED; i++) {
        for (size_t k = 0; k < 4; k++) {
            assert_false(holds(x, shared[i], ours[k]));
            assert_true(holds(x, shared[i], others[k]));
        }
    }
    /* Once more: nothing is left to remove. */
    report = (struct wipe_report){0};
    th_ok(wipe_connection(&x->task, &report, &err), &err);
    assert_int_equal(report.topics, 0);
}

static void test_a_tombstone_that_kafka_refuses_is_a_failure(void **state)
{
    struct fixture *x = *state;
    struct wipe_report report = {0};
    struct wh_err err;

    put(x, "p.runs", "c:1");
    put(x, "p.health", "c:outcome");
    wh_bus_mem_fail(x->bus, WH_BUS_MEM_DELIVERY, 1, 1, WH_E_UNAVAILABLE);
    assert_int_equal(wipe_connection(&x->task, &report, &err), WH_E_UNAVAILABLE);
    th_ok(wipe_connection(&x->task, &report, &err), &err);
    assert_false(holds(x, "p.runs", "c:1"));
    assert_false(holds(x, "p.health", "c:outcome"));
}

static void test_kafka_is_away(void **state)
{
    struct fixture *x = *state;
    struct wipe_report report = {0};
    struct wh_err err;

    put(x, "p.runs", "c:1");
    for (size_t skip = 0; skip < 4; skip++) {
        wh_bus_mem_fail(x->bus, WH_BUS_MEM_ADMIN, skip, 1, WH_E_UNAVAILABLE);
        assert_int_equal(wipe_connection(&x->task, &report, &err), WH_E_UNAVAILABLE);
    }
    th_ok(wipe_connection(&x->task, &report, &err), &err);
    assert_false(holds(x, "p.runs", "c:1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(test_its_topics_and_keys_go),
        T(test_a_tombstone_that_kafka_refuses_is_a_failure),
        T(test_kafka_is_away),
    };

    return cmocka_run_group_tests_name("wipe", tests, NULL, NULL);
}
