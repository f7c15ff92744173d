/* Lanes: order, bounds, taking back, and that two lanes do not share threads. */
#include "stages/sink/api/lane.h"

#include <semaphore.h>

#include "tests/lib/th_cmocka.h"

enum { TASKS = 6, WAITING_MAX = 4 };

struct job {
    struct api_task task;
    struct fixture *f;
    sem_t *begun; /* posted when work begins; NULL: not */
    sem_t *go;    /* awaited by work; NULL: not */
    int number;
};

struct fixture {
    struct wh_loop *loop;
    struct job jobs[TASKS];
    sem_t begun;
    sem_t go;
    int done[TASKS]; /* numbers in the order of done */
    int n_done;
};

static void work(void *ctx)
{
    struct job *job = ctx;

    if (job->begun) {
        (void)sem_post(job->begun);
    }
    while (job->go && sem_wait(job->go) != 0) {
    }
}

static void done(void *ctx)
{
    struct job *job = ctx;

    job->f->done[job->f->n_done++] = job->number;
}

static int set_up(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;

    *f = (struct fixture){.loop = wh_loop_new()};
    (void)sem_init(&f->begun, 0, 0);
    (void)sem_init(&f->go, 0, 0);
    for (int i = 0; i < TASKS; i++) {
        f->jobs[i] = (struct job){.f = f, .number = i};
        f->jobs[i].task = (struct api_task){.work = work, .done = done, .ctx = &f->jobs[i]};
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    wh_loop_free(f->loop);
    (void)sem_destroy(&f->begun);
    (void)sem_destroy(&f->go);
    return 0;
}

static struct api_lane *lane_of(struct fixture *f, size_t threads, size_t waiting_max)
{
    struct api_lane *lane = NULL;
    struct wh_err err;

    th_ok(api_lane_new(f->loop, threads, waiting_max, &lane, &err), &err);
    return lane;
}

static void submit(struct api_lane *lane, struct job *job)
{
    struct wh_err err;

    th_ok(api_lane_submit(lane, &job->task, &err), &err);
}

static void until_done(struct fixture *f, int n)
{
    while (f->n_done < n) {
        wh_loop_turn(f->loop, true);
    }
}

static void tasks_run_in_order(void **state)
{
    struct fixture *f = *state;
    struct api_lane *lane = lane_of(f, 1, TASKS);

    for (int i = 0; i < TASKS; i++) {
        submit(lane, &f->jobs[i]);
    }
    until_done(f, TASKS);
    for (int i = 0; i < TASKS; i++) {
        assert_int_equal(f->done[i], i);
    }
    api_lane_free(lane);
}

static void another_lane_is_not_held_up(void **state)
{
    struct fixture *f = *state;
    struct api_lane *slow = lane_of(f, 1, WAITING_MAX);
    struct api_lane *fast = lane_of(f, 1, WAITING_MAX);

    f->jobs[0].go = &f->go;
    submit(slow, &f->jobs[0]);
    submit(slow, &f->jobs[1]);
    submit(fast, &f->jobs[2]);
    until_done(f, 1);
    assert_int_equal(f->done[0], 2);
    (void)sem_post(&f->go);
    until_done(f, 3);
    api_lane_free(slow);
    api_lane_free(fast);
}

static void waiting_is_bounded_and_can_end(void **state)
{
    struct fixture *f = *state;
    struct api_lane *lane = lane_of(f, 1, WAITING_MAX);
    struct wh_err err;

    f->jobs[0].begun = &f->begun;
    f->jobs[0].go = &f->go;
    submit(lane, &f->jobs[0]);
    (void)sem_wait(&f->begun);
    for (int i = 1; i <= WAITING_MAX; i++) {
        submit(lane, &f->jobs[i]);
    }
    assert_int_equal(api_lane_submit(lane, &f->jobs[5].task, &err), WH_E_BUSY);
    for (int i = 1; i <= WAITING_MAX; i++) {
        assert_ptr_equal(api_lane_take_back(lane), &f->jobs[i].task);
    }
    assert_null(api_lane_take_back(lane));
    submit(lane, &f->jobs[5]);
    assert_ptr_equal(api_lane_take_back(lane), &f->jobs[5].task);
    (void)sem_post(&f->go);
    /* The one in work is waited for, and its end is told. */
    api_lane_free(lane);
    assert_int_equal(f->n_done, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tasks_run_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_lane_is_not_held_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(waiting_is_bounded_and_can_end, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
