/* GET /api/v1/entities/<id>: the head of an entity, and which revision set each field. */
#include <inttypes.h>
#include <stdio.h>

#include "common/event/history.h"
#include "stages/sink/api/api_priv.h"
#include "stages/sink/store/long_text.h"
#include "stages/sink/sql/field_json.h"

enum { VALUE_MAX_BYTES = 64 << 20, VERSION_TEXT = 33, KEY_MAX_BYTES = 5000 };

struct reading {
    struct api_job *job;
    struct wh_store *store;
    struct wh_snapshot *snap;
    const struct wh_kind_def *def;
    struct wh_head head;
    struct wh_buf value;
};

static const char *version_text(struct wh_version v, char text[VERSION_TEXT])
{
    (void)snprintf(text, VERSION_TEXT, "%016" PRIx64 "%016" PRIx64, v.order, v.tie);
    return text;
}

static void str(struct wh_json_writer *w, const char *key, struct wh_slice text)
{
    wh_jw_key(w, key);
    if (text.len) {
        wh_jw_str(w, text);
    } else {
        wh_jw_null(w);
    }
}

static void time_member(struct wh_json_writer *w, const char *key, int64_t ms)
{
    char text[WH_TIME_TEXT_MAX];

    wh_jw_key(w, key);
    wh_jw_str(w, wh_slice_str(wh_time_format(ms, text)));
}

static enum wh_rc find_head(struct reading *r, const struct wh_entity_id *id, struct wh_err *err)
{
    unsigned char key[SINK_ENTITY_KEY];
    struct wh_slice copy;
    bool found = false;

    for (unsigned k = WH_KIND_NONE + 1; k < WH_KIND_COUNT && !found; k++) {
        r->def = wh_kind_def((enum wh_kind)k);
        sink_entity_key(key, (enum wh_kind)k, id);
        wh_buf_reset(&r->value);
        if (wh_store_get(r->store, r->snap, SINK_ENTITIES, wh_slice(key, sizeof(key)), &r->value,
                         &found, err) != WH_OK) {
            return err->rc;
        }
    }
    if (!found) {
        return wh_fail(err, WH_E_NOT_FOUND, "no entity has this id");
    }
    /* The head points into its bytes; the buffer is used again. */
    if (wh_arena_dup(&r->job->arena, wh_buf_slice(&r->value), &copy, err) != WH_OK ||
        wh_head_decode(r->def, copy, &r->job->arena, &r->head, err) != WH_OK) {
        return err->rc;
    }
    r->head.id = *id;
    return WH_OK;
}

static bool present(const struct reading *r, unsigned field)
{
    return (r->head.body.present >> field & 1) != 0;
}

static enum wh_rc write_far(struct reading *r, struct wh_json_writer *w, unsigned field,
                            struct wh_err *err)
{
    struct wh_value value;

    if (sink_long_text_read(r->store, r->snap, r->def, &r->head.id, field, r->head.set[field],
                            &r->job->arena, &r->value, &value, err) != WH_OK) {
        return err->rc;
    }
    sql_field_json(w, r->def->fields[field].type, &value);
    return WH_OK;
}

static enum wh_rc write_fields(struct reading *r, struct wh_json_writer *w, struct wh_err *err)
{
    wh_jw_key(w, "fields");
    wh_jw_object(w);
    for (unsigned i = 0; i < r->def->n_fields; i++) {
        if (!present(r, i)) {
            continue;
        }
        wh_jw_key(w, r->def->fields[i].name);
        if (!r->head.body.values[i].is_far) {
            sql_field_json(w, r->def->fields[i].type, &r->head.body.values[i]);
        } else if (write_far(r, w, i, err) != WH_OK) {
            return err->rc;
        }
    }
    wh_jw_end(w);
    return WH_OK;
}

