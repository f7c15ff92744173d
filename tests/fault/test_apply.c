/*
 * The sink's batch with each allocation failing once: an error of class FATAL, a store that did not
 * change, and the same batch made again ends in the same bytes as without the fault.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "stages/sink/batch/apply.h"
#include "tests/lib/store_mem.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_fault.h"
#include "tests/lib/th_observation.h"
#include "tests/lib/th_store.h"

enum { OBSERVATIONS = 24, BEFORE = 8, ENTITIES = 6, BATCH_MAX = 64, MANY = 20000 };

static const char topic[] = "wellhead.entities.c1";

struct world {
    struct wh_store *store;
    struct sink_apply *apply;
    struct th_encoded *list;
};

static enum wh_rc apply_range(struct world *w, size_t from, size_t to, struct wh_err *err)
{
    struct wh_history_result result;

    sink_apply_begin(w->apply);
    for (size_t i = from; i < to; i++) {
        struct wh_slice bytes = wh_slice(w->list[i].bytes, w->list[i].len);
        struct wh_observation o;

        if (wh_observation_decode(bytes, sink_apply_arena(w->apply), &o, err) != WH_OK ||
            sink_apply_observation(w->apply, &o, 1, &result, err) != WH_OK) {
            return err->rc;
        }
    }
    if (sink_apply_offset(w->apply, topic, 0, (int64_t)to, err) != WH_OK ||
        sink_apply_seal(w->apply, err) != WH_OK) {
        return err->rc;
    }
    return sink_apply_commit(w->apply, true, err);
}

/* A store with the first observations in it. */
static void world_open(struct world *w)
{
    const struct wh_store_conf conf = {.path = "",
                                       .families = sink_families,
                                       .n_families = SINK_FAMILY_COUNT,
                                       .cache_bytes = 1 << 20,
                                       .memtable_bytes = 1 << 20};
    struct wh_err err;

    w->list = th_observations_new(5, OBSERVATIONS, ENTITIES, 1700000000000);
    th_ok(wh_store_mem_open(&conf, &w->store, &err), &err);
    th_ok(sink_apply_new(w->store, BATCH_MAX, &w->apply, &err), &err);
    th_ok(apply_range(w, 0, BEFORE, &err), &err);
}

static void world_close(struct world *w)
{
    sink_apply_free(w->apply);
    wh_store_free(w->store);
    th_observations_free(w->list, OBSERVATIONS);
}

static char *dump(struct world *w)
{
    struct wh_buf all;
    struct wh_err err;
    size_t n;

    wh_buf_init(&all, 64 << 20);
    for (unsigned f = 0; f < SINK_FAMILY_COUNT; f++) {
        char *text = th_store_dump(w->store, f);

        th_ok(wh_buf_append(&all, wh_slice_str(text), &err), &err);
        wh_mem_free(text);
    }
    return wh_buf_take(&all, &n);
}

static void offset_is(struct world *w, int64_t expected)
{
    struct wh_err err;
    int64_t next;
    bool found;

    th_ok(sink_offset_get(w->store, topic, 0, &next, &found, &err), &err);
    assert_true(found);
    assert_int_equal(next, expected);
}

static char *without_fault(void)
{
    struct world w;
    struct wh_err err;
    char *text;

    world_open(&w);
    th_ok(apply_range(&w, BEFORE, OBSERVATIONS, &err), &err);
    text = dump(&w);
    world_close(&w);
    return text;
}

static void test_each_allocation(void **state)
{
    char *expected = without_fault();
    struct th_fault fault;
    bool more = true;
    long n = 0;

    (void)state;
    for (; more; n++) {
        struct world w;
        struct wh_err err = {0};
        enum wh_rc rc;
        char *before;
        char *after;

        assert_true(n < MANY);
        world_open(&w);
        before = dump(&w);
        th_fault_arm(&fault, n);
        rc = apply_range(&w, BEFORE, OBSERVATIONS, &err);
        more = th_fault_disarm(&fault);
        if (rc != WH_OK) {
            assert_true(more);
            assert_int_equal(rc, err.rc);
            assert_int_equal(wh_rc_class(rc), WH_CLASS_FATAL);
            assert_true(err.msg[0] != '\0');
            after = dump(&w);
            assert_string_equal(before, after);
            wh_mem_free(after);
            offset_is(&w, BEFORE);
            th_ok(apply_range(&w, BEFORE, OBSERVATIONS, &err), &err);
        }
        offset_is(&w, OBSERVATIONS);
        after = dump(&w);
        assert_string_equal(expected, after);
        wh_mem_free(after);
        wh_mem_free(before);
        world_close(&w);
    }
    assert_true(n > 10);
    wh_mem_free(expected);
}

static void test_birth(void **state)
{
    struct th_fault fault;
    struct world w;
    bool more = true;
    long n = 0;

    (void)state;
    world_open(&w);
    for (; more; n++) {
        struct sink_apply *made = NULL;
        struct wh_err err = {0};
        enum wh_rc rc;

        assert_true(n < MANY);
        th_fault_arm(&fault, n);
        rc = sink_apply_new(w.store, BATCH_MAX, &made, &err);
        more = th_fault_disarm(&fault);
        if (rc != WH_OK) {
            assert_int_equal(wh_rc_class(rc), WH_CLASS_FATAL);
            assert_null(made);
        }
        sink_apply_free(made);
    }
    assert_true(n > 3);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation),
        cmocka_unit_test(test_birth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
