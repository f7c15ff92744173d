/* The log of changes: reading, waiting, places in it. */
#include "stages/sink/changes/changes_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/be.h"
#include "common/base/mem.h"
#include "common/base/num.h"
#include "stages/sink/store/keyspace.h"

enum {
    CHANGE_VALUE_BYTES = SINK_ENTITY_KEY + 8 + 8 + 1 + 8,
    LOOK_MS = 200, /* a wait looks this often whether it is still wanted */
    STATEMENTS = 3,
    NS_PER_MS = 1000000,
    NS_PER_S = 1000000000,
};

/* ---- birth and death ---- */

static enum wh_rc read_meta(struct wh_store *store, const char *key, uint64_t *ret,
                            struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf value;
    bool found;

    wh_buf_init(&value, 64);
    if (wh_store_get(store, NULL, SINK_META, wh_slice_str(key), &value, &found, err) != WH_OK) {
        return err->rc;
    }
    *ret = found && value.len >= 8 ? wh_be_get64(value.ptr) : 0;
    return WH_OK;
}

enum wh_rc changes_stored(struct changes *c, uint64_t *ret, struct wh_err *err)
{
    return read_meta(c->conf.store, "n", ret, err);
}

static enum wh_rc read_log(struct changes *c, struct wh_err *err)
{
    uint64_t last = 0;

    if (changes_stored(c, &last, err) != WH_OK) {
        return err->rc;
    }
    atomic_store(&c->last, last);
    return WH_OK;
}

enum wh_rc changes_new(const struct changes_conf *conf, struct changes **ret, struct wh_err *err)
{
    struct changes *c = wh_mem_zalloc(1, sizeof(*c));
    const struct sql_engine_conf sql = {.store = conf->store,
                                        .clock = conf->clock,
                                        .connections = STATEMENTS,
                                        .folder = conf->folder,
                                        .zone = conf->zone};
    pthread_condattr_t attr;

    if (c == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the log of changes");
    }
    c->conf = *conf;
    (void)pthread_mutex_init(&c->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&c->more, &attr);
    (void)pthread_condattr_destroy(&attr);
    if (read_log(c, err) != WH_OK || sql_engine_new(&sql, &c->engine, err) != WH_OK) {
        changes_free(c);
        return err->rc;
    }
    *ret = c;
    return WH_OK;
}

void changes_stop(struct changes *c)
{
    atomic_store(&c->stopped, true);
    sql_engine_stop(c->engine);
    (void)pthread_mutex_lock(&c->lock);
    (void)pthread_cond_broadcast(&c->more);
    (void)pthread_mutex_unlock(&c->lock);
}

void changes_free(struct changes *c)
{
    if (c == NULL) {
        return;
    }
    sql_engine_free(c->engine);
    (void)pthread_cond_destroy(&c->more);
    (void)pthread_mutex_destroy(&c->lock);
    wh_mem_free(c);
}

/* ---- places ---- */

const char *changes_place_format(struct changes_place place, char text[CHANGES_PLACE_TEXT])
{
    (void)snprintf(text, CHANGES_PLACE_TEXT, "%" PRIx64 "-%" PRIu64, (uint64_t)place.store,
                   place.sequence);
    return text;
}

static bool parse_store(struct wh_slice text, int64_t *ret)
{
    uint64_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 16;

        if (digit == 16 || n >> 58) {
            return false;
        }
        n = n << 4 | digit;
    }
    *ret = (int64_t)n;
    return text.len > 0;
}

enum wh_rc changes_place_parse(struct wh_slice text, struct changes_place *ret, struct wh_err *err)
{
    const char *dash = text.len ? memchr(text.ptr, '-', text.len) : NULL;
    struct wh_slice number = dash ? wh_slice_from(text, (size_t)(dash - text.ptr) + 1) : text;
    struct wh_err ignored;
    int64_t n = -1;

    *ret = (struct changes_place){0};
    if (wh_num_i64(number, &n, &ignored) != WH_OK || n < 0 ||
        (dash && !parse_store(wh_slice(text.ptr, (size_t)(dash - text.ptr)), &ret->store))) {
        return wh_fail(err, WH_E_INVALID,
                       "a place in the log of changes is a sequence, as in 42, or the id of an "
                       "event, as in 18f3a0c2b11-42");
    }
    ret->sequence = (uint64_t)n;
    return WH_OK;
}

/* The writer of a new store sets it, maybe after changes_new. */
int64_t changes_store(struct changes *c)
{
    uint64_t begun = atomic_load(&c->begun_ms);
    struct wh_err err;

    if (begun == 0 && read_meta(c->conf.store, "b", &begun, &err) == WH_OK) {
        atomic_store(&c->begun_ms, begun);
    }
    return (int64_t)begun;
}

uint64_t changes_last(const struct changes *c)
{
    return atomic_load(&c->last);
}

/* ---- waiting ---- */

void changes_notify(struct changes *c, uint64_t sequence)
{
    if (atomic_exchange(&c->last, sequence) == sequence) {
        return;
    }
    (void)pthread_mutex_lock(&c->lock);
    (void)pthread_cond_broadcast(&c->more);
    (void)pthread_mutex_unlock(&c->lock);
}

static int64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * (int64_t)NS_PER_S + t.tv_nsec;
}

static void sleep_until(struct changes *c, int64_t until_ns)
{
    int64_t look_ns = now_ns() + (int64_t)LOOK_MS * NS_PER_MS;
    int64_t at_ns = look_ns < until_ns ? look_ns : until_ns;
    const struct timespec at = {.tv_sec = at_ns / NS_PER_S, .tv_nsec = at_ns % NS_PER_S};

    (void)pthread_cond_timedwait(&c->more, &c->lock, &at);
}

