#include <string.h>
#include <sys/statvfs.h>

#include <rocksdb/c.h>

#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/store/store.h"

/*
 * store.h on RocksDB. Decisions for this version of the library:
 * - recovery mode is "point in time": after damage, data and offsets rewind together;
 * - one open call names all families, because creating one later leaks on errors;
 * - one budget covers all memtables (db_write_buffer_size), so that nine families cannot use nine
 *   times a memtable; one covers the logs, since a family that is seldom flushed retains old logs;
 * - iterators use total order and no prefix extractor.
 */
enum {
    BACKGROUND_JOBS = 2,
    BLOCK_CACHE_TIER = 1, /* ReadTier::kBlockCacheTier */
    SKIPPED_KEYS_MAX = 1000,
    BLOOM_BITS = 10,
    BOTTOMMOST_FORCE = 2, /* BottommostLevelCompaction::kForce */
    BOTTOM_ZSTD_LEVEL = 1,
    LEVEL0_FILES = 8, /* the default, 4, rewrites a small store twice as often during a catch-up */
    ZLIB_WINDOW_UNUSED = -14,
    INFO_LOG_BYTES = 4 << 20,
    INFO_LOG_FILES = 4,
    INFO_LOG_WARN = 2,
    MEMTABLES_IN_ALL = 2,
    MEMTABLES_OF_A_FAMILY = 3,
    WAL_BYTES_MAX = 256 << 20,
    OPEN_FILES_MAX = 512,
};

static const double memtable_bloom_ratio = 0.02;

struct rocks_store {
    struct wh_store base;
    rocksdb_t *db;
    rocksdb_options_t *db_options;
    rocksdb_options_t **family_options;
    rocksdb_column_family_handle_t **families;
    uint64_t sorted; /* bit i: family i is sorted */
    size_t n_families;
    rocksdb_cache_t *cache;
    rocksdb_readoptions_t *read;
    rocksdb_writeoptions_t *write_sync;
    rocksdb_writeoptions_t *write_fast;
    char *path;
    uint64_t reserve_bytes;
};

struct rocks_batch {
    struct wh_batch base;
    struct rocks_store *store;
    rocksdb_writebatch_t *batch;
};

/* A struct wh_snapshot pointer points to one of these. */
struct rocks_snapshot {
    const rocksdb_snapshot_t *snapshot;
    rocksdb_readoptions_t *read;
    bool in_memory;
};

struct rocks_iter {
    struct wh_iter base;
    rocksdb_iterator_t *it;
    rocksdb_readoptions_t *read;
    char *bounds; /* RocksDB borrows the bounds */
    size_t lower_len;
};

static struct rocks_store *of_store(struct wh_store *s)
{
    return (struct rocks_store *)(void *)s;
}

static struct rocks_batch *of_batch(struct wh_batch *b)
{
    return (struct rocks_batch *)(void *)b;
}

/* ---- errors ---- */

static enum wh_rc rc_of_text(const char *text)
{
    if (strstr(text, "No space left")) {
        return WH_E_NO_SPACE;
    }
    if (strstr(text, "Result incomplete") || strstr(text, "While lock file") ||
        strstr(text, "lock hold by current process")) {
        return WH_E_BUSY;
    }
    if (strncmp(text, "Corruption", 10) == 0) {
        return WH_E_CORRUPT;
    }
    if (strncmp(text, "Invalid argument", 16) == 0) {
        return WH_E_INTERNAL;
    }
    return WH_E_IO;
}

/* Frees text. */
static enum wh_rc fail_with(struct wh_err *err, char *text)
{
    enum wh_rc rc = rc_of_text(text);

    wh_fail(err, rc, "%s", text);
    rocksdb_free(text);
    return rc;
}

static bool family_ok(const struct rocks_store *s, unsigned family, struct wh_err *err)
{
    if (family >= s->n_families) {
        wh_fail(err, WH_E_INTERNAL, "there is no family %u", family);
        return false;
    }
    return true;
}

