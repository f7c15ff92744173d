#include <stdlib.h>

#include "common/base/mem.h"
#include "stages/sink/apply_priv.h"

enum { OPS_FIRST = 1024 };

static enum wh_rc make_room(struct sink_apply *a, struct wh_err *err)
{
    size_t cap = a->cap_ops ? a->cap_ops * 2 : OPS_FIRST;
    struct sink_op *ops;

    if (a->n_ops < a->cap_ops) {
        return WH_OK;
    }
    ops = cap <= UINT32_MAX ? wh_mem_resize(a->ops, cap, sizeof(*ops)) : NULL;
    if (ops == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a batch");
    }
    a->ops = ops;
    a->cap_ops = cap;
    return WH_OK;
}

/* The family, then seven bytes of the key. */
static uint64_t order_of(unsigned family, struct wh_slice key)
{
    unsigned char bytes[8] = {0};

    bytes[0] = (unsigned char)family;
    memcpy(bytes + 1, key.ptr, key.len < 7 ? key.len : 7);
    return wh_be_get64(bytes);
}

/* Key and value, copied one behind the other. */
static enum wh_rc add(struct sink_apply *a, unsigned family, struct wh_slice key,
                      struct wh_slice value, bool copy_value, bool remove, struct wh_err *err)
{
    struct sink_op *op;
    void *memory = NULL;
    size_t copied = key.len + (copy_value ? value.len : 0);
    char *bytes;

    if (key.len > UINT32_MAX || value.len > UINT32_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "a value of %zu bytes", value.len);
    }
    if (make_room(a, err) != WH_OK ||
        wh_arena_alloc(&a->arena, copied + 1, &memory, err) != WH_OK) {
        return err->rc;
    }
    bytes = memory;
    memcpy(bytes, key.ptr, key.len);
    if (copy_value && value.len > 0) {
        memcpy(bytes + key.len, value.ptr, value.len);
    }
    op = &a->ops[a->n_ops];
    *op = (struct sink_op){.order = order_of(family, key),
                           .key = bytes,
                           .value = copy_value ? bytes + key.len : value.ptr,
                           .key_len = (uint32_t)key.len,
                           .value_len = (uint32_t)value.len,
                           .number = (uint32_t)a->n_ops,
                           .family = (uint8_t)family,
                           .remove = remove};
    a->n_ops++;
    a->op_bytes += key.len + value.len;
    return WH_OK;
}

enum wh_rc sink_op_put(struct sink_apply *a, unsigned family, struct wh_slice key,
                       struct wh_slice value, struct wh_err *err)
{
    return add(a, family, key, value, true, false, err);
}

enum wh_rc sink_op_put_kept(struct sink_apply *a, unsigned family, struct wh_slice key,
                            struct wh_slice value, struct wh_err *err)
{
    return add(a, family, key, value, false, false, err);
}

enum wh_rc sink_op_remove(struct sink_apply *a, unsigned family, struct wh_slice key,
                          struct wh_err *err)
{
    return add(a, family, key, wh_slice("", 0), true, true, err);
}

/* What is sorted: small, so that it stays in the cache; the rest is looked at on a tie alone. */
struct place {
    uint64_t order;
    const struct sink_op *op;
};

static int key_cmp(const struct sink_op *a, const struct sink_op *b)
{
    if (a->order != b->order) {
        return a->order < b->order ? -1 : 1;
    }
    return wh_slice_cmp(wh_slice(a->key, a->key_len), wh_slice(b->key, b->key_len));
}

static int place_cmp(const void *left, const void *right)
{
    const struct place *a = left;
    const struct place *b = right;
    int c;

    if (a->order != b->order) {
        return a->order < b->order ? -1 : 1;
    }
    c = key_cmp(a->op, b->op);
    return c ? c : (a->op->number > b->op->number) - (a->op->number < b->op->number);
}

static enum wh_rc sorted(struct sink_apply *a, struct place **ret, struct wh_err *err)
{
    void *memory = NULL;
    struct place *places;

    if (wh_arena_alloc(&a->arena, a->n_ops * sizeof(*places) + 1, &memory, err) != WH_OK) {
        return err->rc;
    }
    places = memory;
    for (size_t i = 0; i < a->n_ops; i++) {
        places[i] = (struct place){a->ops[i].order, &a->ops[i]};
    }
    if (a->n_ops > 1) {
        qsort(places, a->n_ops, sizeof(*places), place_cmp);
    }
    *ret = places;
    return WH_OK;
}

enum wh_rc sink_ops_flush(struct sink_apply *a, struct wh_err *err)
{
    struct place *places = NULL;

    if (sorted(a, &places, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; places && i < a->n_ops; i++) {
        const struct sink_op *op = places[i].op;
        struct wh_slice key = wh_slice(op->key, op->key_len);
        enum wh_rc rc;

        if (i + 1 < a->n_ops && key_cmp(op, places[i + 1].op) == 0) {
            continue; /* a later one on the same key decides */
        }
        rc = op->remove
                 ? wh_batch_remove(a->batch, op->family, key, err)
                 : wh_batch_put(a->batch, op->family, key, wh_slice(op->value, op->value_len), err);
        if (rc != WH_OK) {
            return rc;
        }
    }
    a->n_ops = 0;
    return WH_OK;
}
