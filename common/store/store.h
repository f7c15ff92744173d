/*
 * store.h - an ordered key-value store with families, atomic batches and snapshots. It has two
 * implementations: RocksDB (store_rocks.c) and, for tests, an in-memory one with injected faults
 * (tests/lib/store_mem.h).
 *
 * Keys compare as bytes. Thread: one writer; any thread reads, each through its own snapshot.
 */
#ifndef WH_STORE_STORE_H
#define WH_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/store/stamps.h"

struct wh_store;
struct wh_batch;
struct wh_snapshot;
struct wh_iter;

struct wh_store_family {
    const char *name;
    bool point_reads;    /* a Bloom filter over whole keys */
    size_t prefix_bytes; /* fixed key prefix of range scans; 0: none */
    bool sorted;         /* batches are in key order, which makes writes faster; no remove_range */
    bool owned;          /* each key names its owner, at owner_at (wh_store_stamp) */
    size_t owner_at;
};

struct wh_store_conf {
    const char *path;
    const struct wh_store_family *families; /* kept; the index is the family's number */
    size_t n_families;
    size_t cache_bytes;
    size_t memtable_bytes; /* each family's write buffer */
    bool read_only;
};

struct wh_store_ops {
    enum wh_rc (*get)(struct wh_store *s, const struct wh_snapshot *snap, unsigned family,
                      struct wh_slice key, struct wh_buf *out, bool *ret_found, struct wh_err *err);
    enum wh_rc (*batch_new)(struct wh_store *s, struct wh_batch **ret, struct wh_err *err);
    enum wh_rc (*put)(struct wh_batch *b, unsigned family, struct wh_slice key,
                      struct wh_slice value, struct wh_err *err);
    enum wh_rc (*remove)(struct wh_batch *b, unsigned family, struct wh_slice key,
                         struct wh_err *err);
    enum wh_rc (*remove_range)(struct wh_batch *b, unsigned family, struct wh_slice from,
                               struct wh_slice to, struct wh_err *err);
    void (*batch_reset)(struct wh_batch *b);
    size_t (*batch_bytes)(const struct wh_batch *b);
    void (*batch_free)(struct wh_batch *b);
    enum wh_rc (*write)(struct wh_store *s, struct wh_batch *b, bool sync, struct wh_err *err);
    enum wh_rc (*snapshot)(struct wh_store *s, bool in_memory, struct wh_snapshot **ret,
                           struct wh_err *err);
    void (*snapshot_free)(struct wh_store *s, struct wh_snapshot *snap);
    enum wh_rc (*iter_new)(struct wh_store *s, const struct wh_snapshot *snap, unsigned family,
                           struct wh_slice lower, struct wh_slice upper, struct wh_iter **ret,
                           struct wh_err *err);
    void (*iter_seek)(struct wh_iter *it, struct wh_slice key, bool backwards);
    void (*iter_step)(struct wh_iter *it, bool backwards);
    bool (*iter_valid)(const struct wh_iter *it, struct wh_slice *ret_key,
                       struct wh_slice *ret_value);
    enum wh_rc (*iter_error)(const struct wh_iter *it, struct wh_err *err);
    void (*iter_free)(struct wh_iter *it);
    enum wh_rc (*checkpoint)(struct wh_store *s, const char *path, struct wh_err *err);
    enum wh_rc (*compact)(struct wh_store *s, unsigned family, struct wh_err *err);
    /* "family.<n>.bytes", "background-errors", "write-stopped": -1 when unknown. */
    int64_t (*property)(struct wh_store *s, const char *name);
    uint64_t (*sequence)(struct wh_store *s);
    void (*free)(struct wh_store *s);
};
struct wh_store {
    const struct wh_store_ops *ops;
    const struct wh_store_family *families; /* of the stamps */
    struct store_stamps *stamps;            /* NULL: no family has owners */
};
struct wh_batch {
    const struct wh_store_ops *ops;
    const struct wh_store *store; /* of the stamps; NULL: none are kept */
    struct store_touched touched;
};
struct wh_iter {
    const struct wh_store_ops *ops;
};

/* Opens or creates the store. WH_E_CORRUPT, WH_E_NO_SPACE, WH_E_IO; WH_E_BUSY: in use by a process. */
WH_MUST_CHECK enum wh_rc wh_store_rocks_open(const struct wh_store_conf *conf,
                                             struct wh_store **ret, struct wh_err *err);

/* Appends the value to out. snap NULL: reads the current state. */
static inline WH_MUST_CHECK enum wh_rc wh_store_get(struct wh_store *s,
                                                    const struct wh_snapshot *snap, unsigned family,
                                                    struct wh_slice key, struct wh_buf *out,
                                                    bool *ret_found, struct wh_err *err)
{
    return s->ops->get(s, snap, family, key, out, ret_found, err);
}

static inline WH_MUST_CHECK enum wh_rc wh_batch_new(struct wh_store *s, struct wh_batch **ret,
                                                    struct wh_err *err)
{
    enum wh_rc rc = s->ops->batch_new(s, ret, err);

    if (rc == WH_OK && s->stamps) {
        (*ret)->store = s;
    }
    return rc;
}

static inline void wh_batch_touch(struct wh_batch *b, unsigned family, struct wh_slice key)
{
    const struct wh_store_family *f = b->store ? &b->store->families[family] : NULL;

    if (f && f->owned && key.len >= f->owner_at + WH_STORE_OWNER_BYTES) {
        store_touch(&b->touched, key.ptr + f->owner_at);
    }
}

static inline WH_MUST_CHECK enum wh_rc wh_batch_put(struct wh_batch *b, unsigned family,
                                                    struct wh_slice key, struct wh_slice value,
                                                    struct wh_err *err)
{
    wh_batch_touch(b, family, key);
    return b->ops->put(b, family, key, value, err);
}

