/* The sink's end, while the listing of topics is still at work on a thread of the pool. */
#include "stages/sink/ingest/sink.h"

#include <stdatomic.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "stages/sink/store/keyspace.h"
#include "tests/lib/bus_mem.h"
#include "tests/lib/store_mem.h"
#include "tests/lib/th_cmocka.h"

enum { POLL_US = 1000, LATE_US = 50000 };

/* An admin whose listing lasts until some time after the sink is being freed. */
struct slow_admin {
    struct wh_admin admin;
    atomic_bool listing;
    atomic_bool freeing;
    atomic_bool listed;
};

static enum wh_rc slow_list(struct wh_admin *admin, int timeout_ms, struct wh_bus_topic_info **ret,
                            size_t *ret_n, struct wh_err *err)
{
    struct slow_admin *slow = (struct slow_admin *)admin;

    (void)timeout_ms;
    (void)err;
    atomic_store(&slow->listing, true);
    while (!atomic_load(&slow->freeing)) {
        (void)usleep(POLL_US);
    }
    (void)usleep(LATE_US);
    atomic_store(&slow->listed, true);
    *ret = NULL;
    *ret_n = 0;
    return WH_OK;
}

static void never(void *ctx, const struct wh_err *err)
{
    (void)ctx;
    fail_msg("%s", err->msg);
}

static void freeing_waits_for_the_listing(void **state)
{
    static const struct wh_admin_ops ops = {.list = slow_list};
    const struct wh_store_conf store_conf = {.families = sink_families,
                                             .n_families = SINK_FAMILY_COUNT};
    struct slow_admin slow = {.admin = {.ops = &ops}};
    struct wh_bus_mem *bus = wh_bus_mem_new();
    struct wh_consumer_conf consumer_conf;
    struct wh_producer_conf producer_conf;
    struct sink_deps deps = {.admin = &slow.admin,
                             .loop = wh_loop_new(),
                             .clock = wh_clock_real(),
                             .metrics = wh_metrics_new("sink"),
                             .on_fatal = never};
    struct sink_conf conf;
    struct sink *sink = NULL;
    struct wh_err err;

    (void)state;
    wh_consumer_conf_init(&consumer_conf);
    wh_producer_conf_init(&producer_conf);
    sink_conf_init(&conf);
    conf.topic_prefix = "wellhead.";
    th_ok(wh_store_mem_open(&store_conf, &deps.store, &err), &err);
    th_ok(wh_bus_mem_consumer(bus, &consumer_conf, &deps.consumer, &err), &err);
    th_ok(wh_bus_mem_producer(bus, &producer_conf, &deps.dead_letters, &err), &err);
    th_ok(sink_new(&deps, &conf, &sink, &err), &err);
    while (!atomic_load(&slow.listing)) {
        wh_loop_turn(deps.loop, false);
        (void)usleep(POLL_US);
    }
    atomic_store(&slow.freeing, true);
    sink_free(sink);
    assert_true(atomic_load(&slow.listed));
    wh_consumer_free(deps.consumer);
    wh_producer_free(deps.dead_letters);
    wh_store_free(deps.store);
    wh_metrics_free(deps.metrics);
    wh_loop_free(deps.loop);
    wh_bus_mem_free(bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(freeing_waits_for_the_listing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
