#include "stages/sink/search/search.h"

#include <sys/stat.h>
#include <time.h>

#include "common/base/mem.h"
#include "stages/sink/search/search_priv.h"
#include "stages/sink/sql/sql.h"

enum wh_rc search_new(const struct search_conf *conf, struct search **ret, struct wh_err *err)
{
    struct search *s = wh_mem_zalloc(1, sizeof(*s));

    if (s == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the search index");
    }
    if (sql_memory_install(err) != WH_OK) {
        wh_mem_free(s);
        return err->rc;
    }
    s->conf = *conf;
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->stirred, NULL);
    (void)pthread_cond_init(&s->moved, NULL);
    if (pthread_create(&s->thread, NULL, search_follow_main, s) != 0) {
        (void)pthread_cond_destroy(&s->moved);
        (void)pthread_cond_destroy(&s->stirred);
        (void)pthread_mutex_destroy(&s->lock);
        wh_mem_free(s);
        return wh_fail(err, WH_E_NOMEM, "no thread for the search index");
    }
    *ret = s;
    return WH_OK;
}

void search_free(struct search *s)
{
    if (s == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    s->stop = true;
    (void)pthread_cond_signal(&s->stirred);
    (void)pthread_mutex_unlock(&s->lock);
    (void)pthread_join(s->thread, NULL);
    search_file_drop(s->file);
    (void)pthread_cond_destroy(&s->moved);
    (void)pthread_cond_destroy(&s->stirred);
    (void)pthread_mutex_destroy(&s->lock);
    wh_mem_free(s);
}

struct search_file *search_file_get(struct search *s)
{
    struct search_file *file;

    (void)pthread_mutex_lock(&s->lock);
    file = s->file;
    if (file) {
        search_file_keep(file);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return file;
}

void search_status_get(struct search *s, struct search_status *ret)
{
    struct stat info;

    (void)pthread_mutex_lock(&s->lock);
    *ret = s->status;
    ret->bytes = s->file && stat(s->file->path, &info) == 0 ? (int64_t)info.st_size : 0;
    (void)pthread_mutex_unlock(&s->lock);
}

struct timespec search_deadline(int64_t ms)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += ms % 1000 * 1000000;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return until;
}

static bool has_reached(const struct search *s, uint64_t sequence)
{
    return s->status.ready && !s->status.building && s->status.sequence >= sequence;
}

bool search_await(struct search *s, uint64_t sequence, int64_t timeout_ms)
{
    const struct timespec until = search_deadline(timeout_ms);
    bool reached;
    int rc = 0;

    (void)pthread_mutex_lock(&s->lock);
    while (!has_reached(s, sequence) && rc == 0) {
        rc = pthread_cond_timedwait(&s->moved, &s->lock, &until);
    }
    reached = has_reached(s, sequence);
    (void)pthread_mutex_unlock(&s->lock);
    return reached;
}
