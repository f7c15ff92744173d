#include "tests/lib/th_cmocka.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "common/loop/loop.h"

struct seen {
    struct wh_loop *loop;
    struct wh_timer *timer;
    struct wh_watch *watch;
    struct wh_wake *wake;
    int calls;
    pthread_t work_thread;
    bool worked;
};

static void stop_after_three(void *ctx)
{
    struct seen *seen = ctx;

    if (++seen->calls == 3) {
        wh_timer_free(seen->timer);
        wh_loop_stop(seen->loop);
    }
}

static void test_timer_repeats_and_frees_itself(void **state)
{
    struct seen seen = {.loop = wh_loop_new()};

    (void)state;
    seen.timer = wh_timer_new(seen.loop, stop_after_three, &seen);
    wh_timer_start(seen.timer, 1, 1);
    wh_loop_run(seen.loop);
    assert_int_equal(seen.calls, 3);
    wh_loop_free(seen.loop);
}

static void on_readable(void *ctx, int fd, unsigned events)
{
    struct seen *seen = ctx;
    char c;

    assert_true(events & WH_READABLE);
    assert_int_equal(read(fd, &c, 1), 1);
    seen->calls++;
    wh_watch_free(seen->watch);
    wh_loop_stop(seen->loop);
}

static void test_watch(void **state)
{
    struct seen seen = {.loop = wh_loop_new()};
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    seen.watch = wh_watch_new(seen.loop, fds[0], WH_READABLE, on_readable, &seen);
    assert_int_equal(write(fds[1], "x", 1), 1);
    wh_loop_run(seen.loop);
    assert_int_equal(seen.calls, 1);
    wh_loop_free(seen.loop);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void on_wake(void *ctx)
{
    struct seen *seen = ctx;

    seen->calls++;
    wh_loop_stop(seen->loop);
}

static void *sender(void *ctx)
{
    wh_wake_send(((struct seen *)ctx)->wake);
    return NULL;
}

static void test_wake_from_another_thread(void **state)
{
    struct seen seen = {.loop = wh_loop_new()};
    pthread_t thread;

    (void)state;
    seen.wake = wh_wake_new(seen.loop, on_wake, &seen);
    assert_int_equal(pthread_create(&thread, NULL, sender, &seen), 0);
    wh_loop_run(seen.loop);
    (void)pthread_join(thread, NULL);
    assert_int_equal(seen.calls, 1);
    wh_loop_free(seen.loop);
}

static void do_work(void *ctx)
{
    struct seen *seen = ctx;

    seen->work_thread = pthread_self();
    seen->worked = true;
}

static void test_work_runs_elsewhere(void **state)
{
    struct seen seen = {.loop = wh_loop_new()};
    struct wh_err err;

    (void)state;
    th_ok(wh_loop_work(seen.loop, do_work, on_wake, &seen, &err), &err);
    wh_loop_run(seen.loop);
    assert_true(seen.worked);
    assert_false(pthread_equal(seen.work_thread, pthread_self()));
    wh_loop_free(seen.loop);
}

static void test_signal(void **state)
{
    struct seen seen = {.loop = wh_loop_new()};
    struct wh_err err;

    (void)state;
    th_ok(wh_loop_on_signal(seen.loop, SIGUSR1, on_wake, &seen, &err), &err);
    assert_int_equal(raise(SIGUSR1), 0);
    wh_loop_run(seen.loop);
    assert_int_equal(seen.calls, 1);
    wh_loop_free(seen.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timer_repeats_and_frees_itself),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_wake_from_another_thread),
        cmocka_unit_test(test_work_runs_elsewhere),
        cmocka_unit_test(test_signal),
    };

    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