/* An empty slice may have a NULL pointer, which RocksDB does not accept. */
static const char *bytes_of(struct wh_slice s)
{
    return s.ptr ? s.ptr : "";
}

/* ---- reading ---- */

static const struct rocks_snapshot *of_snapshot(const struct wh_snapshot *snap)
{
    return (const struct rocks_snapshot *)(const void *)snap;
}

static enum wh_rc rocks_get(struct wh_store *base, const struct wh_snapshot *snap, unsigned family,
                            struct wh_slice key, struct wh_buf *out, bool *ret_found,
                            struct wh_err *err)
{
    struct rocks_store *s = of_store(base);
    rocksdb_readoptions_t *read = snap ? of_snapshot(snap)->read : s->read;
    rocksdb_pinnableslice_t *value;
    char *text = NULL;
    const char *bytes;
    size_t len = 0;
    enum wh_rc rc;

    if (!family_ok(s, family, err)) {
        return err->rc;
    }
    value = rocksdb_get_pinned_cf(s->db, read, s->families[family], bytes_of(key), key.len, &text);
    if (text) {
        return fail_with(err, text);
    }
    if (value == NULL) {
        *ret_found = false;
        return WH_OK;
    }
    bytes = rocksdb_pinnableslice_value(value, &len);
    rc = wh_buf_append(out, wh_slice(bytes, len), err);
    rocksdb_pinnableslice_destroy(value);
    if (rc == WH_OK) {
        *ret_found = true;
    }
    return rc;
}

static void no_waiting(rocksdb_readoptions_t *read)
{
    rocksdb_readoptions_set_read_tier(read, BLOCK_CACHE_TIER);
    rocksdb_readoptions_set_max_skippable_internal_keys(read, SKIPPED_KEYS_MAX);
}

static enum wh_rc rocks_snapshot(struct wh_store *base, bool in_memory, struct wh_snapshot **ret,
                                 struct wh_err *err)
{
    struct rocks_store *s = of_store(base);
    struct rocks_snapshot *snap = wh_mem_zalloc(1, sizeof(*snap));

    if (snap == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a snapshot");
    }
    snap->snapshot = rocksdb_create_snapshot(s->db);
    snap->read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_snapshot(snap->read, snap->snapshot);
    snap->in_memory = in_memory;
    if (in_memory) {
        no_waiting(snap->read);
    }
    *ret = (struct wh_snapshot *)(void *)snap;
    return WH_OK;
}

static void rocks_snapshot_free(struct wh_store *base, struct wh_snapshot *handle)
{
    struct rocks_snapshot *snap = (struct rocks_snapshot *)(void *)handle;

    rocksdb_readoptions_destroy(snap->read);
    rocksdb_release_snapshot(of_store(base)->db, snap->snapshot);
    wh_mem_free(snap);
}

static enum wh_rc iter_bounds(struct rocks_iter *it, struct wh_slice lower, struct wh_slice upper,
                              struct wh_err *err)
{
    it->bounds = wh_mem_alloc(lower.len + upper.len + 1);
    if (it->bounds == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an iterator");
    }
    it->lower_len = lower.len;
    if (lower.len > 0) {
        memcpy(it->bounds, lower.ptr, lower.len);
        rocksdb_readoptions_set_iterate_lower_bound(it->read, it->bounds, lower.len);
    }
    if (upper.len > 0) {
        memcpy(it->bounds + lower.len, upper.ptr, upper.len);
        rocksdb_readoptions_set_iterate_upper_bound(it->read, it->bounds + lower.len, upper.len);
    }
    return WH_OK;
}

static void rocks_iter_free(struct wh_iter *base)
{
    struct rocks_iter *it = (struct rocks_iter *)(void *)base;

    if (it->it) {
        rocksdb_iter_destroy(it->it);
    }
    if (it->read) {
        rocksdb_readoptions_destroy(it->read);
    }
    wh_mem_free(it->bounds);
    wh_mem_free(it);
}

