#include "common/store/store_mem.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/num.h"

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
};

struct mem_snapshot {
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
};

enum { BATCH_BYTES_MAX = 1 << 30 };

static struct mem_store *of_store(struct wh_store *s)
{
    return (struct mem_store *)(void *)s;
}

static struct mem_batch *of_batch(struct wh_batch *b)
{
    return (struct mem_batch *)(void *)b;
}

static struct wh_slice item_key(const struct item *it)
{
    return wh_slice(it->bytes, it->key_len);
}

static struct wh_slice item_value(const struct item *it)
{
    return wh_slice(it->bytes + it->key_len, it->value_len);
}

/* memcpy wants a pointer also for no bytes. */
static const char *bytes_or_empty(struct wh_slice s)
{
    return s.ptr ? s.ptr : "";
}

static void item_unref(struct item *it)
{
    if (--it->refs == 0) {
        wh_mem_free(it);
    }
}

/* Under the lock. */
static void table_unref(struct table *t)
{
    if (t == NULL || --t->refs > 0) {
        return;
    }
    for (size_t i = 0; i < t->n; i++) {
        item_unref(t->items[i]);
    }
    wh_mem_free(t);
}

static struct table *table_new(size_t cap)
{
    struct table *t = wh_mem_alloc(sizeof(*t) + cap * sizeof(t->items[0]));

    if (t) {
        t->refs = 1;
        t->n = 0;
    }
    return t;
}

/* First index whose key is >= key. */
static size_t table_find(const struct table *t, struct wh_slice key)
{
    size_t low = 0;
    size_t high = t->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (wh_slice_cmp(item_key(t->items[mid]), key) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* Under the lock. */
static enum wh_rc fault_check(struct mem_store *s, enum wh_store_mem_call call, struct wh_err *err)
{
    struct fault *f = &s->faults[call];

    f->calls++;
    if (f->times == 0) {
        return WH_OK;
    }
    if (f->after > 0) {
        f->after--;
        return WH_OK;
    }
    if (f->times > 0) {
        f->times--;
    }
    return wh_fail(err, f->rc, "injected fault: %s", wh_rc_text(f->rc));
}

void wh_store_mem_fail(struct wh_store *base, enum wh_store_mem_call call, enum wh_rc rc, int after,
                       int times)
{
    struct mem_store *s = of_store(base);

    pthread_mutex_lock(&s->lock);
    s->faults[call].rc = rc;
    s->faults[call].after = after;
    s->faults[call].times = times;
    pthread_mutex_unlock(&s->lock);
}

uint64_t wh_store_mem_calls(struct wh_store *base, enum wh_store_mem_call call)
{
    struct mem_store *s = of_store(base);
    uint64_t n;

    pthread_mutex_lock(&s->lock);
    n = s->faults[call].calls;
    pthread_mutex_unlock(&s->lock);
    return n;
}

static bool family_ok(const struct mem_store *s, unsigned family, struct wh_err *err)
{
    if (family >= s->n_families) {
        wh_fail(err, WH_E_INTERNAL, "there is no family %u", family);
        return false;
    }
    return true;
}

/* Gives a reference. */
static struct table *table_of(struct mem_store *s, const struct wh_snapshot *snap, unsigned family)
{
    const struct mem_snapshot *m = (const struct mem_snapshot *)(const void *)snap;
    struct table *t;

    pthread_mutex_lock(&s->lock);
    t = m ? m->tables[family] : s->tables[family];
    t->refs++;
    pthread_mutex_unlock(&s->lock);
    return t;
}

static void table_release(struct mem_store *s, struct table *t)
{
    pthread_mutex_lock(&s->lock);
    table_unref(t);
    pthread_mutex_unlock(&s->lock);
}

/* ---- reading ---- */

static enum wh_rc mem_get(struct wh_store *base, const struct wh_snapshot *snap, unsigned family,
                          struct wh_slice key, struct wh_buf *out, bool *ret_found,
                          struct wh_err *err)
{
    struct mem_store *s = of_store(base);
    struct table *t;
    enum wh_rc rc;
    size_t at;

    if (!family_ok(s, family, err)) {
        return err->rc;
    }
    pthread_mutex_lock(&s->lock);
    rc = fault_check(s, WH_STORE_MEM_GET, err);
    pthread_mutex_unlock(&s->lock);
    if (rc != WH_OK) {
        return rc;
    }
    t = table_of(s, snap, family);
    at = table_find(t, key);
    if (at == t->n || !wh_slice_eq(item_key(t->items[at]), key)) {
        *ret_found = false;
    } else {
        rc = wh_buf_append(out, item_value(t->items[at]), err);
        if (rc == WH_OK) {
            *ret_found = true;
        }
    }
    table_release(s, t);
    return rc;
}

static enum wh_rc mem_snapshot(struct wh_store *base, struct wh_snapshot **ret, struct wh_err *err)
{
    struct mem_store *s = of_store(base);
    struct mem_snapshot *m = wh_mem_zalloc(s->n_families + 1, sizeof(m->tables[0]));

    if (m == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a snapshot");
    }
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_families; i++) {
        m->tables[i] = s->tables[i];
        m->tables[i]->refs++;
    }
    pthread_mutex_unlock(&s->lock);
    *ret = (struct wh_snapshot *)(void *)m;
    return WH_OK;
}

static void mem_snapshot_free(struct wh_store *base, struct wh_snapshot *snap)
{
    struct mem_store *s = of_store(base);
    struct mem_snapshot *m = (struct mem_snapshot *)(void *)snap;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_families; i++) {
        table_unref(m->tables[i]);
    }
    pthread_mutex_unlock(&s->lock);
    wh_mem_free(m);
}

