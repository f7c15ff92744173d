/* A real loop, the bus in memory; record i has the value i as text. */
#include "common/bus/tail.h"

#include <semaphore.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/lib/bus_mem.h"
#include "tests/lib/th_cmocka.h"

enum { GAP = 3, FAR_MAX = 20000, KEYS = 8 };

/* Wraps the admin and the consumer: the last GAP offsets of each partition hold no record. */
struct gap_admin {
    struct wh_admin base;
    struct wh_admin *real;
    atomic_bool asked; /* a question has arrived */
    sem_t *gate;       /* where it waits; NULL: nowhere */
};

struct gap_consumer {
    struct wh_consumer base;
    struct wh_consumer *real;
};

struct world {
    struct wh_bus_mem *bus;
    struct wh_producer *producer;
    struct wh_admin *admin;
    struct wh_consumer *consumer;
    struct gap_admin gap_admin;
    struct gap_consumer gap_consumer;
    struct wh_loop *loop;
    struct wh_tail *tail;
    size_t seen[FAR_MAX]; /* how often record i has come */
    size_t n_seen;
    size_t tombstones;
    size_t caught_up_at; /* n_seen then; SIZE_MAX: not yet */
    size_t settled;
    size_t fatals;
    enum wh_rc fatal_rc;
    size_t fail_at; /* the record with this count fails with fail_rc */
    enum wh_rc fail_rc;
    size_t stop_at;
    size_t ticks;
};

/* ---- what the tail calls ---- */

static enum wh_rc on_record(void *ctx, const struct wh_bus_msg *msg, struct wh_err *err)
{
    struct world *w = ctx;
    size_t number = 0;

    for (size_t i = 0; i < msg->value.len; i++) {
        number = number * 10 + (size_t)(msg->value.ptr[i] - '0');
    }
    if (msg->value.ptr == NULL) {
        w->tombstones++;
    } else {
        w->seen[number]++;
    }
    w->n_seen++;
    if (w->n_seen == w->stop_at) {
        (void)wh_tail_stop(w->tail);
    }
    return w->n_seen == w->fail_at ? wh_fail(err, w->fail_rc, "refused on purpose") : WH_OK;
}

static void on_caught_up(void *ctx)
{
    struct world *w = ctx;

    assert_int_equal(w->caught_up_at, SIZE_MAX);
    w->caught_up_at = w->n_seen;
}

static void on_settled(void *ctx)
{
    ((struct world *)ctx)->settled++;
}

static void on_fatal(void *ctx, const struct wh_err *err)
{
    struct world *w = ctx;

    w->fatals++;
    w->fatal_rc = err->rc;
}

/* ---- world ---- */

static void open_consumer(struct world *w)
{
    struct wh_consumer_conf conf;
    struct wh_err err;

    wh_consumer_conf_init(&conf);
    conf.report_ends = true;
    th_ok(wh_bus_mem_consumer(w->bus, &conf, &w->consumer, &err), &err);
}

static int set_up(void **state)
{
    static struct world w;
    struct wh_producer_conf conf;
    struct wh_err err;

    memset(&w, 0, sizeof(w));
    w.caught_up_at = SIZE_MAX;
    w.bus = wh_bus_mem_new();
    w.loop = wh_loop_new();
    assert_non_null(w.bus);
    assert_non_null(w.loop);
    wh_producer_conf_init(&conf);
    conf.queue_max_records = FAR_MAX;
    conf.queue_max_bytes = 64 << 20;
    th_ok(wh_bus_mem_producer(w.bus, &conf, &w.producer, &err), &err);
    th_ok(wh_bus_mem_admin(w.bus, &w.admin, &err), &err);
    open_consumer(&w);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    wh_tail_free(w->tail);
    wh_consumer_free(w->consumer);
    wh_admin_free(w->admin);
    wh_producer_free(w->producer);
    wh_loop_free(w->loop);
    wh_bus_mem_free(w->bus);
    return 0;
}