static enum wh_rc rocks_iter_new(struct wh_store *base, const struct wh_snapshot *snap,
                                 unsigned family, struct wh_slice lower, struct wh_slice upper,
                                 struct wh_iter **ret, struct wh_err *err)
{
    struct rocks_store *s = of_store(base);
    struct rocks_iter *it;
    enum wh_rc rc;

    if (!family_ok(s, family, err)) {
        return err->rc;
    }
    it = wh_mem_zalloc(1, sizeof(*it));
    if (it == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an iterator");
    }
    it->base.ops = s->base.ops;
    it->read = rocksdb_readoptions_create();
    if (snap) {
        rocksdb_readoptions_set_snapshot(it->read, of_snapshot(snap)->snapshot);
    }
    if (snap && of_snapshot(snap)->in_memory) {
        no_waiting(it->read);
    }
    rc = iter_bounds(it, lower, upper, err);
    if (rc != WH_OK) {
        rocks_iter_free(&it->base);
        return rc;
    }
    it->it = rocksdb_create_iterator_cf(s->db, it->read, s->families[family]);
    *ret = &it->base;
    return WH_OK;
}

static void rocks_iter_seek(struct wh_iter *base, struct wh_slice key, bool backwards)
{
    struct rocks_iter *it = (struct rocks_iter *)(void *)base;

    if (!backwards) {
        rocksdb_iter_seek(it->it, bytes_of(key), key.len);
    } else if (key.len == 0) {
        rocksdb_iter_seek_to_last(it->it);
    } else {
        rocksdb_iter_seek_for_prev(it->it, key.ptr, key.len);
    }
}

static void rocks_iter_step(struct wh_iter *base, bool backwards)
{
    struct rocks_iter *it = (struct rocks_iter *)(void *)base;

    if (!rocksdb_iter_valid(it->it)) {
        return;
    }
    if (backwards) {
        rocksdb_iter_prev(it->it);
    } else {
        rocksdb_iter_next(it->it);
    }
}

static bool rocks_iter_valid(const struct wh_iter *base, struct wh_slice *ret_key,
                             struct wh_slice *ret_value)
{
    const struct rocks_iter *it = (const struct rocks_iter *)(const void *)base;
    size_t len = 0;

    if (!rocksdb_iter_valid(it->it)) {
        return false;
    }
    if (ret_key) {
        const char *key = rocksdb_iter_key(it->it, &len);

        *ret_key = wh_slice(key, len);
    }
    if (ret_value) {
        const char *value = rocksdb_iter_value(it->it, &len);

        *ret_value = wh_slice(value, len);
    }
    return true;
}

static enum wh_rc rocks_iter_error(const struct wh_iter *base, struct wh_err *err)
{
    const struct rocks_iter *it = (const struct rocks_iter *)(const void *)base;
    char *text = NULL;

    rocksdb_iter_get_error(it->it, &text);
    return text ? fail_with(err, text) : WH_OK;
}

/* ---- writing ---- */

static enum wh_rc rocks_batch_new(struct wh_store *base, struct wh_batch **ret, struct wh_err *err)
{
    struct rocks_batch *b = wh_mem_zalloc(1, sizeof(*b));

    if (b == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a batch");
    }
    b->base.ops = base->ops;
    b->store = of_store(base);
    b->batch = rocksdb_writebatch_create();
    *ret = &b->base;
    return WH_OK;
}

static enum wh_rc rocks_put(struct wh_batch *base, unsigned family, struct wh_slice key,
                            struct wh_slice value, struct wh_err *err)
{
    struct rocks_batch *b = of_batch(base);

    if (!family_ok(b->store, family, err)) {
        return err->rc;
    }
    rocksdb_writebatch_put_cf(b->batch, b->store->families[family], bytes_of(key), key.len,
                              bytes_of(value), value.len);
    return WH_OK;
}

