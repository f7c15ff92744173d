/* The twin behaves as bus.h says; tests/broker asks the same of the real client. */
#include "tests/lib/bus_mem.h"

#include <string.h>

#include "tests/lib/th_bus.h"
#include "tests/lib/th_cmocka.h"

struct fixture {
    struct wh_bus_mem *bus;
    struct th_deliveries seen;
    struct wh_producer *producer;
};

static int set_up(void **state)
{
    static struct fixture f;
    struct wh_producer_conf conf;
    struct wh_err err;

    memset(&f, 0, sizeof(f));
    f.bus = wh_bus_mem_new();
    assert_non_null(f.bus);
    th_ok(wh_bus_mem_topic(f.bus, "t", 4, &err), &err);
    wh_producer_conf_init(&conf);
    conf.queue_max_records = 50;
    th_ok(wh_bus_mem_producer(f.bus, &conf, &f.producer, &err), &err);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    wh_producer_free(f->producer);
    wh_bus_mem_free(f->bus);
    return 0;
}

static struct wh_consumer *group_member(struct fixture *f, const char *group)
{
    static const char *const topics[] = {"^t.*"};
    struct wh_consumer_conf conf;
    struct wh_consumer *c;
    struct wh_err err;

    wh_consumer_conf_init(&conf);
    conf.group = group;
    th_ok(wh_bus_mem_consumer(f->bus, &conf, &c, &err), &err);
    th_ok(wh_consumer_subscribe(c, topics, 1, &err), &err);
    return c;
}

static void test_every_record_is_delivered_once(void **state)
{
    struct fixture *f = *state;

    th_produce_numbers(f->producer, &f->seen, "t", 0, 30);
    assert_int_equal(f->seen.n, 0);
    assert_int_equal(wh_producer_pending(f->producer), 30);
    th_deliver_all(f->producer);
    th_deliveries_are(&f->seen, 30, WH_OK);
    assert_int_equal(wh_bus_mem_count(f->bus, "t"), 30);
}

static void test_same_key_same_partition_in_order(void **state)
{
    struct fixture *f = *state;
    struct wh_consumer *c = group_member(f, "g");

    th_produce_numbers(f->producer, &f->seen, "t", 0, 40);
    th_deliver_all(f->producer);
    th_consume_numbers(c, 0, 40);
    wh_consumer_free(c);
}

static void test_resumes_at_what_was_committed(void **state)
{
    struct fixture *f = *state;
    struct wh_consumer *c = group_member(f, "g");

    th_produce_numbers(f->producer, &f->seen, "t", 0, 20);
    th_deliver_all(f->producer);
    th_consume_numbers(c, 0, 20);
    th_commit_all(c, "t", 4);
    th_produce_numbers(f->producer, &f->seen, "t", 20, 10);
    th_deliver_all(f->producer);
    /* Read, but not committed: comes again. */
    th_consume_numbers(c, 20, 10);
    wh_consumer_free(c);
    c = group_member(f, "g");
    th_consume_numbers(c, 20, 10);
    wh_consumer_free(c);
    c = group_member(f, "another");
    th_consume_numbers(c, 0, 30);
    wh_consumer_free(c);
}

static void test_queue_full(void **state)
{
    struct fixture *f = *state;
    struct wh_err err;

    wh_bus_mem_hold(f->bus, true);
    th_produce_numbers(f->producer, &f->seen, "t", 0, 50);
    assert_int_equal(th_produce(f->producer, &f->seen, "t", 50, &err), WH_E_BUSY);
    (void)wh_producer_poll(f->producer, 0);
    assert_int_equal(f->seen.n, 0);
    assert_int_equal(wh_producer_flush(f->producer, 0, &err), WH_E_TIMEOUT);
    wh_bus_mem_hold(f->bus, false);
    th_deliver_all(f->producer);
    th_deliveries_are(&f->seen, 50, WH_OK);
}

