/*
 * The outbox over the bus in memory, whose queue holds four records: order, ownership of bytes,
 * completions, and what happens when the producer refuses, fails or is lost.
 */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/base/mem.h"
#include "stages/fetcher/outbox/outbox.h"
#include "tests/lib/bus_mem.h"
#include "tests/lib/th_fault.h"

enum { QUEUE = 4, MANY = 50, TURNS_MAX = 1000, TEXT_MAX = 64 };

struct fixture;

struct waiter {
    struct wh_bus_ack ack; /* first: records carry it */
    struct fixture *f;
    unsigned times;
    enum wh_rc rc;
    bool had_reason;
    bool posts_again; /* from inside its completion */
};

struct fixture {
    struct wh_bus_mem *bus;
    struct wh_loop *loop;
    struct wh_producer *producer;
    struct outbox *o;
    struct waiter waiters[MANY];
    bool in_call; /* of the outbox */
    unsigned rooms;
    unsigned losses;
    enum wh_rc lost_rc;
    int64_t now_ms;
};

static int64_t now(void *ctx)
{
    return ((struct fixture *)ctx)->now_ms;
}

static int64_t mono(void *ctx)
{
    (void)ctx;
    return 1;
}

static void on_room(void *ctx)
{
    struct fixture *f = ctx;

    assert_false(f->in_call);
    assert_true(outbox_has_room(f->o));
    f->rooms++;
}

static void on_lost(void *ctx, const struct wh_err *err)
{
    struct fixture *f = ctx;

    assert_false(f->in_call);
    f->losses++;
    f->lost_rc = err->rc;
}

static enum wh_rc post(struct fixture *f, unsigned i, struct wh_err *err);

static void on_ack(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct waiter *w = (struct waiter *)ack;
    struct wh_err err;

    assert_false(w->f->in_call);
    w->times++;
    w->rc = d->rc;
    w->had_reason = d->reason != NULL;
    if (w->posts_again) {
        w->posts_again = false;
        th_ok(post(w->f, MANY - 1, &err), &err);
    }
}

static int set_up(void **state)
{
    static struct fixture f;
    struct wh_producer_conf conf;
    struct wh_err err;

    memset(&f, 0, sizeof(f));
    f.now_ms = 1700000000000;
    f.bus = wh_bus_mem_new();
    f.loop = wh_loop_new();
    assert_true(f.bus && f.loop);
    th_ok(wh_bus_mem_topic(f.bus, "raw.c", 1, &err), &err);
    th_ok(wh_bus_mem_topic(f.bus, "fetch-state", 3, &err), &err);
    th_ok(wh_bus_mem_topic(f.bus, "connections", 1, &err), &err);
    f.o = outbox_new(&(struct outbox_conf){.loop = f.loop,
                                           .clock = {now, mono, &f},
                                           .on_room = on_room,
                                           .on_lost = on_lost,
                                           .ctx = &f});
    assert_non_null(f.o);
    wh_producer_conf_init(&conf);
    conf.queue_max_records = QUEUE;
    th_ok(wh_bus_mem_producer(f.bus, &conf, &f.producer, &err), &err);
    outbox_set_producer(f.o, f.producer);
    for (unsigned i = 0; i < MANY; i++) {
        f.waiters[i] = (struct waiter){.ack = {.fn = on_ack}, .f = &f};
    }
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    wh_producer_free(f->producer);
    outbox_free(f->o);
    wh_loop_free(f->loop);
    wh_bus_mem_free(f->bus);
    return 0;
}

/* ---- records ---- */

/* Row i, from buffers that are overwritten as soon as the call is over. */
static enum wh_rc post_row(struct fixture *f, unsigned i, struct wh_err *err)
{
    char topic[] = "raw.c";
    char id[TEXT_MAX];
    char path[TEXT_MAX];
    char payload[TEXT_MAX];
    struct outbox_row row = {.topic = topic,
                             .connection = WH_LIT("c"),
                             .instance = WH_LIT("https://gitlab.example.com"),
                             .run = 77,
                             .origin = WH_ORIGIN_REST,
                             .kind = WH_LIT("issue"),
                             .project = WH_LIT("7")};
    enum wh_rc rc;

