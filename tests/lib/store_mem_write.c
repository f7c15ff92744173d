#include "tests/lib/store_mem_priv.h"

#include <stdlib.h>

#include "common/base/mem.h"

enum { BATCH_BYTES_MAX = 1 << 30 };

/* memcpy wants a pointer also for no bytes. */
static const char *bytes_or_empty(struct wh_slice s)
{
    return s.ptr ? s.ptr : "";
}

/* ---- batches ---- */

enum wh_rc store_mem_batch_new(struct wh_store *base, struct wh_batch **ret, struct wh_err *err)
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

    if (!store_mem_family_ok(b->store, family, err)) {
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

enum wh_rc store_mem_put(struct wh_batch *b, unsigned family, struct wh_slice key,
                         struct wh_slice value, struct wh_err *err)
{
    return batch_add(b, OP_PUT, family, key, value, err);
}

enum wh_rc store_mem_remove(struct wh_batch *b, unsigned family, struct wh_slice key,
                            struct wh_err *err)
{
    return batch_add(b, OP_REMOVE, family, key, WH_LIT(""), err);
}

enum wh_rc store_mem_remove_range(struct wh_batch *b, unsigned family, struct wh_slice from,
                                  struct wh_slice to, struct wh_err *err)
{
    if (family < 64 && of_batch(b)->store->sorted & UINT64_C(1) << family) {
        return wh_fail(err, WH_E_INTERNAL, "family %u takes no removal of a range", family);
    }
    return batch_add(b, OP_REMOVE_RANGE, family, from, to, err);
}

void store_mem_batch_reset(struct wh_batch *base)
{
    struct mem_batch *b = of_batch(base);

    b->n = 0;
    wh_buf_reset(&b->bytes);
}

size_t store_mem_batch_bytes(const struct wh_batch *base)
{
    return ((const struct mem_batch *)(const void *)base)->bytes.len;
}

void store_mem_batch_free(struct wh_batch *base)
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
    m->out = store_mem_table_new(old->n + m->n_points);
    return m->out && merge_tables(m, old);
}

/* Under the lock: all families or none. */
enum wh_rc store_mem_write_all(struct mem_store *s, const struct mem_batch *b, struct wh_err *err)
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
            store_mem_table_unref(s->tables[f]);
            s->tables[f] = made[f];
        } else {
            store_mem_table_unref(made[f]);
        }
    }
    return ok ? WH_OK : wh_fail(err, WH_E_NOMEM, "no memory for a write");
}