static void write_identity(const struct reading *r, struct wh_json_writer *w)
{
    char id[WH_ENTITY_ID_TEXT + 1];
    char version[VERSION_TEXT];
    const struct wh_head *h = &r->head;

    str(w, "id", wh_slice_str(wh_entity_id_format(&h->id, id)));
    str(w, "kind", wh_slice_str(r->def->name));
    str(w, "table", wh_slice_str(r->def->table));
    wh_jw_key(w, "source");
    wh_jw_object(w);
    str(w, "system", h->source.system);
    str(w, "instance", h->source.instance);
    str(w, "kind", h->source.kind);
    str(w, "project_id", h->source.project);
    str(w, "id", h->source.id);
    str(w, "iid", h->source.iid);
    str(w, "url", h->source.url);
    wh_jw_end(w);
    wh_jw_key(w, "deleted");
    wh_jw_bool(w, h->deleted);
    if (h->deleted) {
        str(w, "deleted_reason", h->reason);
        time_member(w, "deleted_at", wh_version_at_ms(h->deleted_version.order));
    }
    str(w, "version", wh_slice_str(version_text(h->version, version)));
    time_member(w, "version_at", wh_version_at_ms(h->version.order));
    time_member(w, "first_seen", h->first_seen_ms);
    time_member(w, "last_seen", h->last_seen_ms);
}

/* ---- who set a field ---- */

static enum wh_rc write_revision(struct reading *r, struct wh_json_writer *w, struct wh_version v,
                                 struct wh_err *err)
{
    unsigned char key[SINK_REVISION_KEY];
    struct wh_entry entry;
    bool found = false;

    sink_revision_key(key, &r->head.id, v);
    wh_buf_reset(&r->value);
    if (wh_store_get(r->store, r->snap, SINK_REVISIONS, wh_slice(key, sizeof(key)), &r->value,
                     &found, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_object(w);
    time_member(w, "version_at", wh_version_at_ms(v.order));
    if (found) {
        if (wh_entry_decode(r->def, wh_buf_slice(&r->value), &r->job->arena, &entry, err) !=
            WH_OK) {
            return err->rc;
        }
        str(w, "origin", wh_slice_str(wh_origin_name(entry.provenance.origin)));
        str(w, "delivery_id", entry.provenance.delivery_id);
        time_member(w, "observed_at", entry.provenance.observed_at_ms);
        str(w, "topic", entry.provenance.topic);
        wh_jw_key(w, "partition");
        wh_jw_int(w, entry.provenance.partition);
        wh_jw_key(w, "offset");
        wh_jw_int(w, entry.provenance.offset);
        str(w, "view", entry.provenance.view);
    }
    wh_jw_end(w);
    return WH_OK;
}

static bool is_first(const struct reading *r, unsigned field)
{
    for (unsigned i = 0; i < field; i++) {
        if (present(r, i) && wh_version_cmp(r->head.set[i], r->head.set[field]) == 0) {
            return false;
        }
    }
    return true;
}

/* set_by: field -> version; set_by_versions: version -> where it came from. */
static enum wh_rc write_provenance(struct reading *r, struct wh_json_writer *w, struct wh_err *err)
{
    char version[VERSION_TEXT];

    wh_jw_key(w, "set_by");
    wh_jw_object(w);
    for (unsigned i = 0; i < r->def->n_fields; i++) {
        if (present(r, i)) {
            str(w, r->def->fields[i].name, wh_slice_str(version_text(r->head.set[i], version)));
        }
    }
    wh_jw_end(w);
    wh_jw_key(w, "set_by_versions");
    wh_jw_object(w);
    for (unsigned i = 0; i < r->def->n_fields; i++) {
        if (!present(r, i) || !is_first(r, i)) {
            continue;
        }
        wh_jw_key(w, version_text(r->head.set[i], version));
        if (write_revision(r, w, r->head.set[i], err) != WH_OK) {
            return err->rc;
        }
    }
    wh_jw_end(w);
    return WH_OK;
}

static enum wh_rc count_prefix(struct reading *r, unsigned family, int64_t *ret, struct wh_err *err)
{
    unsigned char upper[WH_ENTITY_ID_BYTES + 1];
    struct wh_slice lower = wh_slice(r->head.id.bytes, WH_ENTITY_ID_BYTES);
    size_t upper_len = 0;
    struct wh_iter *it;
    struct wh_slice key;
    struct wh_slice value;
    enum wh_rc rc;

    memcpy(upper, lower.ptr, lower.len);
    for (size_t i = WH_ENTITY_ID_BYTES; i > 0 && upper_len == 0; i--) {
        upper_len = ++upper[i - 1] ? WH_ENTITY_ID_BYTES : 0;
    }
    if (wh_iter_new(r->store, r->snap, family, lower, wh_slice(upper, upper_len), &it, err) !=
        WH_OK) {
        return err->rc;
    }
    *ret = 0;
    for (wh_iter_seek(it, lower, false); wh_iter_valid(it, &key, &value); wh_iter_step(it, false)) {
        ++*ret;
    }
    rc = wh_iter_error(it, err);
    wh_iter_free(it);
    return rc;
}

static enum wh_rc write_counts(struct reading *r, struct wh_json_writer *w, struct wh_err *err)
{
    static const struct {
        const char *key;
        unsigned family;
    } counts[] = {
        {"links_out", SINK_LINKS}, {"links_in", SINK_BACKLINKS}, {"revisions", SINK_REVISIONS}};
    int64_t n = 0;

    wh_jw_key(w, "counts");
    wh_jw_object(w);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        if (count_prefix(r, counts[i].family, &n, err) != WH_OK) {
            return err->rc;
        }
        wh_jw_key(w, counts[i].key);
        wh_jw_int(w, n);
    }
    wh_jw_end(w);
    return WH_OK;
}

static enum wh_rc write_entity(struct reading *r, const struct wh_entity_id *id, struct wh_err *err)
{
    struct api_json j;
    enum wh_rc rc = find_head(r, id, err);

