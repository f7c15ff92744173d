/* Kafka in memory: one record a second, in one of two partitions. */
#include "common/judge/lag.h"

#include "common/base/mem.h"
#include "tests/lib/bus_mem.h"
#include "tests/lib/th_cmocka.h"

enum { RECORDS = 10000 };

static const int64_t now_ms = INT64_C(1764000000000);

struct world {
    struct wh_bus_mem *bus;
    struct wh_producer *producer;
    struct wh_admin *admin;
};

/* Record i of partition 0 is RECORDS - i seconds old. */
static void produce(struct world *w)
{
    struct wh_err err;

    for (int64_t i = 0; i < RECORDS; i++) {
        const struct wh_bus_record r = {.topic = "t",
                                        .partition = 0,
                                        .key = WH_LIT("k"),
                                        .value = WH_LIT("v"),
                                        .timestamp_ms = now_ms - (RECORDS - i) * 1000};

        th_ok(wh_producer_produce(w->producer, &r, &err), &err);
        (void)wh_producer_poll(w->producer, 0);
    }
}

static int set_up(void **state)
{
    struct world *w = wh_mem_zalloc(1, sizeof(*w));
    struct wh_producer_conf conf;
    struct wh_err err;

    assert_non_null(w);
    w->bus = wh_bus_mem_new();
    assert_non_null(w->bus);
    th_ok(wh_bus_mem_topic(w->bus, "t", 2, &err), &err);
    wh_producer_conf_init(&conf);
    th_ok(wh_bus_mem_producer(w->bus, &conf, &w->producer, &err), &err);
    th_ok(wh_bus_mem_admin(w->bus, &w->admin, &err), &err);
    produce(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    wh_admin_free(w->admin);
    wh_producer_free(w->producer);
    wh_bus_mem_free(w->bus);
    wh_mem_free(w);
    return 0;
}

static void commit(struct world *w, int64_t offset)
{
    const struct wh_bus_partition part = {.topic = "t", .partition = 0, .offset = offset};
    struct wh_err err;

    th_ok(wh_admin_group_set(w->admin, "g", &part, 1, 1000, &err), &err);
}

static void the_age_is_that_of_the_oldest_that_waits(void **state)
{
    static const int64_t ages_s[] = {1, 2, 3, 4, 5, 9, 17, 60, 64, 65, 1000, 3600, 8191, 9999};
    struct world *w = *state;
    struct wh_err err;

    for (size_t i = 0; i < sizeof(ages_s) / sizeof(ages_s[0]); i++) {
        struct wh_lag lags[] = {{.topic = "t", .partition = 0}, {.topic = "t", .partition = 1}};
        int64_t age_ms = ages_s[i] * 1000;

        commit(w, RECORDS - ages_s[i]);
        th_ok(wh_lag_ask(w->admin, "g", lags, 2, now_ms, 1000, &err), &err);
        assert_int_equal(lags[0].records, ages_s[i]);
        assert_int_equal(lags[0].position, RECORDS - ages_s[i]);
        if (lags[0].ms > age_ms || lags[0].ms < age_ms - age_ms / 4 - 1000) {
            fail_msg("%lld s: %lld ms", (long long)ages_s[i], (long long)lags[0].ms);
        }
        assert_int_equal(lags[1].records, 0);
        assert_int_equal(lags[1].ms, 0);
    }
}

static void nothing_waits_at_the_end_and_beyond(void **state)
{
    struct world *w = *state;
    struct wh_err err;

    for (int64_t past = 0; past < 2; past++) {
        struct wh_lag lag = {.topic = "t", .partition = 0};

        commit(w, RECORDS + past);
        th_ok(wh_lag_ask(w->admin, "g", &lag, 1, now_ms, 1000, &err), &err);
        assert_int_equal(lag.records, 0);
        assert_int_equal(lag.ms, 0);
    }
}

static void a_group_without_offsets_waits_for_all(void **state)
{
    struct world *w = *state;
    struct wh_lag lag = {.topic = "t", .partition = 0};
    struct wh_err err;

    th_ok(wh_lag_ask(w->admin, "new", &lag, 1, now_ms, 1000, &err), &err);
    assert_int_equal(lag.records, RECORDS);
    assert_int_equal(lag.position, 0);
    assert_true(lag.ms >= INT64_C(7500) * 1000);
}

static void what_cannot_be_asked_is_not_known(void **state)
{
    struct world *w = *state;
    struct wh_lag lags[] = {{.topic = "t", .partition = 0}, {.topic = "gone", .partition = 0}};
    struct wh_err err;

    th_ok(wh_lag_ask(w->admin, "g", lags, 2, now_ms, 1000, &err), &err);
    assert_int_equal(lags[0].records, RECORDS);
    assert_int_equal(lags[1].records, -1);
    assert_int_equal(lags[1].ms, -1);
    assert_int_equal(wh_lag_ask(w->admin, "g", lags + 1, 1, now_ms, 1000, &err), WH_E_NOT_FOUND);
    th_ok(wh_lag_ask(w->admin, "g", lags, 0, now_ms, 1000, &err), &err);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_age_is_that_of_the_oldest_that_waits),
        TEST(nothing_waits_at_the_end_and_beyond),
        TEST(a_group_without_offsets_waits_for_all),
        TEST(what_cannot_be_asked_is_not_known),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