static void make_topic(struct world *w, int32_t partitions)
{
    struct wh_err err;

    th_ok(wh_bus_mem_topic(w->bus, "t", partitions, &err), &err);
}

/* Records from..from+n-1, by a few keys. */
static void put(struct world *w, size_t from, size_t n)
{
    for (size_t i = from; i < from + n; i++) {
        char key[16];
        char value[16];
        int key_len = snprintf(key, sizeof(key), "k%zu", i % KEYS);
        int value_len = snprintf(value, sizeof(value), "%zu", i);
        const struct wh_bus_record record = {.topic = "t",
                                             .partition = -1,
                                             .key = wh_slice(key, (size_t)key_len),
                                             .value = wh_slice(value, (size_t)value_len)};
        struct wh_err err;

        th_ok(wh_producer_produce(w->producer, &record, &err), &err);
    }
    while (wh_producer_pending(w->producer) > 0) {
        (void)wh_producer_poll(w->producer, 0);
    }
}

static void begin(struct world *w)
{
    const struct wh_tail_conf conf = {
        .consumer = w->gap_consumer.real ? &w->gap_consumer.base : w->consumer,
        .admin = w->gap_admin.real ? &w->gap_admin.base : w->admin,
        .loop = w->loop,
        .topic = "t",
        .on_record = on_record,
        .on_caught_up = on_caught_up,
        .on_settled = on_settled,
        .on_fatal = on_fatal,
        .ctx = w,
    };
    struct wh_err err;

    th_ok(wh_tail_new(&conf, &w->tail, &err), &err);
}

static void turn_until_caught_up(struct world *w)
{
    while (!wh_tail_caught_up(w->tail) && w->fatals == 0) {
        wh_loop_turn(w->loop, true);
    }
}

/* Records 0..n-1, each of them so often, and no tombstone. */
static void each_came(const struct world *w, size_t n, size_t times)
{
    assert_int_equal(w->n_seen, n * times);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(w->seen[i], times);
    }
}

/* ---- reading ---- */

static void reads_to_the_end_and_on(void **state)
{
    struct world *w = *state;
    size_t settled;

    make_topic(w, 3);
    put(w, 0, 500);
    begin(w);
    assert_false(wh_tail_caught_up(w->tail));
    assert_int_equal(w->n_seen, 0); /* not inside wh_tail_new */
    turn_until_caught_up(w);
    assert_int_equal(w->caught_up_at, 500);
    each_came(w, 500, 1);
    settled = w->settled;
    assert_true(settled >= 1);
    put(w, 500, 20);
    while (w->settled == settled) {
        wh_loop_turn(w->loop, true);
    }
    each_came(w, 520, 1);
}

static void an_empty_topic_is_read_at_once(void **state)
{
    struct world *w = *state;

    make_topic(w, 4);
    begin(w);
    turn_until_caught_up(w);
    assert_int_equal(w->caught_up_at, 0);
    assert_int_equal(w->settled, 1);
    assert_true(wh_tail_reading(w->tail));
}

static void tombstones_are_records(void **state)
{
    struct world *w = *state;
    const struct wh_bus_record tombstone = {.topic = "t", .partition = 0, .key = WH_LIT("k1")};
    struct wh_err err;

    make_topic(w, 1);
    put(w, 0, 10);
    th_ok(wh_producer_produce(w->producer, &tombstone, &err), &err);
    (void)wh_producer_poll(w->producer, 0);
    begin(w);
    turn_until_caught_up(w);
    assert_int_equal(w->caught_up_at, 11);
    assert_int_equal(w->tombstones, 1);
}

static void tick(void *ctx)
{
    ((struct world *)ctx)->ticks++;
}