static enum wh_rc rocks_remove(struct wh_batch *base, unsigned family, struct wh_slice key,
                               struct wh_err *err)
{
    struct rocks_batch *b = of_batch(base);

    if (!family_ok(b->store, family, err)) {
        return err->rc;
    }
    rocksdb_writebatch_delete_cf(b->batch, b->store->families[family], bytes_of(key), key.len);
    return WH_OK;
}

static enum wh_rc rocks_remove_range(struct wh_batch *base, unsigned family, struct wh_slice from,
                                     struct wh_slice to, struct wh_err *err)
{
    struct rocks_batch *b = of_batch(base);

    if (!family_ok(b->store, family, err)) {
        return err->rc;
    }
    if (b->store->sorted & UINT64_C(1) << family) {
        return wh_fail(err, WH_E_INTERNAL, "family %u takes no removal of a range", family);
    }
    rocksdb_writebatch_delete_range_cf(b->batch, b->store->families[family], bytes_of(from),
                                       from.len, bytes_of(to), to.len);
    return WH_OK;
}

static void rocks_batch_reset(struct wh_batch *base)
{
    rocksdb_writebatch_clear(of_batch(base)->batch);
}

static size_t rocks_batch_bytes(const struct wh_batch *base)
{
    const struct rocks_batch *b = (const struct rocks_batch *)(const void *)base;
    size_t len = 0;

    (void)rocksdb_writebatch_data(b->batch, &len);
    return len;
}

static void rocks_batch_free(struct wh_batch *base)
{
    struct rocks_batch *b = of_batch(base);

    rocksdb_writebatch_destroy(b->batch);
    wh_mem_free(b);
}

/*
 * In this version of the library a log that failed on a full disk is unusable: an assertion aborts the
 * process, or the store must be reopened. So writes stop earlier, while there is room to flush what is
 * in memory. If another program uses that room too, the library's own error remains.
 */
static enum wh_rc check_space(const struct rocks_store *s, size_t batch_bytes, struct wh_err *err)
{
    struct statvfs fs;
    uint64_t needed = s->reserve_bytes + 2 * (uint64_t)batch_bytes;
    uint64_t free_bytes;

    if (statvfs(s->path, &fs) != 0) {
        return WH_OK; /* the write itself reports the error */
    }
    free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (free_bytes >= needed) {
        return WH_OK;
    }
    return wh_fail(err, WH_E_NO_SPACE, "%llu MiB are free in %.150s; writing needs %llu MiB",
                   (unsigned long long)(free_bytes >> 20), s->path,
                   (unsigned long long)((needed + (1 << 20) - 1) >> 20));
}

static enum wh_rc rocks_write(struct wh_store *base, struct wh_batch *batch, bool sync,
                              struct wh_err *err)
{
    struct rocks_store *s = of_store(base);
    char *text = NULL;

    if (check_space(s, rocks_batch_bytes(batch), err) != WH_OK) {
        return err->rc;
    }
    /* Unused performance counters cost a tenth of a large write; the level is per thread. */
    rocksdb_set_perf_level(rocksdb_disable);
    rocksdb_write(s->db, sync ? s->write_sync : s->write_fast, of_batch(batch)->batch, &text);
    return text ? fail_with(err, text) : WH_OK;
}

/* ---- care ---- */

static enum wh_rc rocks_checkpoint(struct wh_store *base, const char *path, struct wh_err *err)
{
    struct rocks_store *s = of_store(base);
    char *text = NULL;
    rocksdb_checkpoint_t *checkpoint = rocksdb_checkpoint_object_create(s->db, &text);

    if (text) {
        return fail_with(err, text);
    }
    rocksdb_checkpoint_create(checkpoint, path, 0, &text);
    rocksdb_checkpoint_object_destroy(checkpoint);
    return text ? fail_with(err, text) : WH_OK;
}

static enum wh_rc rocks_compact(struct wh_store *base, unsigned family, struct wh_err *err)
{
    struct rocks_store *s = of_store(base);
    rocksdb_compactoptions_t *o = rocksdb_compactoptions_create();