    (void)snprintf(id, sizeof(id), "%u", i);
    (void)snprintf(path, sizeof(path), "/api/v4/projects/7/issues?page=%u", i);
    (void)snprintf(payload, sizeof(payload), "{\"id\":%u}", i);
    row.object_id = wh_slice_str(id);
    row.path = wh_slice_str(path);
    row.payload = wh_slice_str(payload);
    f->in_call = true;
    rc = outbox_row(f->o, &row, &f->waiters[i].ack, err);
    f->in_call = false;
    memset(topic, 'x', sizeof(topic) - 1);
    memset(id, 'x', sizeof(id));
    memset(path, 'x', sizeof(path));
    memset(payload, 'x', sizeof(payload));
    return rc;
}

/* The i-th version of one document; all have the same key. */
static enum wh_rc post(struct fixture *f, unsigned i, struct wh_err *err)
{
    char json[TEXT_MAX];
    enum wh_rc rc;

    (void)snprintf(json, sizeof(json), "{\"version\":%u}", i);
    f->in_call = true;
    rc = outbox_document(f->o,
                         &(struct outbox_document){.schema = WH_DOCUMENT_CONNECTION,
                                                   .topic = "connections",
                                                   .key = WH_LIT("c"),
                                                   .connection = WH_LIT("c"),
                                                   .json = wh_slice_str(json)},
                         &f->waiters[i].ack, err);
    f->in_call = false;
    memset(json, 'x', sizeof(json));
    return rc;
}

static void post_many(struct fixture *f, unsigned n)
{
    struct wh_err err;

    for (unsigned i = 0; i < n; i++) {
        th_ok(post(f, i, &err), &err);
    }
}

static void turn(struct fixture *f)
{
    (void)wh_producer_poll(f->producer, 0);
    /* Blocks only where nothing but time brings it on. */
    wh_loop_turn(f->loop, outbox_waiting(f->o) > 0 && wh_producer_pending(f->producer) == 0);
}

static void deliver_all(struct fixture *f)
{
    for (unsigned i = 0; outbox_pending(f->o) > 0; i++) {
        assert_true(i < TURNS_MAX);
        turn(f);
    }
}

/* Record n of the topic is the document's version i. */
static void version_is(struct fixture *f, size_t n, unsigned i)
{
    const struct wh_bus_header *headers;
    struct wh_document doc;
    struct wh_bus_msg msg;
    char json[TEXT_MAX];
    struct wh_err err;
    size_t n_headers;

    assert_true(wh_bus_mem_get(f->bus, "connections", n, &msg, &headers, &n_headers));
    th_slice_is(msg.key, "c");
    assert_int_equal(n_headers, 0);
    th_ok(wh_document_decode(msg.value, &doc, &err), &err);
    (void)snprintf(json, sizeof(json), "{\"version\":%u}", i);
    th_slice_is(doc.document, json);
    assert_int_equal(doc.at_ms, f->now_ms);
}

static void acked_once(const struct fixture *f, unsigned from, unsigned to, enum wh_rc rc)
{
    for (unsigned i = from; i < to; i++) {
        assert_int_equal(f->waiters[i].times, 1);
        assert_int_equal(f->waiters[i].rc, rc);
        assert_true(f->waiters[i].had_reason == (rc != WH_OK));
    }
}

/* ---- tests ---- */

static void records_keep_their_order(void **state)
{
    struct fixture *f = *state;

    post_many(f, MANY);
    deliver_all(f);
    assert_int_equal(wh_bus_mem_count(f->bus, "connections"), MANY);
    for (unsigned i = 0; i < MANY; i++) {
        version_is(f, i, i);
    }
    acked_once(f, 0, MANY, WH_OK);
}