/* More than one turn takes: others in the loop are served in between. */
static void a_long_topic_shares_the_loop(void **state)
{
    struct world *w = *state;
    struct wh_timer *timer = wh_timer_new(w->loop, tick, w);
    size_t before;

    make_topic(w, 2);
    for (size_t i = 0; i < 12000; i += 4000) {
        put(w, i % 4000, 4000);
    }
    begin(w);
    while (w->n_seen == 0) {
        wh_loop_turn(w->loop, true);
    }
    assert_true(w->n_seen < 12000);
    wh_timer_start(timer, 0, 1);
    before = w->ticks;
    turn_until_caught_up(w);
    assert_int_equal(w->caught_up_at, 12000);
    assert_true(w->ticks > before);
    wh_timer_free(timer);
}

static void a_restart_reads_all_again(void **state)
{
    struct world *w = *state;

    make_topic(w, 3);
    put(w, 0, 100);
    begin(w);
    turn_until_caught_up(w);
    wh_tail_free(w->tail);
    wh_consumer_free(w->consumer);
    w->caught_up_at = SIZE_MAX;
    open_consumer(w);
    begin(w);
    turn_until_caught_up(w);
    assert_int_equal(w->caught_up_at, 200);
    each_came(w, 100, 2);
}

/* ---- ends without records ---- */

static enum wh_rc gap_list(struct wh_admin *a, int timeout_ms, struct wh_bus_topic_info **ret,
                           size_t *ret_n, struct wh_err *err)
{
    struct gap_admin *admin = (struct gap_admin *)a;

    atomic_store(&admin->asked, true);
    if (admin->gate) {
        (void)sem_wait(admin->gate);
    }
    return wh_admin_list(admin->real, timeout_ms, ret, ret_n, err);
}

static enum wh_rc gap_offsets(struct wh_admin *a, struct wh_bus_partition *parts, size_t n,
                              int64_t at_ms, int timeout_ms, struct wh_err *err)
{
    enum wh_rc rc =
        wh_admin_offsets(((struct gap_admin *)a)->real, parts, n, at_ms, timeout_ms, err);

    for (size_t i = 0; i < n; i++) {
        parts[i].offset += at_ms == WH_OFFSET_END ? GAP : 0;
    }
    return rc;
}

static enum wh_rc gap_assign(struct wh_consumer *c, const struct wh_bus_partition *parts, size_t n,
                             struct wh_err *err)
{
    return wh_consumer_assign(((struct gap_consumer *)c)->real, parts, n, err);
}

static int gap_fd(struct wh_consumer *c)
{
    return wh_consumer_fd(((struct gap_consumer *)c)->real);
}

static enum wh_rc gap_poll(struct wh_consumer *c, int timeout_ms, size_t max,
                           struct wh_bus_msg *out, size_t *ret_n, struct wh_err *err)
{
    return wh_consumer_poll(((struct gap_consumer *)c)->real, timeout_ms, max, out, ret_n, err);
}

static int64_t gap_end(struct wh_consumer *c, const char *topic, int32_t partition)
{
    int64_t end = wh_consumer_end(((struct gap_consumer *)c)->real, topic, partition);

    return end < 0 ? end : end + GAP;
}

static void add_gap(struct world *w)
{
    static const struct wh_admin_ops admin = {.list = gap_list, .offsets = gap_offsets};
    static const struct wh_consumer_ops consumer = {
        .assign = gap_assign, .fd = gap_fd, .poll = gap_poll, .end = gap_end};

    w->gap_admin.base.ops = &admin;
    w->gap_admin.real = w->admin;
    w->gap_consumer = (struct gap_consumer){{&consumer}, w->consumer};
}

static void ends_without_records_are_reached(void **state)
{
    struct world *w = *state;

    make_topic(w, 3);
    put(w, 0, 50);
    add_gap(w);
    begin(w);
    turn_until_caught_up(w);
    assert_int_equal(w->caught_up_at, 50);
    assert_int_equal(w->fatals, 0);
}

/* ---- what is not there yet, and errors ---- */

