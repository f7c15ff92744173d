/* Values of raw events that could not be converted: each is stored under its place in the raw topic, so
 * that it counts once, however often its event is delivered or replayed. */
#include "common/base/mem.h"
#include "common/json/json_write.h"
#include "stages/sink/ingest/writer_priv.h"

enum { KEY_MAX_BYTES = 4096, DOCUMENT_MAX_BYTES = 4096 };

static enum wh_rc make_key(const char *connection, const struct wh_observation *o,
                           const struct wh_set_aside *s, struct wh_buf *out, struct wh_err *err)
{
    const struct wh_slice parts[] = {wh_slice_str(connection), o->provenance.view, s->pointer};
    unsigned char place[4 + 8];

    wh_be_put32(place, (uint32_t)o->provenance.partition);
    wh_be_put64(place + 4, (uint64_t)o->provenance.offset);
    if (wh_buf_append_char(out, 's', err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (memchr(parts[i].len ? parts[i].ptr : "", '\0', parts[i].len) ||
            wh_buf_append(out, parts[i], err) != WH_OK ||
            wh_buf_append_char(out, '\0', err) != WH_OK) {
            return wh_fail(err, WH_E_INVALID, "a value set aside has an unusable pointer");
        }
    }
    return wh_buf_append(out, wh_slice(place, sizeof(place)), err);
}

static enum wh_rc make_document(const struct wh_observation *o, const struct wh_set_aside *s,
                                struct wh_buf *out, struct wh_err *err)
{
    char id[WH_ENTITY_ID_TEXT + 1];
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "reason", s->reason);
    wh_jw_put_str(&w, "example", s->example);
    wh_jw_put_int(&w, "values", s->count);
    wh_jw_put_str(&w, "kind", wh_slice_str(o->body.def->name));
    wh_jw_put_str(&w, "entity", wh_slice_str(wh_entity_id_format(&o->id, id)));
    wh_jw_put_str(&w, "topic", o->provenance.topic);
    wh_jw_put_int(&w, "observed_at_ms", o->provenance.observed_at_ms);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

enum wh_rc sink_keep_set_aside(struct sink_writer *w, const char *connection,
                               const struct wh_observation *o, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf key;
    WH_AUTO(buf) struct wh_buf json;

    wh_buf_init(&key, KEY_MAX_BYTES);
    wh_buf_init(&json, DOCUMENT_MAX_BYTES);
    for (size_t i = 0; i < o->n_set_aside; i++) {
        wh_buf_reset(&key);
        wh_buf_reset(&json);
        if (make_key(connection, o, &o->set_aside[i], &key, err) != WH_OK ||
            make_document(o, &o->set_aside[i], &json, err) != WH_OK ||
            sink_apply_meta(w->apply, wh_buf_slice(&key), wh_buf_slice(&json), err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}
