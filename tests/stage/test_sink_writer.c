/*
 * The sink's writer on Kafka and store in memory: positions, damaged records, full disks, topics
 * that come and go.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/lib/bus_mem.h"
#include "common/event/connection.h"
#include "common/event/messages.h"
#include "tests/lib/store_mem.h"
#include "stages/sink/ingest/writer_priv.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_observation.h"
#include "tests/lib/th_store.h"

#define ENTITIES_TOPIC "wellhead.entities.c1"
#define DEAD_TOPIC "wellhead.dead-letter.c1"
#define CONNECTIONS_TOPIC "wellhead.connections"

/* Kafka took the records before the store was begun, so they count as stored then. */
enum {
    N = 200,
    ENTITIES = 25,
    PARTITIONS = 2,
    TURNS_MAX = 10000,
    OLDER_MS = 1,
    BEGUN_MS = 1000000
};

struct fixture {
    struct wh_bus_mem *bus;
    struct wh_producer *feed;
    struct wh_producer *dead;
    struct wh_consumer *consumer;
    struct wh_admin *admin;
    struct wh_store *store;
    struct sink_writer *writer;
    struct sink_conf conf;
    struct th_encoded *list;
    int64_t mono_ns;
    int64_t sent_ms; /* when Kafka takes the records */
    uint64_t observations;
    uint64_t duplicates;
    uint64_t dead_letters;
    size_t samples;
    size_t commits;
    char why[256];
};

static int64_t fake_now(void *ctx)
{
    const struct fixture *f = ctx;

    return BEGUN_MS + f->mono_ns / 1000000;
}

static int64_t fake_mono(void *ctx)
{
    const struct fixture *f = ctx;

    return f->mono_ns;
}

static void on_commit(void *ctx, const struct sink_commit *c)
{
    struct fixture *f = ctx;

    f->commits++;
    f->observations += c->observations;
    f->duplicates += c->duplicates;
    f->dead_letters += c->dead_letters;
    f->samples += c->n_samples;
}

static void on_pause(void *ctx, const char *why)
{
    struct fixture *f = ctx;

    (void)snprintf(f->why, sizeof(f->why), "%s", why ? why : "");
}

static void feed_delivered(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    (void)ack;
    assert_int_equal(d->rc, WH_OK);
}

static struct wh_bus_ack fed = {.fn = feed_delivered};

static void start_writer(struct fixture *f)
{
    const struct sink_writer_deps deps = {
        .store = f->store,
        .consumer = f->consumer,
        .dead_letters = f->dead,
        .clock = {.now_ms = fake_now, .mono_ns = fake_mono, .ctx = f},
        .on_commit = on_commit,
        .on_pause = on_pause,
        .ctx = f,
    };
    struct wh_err err;

    th_ok(sink_writer_new(&deps, &f->conf, &f->writer, &err), &err);
}

static void start_consumer(struct fixture *f)
{
    struct wh_consumer_conf conf;
    struct wh_err err;

    wh_consumer_conf_init(&conf);
    th_ok(wh_bus_mem_consumer(f->bus, &conf, &f->consumer, &err), &err);
}

static int setup(void **state)
{
    const struct wh_store_conf store = {.families = sink_families, .n_families = SINK_FAMILY_COUNT};
    struct fixture *f = calloc(1, sizeof(*f));
    struct wh_producer_conf producer;
    struct wh_err err;

    assert_non_null(f);
    f->bus = wh_bus_mem_new();
    assert_non_null(f->bus);
    th_ok(wh_bus_mem_topic(f->bus, ENTITIES_TOPIC, PARTITIONS, &err), &err);
    th_ok(wh_bus_mem_topic(f->bus, CONNECTIONS_TOPIC, 1, &err), &err);
    th_ok(wh_bus_mem_topic(f->bus, DEAD_TOPIC, 1, &err), &err);
    th_ok(wh_bus_mem_topic(f->bus, "wellhead.raw.c1", 1, &err), &err);
    wh_producer_conf_init(&producer);
    th_ok(wh_bus_mem_producer(f->bus, &producer, &f->feed, &err), &err);
    th_ok(wh_bus_mem_producer(f->bus, &producer, &f->dead, &err), &err);
    th_ok(wh_bus_mem_admin(f->bus, &f->admin, &err), &err);
    th_ok(wh_store_mem_open(&store, &f->store, &err), &err);
    sink_conf_init(&f->conf);
    f->conf.batch_records = 37;
    f->list = th_observations_new(5, N, ENTITIES, 1000);
    f->sent_ms = OLDER_MS;
    start_consumer(f);
    start_writer(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sink_writer_free(f->writer);
    wh_consumer_free(f->consumer);
    wh_producer_free(f->feed);
    wh_producer_free(f->dead);
    wh_admin_free(f->admin);
    wh_bus_mem_free(f->bus);
    wh_store_free(f->store);
    th_observations_free(f->list, N);
    free(f);
    return 0;
}

static void restart(struct fixture *f)
{
    sink_writer_free(f->writer);
    wh_consumer_free(f->consumer);
    start_consumer(f);
    start_writer(f);
}

static void send(struct fixture *f, const char *topic, int32_t partition, struct wh_slice key,
                 struct wh_slice value)
{
    const struct wh_bus_record r = {.topic = topic,
                                    .partition = partition,
                                    .key = key,
                                    .value = value,
                                    .timestamp_ms = f->sent_ms,
                                    .ack = &fed};
    struct wh_err err;

    th_ok(wh_producer_produce(f->feed, &r, &err), &err);
    th_ok(wh_producer_flush(f->feed, 1000, &err), &err);
}

static void send_observations(struct fixture *f, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        send(f, ENTITIES_TOPIC, -1, wh_slice(f->list[i].id.bytes, 16),
             wh_slice(f->list[i].bytes, f->list[i].len));
    }
}

