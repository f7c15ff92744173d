/* A record as people read it: names instead of ids. */
#include <stdio.h>

#include "common/base/mem.h"
#include "stages/sink/api/records/record_priv.h"
#include "stages/sink/sql/field_json.h"

enum {
    BLOCK_BYTES = 256 << 10,
    ARENA_MAX_BYTES = 256 << 20,
    HEAD_MAX_BYTES = 32 << 20,
    TEXT_MAX_BYTES = 4 << 20
};

/* ---- versions ---- */

const char *api_version_text(struct wh_version v, char text[API_VERSION_TEXT + 1])
{
    (void)snprintf(text, API_VERSION_TEXT + 1, "%016llx%016llx", (unsigned long long)v.order,
                   (unsigned long long)v.tie);
    return text;
}

static bool hex64(const char *text, uint64_t *ret)
{
    static const char digits[] = "0123456789abcdef";

    *ret = 0;
    for (size_t i = 0; i < 16; i++) {
        const char *at = text[i] ? strchr(digits, text[i]) : NULL;

        if (at == NULL) {
            return false;
        }
        *ret = *ret << 4 | (uint64_t)(at - digits);
    }
    return true;
}

bool api_version_parse(struct wh_slice text, struct wh_version *ret)
{
    return text.len == API_VERSION_TEXT && hex64(text.ptr, &ret->order) &&
           hex64(text.ptr + 16, &ret->tie);
}

/* ---- heads ---- */

static enum wh_rc get_head(struct api_record *r, enum wh_kind kind, const struct wh_entity_id *id,
                           struct wh_slice *ret, bool *ret_found, struct wh_err *err)
{
    unsigned char key[SINK_ENTITY_KEY];
    WH_AUTO(buf) struct wh_buf value;

    wh_buf_init(&value, HEAD_MAX_BYTES);
    sink_entity_key(key, kind, id);
    if (wh_store_get(r->store, r->snap, SINK_ENTITIES, wh_slice(key, sizeof(key)), &value,
                     ret_found, err) != WH_OK) {
        return err->rc;
    }
    return *ret_found ? wh_arena_dup(&r->arena, wh_buf_slice(&value), ret, err) : WH_OK;
}

static enum wh_rc find_kind(struct api_record *r, struct wh_err *err)
{
    for (unsigned k = WH_KIND_NONE + 1; k < WH_KIND_COUNT; k++) {
        struct wh_slice head;
        bool found = false;

        if (get_head(r, (enum wh_kind)k, &r->id, &head, &found, err) != WH_OK) {
            return err->rc;
        }
        if (found) {
            r->def = wh_kind_def((enum wh_kind)k);
            return WH_OK;
        }
    }
    return wh_fail(err, WH_E_NOT_FOUND, "no entity has this id");
}

/* ---- names ---- */

/* The first of the fields that has a text. */
static enum wh_rc name_in(struct api_record *r, const struct wh_kind_def *def, struct wh_slice body,
                          struct wh_slice *ret, struct wh_err *err)
{
    static const char *const fields[] = {"title", "path", "name", "username", "tag"};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        int field = wh_kind_field(def, wh_slice_str(fields[i]));
        struct wh_value value;
        bool present = false;

        if (field < 0) {
            continue;
        }
        if (wh_body_decode_field(def, body, (unsigned)field, &r->arena, &present, &value, err) !=
            WH_OK) {
            return err->rc;
        }
        if (present && !value.is_null && !value.is_far && value.u.str.len) {
            *ret = value.u.str;
            return WH_OK;
        }
    }
    return WH_OK;
}

/* Such as "pipeline 17". */
static enum wh_rc number_name(struct api_record *r, const struct wh_source_id *source,
                              struct wh_slice *ret, struct wh_err *err)
{
    struct wh_slice number = source->iid.len ? source->iid : source->id;
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, TEXT_MAX_BYTES);
    return wh_buf_printf(&text, err, "%.*s %.*s", WH_SLICE_ARG(source->kind),
                         WH_SLICE_ARG(number)) == WH_OK
               ? wh_arena_dup(&r->arena, wh_buf_slice(&text), ret, err)
               : err->rc;
}