static enum wh_rc mem_iter_new(struct wh_store *base, const struct wh_snapshot *snap,
                               unsigned family, struct wh_slice lower, struct wh_slice upper,
                               struct wh_iter **ret, struct wh_err *err)
{
    struct mem_store *s = of_store(base);
    struct mem_iter *it;

    if (!family_ok(s, family, err)) {
        return err->rc;
    }
    it = wh_mem_zalloc(1, sizeof(*it));
    if (it == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an iterator");
    }
    it->base.ops = base->ops;
    it->store = s;
    it->table = table_of(s, snap, family);
    it->from = table_find(it->table, lower);
    it->to = upper.len > 0 ? table_find(it->table, upper) : it->table->n;
    it->at = SIZE_MAX;
    *ret = &it->base;
    return WH_OK;
}

static void mem_iter_seek(struct wh_iter *base, struct wh_slice key, bool backwards)
{
    struct mem_iter *it = (struct mem_iter *)(void *)base;
    size_t at = key.len > 0 || !backwards ? table_find(it->table, key) : it->table->n;

    if (!backwards) {
        it->at = at > it->from ? at : it->from;
        return;
    }
    if (key.len > 0 && at < it->table->n && wh_slice_eq(item_key(it->table->items[at]), key)) {
        at++;
    }
    if (at > it->to) {
        at = it->to;
    }
    it->at = at > it->from ? at - 1 : SIZE_MAX;
}

static bool mem_iter_here(const struct mem_iter *it)
{
    return it->at != SIZE_MAX && it->at >= it->from && it->at < it->to;
}

static void mem_iter_step(struct wh_iter *base, bool backwards)
{
    struct mem_iter *it = (struct mem_iter *)(void *)base;

    if (!mem_iter_here(it)) {
        return;
    }
    if (!backwards) {
        it->at++;
    } else {
        it->at = it->at > it->from ? it->at - 1 : SIZE_MAX;
    }
}

static bool mem_iter_valid(const struct wh_iter *base, struct wh_slice *ret_key,
                           struct wh_slice *ret_value)
{
    const struct mem_iter *it = (const struct mem_iter *)(const void *)base;

    if (!mem_iter_here(it)) {
        return false;
    }
    if (ret_key) {
        *ret_key = item_key(it->table->items[it->at]);
    }
    if (ret_value) {
        *ret_value = item_value(it->table->items[it->at]);
    }
    return true;
}

static enum wh_rc mem_iter_error(const struct wh_iter *base, struct wh_err *err)
{
    (void)base;
    (void)err;
    return WH_OK;
}

static void mem_iter_free(struct wh_iter *base)
{
    struct mem_iter *it = (struct mem_iter *)(void *)base;

    table_release(it->store, it->table);
    wh_mem_free(it);
}

