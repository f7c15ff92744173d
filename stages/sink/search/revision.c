/* Which revision of an entity a former text stands in. */
#include "common/base/mem.h"
#include "stages/sink/search/search_priv.h"

enum { ENTRIES_MAX = 5000, SCRATCH_BLOCK_BYTES = 16 << 10, SCRATCH_MAX_BYTES = 64 << 20 };

enum wh_rc search_revision_number(struct wh_store *store, const struct wh_snapshot *snap,
                                  enum wh_kind kind, const struct wh_entity_id *id,
                                  struct wh_version version, int64_t *ret, struct wh_err *err)
{
    struct wh_slice prefix = wh_slice(id->bytes, sizeof(id->bytes));
    unsigned char last[SINK_REVISION_KEY];
    struct wh_arena scratch;
    struct wh_iter *it = NULL;
    struct wh_slice key;
    struct wh_slice value;
    size_t n = 0;
    enum wh_rc rc =
        wh_iter_new(store, snap, SINK_REVISIONS, prefix, (struct wh_slice){NULL, 0}, &it, err);

    *ret = 0;
    if (rc != WH_OK) {
        return rc;
    }
    sink_revision_key(last, id, version);
    wh_arena_init(&scratch, SCRATCH_BLOCK_BYTES, SCRATCH_MAX_BYTES);
    for (wh_iter_seek(it, prefix, false);
         rc == WH_OK && n < ENTRIES_MAX && wh_iter_valid(it, &key, &value) &&
         wh_slice_cmp(key, wh_slice(last, sizeof(last))) <= 0;
         wh_iter_step(it, false)) {
        struct wh_entry entry;

        wh_arena_reset(&scratch);
        rc = wh_entry_decode(wh_kind_def(kind), value, &scratch, &entry, err);
        *ret += rc == WH_OK && entry.revision;
        n++;
    }
    *ret = n < ENTRIES_MAX ? *ret : 0;
    rc = rc == WH_OK ? wh_iter_error(it, err) : rc;
    wh_arena_done(&scratch);
    wh_iter_free(it);
    return rc;
}