static void find_topics(struct fixture *f)
{
    struct sink_found *found = NULL;
    struct wh_err err;

    th_ok(sink_scout(f->admin, "wellhead.", NULL, &found, &err), &err);
    th_ok(sink_writer_found(f->writer, found, &err), &err);
    sink_found_free(found);
}

/* Turns until nothing comes any more; the clock moves over the pauses. */
static enum wh_rc drain(struct fixture *f, struct wh_err *err)
{
    int64_t wait_ms = 0;

    for (int i = 0; i < TURNS_MAX; i++) {
        size_t commits = f->commits;

        if (sink_writer_turn(f->writer, 0, &wait_ms, err) != WH_OK) {
            return err->rc;
        }
        f->mono_ns += wait_ms * 1000000;
        if (f->writer->phase == SINK_IDLE && wait_ms == 0 && commits == f->commits &&
            f->writer->flight.batch == NULL) {
            return WH_OK;
        }
    }
    fail_msg("the writer does not come to rest");
    return WH_E_INTERNAL;
}

static void drain_ok(struct fixture *f)
{
    struct wh_err err;

    th_ok(drain(f, &err), &err);
}

/* The heads that the whole list leads to, by one straight batch. */
static void assert_store_is(struct fixture *f, size_t n)
{
    const struct wh_store_conf conf = {.families = sink_families, .n_families = SINK_FAMILY_COUNT};
    struct wh_history_result result;
    struct wh_observation o;
    struct sink_apply *a;
    struct wh_store *want;
    struct wh_err err;

    th_ok(wh_store_mem_open(&conf, &want, &err), &err);
    th_ok(sink_apply_new(want, N, &a, &err), &err);
    for (size_t i = 0; i < n; i++) {
        th_ok(wh_observation_decode(wh_slice(f->list[i].bytes, f->list[i].len), sink_apply_arena(a),
                                    &o, &err),
              &err);
        th_ok(sink_apply_observation(a, &o, OLDER_MS, &result, &err), &err);
    }
    th_ok(sink_apply_seal(a, &err), &err);
    th_ok(sink_apply_commit(a, false, &err), &err);
    for (unsigned family = 0; family < SINK_CHANGES; family++) {
        char *left = th_store_dump(want, family);
        char *right = th_store_dump(f->store, family);

        if (strcmp(left, right) != 0) {
            fail_msg("family %s differs", sink_families[family].name);
        }
        wh_mem_free(left);
        wh_mem_free(right);
    }
    sink_apply_free(a);
    wh_store_free(want);
}

static int64_t stored_offsets(struct fixture *f, const char *topic, int32_t partitions)
{
    int64_t all = 0;
    struct wh_err err;

    for (int32_t p = 0; p < partitions; p++) {
        int64_t next = 0;
        bool found = false;

        th_ok(sink_offset_get(f->store, topic, p, &next, &found, &err), &err);
        all += found ? next : 0;
    }
    return all;
}

/* ---- tests ---- */

static void test_records_and_offsets(void **state)
{
    struct fixture *f = *state;

    send_observations(f, 0, N / 2);
    find_topics(f);
    assert_false(sink_table_caught_up(&f->writer->table));
    drain_ok(f);
    assert_true(sink_table_caught_up(&f->writer->table));
    assert_int_equal(f->observations, N / 2);
    assert_int_equal(f->samples, 0); /* what was there before the start says nothing */
    assert_int_equal(stored_offsets(f, ENTITIES_TOPIC, PARTITIONS), N / 2);
    assert_store_is(f, N / 2);
    restart(f);
    find_topics(f);
    drain_ok(f);
    assert_int_equal(f->observations, N / 2); /* nothing read twice */
    send_observations(f, N / 2, N);
    drain_ok(f);
    assert_int_equal(f->observations, N);
    assert_int_equal(f->samples + f->duplicates, N / 2);
    assert_store_is(f, N);
}

/* When the newest change was stored. */
static int64_t stored_ms(struct fixture *f)
{
    unsigned char key[8];
    struct wh_buf value;
    struct wh_err err;
    bool found = false;
    int64_t at_ms;

    wh_be_put64(key, sink_writer_sequence(f->writer));
    wh_buf_init(&value, 64);
    th_ok(wh_store_get(f->store, NULL, SINK_CHANGES, wh_slice(key, sizeof(key)), &value, &found,
                       &err),
          &err);
    assert_true(found);
    at_ms = (int64_t)wh_be_get64(value.ptr + value.len - 8);
    wh_buf_done(&value);
    return at_ms;
}

/* What Kafka had before the store was begun counts as stored when Kafka took it; the rest, when it is stored. */
static void test_stored_at(void **state)
{
    struct fixture *f = *state;

    find_topics(f);
    send_observations(f, 0, N / 2);
    drain_ok(f);
    assert_int_equal(stored_ms(f), OLDER_MS);
    f->mono_ns += INT64_C(7000000000);
    restart(f);
    find_topics(f);
    f->sent_ms = BEGUN_MS + 1;
    send_observations(f, N / 2, N);
    drain_ok(f);
    assert_int_equal(stored_ms(f), BEGUN_MS + 7000);
}