static inline WH_MUST_CHECK enum wh_rc wh_batch_remove(struct wh_batch *b, unsigned family,
                                                       struct wh_slice key, struct wh_err *err)
{
    wh_batch_touch(b, family, key);
    return b->ops->remove(b, family, key, err);
}

/* Removes the keys in [from, to). WH_E_INTERNAL for a sorted family. */
static inline WH_MUST_CHECK enum wh_rc wh_batch_remove_range(struct wh_batch *b, unsigned family,
                                                             struct wh_slice from,
                                                             struct wh_slice to, struct wh_err *err)
{
    b->touched.all |= b->store && b->store->families[family].owned;
    return b->ops->remove_range(b, family, from, to, err);
}

static inline void wh_batch_reset(struct wh_batch *b)
{
    store_touched_reset(&b->touched);
    b->ops->batch_reset(b);
}

static inline size_t wh_batch_bytes(const struct wh_batch *b)
{
    return b->ops->batch_bytes(b);
}

static inline void wh_batch_free(struct wh_batch *b)
{
    if (b) {
        store_touched_done(&b->touched);
        b->ops->batch_free(b);
    }
}

/* Applies the batch atomically; with sync it is durable on return. The batch keeps its content. */
static inline WH_MUST_CHECK enum wh_rc wh_store_write(struct wh_store *s, struct wh_batch *b,
                                                      bool sync, struct wh_err *err)
{
    enum wh_rc rc;

    if (s->stamps) {
        store_stamps_begin(s->stamps, &b->touched);
    }
    rc = s->ops->write(s, b, sync, err);
    if (s->stamps) {
        store_stamps_end(s->stamps, &b->touched);
    }
    return rc;
}

static inline WH_MUST_CHECK enum wh_rc
wh_store_snapshot(struct wh_store *s, struct wh_snapshot **ret, struct wh_err *err)
{
    return s->ops->snapshot(s, false, ret, err);
}

/*
 * A snapshot for a reader that must not wait for the disk: a get or an iterator fails with WH_E_BUSY
 * when what it needs is not in memory, or when it would have to pass many removed keys.
 */
static inline WH_MUST_CHECK enum wh_rc
wh_store_snapshot_in_memory(struct wh_store *s, struct wh_snapshot **ret, struct wh_err *err)
{
    return s->ops->snapshot(s, true, ret, err);
}

static inline void wh_store_snapshot_free(struct wh_store *s, struct wh_snapshot *snap)
{
    if (snap) {
        s->ops->snapshot_free(s, snap);
    }
}

/* Iterates over [lower, upper); an empty upper means to the end. Seek before the first use. */
static inline WH_MUST_CHECK enum wh_rc wh_iter_new(struct wh_store *s,
                                                   const struct wh_snapshot *snap, unsigned family,
                                                   struct wh_slice lower, struct wh_slice upper,
                                                   struct wh_iter **ret, struct wh_err *err)
{
    return s->ops->iter_new(s, snap, family, lower, upper, ret, err);
}

/* Seeks the first key >= key or, backwards, the last key <= key (for an empty key, the last one). */
static inline void wh_iter_seek(struct wh_iter *it, struct wh_slice key, bool backwards)
{
    it->ops->iter_seek(it, key, backwards);
}

static inline void wh_iter_step(struct wh_iter *it, bool backwards)
{
    it->ops->iter_step(it, backwards);
}

/* False at the end or after an error (wh_iter_error). Slices are valid until the next step or seek. */
static inline bool wh_iter_valid(const struct wh_iter *it, struct wh_slice *ret_key,
                                 struct wh_slice *ret_value)
{
    return it->ops->iter_valid(it, ret_key, ret_value);
}

static inline WH_MUST_CHECK enum wh_rc wh_iter_error(const struct wh_iter *it, struct wh_err *err)
{
    return it->ops->iter_error(it, err);
}

static inline void wh_iter_free(struct wh_iter *it)
{
    if (it) {
        it->ops->iter_free(it);
    }
}

/* Makes a consistent copy on the same file system; path must not exist. */
static inline WH_MUST_CHECK enum wh_rc wh_store_checkpoint(struct wh_store *s, const char *path,
                                                           struct wh_err *err)
{
    return s->ops->checkpoint(s, path, err);
}

/* Rewrites the family's files without removed data. Blocks, for minutes with a large store. */
static inline WH_MUST_CHECK enum wh_rc wh_store_compact(struct wh_store *s, unsigned family,
                                                        struct wh_err *err)
{
    return s->ops->compact(s, family, err);
}

static inline int64_t wh_store_property(struct wh_store *s, const char *name)
{
    return s->ops->property(s, name);
}

/* A number that every write increases. Cheap. */
static inline uint64_t wh_store_sequence(struct wh_store *s)
{
    return s->ops->sequence(s);
}

/*
 * The stamp of an owner, which every write of one of its keys changes: as long as it is the same, what
 * was read about the owner after it was taken still holds. False while such a write is under way; then
 * nothing that is read now may be kept. Owners may share a stamp.
 */
static inline bool wh_store_stamp(const struct wh_store *s, const void *owner, uint64_t *ret)
{
    return s->stamps && store_stamps_get(s->stamps, owner, ret);
}

/* For implementations: after ops is set. WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc wh_store_init(struct wh_store *s, const struct wh_store_conf *conf,
                                       struct wh_err *err);

static inline void wh_store_free(struct wh_store *s)
{
    if (s) {
        struct store_stamps *stamps = s->stamps;

        s->ops->free(s);
        store_stamps_free(stamps);
    }
}

#endif