bool changes_await(struct changes *c, uint64_t after, int64_t timeout_ms,
                   const atomic_bool *canceled)
{
    int64_t until_ns = now_ns() + timeout_ms * NS_PER_MS;

    (void)pthread_mutex_lock(&c->lock);
    while (changes_last(c) <= after && !atomic_load(&c->stopped) &&
           !(canceled && atomic_load(canceled)) && now_ns() < until_ns) {
        sleep_until(c, until_ns);
    }
    (void)pthread_mutex_unlock(&c->lock);
    return changes_last(c) > after;
}

/* ---- reading ---- */

static enum wh_rc decode(struct wh_slice key, struct wh_slice value, struct change *ret,
                         struct wh_err *err)
{
    const char *v = value.ptr;

    if (key.len != 8 || value.len != CHANGE_VALUE_BYTES) {
        return wh_fail(err, WH_E_CORRUPT, "a change of %zu bytes", value.len);
    }
    *ret = (struct change){
        .sequence = wh_be_get64(key.ptr),
        .kind = (enum wh_kind)(unsigned char)v[0],
        .version = {wh_be_get64(v + SINK_ENTITY_KEY), wh_be_get64(v + SINK_ENTITY_KEY + 8)},
        .late = v[SINK_ENTITY_KEY + 16] == WH_HISTORY_LATE,
        .stored_ms = (int64_t)wh_be_get64(v + SINK_ENTITY_KEY + 17)};
    memcpy(ret->id.bytes, v + 1, sizeof(ret->id.bytes));
    return WH_OK;
}

static int by_entity(const void *a, const void *b)
{
    const struct change *x = *(const struct change *const *)a;
    const struct change *y = *(const struct change *const *)b;
    int order = memcmp(x->id.bytes, y->id.bytes, sizeof(x->id.bytes));

    if (order == 0) {
        order = (x->kind > y->kind) - (x->kind < y->kind);
    }
    return order ? order : (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

static bool same_entity(const struct change *a, const struct change *b)
{
    return a->kind == b->kind && memcmp(a->id.bytes, b->id.bytes, sizeof(a->id.bytes)) == 0;
}

static enum wh_rc mark_superseded(struct change *list, size_t n, struct wh_err *err)
{
    WH_AUTO_FREE struct change **order = wh_mem_alloc(n * sizeof(struct change *));

    if (order == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory to order changes");
    }
    for (size_t i = 0; i < n; i++) {
        order[i] = &list[i];
    }
    qsort(order, n, sizeof(struct change *), by_entity);
    for (size_t i = 1; i < n; i++) {
        order[i - 1]->superseded =
            same_entity(order[i - 1], order[i]) && order[i - 1]->stored_ms == order[i]->stored_ms;
    }
    return WH_OK;
}

/* What was stored together is judged together, so a part at the end waits for the next call. */
static size_t without_part(const struct change *list, size_t n)
{
    size_t whole = n;

    while (whole > 0 && list[whole - 1].stored_ms == list[n - 1].stored_ms) {
        whole--;
    }
    return whole ? whole : n;
}

static enum wh_rc read_some(struct wh_iter *it, struct change *out, size_t max, size_t *ret_n,
                            bool *ret_more, struct wh_err *err)
{
    struct wh_slice key;
    struct wh_slice value;

    *ret_n = 0;
    while (*ret_n < max && wh_iter_valid(it, &key, &value)) {
        if (decode(key, value, &out[*ret_n], err) != WH_OK) {
            return err->rc;
        }
        (*ret_n)++;
        wh_iter_step(it, false);
    }
    *ret_more = wh_iter_valid(it, &key, &value);
    return wh_iter_error(it, err);
}

enum wh_rc changes_read(struct changes *c, uint64_t after, struct change *out, size_t max,
                        size_t *ret_n, struct wh_err *err)
{
    unsigned char from[8];
    struct wh_iter *it;
    bool more = false;
    enum wh_rc rc;

    *ret_n = 0;
    wh_be_put64(from, after + 1);
    if (wh_iter_new(c->conf.store, NULL, SINK_CHANGES, wh_slice(from, sizeof(from)), WH_LIT(""),
                    &it, err) != WH_OK) {
        return err->rc;
    }
    wh_iter_seek(it, wh_slice(from, sizeof(from)), false);
    rc = read_some(it, out, max, ret_n, &more, err);
    wh_iter_free(it);
    if (rc == WH_OK && more && *ret_n) {
        *ret_n = without_part(out, *ret_n);
    }
    return rc == WH_OK && *ret_n ? mark_superseded(out, *ret_n, err) : rc;
}

/* Changes are stored in the order of time, but for those of a rebuild. */
enum wh_rc changes_since(struct changes *c, int64_t stored_ms, uint64_t *ret_sequence,
                         struct wh_err *err)
{
    uint64_t low = 0;
    uint64_t high = changes_last(c);

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        struct change change;
        size_t n;

        if (changes_read(c, middle, &change, 1, &n, err) != WH_OK) {
            return err->rc;
        }
        if (n == 0 || change.stored_ms >= stored_ms) {
            high = middle;
        } else {
            low = change.sequence < high ? change.sequence : high;
        }
    }
    *ret_sequence = low + 1;
    return WH_OK;
}

int64_t change_at_ms(const struct change *change)
{
    return wh_version_is_aside(change->version) ? change->stored_ms
                                                : wh_version_at_ms(change->version.order);
}