/* The queue has room again, but earlier records still wait: a new one goes behind them. */
static void a_new_record_never_overtakes(void **state)
{
    struct fixture *f = *state;
    struct wh_err err;

    post_many(f, QUEUE + 2);
    (void)wh_producer_poll(f->producer, 0);
    assert_int_equal(outbox_waiting(f->o), 2);
    assert_int_equal(wh_producer_pending(f->producer), 0);
    th_ok(post(f, QUEUE + 2, &err), &err);
    assert_int_equal(outbox_waiting(f->o), 3);
    deliver_all(f);
    for (unsigned i = 0; i < QUEUE + 3; i++) {
        version_is(f, i, i);
    }
}

static void room_is_a_state(void **state)
{
    struct fixture *f = *state;

    assert_true(outbox_has_room(f->o));
    post_many(f, QUEUE);
    assert_true(outbox_has_room(f->o));
    post_many(f, QUEUE + 7);
    assert_false(outbox_has_room(f->o));
    /* What waits is what did not fit, and nothing of it is handed over twice. */
    assert_int_equal(outbox_waiting(f->o), QUEUE + 7);
    assert_int_equal(outbox_pending(f->o), QUEUE + QUEUE + 7);
    assert_int_equal(wh_producer_pending(f->producer), QUEUE);
    wh_bus_mem_hold(f->bus, true);
    for (unsigned i = 0; i < 10; i++) {
        (void)wh_producer_poll(f->producer, 0);
        wh_loop_turn(f->loop, false);
    }
    assert_int_equal(outbox_waiting(f->o), QUEUE + 7);
    assert_int_equal(f->rooms, 0);
    wh_bus_mem_hold(f->bus, false);
    deliver_all(f);
    assert_int_equal(f->rooms, 1);
    assert_true(outbox_has_room(f->o));
}

static void a_row_owns_its_bytes(void **state)
{
    static const char *const names[] = {"ce_specversion", "ce_type", "ce_source", "ce_id",
                                        "ce_subject"};
    struct fixture *f = *state;
    const struct wh_bus_header *headers;
    struct wh_raw_event event;
    struct wh_arena arena;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n;

    for (unsigned i = 0; i < MANY; i++) {
        th_ok(post_row(f, i, &err), &err);
    }
    deliver_all(f);
    acked_once(f, 0, MANY, WH_OK);
    wh_arena_init(&arena, 4096, 1 << 20);
    for (unsigned i = 0; i < MANY; i++) {
        char text[TEXT_MAX];

        assert_true(wh_bus_mem_get(f->bus, "raw.c", i, &msg, &headers, &n));
        th_ok(wh_raw_event_decode(msg.value, &arena, &event, &err), &err);
        (void)snprintf(text, sizeof(text), "issue:7:%u", i);
        th_slice_is(msg.key, text);
        (void)snprintf(text, sizeof(text), "{\"id\":%u}", i);
        th_slice_is(event.payload, text);
        (void)snprintf(text, sizeof(text), "/api/v4/projects/7/issues?page=%u#run=77", i);
        th_slice_is(event.delivery_id, text);
        assert_int_equal(n, 5);
        for (unsigned k = 0; k < 5; k++) {
            th_slice_is(headers[k].name, names[k]);
        }
        th_slice_is(headers[1].value, "com.gitlab.issue.observed");
        th_slice_is(headers[2].value, "https://gitlab.example.com");
        th_slice_is(headers[3].value, text);
        (void)snprintf(text, sizeof(text), "%u", i);
        th_slice_is(headers[4].value, text);
        wh_arena_reset(&arena);
    }
    wh_arena_done(&arena);
}