/* Killed at any turn, with a batch in the air or not: what is stored is what its offsets say. */
static void test_killed_at_any_turn(void **state)
{
    struct fixture *f = *state;
    struct wh_err err;
    int64_t wait_ms;

    send_observations(f, 0, N);
    for (int turns = 0; turns < 8; turns++) {
        restart(f);
        find_topics(f);
        for (int i = 0; i < turns; i++) {
            th_ok(sink_writer_turn(f->writer, 0, &wait_ms, &err), &err);
        }
    }
    drain_ok(f);
    assert_int_equal(stored_offsets(f, ENTITIES_TOPIC, PARTITIONS), N);
    assert_store_is(f, N);
}

static void test_topics_come_later(void **state)
{
    struct fixture *f = *state;
    struct wh_err err;

    find_topics(f);
    drain_ok(f);
    th_ok(wh_bus_mem_topic(f->bus, "wellhead.entities.c2", 1, &err), &err);
    send_observations(f, 0, 10);
    for (size_t i = 10; i < 20; i++) {
        send(f, "wellhead.entities.c2", 0, wh_slice(f->list[i].id.bytes, 16),
             wh_slice(f->list[i].bytes, f->list[i].len));
    }
    drain_ok(f);
    assert_int_equal(f->observations, 10);
    find_topics(f);
    drain_ok(f);
    assert_int_equal(f->observations, 20);
    assert_store_is(f, 20);
}

static void test_damaged_records(void **state)
{
    struct fixture *f = *state;
    const struct wh_bus_header *headers;
    struct wh_dead_letter letter;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n_headers;
    bool code = false;

    send_observations(f, 0, 20);
    send(f, ENTITIES_TOPIC, 0, WH_LIT("bad key"), WH_LIT("garbage"));
    send(f, ENTITIES_TOPIC, 1, WH_LIT("bad key"), wh_slice(f->list[0].bytes, f->list[0].len - 1));
    send_observations(f, 20, N);
    find_topics(f);
    drain_ok(f);
    assert_int_equal(f->dead_letters, 2);
    assert_int_equal(wh_bus_mem_count(f->bus, DEAD_TOPIC), 2);
    assert_true(wh_bus_mem_get(f->bus, DEAD_TOPIC, 0, &msg, &headers, &n_headers));
    th_slice_is(msg.key, "bad key");
    th_ok(wh_dead_letter_decode(msg.value, &letter, &err), &err);
    th_slice_is(letter.topic, ENTITIES_TOPIC);
    th_slice_is(letter.stage, "sink");
    assert_true(letter.value.len > 0);
    for (size_t i = 0; i < n_headers; i++) {
        code = code || wh_slice_eq(headers[i].name, WH_LIT("wellhead.error.code"));
    }
    assert_true(code);
    assert_int_equal(stored_offsets(f, ENTITIES_TOPIC, PARTITIONS), N + 2);
    assert_store_is(f, N);
}

static void test_dead_letter_is_acknowledged_first(void **state)
{
    struct fixture *f = *state;
    struct wh_err err;
    int64_t wait_ms;

    send(f, ENTITIES_TOPIC, 0, WH_LIT("k"), WH_LIT("garbage"));
    find_topics(f);
    wh_bus_mem_fail(f->bus, WH_BUS_MEM_DELIVERY, 0, 2, WH_E_UNAVAILABLE);
    th_ok(sink_writer_turn(f->writer, 0, &wait_ms, &err), &err);
    assert_true(wait_ms > 0);
    assert_non_null(strstr(f->why, "set aside"));
    assert_int_equal(stored_offsets(f, ENTITIES_TOPIC, PARTITIONS), 0);
    drain_ok(f);
    assert_string_equal(f->why, "");
    assert_int_equal(wh_bus_mem_count(f->bus, DEAD_TOPIC), 1);
    assert_int_equal(stored_offsets(f, ENTITIES_TOPIC, PARTITIONS), 1);
}

static void test_unknown_schema_holds_its_partition(void **state)
{
    struct fixture *f = *state;

    send(f, ENTITIES_TOPIC, 0, WH_LIT("k"),
         wh_slice("\0\0\0\1\1"
                  "future",
                  11));
    send_observations(f, 0, N);
    find_topics(f);
    drain_ok(f);
    assert_int_equal(wh_bus_mem_count(f->bus, DEAD_TOPIC), 0);
    assert_non_null(strstr(f->writer->table.held_reason, ENTITIES_TOPIC "/0"));
    assert_true(f->writer->table.topics[0]->partitions[0].held ||
                f->writer->table.topics[1]->partitions[0].held);
    assert_true(f->observations > 0 && f->observations < N);
    assert_int_equal(stored_offsets(f, ENTITIES_TOPIC, 1), 0);
    assert_int_equal(stored_offsets(f, ENTITIES_TOPIC, PARTITIONS), (int64_t)f->observations);
    assert_false(sink_table_caught_up(&f->writer->table));
}

static void test_disk_full(void **state)
{
    struct fixture *f = *state;
    struct wh_err err;
    struct wh_buf out;
    int64_t wait_ms = 0;
    bool found;

    send_observations(f, 0, N);
    find_topics(f);
    wh_store_mem_fail(f->store, WH_STORE_MEM_WRITE, WH_E_NO_SPACE, 2, 4);
    /* Two writes succeed, of which one may be a look at the children of a project. A turn hears of a write that
     * failed while it builds a later batch. */
    for (int i = 0; i < 6 && wait_ms == 0; i++) {
        th_ok(sink_writer_turn(f->writer, 0, &wait_ms, &err), &err);
    }
    assert_int_equal(wait_ms, f->conf.retry_ms);
    assert_true(f->observations > 0 && f->observations <= 2 * 37);
    assert_non_null(strstr(f->why, "disk is full"));
    assert_int_equal(stored_offsets(f, ENTITIES_TOPIC, PARTITIONS), f->observations);
    /* Reads go on; a turn before its time does not try. */
    wh_buf_init(&out, 1 << 16);
    th_ok(wh_store_get(f->store, NULL, SINK_META, WH_LIT("f"), &out, &found, &err), &err);
    assert_true(found);
    wh_buf_done(&out);
    th_ok(sink_writer_turn(f->writer, 0, &wait_ms, &err), &err);
    assert_true(wait_ms > 0 && wait_ms <= f->conf.retry_ms + 1);
    drain_ok(f);
    assert_string_equal(f->why, "");
    assert_int_equal(f->observations, N);
    assert_store_is(f, N);
}