static enum wh_rc read_name(struct api_record *r, enum wh_kind kind, const struct wh_entity_id *id,
                            struct wh_slice *ret, struct wh_err *err)
{
    char text[WH_ENTITY_ID_TEXT + 1];
    struct wh_head_view view;
    struct wh_slice head;
    bool found = false;

    *ret = wh_slice("", 0);
    if (get_head(r, kind, id, &head, &found, err) != WH_OK) {
        return err->rc;
    }
    if (!found) {
        return wh_arena_dup(&r->arena, wh_slice_str(wh_entity_id_format(id, text)), ret, err);
    }
    if (wh_head_view(head, &view, err) != WH_OK ||
        name_in(r, wh_kind_def(kind), view.body, ret, err) != WH_OK) {
        return err->rc;
    }
    return ret->len ? WH_OK : number_name(r, &view.source, ret, err);
}

enum wh_rc api_record_name(struct api_record *r, enum wh_kind kind, const struct wh_entity_id *id,
                           struct wh_slice *ret, struct wh_err *err)
{
    for (size_t i = 0; i < r->n_names; i++) {
        if (wh_entity_id_cmp(&r->names[i].id, id) == 0) {
            *ret = r->names[i].name;
            return WH_OK;
        }
    }
    if (read_name(r, kind, id, ret, err) != WH_OK) {
        return err->rc;
    }
    if (r->n_names < API_RECORD_NAMES_MAX) {
        r->names[r->n_names++] = (struct api_record_name){*id, *ret};
    }
    return WH_OK;
}

/* ---- values ---- */

static enum wh_rc put_refs(struct api_record *r, struct wh_json_writer *w,
                           const struct wh_field_def *field, const struct wh_entity_id *ids,
                           size_t n, struct wh_err *err)
{
    char text[WH_ENTITY_ID_TEXT + 1];

    wh_jw_key(w, "refs");
    wh_jw_array(w);
    for (size_t i = 0; i < n; i++) {
        struct wh_slice name;

        if (api_record_name(r, field->ref_kind, &ids[i], &name, err) != WH_OK) {
            return err->rc;
        }
        wh_jw_object(w);
        wh_jw_put_str(w, "id", wh_slice_str(wh_entity_id_format(&ids[i], text)));
        wh_jw_put_str(w, "name", name);
        wh_jw_end(w);
    }
    wh_jw_end(w);
    return WH_OK;
}

static void put_number(struct wh_json_writer *w, const char *format, int64_t i, double num)
{
    char text[48];

    if (format) {
        (void)snprintf(text, sizeof(text), "%lld", (long long)i);
    } else {
        (void)snprintf(text, sizeof(text), "%.12g", num);
    }
    wh_jw_put_str(w, "text", wh_slice_str(text));
}

static enum wh_rc put_texts(struct wh_json_writer *w, const struct wh_value *v, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, TEXT_MAX_BYTES);
    for (size_t i = 0; i < v->u.strs.n; i++) {
        if (wh_buf_printf(&text, err, "%s%.*s", i ? ", " : "", WH_SLICE_ARG(v->u.strs.items[i])) !=
            WH_OK) {
            return err->rc;
        }
    }
    wh_jw_put_str(w, "text", wh_buf_slice(&text));
    return WH_OK;
}

static enum wh_rc put_text(struct api_record *r, struct wh_json_writer *w,
                           const struct wh_field_def *field, const struct wh_value *v,
                           struct wh_err *err)
{
    char at[WH_TIME_TEXT_MAX];

    switch (field->type) {
    case WH_FIELD_LONG:
        put_number(w, "", v->u.i, 0);
        return WH_OK;
    case WH_FIELD_DOUBLE:
        put_number(w, NULL, 0, v->u.num);
        return WH_OK;
    case WH_FIELD_BOOL:
        wh_jw_put_str(w, "text", v->u.b ? WH_LIT("yes") : WH_LIT("no"));
        return WH_OK;
    case WH_FIELD_TIME:
        wh_jw_put_str(w, "text", wh_slice_str(wh_time_format(v->u.i, at)));
        return WH_OK;
    case WH_FIELD_STRINGS:
        return put_texts(w, v, err);
    case WH_FIELD_REF:
        return put_refs(r, w, field, &v->u.ref, 1, err);
    case WH_FIELD_REFS:
        return put_refs(r, w, field, v->u.refs.items, v->u.refs.n, err);
    case WH_FIELD_STRING:
    default:
        wh_jw_put_str(w, "text", v->u.str);
        return WH_OK;
    }
}

