/*
 * Numbers against a plain array: random notes, kept in segments that are read back in any order,
 * some of them twice, must give the same map.
 */
#include "stages/fetcher/state/ids.h"

#include <string.h>

#include "common/base/mem.h"
#include "tests/lib/th_cmocka.h"

enum { NUMBERS = 5000, STEPS = 6000, CASES = 20, KEPT_MAX = 64 };

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static int64_t below(uint64_t *seed, int64_t n)
{
    return (int64_t)(next_random(seed) % (uint64_t)n);
}

/* The topic: the newest bytes of each segment. */
struct kept {
    struct wh_buf segments[KEPT_MAX];
    bool is[KEPT_MAX];
};

static void save(struct ids *ids, struct kept *kept)
{
    struct wh_err err;
    uint32_t seq;

    while (ids_dirty(ids, &seq)) {
        assert_true(seq < KEPT_MAX);
        if (!kept->is[seq]) {
            wh_buf_init(&kept->segments[seq], 64 << 10);
            kept->is[seq] = true;
        }
        wh_buf_reset(&kept->segments[seq]);
        th_ok(ids_segment_write(ids, seq, &kept->segments[seq], &err), &err);
    }
}

static void kept_done(struct kept *kept)
{
    for (size_t i = 0; i < KEPT_MAX; i++) {
        if (kept->is[i]) {
            wh_buf_done(&kept->segments[i]);
        }
    }
}

static struct ids *load(const struct kept *kept, uint64_t *seed)
{
    struct ids *ids = ids_new();
    struct wh_err err;

    assert_non_null(ids);
    for (int round = 0; round < 2; round++) {
        size_t from = (size_t)below(seed, KEPT_MAX);

        for (size_t i = 0; i < KEPT_MAX; i++) {
            size_t at = (from + i * 37) % KEPT_MAX; /* 37 and 64 share no factor: all of them */

            if (kept->is[at]) {
                th_ok(ids_segment_take(ids, (uint32_t)at, wh_buf_slice(&kept->segments[at]), &err),
                      &err);
            }
        }
    }
    return ids;
}

static void check_same(const struct ids *ids, const struct ids_entry *model)
{
    struct ids_counts want = {0};
    struct ids_counts have = ids_counts(ids);
    int64_t by_fate[IDS_FATES] = {0};

    for (int64_t i = 1; i <= NUMBERS; i++) {
        struct ids_entry e = ids_get(ids, i);

        assert_int_equal(e.fate, model[i].fate);
        assert_int_equal(e.id, model[i].id);
        assert_int_equal(e.confidential, model[i].confidential);
        if (model[i].fate != IDS_UNKNOWN) {
            want.expected = i;
            by_fate[model[i].fate]++;
            want.confidential += model[i].fate == IDS_HAVE && model[i].confidential;
        }
    }
    assert_int_equal(have.expected, want.expected);
    assert_int_equal(have.have, by_fate[IDS_HAVE]);
    assert_int_equal(have.deleted, by_fate[IDS_DELETED]);
    assert_int_equal(have.hidden, by_fate[IDS_HIDDEN]);
    assert_int_equal(have.moved, by_fate[IDS_MOVED]);
    assert_int_equal(have.no_access, by_fate[IDS_NO_ACCESS]);
    assert_int_equal(have.held, by_fate[IDS_HELD]);
    assert_int_equal(have.confidential, want.confidential);
    assert_int_equal(have.have + have.missing + have.deleted + have.hidden + have.moved +
                         have.no_access + have.held,
                     have.expected);
}

static void test_model(void **state)
{
    (void)state;
    for (uint64_t c = 1; c <= CASES; c++) {
        static struct ids_entry model[NUMBERS + 1];
        struct kept kept = {0};
        struct ids *ids = ids_new();
        uint64_t seed = c * 0x9e3779b97f4a7c15U;
        struct wh_err err;

        assert_non_null(ids);
        memset(model, 0, sizeof(model));
        for (int step = 0; step < STEPS; step++) {
            int64_t n = 1 + below(&seed, NUMBERS);
            struct ids_entry e = {.id = below(&seed, 4) ? n * 7 + 1000 : below(&seed, INT64_MAX),
                                  .fate = (enum ids_fate)(1 + below(&seed, IDS_FATES - 1)),
                                  .confidential = below(&seed, 8) == 0};

            th_ok(ids_set(ids, n, e.id, e.fate, e.confidential, &err), &err);
            model[n] = e;
            if (below(&seed, 500) == 0) {
                save(ids, &kept);
            }
            /* Another process takes over from what is kept. */
            if (below(&seed, 2000) == 0) {
                save(ids, &kept);
                ids_free(ids);
                ids = load(&kept, &seed);
            }
        }
        check_same(ids, model);
        save(ids, &kept);
        ids_free(ids);
        ids = load(&kept, &seed);
        check_same(ids, model);
        ids_free(ids);
        kept_done(&kept);
    }
}