static void test_pauses_grow_to_a_bound(void **state)
{
    struct fixture *f = *state;
    struct wh_err err;
    int64_t wait_ms = 0;
    int64_t longest = 0;

    send_observations(f, 0, 5);
    find_topics(f);
    wh_store_mem_fail(f->store, WH_STORE_MEM_WRITE, WH_E_NO_SPACE, 0, 12);
    for (int i = 0; i < 12; i++) {
        th_ok(sink_writer_turn(f->writer, 0, &wait_ms, &err), &err);
        assert_true(wait_ms >= longest);
        longest = wait_ms;
        f->mono_ns += wait_ms * 1000000;
    }
    assert_int_equal(longest, f->conf.retry_ms * 16);
    drain_ok(f);
    assert_int_equal(f->observations, 5);
}

static void test_crash_while_full(void **state)
{
    struct fixture *f = *state;
    struct wh_err err;
    int64_t wait_ms;

    send_observations(f, 0, N);
    find_topics(f);
    wh_store_mem_fail(f->store, WH_STORE_MEM_WRITE, WH_E_NO_SPACE, 1, 1);
    for (int i = 0; i < 3; i++) {
        th_ok(sink_writer_turn(f->writer, 0, &wait_ms, &err), &err);
    }
    assert_true(wait_ms > 0);
    /* Two batches are lost with the process, and their offsets with them. */
    assert_int_equal(stored_offsets(f, ENTITIES_TOPIC, PARTITIONS), 37);
    restart(f);
    find_topics(f);
    drain_ok(f);
    assert_store_is(f, N);
}

static void test_other_store_errors_end_it(void **state)
{
    struct fixture *f = *state;
    struct wh_err err;

    send_observations(f, 0, N);
    find_topics(f);
    wh_store_mem_fail(f->store, WH_STORE_MEM_WRITE, WH_E_IO, 1, 1);
    assert_int_equal(drain(f, &err), WH_E_IO);
    restart(f);
    find_topics(f);
    drain_ok(f);
    assert_store_is(f, N);
}

static void test_lost_place(void **state)
{
    struct fixture *f = *state;

    send_observations(f, 0, N);
    find_topics(f);
    wh_bus_mem_fail(f->bus, WH_BUS_MEM_POLL, 2, 1, WH_E_NOT_FOUND);
    for (int i = 0; i < 5; i++) {
        struct wh_err err;
        int64_t wait_ms;

        th_ok(sink_writer_turn(f->writer, 10, &wait_ms, &err), &err);
    }
    assert_true(sink_writer_wants_scout(f->writer));
    assert_true(f->observations < N);
    find_topics(f);
    assert_true(sink_writer_wants_scout(f->writer));
    find_topics(f);
    assert_false(sink_writer_wants_scout(f->writer));
    drain_ok(f);
    assert_int_equal(f->observations, N);
    assert_store_is(f, N);
}

/* ---- the table, with logs that lost records ---- */

static struct sink_found *found_one(const char *topic, const char *connection, int64_t low,
                                    int64_t high)
{
    struct sink_found *f = wh_mem_zalloc(1, sizeof(*f));

    assert_non_null(f);
    f->topics = wh_mem_zalloc(1, sizeof(*f->topics));
    f->partitions = wh_mem_zalloc(1, sizeof(*f->partitions));
    assert_non_null(f->topics);
    assert_non_null(f->partitions);
    f->n_topics = 1;
    f->n_partitions = 1;
    (void)snprintf(f->topics[0].name, sizeof(f->topics[0].name), "%s", topic);
    (void)snprintf(f->topics[0].connection, sizeof(f->topics[0].connection), "%s", connection);
    f->topics[0].partitions = 1;
    f->partitions[0].low = low;
    f->partitions[0].high = high;
    return f;
}

/* Where reading starts when offset 12 is stored; -1: it is held. */
static int64_t place_of(struct fixture *f, const char *connection, int64_t low, int64_t high,
                        bool accept_gap)
{
    struct sink_found *found = found_one("t", connection, low, high);
    struct sink_table table;
    struct wh_err err;
    bool changed = false;
    int64_t place;

    th_ok(sink_apply_offset(f->writer->apply, "t", 0, 12, &err), &err);
    th_ok(sink_apply_commit(f->writer->apply, false, &err), &err);
    sink_apply_begin(f->writer->apply);
    sink_table_init(&table, f->store, NULL, accept_gap);
    th_ok(sink_table_take(&table, found, false, &changed, NULL, NULL, &err), &err);
    assert_true(changed);
    place = table.topics[0]->partitions[0].held ? -1 : table.topics[0]->partitions[0].next;
    assert_int_equal(place < 0, table.held_reason[0] != '\0');
    sink_table_done(&table);
    sink_found_free(found);
    return place;
}

