/*
 * Reads of entities in the loop's thread: what is in memory costs less than handing a request over to
 * another thread. What would have to wait for the disk, or is long, goes to the lane.
 *
 * One snapshot with its iterators serves all reads until the store is written again; making them costs
 * as much as a read. They keep old data from being dropped, so they are released when nobody reads.
 * What was written last is kept, and sent again as long as nothing was written about the entity.
 */
#include "common/base/mem.h"
#include "stages/sink/api/answers.h"
#include "stages/sink/api/api_priv.h"

enum {
    IDLE_MS = 1000,
    BYTES_MAX = 64 << 10,
    KEYS_MAX = 256,
    ANSWER_MAX_BYTES = 1 << 20,
    ARENA_BLOCK_BYTES = 16 << 10,
    ARENA_MAX_BYTES = 1 << 20,
};

struct api_at_once {
    struct wh_timer *idle;
    struct api_entity_source from;
    struct wh_snapshot *snap; /* NULL: none is held */
    uint64_t sequence;        /* of the store when the snapshot was taken */
    bool used;                /* since the timer last fired */
    struct wh_arena arena;
    struct wh_buf out;
    struct api_answers *answers;
};

static void release(struct api_at_once *at)
{
    for (size_t i = 0; i < API_ENTITY_ITERS; i++) {
        wh_iter_free(at->from.iters[i]);
        at->from.iters[i] = NULL;
    }
    wh_store_snapshot_free(at->from.store, at->snap);
    at->snap = NULL;
    at->from.snap = NULL;
}

static void on_idle(void *ctx)
{
    struct api_at_once *at = ctx;

    if (!at->used) {
        release(at);
        wh_timer_stop(at->idle);
    }
    at->used = false;
}

struct api_at_once *api_at_once_new(struct wh_loop *loop, struct wh_store *store,
                                    size_t answers_bytes)
{
    struct api_at_once *at = wh_mem_zalloc(1, sizeof(*at));

    if (at == NULL) {
        return NULL;
    }
    at->from = (struct api_entity_source){
        .store = store, .when = SINK_NOW, .max_bytes = BYTES_MAX, .max_keys = KEYS_MAX};
    wh_arena_init(&at->arena, ARENA_BLOCK_BYTES, ARENA_MAX_BYTES);
    wh_buf_init(&at->out, ANSWER_MAX_BYTES);
    at->answers = api_answers_new(answers_bytes);
    at->idle = wh_timer_new(loop, on_idle, at);
    if (at->answers == NULL || at->idle == NULL) {
        api_at_once_free(at);
        return NULL;
    }
    return at;
}

void api_at_once_free(struct api_at_once *at)
{
    if (at == NULL) {
        return;
    }
    release(at);
    wh_timer_free(at->idle);
    api_answers_free(at->answers);
    wh_arena_done(&at->arena);
    wh_buf_done(&at->out);
    wh_mem_free(at);
}

static enum wh_rc take(struct api_at_once *at, uint64_t sequence, struct wh_err *err)
{
    const struct wh_slice all = wh_slice("", 0);

    if (wh_store_snapshot_in_memory(at->from.store, &at->snap, err) != WH_OK) {
        return err->rc;
    }
    at->from.snap = at->snap;
    at->sequence = sequence;
    for (size_t i = 0; i < API_ENTITY_ITERS; i++) {
        if (wh_iter_new(at->from.store, at->snap, api_entity_families[i], all, all,
                        &at->from.iters[i], err) != WH_OK) {
            release(at);
            return err->rc;
        }
    }
    wh_timer_start(at->idle, IDLE_MS, IDLE_MS);
    return WH_OK;
}

/* A snapshot without anything that was written since. */
static enum wh_rc refresh(struct api_at_once *at, struct wh_err *err)
{
    /* Before the snapshot: what is written in between only makes the next read take a new one. */
    uint64_t sequence = wh_store_sequence(at->from.store);

    at->used = true;
    if (at->snap && at->sequence == sequence) {
        return WH_OK;
    }
    release(at);
    return take(at, sequence, err);
}

static enum wh_rc read_entity(struct api_at_once *at, const struct wh_entity_id *id,
                              struct wh_slice *ret, struct wh_err *err)
{
    /* Before the snapshot, which then has every write that the stamp stands for. */
    uint64_t stamp = 0;
    bool may_keep = wh_store_stamp(at->from.store, id->bytes, &stamp);

    if (may_keep) {
        *ret = api_answers_get(at->answers, id, stamp);
        if (ret->ptr) {
            return WH_OK;
        }
    }
    wh_arena_reset(&at->arena);
    wh_buf_reset(&at->out);
    if (refresh(at, err) != WH_OK ||
        api_entity_write(&at->from, id, &at->arena, &at->out, err) != WH_OK) {
        return err->rc;
    }
    *ret = wh_buf_slice(&at->out);
    if (may_keep) {
        api_answers_put(at->answers, id, stamp, *ret);
    }
    return WH_OK;
}

enum wh_rc api_at_once_read(struct api_at_once *at, struct wh_slice id, struct wh_slice url,
                            struct wh_slice *ret, struct wh_err *err)
{
    struct wh_entity_id found;

    if (id.ptr ? wh_entity_id_parse(id, &found, err) != WH_OK
               : refresh(at, err) != WH_OK ||
                     api_find_url(at->from.store, at->from.snap, url, &found, err) != WH_OK) {
        return err->rc;
    }
    return read_entity(at, &found, ret, err);
}
