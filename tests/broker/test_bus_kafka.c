/*
 * Our bus over librdkafka against its mock cluster, in this process: acknowledgements, errors that
 * the brokers answer, brokers that go and come, a group, the end of a producer. What the mock
 * cannot do (compaction, making topics) is left to tests/integration.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "common/bus/bus.h"
#include "tests/lib/th_bus.h"
#include "tests/lib/th_cmocka.h"

enum {
    BROKERS = 3,
    PARTITIONS = 4,
    PRODUCE = 0,
    FETCH = 1,
    INIT_PRODUCER_ID = 22,
    WAIT_MS = 10000
};

struct fixture {
    rd_kafka_t *rk;
    rd_kafka_mock_cluster_t *cluster;
    const char *bootstrap;
    struct th_deliveries seen;
    struct wh_producer *producer;
};

static void make_producer(struct fixture *f, int64_t timeout_ms, size_t queue_max_records)
{
    struct wh_producer_conf conf;
    struct wh_err err;

    memset(&f->seen, 0, sizeof(f->seen));
    wh_producer_conf_init(&conf);
    conf.bootstrap = f->bootstrap;
    conf.client_id = "test";
    conf.delivery_timeout_ms = timeout_ms;
    conf.queue_max_records = queue_max_records;
    th_ok(wh_producer_kafka_new(&conf, &f->producer, &err), &err);
}

static int set_up(void **state)
{
    static struct fixture f;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];

    memset(&f, 0, sizeof(f));
    f.rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(f.rk);
    f.cluster = rd_kafka_mock_cluster_new(f.rk, BROKERS);
    assert_non_null(f.cluster);
    f.bootstrap = rd_kafka_mock_cluster_bootstraps(f.cluster);
    assert_int_equal(rd_kafka_mock_topic_create(f.cluster, "t", PARTITIONS, BROKERS), 0);
    make_producer(&f, WAIT_MS, 1000);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    wh_producer_free(f->producer);
    rd_kafka_mock_cluster_destroy(f->cluster);
    rd_kafka_destroy(f->rk);
    return 0;
}

static void all_brokers(struct fixture *f, bool up)
{
    for (int32_t id = 1; id <= BROKERS; id++) {
        (void)(up ? rd_kafka_mock_broker_set_up(f->cluster, id)
                  : rd_kafka_mock_broker_set_down(f->cluster, id));
    }
}

/* ---- reading by hand ---- */

static struct wh_consumer *reader(struct fixture *f, int64_t offset)
{
    struct wh_bus_partition parts[PARTITIONS];
    struct wh_consumer_conf conf;
    struct wh_consumer *c;
    struct wh_err err;

    wh_consumer_conf_init(&conf);
    conf.bootstrap = f->bootstrap;
    conf.client_id = "test";
    th_ok(wh_consumer_kafka_new(&conf, &c, &err), &err);
    for (int32_t i = 0; i < PARTITIONS; i++) {
        parts[i] = (struct wh_bus_partition){"t", i, offset};
    }
    th_ok(wh_consumer_assign(c, parts, PARTITIONS, &err), &err);
    return c;
}

/* Each partition's end is reported once it is reached, that of an empty partition, too. */
static void test_reported_ends(void **state)
{
    const struct wh_bus_partition parts[] = {{"t", 0, WH_OFFSET_BEGINNING},
                                             {"t", 1, WH_OFFSET_BEGINNING}};
    struct fixture *f = *state;
    struct wh_consumer_conf conf;
    struct wh_bus_msg msgs[16];
    struct wh_consumer *c;
    struct wh_err err;
    size_t n = 0;

    for (int i = 0; i < 5; i++) {
        const struct wh_bus_record r = {.topic = "t", .key = WH_LIT("k"), .value = WH_LIT("v")};

        th_ok(wh_producer_produce(f->producer, &r, &err), &err);
    }
    th_ok(wh_producer_flush(f->producer, WAIT_MS, &err), &err);
    wh_consumer_conf_init(&conf);
    conf.bootstrap = f->bootstrap;
    conf.client_id = "test";
    conf.report_ends = true;
    th_ok(wh_consumer_kafka_new(&conf, &c, &err), &err);
    assert_int_equal(wh_consumer_end(c, "t", 0), -1);
    th_ok(wh_consumer_assign(c, parts, 2, &err), &err);
    while (wh_consumer_end(c, "t", 0) < 5 || wh_consumer_end(c, "t", 1) < 0) {
        th_ok(wh_consumer_poll(c, WAIT_MS, 16, msgs, &n, &err), &err);
    }
    assert_int_equal(wh_consumer_end(c, "t", 0), 5);
    assert_int_equal(wh_consumer_end(c, "t", 1), 0);
    assert_int_equal(wh_consumer_end(c, "t", 2), -1);
    wh_consumer_free(c);
}

