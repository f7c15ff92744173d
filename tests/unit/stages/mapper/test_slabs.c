#include "tests/lib/th_cmocka.h"

#include "common/base/mem.h"
#include "stages/mapper/slabs.h"

enum { SLAB = 256 << 10, EVENT = 1000 };

struct lent {
    struct slab *slab;
    const char *bytes;
};

static struct lent put(struct slabs *s, size_t n, char fill)
{
    struct lent lent;
    struct wh_err err;
    char *bytes = wh_mem_alloc(n);

    assert_non_null(bytes);
    memset(bytes, fill, n);
    assert_int_equal(slabs_put(s, wh_slice(bytes, n), &lent.slab, &lent.bytes, &err), WH_OK);
    wh_mem_free(bytes);
    return lent;
}

static bool is_all(struct lent lent, size_t n, char fill)
{
    for (size_t i = 0; i < n; i++) {
        if (lent.bytes[i] != fill) {
            return false;
        }
    }
    return true;
}

/* What is lent stays as it was, whatever comes and goes after it. */
static void test_bytes_stay(void **state)
{
    struct slabs s = {0};
    struct lent lent[900];
    size_t n = sizeof(lent) / sizeof(lent[0]);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        lent[i] = put(&s, EVENT, (char)i);
        /* Every other one is acknowledged a little later. */
        if (i >= 10 && i % 2 == 0) {
            slabs_release(&s, lent[i - 10].slab);
        }
    }
    for (size_t i = 1; i < n; i += 2) {
        assert_true(is_all(lent[i], EVENT, (char)i));
        slabs_release(&s, lent[i].slab);
    }
    for (size_t i = n - 10; i < n; i += 2) {
        assert_true(is_all(lent[i], EVENT, (char)i));
        slabs_release(&s, lent[i].slab);
    }
    assert_int_equal(s.in_use, SLAB);
    slabs_done(&s);
}

/* In order, as a partition is acknowledged, two slabs do for any number of events. */
static void test_reused(void **state)
{
    struct slabs s = {0};
    struct lent last = put(&s, EVENT, 'x');

    (void)state;
    for (size_t i = 0; i < 10000; i++) {
        struct lent next = put(&s, EVENT, 'y');

        slabs_release(&s, last.slab);
        last = next;
        assert_true(s.in_use <= (size_t)2 * SLAB);
    }
    slabs_release(&s, last.slab);
    slabs_done(&s);
}

static void test_outsized(void **state)
{
    struct slabs s = {0};
    struct lent small = put(&s, EVENT, 's');
    struct lent large = put(&s, (size_t)3 * SLAB, 'l');
    struct lent more = put(&s, EVENT, 'm');

    (void)state;
    assert_ptr_equal(small.slab, more.slab);
    assert_int_equal(s.in_use, 4 * SLAB);
    assert_true(is_all(large, (size_t)3 * SLAB, 'l'));
    slabs_release(&s, large.slab);
    assert_int_equal(s.in_use, SLAB);
    assert_true(is_all(small, EVENT, 's'));
    slabs_release(&s, small.slab);
    slabs_release(&s, more.slab);
    slabs_done(&s);
}

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

static void test_no_memory(void **state)
{
    struct slabs s = {0};
    struct lent lent;
    struct wh_err err;

    (void)state;
    wh_mem_set_hook(never, NULL);
    assert_int_equal(slabs_put(&s, WH_LIT("x"), &lent.slab, &lent.bytes, &err), WH_E_NOMEM);
    wh_mem_set_hook(NULL, NULL);
    assert_int_equal(s.in_use, 0);
    slabs_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_stay),
        cmocka_unit_test(test_reused),
        cmocka_unit_test(test_outsized),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
