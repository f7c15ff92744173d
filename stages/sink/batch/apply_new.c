/* How an apply begins: the format and the counts of the store. */
#include "common/base/mem.h"
#include "stages/sink/batch/batch_priv.h"

enum {
    ARENA_BLOCK_BYTES = 1 << 20,
    ARENA_MAX_BYTES = 256 << 20,
    SCRATCH_MAX_BYTES = 64 << 20,
};

/* Reads a value of fixed size of the family meta; *ret_found is false when there is none. */
static enum wh_rc meta_get(struct wh_store *store, struct wh_slice key, void *ret, size_t len,
                           bool *ret_found, struct wh_err *err)
{
    struct wh_buf value;
    enum wh_rc rc;

    wh_buf_init(&value, 64);
    rc = wh_store_get(store, NULL, SINK_META, key, &value, ret_found, err);
    if (rc == WH_OK && *ret_found) {
        if (value.len == len) {
            memcpy(ret, value.ptr, len);
        } else {
            rc = wh_fail(err, WH_E_CORRUPT, "a value of meta has %zu bytes, not %zu", value.len,
                         len);
        }
    }
    wh_buf_done(&value);
    return rc;
}

enum wh_rc sink_offset_get(struct wh_store *store, const char *topic, int32_t partition,
                           int64_t *ret_next, bool *ret_found, struct wh_err *err)
{
    unsigned char value[8];
    struct wh_buf key;
    enum wh_rc rc;

    wh_buf_init(&key, WH_BUS_TOPIC_MAX + 16);
    rc = sink_offset_key(wh_slice_str(topic), partition, &key, err);
    if (rc == WH_OK) {
        rc = meta_get(store, wh_buf_slice(&key), value, sizeof(value), ret_found, err);
    }
    if (rc == WH_OK && *ret_found) {
        *ret_next = (int64_t)wh_be_get64(value);
    }
    wh_buf_done(&key);
    return rc;
}

static enum wh_rc write_format(struct sink_apply *a, struct wh_err *err)
{
    unsigned char value[4];
    enum wh_rc rc;

    wh_be_put32(value, SINK_FORMAT_VERSION);
    rc = wh_batch_put(a->batch, SINK_META, WH_LIT("f"), wh_slice(value, sizeof(value)), err);
    if (rc == WH_OK) {
        rc = wh_store_write(a->store, a->batch, true, err);
    }
    wh_batch_reset(a->batch);
    return rc;
}

static enum wh_rc check_format(struct sink_apply *a, struct wh_err *err)
{
    unsigned char value[4];
    bool found = false;
    uint32_t version;

    if (meta_get(a->store, WH_LIT("f"), value, sizeof(value), &found, err) != WH_OK) {
        return err->rc;
    }
    if (!found) {
        return write_format(a, err);
    }
    version = wh_be_get32(value);
    if (version != SINK_FORMAT_VERSION) {
        return wh_fail(err, WH_E_CORRUPT,
                       "the store has format %u, this program writes %d: rebuild it from Kafka "
                       "into a new one with store.rebuild=true",
                       version, SINK_FORMAT_VERSION);
    }
    return WH_OK;
}

static enum wh_rc read_counts(struct sink_apply *a, struct wh_err *err)
{
    unsigned char value[24];
    bool found = false;

    for (unsigned k = 0; k < WH_KIND_COUNT; k++) {
        const unsigned char key[2] = {'c', (unsigned char)k};

        if (meta_get(a->store, wh_slice(key, sizeof(key)), value, sizeof(value), &found, err) !=
            WH_OK) {
            return err->rc;
        }
        if (found) {
            a->committed->counts[k] =
                (struct sink_kind_counts){.entities = wh_be_get64(value),
                                          .deleted = wh_be_get64(value + 8),
                                          .revisions = wh_be_get64(value + 16)};
        }
    }
    if (meta_get(a->store, WH_LIT("n"), value, 8, &found, err) != WH_OK) {
        return err->rc;
    }
    a->committed->sequence = found ? wh_be_get64(value) : 0;
    if (meta_get(a->store, WH_LIT("p"), value, 8, &found, err) != WH_OK) {
        return err->rc;
    }
    a->committed->people = found ? wh_be_get64(value) : 0;
    return WH_OK;
}

/* The committed totals are not loaded. */
static enum wh_rc new_apply(struct wh_store *store, size_t max_records, struct sink_apply **ret,
                            struct wh_err *err)
{
    struct sink_apply *a = wh_mem_zalloc(1, sizeof(*a));
    size_t slots = 16;

    if (a == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the sink");
    }
    while (slots < max_records * 2) {
        slots *= 2;
    }
    a->store = store;
    a->max_cached = max_records;
    a->slot_mask = slots - 1;
    a->cached = wh_mem_zalloc(max_records, sizeof(*a->cached));
    a->slots = wh_mem_zalloc(slots, sizeof(*a->slots));
    wh_arena_init(&a->arena, ARENA_BLOCK_BYTES, ARENA_MAX_BYTES);
    wh_buf_init(&a->scratch, SCRATCH_MAX_BYTES);
    sink_refs_init(a->refs);
    keys_init(&a->keys);
    if (a->cached == NULL || a->slots == NULL) {
        sink_apply_free(a);
        return wh_fail(err, WH_E_NOMEM, "no memory for the sink");
    }
    if (wh_batch_new(store, &a->batch, err) != WH_OK) {
        sink_apply_free(a);
        return err->rc;
    }
    *ret = a;
    return WH_OK;
}

enum wh_rc sink_apply_new(struct wh_store *store, size_t max_records, struct sink_apply **ret,
                          struct wh_err *err)
{
    struct sink_apply *a = NULL;

    if (new_apply(store, max_records, &a, err) != WH_OK) {
        return err->rc;
    }
    a->committed = wh_mem_zalloc(1, sizeof(*a->committed));
    a->owns_committed = true;
    if (a->committed == NULL) {
        sink_apply_free(a);
        return wh_fail(err, WH_E_NOMEM, "no memory for the sink");
    }
    if (check_format(a, err) != WH_OK || read_counts(a, err) != WH_OK) {
        sink_apply_free(a);
        return err->rc;
    }
    sink_apply_begin(a);
    *ret = a;
    return WH_OK;
}

enum wh_rc sink_apply_new_beside(struct sink_apply *first, struct sink_apply **ret,
                                 struct wh_err *err)
{
    struct sink_apply *a = NULL;

    if (new_apply(first->store, first->max_cached, &a, err) != WH_OK || a == NULL) {
        return err->rc;
    }
    a->committed = first->committed;
    sink_apply_begin(a);
    *ret = a;
    return WH_OK;
}

void sink_apply_free(struct sink_apply *a)
{
    if (a == NULL) {
        return;
    }
    wh_batch_free(a->batch);
    wh_arena_done(&a->arena);
    wh_buf_done(&a->scratch);
    wh_mem_free(a->cached);
    wh_mem_free(a->slots);
    wh_mem_free(a->seen);
    wh_mem_free(a->ops);
    if (a->owns_committed) {
        wh_mem_free(a->committed);
    }
    wh_mem_free(a);
}
