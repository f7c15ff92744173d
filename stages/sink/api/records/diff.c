/*
 * The difference of two revisions of a record: its fields after each of them. A state is the newest value of each
 * field up to a revision, so that one pass over the history is enough for both.
 */
#include "common/base/mem.h"
#include "stages/sink/api/records/record_priv.h"

struct state {
    struct wh_version at;
    struct wh_entry *entry; /* that revision; NULL: it was not found */
    const struct wh_value *values[WH_FIELDS_MAX];
    bool deleted;
};

static enum wh_rc take(struct api_record *r, struct wh_slice key, struct wh_slice value,
                       struct state states[2], struct wh_err *err)
{
    struct wh_version version = {wh_be_get64(key.ptr + 16), wh_be_get64(key.ptr + 24)};
    struct wh_slice copy;
    struct wh_entry *e;
    void *memory;

    if (wh_arena_zalloc(&r->arena, 1, sizeof(*e), &memory, err) != WH_OK ||
        wh_arena_dup(&r->arena, value, &copy, err) != WH_OK) {
        return err->rc;
    }
    e = memory;
    if (wh_entry_decode(r->def, copy, &r->arena, e, err) != WH_OK) {
        return err->rc;
    }
    e->version = version;
    for (size_t s = 0; s < 2; s++) {
        if (wh_version_cmp(version, states[s].at) > 0) {
            continue;
        }
        for (unsigned i = 0; i < r->def->n_fields; i++) {
            if (e->delta.present >> i & 1) {
                states[s].values[i] = &e->delta.values[i];
            }
        }
        states[s].deleted = e->revision ? e->change == WH_CHANGE_DELETE : states[s].deleted;
        if (wh_version_cmp(version, states[s].at) == 0) {
            states[s].entry = e;
        }
    }
    return WH_OK;
}

static enum wh_rc read_states(struct api_record *r, struct state states[2], struct wh_err *err)
{
    const struct wh_slice prefix = wh_slice(r->id.bytes, WH_ENTITY_ID_BYTES);
    const struct wh_slice all = wh_slice("", 0);
    struct wh_iter *it = NULL;
    struct wh_slice value;
    struct wh_slice key;
    enum wh_rc rc = WH_OK;

    if (wh_iter_new(r->store, r->snap, SINK_REVISIONS, all, all, &it, err) != WH_OK) {
        return err->rc;
    }
    for (wh_iter_seek(it, prefix, false);
         rc == WH_OK && wh_iter_valid(it, &key, &value) && wh_slice_starts(key, prefix) &&
         key.len == SINK_REVISION_KEY;
         wh_iter_step(it, false)) {
        rc = take(r, key, value, states, err);
    }
    rc = rc == WH_OK ? wh_iter_error(it, err) : rc;
    wh_iter_free(it);
    return rc;
}

static bool same(const struct wh_field_def *field, const struct wh_value *a,
                 const struct wh_value *b)
{
    if (a == NULL || b == NULL || a->is_null || b->is_null) {
        return (a == NULL) == (b == NULL) && (a == NULL || a->is_null == b->is_null);
    }
    return wh_value_eq(field->type, a, b);
}

static enum wh_rc write_fields(struct api_record *r, const struct state states[2],
                               struct wh_json_writer *w, struct wh_err *err)
{
    int64_t unchanged = 0;

    wh_jw_key(w, "list");
    wh_jw_array(w);
    for (unsigned i = 0; i < r->def->n_fields; i++) {
        const struct wh_field_def *field = &r->def->fields[i];

        if (same(field, states[0].values[i], states[1].values[i])) {
            unchanged += states[0].values[i] != NULL;
            continue;
        }
        wh_jw_object(w);
        wh_jw_put_str(w, "field", wh_slice_str(field->name));
        if (api_record_value(r, w, "before", field, states[0].values[i], err) != WH_OK ||
            api_record_value(r, w, "after", field, states[1].values[i], err) != WH_OK) {
            return err->rc;
        }
        wh_jw_end(w);
    }
    wh_jw_end(w);
    wh_jw_put_int(w, "unchanged", unchanged);
    return WH_OK;
}

static void write_side(struct wh_json_writer *w, const char *key, const struct state *s)
{
    wh_jw_key(w, key);
    wh_jw_object(w);
    api_record_provenance(w, s->entry);
    wh_jw_put_bool(w, "deleted", s->deleted);
    wh_jw_end(w);
}

static enum wh_rc read_side(const struct api_record *r, const char *name, struct state *ret,
                            struct wh_err *err)
{
    return api_version_parse(api_arg(&r->job->request, name), &ret->at)
               ? WH_OK
               : wh_fail(err, WH_E_INVALID,
                         "from and to are versions of this record, as its history shows them");
}

static enum wh_rc write_diff(struct api_record *r, struct wh_json_writer *w, struct wh_err *err)
{
    struct state *states;
    void *memory;

    if (wh_arena_zalloc(&r->arena, 2, sizeof(*states), &memory, err) != WH_OK) {
        return err->rc;
    }
    states = memory;
    if (read_side(r, "from", &states[0], err) != WH_OK ||
        read_side(r, "to", &states[1], err) != WH_OK || read_states(r, states, err) != WH_OK) {
        return err->rc;
    }
    if (states[0].entry == NULL || states[1].entry == NULL) {
        return wh_fail(err, WH_E_NOT_FOUND, "this record has no such revision");
    }
    write_side(w, "from", &states[0]);
    write_side(w, "to", &states[1]);
    return write_fields(r, states, w, err);
}

enum wh_rc api_answer_diff(struct api_job *job, struct wh_err *err)
{
    return api_record_answer(job, write_diff, err);
}