static void state_has_its_partition_and_tombstones(void **state)
{
    struct fixture *f = *state;
    struct outbox_document doc = {.schema = WH_DOCUMENT_FETCH_STATE,
                                  .topic = "fetch-state",
                                  .key = WH_LIT("c:7:issues"),
                                  .connection = WH_LIT("c"),
                                  .json = WH_LIT("{}")};
    const struct wh_bus_header *headers;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n;

    post_many(f, QUEUE); /* these two wait */
    th_ok(outbox_state(f->o, 2, &doc, NULL, &err), &err);
    doc.json = wh_slice(NULL, 0);
    th_ok(outbox_state(f->o, 2, &doc, NULL, &err), &err);
    deliver_all(f);
    assert_true(wh_bus_mem_get(f->bus, "fetch-state", 0, &msg, &headers, &n));
    assert_int_equal(msg.partition, 2);
    assert_non_null(msg.value.ptr);
    assert_true(wh_bus_mem_get(f->bus, "fetch-state", 1, &msg, &headers, &n));
    assert_int_equal(msg.partition, 2);
    th_slice_is(msg.key, "c:7:issues");
    assert_null(msg.value.ptr);
}

/* A completion that posts again is a usual thing: the cursor behind the last row of a page. */
static void a_completion_may_post(void **state)
{
    struct fixture *f = *state;

    f->waiters[0].posts_again = true;
    post_many(f, QUEUE + 1);
    deliver_all(f);
    for (unsigned i = 0; i < QUEUE + 1; i++) {
        version_is(f, i, i);
    }
    version_is(f, QUEUE + 1, MANY - 1);
    acked_once(f, 0, QUEUE + 1, WH_OK);
    acked_once(f, MANY - 1, MANY, WH_OK);
}

/* The producer refuses one of those that wait: its owner hears why, the others are sent. */
static void one_that_waits_is_refused(void **state)
{
    struct fixture *f = *state;

    post_many(f, QUEUE + 6);
    f->waiters[QUEUE + 2].posts_again = true;
    wh_bus_mem_fail(f->bus, WH_BUS_MEM_PRODUCE, 2, 1, WH_E_TOO_LARGE);
    deliver_all(f);
    acked_once(f, QUEUE + 2, QUEUE + 3, WH_E_TOO_LARGE);
    acked_once(f, 0, QUEUE + 2, WH_OK);
    acked_once(f, QUEUE + 3, QUEUE + 6, WH_OK);
    version_is(f, QUEUE + 1, QUEUE + 1);
    version_is(f, QUEUE + 2, QUEUE + 3);
    version_is(f, QUEUE + 5, MANY - 1);
    assert_int_equal(f->rooms, 1);
}

/* With no record in flight nothing announces room: the outbox tries again by itself. */
static void a_full_queue_without_records_in_flight(void **state)
{
    struct fixture *f = *state;

    wh_bus_mem_fail(f->bus, WH_BUS_MEM_PRODUCE, 0, 3, WH_E_BUSY);
    post_many(f, 3);
    assert_int_equal(outbox_waiting(f->o), 3);
    deliver_all(f);
    acked_once(f, 0, 3, WH_OK);
    assert_int_equal(f->rooms, 1);
}

static void failed_deliveries_are_told(void **state)
{
    struct fixture *f = *state;

    wh_bus_mem_fail(f->bus, WH_BUS_MEM_DELIVERY, 3, 4, WH_E_TIMEOUT);
    post_many(f, 10);
    deliver_all(f);
    acked_once(f, 0, 3, WH_OK);
    acked_once(f, 3, 7, WH_E_TIMEOUT);
    acked_once(f, 7, 10, WH_OK);
}

/* What the producer had is acknowledged; what waited, and all that comes later, fails. */
static void a_lost_producer_fails_what_waits(void **state)
{
    struct fixture *f = *state;
    struct wh_err err;

    post_many(f, QUEUE + 3);
    wh_bus_mem_fail(f->bus, WH_BUS_MEM_PRODUCE, 0, 1000, WH_E_FATAL_BUS);
    deliver_all(f);
    acked_once(f, 0, QUEUE, WH_OK);
    acked_once(f, QUEUE, QUEUE + 3, WH_E_FATAL_BUS);
    assert_int_equal(f->losses, 1);
    assert_int_equal(f->lost_rc, WH_E_FATAL_BUS);
    assert_int_equal(post(f, 10, &err), WH_E_FATAL_BUS);
    wh_loop_turn(f->loop, false);
    assert_int_equal(f->waiters[10].times, 0);
    assert_int_equal(f->losses, 1);
    assert_int_equal(outbox_pending(f->o), 0);
}

