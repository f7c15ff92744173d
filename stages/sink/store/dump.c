#include "stages/sink/store/dump.h"

#include <inttypes.h>

#include "common/base/hash.h"
#include "stages/sink/store/keyspace.h"

static bool dump_one(struct wh_slice key, struct wh_slice value, FILE *out)
{
    const struct wh_kind_def *def = wh_kind_def((enum wh_kind)(unsigned char)key.ptr[0]);
    struct wh_hash128 hash = wh_hash128(value);
    char text[WH_ENTITY_ID_TEXT + 1];
    struct wh_entity_id id;

    memcpy(id.bytes, key.ptr + 1, sizeof(id.bytes));
    return fprintf(out, "%s %s %zu %016" PRIx64 "%016" PRIx64 "\n", def ? def->name : "unknown",
                   wh_entity_id_format(&id, text), value.len, hash.high, hash.low) > 0;
}

enum wh_rc sink_dump_heads(struct wh_store *store, FILE *out, struct wh_err *err)
{
    struct wh_slice key;
    struct wh_slice value;
    struct wh_iter *it;
    enum wh_rc rc = WH_OK;

    if (wh_iter_new(store, NULL, SINK_ENTITIES, wh_slice("", 0), wh_slice("", 0), &it, err) !=
        WH_OK) {
        return err->rc;
    }
    for (wh_iter_seek(it, wh_slice("", 0), false); rc == WH_OK && wh_iter_valid(it, &key, &value);
         wh_iter_step(it, false)) {
        if (key.len != SINK_ENTITY_KEY) {
            rc = wh_fail(err, WH_E_CORRUPT, "an entity's key has %zu bytes", key.len);
        } else if (!dump_one(key, value, out)) {
            rc = wh_fail(err, WH_E_IO, "the heads cannot be written out");
        }
    }
    if (rc == WH_OK) {
        rc = wh_iter_error(it, err);
    }
    wh_iter_free(it);
    return rc;
}
