/* The budget of a thread: what it counts, when it refuses, and that it is the thread's own. */
#include <pthread.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/lib/th_cmocka.h"

enum { LIMIT = 100 << 10 };

static void growth_is_counted(void **state)
{
    struct wh_mem_budget b = {.limit = LIMIT};
    void *before = wh_mem_alloc(1000);
    char *p;

    (void)state;
    wh_mem_budget_begin(&b);
    p = wh_mem_alloc(5000);
    assert_non_null(p);
    assert_true(b.used >= 5000 && b.used < 6000);
    p = wh_mem_resize(p, 2, 10000);
    assert_true(b.used >= 20000 && b.used < 21000);
    p = wh_mem_resize(p, 1, 100);
    assert_true(b.used >= 100 && b.used < 20000);
    wh_mem_free(p);
    assert_int_equal(b.used, 0);
    /* What was there before makes room. */
    wh_mem_free(before);
    assert_true(b.used <= -1000);
    assert_false(b.exceeded);
    wh_mem_budget_end();
}

static void growth_is_limited(void **state)
{
    struct wh_mem_budget b = {.limit = LIMIT};
    void *p;

    (void)state;
    wh_mem_budget_begin(&b);
    p = wh_mem_alloc(LIMIT - 1000);
    assert_non_null(p);
    assert_false(b.exceeded);
    assert_null(wh_mem_alloc(2000));
    assert_true(b.exceeded);
    assert_null(wh_mem_zalloc(100, 100));
    assert_null(wh_mem_zalloc(SIZE_MAX, 2));
    assert_null(wh_mem_alloc(SIZE_MAX / 2));
    assert_null(wh_mem_resize(p, 1, LIMIT + 1000));
    memset(p, 1, LIMIT - 1000); /* still ours */
    wh_mem_free(p);
    p = wh_mem_alloc(2000);
    assert_non_null(p);
    wh_mem_free(p);
    wh_mem_budget_end();
    p = wh_mem_alloc((size_t)2 * LIMIT);
    assert_non_null(p);
    wh_mem_free(p);
}

static bool always(void *ctx)
{
    ++*(int *)ctx;
    return true;
}

static void work_that_allocates_can_be_stopped(void **state)
{
    int asked = 0;
    struct wh_mem_budget b = {.limit = (size_t)1 << 30, .stop = always, .ctx = &asked};
    int succeeded = 0;

    (void)state;
    wh_mem_budget_begin(&b);
    assert_null(wh_mem_alloc(1 << 20));
    assert_int_equal(asked, 1);
    for (void *p; (p = wh_mem_alloc(1)) != NULL; succeeded++) {
        wh_mem_free(p);
    }
    assert_true(succeeded < 64);
    assert_false(b.exceeded);
    wh_mem_budget_end();
}

static void *allocate_much(void *ctx)
{
    void *p = wh_mem_alloc((size_t)2 * LIMIT);

    *(bool *)ctx = p != NULL;
    wh_mem_free(p);
    return NULL;
}

static void another_thread_is_not_limited(void **state)
{
    struct wh_mem_budget b = {.limit = LIMIT};
    pthread_t thread;
    bool ok = false;

    (void)state;
    wh_mem_budget_begin(&b);
    assert_int_equal(pthread_create(&thread, NULL, allocate_much, &ok), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    wh_mem_budget_end();
    assert_true(ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(growth_is_counted),
        cmocka_unit_test(growth_is_limited),
        cmocka_unit_test(work_that_allocates_can_be_stopped),
        cmocka_unit_test(another_thread_is_not_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