/* Found by a call: the report comes later, from the loop. */
static void a_lost_producer_is_reported_by_the_loop(void **state)
{
    struct fixture *f = *state;
    struct wh_err err;

    wh_bus_mem_fail(f->bus, WH_BUS_MEM_PRODUCE, 0, 1000, WH_E_FATAL_BUS);
    assert_int_equal(post(f, 0, &err), WH_E_FATAL_BUS);
    assert_int_equal(f->losses, 0);
    wh_loop_turn(f->loop, false);
    assert_int_equal(f->losses, 1);
    assert_int_equal(f->rooms, 0);
}

/* A stage that stops frees those who wait; their records are sent all the same. */
static void an_abandoned_record_is_sent(void **state)
{
    struct fixture *f = *state;
    struct wh_err err;

    post_many(f, QUEUE + 3);
    outbox_abandon(f->o);
    for (unsigned i = 0; i < QUEUE + 3; i++) {
        memset(&f->waiters[i].ack, 0xff, sizeof(f->waiters[i].ack)); /* freed */
    }
    th_ok(post(f, QUEUE + 3, &err), &err);
    deliver_all(f);
    assert_int_equal(wh_bus_mem_count(f->bus, "connections"), QUEUE + 4);
    acked_once(f, QUEUE + 3, QUEUE + 4, WH_OK);
    for (unsigned i = 0; i < QUEUE + 3; i++) {
        assert_int_equal(f->waiters[i].times, 0);
    }
}

/* Records that never left are dropped silently at the end; the leak checker looks on. */
static void the_end_drops_what_is_left(void **state)
{
    struct fixture *f = *state;

    wh_bus_mem_hold(f->bus, true);
    post_many(f, MANY);
    assert_int_equal(outbox_pending(f->o), MANY);
}

static void a_record_is_one_allocation_or_none(void **state)
{
    struct fixture *f = *state;
    struct th_fault fault;
    struct wh_err err;

    post_many(f, QUEUE + 1); /* from now on the producer is not called */
    th_fault_arm(&fault, 0);
    assert_int_equal(post_row(f, 10, &err), WH_E_NOMEM);
    assert_true(th_fault_disarm(&fault));
    th_fault_arm(&fault, 1);
    th_ok(post_row(f, 11, &err), &err);
    assert_false(th_fault_disarm(&fault));
    deliver_all(f);
    assert_int_equal(f->waiters[10].times, 0);
    acked_once(f, 11, 12, WH_OK);
}

static void too_large_is_an_error_of_the_call(void **state)
{
    struct fixture *f = *state;
    char *payload = wh_mem_zalloc(1, OUTBOX_RECORD_MAX_BYTES);
    struct wh_err err;

    assert_non_null(payload);
    assert_int_equal(
        outbox_row(f->o,
                   &(struct outbox_row){.topic = "raw.c",
                                        .kind = WH_LIT("issue"),
                                        .payload = wh_slice(payload, OUTBOX_RECORD_MAX_BYTES)},
                   &f->waiters[0].ack, &err),
        WH_E_TOO_LARGE);
    assert_int_equal(outbox_pending(f->o), 0);
    wh_mem_free(payload);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(records_keep_their_order),
        TEST(a_new_record_never_overtakes),
        TEST(room_is_a_state),
        TEST(a_row_owns_its_bytes),
        TEST(state_has_its_partition_and_tombstones),
        TEST(a_completion_may_post),
        TEST(one_that_waits_is_refused),
        TEST(a_full_queue_without_records_in_flight),
        TEST(failed_deliveries_are_told),
        TEST(a_lost_producer_fails_what_waits),
        TEST(a_lost_producer_is_reported_by_the_loop),
        TEST(an_abandoned_record_is_sent),
        TEST(the_end_drops_what_is_left),
        TEST(a_record_is_one_allocation_or_none),
        TEST(too_large_is_an_error_of_the_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
