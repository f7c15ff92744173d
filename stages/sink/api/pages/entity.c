/* One record: its fields with what set them, its relations, its history. */
#include "common/base/mem.h"
#include "common/json/json_copy.h"
#include "stages/sink/api/pages/pages_priv.h"

/* The fields of the entity one by one, each with the revision that set it. */
static void write_field(struct wh_json_writer *w, struct wh_slice name, struct wh_json_val v,
                        struct wh_json_val set_by, struct wh_json_val versions)
{
    struct wh_json_val version;
    struct wh_json_val setter;
    struct wh_json_val at;
    bool is_list = wh_json_type(v) == WH_JSON_ARRAY;

    wh_jw_object(w);
    wh_jw_put_str(w, "name", name);
    wh_jw_key(w, is_list ? "items" : "value");
    wh_jw_value(w, v);
    wh_jw_put_bool(w, "long", wh_json_type(v) == WH_JSON_STRING && wh_json_string(v).len > 80);
    if (wh_json_get(set_by, name, &version) &&
        wh_json_get(versions, wh_json_string(version), &setter)) {
        if (wh_json_get(setter, WH_LIT("version_at"), &at)) {
            wh_jw_put_str(w, "at", wh_json_string(at));
        }
        if (wh_json_get(setter, WH_LIT("view"), &at)) {
            wh_jw_put_str(w, "view", wh_json_string(at));
        }
    }
    wh_jw_end(w);
}

static enum wh_rc write_fields(struct api_job *job, struct wh_slice entity, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(PAGE_PART_MAX_BYTES, PAGE_DEPTH_MAX);
    struct wh_json_val root;
    struct wh_json_val fields;
    struct wh_json_val set_by;
    struct wh_json_val versions;
    struct wh_json_iter it;
    struct wh_json_val v;
    struct wh_slice key;
    struct api_json j;

    if (parser == NULL || wh_json_parse(parser, entity, &root, err) != WH_OK) {
        wh_json_parser_free(parser);
        return parser ? err->rc : wh_fail(err, WH_E_NOMEM, "no memory for a parser");
    }
    api_json_begin(&j);
    wh_jw_key(&j.w, "list");
    wh_jw_array(&j.w);
    if (wh_json_get(root, WH_LIT("fields"), &fields) &&
        wh_json_get(root, WH_LIT("set_by"), &set_by) &&
        wh_json_get(root, WH_LIT("set_by_versions"), &versions)) {
        it = wh_json_iter(fields);
        while (wh_json_next(&it, &key, &v)) {
            write_field(&j.w, key, v, set_by, versions);
        }
    }
    wh_jw_end(&j.w);
    wh_json_parser_free(parser);
    return api_json_end(&j, job, err);
}

static enum wh_rc answer_fields(struct api_job *job, struct wh_err *err)
{
    const struct page_part entity = {.name = "entity", .answer = api_answer_entity};
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, PAGE_PART_MAX_BYTES);
    return page_capture(job, &entity, &text, err) == WH_OK
               ? write_fields(job, wh_buf_slice(&text), err)
               : err->rc;
}

static const struct api_page pages[] = {
    {.path = "/e/*",
     .file = "entity",
     .title = "Record",
     .section = "/t/work_items",
     .parts = {{.name = "entity", .answer = api_answer_entity},
               {.name = "fields", .answer = answer_fields},
               {.name = "links",
                .sql =
                    "select relation, to_kind as kind, to_id as record, to_url as url, version_at "
                    "as since from links where from_id = :id union all select relation || ' "
                    "(of)', from_kind, from_id, from_url, version_at from links where to_id = :id "
                    "limit 200"},
               {.name = "revisions",
                .sql =
                    "select version_at, origin, observed_at, changed, view, topic, \"partition\", "
                    "\"offset\" from revisions where entity_id = :id and revision order by "
                    "version desc limit 100"}}},
};

const struct page_area page_area_entity = PAGE_AREA(pages);
