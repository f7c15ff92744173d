/*
 * store_mem_priv.h - what the files of the store in memory share.
 */
#ifndef TH_STORE_MEM_PRIV_H
#define TH_STORE_MEM_PRIV_H

#include <pthread.h>

#include "tests/lib/store_mem.h"

/*
 * A family is an immutable sorted table behind a reference count. A write merges the batch into
 * new tables and puts them in place under the lock; snapshots and iterators hold the tables that
 * they saw. Made for tests: a write costs as much as the families that it touches are long.
 */
struct item {
    unsigned refs;
    size_t key_len;
    size_t value_len;
    char bytes[];
};

struct table {
    unsigned refs;
    size_t n;
    struct item *items[];
};

struct fault {
    enum wh_rc rc;
    int after;
    int times;
    uint64_t calls;
};

struct mem_store {
    struct wh_store base;
    pthread_mutex_t lock; /* tables, reference counts, faults */
    size_t n_families;
    uint64_t sorted; /* bit i: family i */
    struct table **tables;
    struct fault faults[WH_STORE_MEM_CALL_COUNT];
    uint64_t writes;
};

struct mem_snapshot {
    bool in_memory;
    struct table *tables[1]; /* n_families of them */
};

enum op_kind { OP_PUT, OP_REMOVE, OP_REMOVE_RANGE };

struct op {
    enum op_kind kind;
    unsigned family;
    size_t index;
    size_t key_at; /* into bytes */
    size_t key_len;
    size_t value_at; /* or the end of a range */
    size_t value_len;
};

struct mem_batch {
    struct wh_batch base;
    struct mem_store *store;
    struct op *ops;
    size_t n;
    size_t cap;
    struct wh_buf bytes;
};

struct mem_iter {
    struct wh_iter base;
    struct mem_store *store;
    struct table *table;
    size_t from; /* [from, to) of the table */
    size_t to;
    size_t at; /* valid when from <= at < to */
    bool in_memory;
    struct wh_err err;
};

static inline struct mem_store *of_store(struct wh_store *s)
{
    return (struct mem_store *)(void *)s;
}

static inline struct mem_batch *of_batch(struct wh_batch *b)
{
    return (struct mem_batch *)(void *)b;
}

static inline struct wh_slice item_key(const struct item *it)
{
    return wh_slice(it->bytes, it->key_len);
}

static inline struct wh_slice item_value(const struct item *it)
{
    return wh_slice(it->bytes + it->key_len, it->value_len);
}

/* One reference, no items. NULL: no memory. */
struct table *store_mem_table_new(size_t cap);
/* Under the lock. */
void store_mem_table_unref(struct table *t);
bool store_mem_family_ok(const struct mem_store *s, unsigned family, struct wh_err *err);

/* ---- store_mem_write.c: batches ---- */

enum wh_rc store_mem_batch_new(struct wh_store *base, struct wh_batch **ret, struct wh_err *err);
enum wh_rc store_mem_put(struct wh_batch *b, unsigned family, struct wh_slice key,
                         struct wh_slice value, struct wh_err *err);
enum wh_rc store_mem_remove(struct wh_batch *b, unsigned family, struct wh_slice key,
                            struct wh_err *err);
enum wh_rc store_mem_remove_range(struct wh_batch *b, unsigned family, struct wh_slice from,
                                  struct wh_slice to, struct wh_err *err);
void store_mem_batch_reset(struct wh_batch *base);
size_t store_mem_batch_bytes(const struct wh_batch *base);
void store_mem_batch_free(struct wh_batch *base);
/* Under the lock: all families or none. */
enum wh_rc store_mem_write_all(struct mem_store *s, const struct mem_batch *b, struct wh_err *err);

#endif
