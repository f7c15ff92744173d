#include "stages/sink/people/book_priv.h"

#include <pthread.h>

#include "common/base/mem.h"

enum { ARENA_BLOCK_BYTES = 256 << 10, SCRATCH_MAX_BYTES = 512 << 20 };

struct people_cache {
    pthread_mutex_t lock; /* newest, and the making of a book, so that it is made once */
    struct people_bound *newest;
};

/* ---- a book ---- */

static struct people_bound *bound(const struct people_book *book)
{
    return (struct people_bound *)(uintptr_t)book;
}

void people_book_free(const struct people_book *book)
{
    struct people_bound *b = bound(book);

    if (b && atomic_fetch_sub(&b->users, 1) == 1) {
        struct wh_mem_budget *budget = wh_mem_budget_suspend();

        wh_arena_done(&b->arena);
        wh_mem_free(b->slots);
        wh_mem_free(b);
        wh_mem_budget_resume(budget);
    }
}

/* Ids are hashes already. */
static size_t hash_of(const struct wh_entity_id *id)
{
    uint64_t h;

    memcpy(&h, id->bytes + sizeof(id->bytes) - sizeof(h), sizeof(h));
    return (size_t)h;
}

static enum wh_rc index_ids(struct people_bound *b, struct wh_err *err)
{
    size_t n = b->book.people.n_nodes;
    size_t slots = 16;

    while (slots < 2 * n) {
        slots *= 2;
    }
    b->slots = wh_mem_zalloc(slots, sizeof(*b->slots));
    if (b->slots == NULL || n >= UINT32_MAX) {
        return wh_fail(err, WH_E_NOMEM, "no memory for %zu people", n);
    }
    b->slot_mask = slots - 1;
    for (size_t i = 0; i < n; i++) {
        size_t at = hash_of(people_node_id(&b->book.in, i)) & b->slot_mask;

        while (b->slots[at]) {
            at = (at + 1) & b->slot_mask;
        }
        b->slots[at] = (uint32_t)i + 1;
    }
    return WH_OK;
}

static enum wh_rc resolve(struct people_bound *b, struct wh_err *err)
{
    struct wh_arena scratch;
    enum wh_rc rc;

    wh_arena_init(&scratch, ARENA_BLOCK_BYTES, SCRATCH_MAX_BYTES);
    rc = people_resolve(&b->book.in, &b->arena, &scratch, &b->book.people, err);
    wh_arena_done(&scratch);
    return rc;
}

static enum wh_rc make(const struct people_book_conf *conf, uint64_t version,
                       struct people_bound **ret, struct wh_err *err)
{
    struct people_bound *b = wh_mem_zalloc(1, sizeof(*b));

    if (b == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for people");
    }
    atomic_init(&b->users, 1);
    b->version = version;
    wh_arena_init(&b->arena, ARENA_BLOCK_BYTES, PEOPLE_BOOK_MAX_BYTES);
    if (people_load(b, conf, err) != WH_OK || resolve(b, err) != WH_OK ||
        index_ids(b, err) != WH_OK) {
        people_book_free(&b->book);
        return err->rc;
    }
    *ret = b;
    return WH_OK;
}

/* ---- looking up ---- */

size_t people_book_find(const struct people_book *book, const struct wh_entity_id *id)
{
    const struct people_bound *b = bound(book);

    for (size_t at = hash_of(id) & b->slot_mask; b->slots[at]; at = (at + 1) & b->slot_mask) {
        size_t node = b->slots[at] - 1;

        if (memcmp(people_node_id(&book->in, node)->bytes, id->bytes, sizeof(id->bytes)) == 0) {
            return node;
        }
    }
    return PEOPLE_NONE;
}

const struct people_member *people_book_member(const struct people_book *book,
                                               const struct wh_entity_id *id)
{
    size_t node = people_book_find(book, id);

    return node == PEOPLE_NONE ? NULL : &book->people.members[book->people.nodes[node].member];
}

struct wh_slice people_book_name(const struct people_book *book, const struct people_member *m)
{
    for (size_t i = 0; i < m->n_rows; i++) {
        const struct people_said *s =
            &book->said[book->people.order[m->first + i] - book->in.n_accounts];

        if (s->name.len) {
            return s->name;
        }
    }
    if (m->face == PEOPLE_NONE) {
        return wh_slice("", 0);
    }
    return book->shown[m->face].name.len ? book->shown[m->face].name
                                         : book->shown[m->face].username;
}

/* ---- the cache ---- */

enum wh_rc people_cache_new(struct people_cache **ret, struct wh_err *err)
{
    struct people_cache *cache = wh_mem_zalloc(1, sizeof(*cache));

    if (cache == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for people");
    }
    (void)pthread_mutex_init(&cache->lock, NULL);
    *ret = cache;
    return WH_OK;
}

void people_cache_free(struct people_cache *cache)
{
    if (cache) {
        people_book_free(cache->newest ? &cache->newest->book : NULL);
        (void)pthread_mutex_destroy(&cache->lock);
        wh_mem_free(cache);
    }
}

/* How often what people are made of has changed. */
static enum wh_rc version_of(const struct people_book_conf *conf, uint64_t *ret, struct wh_err *err)
{
    struct wh_buf value;
    bool found = false;
    enum wh_rc rc;

    wh_buf_init(&value, 64);
    rc = wh_store_get(conf->store, conf->snap, SINK_META, WH_LIT("p"), &value, &found, err);
    *ret = rc == WH_OK && found && value.len == 8 ? wh_be_get64(value.ptr) : 0;
    wh_buf_done(&value);
    return rc;
}

/* The lock is held. */
static enum wh_rc newest(struct people_cache *cache, const struct people_book_conf *conf,
                         struct people_bound **ret, struct wh_err *err)
{
    uint64_t version;

    if (version_of(conf, &version, err) != WH_OK) {
        return err->rc;
    }
    if (cache->newest && cache->newest->version == version) {
        *ret = cache->newest;
        atomic_fetch_add(&(*ret)->users, 1);
        return WH_OK;
    }
    if (make(conf, version, ret, err) != WH_OK) {
        return err->rc;
    }
    if (cache->newest == NULL || cache->newest->version < version) {
        people_book_free(cache->newest ? &cache->newest->book : NULL);
        cache->newest = *ret;
        atomic_fetch_add(&(*ret)->users, 1);
    }
    return WH_OK;
}

enum wh_rc people_book_get(struct people_cache *cache, const struct people_book_conf *conf,
                           const struct people_book **ret, struct wh_err *err)
{
    struct wh_mem_budget *budget = wh_mem_budget_suspend();
    struct people_bound *b = NULL;
    enum wh_rc rc;

    if (cache) {
        (void)pthread_mutex_lock(&cache->lock);
        rc = newest(cache, conf, &b, err);
        (void)pthread_mutex_unlock(&cache->lock);
    } else {
        rc = make(conf, 0, &b, err);
    }
    wh_mem_budget_resume(budget);
    if (rc == WH_OK) {
        *ret = &b->book;
    }
    return rc;
}