/* ---- batches ---- */

static enum wh_rc mem_batch_new(struct wh_store *base, struct wh_batch **ret, struct wh_err *err)
{
    struct mem_batch *b = wh_mem_zalloc(1, sizeof(*b));

    if (b == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a batch");
    }
    b->base.ops = base->ops;
    b->store = of_store(base);
    wh_buf_init(&b->bytes, BATCH_BYTES_MAX);
    *ret = &b->base;
    return WH_OK;
}

static enum wh_rc batch_add(struct wh_batch *base, enum op_kind kind, unsigned family,
                            struct wh_slice key, struct wh_slice value, struct wh_err *err)
{
    struct mem_batch *b = of_batch(base);
    struct op op = {.kind = kind, .family = family, .index = b->n};
    enum wh_rc rc;

    if (!family_ok(b->store, family, err)) {
        return err->rc;
    }
    if (b->n == b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 64;
        struct op *ops = wh_mem_resize(b->ops, cap, sizeof(*ops));

        if (ops == NULL) {
            return wh_fail(err, WH_E_NOMEM, "no memory for a batch");
        }
        b->ops = ops;
        b->cap = cap;
    }
    op.key_at = b->bytes.len;
    op.key_len = key.len;
    op.value_at = b->bytes.len + key.len;
    op.value_len = value.len;
    rc = wh_buf_append(&b->bytes, key, err);
    if (rc == WH_OK) {
        rc = wh_buf_append(&b->bytes, value, err);
    }
    if (rc == WH_OK) {
        b->ops[b->n++] = op;
    }
    return rc;
}

static enum wh_rc mem_put(struct wh_batch *b, unsigned family, struct wh_slice key,
                          struct wh_slice value, struct wh_err *err)
{
    return batch_add(b, OP_PUT, family, key, value, err);
}

static enum wh_rc mem_remove(struct wh_batch *b, unsigned family, struct wh_slice key,
                             struct wh_err *err)
{
    return batch_add(b, OP_REMOVE, family, key, WH_LIT(""), err);
}

static enum wh_rc mem_remove_range(struct wh_batch *b, unsigned family, struct wh_slice from,
                                   struct wh_slice to, struct wh_err *err)
{
    if (family < 64 && of_batch(b)->store->sorted & UINT64_C(1) << family) {
        return wh_fail(err, WH_E_INTERNAL, "family %u takes no removal of a range", family);
    }
    return batch_add(b, OP_REMOVE_RANGE, family, from, to, err);
}

static void mem_batch_reset(struct wh_batch *base)
{
    struct mem_batch *b = of_batch(base);

    b->n = 0;
    wh_buf_reset(&b->bytes);
}

static size_t mem_batch_bytes(const struct wh_batch *base)
{
    return ((const struct mem_batch *)(const void *)base)->bytes.len;
}

static void mem_batch_free(struct wh_batch *base)
{
    struct mem_batch *b = of_batch(base);

    wh_buf_done(&b->bytes);
    wh_mem_free(b->ops);
    wh_mem_free(b);
}

/* ---- writing: the batch's operations of one family merged into a new table ---- */

struct merge {
    const struct mem_batch *batch;
    const struct op **points; /* sorted by key, then index */
    size_t n_points;
    const struct op **ranges;
    size_t n_ranges;
    struct table *out;
};

static struct wh_slice op_key(const struct mem_batch *b, const struct op *op)
{
    return wh_slice(b->bytes.ptr + op->key_at, op->key_len);
}

static struct wh_slice op_value(const struct mem_batch *b, const struct op *op)
{
    return wh_slice(b->bytes.ptr + op->value_at, op->value_len);
}

static int point_cmp(const void *left, const void *right, void *ctx)
{
    const struct op *a = *(const struct op *const *)left;
    const struct op *b = *(const struct op *const *)right;
    const struct mem_batch *batch = ((const struct merge *)ctx)->batch;
    int c = wh_slice_cmp(op_key(batch, a), op_key(batch, b));

    return c ? c : (a->index > b->index) - (a->index < b->index);
}