    if (o == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a compaction");
    }
    /* The last level too: removed data must not remain in a file that is never rewritten. */
    rocksdb_compactoptions_set_bottommost_level_compaction(o, BOTTOMMOST_FORCE);
    rocksdb_compact_range_cf_opt(s->db, s->families[family], o, NULL, 0, NULL, 0);
    rocksdb_compactoptions_destroy(o);
    return WH_OK;
}

static int64_t number_property(rocksdb_t *db, const char *name)
{
    uint64_t value = 0;

    return rocksdb_property_int(db, name, &value) == 0 ? (int64_t)value : -1;
}

static int64_t family_number(struct rocks_store *s, unsigned family, const char *name)
{
    uint64_t value = 0;

    if (rocksdb_property_int_cf(s->db, s->families[family], name, &value) != 0) {
        return 0;
    }
    return (int64_t)value;
}

static int64_t rocks_property(struct wh_store *base, const char *name)
{
    struct rocks_store *s = of_store(base);
    struct wh_slice text = wh_slice_str(name);
    struct wh_err err;
    int64_t family;

    if (wh_slice_eq(text, WH_LIT("background-errors"))) {
        return number_property(s->db, "rocksdb.background-errors");
    }
    if (wh_slice_eq(text, WH_LIT("write-stopped"))) {
        return number_property(s->db, "rocksdb.is-write-stopped");
    }
    if (!wh_slice_starts(text, WH_LIT("family.")) || text.len < sizeof("family.0.bytes") - 1 ||
        !wh_slice_eq(wh_slice_from(text, text.len - 6), WH_LIT(".bytes"))) {
        return -1;
    }
    if (wh_num_i64(wh_slice(text.ptr + 7, text.len - 13), &family, &err) != WH_OK || family < 0 ||
        (size_t)family >= s->n_families) {
        return -1;
    }
    return family_number(s, (unsigned)family, "rocksdb.total-sst-files-size") +
           family_number(s, (unsigned)family, "rocksdb.cur-size-all-mem-tables");
}

static uint64_t rocks_sequence(struct wh_store *base)
{
    return rocksdb_get_latest_sequence_number(of_store(base)->db);
}

static void rocks_free(struct wh_store *base)
{
    struct rocks_store *s = of_store(base);

    for (size_t i = 0; s->families && i < s->n_families; i++) {
        if (s->families[i]) {
            rocksdb_column_family_handle_destroy(s->families[i]);
        }
    }
    if (s->db) {
        rocksdb_close(s->db);
    }
    for (size_t i = 0; s->family_options && i < s->n_families; i++) {
        if (s->family_options[i]) {
            rocksdb_options_destroy(s->family_options[i]);
        }
    }
    if (s->db_options) {
        rocksdb_options_destroy(s->db_options);
    }
    if (s->cache) {
        rocksdb_cache_destroy(s->cache);
    }
    if (s->read) {
        rocksdb_readoptions_destroy(s->read);
    }
    if (s->write_sync) {
        rocksdb_writeoptions_destroy(s->write_sync);
    }
    if (s->write_fast) {
        rocksdb_writeoptions_destroy(s->write_fast);
    }
    wh_mem_free(s->families);
    wh_mem_free(s->family_options);
    wh_mem_free(s->path);
    wh_mem_free(s);
}

static const struct wh_store_ops rocks_ops = {
    .get = rocks_get,
    .batch_new = rocks_batch_new,
    .put = rocks_put,
    .remove = rocks_remove,
    .remove_range = rocks_remove_range,
    .batch_reset = rocks_batch_reset,
    .batch_bytes = rocks_batch_bytes,
    .batch_free = rocks_batch_free,
    .write = rocks_write,
    .snapshot = rocks_snapshot,
    .snapshot_free = rocks_snapshot_free,
    .iter_new = rocks_iter_new,
    .iter_seek = rocks_iter_seek,
    .iter_step = rocks_iter_step,
    .iter_valid = rocks_iter_valid,
    .iter_error = rocks_iter_error,
    .iter_free = rocks_iter_free,
    .checkpoint = rocks_checkpoint,
    .compact = rocks_compact,
    .property = rocks_property,
    .sequence = rocks_sequence,
    .free = rocks_free,
};