static void test_gaps(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(place_of(f, "c1", 0, 100, false), 12);
    assert_int_equal(place_of(f, "c1", 12, 12, false), 12);
    assert_int_equal(place_of(f, "c1", 40, 100, false), -1);
    assert_int_equal(place_of(f, "c1", 40, 100, true), 40);
    assert_int_equal(place_of(f, "", 40, 100, false), 40); /* compacted: nothing is lost */
    assert_int_equal(place_of(f, "c1", 3, 7, false), 3);   /* the topic was made anew */
}

static void test_gone_topics_are_forgotten(void **state)
{
    struct fixture *f = *state;
    struct sink_found *found = found_one("wellhead.entities.c9", "c9", 0, 0);
    struct wh_err err;

    send_observations(f, 0, 30);
    find_topics(f);
    drain_ok(f);
    th_ok(wh_bus_mem_topic(f->bus, "wellhead.entities.c9", 1, &err), &err);
    assert_int_equal(stored_offsets(f, ENTITIES_TOPIC, PARTITIONS), 30);
    th_ok(sink_writer_found(f->writer, found, &err), &err);
    assert_int_equal(stored_offsets(f, ENTITIES_TOPIC, PARTITIONS), 0);
    assert_int_equal(f->writer->table.n_topics, 1);
    find_topics(f);
    drain_ok(f);
    assert_int_equal(f->duplicates, 30); /* read anew, and nothing changed */
    sink_found_free(found);
    assert_store_is(f, 30);
}

static void test_gone_while_down(void **state)
{
    struct fixture *f = *state;
    struct wh_err err;

    th_ok(sink_apply_offset(f->writer->apply, "wellhead.entities.old", 3, 12, &err), &err);
    th_ok(sink_apply_commit(f->writer->apply, false, &err), &err);
    sink_apply_begin(f->writer->apply);
    find_topics(f);
    assert_int_equal(stored_offsets(f, "wellhead.entities.old", 4), 0);
}

/* ---- connections ---- */

static void send_connection(struct fixture *f)
{
    const struct wh_connection c = {.id = WH_LIT("c1"),
                                    .instance = WH_LIT("https://gitlab.test"),
                                    .state = WH_LIT("enabled"),
                                    .detail = WH_LIT(""),
                                    .gitlab_version = WH_LIT("17.1"),
                                    .token_sealed = WH_LIT("c2VhbGVkLXRva2Vu"),
                                    .oauth_sealed = WH_LIT("c2VhbGVkLXBhaXI="),
                                    .client_sealed = WH_LIT("c2VhbGVkLWNsaWVudA=="),
                                    .webhook_key_sealed = WH_LIT("c2VhbGVkLWtleQ=="),
                                    .webhook_token_sealed = WH_LIT("c2VhbGVkLWhvb2s=")};
    struct wh_document document = {.connection = WH_LIT("c1"), .key = WH_LIT("c1"), .at_ms = 5};
    struct wh_buf json;
    struct wh_buf value;
    struct wh_err err;

    wh_buf_init(&json, 1 << 16);
    wh_buf_init(&value, 1 << 16);
    th_ok(wh_connection_write(&c, &json, &err), &err);
    document.document = wh_buf_slice(&json);
    th_ok(wh_document_encode(WH_DOCUMENT_CONNECTION, &document, &value, &err), &err);
    send(f, CONNECTIONS_TOPIC, 0, WH_LIT("c1"), wh_buf_slice(&value));
    wh_buf_done(&json);
    wh_buf_done(&value);
}

static bool has_connection(struct fixture *f)
{
    char *meta = th_store_dump(f->store, SINK_META);
    bool has = strstr(meta, "786331 ") != NULL; /* "xc1" */

    wh_mem_free(meta);
    return has;
}

static void test_connections(void **state)
{
    struct fixture *f = *state;
    struct wh_buf value;
    struct wh_err err;
    bool found = false;

    wh_buf_init(&value, 1 << 16);
    send_connection(f);
    send(f, CONNECTIONS_TOPIC, 0, WH_LIT("c0"), WH_LIT("garbage"));
    find_topics(f);
    drain_ok(f);
    th_ok(wh_store_get(f->store, NULL, SINK_META, WH_LIT("xc1"), &value, &found, &err), &err);
    assert_true(found);
    assert_non_null(strstr(wh_buf_str(&value), "https://gitlab.test"));
    assert_null(strstr(wh_buf_str(&value), "c2Vh"));
    assert_int_equal(stored_offsets(f, CONNECTIONS_TOPIC, 1), 2);
    send(f, CONNECTIONS_TOPIC, 0, WH_LIT("c1"), wh_slice(NULL, 0));
    drain_ok(f);
    assert_false(has_connection(f));
    wh_buf_done(&value);
}

/* ---- purge ---- */

static void finish_purge(struct fixture *f)
{
    struct wh_err err;
    int64_t wait_ms;

    assert_true(sink_purge_due(f->writer->purge));
    for (unsigned i = 0; sink_purge_due(f->writer->purge); i++) {
        assert_true(i < TURNS_MAX);
        th_ok(sink_writer_turn(f->writer, 0, &wait_ms, &err), &err);
        assert_int_equal(wait_ms, 0);
    }
}

static void assert_no_rows(struct fixture *f)
{
    for (unsigned family = 0; family < SINK_META; family++) {
        char *dump = th_store_dump(f->store, family);

        assert_null(strpbrk(dump, "0123456789abcdef"));
        wh_mem_free(dump);
    }
}