/* Is the key taken away by a range operation at or behind `index`? */
static bool ranged_away(const struct merge *m, struct wh_slice key, size_t index)
{
    for (size_t i = 0; i < m->n_ranges; i++) {
        const struct op *r = m->ranges[i];

        if (r->index >= index && wh_slice_cmp(op_key(m->batch, r), key) <= 0 &&
            wh_slice_cmp(key, op_value(m->batch, r)) < 0) {
            return true;
        }
    }
    return false;
}

static bool merge_new(struct merge *m, const struct op *op)
{
    struct wh_slice key = op_key(m->batch, op);
    struct wh_slice value = op_value(m->batch, op);
    struct item *it;

    if (op->kind == OP_REMOVE || ranged_away(m, key, op->index)) {
        return true;
    }
    it = wh_mem_alloc(sizeof(*it) + key.len + value.len);
    if (it == NULL) {
        return false;
    }
    it->refs = 1;
    it->key_len = key.len;
    it->value_len = value.len;
    memcpy(it->bytes, bytes_or_empty(key), key.len);
    memcpy(it->bytes + key.len, bytes_or_empty(value), value.len);
    m->out->items[m->out->n++] = it;
    return true;
}

static void merge_old(struct merge *m, struct item *it)
{
    if (!ranged_away(m, item_key(it), 0)) {
        it->refs++;
        m->out->items[m->out->n++] = it;
    }
}

static bool merge_tables(struct merge *m, const struct table *old)
{
    size_t i = 0;
    size_t p = 0;

    while (i < old->n || p < m->n_points) {
        int c;

        if (p == m->n_points) {
            merge_old(m, old->items[i++]);
            continue;
        }
        if (p + 1 < m->n_points &&
            wh_slice_eq(op_key(m->batch, m->points[p]), op_key(m->batch, m->points[p + 1]))) {
            p++; /* a later operation on the same key decides */
            continue;
        }
        c = i == old->n ? 1 : wh_slice_cmp(item_key(old->items[i]), op_key(m->batch, m->points[p]));
        if (c < 0) {
            merge_old(m, old->items[i++]);
            continue;
        }
        if (!merge_new(m, m->points[p++])) {
            return false;
        }
        i += c == 0;
    }
    return true;
}

static bool merge_family(struct merge *m, const struct mem_batch *b, const struct table *old,
                         unsigned family)
{
    m->n_points = 0;
    m->n_ranges = 0;
    for (size_t i = 0; i < b->n; i++) {
        if (b->ops[i].family != family) {
            continue;
        }
        if (b->ops[i].kind == OP_REMOVE_RANGE) {
            m->ranges[m->n_ranges++] = &b->ops[i];
        } else {
            m->points[m->n_points++] = &b->ops[i];
        }
    }
    m->out = NULL;
    if (m->n_points + m->n_ranges == 0) {
        return true;
    }
    qsort_r(m->points, m->n_points, sizeof(m->points[0]), point_cmp, m);
    m->out = table_new(old->n + m->n_points);
    return m->out && merge_tables(m, old);
}

/* Under the lock: all families or none. */
static enum wh_rc write_all(struct mem_store *s, const struct mem_batch *b, struct wh_err *err)
{
    WH_AUTO_FREE const struct op **points = wh_mem_zalloc(b->n + 1, sizeof(*points));
    WH_AUTO_FREE const struct op **ranges = wh_mem_zalloc(b->n + 1, sizeof(*ranges));
    WH_AUTO_FREE struct table **made = wh_mem_zalloc(s->n_families + 1, sizeof(struct table *));
    struct merge m = {.batch = b, .points = points, .ranges = ranges};
    bool ok = points && ranges && made;

    for (unsigned f = 0; ok && f < s->n_families; f++) {
        ok = merge_family(&m, b, s->tables[f], f);
        made[f] = m.out;
    }
    for (unsigned f = 0; made && f < s->n_families; f++) {
        if (made[f] && ok) {
            table_unref(s->tables[f]);
            s->tables[f] = made[f];
        } else {
            table_unref(made[f]);
        }
    }
    return ok ? WH_OK : wh_fail(err, WH_E_NOMEM, "no memory for a write");
}