/* ---- opening ---- */

static rocksdb_options_t *db_options(const struct wh_store_conf *conf)
{
    rocksdb_options_t *o = rocksdb_options_create();

    rocksdb_options_set_create_if_missing(o, !conf->read_only);
    rocksdb_options_set_create_missing_column_families(o, !conf->read_only);
    rocksdb_options_set_max_background_jobs(o, BACKGROUND_JOBS);
    rocksdb_options_set_allow_concurrent_memtable_write(o, 0); /* one writer */
    rocksdb_options_set_db_write_buffer_size(o, conf->memtable_bytes * MEMTABLES_IN_ALL);
    rocksdb_options_set_max_total_wal_size(o, WAL_BYTES_MAX);
    rocksdb_options_set_max_open_files(o, OPEN_FILES_MAX);
    rocksdb_options_set_info_log_level(o, INFO_LOG_WARN);
    rocksdb_options_set_max_log_file_size(o, INFO_LOG_BYTES);
    rocksdb_options_set_keep_log_file_num(o, INFO_LOG_FILES);
    rocksdb_options_set_bytes_per_sync(o, 1 << 20);
    return o;
}

/*
 * Batches are sorted, so a key's position in the memtable is near the previous one. With a hint the
 * library searches from there; its C API sets that option only through an options string. Not for a
 * family with range removals: the library keeps those in a separate list but shares the hints with it,
 * and corrupts its memory.
 */
static rocksdb_options_t *sorted_options(struct wh_err *err)
{
    rocksdb_options_t *plain = rocksdb_options_create();
    rocksdb_options_t *sorted = rocksdb_options_create();
    char *text = NULL;

    rocksdb_get_options_from_string(plain, "memtable_insert_with_hint_prefix_extractor=fixed:1",
                                    sorted, &text);
    rocksdb_options_destroy(plain);
    if (text == NULL) {
        return sorted;
    }
    rocksdb_options_destroy(sorted);
    (void)fail_with(err, text);
    return NULL;
}

static rocksdb_options_t *family_options(const struct rocks_store *s,
                                         const struct wh_store_conf *conf, size_t i,
                                         struct wh_err *err)
{
    rocksdb_options_t *o =
        conf->families[i].sorted ? sorted_options(err) : rocksdb_options_create();
    rocksdb_block_based_table_options_t *table;