static void a_topic_is_awaited(void **state)
{
    struct world *w = *state;
    size_t asked;

    begin(w);
    asked = wh_bus_mem_calls(w->bus, WH_BUS_MEM_ADMIN);
    while (wh_bus_mem_calls(w->bus, WH_BUS_MEM_ADMIN) == asked) {
        wh_loop_turn(w->loop, true);
    }
    assert_false(wh_tail_reading(w->tail));
    make_topic(w, 2);
    put(w, 0, 10);
    turn_until_caught_up(w);
    assert_int_equal(w->caught_up_at, 10);
}

static void a_broker_is_awaited(void **state)
{
    struct world *w = *state;

    make_topic(w, 2);
    put(w, 0, 10);
    wh_bus_mem_fail(w->bus, WH_BUS_MEM_ADMIN, 0, 1, WH_E_UNAVAILABLE);
    begin(w);
    turn_until_caught_up(w);
    each_came(w, 10, 1);
}

static void polling_is_tried_again(void **state)
{
    struct world *w = *state;

    make_topic(w, 2);
    put(w, 0, 10);
    wh_bus_mem_fail(w->bus, WH_BUS_MEM_POLL, 0, 1, WH_E_NET);
    begin(w);
    turn_until_caught_up(w);
    each_came(w, 10, 1);
    assert_int_equal(w->fatals, 0);
}

static void a_lost_consumer_is_fatal(void **state)
{
    struct world *w = *state;

    make_topic(w, 2);
    put(w, 0, 10);
    wh_bus_mem_fail(w->bus, WH_BUS_MEM_POLL, 0, 1, WH_E_FATAL_BUS);
    begin(w);
    turn_until_caught_up(w);
    assert_int_equal(w->fatals, 1);
    assert_int_equal(w->fatal_rc, WH_E_FATAL_BUS);
    assert_int_equal(w->n_seen, 0);
    assert_int_equal(w->settled, 0);
}

static void a_poisonous_record_is_skipped(void **state)
{
    struct world *w = *state;

    make_topic(w, 2);
    put(w, 0, 10);
    w->fail_at = 4;
    w->fail_rc = WH_E_INVALID;
    begin(w);
    turn_until_caught_up(w);
    assert_int_equal(w->caught_up_at, 10);
    assert_int_equal(w->fatals, 0);
}

static void a_fatal_record_ends_it(void **state)
{
    struct world *w = *state;

    make_topic(w, 2);
    put(w, 0, 10);
    w->fail_at = 4;
    w->fail_rc = WH_E_NOMEM;
    begin(w);
    turn_until_caught_up(w);
    assert_int_equal(w->fatals, 1);
    assert_int_equal(w->fatal_rc, WH_E_NOMEM);
    assert_int_equal(w->n_seen, 4);
    put(w, 10, 10);
    wh_loop_turn(w->loop, false);
    assert_int_equal(w->n_seen, 4);
}

static void too_many_partitions_are_fatal(void **state)
{
    struct world *w = *state;

    make_topic(w, WH_TAIL_PARTITIONS_MAX + 1);
    begin(w);
    turn_until_caught_up(w);
    assert_int_equal(w->fatal_rc, WH_E_CONFIG);
}

/* ---- the end ---- */

static void a_callback_may_stop_it(void **state)
{
    struct world *w = *state;

    make_topic(w, 1);
    put(w, 0, 100);
    w->stop_at = 7;
    begin(w);
    while (w->n_seen == 0) {
        wh_loop_turn(w->loop, true);
    }
    put(w, 100, 10);
    wh_loop_turn(w->loop, false);
    assert_int_equal(w->n_seen, 7);
    assert_int_equal(w->caught_up_at, SIZE_MAX);
    assert_int_equal(w->settled, 0);
    assert_int_equal(w->fatals, 0);
}

static void open_gate(void *ctx)
{
    (void)sem_post(((struct world *)ctx)->gap_admin.gate);
}

