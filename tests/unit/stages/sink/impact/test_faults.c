/* Every allocation and every read of the store fails once: an error comes back, nothing leaks, and all goes on. */
#include "tests/lib/th_cmocka.h"

#include "common/base/mem.h"
#include "stages/sink/impact/impact.h"
#include "tests/lib/store_mem.h"
#include "tests/lib/th_facts.h"

enum { ATTEMPTS_MAX = 100000, ARENA_BYTES = 64 << 20 };

struct countdown {
    int left; /* allocations that succeed before the one that fails */
};

static bool on_alloc(void *ctx)
{
    struct countdown *c = ctx;

    return c->left-- != 0;
}

/* The whole answer; WH_OK when it was written. */
static enum wh_rc answer(struct wh_store *store, struct wh_err *err)
{
    const struct past_conf conf = {.store = store};
    struct impact_choice *choice = NULL;
    struct impact_report report;
    struct wh_json_writer w;
    struct wh_arena arena;
    struct past *past = NULL;
    struct wh_buf out;
    enum wh_rc rc;

    wh_arena_init(&arena, 4096, ARENA_BYTES);
    wh_buf_init(&out, ARENA_BYTES);
    wh_json_writer_init(&w, &out);
    wh_jw_object(&w);
    rc = past_new(&conf, &past, err);
    rc = rc == WH_OK ? impact_find(past, WH_LIT("shop/web#1"), &arena, &choice, err) : rc;
    if (rc == WH_OK) {
        assert_non_null(choice);
        rc = impact_read(past, choice->incident, wh_zone_utc(), &arena, &report, err);
    }
    rc = rc == WH_OK ? impact_write(past, &report, &arena, &w, err) : rc;
    if (rc == WH_OK) {
        wh_jw_end(&w);
        rc = wh_jw_finish(&w, err);
    }
    past_free(past);
    wh_buf_done(&out);
    wh_arena_done(&arena);
    return rc;
}

/* All that links to nothing; gives how many names there are. */
static enum wh_rc work_list(struct wh_store *store, size_t *ret_n, struct wh_err *err)
{
    const struct past_conf conf = {.store = store};
    struct impact_unresolved_scan *scan = NULL;
    struct impact_unresolved *list = NULL;
    struct wh_arena arena;
    struct past *past = NULL;
    bool end = false;
    size_t n = 0;
    enum wh_rc rc;

    *ret_n = 0;
    wh_arena_init(&arena, 4096, ARENA_BYTES);
    rc = past_new(&conf, &past, err);
    rc = rc == WH_OK ? impact_unresolved_new(past, &scan, err) : rc;
    while (rc == WH_OK && !end) {
        rc = impact_unresolved_next(scan, &arena, &list, &n, &end, err);
        *ret_n += rc == WH_OK ? n : 0;
    }
    impact_unresolved_free(scan);
    past_free(past);
    wh_arena_done(&arena);
    return rc;
}

static enum wh_rc ask(struct wh_store *store, bool list, struct wh_err *err)
{
    size_t n = 0;
    enum wh_rc rc;

    /* A function must not take the absence of an error from what was there before. */
    *err = (struct wh_err){.rc = WH_E_INTERNAL};
    rc = list ? work_list(store, &n, err) : answer(store, err);
    if (rc == WH_OK && list) {
        assert_int_equal(n, 1);
    }
    return rc;
}

static void without_memory(struct wh_store *store, bool list)
{
    struct countdown c;
    struct wh_err err;
    enum wh_rc rc = WH_E_NOMEM;
    int failed = 0;

    for (; rc != WH_OK; failed++) {
        assert_true(failed < ATTEMPTS_MAX);
        c.left = failed;
        wh_mem_set_hook(on_alloc, &c);
        rc = ask(store, list, &err);
        wh_mem_set_hook(NULL, NULL);
        if (rc != WH_OK) {
            assert_int_equal(rc, WH_E_NOMEM);
        }
    }
    assert_true(failed > 10);
}

static void every_allocation_fails_once(void **state)
{
    struct th_facts *f = *state;

    without_memory(f->store, false);
    without_memory(f->store, true);
}

static void without_reads(struct wh_store *store, bool list)
{
    struct wh_err err;
    enum wh_rc rc = WH_E_IO;
    int failed = 0;

    for (; rc != WH_OK; failed++) {
        assert_true(failed < ATTEMPTS_MAX);
        wh_store_mem_fail(store, WH_STORE_MEM_GET, WH_E_IO, failed, 1);
        rc = ask(store, list, &err);
        wh_store_mem_fail(store, WH_STORE_MEM_GET, WH_OK, 0, 0);
        if (rc != WH_OK) {
            assert_int_equal(rc, WH_E_IO);
        }
    }
    assert_true(failed > 10);
}

static void every_read_fails_once(void **state)
{
    struct th_facts *f = *state;

    without_reads(f->store, false);
    without_reads(f->store, true);
}

static int set_up(void **state)
{
    struct th_facts *f = wh_mem_zalloc(1, sizeof(*f));

    assert_non_null(f);
    th_facts_init(f);
    th_facts_put(f, th_story);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    th_facts_done(*state);
    wh_mem_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_allocation_fails_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_read_fails_once, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
