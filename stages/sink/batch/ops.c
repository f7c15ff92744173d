#include <stdlib.h>

#include "common/base/mem.h"
#include "stages/sink/batch/batch_priv.h"

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

/* The family and the first seven bytes of the key as one number. */
static uint64_t order_of(unsigned family, struct wh_slice key)
{
    unsigned char bytes[8] = {0};

    bytes[0] = (unsigned char)family;
    memcpy(bytes + 1, key.ptr, key.len < 7 ? key.len : 7);
    return wh_be_get64(bytes);
}

/* Copies the key and the value into one block. */
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

/* ---- sorting: by the order's bytes, then within equal ones by the next bytes of the key ---- */

enum { RADIX = 256, ORDER_BYTES = 8, SHORT_RUN = 16, DEEPEST_BYTES = 128 };

/* The elements to sort are small, so that they stay in the cache. */
struct place {
    uint64_t order;
    const struct sink_op *op;
};

static int key_cmp(const struct sink_op *a, const struct sink_op *b)
{
    if (a->family != b->family) {
        return a->family < b->family ? -1 : 1;
    }
    return wh_slice_cmp(wh_slice(a->key, a->key_len), wh_slice(b->key, b->key_len));
}

static int place_cmp(const void *left, const void *right)
{
    const struct sink_op *a = ((const struct place *)left)->op;
    const struct sink_op *b = ((const struct place *)right)->op;
    int c = key_cmp(a, b);

    return c ? c : (a->number > b->number) - (a->number < b->number);
}

static void sort_short(struct place *places, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct place moved = places[i];
        size_t k = i;

        for (; k > 0 && place_cmp(&places[k - 1], &moved) > 0; k--) {
            places[k] = places[k - 1];
        }
        places[k] = moved;
    }
}

/* One pass of the radix sort over a byte of `order`; false when all elements share the byte. */
static bool radix_pass(const struct place *from, struct place *to, size_t n, unsigned shift)
{
    size_t starts[RADIX] = {0};
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        starts[from[i].order >> shift & 0xff]++;
    }
    if (starts[from[0].order >> shift & 0xff] == n) {
        return false;
    }
    for (size_t b = 0; b < RADIX; b++) {
        size_t count = starts[b];

        starts[b] = at;
        at += count;
    }
    for (size_t i = 0; i < n; i++) {
        to[starts[from[i].order >> shift & 0xff]++] = from[i];
    }
    return true;
}

static void radix_sort(struct place *places, struct place *spare, size_t n)
{
    struct place *from = places;
    struct place *to = spare;

    for (unsigned shift = 0; shift < 64; shift += 8) {
        if (radix_pass(from, to, n, shift)) {
            struct place *t = from;

            from = to;
            to = t;
        }
    }
    if (from != places) {
        memcpy(places, from, n * sizeof(*places));
    }
}

/* Eight bytes of the key from an offset, padded with zeros. */
static uint64_t bytes_at(const struct sink_op *op, size_t offset)
{
    unsigned char bytes[ORDER_BYTES] = {0};

    if (op->key_len > offset) {
        size_t left = op->key_len - offset;

        memcpy(bytes, op->key + offset, left < ORDER_BYTES ? left : ORDER_BYTES);
    }
    return wh_be_get64(bytes);
}

/* offset: the first byte of the key that `order` does not have. */
/* NOLINTNEXTLINE(misc-no-recursion): the depth is the length of a key divided by eight */
static void sort_places(struct place *places, struct place *spare, size_t n, size_t offset)
{
    size_t end;

    radix_sort(places, spare, n);
    for (size_t i = 0; i < n; i = end) {
        for (end = i + 1; end < n && places[end].order == places[i].order; end++) {
        }
        if (end - i <= SHORT_RUN) {
            sort_short(places + i, end - i);
            continue;
        }
        if (offset >= DEEPEST_BYTES) {
            qsort(places + i, end - i, sizeof(*places), place_cmp);
            continue;
        }
        for (size_t k = i; k < end; k++) {
            places[k].order = bytes_at(places[k].op, offset);
        }
        sort_places(places + i, spare, end - i, offset + ORDER_BYTES);
    }
}

static enum wh_rc sorted(struct sink_apply *a, struct place **ret, struct wh_err *err)
{
    void *memory = NULL;
    struct place *places;

    if (wh_arena_alloc(&a->arena, 2 * a->n_ops * sizeof(*places) + 1, &memory, err) != WH_OK) {
        return err->rc;
    }
    places = memory;
    for (size_t i = 0; i < a->n_ops; i++) {
        places[i] = (struct place){a->ops[i].order, &a->ops[i]};
    }
    if (a->n_ops > 1) {
        sort_places(places, places + a->n_ops, a->n_ops, ORDER_BYTES - 1);
    }
    *ret = places;
    return WH_OK;
}

/* Keeps the last change of each key. */
static enum wh_rc keep_last(struct sink_apply *a, const struct place *places, struct wh_err *err)
{
    void *memory = NULL;

    if (wh_arena_alloc(&a->arena, a->n_ops * sizeof(*a->sealed) + 1, &memory, err) != WH_OK) {
        return err->rc;
    }
    a->sealed = memory;
    a->n_sealed = 0;
    for (size_t i = 0; a->sealed && places && i < a->n_ops; i++) {
        if (i + 1 == a->n_ops || key_cmp(places[i].op, places[i + 1].op) != 0) {
            a->sealed[a->n_sealed++] = places[i].op;
        }
    }
    return WH_OK;
}

enum wh_rc sink_ops_flush(struct sink_apply *a, struct wh_err *err)
{
    struct place *places = NULL;

    if (sorted(a, &places, err) != WH_OK || keep_last(a, places, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < a->n_sealed; i++) {
        const struct sink_op *op = a->sealed[i];
        struct wh_slice key = wh_slice(op->key, op->key_len);
        enum wh_rc rc;

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

size_t sink_ops_from(const struct sink_apply *a, unsigned family, struct wh_slice key)
{
    const struct sink_op want = {
        .key = key.ptr, .key_len = (uint32_t)key.len, .family = (uint8_t)family};
    size_t low = 0;
    size_t high = a->n_sealed;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (key_cmp(a->sealed[middle], &want) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct sink_op *sink_ops_find(const struct sink_apply *a, unsigned family,
                                    struct wh_slice key)
{
    size_t at = sink_ops_from(a, family, key);
    const struct sink_op *op = at < a->n_sealed ? a->sealed[at] : NULL;

    if (op == NULL || op->family != family || !wh_slice_eq(wh_slice(op->key, op->key_len), key)) {
        return NULL;
    }
    return op;
}
