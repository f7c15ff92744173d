/*
 * The relations of a record, by kind and field, in both directions. A field that refers to thousands of records
 * shows the first, how many there are as far as they were counted, and the table of all.
 */
#include <stdio.h>

#include "common/base/mem.h"
#include "stages/sink/api/records/record_priv.h"

enum { SHOWN_MAX = 12, COUNTED_MAX = 1000, GROUPS_MAX = 64 };

/* One field of one kind. */
struct group {
    enum wh_kind kind; /* of the record that has the reference */
    unsigned field;
    bool in;
};

static struct wh_slice group_key(const struct api_record *r, const struct group *g,
                                 unsigned char key[SINK_LINK_KEY])
{
    memcpy(key, r->id.bytes, sizeof(r->id.bytes));
    key[16] = (unsigned char)g->kind;
    key[17] = (unsigned char)g->field;
    return wh_slice(key, 18);
}

static enum wh_rc write_link(struct api_record *r, const struct group *g, struct wh_slice key,
                             struct wh_slice value, struct wh_json_writer *w, struct wh_err *err)
{
    const struct wh_field_def *field = &wh_kind_def(g->kind)->fields[g->field];
    char version[API_VERSION_TEXT + 1];
    char text[WH_ENTITY_ID_TEXT + 1];
    char at[WH_TIME_TEXT_MAX];
    struct wh_entity_id other;
    struct wh_version v;
    struct wh_slice name;

    memcpy(other.bytes, key.ptr + 18, sizeof(other.bytes));
    if (api_record_name(r, g->in ? g->kind : field->ref_kind, &other, &name, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_object(w);
    wh_jw_put_str(w, "id", wh_slice_str(wh_entity_id_format(&other, text)));
    wh_jw_put_str(w, "name", name);
    if (value.len >= 16) {
        v = (struct wh_version){wh_be_get64(value.ptr), wh_be_get64(value.ptr + 8)};
        wh_jw_put_str(w, "version", wh_slice_str(api_version_text(v, version)));
        wh_jw_put_str(w, "since", wh_slice_str(wh_time_format(wh_version_at_ms(v.order), at)));
    }
    wh_jw_end(w);
    return WH_OK;
}

static void write_all_url(const struct api_record *r, const struct group *g,
                          struct wh_json_writer *w)
{
    const struct wh_kind_def *def = wh_kind_def(g->kind);
    const struct wh_field_def *field = &def->fields[g->field];
    char id[WH_ENTITY_ID_TEXT + 1];
    char url[256];

    (void)snprintf(url, sizeof(url), "/t/%s?%s%s=%s", def->table, field->name,
                   field->type == WH_FIELD_REFS ? "__arraycontains" : "",
                   wh_entity_id_format(&r->id, id));
    wh_jw_put_str(w, "all_url", wh_slice_str(url));
}

/* The iterator is at the first key of the group, and behind its last one that was counted afterwards. */
static enum wh_rc write_group(struct api_record *r, const struct group *g, struct wh_iter *it,
                              struct wh_json_writer *w, struct wh_err *err)
{
    const struct wh_kind_def *def = wh_kind_def(g->kind);
    unsigned char prefix[SINK_LINK_KEY];
    struct wh_slice starts = group_key(r, g, prefix);
    struct wh_slice value;
    struct wh_slice key;
    int64_t n = 0;

    wh_jw_object(w);
    wh_jw_put_str(w, "direction", g->in ? WH_LIT("in") : WH_LIT("out"));
    wh_jw_put_str(w, "relation", wh_slice_str(def->fields[g->field].name));
    wh_jw_put_str(w, "kind", wh_slice_str(def->name));
    wh_jw_put_bool(w, "in", g->in);
    wh_jw_put_str(w, "rule", wh_slice_str(def->fields[g->field].doc));
    wh_jw_key(w, "items");
    wh_jw_array(w);
    while (n < COUNTED_MAX && wh_iter_valid(it, &key, &value) && wh_slice_starts(key, starts) &&
           key.len == SINK_LINK_KEY) {
        if (n < SHOWN_MAX && write_link(r, g, key, value, w, err) != WH_OK) {
            return err->rc;
        }
        n++;
        wh_iter_step(it, false);
    }
    wh_jw_end(w);
    wh_jw_put_int(w, "count", n);
    wh_jw_put_bool(w, "more", n > SHOWN_MAX);
    wh_jw_put_bool(w, "count_is_least", n == COUNTED_MAX);
    if (g->in) {
        write_all_url(r, g, w);
    }
    wh_jw_end(w);
    return WH_OK;
}

static bool read_group(struct wh_slice key, bool in, struct group *ret)
{
    const struct wh_kind_def *def;

    if (key.len != SINK_LINK_KEY) {
        return false;
    }
    def = wh_kind_def((enum wh_kind)(unsigned char)key.ptr[16]);
    *ret = (struct group){def ? def->kind : WH_KIND_NONE, (unsigned char)key.ptr[17], in};
    return def && ret->field < def->n_fields;
}

static enum wh_rc write_direction(struct api_record *r, bool in, struct wh_json_writer *w,
                                  struct wh_err *err)
{
    const struct wh_slice prefix = wh_slice(r->id.bytes, WH_ENTITY_ID_BYTES);
    const struct wh_slice all = wh_slice("", 0);
    struct wh_iter *it = NULL;
    unsigned char next[SINK_LINK_KEY + 1];
    struct wh_slice value;
    struct wh_slice key;
    struct group g;
    enum wh_rc rc = WH_OK;

    if (wh_iter_new(r->store, r->snap, in ? SINK_BACKLINKS : SINK_LINKS, all, all, &it, err) !=
        WH_OK) {
        return err->rc;
    }
    wh_iter_seek(it, prefix, false);
    for (int i = 0; rc == WH_OK && i < GROUPS_MAX && wh_iter_valid(it, &key, &value) &&
                    wh_slice_starts(key, prefix) && read_group(key, in, &g);
         i++) {
        rc = write_group(r, &g, it, w, err);
        (void)group_key(r, &g, next);
        memset(next + 18, 0xff, sizeof(next) - 18);
        wh_iter_seek(it, wh_slice(next, sizeof(next)), false);
    }
    rc = rc == WH_OK ? wh_iter_error(it, err) : rc;
    wh_iter_free(it);
    return rc;
}

static enum wh_rc write_relations(struct api_record *r, struct wh_json_writer *w,
                                  struct wh_err *err)
{
    wh_jw_key(w, "list");
    wh_jw_array(w);
    if (write_direction(r, false, w, err) != WH_OK || write_direction(r, true, w, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_end(w);
    return WH_OK;
}

enum wh_rc api_answer_relations(struct api_job *job, struct wh_err *err)
{
    return api_record_answer(job, write_relations, err);
}
