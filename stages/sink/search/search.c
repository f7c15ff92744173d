#include "stages/sink/search/search.h"

#include <sys/stat.h>
#include <time.h>

#include "common/base/mem.h"
#include "stages/sink/search/search_priv.h"
#include "stages/sink/sql/sql.h"

static enum wh_rc make_gauges(struct search *s, struct wh_err *err)
{
    static const struct {
        const char *name;
        const char *help;
    } gauges[SEARCH_GAUGES] = {
        [SEARCH_LAG] = {"wellhead_search_lag_seconds",
                        "Age of the oldest change that the search index does not have"},
        [SEARCH_BEHIND] = {"wellhead_search_lag_changes",
                           "Changes of the store that the search index does not have"},
        [SEARCH_RECORDS] = {"wellhead_search_rows",
                            "Rows of the search index, former texts included"},
        [SEARCH_BYTES] = {"wellhead_search_bytes", "Size of the search index"}};

    for (size_t i = 0; s->conf.metrics && i < SEARCH_GAUGES; i++) {
        s->gauges[i] = wh_metrics_gauge(s->conf.metrics, gauges[i].name, NULL, gauges[i].help);
        if (s->gauges[i] == NULL) {
            return wh_fail(err, WH_E_NOMEM, "no memory for metrics");
        }
    }
    return WH_OK;
}

void search_collect(struct search *s)
{
    struct search_status status;

    if (s == NULL || s->conf.metrics == NULL) {
        return;
    }
    search_status_get(s, &status);
    wh_gauge_set(s->gauges[SEARCH_LAG], (double)status.lag_ms / 1000);
    wh_gauge_set(s->gauges[SEARCH_BEHIND], (double)status.behind);
    wh_gauge_set(s->gauges[SEARCH_RECORDS], (double)status.records);
    wh_gauge_set(s->gauges[SEARCH_BYTES], (double)status.bytes);
}

enum wh_rc search_new(const struct search_conf *conf, struct search **ret, struct wh_err *err)
{
    struct search *s = wh_mem_zalloc(1, sizeof(*s));

    if (s == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the search index");
    }
    s->conf = *conf;
    if (sql_memory_install(err) != WH_OK || make_gauges(s, err) != WH_OK) {
        wh_mem_free(s);
        return err->rc;
    }
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

/* When the oldest change behind the position was stored; 0: there is none. */
static int64_t oldest_left(const struct search *s, uint64_t sequence)
{
    unsigned char first[8];
    struct wh_iter *it = NULL;
    struct wh_slice key;
    struct wh_slice value;
    struct wh_err ignored;
    int64_t stored_ms = 0;

    wh_be_put64(first, sequence + 1);
    if (wh_iter_new(s->conf.store, NULL, SINK_CHANGES, wh_slice(first, sizeof(first)),
                    (struct wh_slice){NULL, 0}, &it, &ignored) != WH_OK) {
        return 0;
    }
    wh_iter_seek(it, wh_slice(first, sizeof(first)), false);
    if (wh_iter_valid(it, &key, &value) && value.len >= SEARCH_CHANGE_BYTES) {
        stored_ms = (int64_t)wh_be_get64(value.ptr + SEARCH_CHANGE_BYTES - 8);
    }
    wh_iter_free(it);
    return stored_ms;
}

/* How far the store is ahead. */
static void measure(const struct search *s, struct search_status *st)
{
    WH_AUTO(buf) struct wh_buf last;
    struct wh_err ignored;
    bool found = false;
    int64_t stored_ms;

    wh_buf_init(&last, SEARCH_CHANGE_BYTES);
    if (wh_store_get(s->conf.store, NULL, SINK_META, WH_LIT("n"), &last, &found, &ignored) !=
            WH_OK ||
        !found || last.len != 8 || wh_be_get64(last.ptr) <= st->sequence) {
        return;
    }
    st->behind = wh_be_get64(last.ptr) - st->sequence;
    stored_ms = oldest_left(s, st->sequence);
    if (stored_ms > 0) {
        st->lag_ms = wh_clock_now_ms(&s->conf.clock) - stored_ms;
        st->lag_ms = st->lag_ms > 0 ? st->lag_ms : 0;
    }
}

void search_status_get(struct search *s, struct search_status *ret)
{
    struct stat info;

    (void)pthread_mutex_lock(&s->lock);
    *ret = s->status;
    ret->bytes = s->file && stat(s->file->path, &info) == 0 ? (int64_t)info.st_size : 0;
    (void)pthread_mutex_unlock(&s->lock);
    measure(s, ret);
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
