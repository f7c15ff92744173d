/*
 * bare_store FROM TO BATCH - the limit that the sink is measured against: writes all that the store
 * in FROM holds into a new store in TO, the same keys and values in batches of BATCH entities,
 * synced, with the same options and nothing else. Prints "<entities> <bytes> <seconds>".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/time.h"
#include "stages/sink/keyspace.h"

enum { CACHE_BYTES = 128 << 20, MEMTABLE_BYTES = 64 << 20 };

/* All pairs of a family, in memory, so that reading is not timed. */
struct pairs {
    struct wh_slice *keys;
    struct wh_slice *values;
    size_t n;
    size_t cap;
};

static void die(const char *doing, const struct wh_err *err)
{
    (void)fprintf(stderr, "bare_store: %s: %s\n", doing, err->msg);
    exit(1);
}

static struct wh_slice keep(struct wh_slice s)
{
    return wh_slice(wh_mem_dup(s.ptr, s.len), s.len);
}

static void load(struct wh_store *store, unsigned family, struct pairs *p)
{
    struct wh_iter *it;
    struct wh_slice key;
    struct wh_slice value;
    struct wh_err err;

    if (wh_iter_new(store, NULL, family, WH_LIT(""), WH_LIT(""), &it, &err) != WH_OK) {
        die("reading", &err);
    }
    for (wh_iter_seek(it, WH_LIT(""), false); wh_iter_valid(it, &key, &value);
         wh_iter_step(it, false)) {
        if (p->n == p->cap) {
            p->cap = p->cap ? p->cap * 2 : 1024;
            p->keys = wh_mem_resize(p->keys, p->cap, sizeof(*p->keys));
            p->values = wh_mem_resize(p->values, p->cap, sizeof(*p->values));
        }
        p->keys[p->n] = keep(key);
        p->values[p->n++] = keep(value);
    }
    wh_iter_free(it);
}

static struct wh_store *open_store(const char *path, bool read_only)
{
    const struct wh_store_conf conf = {.path = path,
                                       .families = sink_families,
                                       .n_families = SINK_FAMILY_COUNT,
                                       .cache_bytes = CACHE_BYTES,
                                       .memtable_bytes = MEMTABLE_BYTES,
                                       .read_only = read_only};
    struct wh_store *store;
    struct wh_err err;

    if (wh_store_rocks_open(&conf, &store, &err) != WH_OK) {
        die("opening", &err);
    }
    return store;
}

/* Batch b of n: the same share of every family. */
static uint64_t write_share(struct wh_store *to, struct wh_batch *batch, const struct pairs *all,
                            size_t b, size_t n)
{
    uint64_t bytes = 0;
    struct wh_err err;

    wh_batch_reset(batch);
    for (unsigned f = 0; f < SINK_FAMILY_COUNT; f++) {
        for (size_t i = all[f].n * b / n; i < all[f].n * (b + 1) / n; i++) {
            if (wh_batch_put(batch, f, all[f].keys[i], all[f].values[i], &err) != WH_OK) {
                die("batching", &err);
            }
            bytes += all[f].keys[i].len + all[f].values[i].len;
        }
    }
    if (wh_store_write(to, batch, true, &err) != WH_OK) {
        die("writing", &err);
    }
    return bytes;
}

int main(int argc, char **argv)
{
    static struct pairs all[SINK_FAMILY_COUNT];
    struct wh_clock clock = wh_clock_real();
    struct wh_store *from;
    struct wh_store *to;
    struct wh_batch *batch;
    struct wh_err err;
    uint64_t bytes = 0;
    size_t records;
    size_t batches;
    int64_t start;

    if (argc != 4 || strtoull(argv[3], NULL, 10) == 0) {
        (void)fprintf(stderr, "usage: bare_store FROM TO BATCH\n");
        return 2;
    }
    from = open_store(argv[1], true);
    for (unsigned f = 0; f < SINK_FAMILY_COUNT; f++) {
        load(from, f, &all[f]);
    }
    wh_store_free(from);
    to = open_store(argv[2], false);
    if (wh_batch_new(to, &batch, &err) != WH_OK) {
        die("batching", &err);
    }
    records = all[SINK_REVISIONS].n;
    batches = records / strtoull(argv[3], NULL, 10) + 1;
    start = wh_clock_mono_ns(&clock);
    for (size_t b = 0; b < batches; b++) {
        bytes += write_share(to, batch, all, b, batches);
    }
    (void)printf("%zu %" PRIu64 " %.3f\n", records, bytes,
                 (double)(wh_clock_mono_ns(&clock) - start) / 1e9);
    wh_batch_free(batch);
    wh_store_free(to);
    return 0;
}
