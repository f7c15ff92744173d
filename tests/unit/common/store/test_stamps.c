/* Stamps: what a write touches changes, and is not to be kept while the write is under way. */
#include "common/store/stamps.h"

#include <string.h>

#include "common/store/store.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/store_mem.h"

static const struct wh_store_family families[] = {
    {.name = "owned", .owned = true, .owner_at = 1},
    {.name = "other"},
};

static bool stamp(struct store_stamps *stamps, const char *owner, uint64_t *ret)
{
    return store_stamps_get(stamps, owner, ret);
}

static void a_write_under_way(void **state)
{
    static const char one[] = "0123456789abcdef";
    static const char two[] = "0123456789abcdeX";
    struct store_stamps *stamps = store_stamps_new();
    struct store_touched touched = {0};
    uint64_t before[2];
    uint64_t after[2];

    (void)state;
    assert_true(stamp(stamps, one, &before[0]) && stamp(stamps, two, &before[1]));
    for (int i = 0; i < 1000; i++) {
        store_touch(&touched, one);
    }
    store_stamps_begin(stamps, &touched);
    assert_false(stamp(stamps, one, &after[0]));
    assert_true(stamp(stamps, two, &after[1]));
    store_stamps_end(stamps, &touched);
    assert_true(stamp(stamps, one, &after[0]));
    assert_true(after[0] != before[0] && after[1] == before[1]);
    store_touched_reset(&touched);
    touched.all = true;
    store_stamps_begin(stamps, &touched);
    assert_false(stamp(stamps, two, &after[1]));
    store_stamps_end(stamps, &touched);
    assert_true(stamp(stamps, two, &after[1]));
    assert_true(after[1] != before[1]);
    store_touched_done(&touched);
    store_stamps_free(stamps);
}

/* Which operations of a store change a stamp. */
static void writes_of_a_store(void **state)
{
    static const char owner[] = "0123456789abcdef";
    static const struct {
        unsigned family;
        bool range;
        const char *key;
        bool changes;
    } cases[] = {
        {0, false, "k0123456789abcdef", true},
        {0, false, "k0123456789abcdef/more", true},
        {0, false, "k0123456789abcdeX", false},
        {0, false, "k0123", false},
        {1, false, "k0123456789abcdef", false},
        {1, true, "k", false},
        {0, true, "k", true},
    };
    const struct wh_store_conf conf = {.families = families, .n_families = 2};
    struct wh_store *store;
    struct wh_batch *batch;
    struct wh_err err;

    (void)state;
    th_ok(wh_store_mem_open(&conf, &store, &err), &err);
    th_ok(wh_batch_new(store, &batch, &err), &err);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct wh_slice key = wh_slice_str(cases[i].key);
        uint64_t before;
        uint64_t after;

        assert_true(wh_store_stamp(store, owner, &before));
        if (cases[i].range) {
            th_ok(wh_batch_remove_range(batch, cases[i].family, key, WH_LIT("z"), &err), &err);
        } else if (i % 2) {
            th_ok(wh_batch_remove(batch, cases[i].family, key, &err), &err);
        } else {
            th_ok(wh_batch_put(batch, cases[i].family, key, WH_LIT("v"), &err), &err);
        }
        th_ok(wh_store_write(store, batch, false, &err), &err);
        assert_true(wh_store_stamp(store, owner, &after));
        assert_int_equal(before != after, cases[i].changes);
        wh_batch_reset(batch);
    }
    wh_batch_free(batch);
    wh_store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_under_way),
        cmocka_unit_test(writes_of_a_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
