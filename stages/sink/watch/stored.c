/* How many rows of each kind and GitLab are stored: a part of the store is counted in every look, and the counts are
 * told when the last part is done. A store of a million rows takes some minutes, and no look takes long. */
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/event/history.h"
#include "stages/sink/store/keyspace.h"
#include "stages/sink/watch/watch_priv.h"

enum { COUNTS_MAX = 256, INSTANCE_MAX = 256, KIND_MAX = 32 };

struct stored_count {
    char instance[INSTANCE_MAX];
    char kind[KIND_MAX];
    int64_t rows;
};

struct watch_stored {
    struct stored_count counting[COUNTS_MAX]; /* the pool's thread */
    size_t n_counting;
    struct stored_count told[COUNTS_MAX]; /* the watch's lock */
    size_t n_told;
    int64_t told_ms;                     /* 0: nothing yet */
    unsigned char next[SINK_ENTITY_KEY]; /* the key that is counted next */
    size_t next_len;
};

struct watch_stored *watch_stored_new(void)
{
    return wh_mem_zalloc(1, sizeof(struct watch_stored));
}

void watch_stored_free(struct watch_stored *s)
{
    wh_mem_free(s);
}

static struct stored_count *find(struct stored_count *list, size_t n, struct wh_slice instance,
                                 struct wh_slice kind)
{
    for (size_t i = 0; i < n; i++) {
        if (wh_slice_eq(kind, wh_slice_str(list[i].kind)) &&
            wh_slice_eq(instance, wh_slice_str(list[i].instance))) {
            return &list[i];
        }
    }
    return NULL;
}

/* One that is only mentioned in others is no row that was read. */
static void count(struct watch_stored *s, struct wh_slice head)
{
    struct stored_count *at;
    struct wh_head_view view;
    struct wh_err ignored;

    if (wh_head_view(head, &view, &ignored) != WH_OK || view.deleted || view.first_seen_ms == 0) {
        return;
    }
    at = find(s->counting, s->n_counting, view.source.instance, view.source.kind);
    if (at == NULL && s->n_counting < COUNTS_MAX && view.source.instance.len < INSTANCE_MAX &&
        view.source.kind.len < KIND_MAX) {
        at = &s->counting[s->n_counting++];
        (void)snprintf(at->instance, sizeof(at->instance), "%.*s",
                       WH_SLICE_ARG(view.source.instance));
        (void)snprintf(at->kind, sizeof(at->kind), "%.*s", WH_SLICE_ARG(view.source.kind));
        at->rows = 0;
    }
    if (at) {
        at->rows++;
    }
}

static void tell(struct sink_watch *w)
{
    struct watch_stored *s = w->stored;

    pthread_mutex_lock(&w->lock);
    memcpy(s->told, s->counting, s->n_counting * sizeof(s->told[0]));
    s->n_told = s->n_counting;
    s->told_ms = w->evidence.now_ms;
    pthread_mutex_unlock(&w->lock);
    s->n_counting = 0;
    s->next_len = 0;
}

enum wh_rc watch_stored_count(struct sink_watch *w, struct wh_err *err)
{
    struct watch_stored *s = w->stored;
    struct wh_slice from = wh_slice((const char *)s->next, s->next_len);
    struct wh_slice value;
    struct wh_slice key;
    struct wh_iter *it;
    enum wh_rc rc;
    int n = 0;

    if (wh_iter_new(w->deps.store, NULL, SINK_ENTITIES, from, wh_slice("", 0), &it, err) != WH_OK) {
        return err->rc;
    }
    for (wh_iter_seek(it, from, false); n < w->deps.stored_rows && wh_iter_valid(it, NULL, &value);
         wh_iter_step(it, false), n++) {
        count(s, value);
    }
    if (wh_iter_valid(it, &key, NULL) && key.len == sizeof(s->next)) {
        memcpy(s->next, key.ptr, key.len);
        s->next_len = key.len;
    } else {
        tell(w);
    }
    rc = wh_iter_error(it, err);
    wh_iter_free(it);
    return rc;
}

int64_t sink_watch_stored(struct sink_watch *w, struct wh_slice instance, struct wh_slice kind,
                          int64_t *ret_at_ms)
{
    struct watch_stored *s = w->stored;
    const struct stored_count *at;
    int64_t rows;

    pthread_mutex_lock(&w->lock);
    at = find(s->told, s->n_told, instance, kind);
    rows = s->told_ms == 0 ? -1 : at ? at->rows : 0;
    *ret_at_ms = s->told_ms;
    pthread_mutex_unlock(&w->lock);
    return rows;
}