static void test_faults(void **state)
{
    struct fixture *f = *state;
    struct wh_consumer *c = group_member(f, "g");
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n;

    wh_bus_mem_fail(f->bus, WH_BUS_MEM_PRODUCE, 1, 1, WH_E_FATAL_BUS);
    assert_int_equal(th_produce(f->producer, &f->seen, "t", 0, &err), WH_OK);
    assert_int_equal(th_produce(f->producer, &f->seen, "t", 1, &err), WH_E_FATAL_BUS);
    wh_bus_mem_fail(f->bus, WH_BUS_MEM_DELIVERY, 0, 1, WH_E_TIMEOUT);
    th_deliver_all(f->producer);
    th_deliveries_are(&f->seen, 1, WH_E_TIMEOUT);
    /* What was not delivered is not there. */
    assert_int_equal(wh_bus_mem_count(f->bus, "t"), 0);
    wh_bus_mem_fail(f->bus, WH_BUS_MEM_POLL, 0, 1, WH_E_FATAL_BUS);
    assert_int_equal(wh_consumer_poll(c, 0, 1, &msg, &n, &err), WH_E_FATAL_BUS);
    th_ok(wh_consumer_poll(c, 0, 1, &msg, &n, &err), &err);
    wh_consumer_free(c);
}

static void test_unknown_topic(void **state)
{
    struct fixture *f = *state;
    struct wh_err err;

    assert_int_equal(wh_producer_warm(f->producer, "t", 0, &err), WH_OK);
    assert_int_equal(wh_producer_warm(f->producer, "nowhere", 0, &err), WH_E_NOT_FOUND);
}

static void test_by_hand(void **state)
{
    struct fixture *f = *state;
    const struct wh_bus_partition from[] = {{"t", 0, WH_OFFSET_BEGINNING}, {"t", 1, WH_OFFSET_END}};
    struct wh_consumer_conf conf;
    struct wh_consumer *c;
    struct wh_bus_msg msgs[64];
    struct wh_err err;
    int64_t low;
    int64_t high;
    size_t n;

    th_produce_numbers(f->producer, &f->seen, "t", 0, 40);
    th_deliver_all(f->producer);
    wh_consumer_conf_init(&conf);
    th_ok(wh_bus_mem_consumer(f->bus, &conf, &c, &err), &err);
    th_ok(wh_consumer_assign(c, from, 2, &err), &err);
    th_ok(wh_consumer_watermarks(c, "t", 0, 0, &low, &high, &err), &err);
    assert_int_equal(low, 0);
    assert_true(high > 0 && high < 40);
    th_ok(wh_consumer_poll(c, 0, 64, msgs, &n, &err), &err);
    assert_int_equal(n, high);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(msgs[i].partition, 0);
        assert_int_equal(msgs[i].offset, i);
    }
    wh_consumer_free(c);
}

/* What a member of a group holds, and how often that changed. */
struct holding {
    bool parts[4];
    size_t n;
    unsigned revoked;
};

static void hold_parts(void *ctx, const struct wh_bus_partition *parts, size_t n)
{
    struct holding *h = ctx;

    for (size_t i = 0; i < n; i++) {
        assert_false(h->parts[parts[i].partition]);
        h->parts[parts[i].partition] = true;
        h->n++;
    }
}

static void give_back(void *ctx, const struct wh_bus_partition *parts, size_t n, bool lost)
{
    struct holding *h = ctx;

    assert_false(lost);
    for (size_t i = 0; i < n; i++) {
        assert_true(h->parts[parts[i].partition]);
        h->parts[parts[i].partition] = false;
        h->n--;
    }
    h->revoked++;
}

static struct wh_consumer *holding_member(struct fixture *f, struct holding *h)
{
    static const char *const topics[] = {"t"};
    struct wh_consumer_conf conf;
    struct wh_consumer *c;
    struct wh_err err;

