#include "stages/sink/api/lane.h"

#include <pthread.h>

#include "common/base/mem.h"

struct queue {
    struct api_task *first;
    struct api_task *last;
};

struct api_lane {
    struct wh_wake *wake;
    size_t tasks_max;
    size_t n_tasks; /* submitted and not done; the loop's thread alone */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* something waits, or the lane ends */
    /* Under the lock. */
    struct queue waiting;
    struct queue ended;
    bool ending;
    size_t n_threads;
    pthread_t threads[];
};

static void push(struct queue *q, struct api_task *task)
{
    task->next = NULL;
    if (q->first) {
        q->last->next = task;
    } else {
        q->first = task;
    }
    q->last = task;
}

static struct api_task *pop(struct queue *q)
{
    struct api_task *task = q->first;

    if (task) {
        q->first = task->next;
    }
    return task;
}

/* Thread: the lane's. */
static void *serve(void *ctx)
{
    struct api_lane *lane = ctx;

    (void)pthread_mutex_lock(&lane->lock);
    for (;;) {
        struct api_task *task = pop(&lane->waiting);

        if (task) {
            (void)pthread_mutex_unlock(&lane->lock);
            task->work(task->ctx);
            (void)pthread_mutex_lock(&lane->lock);
            push(&lane->ended, task);
            wh_wake_send(lane->wake);
        } else if (lane->ending) {
            break;
        } else {
            (void)pthread_cond_wait(&lane->changed, &lane->lock);
        }
    }
    (void)pthread_mutex_unlock(&lane->lock);
    return NULL;
}

static struct api_task *next_ended(struct api_lane *lane)
{
    struct api_task *task;

    (void)pthread_mutex_lock(&lane->lock);
    task = pop(&lane->ended);
    (void)pthread_mutex_unlock(&lane->lock);
    return task;
}

static void finish_ended(void *ctx)
{
    struct api_lane *lane = ctx;
    struct api_task *task;

    while ((task = next_ended(lane)) != NULL) {
        lane->n_tasks--;
        task->done(task->ctx);
    }
}

enum wh_rc api_lane_new(struct wh_loop *loop, size_t threads, size_t waiting_max,
                        struct api_lane **ret, struct wh_err *err)
{
    struct api_lane *lane = wh_mem_zalloc(1, sizeof(*lane) + threads * sizeof(lane->threads[0]));

    if (lane == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the threads of the API");
    }
    lane->tasks_max = threads + waiting_max;
    (void)pthread_mutex_init(&lane->lock, NULL);
    (void)pthread_cond_init(&lane->changed, NULL);
    lane->wake = wh_wake_new(loop, finish_ended, lane);
    while (lane->wake && lane->n_threads < threads &&
           pthread_create(&lane->threads[lane->n_threads], NULL, serve, lane) == 0) {
        lane->n_threads++;
    }
    if (lane->n_threads < threads) {
        api_lane_free(lane);
        return wh_fail(err, WH_E_NOMEM, "the threads of the API cannot be started");
    }
    *ret = lane;
    return WH_OK;
}

enum wh_rc api_lane_submit(struct api_lane *lane, struct api_task *task, struct wh_err *err)
{
    if (lane->n_tasks >= lane->tasks_max) {
        return wh_fail(err, WH_E_BUSY, "too many requests are waiting; ask again in a second");
    }
    lane->n_tasks++;
    (void)pthread_mutex_lock(&lane->lock);
    push(&lane->waiting, task);
    (void)pthread_cond_signal(&lane->changed);
    (void)pthread_mutex_unlock(&lane->lock);
    return WH_OK;
}

struct api_task *api_lane_take_back(struct api_lane *lane)
{
    struct api_task *task;

    (void)pthread_mutex_lock(&lane->lock);
    task = pop(&lane->waiting);
    (void)pthread_mutex_unlock(&lane->lock);
    lane->n_tasks -= task != NULL;
    return task;
}

void api_lane_free(struct api_lane *lane)
{
    if (lane == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&lane->lock);
    lane->ending = true;
    (void)pthread_cond_broadcast(&lane->changed);
    (void)pthread_mutex_unlock(&lane->lock);
    for (size_t i = 0; i < lane->n_threads; i++) {
        (void)pthread_join(lane->threads[i], NULL);
    }
    finish_ended(lane);
    wh_wake_free(lane->wake);
    (void)pthread_cond_destroy(&lane->changed);
    (void)pthread_mutex_destroy(&lane->lock);
    wh_mem_free(lane);
}