/* A connection and its tombstone in one poll, then a new connection of the same name. */
static void test_purge(void **state)
{
    const char *const entities[] = {ENTITIES_TOPIC};
    struct fixture *f = *state;
    struct wh_err err;

    send_observations(f, 0, 60);
    send_connection(f);
    find_topics(f);
    drain_ok(f);
    assert_store_is(f, 60);
    th_ok(wh_admin_remove(f->admin, entities, 1, 1000, &err), &err);
    send(f, CONNECTIONS_TOPIC, 0, WH_LIT("c1"), wh_slice(NULL, 0));
    do {
        int64_t wait_ms;

        th_ok(sink_writer_turn(f->writer, 0, &wait_ms, &err), &err);
    } while (!sink_purge_due(f->writer->purge));
    restart(f);
    finish_purge(f);
    assert_no_rows(f);
    assert_false(has_connection(f));
    assert_int_equal(stored_offsets(f, ENTITIES_TOPIC, PARTITIONS), 0);
    th_ok(wh_bus_mem_topic(f->bus, ENTITIES_TOPIC, PARTITIONS, &err), &err);
    send_connection(f);
    send_observations(f, 0, 60);
    find_topics(f);
    drain_ok(f);
    assert_true(has_connection(f));
    assert_store_is(f, 60);
}

/* How many values that could not be converted the store has. */
static size_t set_aside_count(struct fixture *f)
{
    const char from = 's';
    const char to = 't';
    struct wh_iter *it = NULL;
    struct wh_slice key;
    struct wh_slice value;
    struct wh_err err;
    size_t n = 0;

    th_ok(wh_iter_new(f->store, NULL, SINK_META, wh_slice(&from, 1), wh_slice(&to, 1), &it, &err),
          &err);
    wh_iter_seek(it, wh_slice(&from, 1), false);
    for (; wh_iter_valid(it, &key, &value); wh_iter_step(it, false)) {
        n++;
    }
    wh_iter_free(it);
    return n;
}

/* Sends an observation of the list with a note about one value. */
static void send_note(struct fixture *f, size_t index, const char *pointer)
{
    const struct wh_set_aside note = {.pointer = wh_slice_str(pointer),
                                      .reason = WH_LIT("r"),
                                      .example = WH_LIT("x"),
                                      .count = 1};
    struct wh_observation o;
    struct wh_arena arena;
    struct wh_buf bytes;
    struct wh_err err;

    wh_arena_init(&arena, 65536, 1 << 20);
    wh_buf_init(&bytes, 1 << 20);
    th_ok(
        wh_observation_decode(wh_slice(f->list[index].bytes, f->list[index].len), &arena, &o, &err),
        &err);
    o.set_aside = &note;
    o.n_set_aside = 1;
    th_ok(wh_observation_encode(&o, &bytes, &err), &err);
    send(f, ENTITIES_TOPIC, 0, wh_slice(f->list[index].id.bytes, 16), wh_buf_slice(&bytes));
    wh_buf_done(&bytes);
    wh_arena_done(&arena);
}

/* A value that could not be converted counts once, however often its event comes; a purge takes it. */
static void test_set_aside(void **state)
{
    const char *const entities[] = {ENTITIES_TOPIC};
    struct fixture *f = *state;
    struct wh_err err;

    for (unsigned again = 0; again < 3; again++) {
        send_note(f, 0, "/a");
        send_note(f, 0, "/b");
        send_note(f, 1, "/a");
    }
    send_connection(f);
    find_topics(f);
    drain_ok(f);
    assert_int_equal(set_aside_count(f), 3);
    assert_int_equal(f->dead_letters, 0);
    th_ok(wh_admin_remove(f->admin, entities, 1, 1000, &err), &err);
    send(f, CONNECTIONS_TOPIC, 0, WH_LIT("c1"), wh_slice(NULL, 0));
    drain_ok(f);
    finish_purge(f);
    assert_int_equal(set_aside_count(f), 0);
}

/* The tombstone comes right behind a backlog, whose last batch is still being written. */
static void test_purge_behind_a_backlog(void **state)
{
    struct fixture *f = *state;
    unsigned flown = 0;
    int64_t wait_ms;
    struct wh_err err;

    for (unsigned more = 1; more <= 3; more++) {
        send_connection(f);
        send_observations(f, 0, N);
        find_topics(f);
        for (unsigned i = 0; i < more; i++) {
            th_ok(sink_writer_turn(f->writer, 0, &wait_ms, &err), &err);
            flown += f->writer->flight.batch != NULL;
        }
        send(f, CONNECTIONS_TOPIC, 0, WH_LIT("c1"), wh_slice(NULL, 0));
        drain_ok(f);
        while (sink_purge_due(f->writer->purge)) {
            finish_purge(f);
        }
        assert_false(has_connection(f));
        find_topics(f);
        drain_ok(f);
        assert_store_is(f, N);
    }
    assert_true(flown > 0);
}

/* This sink was down: it reads the rows of the new connection before the old one's tombstone. */
static void test_purge_of_what_is_back_already(void **state)
{
    struct fixture *f = *state;

    send_observations(f, 0, 60);
    find_topics(f);
    drain_ok(f);
    send_connection(f);
    send(f, CONNECTIONS_TOPIC, 0, WH_LIT("c1"), wh_slice(NULL, 0));
    send_connection(f);
    drain_ok(f);
    while (sink_purge_due(f->writer->purge)) {
        finish_purge(f);
    }
    assert_no_rows(f);
    assert_true(has_connection(f));
    find_topics(f);
    drain_ok(f);
    assert_store_is(f, 60);
}

/* ---- runs and health ---- */

