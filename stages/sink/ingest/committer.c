#include "stages/sink/ingest/committer.h"

#include <assert.h>
#include <pthread.h>

#include "common/base/mem.h"
#include "common/base/time.h"

enum state { FREE, GIVEN, WRITTEN, ENDING };

struct sink_committer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum state state;
    struct sink_apply *batch;
    bool sync;
    enum wh_rc rc;
    struct wh_err err;
    int64_t took_ns;
};

static void set_state(struct sink_committer *c, enum state state)
{
    c->state = state;
    (void)pthread_cond_signal(&c->changed);
}

/* Called with the lock held; the lock is released during the write. */
static void write_batch(struct sink_committer *c)
{
    const struct wh_clock clock = wh_clock_real();
    int64_t start_ns = wh_clock_mono_ns(&clock);
    struct wh_err err = {0};
    enum wh_rc rc;

    (void)pthread_mutex_unlock(&c->lock);
    rc = sink_apply_write(c->batch, c->sync, &err);
    (void)pthread_mutex_lock(&c->lock);
    c->rc = rc;
    c->err = err;
    c->took_ns = wh_clock_mono_ns(&clock) - start_ns;
    set_state(c, WRITTEN);
}

static void *committer_main(void *arg)
{
    struct sink_committer *c = arg;

    (void)pthread_mutex_lock(&c->lock);
    while (c->state != ENDING) {
        if (c->state == GIVEN) {
            write_batch(c);
        } else {
            (void)pthread_cond_wait(&c->changed, &c->lock);
        }
    }
    (void)pthread_mutex_unlock(&c->lock);
    return NULL;
}

enum wh_rc sink_committer_new(struct sink_committer **ret, struct wh_err *err)
{
    struct sink_committer *c = wh_mem_zalloc(1, sizeof(*c));

    if (c == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the committer");
    }
    (void)pthread_mutex_init(&c->lock, NULL);
    (void)pthread_cond_init(&c->changed, NULL);
    if (pthread_create(&c->thread, NULL, committer_main, c) != 0) {
        (void)pthread_cond_destroy(&c->changed);
        (void)pthread_mutex_destroy(&c->lock);
        wh_mem_free(c);
        return wh_fail(err, WH_E_NOMEM, "no thread for the committer");
    }
    *ret = c;
    return WH_OK;
}

/* Called with the lock held. */
static void await_written(struct sink_committer *c)
{
    while (c->state == GIVEN) {
        (void)pthread_cond_wait(&c->changed, &c->lock);
    }
}

void sink_committer_free(struct sink_committer *c)
{
    if (c == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&c->lock);
    await_written(c);
    set_state(c, ENDING);
    (void)pthread_mutex_unlock(&c->lock);
    (void)pthread_join(c->thread, NULL);
    (void)pthread_cond_destroy(&c->changed);
    (void)pthread_mutex_destroy(&c->lock);
    wh_mem_free(c);
}

void sink_committer_give(struct sink_committer *c, struct sink_apply *batch, bool sync)
{
    (void)pthread_mutex_lock(&c->lock);
    assert(c->state == FREE);
    c->batch = batch;
    c->sync = sync;
    set_state(c, GIVEN);
    (void)pthread_mutex_unlock(&c->lock);
}

enum wh_rc sink_committer_await(struct sink_committer *c, int64_t *ret_took_ns, struct wh_err *err)
{
    enum wh_rc rc;

    (void)pthread_mutex_lock(&c->lock);
    assert(c->state == GIVEN || c->state == WRITTEN);
    await_written(c);
    rc = c->rc;
    *ret_took_ns = c->took_ns;
    if (rc != WH_OK) {
        *err = c->err;
    }
    set_state(c, FREE);
    (void)pthread_mutex_unlock(&c->lock);
    return rc;
}
