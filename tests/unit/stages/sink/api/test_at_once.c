/* Reads that are answered in the loop's thread, and those that are not. */

#include <pthread.h>
#include <stdlib.h>

#include "tests/lib/store_mem.h"
#include "tests/lib/th_api.h"
#include "tests/lib/th_cmocka.h"

enum { HEADS = 60, REVISIONS = 300, LINKS = 200 };

static int set_up(void **state)
{
    const struct sink_api_conf conf = {.sql_timeout_ms = 60000,
                                       .sql_timeout_max_ms = 60000,
                                       .sql_rows = 1000,
                                       .sql_bytes = 1 << 20,
                                       .answers_bytes = 1 << 20};
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

        cold(f, 0, -1);
        th_api_entity(f, &slow, "GET", i, path[1]);
        assert_false(at_once(f, &slow));
        cold(f, 0, 0);
        th_api_entity(f, &fast, "GET", i, path[0]);
        assert_true(at_once(f, &fast));
        assert_int_equal(fast.status, 200);
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

        /* Written again, although it is the same, so that it has to be read. */
        th_head_put(f->store, f->heads.items[HEADS - 1]);
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

static void put(struct th_api *f, unsigned family, struct wh_slice key, struct wh_slice value)
{
    struct wh_batch *batch;
    struct wh_err err;

    th_ok(wh_batch_new(f->store, &batch, &err), &err);
    th_ok(wh_batch_put(batch, family, key, value, &err), &err);
    th_ok(wh_store_write(f->store, batch, false, &err), &err);
    wh_batch_free(batch);
}

/* The n-th link from somewhere to that entity. */
static void put_backlink(struct th_api *f, size_t head, uint64_t n)
{
    unsigned char key[SINK_LINK_KEY];
    struct wh_entity_id from = {{0}};

    memcpy(from.bytes, &n, sizeof(n));
    sink_link_key(key, &f->heads.items[head]->id, WH_KIND_WORK_ITEM, 1, &from);
    put(f, SINK_BACKLINKS, wh_slice(key, sizeof(key)), WH_LIT("0123456789abcdef"));
}

static int64_t links_in(struct th_api *f, size_t head)
{
    struct th_http_req req;
    char path[128];
    const char *at;
    int64_t n;

    th_api_entity(f, &req, "GET", head, path);
    (void)at_once(f, &req);
    assert_int_equal(req.status, 200);
    at = strstr(wh_buf_str(&req.answer), "\"links_in\":");
    assert_non_null(at);
    n = strtoll(at + strlen("\"links_in\":"), NULL, 10);
    th_http_done(&req);
    return n;
}

/* An answer is written once, and again when something about its entity was written. */
static void answers_are_kept(void **state)
{
    struct th_api *f = *state;
    uint64_t calls;

    assert_int_equal(links_in(f, 0), 0);
    calls = wh_store_mem_calls(f->store, WH_STORE_MEM_GET);
    assert_int_equal(links_in(f, 0), 0);
    assert_int_equal(links_in(f, 0), 0);
    assert_int_equal(wh_store_mem_calls(f->store, WH_STORE_MEM_GET), calls);
    /* Owners of the same stamp would do; these have others. */
    assert_memory_not_equal(f->heads.items[0]->id.bytes + 14, f->heads.items[1]->id.bytes + 14, 2);
    put_backlink(f, 1, 1);
    assert_int_equal(links_in(f, 0), 0);
    assert_int_equal(wh_store_mem_calls(f->store, WH_STORE_MEM_GET), calls);
    put_backlink(f, 0, 1);
    assert_int_equal(links_in(f, 0), 1);
    assert_true(wh_store_mem_calls(f->store, WH_STORE_MEM_GET) > calls);
}

/* A store that lets somebody read in the middle of each write, before and after its change. */
static struct {
    struct th_api *f;
    const struct wh_store_ops *inner;
    struct wh_store_ops ops;
    size_t reads;
} spy;

static enum wh_rc spy_write(struct wh_store *s, struct wh_batch *b, bool sync, struct wh_err *err)
{
    enum wh_rc rc;

    (void)links_in(spy.f, 0);
    rc = spy.inner->write(s, b, sync, err);
    (void)links_in(spy.f, 0);
    spy.reads += 2;
    return rc;
}

/* What is read while a write is under way is not kept. */
static void reads_in_the_middle_of_a_write(void **state)
{
    struct th_api *f = *state;

    spy.f = f;
    spy.inner = f->store->ops;
    spy.ops = *f->store->ops;
    spy.ops.write = spy_write;
    f->store->ops = &spy.ops;
    for (int64_t n = 1; n <= 20; n++) {
        put_backlink(f, 0, (uint64_t)n);
        assert_int_equal(links_in(f, 0), n);
    }
    f->store->ops = spy.inner;
    assert_int_equal(spy.reads, 40);
}

struct writer {
    struct th_api *f;
    _Atomic int64_t written;
};

static void *write_links(void *ctx)
{
    struct writer *w = ctx;

    for (int64_t n = 1; n <= LINKS; n++) {
        put_backlink(w->f, 0, (uint64_t)n);
        w->written = n;
    }
    return NULL;
}

/* Whenever it is asked for while it is written, an answer has all that was written before. */
static void answers_are_never_old(void **state)
{
    struct writer w = {.f = *state};
    pthread_t thread;
    int64_t seen = 0;

    assert_int_equal(pthread_create(&thread, NULL, write_links, &w), 0);
    while (seen < LINKS) {
        int64_t before = w.written;
        int64_t now = links_in(w.f, 0);

        assert_true(now >= before && now >= seen);
        seen = now;
    }
    (void)pthread_join(thread, NULL);
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
        put(f, SINK_REVISIONS, wh_slice(key, sizeof(key)), WH_LIT("x"));
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
        T(both_ways_give_the_same_bytes),
        T(any_key_may_be_on_the_disk),
        T(pages_and_unknown_ones),
        T(writes_are_seen),
        T(answers_are_kept),
        T(answers_are_never_old),
        T(reads_in_the_middle_of_a_write),
        T(long_histories_are_not),
        T(nothing_is_read_while_stopping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
