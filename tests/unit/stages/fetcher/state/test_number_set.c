/*
 * Numbers against a plain array: random notes, kept in segments that are read back in any order,
 * some of them twice, must give the same map.
 */
#include "stages/fetcher/state/number_set.h"

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

static void save(struct number_set *set, struct kept *kept)
{
    struct wh_err err;
    uint32_t seq;

    while (number_set_dirty(set, &seq)) {
        assert_true(seq < KEPT_MAX);
        if (!kept->is[seq]) {
            wh_buf_init(&kept->segments[seq], 64 << 10);
            kept->is[seq] = true;
        }
        wh_buf_reset(&kept->segments[seq]);
        th_ok(number_set_segment_write(set, seq, &kept->segments[seq], &err), &err);
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

static struct number_set *load(const struct kept *kept, uint64_t *seed)
{
    struct number_set *set = number_set_new();
    struct wh_err err;

    assert_non_null(set);
    for (int round = 0; round < 2; round++) {
        size_t from = (size_t)below(seed, KEPT_MAX);

        for (size_t i = 0; i < KEPT_MAX; i++) {
            size_t at = (from + i * 37) % KEPT_MAX; /* 37 and 64 share no factor: all of them */

            if (kept->is[at]) {
                th_ok(number_set_segment_take(set, (uint32_t)at, wh_buf_slice(&kept->segments[at]),
                                              &err),
                      &err);
            }
        }
    }
    return set;
}

static void check_same(const struct number_set *set, const struct number_set_entry *model)
{
    struct number_counts want = {0};
    struct number_counts have = number_set_counts(set);
    int64_t by_fate[NUMBER_FATES] = {0};

    for (int64_t i = 1; i <= NUMBERS; i++) {
        struct number_set_entry e = number_set_get(set, i);

        assert_int_equal(e.fate, model[i].fate);
        assert_int_equal(e.id, model[i].id);
        assert_int_equal(e.confidential, model[i].confidential);
        if (model[i].fate != NUMBER_UNKNOWN) {
            want.expected = i;
            by_fate[model[i].fate]++;
            want.confidential += model[i].fate == NUMBER_HAVE && model[i].confidential;
        }
    }
    assert_int_equal(have.expected, want.expected);
    assert_int_equal(have.have, by_fate[NUMBER_HAVE]);
    assert_int_equal(have.deleted, by_fate[NUMBER_DELETED]);
    assert_int_equal(have.hidden, by_fate[NUMBER_HIDDEN]);
    assert_int_equal(have.moved, by_fate[NUMBER_MOVED]);
    assert_int_equal(have.no_access, by_fate[NUMBER_NO_ACCESS]);
    assert_int_equal(have.held, by_fate[NUMBER_HELD]);
    assert_int_equal(have.confidential, want.confidential);
    assert_int_equal(have.have + have.missing + have.deleted + have.hidden + have.moved +
                         have.no_access + have.held,
                     have.expected);
}

static void test_model(void **state)
{
    (void)state;
    for (uint64_t c = 1; c <= CASES; c++) {
        static struct number_set_entry model[NUMBERS + 1];
        struct kept kept = {0};
        struct number_set *set = number_set_new();
        uint64_t seed = c * 0x9e3779b97f4a7c15U;
        struct wh_err err;

        assert_non_null(set);
        memset(model, 0, sizeof(model));
        for (int step = 0; step < STEPS; step++) {
            int64_t n = 1 + below(&seed, NUMBERS);
            struct number_set_entry e = {
                .id = below(&seed, 4) ? n * 7 + 1000 : below(&seed, INT64_MAX),
                .fate = (enum number_fate)(1 + below(&seed, NUMBER_FATES - 1)),
                .confidential = below(&seed, 8) == 0};

            th_ok(number_set_put(set, n, e.id, e.fate, e.confidential, &err), &err);
            model[n] = e;
            if (below(&seed, 500) == 0) {
                save(set, &kept);
            }
            /* Another process takes over from what is kept. */
            if (below(&seed, 2000) == 0) {
                save(set, &kept);
                number_set_free(set);
                set = load(&kept, &seed);
            }
        }
        check_same(set, model);
        save(set, &kept);
        number_set_free(set);
        set = load(&kept, &seed);
        check_same(set, model);
        number_set_free(set);
        kept_done(&kept);
    }
}

static void test_next(void **state)
{
    struct number_set *set = number_set_new();
    struct wh_err err;
    int64_t n = 0;

    (void)state;
    assert_false(number_set_next(set, 0, 1u << NUMBER_UNKNOWN, &n));
    th_ok(number_set_put(set, 3, 30, NUMBER_HAVE, false, &err), &err);
    th_ok(number_set_put(set, 5000, 31, NUMBER_HELD, false, &err), &err);
    assert_true(number_set_next(set, 0, 1u << NUMBER_UNKNOWN, &n));
    assert_int_equal(n, 1);
    assert_true(number_set_next(set, 2, 1u << NUMBER_UNKNOWN, &n));
    assert_int_equal(n, 4);
    assert_true(number_set_next(set, 0, 1u << NUMBER_HAVE, &n));
    assert_int_equal(n, 3);
    assert_true(number_set_next(set, 3, 1u << NUMBER_HELD | 1u << NUMBER_HAVE, &n));
    assert_int_equal(n, 5000);
    assert_false(number_set_next(set, 5000, ~0u, &n));
    number_set_free(set);
}

static void test_marks(void **state)
{
    struct number_set *set = number_set_new();
    struct wh_err err;

    (void)state;
    th_ok(number_set_put(set, 7, 70, NUMBER_HAVE, true, &err), &err);
    assert_false(number_set_get(set, 7).listed);
    number_set_mark(set, 7);
    number_set_mark(set, 8); /* never noted: nothing to mark */
    assert_true(number_set_get(set, 7).listed);
    assert_int_equal(number_set_get(set, 8).fate, NUMBER_UNKNOWN);
    number_set_unmark_all(set);
    assert_false(number_set_get(set, 7).listed);
    number_set_free(set);
}

/* What the other side sends chooses no memory. */
static void test_far_apart(void **state)
{
    struct number_set *set = number_set_new();
    struct wh_err err;
    int refused = 0;

    (void)state;
    assert_int_equal(number_set_put(set, 0, 1, NUMBER_HAVE, false, &err), WH_E_RANGE);
    assert_int_equal(number_set_put(set, -5, 1, NUMBER_HAVE, false, &err), WH_E_RANGE);
    assert_int_equal(number_set_put(set, INT64_MAX, 1, NUMBER_HAVE, false, &err), WH_E_RANGE);
    for (int64_t i = 1; i * 1024 <= NUMBER_SET_NUMBER_MAX; i++) {
        refused += number_set_put(set, i * 1024, i, NUMBER_HAVE, false, &err) == WH_E_RANGE;
    }
    assert_true(refused > 40000);
    number_set_free(set);
}

static void test_damaged(void **state)
{
    uint64_t seed = 88172645463325252U;
    struct number_set *set = number_set_new();
    struct wh_err err;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        char bytes[64];
        size_t len = (size_t)below(&seed, sizeof(bytes));

        for (size_t k = 0; k < len; k++) {
            bytes[k] = (char)below(&seed, 256);
        }
        (void)!number_set_segment_take(set, (uint32_t)below(&seed, 50), wh_slice(bytes, len), &err);
    }
    /* A number twice is no segment; nothing of it is taken. */
    number_set_free(set);
    set = number_set_new();
    assert_int_equal(number_set_segment_take(set, 0, wh_slice("\x44\x02\x04\x02", 4), &err),
                     WH_E_INVALID);
    assert_int_equal(number_set_counts(set).expected, 0);
    th_ok(number_set_segment_take(set, 0, wh_slice("\x44\x02", 2), &err), &err);
    assert_int_equal(number_set_get(set, 2).fate, NUMBER_HAVE);
    number_set_free(set);
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
        struct number_set *set = number_set_new();
        struct wh_err err;
        int left = n;
        enum wh_rc rc = WH_OK;

        th_ok(number_set_put(set, 1, 10, NUMBER_HAVE, false, &err), &err);
        wh_mem_set_hook(no_memory, &left);
        for (int64_t i = 2; i < 40000 && rc == WH_OK; i += 7) {
            rc = number_set_put(set, i, i, NUMBER_HAVE, false, &err);
        }
        wh_mem_set_hook(NULL, NULL);
        assert_int_equal(rc, WH_E_NOMEM);
        assert_int_equal(number_set_get(set, 1).id, 10);
        assert_int_equal(number_set_counts(set).have + number_set_counts(set).missing,
                         number_set_counts(set).expected);
        number_set_free(set);
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