static void free_awaits_the_pool(void **state)
{
    struct world *w = *state;
    struct wh_timer *timer = wh_timer_new(w->loop, open_gate, w);
    sem_t gate;

    make_topic(w, 3);
    put(w, 0, 10);
    add_gap(w);
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    w->gap_admin.gate = &gate;
    begin(w);
    while (!atomic_load(&w->gap_admin.asked)) {
        wh_loop_turn(w->loop, false);
    }
    assert_false(wh_tail_stop(w->tail)); /* the admin is in use */
    wh_timer_start(timer, 1, 0);
    wh_tail_free(w->tail); /* turns the loop, in which the gate opens */
    w->tail = NULL;
    wh_timer_free(timer);
    wh_loop_turn(w->loop, false);
    (void)sem_destroy(&gate);
    assert_int_equal(w->settled + w->n_seen + w->fatals, 0);
}

/* ---- reading once ---- */

static void reads_once(void **state)
{
    struct world *w = *state;
    struct wh_err err;

    make_topic(w, 3);
    put(w, 0, 1000);
    th_ok(wh_tail_read(w->consumer, w->admin, "t", 1000, on_record, w, &err), &err);
    each_came(w, 1000, 1);
}

static void reads_once_to_an_end_without_records(void **state)
{
    struct world *w = *state;
    struct wh_err err;

    make_topic(w, 3);
    put(w, 0, 40);
    add_gap(w);
    th_ok(wh_tail_read(&w->gap_consumer.base, &w->gap_admin.base, "t", 1000, on_record, w, &err),
          &err);
    each_came(w, 40, 1);
}

static void reads_nothing_of_no_topic(void **state)
{
    struct world *w = *state;
    struct wh_err err;

    th_ok(wh_tail_read(w->consumer, w->admin, "t", 1000, on_record, w, &err), &err);
    assert_int_equal(w->n_seen, 0);
}

static void reading_once_reports_errors(void **state)
{
    struct world *w = *state;
    struct wh_err err;

    make_topic(w, 1);
    put(w, 0, 10);
    w->fail_at = 3;
    w->fail_rc = WH_E_INVALID;
    assert_int_equal(wh_tail_read(w->consumer, w->admin, "t", 1000, on_record, w, &err),
                     WH_E_INVALID);
    assert_int_equal(w->n_seen, 3);
    wh_bus_mem_fail(w->bus, WH_BUS_MEM_ADMIN, 0, 1, WH_E_TIMEOUT);
    assert_int_equal(wh_tail_read(w->consumer, w->admin, "t", 1000, on_record, w, &err),
                     WH_E_TIMEOUT);
    wh_bus_mem_fail(w->bus, WH_BUS_MEM_POLL, 0, 1, WH_E_FATAL_BUS);
    assert_int_equal(wh_tail_read(w->consumer, w->admin, "t", 1000, on_record, w, &err),
                     WH_E_FATAL_BUS);
}

static void finding_can_be_stopped(void **state)
{
    struct world *w = *state;
    atomic_bool stop = true;
    struct wh_tail_span span;
    struct wh_err err;

    make_topic(w, 3);
    assert_int_equal(wh_tail_find(w->admin, "t", 1000, &stop, &span, &err), WH_E_CANCELED);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(reads_to_the_end_and_on),
        CASE(an_empty_topic_is_read_at_once),
        CASE(tombstones_are_records),
        CASE(a_long_topic_shares_the_loop),
        CASE(a_restart_reads_all_again),
        CASE(ends_without_records_are_reached),
        CASE(a_topic_is_awaited),
        CASE(a_broker_is_awaited),
        CASE(polling_is_tried_again),
        CASE(a_lost_consumer_is_fatal),
        CASE(a_poisonous_record_is_skipped),
        CASE(a_fatal_record_ends_it),
        CASE(too_many_partitions_are_fatal),
        CASE(a_callback_may_stop_it),
        CASE(free_awaits_the_pool),
        CASE(reads_once),
        CASE(reads_once_to_an_end_without_records),
        CASE(reads_nothing_of_no_topic),
        CASE(reading_once_reports_errors),
        CASE(finding_can_be_stopped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