static enum wh_rc mem_write(struct wh_store *base, struct wh_batch *batch, bool sync,
                            struct wh_err *err)
{
    struct mem_store *s = of_store(base);
    enum wh_rc rc;

    (void)sync;
    pthread_mutex_lock(&s->lock);
    rc = fault_check(s, WH_STORE_MEM_WRITE, err);
    if (rc == WH_OK) {
        rc = write_all(s, of_batch(batch), err);
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* ---- the rest ---- */

static enum wh_rc mem_checkpoint(struct wh_store *base, const char *path, struct wh_err *err)
{
    (void)base;
    (void)path;
    return wh_fail(err, WH_E_UNSUPPORTED, "a store in memory has no copies on disk");
}

static enum wh_rc mem_compact(struct wh_store *base, unsigned family, struct wh_err *err)
{
    (void)base;
    (void)family;
    (void)err;
    return WH_OK;
}

static int64_t mem_property(struct wh_store *base, const char *name)
{
    struct mem_store *s = of_store(base);
    struct wh_slice text = wh_slice_str(name);
    struct wh_err err;
    struct table *t;
    int64_t family;
    int64_t bytes = 0;

    if (wh_slice_eq(text, WH_LIT("background-errors")) ||
        wh_slice_eq(text, WH_LIT("write-stopped"))) {
        return 0;
    }
    if (!wh_slice_starts(text, WH_LIT("family.")) || text.len < sizeof("family.0.bytes") - 1 ||
        !wh_slice_eq(wh_slice_from(text, text.len - 6), WH_LIT(".bytes")) ||
        wh_num_i64(wh_slice(text.ptr + 7, text.len - 13), &family, &err) != WH_OK || family < 0 ||
        (size_t)family >= s->n_families) {
        return -1;
    }
    t = table_of(s, NULL, (unsigned)family);
    for (size_t i = 0; i < t->n; i++) {
        bytes += (int64_t)(t->items[i]->key_len + t->items[i]->value_len);
    }
    table_release(s, t);
    return bytes;
}

static void mem_free(struct wh_store *base)
{
    struct mem_store *s = of_store(base);

    for (size_t i = 0; s->tables && i < s->n_families; i++) {
        table_unref(s->tables[i]);
    }
    wh_mem_free(s->tables);
    pthread_mutex_destroy(&s->lock);
    wh_mem_free(s);
}

static const struct wh_store_ops mem_ops = {
    .get = mem_get,
    .batch_new = mem_batch_new,
    .put = mem_put,
    .remove = mem_remove,
    .remove_range = mem_remove_range,
    .batch_reset = mem_batch_reset,
    .batch_bytes = mem_batch_bytes,
    .batch_free = mem_batch_free,
    .write = mem_write,
    .snapshot = mem_snapshot,
    .snapshot_free = mem_snapshot_free,
    .iter_new = mem_iter_new,
    .iter_seek = mem_iter_seek,
    .iter_step = mem_iter_step,
    .iter_valid = mem_iter_valid,
    .iter_error = mem_iter_error,
    .iter_free = mem_iter_free,
    .checkpoint = mem_checkpoint,
    .compact = mem_compact,
    .property = mem_property,
    .free = mem_free,
};

enum wh_rc wh_store_mem_open(const struct wh_store_conf *conf, struct wh_store **ret,
                             struct wh_err *err)
{
    struct mem_store *s = wh_mem_zalloc(1, sizeof(*s));

    if (s == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the store");
    }
    s->base.ops = &mem_ops;
    pthread_mutex_init(&s->lock, NULL);
    s->n_families = conf->n_families;
    for (size_t i = 0; i < conf->n_families; i++) {
        s->sorted |= (uint64_t)conf->families[i].sorted << i;
    }
    s->tables = wh_mem_zalloc(conf->n_families, sizeof(struct table *));
    for (size_t i = 0; s->tables && i < s->n_families; i++) {
        s->tables[i] = table_new(0);
        if (s->tables[i] == NULL) {
            break;
        }
    }
    if (s->tables == NULL || (s->n_families && s->tables[s->n_families - 1] == NULL)) {
        mem_free(&s->base);
        return wh_fail(err, WH_E_NOMEM, "no memory for the store");
    }
    *ret = &s->base;
    return WH_OK;
}
