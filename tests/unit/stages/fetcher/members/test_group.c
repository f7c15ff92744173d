/* Members of the group of fetchers, over Kafka in memory: who is ready when, and for what. */
#include "tests/lib/th_cmocka.h"

#include <string.h>
#include <time.h>

#include "common/base/mem.h"
#include "common/event/messages.h"
#include "stages/fetcher/members/group.h"
#include "tests/lib/bus_mem.h"
#include "tests/lib/th_fetcher.h"

enum { PARTITIONS = 4, LONG_S = 60 };

struct world {
    struct wh_bus_mem *bus;
    struct wh_loop *loop;
    struct wh_keyring keys;
};

struct member {
    struct wh_admin *admin;
    struct wh_producer *producer;
    struct fetcher *fetcher;
    struct members *members;
    struct members_consumers consumers;
    unsigned fatal;
};

static void on_fatal(void *ctx, const struct wh_err *err)
{
    (void)err;
    ((struct member *)ctx)->fatal++;
}

static struct wh_consumer *consumer(struct world *w, const char *group,
                                    const struct wh_bus_rebalance *rebalance)
{
    struct wh_consumer_conf conf;
    struct wh_consumer *c;
    struct wh_err err;

    wh_consumer_conf_init(&conf);
    conf.group = group;
    conf.report_ends = group == NULL;
    if (rebalance) {
        conf.rebalance = *rebalance;
    }
    th_ok(wh_bus_mem_consumer(w->bus, &conf, &c, &err), &err);
    return c;
}

static void join(struct world *w, struct member *m)
{
    struct fetcher_deps deps = {.loop = w->loop, .clock = wh_clock_real(), .keys = &w->keys};
    struct wh_bus_rebalance rebalance;
    struct wh_err err;

    *m = (struct member){0};
    deps.conf = th_fetcher_conf();
    th_ok(wh_bus_mem_admin(w->bus, &m->admin, &err), &err);
    deps.admin = m->admin;
    th_fetcher_new(&deps, w->bus, &m->producer, &m->fetcher);
    m->members = members_new(&(struct members_conf){
        .loop = w->loop, .admin = m->admin, .fetcher = m->fetcher, .fatal = on_fatal, .ctx = m});
    assert_non_null(m->members);
    rebalance = members_rebalance(m->members);
    m->consumers = (struct members_consumers){.connections = consumer(w, NULL, NULL),
                                              .state = consumer(w, "fetchers", &rebalance),
                                              .health = consumer(w, NULL, NULL)};
    th_ok(members_start(m->members, &m->consumers, &err), &err);
}

static void leave(struct world *w, struct member *m)
{
    time_t end = time(NULL) + LONG_S;

    while (!members_stop(m->members)) {
        assert_true(time(NULL) < end);
        wh_loop_turn(w->loop, true);
    }
    wh_consumer_free(m->consumers.connections);
    wh_consumer_free(m->consumers.state);
    wh_consumer_free(m->consumers.health);
    members_free(m->members);
    wh_producer_free(m->producer);
    fetcher_free(m->fetcher);
    wh_admin_free(m->admin);
}

static void await_waiting_for(struct world *w, const struct member *m, const char *what)
{
    time_t end = time(NULL) + LONG_S;

    for (;;) {
        const char *now = members_waiting_for(m->members);

        if (now == what || (now && what && strcmp(now, what) == 0)) {
            return;
        }
        if (time(NULL) >= end) {
            fail_msg("it waits for '%s', not '%s'", now ? now : "nothing", what ? what : "nothing");
        }
        wh_loop_turn(w->loop, true);
    }
}

static int set_up(void **state)
{
    static const unsigned char key[WH_AEAD_KEY_BYTES] = {3};
    struct world *w = wh_mem_zalloc(1, sizeof(*w));
    struct wh_err err;

    assert_non_null(w);
    w->bus = wh_bus_mem_new();
    w->loop = wh_loop_new();
    assert_true(w->bus && w->loop);
    wh_keyring_of(&w->keys, key, true, &err);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    wh_loop_free(w->loop);
    wh_bus_mem_free(w->bus);
    wh_mem_free(w);
    return 0;
}

static void make_topics(struct world *w)
{
    struct wh_err err;

    th_ok(wh_bus_mem_topic(w->bus, "connections", 1, &err), &err);
    th_ok(wh_bus_mem_topic(w->bus, "health", 1, &err), &err);
    th_ok(wh_bus_mem_topic(w->bus, "runs", 1, &err), &err);
    th_ok(wh_bus_mem_topic(w->bus, "fetch-state", PARTITIONS, &err), &err);
}

static unsigned ready(const struct member *m)
{
    const struct ownership *o = fetcher_ownership(m->fetcher);
    unsigned n = 0;

    for (int32_t p = 0; p < PARTITIONS; p++) {
        n += o->ready[p];
    }
    return n;
}