/* All records are in the topic, each once, in the order of their key. */
static void topic_has(struct fixture *f, size_t n)
{
    struct wh_consumer *c = reader(f, WH_OFFSET_BEGINNING);

    th_consume_numbers(c, 0, n);
    wh_consumer_free(c);
}

/* ---- tests ---- */

static void test_acknowledged(void **state)
{
    struct fixture *f = *state;
    struct pollfd fd = {.fd = wh_producer_fd(f->producer), .events = POLLIN};
    struct wh_err err;

    th_ok(wh_producer_warm(f->producer, "t", WAIT_MS, &err), &err);
    th_produce_numbers(f->producer, &f->seen, "t", 0, 200);
    assert_int_equal(wh_producer_pending(f->producer), 200);
    /* Without a poll nothing is said, but the descriptor calls for one. */
    assert_int_equal(f->seen.n, 0);
    assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
    th_deliver_all(f->producer);
    th_deliveries_are(&f->seen, 200, WH_OK);
    topic_has(f, 200);
}

static void test_errors_are_retried_in_order(void **state)
{
    struct fixture *f = *state;

    rd_kafka_mock_push_request_errors(
        f->cluster, PRODUCE, 6, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
    th_produce_numbers(f->producer, &f->seen, "t", 0, 300);
    th_deliver_all(f->producer);
    th_deliveries_are(&f->seen, 300, WH_OK);
    topic_has(f, 300);
}

static void test_brokers_go_and_come(void **state)
{
    struct fixture *f = *state;
    struct wh_err err;

    th_produce_numbers(f->producer, &f->seen, "t", 0, 50);
    th_deliver_all(f->producer);
    all_brokers(f, false);
    th_produce_numbers(f->producer, &f->seen, "t", 50, 50);
    (void)wh_producer_poll(f->producer, 300);
    assert_int_equal(wh_producer_pending(f->producer), 50);
    assert_int_equal(wh_producer_flush(f->producer, 0, &err), WH_E_TIMEOUT);
    all_brokers(f, true);
    th_deliver_all(f->producer);
    th_deliveries_are(&f->seen, 100, WH_OK);
    topic_has(f, 100);
}

static void test_leader_moves(void **state)
{
    struct fixture *f = *state;

    th_produce_numbers(f->producer, &f->seen, "t", 0, 50);
    th_deliver_all(f->producer);
    for (int32_t p = 0; p < PARTITIONS; p++) {
        assert_int_equal(
            rd_kafka_mock_partition_set_leader(f->cluster, "t", p, 1 + (p + 1) % BROKERS), 0);
    }
    th_produce_numbers(f->producer, &f->seen, "t", 50, 50);
    th_deliver_all(f->producer);
    th_deliveries_are(&f->seen, 100, WH_OK);
    topic_has(f, 100);
}

static void test_too_late_is_said(void **state)
{
    struct fixture *f = *state;

    wh_producer_free(f->producer);
    all_brokers(f, false);
    make_producer(f, 700, 20);
    th_produce_numbers(f->producer, &f->seen, "t", 0, 20);
    {
        struct wh_err err;

        assert_int_equal(th_produce(f->producer, &f->seen, "t", 20, &err), WH_E_BUSY);
    }
    th_deliver_all(f->producer);
    th_deliveries_are(&f->seen, 20, WH_E_TIMEOUT);
}

/* A producer that is lost says so at each call; each record that it took comes back all the same.
 */
static void test_fatal(void **state)
{
    struct fixture *f = *state;
    enum wh_rc rc = WH_OK;
    struct wh_err err;
    size_t taken = 0;

    wh_producer_free(f->producer);
    rd_kafka_mock_push_request_errors(f->cluster, INIT_PRODUCER_ID, 2,
                                      RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
                                      RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
    make_producer(f, WAIT_MS, TH_RECORDS_MAX);
    for (int i = 0; i < 200 && rc == WH_OK; i++) {
        rc = th_produce(f->producer, &f->seen, "t", taken, &err);
        taken += rc == WH_OK;
        (void)wh_producer_poll(f->producer, 50);
    }
    assert_int_equal(rc, WH_E_FATAL_BUS);
    th_deliver_all(f->producer);
    assert_int_equal(f->seen.n, taken);
    for (size_t i = 0; i < taken; i++) {
        assert_int_equal(f->seen.times[i], 1);
        assert_int_not_equal(f->seen.rc[i], WH_OK);
    }
    /* A new one goes on from there. */
    wh_producer_free(f->producer);
    rd_kafka_mock_clear_request_errors(f->cluster, INIT_PRODUCER_ID);
    make_producer(f, WAIT_MS, 1000);
    th_produce_numbers(f->producer, &f->seen, "t", 0, 20);
    th_deliver_all(f->producer);
    th_deliveries_are(&f->seen, 20, WH_OK);
}

/* Without a broker it says so at once; with one the answer is used when it arrives. */
static void test_metadata_without_waiting(void **state)
{
    struct fixture *f = *state;
    enum wh_rc rc;
    struct wh_err err;

    all_brokers(f, false);
    rc = wh_producer_warm(f->producer, "t", 0, &err);
    assert_true(rc == WH_E_UNAVAILABLE || rc == WH_E_TIMEOUT);
    all_brokers(f, true);
    do {
        rc = wh_producer_warm(f->producer, "t", 0, &err);
        (void)wh_producer_poll(f->producer, 10);
    } while (rc == WH_E_UNAVAILABLE);
    assert_true(rc == WH_OK || rc == WH_E_TIMEOUT);
    th_produce_numbers(f->producer, &f->seen, "t", 0, 20);
    th_deliver_all(f->producer);
    th_deliveries_are(&f->seen, 20, WH_OK);
}

static void test_unknown_topic(void **state)
{
    struct fixture *f = *state;
    struct wh_err err;

    rd_kafka_mock_topic_set_error(f->cluster, "nowhere", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    assert_int_equal(wh_producer_warm(f->producer, "nowhere", WAIT_MS, &err), WH_E_NOT_FOUND);
}

static void test_reading_on_after_errors(void **state)
{
    struct fixture *f = *state;
    struct wh_consumer *c;

    th_produce_numbers(f->producer, &f->seen, "t", 0, 100);
    th_deliver_all(f->producer);
    rd_kafka_mock_push_request_errors(f->cluster, FETCH, 4, RD_KAFKA_RESP_ERR__TRANSPORT,
                                      RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                      RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH,
                                      RD_KAFKA_RESP_ERR__TRANSPORT);
    c = reader(f, WH_OFFSET_BEGINNING);
    th_consume_numbers(c, 0, 100);
    all_brokers(f, false);
    all_brokers(f, true);
    th_produce_numbers(f->producer, &f->seen, "t", 100, 100);
    th_deliver_all(f->producer);
    th_consume_numbers(c, 100, 100);
    wh_consumer_free(c);
}

/* A position that the topic does not have is an error, never a silent jump. */
static void test_gone_offset(void **state)
{
    struct fixture *f = *state;
    struct wh_consumer *c;
    struct wh_bus_msg msg;
    struct wh_err err;
    enum wh_rc rc = WH_OK;
    size_t n;

    th_produce_numbers(f->producer, &f->seen, "t", 0, 10);
    th_deliver_all(f->producer);
    c = reader(f, 5000);
    for (int i = 0; i < 50 && rc == WH_OK; i++) {
        rc = wh_consumer_poll(c, 200, 1, &msg, &n, &err);
        assert_true(rc != WH_OK || n == 0);
    }
    assert_int_equal(rc, WH_E_NOT_FOUND);
    wh_consumer_free(c);
}

/* ---- a group ---- */

struct member {
    struct wh_consumer *c;
    bool has[PARTITIONS];
    int assigned; /* calls */
    int revoked;
};

static void on_assign(void *ctx, const struct wh_bus_partition *parts, size_t n)
{
    struct member *m = ctx;

    m->assigned++;
    for (size_t i = 0; i < n; i++) {
        m->has[parts[i].partition] = true;
    }
}

static void on_revoke(void *ctx, const struct wh_bus_partition *parts, size_t n, bool lost)
{
    struct member *m = ctx;

    (void)lost;
    m->revoked++;
    for (size_t i = 0; i < n; i++) {
        m->has[parts[i].partition] = false;
    }
}

static void join(struct fixture *f, struct member *m)
{
    static const char *const topics[] = {"^t.*"};
    char name[] = "heartbeat.interval.ms";
    char value[] = "200";
    struct wh_conf_pair fast[] = {{name, value}};
    const struct wh_conf_pairs extra = {fast, 1};
    struct wh_consumer_conf conf;
    struct wh_err err;

    *m = (struct member){0};
    wh_consumer_conf_init(&conf);
    conf.bootstrap = f->bootstrap;
    conf.client_id = "test";
    conf.group = "g";
    conf.extra = &extra;
    conf.session_timeout_ms = 6000;
    conf.rebalance = (struct wh_bus_rebalance){on_assign, on_revoke, m};
    th_ok(wh_consumer_kafka_new(&conf, &m->c, &err), &err);
    th_ok(wh_consumer_subscribe(m->c, topics, 1, &err), &err);
}

static size_t count(const struct member *m)
{
    size_t n = 0;

    for (int i = 0; i < PARTITIONS; i++) {
        n += m->has[i];
    }
    return n;
}

/* Polls the members, who get no records, until the first has `want` partitions. */
static void settle(struct member *a, struct member *b, size_t want)
{
    for (int i = 0; count(a) != want || (b && count(a) + count(b) != PARTITIONS); i++) {
        struct wh_bus_msg msg;
        struct wh_err err;
        size_t n;

        assert_true(i < 300);
        th_ok(wh_consumer_poll(a->c, 50, 1, &msg, &n, &err), &err);
        assert_int_equal(n, 0);
        if (b) {
            th_ok(wh_consumer_poll(b->c, 50, 1, &msg, &n, &err), &err);
            assert_int_equal(n, 0);
        }
    }
}

static void commit_is_refused(struct fixture *f, struct member *m)
{
    const struct wh_bus_partition at = {"t", 0, 0};
    enum { OFFSET_COMMIT = 8 };
    struct wh_err err;

    rd_kafka_mock_push_request_errors(f->cluster, OFFSET_COMMIT, 1,
                                      RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
    assert_int_equal(wh_consumer_commit(m->c, &at, 1, true, &err), WH_E_DENIED);
    th_ok(wh_consumer_commit(m->c, &at, 1, true, &err), &err);
}

/* Two members share the partitions; the one that stays takes over; commits are where it goes on. */
static void test_group(void **state)
{
    struct fixture *f = *state;
    struct member a;
    struct member b;

    join(f, &a);
    settle(&a, NULL, PARTITIONS);
    commit_is_refused(f, &a);
    th_produce_numbers(f->producer, &f->seen, "t", 0, 60);
    th_deliver_all(f->producer);
    th_consume_numbers(a.c, 0, 60);
    th_commit_all(a.c, "t", PARTITIONS);
    join(f, &b);
    settle(&a, &b, PARTITIONS / 2);
    for (int i = 0; i < PARTITIONS; i++) {
        assert_int_not_equal(a.has[i], b.has[i]);
    }
    assert_true(a.revoked > 0);
    /* The first leaves: all that comes from here on is the second's, and nothing from before. */
    wh_consumer_free(a.c);
    settle(&b, NULL, PARTITIONS);
    th_produce_numbers(f->producer, &f->seen, "t", 60, 40);
    th_deliver_all(f->producer);
    th_consume_numbers(b.c, 60, 40);
    wh_consumer_free(b.c);
}

/* Subscribing again gives the partitions back and reads once more what is not committed. */
static void test_subscribe_again(void **state)
{
    static const char *const topics[] = {"^t.*"};
    struct fixture *f = *state;
    struct member a;
    struct wh_err err;

    join(f, &a);
    settle(&a, NULL, PARTITIONS);
    th_produce_numbers(f->producer, &f->seen, "t", 0, 60);
    th_deliver_all(f->producer);
    th_consume_numbers(a.c, 0, 60);
    th_commit_all(a.c, "t", PARTITIONS);
    th_produce_numbers(f->producer, &f->seen, "t", 60, 40);
    th_deliver_all(f->producer);
    for (int again = 1; again <= 2; again++) {
        th_consume_numbers(a.c, 60, 40);
        th_ok(wh_consumer_subscribe(a.c, topics, 1, &err), &err);
    }
    th_consume_numbers(a.c, 60, 40);
    assert_int_equal(a.revoked, 2);
    assert_int_equal(a.assigned, 3);
    wh_consumer_free(a.c);
}

/* ---- admin ---- */

static void test_list(void **state)
{
    struct fixture *f = *state;
    struct wh_bus_topic_info *list;
    struct wh_admin *admin;
    struct wh_err err;
    bool found = false;
    size_t n;

    th_ok(wh_admin_kafka_new(f->bootstrap, "test", NULL, NULL, &admin, &err), &err);
    th_ok(wh_admin_list(admin, WAIT_MS, &list, &n, &err), &err);
    for (size_t i = 0; i < n; i++) {
        found = found || (strcmp(list[i].name, "t") == 0 && list[i].partitions == PARTITIONS);
    }
    assert_true(found);
    wh_bus_topic_list_free(list, n);
    wh_admin_free(admin);
    all_brokers(f, false);
    th_ok(wh_admin_kafka_new(f->bootstrap, "test", NULL, NULL, &admin, &err), &err);
    assert_int_not_equal(wh_admin_list(admin, 300, &list, &n, &err), WH_OK);
    assert_int_equal(wh_rc_class(err.rc), WH_CLASS_TRANSIENT);
    wh_admin_free(admin);
}

/* The admin API's requests to a coordinator ended the process here, by an assertion of librdkafka. */
static void test_group_offsets(void **state)
{
    struct fixture *f = *state;
    struct wh_bus_partition part = {"t", 1, 7};
    struct wh_admin *admin;
    struct wh_err err;

    th_ok(wh_admin_kafka_new(f->bootstrap, "test", NULL, NULL, &admin, &err), &err);
    th_ok(wh_admin_group_get(admin, "of-nobody", &part, 1, WAIT_MS, &err), &err);
    assert_int_equal(part.offset, WH_OFFSET_STORED);
    part.offset = 42;
    th_ok(wh_admin_group_set(admin, "g", &part, 1, WAIT_MS, &err), &err);
    for (unsigned i = 0; i < 3; i++) {
        part.offset = 0;
        th_ok(wh_admin_group_get(admin, "g", &part, 1, WAIT_MS, &err), &err);
        assert_int_equal(part.offset, 42);
        all_brokers(f, false);
        assert_int_not_equal(wh_admin_group_get(admin, "g", &part, 1, 300, &err), WH_OK);
        assert_int_equal(wh_rc_class(err.rc), WH_CLASS_TRANSIENT);
        part.offset = 42;
        assert_int_not_equal(wh_admin_group_set(admin, "g", &part, 1, 300, &err), WH_OK);
        assert_int_equal(wh_rc_class(err.rc), WH_CLASS_TRANSIENT);
        all_brokers(f, true);
    }
    wh_admin_free(admin);
}

/* ---- settings of the user's ---- */

static enum wh_rc producer_with(struct fixture *f, char *name, char *value, struct wh_log *log)
{
    struct wh_conf_pair pair[] = {{name, value}};
    const struct wh_conf_pairs extra = {pair, 1};
    struct wh_producer_conf conf;
    struct wh_producer *p;
    struct wh_err err;

    wh_producer_conf_init(&conf);
    conf.bootstrap = f->bootstrap;
    conf.client_id = "test";
    conf.extra = &extra;
    conf.log = log;
    if (wh_producer_kafka_new(&conf, &p, &err) == WH_OK) {
        wh_producer_free(p);
        return WH_OK;
    }
    assert_non_null(strstr(err.msg, name));
    return err.rc;
}

static enum wh_rc consumer_with(struct fixture *f, char *name, char *value, struct wh_log *log)
{
    struct wh_conf_pair pair[] = {{name, value}};
    const struct wh_conf_pairs extra = {pair, 1};
    struct wh_consumer_conf conf;
    struct wh_consumer *c;
    struct wh_err err;

    wh_consumer_conf_init(&conf);
    conf.bootstrap = f->bootstrap;
    conf.client_id = "test";
    conf.extra = &extra;
    conf.log = log;
    if (wh_consumer_kafka_new(&conf, &c, &err) == WH_OK) {
        wh_consumer_free(c);
        return WH_OK;
    }
    assert_non_null(strstr(err.msg, name));
    return err.rc;
}

static enum wh_rc admin_with(struct fixture *f, char *name, char *value, struct wh_log *log)
{
    struct wh_conf_pair pair[] = {{name, value}};
    const struct wh_conf_pairs extra = {pair, 1};
    struct wh_bus_partition part = {"t", 0, 0};
    struct wh_admin *admin;
    struct wh_err err;

    if (wh_admin_kafka_new(f->bootstrap, "test", &extra, log, &admin, &err) != WH_OK) {
        return err.rc;
    }
    th_ok(wh_admin_group_get(admin, "g", &part, 1, WAIT_MS, &err), &err);
    wh_admin_free(admin);
    return WH_OK;
}

static void test_bad_setting(void **state)
{
    static char of_nobody[] = "no.such.setting";
    static char of_consumers[] = "queued.min.messages";
    static char of_producers[] = "linger.ms";
    static char value[] = "x";
    struct fixture *f = *state;

    assert_int_equal(producer_with(f, of_nobody, value, NULL), WH_E_CONFIG);
    assert_int_equal(consumer_with(f, of_nobody, value, NULL), WH_E_CONFIG);
    /* Also by the client that would not have it. */
    assert_int_equal(producer_with(f, of_consumers, value, NULL), WH_E_CONFIG);
    assert_int_equal(consumer_with(f, of_producers, value, NULL), WH_E_CONFIG);
}

/* Values that do not fit to other settings of the same client: who refuses them has them. */
static void test_setting_has_its_client(void **state)
{
    static char of_consumers[] = "session.timeout.ms";
    static char over_max_poll[] = "900000";
    static char of_producers[] = "acks";
    static char not_idempotent[] = "1";
    struct fixture *f = *state;

    assert_int_equal(consumer_with(f, of_consumers, over_max_poll, NULL), WH_E_CONFIG);
    assert_int_equal(producer_with(f, of_consumers, over_max_poll, NULL), WH_OK);
    assert_int_equal(producer_with(f, of_producers, not_idempotent, NULL), WH_E_CONFIG);
    assert_int_equal(consumer_with(f, of_producers, not_idempotent, NULL), WH_OK);
}

static void test_setting_of_another_client_is_no_warning(void **state)
{
    static char names[][24] = {"queued.min.messages", "linger.ms", "compression.type"};
    static char values[][8] = {"1000", "7", "zstd"};
    static char text[65536];
    struct fixture *f = *state;
    struct wh_log *log;
    int fds[2];
    ssize_t n;

    assert_int_equal(pipe(fds), 0);
    log = wh_log_new(fds[1], "test", WH_LOG_INFO, wh_clock_real());
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(producer_with(f, names[i], values[i], log), WH_OK);
        assert_int_equal(consumer_with(f, names[i], values[i], log), WH_OK);
        assert_int_equal(admin_with(f, names[i], values[i], log), WH_OK);
    }
    wh_log_info(log, "end", WH_I("n", 0));
    wh_log_free(log);
    (void)close(fds[1]);
    n = read(fds[0], text, sizeof(text) - 1);
    (void)close(fds[0]);
    assert_true(n > 0);
    text[n] = '\0';
    assert_non_null(strstr(text, "end"));
    if (strstr(text, "CONFWARN")) {
        fail_msg("%s", text);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_acknowledged),
        TEST(test_reported_ends),
        TEST(test_errors_are_retried_in_order),
        TEST(test_brokers_go_and_come),
        TEST(test_leader_moves),
        TEST(test_too_late_is_said),
        TEST(test_fatal),
        TEST(test_metadata_without_waiting),
        TEST(test_unknown_topic),
        TEST(test_reading_on_after_errors),
        TEST(test_gone_offset),
        TEST(test_group),
        TEST(test_subscribe_again),
        TEST(test_list),
        TEST(test_group_offsets),
        TEST(test_bad_setting),
        TEST(test_setting_has_its_client),
        TEST(test_setting_of_another_client_is_no_warning),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