    if (o == NULL) {
        return NULL;
    }
    table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(table, s->cache);
    rocksdb_block_based_options_set_block_size(table, 8 << 10);
    rocksdb_block_based_options_set_format_version(table, 5);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
    if (conf->families[i].point_reads) {
        rocksdb_block_based_options_set_filter_policy(
            table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
        rocksdb_block_based_options_set_whole_key_filtering(table, 1);
        /* Most reads of the writer look for keys that do not exist yet. */
        rocksdb_options_set_memtable_whole_key_filtering(o, 1);
        rocksdb_options_set_memtable_prefix_bloom_size_ratio(o, memtable_bloom_ratio);
    }
    rocksdb_options_set_block_based_table_factory(o, table);
    rocksdb_block_based_options_destroy(table);
    rocksdb_options_set_write_buffer_size(o, conf->memtable_bytes);
    rocksdb_options_set_max_write_buffer_number(o, MEMTABLES_OF_A_FAMILY);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(o, 1);
    rocksdb_options_set_level0_file_num_compaction_trigger(o, LEVEL0_FILES);
    rocksdb_options_set_compression(o, rocksdb_lz4_compression);
    rocksdb_options_set_bottommost_compression(o, rocksdb_zstd_compression);
    rocksdb_options_set_bottommost_compression_options(o, ZLIB_WINDOW_UNUSED, BOTTOM_ZSTD_LEVEL, 0,
                                                       0, 1);
    return o;
}

static enum wh_rc make_options(struct rocks_store *s, const struct wh_store_conf *conf,
                               struct wh_err *err)
{
    s->n_families = conf->n_families;
    for (size_t i = 0; i < conf->n_families; i++) {
        s->sorted |= (uint64_t)conf->families[i].sorted << i;
    }
    s->reserve_bytes = (uint64_t)conf->memtable_bytes * MEMTABLES_IN_ALL;
    s->path = wh_mem_dup(conf->path, strlen(conf->path));
    s->families = wh_mem_zalloc(conf->n_families, sizeof(*s->families));
    s->family_options = wh_mem_zalloc(conf->n_families, sizeof(*s->family_options));
    if (s->path == NULL || s->families == NULL || s->family_options == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the store");
    }
    s->cache = rocksdb_cache_create_lru(conf->cache_bytes);
    s->db_options = db_options(conf);
    for (size_t i = 0; i < s->n_families; i++) {
        s->family_options[i] = family_options(s, conf, i, err);
        if (s->family_options[i] == NULL) {
            return err->rc;
        }
    }
    s->read = rocksdb_readoptions_create();
    s->write_sync = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(s->write_sync, 1);
    s->write_fast = rocksdb_writeoptions_create();
    return WH_OK;
}

/* RocksDB requires the family "default", which stays empty. */
static enum wh_rc open_db(struct rocks_store *s, const struct wh_store_conf *conf,
                          struct wh_err *err)
{
    size_t n = s->n_families + 1;
    WH_AUTO_FREE const char **names = wh_mem_zalloc(n, sizeof(*names));
    WH_AUTO_FREE const rocksdb_options_t **options = wh_mem_zalloc(n, sizeof(*options));
    WH_AUTO_FREE rocksdb_column_family_handle_t **handles = wh_mem_zalloc(n, sizeof(*handles));
    char *text = NULL;

    if (names == NULL || options == NULL || handles == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the store");
    }
    names[0] = "default";
    options[0] = s->db_options;
    for (size_t i = 0; i < s->n_families; i++) {
        names[i + 1] = conf->families[i].name;
        options[i + 1] = s->family_options[i];
    }
    s->db = conf->read_only ? rocksdb_open_for_read_only_column_families(
                                  s->db_options, s->path, (int)n, names, options, handles, 0, &text)
                            : rocksdb_open_column_families(s->db_options, s->path, (int)n, names,
                                                           options, handles, &text);
    if (text) {
        s->db = NULL;
        return fail_with(err, text);
    }
    rocksdb_column_family_handle_destroy(handles[0]);
    memcpy(s->families, handles + 1, s->n_families * sizeof(*handles));
    return WH_OK;
}

enum wh_rc wh_store_rocks_open(const struct wh_store_conf *conf, struct wh_store **ret,
                               struct wh_err *err)
{
    struct rocks_store *s = wh_mem_zalloc(1, sizeof(*s));
    enum wh_rc rc;

    if (s == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the store");
    }
    s->base.ops = &rocks_ops;
    rc = wh_store_init(&s->base, conf, err);
    if (rc == WH_OK) {
        rc = make_options(s, conf, err);
    }
    if (rc == WH_OK) {
        rc = open_db(s, conf, err);
    }
    if (rc != WH_OK) {
        wh_store_free(&s->base);
        if (rc == WH_E_BUSY) {
            return wh_fail(err, WH_E_BUSY,
                           "the store %s is in use by another process: stop that one, or give "
                           "this one a data.path of its own",
                           conf->path);
        }
        wh_err_prefix(err, "store %s", conf->path);
        return rc;
    }
    *ret = &s->base;
    return WH_OK;
}