static void put(struct world *w, const char *topic, const char *key, enum wh_document_schema schema,
                const char *json)
{
    const struct wh_document doc = {
        .connection = WH_LIT("c"), .key = wh_slice_str(key), .document = wh_slice_str(json)};
    WH_AUTO(buf) struct wh_buf value;
    struct wh_producer_conf conf;
    struct wh_producer *p;
    struct wh_err err;

    wh_producer_conf_init(&conf);
    conf.queue_max_bytes = 1 << 20;
    conf.queue_max_records = 10;
    wh_buf_init(&value, 1 << 16);
    th_ok(wh_document_encode(schema, &doc, &value, &err), &err);
    th_ok(wh_bus_mem_producer(w->bus, &conf, &p, &err), &err);
    th_ok(wh_producer_produce(
              p,
              &(struct wh_bus_record){
                  .topic = topic, .partition = -1, .key = doc.key, .value = wh_buf_slice(&value)},
              &err),
          &err);
    (void)wh_producer_poll(p, 0);
    wh_producer_free(p);
}

static void test_a_member_waits_for_kafka(void **state)
{
    struct world *w = *state;
    struct member m;

    join(w, &m);
    assert_string_equal(members_waiting_for(m.members), "waiting for Kafka");
    assert_false(fetcher_working(m.fetcher));
    make_topics(w);
    await_waiting_for(w, &m, NULL);
    assert_true(fetcher_working(m.fetcher));
    assert_int_equal(ready(&m), PARTITIONS);
    assert_int_equal(m.fatal, 0);
    leave(w, &m);
}

/* Connections, then cursors and reports about them: all of it is known when the member is ready. */
static void test_everything_is_read_before_the_work_begins(void **state)
{
    struct world *w = *state;
    struct member m;

    make_topics(w);
    put(w, "connections", "c", WH_DOCUMENT_CONNECTION,
        "{\"id\":\"c\",\"instance\":\"https://c.example\",\"state\":\"need_reconnect\","
        "\"created_at_ms\":1,\"updated_at_ms\":2}");
    put(w, "fetch-state", "c:7:issues", WH_DOCUMENT_FETCH_STATE, "{\"rows\":5}");
    put(w, "health", "c:outcome", WH_DOCUMENT_HEALTH, "{\"run\":1}");
    join(w, &m);
    await_waiting_for(w, &m, NULL);
    assert_non_null(fetcher_find(m.fetcher, WH_LIT("c")));
    /* Later records are followed. */
    put(w, "connections", "d", WH_DOCUMENT_CONNECTION,
        "{\"id\":\"d\",\"instance\":\"https://d.example\",\"state\":\"need_reconnect\","
        "\"created_at_ms\":1,\"updated_at_ms\":2}");
    while (fetcher_find(m.fetcher, WH_LIT("d")) == NULL) {
        wh_loop_turn(w->loop, true);
    }
    leave(w, &m);
}

static bool apart(const struct member *a, const struct member *b)
{
    const struct ownership *x = fetcher_ownership(a->fetcher);
    const struct ownership *y = fetcher_ownership(b->fetcher);
    bool all = true;

    for (int32_t p = 0; p < PARTITIONS; p++) {
        assert_false(x->ready[p] && y->ready[p]);
        all = all && (x->ready[p] || y->ready[p]);
    }
    return all && ready(a) > 0 && ready(b) > 0;
}

static void test_members_share_the_partitions(void **state)
{
    struct world *w = *state;
    struct member a;
    struct member b;

    make_topics(w);
    join(w, &a);
    await_waiting_for(w, &a, NULL);
    join(w, &b);
    while (!apart(&a, &b)) {
        wh_loop_turn(w->loop, true);
    }
    assert_int_equal(ready(&a) + ready(&b), PARTITIONS);
    /* One leaves: the other takes its partitions over. */
    leave(w, &b);
    while (ready(&a) < PARTITIONS) {
        wh_loop_turn(w->loop, true);
    }
    assert_null(members_waiting_for(a.members));
    leave(w, &a);
}

static void test_an_error_of_the_consumer_is_fatal(void **state)
{
    struct world *w = *state;
    struct member m;

    make_topics(w);
    join(w, &m);
    await_waiting_for(w, &m, NULL);
    wh_bus_mem_fail(w->bus, WH_BUS_MEM_POLL, 0, 1, WH_E_FATAL_BUS);
    while (m.fatal == 0) {
        wh_loop_turn(w->loop, true);
    }
    leave(w, &m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(test_a_member_waits_for_kafka),
        T(test_everything_is_read_before_the_work_begins),
        T(test_members_share_the_partitions),
        T(test_an_error_of_the_consumer_is_fatal),
    };

    return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
