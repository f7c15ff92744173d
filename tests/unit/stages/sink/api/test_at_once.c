/* Reads that are answered in the loop's thread, and those that are not. */

#include "tests/lib/store_mem.h"
#include "tests/lib/th_api.h"
#include "tests/lib/th_cmocka.h"

enum { HEADS = 60, REVISIONS = 300 };

static int set_up(void **state)
{
    const struct sink_api_conf conf = {.sql_timeout_ms = 60000,
                                       .sql_timeout_max_ms = 60000,
                                       .sql_rows = 1000,
                                       .sql_bytes = 1 << 20};
    struct th_api *f = th_api_new(&conf, HEADS / 2, 7);

    f->heads.long_texts = true;
    th_heads_add(&f->heads, HEADS / 2);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    th_api_free(*state);
    return 0;
}

/* True when the reply came without a turn of the loop. */
static bool at_once(struct th_api *f, struct th_http_req *req)
{
    bool replied;

    th_http_begin(req, &f->handler);
    replied = req->replied;
    while (!req->replied) {
        wh_loop_turn(f->loop, true);
    }
    th_http_over(req, &f->handler);
    return replied;
}

static void cold(struct th_api *f, int after, int times)
{
    wh_store_mem_fail(f->store, WH_STORE_MEM_COLD, WH_E_BUSY, after, times);
}

static void both_ways_give_the_same_bytes(void **state)
{
    struct th_api *f = *state;

    for (size_t i = 0; i < HEADS; i++) {
        struct th_http_req fast;
        struct th_http_req slow;
        char path[2][128];

        th_api_entity(f, &fast, "GET", i, path[0]);
        assert_true(at_once(f, &fast));
        assert_int_equal(fast.status, 200);
        cold(f, 0, -1);
        th_api_entity(f, &slow, "GET", i, path[1]);
        assert_false(at_once(f, &slow));
        cold(f, 0, 0);
        assert_int_equal(slow.status, 200);
        assert_string_equal(wh_buf_str(&fast.answer), wh_buf_str(&slow.answer));
        assert_string_equal(wh_buf_str(&fast.answer_headers), wh_buf_str(&slow.answer_headers));
        th_http_done(&fast);
        th_http_done(&slow);
    }
}

/* Whichever key is not in memory: the answer is the same, and never half of one. */
static void any_key_may_be_on_the_disk(void **state)
{
    struct th_api *f = *state;
    struct th_http_req whole;
    char text[2][128];
    bool fast = false;

    th_api_entity(f, &whole, "GET", HEADS - 1, text[0]);
    assert_true(at_once(f, &whole));
    for (int i = 0; !fast; i++) {
        struct th_http_req req;

        cold(f, i, 1);
        th_api_entity(f, &req, "GET", HEADS - 1, text[1]);
        fast = at_once(f, &req);
        cold(f, 0, 0);
        assert_int_equal(req.status, 200);
        assert_string_equal(wh_buf_str(&req.answer), wh_buf_str(&whole.answer));
        th_http_done(&req);
        assert_true(fast == (i >= 3));
    }
    th_http_done(&whole);
}

static void pages_and_unknown_ones(void **state)
{
    struct th_api *f = *state;
    struct th_http_req req;
    char url[256];

    (void)snprintf(url, sizeof(url), "%.*s?tab=1", WH_SLICE_ARG(f->heads.items[0]->source.url));
    th_api_request(f, &req, "GET", "/api/v1/entities");
    th_http_arg(&req, "url", url);
    assert_true(at_once(f, &req));
    assert_int_equal(req.status, 200);
    th_http_done(&req);
    th_api_request(f, &req, "GET", "/api/v1/entities/00000000-0000-0000-0000-000000000000");
    assert_true(at_once(f, &req));
    assert_int_equal(req.status, 404);
    th_http_done(&req);
    th_api_request(f, &req, "GET", "/api/v1/entities");
    th_http_arg(&req, "kind", "work_items");
    assert_false(at_once(f, &req));
    assert_int_equal(req.status, 200);
    th_http_done(&req);
}

/* What was written before the request is in its answer. */
static void writes_are_seen(void **state)
{
    struct th_api *f = *state;

    for (size_t i = 0; i < 20; i++) {
        struct th_http_req req;
        char path[128];

        th_heads_add(&f->heads, 1);
        th_api_entity(f, &req, "GET", f->heads.n - 1, path);
        assert_true(at_once(f, &req));
        assert_int_equal(req.status, 200);
        th_http_done(&req);
    }
}

static void put(struct th_api *f, struct wh_slice key, struct wh_slice value)
{
    struct wh_batch *batch;
    struct wh_err err;

    th_ok(wh_batch_new(f->store, &batch, &err), &err);
    th_ok(wh_batch_put(batch, SINK_REVISIONS, key, value, &err), &err);
    th_ok(wh_store_write(f->store, batch, false, &err), &err);
    wh_batch_free(batch);
}

/* Reads that would keep the loop from others are left to the lane. */
static void long_histories_are_not(void **state)
{
    struct th_api *f = *state;
    struct th_http_req req;
    char path[128];

    for (unsigned i = 0; i < REVISIONS; i++) {
        unsigned char key[SINK_REVISION_KEY];

        sink_revision_key(key, &f->heads.items[0]->id, (struct wh_version){.order = 1, .tie = i});
        put(f, wh_slice(key, sizeof(key)), WH_LIT("x"));
    }
    th_api_entity(f, &req, "GET", 0, path);
    assert_false(at_once(f, &req));
    assert_int_equal(req.status, 200);
    assert_non_null(strstr(wh_buf_str(&req.answer), "\"revisions\":30"));
    th_http_done(&req);
}

static void nothing_is_read_while_stopping(void **state)
{
    struct th_api *f = *state;
    struct th_http_req req;
    char path[128];

    sink_api_drain(f->api);
    th_api_entity(f, &req, "GET", 0, path);
    assert_true(at_once(f, &req));
    assert_int_equal(req.status, 503);
    th_http_done(&req);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(both_ways_give_the_same_bytes), T(any_key_may_be_on_the_disk),
        T(pages_and_unknown_ones),        T(writes_are_seen),
        T(long_histories_are_not),        T(nothing_is_read_while_stopping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