static void send_document(struct fixture *f, const char *topic, enum wh_document_schema schema,
                          const char *key, const char *json)
{
    const struct wh_document document = {.connection = WH_LIT("c1"),
                                         .key = wh_slice_str(key),
                                         .at_ms = 5,
                                         .document = wh_slice_str(json)};
    struct wh_buf value;
    struct wh_err err;

    wh_buf_init(&value, 1 << 16);
    th_ok(wh_document_encode(schema, &document, &value, &err), &err);
    send(f, topic, 0, wh_slice_str(key), wh_buf_slice(&value));
    wh_buf_done(&value);
}

static bool has_meta(struct fixture *f, struct wh_slice key, const char *text)
{
    struct wh_buf value;
    struct wh_err err;
    bool found = false;

    wh_buf_init(&value, 1 << 16);
    th_ok(wh_store_get(f->store, NULL, SINK_META, key, &value, &found, &err), &err);
    found = found && strcmp(wh_buf_str(&value), text) == 0;
    wh_buf_done(&value);
    return found;
}

static void test_runs_and_health(void **state)
{
    static const char late[] = "{\"started_at_ms\":10000000000,\"kind\":\"sync\"}";
    static const char begun[] = "{\"started_at_ms\":10000000000,\"state\":\"in_progress\"}";
    static const char success[] = "{\"started_at_ms\":10000000000,\"state\":\"success\"}";
    static const char interrupted[] = "{\"started_at_ms\":10000000000,\"state\":\"interrupted\"}";
    static const char webhooks[] = "{\"connection\":\"c1\",\"projects\":[]}";
    struct fixture *f = *state;
    struct wh_err err;

    th_ok(wh_bus_mem_topic(f->bus, "wellhead.runs", 1, &err), &err);
    th_ok(wh_bus_mem_topic(f->bus, "wellhead.health", 1, &err), &err);
    send_document(f, "wellhead.runs", WH_DOCUMENT_RUN, "c1:1", "{\"started_at_ms\":1}");
    send_document(f, "wellhead.runs", WH_DOCUMENT_RUN, "c1:x", "{\"ok\":true}");
    send_document(f, "wellhead.health", WH_DOCUMENT_HEALTH, "c1:webhooks:i1", webhooks);
    send_document(f, "wellhead.health", WH_DOCUMENT_HEALTH, "c1:webhooks:i2", webhooks);
    send(f, "wellhead.health", 0, WH_LIT("no colon"), WH_LIT("x"));
    find_topics(f);
    drain_ok(f);
    assert_true(has_meta(f, wh_slice("rc1\0\0\0\0\0\0\0\0\1", 12), "{\"started_at_ms\":1}"));
    assert_true(has_meta(f, wh_slice("hc1\0webhooks:i1", 15), webhooks));
    /* A run of half a year later: the old report goes. */
    send_document(f, "wellhead.runs", WH_DOCUMENT_RUN, "c1:2", late);
    send(f, "wellhead.health", 0, WH_LIT("c1:webhooks:i1"), wh_slice(NULL, 0));
    drain_ok(f);
    assert_false(has_meta(f, wh_slice("rc1\0\0\0\0\0\0\0\0\1", 12), "{\"started_at_ms\":1}"));
    assert_true(has_meta(f, wh_slice("rc1\0\0\0\0\2\x54\x0b\xe4\0", 12), late));
    assert_false(has_meta(f, wh_slice("hc1\0webhooks:i1", 15), webhooks));
    assert_true(has_meta(f, wh_slice("hc1\0webhooks:i2", 15), webhooks));
    /* What was cut off is closed by the next process, but not what had ended. */
    send_document(f, "wellhead.runs", WH_DOCUMENT_RUN, "c1:2", begun);
    send_document(f, "wellhead.runs", WH_DOCUMENT_RUN, "c1:2", success);
    drain_ok(f);
    send_document(f, "wellhead.runs", WH_DOCUMENT_RUN, "c1:2", interrupted);
    drain_ok(f);
    assert_true(has_meta(f, wh_slice("rc1\0\0\0\0\2\x54\x0b\xe4\0", 12), success));
    send_document(f, "wellhead.runs", WH_DOCUMENT_RUN, "c1:2", begun);
    drain_ok(f);
    send_document(f, "wellhead.runs", WH_DOCUMENT_RUN, "c1:2", interrupted);
    drain_ok(f);
    assert_true(has_meta(f, wh_slice("rc1\0\0\0\0\2\x54\x0b\xe4\0", 12), interrupted));
    send_document(f, "wellhead.runs", WH_DOCUMENT_RUN, "c1:2", late);
    drain_ok(f);
    /* The connection goes, and all that was kept under its name. */
    send(f, CONNECTIONS_TOPIC, 0, WH_LIT("c1"), wh_slice(NULL, 0));
    drain_ok(f);
    assert_false(has_meta(f, wh_slice("hc1\0webhooks:i2", 15), webhooks));
    assert_false(has_meta(f, wh_slice("rc1\0\0\0\0\2\x54\x0b\xe4\0", 12), late));
    assert_int_equal(wh_bus_mem_count(f->bus, DEAD_TOPIC), 0); /* damaged ones are only logged */
}

/* The number of changes of what people are made of. */
static uint64_t people_changes(struct fixture *f)
{
    struct wh_buf value;
    struct wh_err err;
    bool found = false;
    uint64_t n;

    wh_buf_init(&value, 64);
    th_ok(wh_store_get(f->store, NULL, SINK_META, WH_LIT("p"), &value, &found, &err), &err);
    n = found ? wh_be_get64(wh_buf_str(&value)) : 0;
    wh_buf_done(&value);
    return n;
}

