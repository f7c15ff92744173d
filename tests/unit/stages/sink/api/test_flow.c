/* The ring between a lane's thread and the loop. */
#include "stages/sink/api/flow.h"

#include <pthread.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/lib/th_cmocka.h"

enum { TOTAL = 40 * API_FLOW_BYTES + 7, PIECES = 5 };

struct fixture {
    struct wh_loop *loop;
    struct wh_wake *wake;
    struct api_flow *flow;
    unsigned wakes;
    pthread_t thread;
    enum wh_rc rc;
    char *bytes;
};

static void on_wake(void *ctx)
{
    ((struct fixture *)ctx)->wakes++;
}

static void make_flow(struct fixture *f, int64_t stall_ms, int64_t wait_max_ms)
{
    api_flow_free(f->flow);
    f->flow = api_flow_new(f->wake, &(struct api_flow_conf){stall_ms, wait_max_ms});
    assert_non_null(f->flow);
}

static int set_up(void **state)
{
    struct fixture *f = wh_mem_zalloc(1, sizeof(*f));

    f->loop = wh_loop_new();
    f->wake = wh_wake_new(f->loop, on_wake, f);
    make_flow(f, 60000, 60000);
    f->bytes = wh_mem_alloc(TOTAL);
    for (size_t i = 0; i < TOTAL; i++) {
        f->bytes[i] = (char)(i * 31 + i / 251);
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    api_flow_free(f->flow);
    wh_wake_free(f->wake);
    wh_loop_free(f->loop);
    wh_mem_free(f->bytes);
    wh_mem_free(f);
    return 0;
}

/* In pieces of very different sizes, some larger than the ring. */
static void *write_all(void *ctx)
{
    static const size_t sizes[PIECES] = {1, 100, 3 * API_FLOW_BYTES, 8191, API_FLOW_BYTES};
    struct fixture *f = ctx;
    struct wh_err err;
    size_t at = 0;

    f->rc = WH_OK;
    for (size_t i = 0; at < TOTAL && f->rc == WH_OK; i++) {
        size_t n = sizes[i % PIECES] < TOTAL - at ? sizes[i % PIECES] : TOTAL - at;

        f->rc = api_flow_write(f->flow, wh_slice(f->bytes + at, n), &err);
        at += n;
    }
    return NULL;
}

static void start(struct fixture *f)
{
    assert_int_equal(pthread_create(&f->thread, NULL, write_all, f), 0);
}

static void bytes_arrive_in_order(void **state)
{
    struct fixture *f = *state;
    static char block[70000];
    size_t at = 0;

    start(f);
    while (at < TOTAL) {
        size_t n = api_flow_read(f->flow, block, 1 + at % sizeof(block));

        assert_memory_equal(block, f->bytes + at, n);
        at += n;
        if (n == 0) {
            wh_loop_turn(f->loop, at < TOTAL - API_FLOW_BYTES);
        }
    }
    (void)pthread_join(f->thread, NULL);
    assert_int_equal(f->rc, WH_OK);
    assert_true(api_flow_overflowed(f->flow));
    assert_int_equal(api_flow_read(f->flow, block, 1), 0);
}

static void what_fits_is_whole(void **state)
{
    struct fixture *f = *state;
    struct wh_err err;

    th_ok(api_flow_write(f->flow, wh_slice(f->bytes, API_FLOW_BYTES), &err), &err);
    assert_false(api_flow_overflowed(f->flow));
    assert_int_equal(api_flow_whole(f->flow).len, API_FLOW_BYTES);
    assert_memory_equal(api_flow_whole(f->flow).ptr, f->bytes, API_FLOW_BYTES);
    assert_int_equal(*api_flow_waited_ns(f->flow), 0);
}

static void a_reader_that_goes_ends_the_wait(void **state)
{
    struct fixture *f = *state;

    start(f);
    while (f->wakes == 0) {
        wh_loop_turn(f->loop, true);
    }
    api_flow_close(f->flow);
    (void)pthread_join(f->thread, NULL);
    assert_int_equal(f->rc, WH_E_CANCELED);
}

static void a_reader_that_stalls_ends_it_too(void **state)
{
    struct fixture *f = *state;

    make_flow(f, 20, 60000);
    start(f);
    (void)pthread_join(f->thread, NULL);
    assert_int_equal(f->rc, WH_E_TIMEOUT);
    assert_true(*api_flow_waited_ns(f->flow) >= 20 * 1000000);
    /* All waits together have a bound, too. */
    make_flow(f, 60000, 20);
    start(f);
    (void)pthread_join(f->thread, NULL);
    assert_int_equal(f->rc, WH_E_TIMEOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(bytes_arrive_in_order),
        T(what_fits_is_whole),
        T(a_reader_that_goes_ends_the_wait),
        T(a_reader_that_stalls_ends_it_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