static bool is_none(const struct wh_field_def *field, const struct wh_value *v)
{
    return v->is_null || (field->type == WH_FIELD_STRINGS && v->u.strs.n == 0) ||
           (field->type == WH_FIELD_REFS && v->u.refs.n == 0);
}

enum wh_rc api_record_value(struct api_record *r, struct wh_json_writer *w, const char *key,
                            const struct wh_field_def *field, const struct wh_value *value,
                            struct wh_err *err)
{
    wh_jw_key(w, key);
    wh_jw_object(w);
    wh_jw_put_bool(w, "known", value != NULL);
    if (value && value->is_far) {
        wh_jw_put_bool(w, "known", false);
    } else if (value) {
        wh_jw_put_bool(w, "none", is_none(field, value));
        wh_jw_key(w, "value");
        sql_field_json(w, field->type, value);
        if (!is_none(field, value) && put_text(r, w, field, value, err) != WH_OK) {
            return err->rc;
        }
    }
    wh_jw_end(w);
    return WH_OK;
}

/* ---- provenance ---- */

static void put_time(struct wh_json_writer *w, const char *key, int64_t ms)
{
    char text[WH_TIME_TEXT_MAX];

    if (ms) {
        wh_jw_put_str(w, key, wh_slice_str(wh_time_format(ms, text)));
    }
}

static void put_some(struct wh_json_writer *w, const char *key, struct wh_slice text)
{
    if (text.len) {
        wh_jw_put_str(w, key, text);
    }
}

void api_record_provenance(struct wh_json_writer *w, const struct wh_entry *e)
{
    const struct wh_provenance *p = &e->provenance;
    char version[API_VERSION_TEXT + 1];

    wh_jw_put_str(w, "version", wh_slice_str(api_version_text(e->version, version)));
    put_time(w, "version_at", wh_version_at_ms(e->version.order));
    put_time(w, "observed_at", p->observed_at_ms);
    put_time(w, "stored_at", e->stored_ms);
    wh_jw_put_str(w, "change", e->change == WH_CHANGE_DELETE ? WH_LIT("delete") : WH_LIT("upsert"));
    put_some(w, "reason", e->reason);
    wh_jw_put_str(w, "origin", wh_slice_str(wh_origin_name(p->origin)));
    put_some(w, "delivery_id", p->delivery_id);
    put_some(w, "topic", p->topic);
    wh_jw_put_int(w, "partition", p->partition);
    wh_jw_put_int(w, "offset", p->offset);
    put_some(w, "view", p->view);
}

/* ---- the answer ---- */

static enum wh_rc write_answer(struct api_record *r,
                               enum wh_rc (*write)(struct api_record *r, struct wh_json_writer *w,
                                                   struct wh_err *err),
                               struct wh_err *err)
{
    struct api_json j;

    api_json_begin(&j);
    if (find_kind(r, err) != WH_OK || write(r, &j.w, err) != WH_OK) {
        wh_buf_done(&j.buf);
        return err->rc;
    }
    return api_json_end(&j, r->job, err);
}

enum wh_rc api_record_answer(struct api_job *job,
                             enum wh_rc (*write)(struct api_record *r, struct wh_json_writer *w,
                                                 struct wh_err *err),
                             struct wh_err *err)
{
    struct wh_snapshot *snap = NULL;
    struct api_record *r;
    void *memory;
    enum wh_rc rc;

    if (wh_arena_zalloc(&job->arena, 1, sizeof(*r), &memory, err) != WH_OK) {
        return err->rc;
    }
    r = memory;
    r->job = job;
    r->store = job->api->deps.store;
    if (wh_entity_id_parse(job->id, &r->id, err) != WH_OK) {
        return wh_fail(err, WH_E_INVALID, "the id is a uuid");
    }
    if (wh_store_snapshot(r->store, &snap, err) != WH_OK) {
        return err->rc;
    }
    r->snap = snap;
    wh_arena_init(&r->arena, BLOCK_BYTES, ARENA_MAX_BYTES);
    rc = write_answer(r, write, err);
    wh_arena_done(&r->arena);
    wh_store_snapshot_free(r->store, snap);
    return rc;
}