static void test_next(void **state)
{
    struct ids *ids = ids_new();
    struct wh_err err;
    int64_t n = 0;

    (void)state;
    assert_false(ids_next(ids, 0, 1u << IDS_UNKNOWN, &n));
    th_ok(ids_set(ids, 3, 30, IDS_HAVE, false, &err), &err);
    th_ok(ids_set(ids, 5000, 31, IDS_HELD, false, &err), &err);
    assert_true(ids_next(ids, 0, 1u << IDS_UNKNOWN, &n));
    assert_int_equal(n, 1);
    assert_true(ids_next(ids, 2, 1u << IDS_UNKNOWN, &n));
    assert_int_equal(n, 4);
    assert_true(ids_next(ids, 0, 1u << IDS_HAVE, &n));
    assert_int_equal(n, 3);
    assert_true(ids_next(ids, 3, 1u << IDS_HELD | 1u << IDS_HAVE, &n));
    assert_int_equal(n, 5000);
    assert_false(ids_next(ids, 5000, ~0u, &n));
    ids_free(ids);
}

static void test_marks(void **state)
{
    struct ids *ids = ids_new();
    struct wh_err err;

    (void)state;
    th_ok(ids_set(ids, 7, 70, IDS_HAVE, true, &err), &err);
    assert_false(ids_get(ids, 7).listed);
    ids_mark(ids, 7);
    ids_mark(ids, 8); /* never noted: nothing to mark */
    assert_true(ids_get(ids, 7).listed);
    assert_int_equal(ids_get(ids, 8).fate, IDS_UNKNOWN);
    ids_unmark_all(ids);
    assert_false(ids_get(ids, 7).listed);
    ids_free(ids);
}

/* What the other side sends chooses no memory. */
static void test_far_apart(void **state)
{
    struct ids *ids = ids_new();
    struct wh_err err;
    int refused = 0;

    (void)state;
    assert_int_equal(ids_set(ids, 0, 1, IDS_HAVE, false, &err), WH_E_RANGE);
    assert_int_equal(ids_set(ids, -5, 1, IDS_HAVE, false, &err), WH_E_RANGE);
    assert_int_equal(ids_set(ids, INT64_MAX, 1, IDS_HAVE, false, &err), WH_E_RANGE);
    for (int64_t i = 1; i * 1024 <= IDS_NUMBER_MAX; i++) {
        refused += ids_set(ids, i * 1024, i, IDS_HAVE, false, &err) == WH_E_RANGE;
    }
    assert_true(refused > 40000);
    ids_free(ids);
}

static void test_damaged(void **state)
{
    uint64_t seed = 88172645463325252U;
    struct ids *ids = ids_new();
    struct wh_err err;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        char bytes[64];
        size_t len = (size_t)below(&seed, sizeof(bytes));

        for (size_t k = 0; k < len; k++) {
            bytes[k] = (char)below(&seed, 256);
        }
        (void)!ids_segment_take(ids, (uint32_t)below(&seed, 50), wh_slice(bytes, len), &err);
    }
    /* A number twice is no segment; nothing of it is taken. */
    ids_free(ids);
    ids = ids_new();
    assert_int_equal(ids_segment_take(ids, 0, wh_slice("\x44\x02\x04\x02", 4), &err), WH_E_INVALID);
    assert_int_equal(ids_counts(ids).expected, 0);
    th_ok(ids_segment_take(ids, 0, wh_slice("\x44\x02", 2), &err), &err);
    assert_int_equal(ids_get(ids, 2).fate, IDS_HAVE);
    ids_free(ids);
}

static bool no_memory(void *ctx)
{
    int *left = ctx;

    return (*left)-- > 0;
}

/* Each allocation fails once: an error, and what was there stays. */
static void test_no_memory(void **state)
{
    (void)state;
    for (int n = 0; n < 8; n++) {
        struct ids *ids = ids_new();
        struct wh_err err;
        int left = n;
        enum wh_rc rc = WH_OK;

        th_ok(ids_set(ids, 1, 10, IDS_HAVE, false, &err), &err);
        wh_mem_set_hook(no_memory, &left);
        for (int64_t i = 2; i < 40000 && rc == WH_OK; i += 7) {
            rc = ids_set(ids, i, i, IDS_HAVE, false, &err);
        }
        wh_mem_set_hook(NULL, NULL);
        assert_int_equal(rc, WH_E_NOMEM);
        assert_int_equal(ids_get(ids, 1).id, 10);
        assert_int_equal(ids_counts(ids).have + ids_counts(ids).missing, ids_counts(ids).expected);
        ids_free(ids);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),   cmocka_unit_test(test_next),
        cmocka_unit_test(test_marks),   cmocka_unit_test(test_far_apart),
        cmocka_unit_test(test_damaged), cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