/* A decision is stored behind the time at which that happened. */
static bool has_decision(struct fixture *f, struct wh_slice key, const char *json)
{
    struct wh_buf value;
    struct wh_err err;
    bool found = false;

    wh_buf_init(&value, 1 << 16);
    th_ok(wh_store_get(f->store, NULL, SINK_META, key, &value, &found, &err), &err);
    found =
        found && value.len > 8 && wh_be_get64(value.ptr) > 0 && strcmp(value.ptr + 8, json) == 0;
    wh_buf_done(&value);
    return found;
}

static void test_decisions(void **state)
{
    static const char split[] =
        "{\"id\":\"d-1\",\"at\":\"2026-01-01T00:00:00.000Z\",\"who\":\"ana\","
        "\"action\":\"split\",\"subject\":\"a\",\"why\":\"two people\"}";
    struct fixture *f = *state;
    struct wh_err err;

    th_ok(wh_bus_mem_topic(f->bus, "wellhead.decisions", 1, &err), &err);
    send_document(f, "wellhead.decisions", WH_DOCUMENT_DECISION, "d-1", split);
    send_document(f, "wellhead.decisions", WH_DOCUMENT_DECISION, "d-2", split); /* another id */
    send_document(f, "wellhead.decisions", WH_DOCUMENT_DECISION, "d-3", "{}");
    find_topics(f);
    drain_ok(f);
    assert_true(has_decision(f, WH_LIT("dd-1"), split));
    assert_false(has_decision(f, WH_LIT("dd-2"), split));
    assert_int_equal(people_changes(f), 1);
    send(f, "wellhead.decisions", 0, WH_LIT("d-1"), wh_slice(NULL, 0));
    drain_ok(f);
    assert_false(has_decision(f, WH_LIT("dd-1"), split));
    assert_int_equal(people_changes(f), 2);
}

/* One read of a run. */
static void send_read(struct fixture *f)
{
    static struct wh_observation o;
    struct wh_buf value;
    struct wh_err err;

    memset(&o, 0, sizeof(o));
    o.body.def = wh_kind_def(WH_KIND_WORK_ITEM);
    o.id.bytes[0] = 7;
    o.source = (struct wh_source_id){.system = WH_LIT("gitlab"),
                                     .instance = WH_LIT("https://g"),
                                     .kind = WH_LIT("issue"),
                                     .project = WH_LIT("1"),
                                     .id = WH_LIT("9")};
    o.version.order = wh_version_order((struct wh_instant){5000, true}, 0, WH_ORIGIN_REST);
    o.provenance = (struct wh_provenance){.origin = WH_ORIGIN_REST,
                                          .delivery_id = WH_LIT("/x#run=77"),
                                          .observed_at_ms = 6000,
                                          .topic = WH_LIT("wellhead.raw.c1"),
                                          .view = WH_LIT("v")};
    wh_buf_init(&value, 1 << 16);
    th_ok(wh_observation_encode(&o, &value, &err), &err);
    send(f, ENTITIES_TOPIC, 0, wh_slice(o.id.bytes, 16), wh_buf_slice(&value));
    wh_buf_done(&value);
}

static void test_outcome_is_told(void **state)
{
    struct fixture *f = *state;
    const struct wh_bus_header *headers;
    struct wh_document document;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n_headers;

    th_ok(wh_bus_mem_topic(f->bus, "wellhead.health", 1, &err), &err);
    find_topics(f);
    send_read(f);
    drain_ok(f);
    f->mono_ns += INT64_C(1000000000);
    drain_ok(f);
    th_ok(wh_producer_flush(f->dead, 1000, &err), &err);
    assert_int_equal(wh_bus_mem_count(f->bus, "wellhead.health"), 1);
    assert_true(wh_bus_mem_get(f->bus, "wellhead.health", 0, &msg, &headers, &n_headers));
    th_slice_is(msg.key, "c1:outcome");
    th_ok(wh_document_decode(msg.value, &document, &err), &err);
    assert_non_null(memmem(document.document.ptr, document.document.len, "\"run\":77", 8));
    /* Told once; a failure to tell it is no failure of a dead letter. */
    f->mono_ns += INT64_C(1000000000);
    send_read(f);
    drain_ok(f);
    wh_bus_mem_fail(f->bus, WH_BUS_MEM_DELIVERY, 0, 1, WH_E_UNAVAILABLE);
    f->mono_ns += INT64_C(1000000000);
    drain_ok(f);
    th_ok(wh_producer_flush(f->dead, 1000, &err), &err);
    assert_int_equal(f->writer->letters.failed, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_records_and_offsets),
        TEST(test_stored_at),
        TEST(test_killed_at_any_turn),
        TEST(test_topics_come_later),
        TEST(test_damaged_records),
        TEST(test_set_aside),
        TEST(test_dead_letter_is_acknowledged_first),
        TEST(test_unknown_schema_holds_its_partition),
        TEST(test_disk_full),
        TEST(test_pauses_grow_to_a_bound),
        TEST(test_crash_while_full),
        TEST(test_other_store_errors_end_it),
        TEST(test_lost_place),
        TEST(test_gaps),
        TEST(test_gone_topics_are_forgotten),
        TEST(test_gone_while_down),
        TEST(test_connections),
        TEST(test_purge),
        TEST(test_purge_behind_a_backlog),
        TEST(test_purge_of_what_is_back_already),
        TEST(test_decisions),
        TEST(test_runs_and_health),
        TEST(test_outcome_is_told),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