    *h = (struct holding){.n = 0};
    wh_consumer_conf_init(&conf);
    conf.group = "shared";
    conf.rebalance = (struct wh_bus_rebalance){hold_parts, give_back, h};
    th_ok(wh_bus_mem_consumer(f->bus, &conf, &c, &err), &err);
    th_ok(wh_consumer_subscribe(c, topics, 1, &err), &err);
    return c;
}

static void poll_once(struct wh_consumer *c)
{
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n;

    th_ok(wh_consumer_poll(c, 0, 1, &msg, &n, &err), &err);
}

static void test_a_group_shares_partitions(void **state)
{
    struct fixture *f = *state;
    struct holding first;
    struct holding second;
    struct wh_consumer *a = holding_member(f, &first);
    struct wh_consumer *b;

    poll_once(a);
    assert_int_equal(first.n, 4);
    b = holding_member(f, &second);
    poll_once(b);
    assert_int_equal(second.n, 0); /* the first one has not given anything back yet */
    poll_once(a);
    poll_once(b);
    assert_true(first.parts[0] && first.parts[1] && first.n == 2);
    assert_true(second.parts[2] && second.parts[3] && second.n == 2);
    wh_consumer_free(a);
    poll_once(b);
    assert_int_equal(second.n, 4);
    wh_consumer_free(b);
    assert_int_equal(second.n, 0);
}

static void test_other_topics_do_not_disturb_a_group(void **state)
{
    struct fixture *f = *state;
    struct holding held;
    struct wh_consumer *c = holding_member(f, &held);
    struct wh_err err;

    poll_once(c);
    th_ok(wh_bus_mem_topic(f->bus, "u", 1, &err), &err);
    poll_once(c);
    assert_int_equal(held.n, 4);
    assert_int_equal(held.revoked, 0);
    wh_consumer_free(c);
}

static void test_offsets_of_several_partitions(void **state)
{
    struct fixture *f = *state;
    struct wh_bus_partition parts[] = {
        {.topic = "t", .partition = 0}, {.topic = "t", .partition = 9}, /* no such partition */
        {.topic = "t", .partition = 1}, {.topic = "t", .partition = 2},
        {.topic = "t", .partition = 3},
    };
    int64_t end = 0;
    struct wh_admin *admin;
    struct wh_err err;

    th_produce_numbers(f->producer, &f->seen, "t", 0, 30);
    th_deliver_all(f->producer);
    th_ok(wh_bus_mem_admin(f->bus, &admin, &err), &err);
    th_ok(wh_admin_offsets(admin, parts, 5, WH_OFFSET_END, 1000, &err), &err);
    assert_int_equal(parts[0].offset + parts[2].offset + parts[3].offset + parts[4].offset, 30);
    assert_int_equal(parts[1].offset, WH_OFFSET_STORED);
    th_ok(wh_admin_offset(admin, "t", 3, WH_OFFSET_END, 1000, &end, &err), &err);
    assert_int_equal(end, parts[4].offset);
    th_ok(wh_admin_offsets(admin, parts, 5, WH_OFFSET_BEGINNING, 1000, &err), &err);
    assert_int_equal(parts[0].offset, 0);
    assert_int_equal(wh_admin_offsets(admin, parts + 1, 1, WH_OFFSET_END, 1000, &err),
                     WH_E_NOT_FOUND);
    th_ok(wh_admin_offsets(admin, parts, 0, WH_OFFSET_END, 1000, &err), &err);
    wh_admin_free(admin);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_every_record_is_delivered_once),
        TEST(test_same_key_same_partition_in_order),
        TEST(test_resumes_at_what_was_committed),
        TEST(test_queue_full),
        TEST(test_faults),
        TEST(test_unknown_topic),
        TEST(test_by_hand),
        TEST(test_offsets_of_several_partitions),
        TEST(test_a_group_shares_partitions),
        TEST(test_other_topics_do_not_disturb_a_group),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
