/* A store is opened and read from end to end: every block's checksum is compared, and every key is counted. */
#include "common/base/mem.h"
#include "common/json/json_write.h"
#include "stages/sink/backup/backup_priv.h"

enum { CACHE_BYTES = 8 << 20, MEMTABLE_BYTES = 8 << 20, LOOK_KEYS = 4096, COUNTS_BYTES = 24 };

struct counting {
    const struct sink_backup_watch *watch;
    struct backup_count *to;
    struct wh_json_writer offsets;
    int64_t done;
    int64_t expected;
};

void backup_count_done(struct backup_count *count)
{
    wh_buf_done(&count->offsets);
}

/* 'o' topic 0 partition 4: next offset 8 */
static void take_offset(struct counting *c, struct wh_slice key, struct wh_slice value)
{
    size_t topic = key.len - 1 - 1 - 4;

    wh_jw_object(&c->offsets);
    wh_jw_put_str(&c->offsets, "topic", wh_slice(key.ptr + 1, topic));
    wh_jw_put_int(&c->offsets, "partition", (int64_t)wh_be_get32(key.ptr + key.len - 4));
    wh_jw_put_int(&c->offsets, "next", (int64_t)wh_be_get64(value.ptr));
    wh_jw_end(&c->offsets);
}

static void take_meta(struct counting *c, struct wh_slice key, struct wh_slice value)
{
    if (key.len == 2 && key.ptr[0] == 'c' && value.len == COUNTS_BYTES &&
        (unsigned char)key.ptr[1] < WH_KIND_COUNT) {
        c->to->kinds[(unsigned char)key.ptr[1]] =
            (struct sink_kind_counts){.entities = wh_be_get64(value.ptr),
                                      .deleted = wh_be_get64(value.ptr + 8),
                                      .revisions = wh_be_get64(value.ptr + 16)};
    } else if (key.len == 1 && key.ptr[0] == 'n' && value.len == 8) {
        c->to->sequence = wh_be_get64(value.ptr);
    } else if (key.len > 6 && key.ptr[0] == 'o' && value.len == 8) {
        take_offset(c, key, value);
    }
}

static enum wh_rc count_family(struct counting *c, struct wh_store *store, unsigned family,
                               struct wh_err *err)
{
    struct wh_slice value;
    struct wh_iter *it;
    struct wh_slice key;
    enum wh_rc rc = WH_OK;

    if (wh_iter_new(store, NULL, family, wh_slice("", 0), wh_slice("", 0), &it, err) != WH_OK) {
        return err->rc;
    }
    for (wh_iter_seek(it, wh_slice("", 0), false); rc == WH_OK && wh_iter_valid(it, &key, &value);
         wh_iter_step(it, false)) {
        c->to->keys[family]++;
        if (family == SINK_META) {
            take_meta(c, key, value);
        }
        if (++c->done % LOOK_KEYS == 0 &&
            !backup_go_on(c->watch, SINK_BACKUP_COUNTING, c->done, c->expected)) {
            rc = backup_canceled(err);
        }
    }
    rc = rc == WH_OK ? wh_iter_error(it, err) : rc;
    wh_iter_free(it);
    return rc;
}

static void sum(const struct backup_count *n, int64_t *ret_entities, int64_t *ret_revisions)
{
    *ret_entities = 0;
    *ret_revisions = 0;
    for (unsigned k = 0; k < WH_KIND_COUNT; k++) {
        *ret_entities += (int64_t)n->kinds[k].entities;
        *ret_revisions += (int64_t)n->kinds[k].revisions;
    }
}

/* What was read must be what the store says that it has. Entries that changed nothing count as no revision. */
static enum wh_rc compare(const struct backup_count *n, struct wh_err *err)
{
    int64_t entities;
    int64_t revisions;

    sum(n, &entities, &revisions);
    if (entities == n->keys[SINK_ENTITIES] && revisions <= n->keys[SINK_REVISIONS]) {
        return WH_OK;
    }
    return wh_fail(
        err, WH_E_CORRUPT,
        "%lld entities and %lld entries of histories were read, but the store should have "
        "%lld and at least %lld",
        (long long)n->keys[SINK_ENTITIES], (long long)n->keys[SINK_REVISIONS], (long long)entities,
        (long long)revisions);
}

static enum wh_rc open_store(const char *path, struct wh_store **ret, struct wh_err *err)
{
    const struct wh_store_conf conf = {
        .path = path,
        .families = sink_families,
        .n_families = SINK_FAMILY_COUNT,
        .cache_bytes = CACHE_BYTES,
        .memtable_bytes = MEMTABLE_BYTES,
        .read_only = true,
    };

    return wh_store_rocks_open(&conf, ret, err);
}

enum wh_rc backup_count_store(const char *path, int64_t expected,
                              const struct sink_backup_watch *watch, struct backup_count *ret,
                              struct wh_err *err)
{
    struct counting c = {.watch = watch, .to = ret, .expected = expected};
    struct wh_store *store = NULL;
    enum wh_rc rc;

    *ret = (struct backup_count){0};
    wh_buf_init(&ret->offsets, BACKUP_OFFSETS_MAX_BYTES);
    wh_json_writer_init(&c.offsets, &ret->offsets);
    wh_jw_array(&c.offsets);
    rc = open_store(path, &store, err);
    for (unsigned f = 0; rc == WH_OK && f < SINK_FAMILY_COUNT; f++) {
        rc = count_family(&c, store, f, err);
    }
    wh_store_free(store);
    if (rc != WH_OK) {
        return rc;
    }
    wh_jw_end(&c.offsets);
    return wh_jw_finish(&c.offsets, err) == WH_OK ? compare(ret, err) : err->rc;
}

bool backup_has_rows(const char *path)
{
    struct wh_store *store = NULL;
    struct wh_iter *it;
    struct wh_err err;
    bool has = true;

    if (open_store(path, &store, &err) == WH_OK &&
        wh_iter_new(store, NULL, SINK_ENTITIES, wh_slice("", 0), wh_slice("", 0), &it, &err) ==
            WH_OK) {
        wh_iter_seek(it, wh_slice("", 0), false);
        has = wh_iter_valid(it, NULL, NULL) || wh_iter_error(it, &err) != WH_OK;
        wh_iter_free(it);
    }
    wh_store_free(store);
    return has;
}

void backup_summarize(const struct backup_manifest *m, struct sink_backup_summary *ret)
{
    *ret = (struct sink_backup_summary){.bytes = m->files.bytes, .files = (int64_t)m->files.n};
    sum(&m->count, &ret->entities, &ret->revisions);
}