    if (rc != WH_OK) {
        return rc;
    }
    api_json_begin(&j);
    wh_jw_key(&j.w, "entity");
    wh_jw_object(&j.w);
    write_identity(r, &j.w);
    rc = write_fields(r, &j.w, err);
    if (rc == WH_OK) {
        rc = write_provenance(r, &j.w, err);
    }
    if (rc == WH_OK) {
        rc = write_counts(r, &j.w, err);
    }
    if (rc != WH_OK) {
        wh_buf_done(&j.buf);
        return rc;
    }
    wh_jw_end(&j.w);
    return api_json_end(&j, r->job, err);
}

enum wh_rc api_entity_json(struct api_job *job, const struct wh_entity_id *id, struct wh_err *err)
{
    struct reading r = {.job = job, .store = job->api->deps.store};
    enum wh_rc rc;

    if (wh_store_snapshot(r.store, &r.snap, err) != WH_OK) {
        return err->rc;
    }
    wh_buf_init(&r.value, VALUE_MAX_BYTES);
    rc = write_entity(&r, id, err);
    wh_buf_done(&r.value);
    wh_store_snapshot_free(r.store, r.snap);
    return rc;
}

enum wh_rc api_answer_entity(struct api_job *job, struct wh_err *err)
{
    struct wh_entity_id id;

    if (wh_entity_id_parse(job->id, &id, err) != WH_OK) {
        return wh_fail(err, WH_E_INVALID,
                       "the id is a uuid; to find one by its page use /api/v1/entities?url=");
    }
    return api_entity_json(job, &id, err);
}

/* ---- by the page at the source ---- */

static enum wh_rc lookup(struct api_job *job, struct wh_slice url, bool *ret_found,
                         struct wh_entity_id *ret, struct wh_err *err)
{
    struct wh_buf key;
    struct wh_buf value;
    enum wh_rc rc;

    wh_buf_init(&key, KEY_MAX_BYTES);
    wh_buf_init(&value, 64);
    rc = sink_url_key(url, &key, err);
    if (rc == WH_OK) {
        rc = wh_store_get(job->api->deps.store, NULL, SINK_SOURCE_IDS, wh_buf_slice(&key), &value,
                          ret_found, err);
    }
    if (rc == WH_OK && *ret_found) {
        *ret_found = value.len == SINK_ENTITY_KEY;
        if (*ret_found) {
            memcpy(ret->bytes, value.ptr + 1, sizeof(ret->bytes));
        }
    }
    wh_buf_done(&key);
    wh_buf_done(&value);
    return rc;
}

static size_t cut_at(struct wh_slice url, char mark)
{
    const char *at = url.len ? memchr(url.ptr, mark, url.len) : NULL;

    return at ? (size_t)(at - url.ptr) : url.len;
}

enum wh_rc api_find_url(struct api_job *job, struct wh_slice url, struct wh_entity_id *ret,
                        struct wh_err *err)
{
    bool found = false;

    /* As it is (a comment's page has a #mark), then without mark, query and slash. */
    if (lookup(job, url, &found, ret, err) != WH_OK) {
        return err->rc;
    }
    if (!found) {
        url.len = cut_at(url, '#');
        url.len = cut_at(url, '?');
        while (url.len && url.ptr[url.len - 1] == '/') {
            url.len--;
        }
        if (lookup(job, url, &found, ret, err) != WH_OK) {
            return err->rc;
        }
    }
    return found ? WH_OK : wh_fail(err, WH_E_NOT_FOUND, "no entity has this page at the source");
}
