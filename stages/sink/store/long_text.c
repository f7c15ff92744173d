#include "stages/sink/store/long_text.h"

#include "stages/sink/store/keyspace.h"

enum wh_rc sink_long_text_read(struct wh_store *store, const struct wh_snapshot *snap,
                               const struct wh_kind_def *def, const struct wh_entity_id *id,
                               unsigned field, struct wh_version set, struct wh_arena *arena,
                               struct wh_buf *bytes, struct wh_value *ret, struct wh_err *err)
{
    unsigned char key[SINK_REVISION_KEY];
    char text[WH_ENTITY_ID_TEXT + 1];
    bool found = false;

    sink_revision_key(key, id, set);
    wh_buf_reset(bytes);
    if (wh_store_get(store, snap, SINK_REVISIONS, wh_slice(key, sizeof(key)), bytes, &found, err) !=
        WH_OK) {
        return err->rc;
    }
    if (!found) {
        return wh_fail(err, WH_E_CORRUPT, "the revision that set %s of %s is not there",
                       def->fields[field].name, wh_entity_id_format(id, text));
    }
    return wh_entry_field(def, wh_buf_slice(bytes), field, arena, ret, err);
}
