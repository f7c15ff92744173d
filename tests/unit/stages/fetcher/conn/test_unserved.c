/*
 * One merge request that makes GitLab fail every page that holds it: all others are read, it is read
 * alone by its number, and the run says what could not be listed.
 */
#include "tests/lib/th_cmocka.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/event/raw_event.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/conn/run.h"
#include "tests/lib/httpc_script.h"
#include "tests/lib/th_fetcher.h"
#include "tests/lib/th_listing.h"

#define START_US INT64_C(1700000000000000)

enum { ROWS = 250, BAD = 150, STEPS_MAX = 100000 };

struct world {
    struct th_listing listing;
    unsigned single_status; /* of the merge request alone */
    struct wh_bus_mem *bus;
    struct wh_loop *loop;
    struct th_script *http;
    struct wh_producer *producer;
    struct fetcher *f;
};

static int64_t clock_now(void *ctx)
{
    return ((struct world *)ctx)->listing.now_us / 1000;
}

static int64_t clock_mono(void *ctx)
{
    (void)ctx;
    return 42;
}

static void gitlab(void *ctx, struct wh_slice url, struct wh_slice secret,
                   struct th_script_answer *a)
{
    struct world *w = ctx;
    struct wh_slice body = WH_LIT("[]");
    struct wh_err err;

    (void)secret;
    if (memmem(url.ptr, url.len, "/7/merge_requests?", 18) &&
        !memmem(url.ptr, url.len, "state=opened", 12)) {
        th_listing_answer(&w->listing, url, a);
        return;
    }
    if (memmem(url.ptr, url.len, "/7/merge_requests/150", 21)) {
        a->status = w->single_status;
        body = WH_LIT("{\"id\":150,\"iid\":150,\"updated_at\":\"2026-01-01T00:00:00Z\"}");
    } else if (memmem(url.ptr, url.len, "/api/v4/projects?", 17)) {
        body = WH_LIT("[{\"id\":7,\"path_with_namespace\":\"a/b\"}]");
    }
    th_ok(wh_buf_append(&a->body, body, &err), &err);
}

static int set_up(void **state)
{
    static const char *const topics[] = {"fetch-state", "connections", "runs",
                                         "rereads",     "health",      "raw.c"};
    struct world *w = wh_mem_zalloc(1, sizeof(*w));
    struct fetcher_deps deps = {.clock = {clock_now, clock_mono, w}, .conf = th_fetcher_conf()};
    struct wh_err err;

    assert_non_null(w);
    for (unsigned i = 0; i < ROWS; i++) {
        th_listing_add(&w->listing, START_US + i * INT64_C(1000000));
    }
    w->listing.now_us += INT64_C(3600000000);
    w->listing.total_max = 10000;
    w->listing.bad[w->listing.n_bad++] = BAD;
    w->single_status = 200;
    w->bus = wh_bus_mem_new();
    w->loop = wh_loop_new();
    w->http = th_script_new(gitlab, w);
    assert_true(w->bus && w->loop && w->http);
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        th_ok(wh_bus_mem_topic(w->bus, topics[i], 1, &err), &err);
    }
    deps.http = th_script_http(w->http);
    deps.loop = w->loop;
    deps.conf.numbers_max = 100;
    th_fetcher_new(&deps, w->bus, &w->producer, &w->f);
    th_fetcher_connect(w->f, "https://gitlab.example.com", "", "read_api", WH_LIT("glpat-1"));
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    fetcher_drain(w->f);
    wh_producer_free(w->producer);
    fetcher_free(w->f);
    th_script_free(w->http);
    wh_loop_free(w->loop);
    wh_bus_mem_free(w->bus);
    th_listing_done(&w->listing);
    wh_mem_free(w);
    return 0;
}

static const struct conn *run_once(struct world *w)
{
    const struct conn *c = w->f->conns;

    fetcher_start(w->f);
    for (unsigned i = 0; c->run.phase != RUN_IDLE || outbox_pending(w->f->outbox); i++) {
        assert_true(i < STEPS_MAX);
        wh_loop_turn(w->loop, false);
        if (th_script_waiting(w->http)) {
            th_script_answer_one(w->http, 0);
        } else if (wh_producer_pending(w->producer)) {
            (void)wh_producer_poll(w->producer, 0);
        } else if (c->run.phase != RUN_IDLE) {
            wh_loop_turn(w->loop, true);
        }
    }
    return c;
}

/* How many of the merge requests are in Kafka. */
static unsigned published(struct world *w)
{
    static bool seen[ROWS + 1];
    const struct wh_bus_header *headers;
    struct wh_arena arena;
    struct wh_bus_msg msg;
    struct wh_err err;
    unsigned found = 0;
    size_t n;

    memset(seen, 0, sizeof(seen));
    wh_arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; wh_bus_mem_get(w->bus, "raw.c", i, &msg, &headers, &n); i++) {
        struct wh_raw_event e;
        unsigned long id;

        wh_arena_reset(&arena);
        th_ok(wh_raw_event_decode(msg.value, &arena, &e, &err), &err);
        id = strtoul(e.object_id.ptr, NULL, 10);
        if (wh_slice_eq(e.kind, WH_LIT("merge_request")) && id <= ROWS && !seen[id]) {
            seen[id] = true;
            found++;
        }
    }
    wh_arena_done(&arena);
    return found;
}

/* ---- tests ---- */

static void it_is_read_by_its_number(void **state)
{
    struct world *w = *state;
    const struct conn *c = run_once(w);

    assert_false(c->run.failed);
    assert_string_equal(c->run.error,
                        "merge_requests: 1 row is not read completely: GitLab answers "
                        "500 to GET /api/v4/projects/7/merge_requests");
    assert_int_equal(published(w), ROWS);
}

static void what_remains_is_named(void **state)
{
    struct world *w = *state;
    const struct conn *c;

    w->single_status = 500;
    c = run_once(w);
    assert_false(c->run.failed);
    assert_string_equal(c->run.error, "checking merge_requests: GitLab answers 500 to GET "
                                      "/api/v4/projects/7/merge_requests/150");
    assert_int_equal(published(w), ROWS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_read_by_its_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_remains_is_named, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
