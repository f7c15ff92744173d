/*
 * C11 threads over POSIX threads, for programs under TSan alone. Debian's librdkafka uses those of
 * glibc, which TSan does not see: every program with it dies at its start. A program that exports
 * these (-rdynamic) makes the library use them instead. Needs glibc: its types are the same inside.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>

struct start {
    thrd_start_t fn;
    void *arg;
};

static pthread_mutex_t *mutex_of(mtx_t *m)
{
    return (pthread_mutex_t *)(void *)m;
}

static pthread_cond_t *cond_of(cnd_t *c)
{
    return (pthread_cond_t *)(void *)c;
}

static int code_of(int error)
{
    switch (error) {
    case 0:
        return thrd_success;
    case ENOMEM:
        return thrd_nomem;
    case ETIMEDOUT:
        return thrd_timedout;
    case EBUSY:
        return thrd_busy;
    default:
        return thrd_error;
    }
}

static void *run(void *arg)
{
    struct start s = *(struct start *)arg;

    free(arg);
    return (void *)(intptr_t)s.fn(s.arg);
}

int thrd_create(thrd_t *ret, thrd_start_t fn, void *arg)
{
    struct start *s = malloc(sizeof(*s));
    int error;

    if (s == NULL) {
        return thrd_nomem;
    }
    *s = (struct start){fn, arg};
    error = pthread_create(ret, NULL, run, s);
    if (error) {
        free(s);
    }
    return code_of(error);
}

int thrd_join(thrd_t thread, int *ret)
{
    void *value = NULL;
    int error = pthread_join(thread, &value);

    if (ret) {
        *ret = (int)(intptr_t)value;
    }
    return code_of(error);
}

int thrd_detach(thrd_t thread)
{
    return code_of(pthread_detach(thread));
}

thrd_t thrd_current(void)
{
    return pthread_self();
}

int thrd_equal(thrd_t a, thrd_t b)
{
    return pthread_equal(a, b);
}

void thrd_exit(int value)
{
    pthread_exit((void *)(intptr_t)value);
}

int mtx_init(mtx_t *m, int type)
{
    pthread_mutexattr_t attr;
    int error;

    (void)pthread_mutexattr_init(&attr);
    (void)pthread_mutexattr_settype(&attr, type & mtx_recursive ? PTHREAD_MUTEX_RECURSIVE
                                                                : PTHREAD_MUTEX_NORMAL);
    error = pthread_mutex_init(mutex_of(m), &attr);
    (void)pthread_mutexattr_destroy(&attr);
    return code_of(error);
}

int mtx_lock(mtx_t *m)
{
    return code_of(pthread_mutex_lock(mutex_of(m)));
}

int mtx_trylock(mtx_t *m)
{
    return code_of(pthread_mutex_trylock(mutex_of(m)));
}

int mtx_timedlock(mtx_t *m, const struct timespec *until)
{
    return code_of(pthread_mutex_timedlock(mutex_of(m), until));
}

int mtx_unlock(mtx_t *m)
{
    return code_of(pthread_mutex_unlock(mutex_of(m)));
}

void mtx_destroy(mtx_t *m)
{
    (void)pthread_mutex_destroy(mutex_of(m));
}

int cnd_init(cnd_t *c)
{
    return code_of(pthread_cond_init(cond_of(c), NULL));
}

int cnd_signal(cnd_t *c)
{
    return code_of(pthread_cond_signal(cond_of(c)));
}

int cnd_broadcast(cnd_t *c)
{
    return code_of(pthread_cond_broadcast(cond_of(c)));
}

int cnd_wait(cnd_t *c, mtx_t *m)
{
    return code_of(pthread_cond_wait(cond_of(c), mutex_of(m)));
}

int cnd_timedwait(cnd_t *c, mtx_t *m, const struct timespec *until)
{
    return code_of(pthread_cond_timedwait(cond_of(c), mutex_of(m), until));
}

void cnd_destroy(cnd_t *c)
{
    (void)pthread_cond_destroy(cond_of(c));
}
