/* One record: its fields with what set them, its relations, its history, and the difference of two revisions. */
#include "common/base/mem.h"
#include "common/json/json_copy.h"
#include "stages/sink/api/pages/pages_priv.h"
#include "stages/sink/api/pages/records_priv.h"
#include "stages/sink/api/records/record_priv.h"

/* The answer of /api/v1/entities/ID, and what of it explains a field. */
struct entity {
    struct wh_json_val fields;
    struct wh_json_val set_by;
    struct wh_json_val versions;
};

/* ---- fields ---- */

/* Where the references of a value lead. */
static enum wh_rc write_refs(struct api_record *r, struct wh_json_writer *w,
                             const struct wh_field_def *field, struct wh_json_val v,
                             struct wh_err *err)
{
    struct wh_json_iter it = wh_json_iter(v);
    bool many = wh_json_type(v) == WH_JSON_ARRAY;
    struct wh_json_val item = v;

    wh_jw_key(w, "refs");
    wh_jw_array(w);
    while (many ? wh_json_next(&it, NULL, &item) : wh_json_type(item) == WH_JSON_STRING) {
        struct wh_entity_id id;
        struct wh_slice name;

        if (wh_entity_id_parse(wh_json_string(item), &id, err) != WH_OK ||
            api_record_name(r, field->ref_kind, &id, &name, err) != WH_OK) {
            return err->rc;
        }
        wh_jw_object(w);
        wh_jw_put_str(w, "id", wh_json_string(item));
        wh_jw_put_str(w, "name", name);
        wh_jw_end(w);
        if (!many) {
            break;
        }
    }
    wh_jw_end(w);
    return WH_OK;
}

/* The revision that set the field: when, by which way, and where its raw event is. */
static void write_setter(struct wh_json_writer *w, struct wh_slice name, const struct entity *e)
{
    static const char *const keys[] = {"version_at", "origin", "observed_at", "topic",
                                       "partition",  "offset", "view",        "delivery_id"};
    struct wh_json_val version;
    struct wh_json_val setter;
    struct wh_json_val v;

    if (!wh_json_get(e->set_by, name, &version) ||
        !wh_json_get(e->versions, wh_json_string(version), &setter)) {
        return;
    }
    wh_jw_put_str(w, "version", wh_json_string(version));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (wh_json_get(setter, wh_slice_str(keys[i]), &v)) {
            wh_jw_key(w, keys[i]);
            wh_jw_value(w, v);
        }
    }
}

static enum wh_rc write_field(struct api_record *r, struct wh_json_writer *w, struct wh_slice name,
                              struct wh_json_val v, const struct entity *e, struct wh_err *err)
{
    int number = wh_kind_field(r->def, name);
    const struct wh_field_def *field = number >= 0 ? &r->def->fields[number] : NULL;
    bool is_ref = field && (field->type == WH_FIELD_REF || field->type == WH_FIELD_REFS);
    bool is_text = wh_json_type(v) == WH_JSON_STRING;
    bool is_markdown =
        is_text && (wh_slice_eq(name, WH_LIT("description")) || wh_slice_eq(name, WH_LIT("text")));

    wh_jw_object(w);
    wh_jw_put_str(w, "name", name);
    wh_jw_put_str(w, "meaning", wh_slice_str(field ? field->doc : ""));
    wh_jw_key(w, is_ref ? "ids" : wh_json_type(v) == WH_JSON_ARRAY ? "items" : "value");
    wh_jw_value(w, v);
    if (wh_json_type(v) == WH_JSON_BOOL) {
        wh_jw_put_str(w, "text", wh_json_bool(v) ? WH_LIT("yes") : WH_LIT("no"));
    } else if (!is_ref && wh_json_type(v) != WH_JSON_ARRAY) {
        wh_jw_key(w, "text");
        wh_jw_value(w, v);
    }
    wh_jw_put_bool(w, "markdown", is_markdown);
    wh_jw_put_bool(w, "web", is_text && wh_slice_starts(wh_json_string(v), WH_LIT("http")));
    if (is_ref && write_refs(r, w, field, v, err) != WH_OK) {
        return err->rc;
    }
    write_setter(w, name, e);
    wh_jw_end(w);
    return WH_OK;
}

static bool read_entity(struct wh_json_val root, struct entity *ret)
{
    struct wh_json_val v;

    return wh_json_get(root, WH_LIT("entity"), &v) &&
           wh_json_get(v, WH_LIT("fields"), &ret->fields) &&
           wh_json_get(v, WH_LIT("set_by"), &ret->set_by) &&
           wh_json_get(v, WH_LIT("set_by_versions"), &ret->versions);
}

static bool is_empty(struct wh_json_val v)
{
    struct wh_json_iter items = wh_json_iter(v);
    struct wh_json_val item;

    return wh_json_type(v) == WH_JSON_NULL ||
           (wh_json_type(v) == WH_JSON_ARRAY && !wh_json_next(&items, NULL, &item));
}

/* The fields that say something, and those that are known to be empty. */
static enum wh_rc write_list(struct api_record *r, struct wh_json_writer *w, const struct entity *e,
                             struct wh_err *err)
{
    for (int empty = 0; empty < 2; empty++) {
        struct wh_json_iter it = wh_json_iter(e->fields);
        struct wh_json_val v;
        struct wh_slice name;

        wh_jw_key(w, empty ? "empty" : "list");
        wh_jw_array(w);
        while (wh_json_next(&it, &name, &v)) {
            if (is_empty(v) == empty && write_field(r, w, name, v, e, err) != WH_OK) {
                return err->rc;
            }
        }
        wh_jw_end(w);
    }
    return WH_OK;
}

static enum wh_rc write_fields(struct api_record *r, struct wh_json_writer *w, struct wh_err *err)
{
    const struct page_part part = {.name = "entity", .answer = api_answer_entity};
    struct wh_json_parser *parser = wh_json_parser_new(PAGE_PART_MAX_BYTES, PAGE_DEPTH_MAX);
    WH_AUTO(buf) struct wh_buf text;
    struct wh_json_val root;
    struct wh_slice name;
    struct entity e;
    enum wh_rc rc;

    wh_buf_init(&text, PAGE_PART_MAX_BYTES);
    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a parser");
    }
    rc = page_capture(r->job, &part, &text, err);
    rc = rc == WH_OK ? wh_json_parse(parser, wh_buf_slice(&text), &root, err) : rc;
    rc = rc == WH_OK ? api_record_name(r, r->def->kind, &r->id, &name, err) : rc;
    if (rc == WH_OK) {
        wh_jw_put_str(w, "title", name);
        rc = read_entity(root, &e) ? write_list(r, w, &e, err)
                                   : wh_fail(err, WH_E_INTERNAL, "an entity without fields");
    }
    wh_json_parser_free(parser);
    return rc;
}

static enum wh_rc answer_fields(struct api_job *job, struct wh_err *err)
{
    return api_record_answer(job, write_fields, err);
}

/* ---- relations that rules compute ---- */

#define BY_RULES                                                                                   \
    "select 'service' as relation, service as id, service_name as name, rule from "                \
    "incident_services where incident = :id union all select 'follow-up', work_item, title, rule " \
    "from incident_follow_ups where incident = :id union all select 'postmortem', work_item, "     \
    "work_item_url, rule from postmortems where incident = :id union all select 'team member', "   \
    "team_member, team_member_name, rule from accounts where id = :id and team_member <> :id"

static enum wh_rc answer_by_rules(struct api_job *job, struct wh_err *err)
{
    return page_answer_listed(job, BY_RULES, err);
}

static const struct api_page pages[] = {
    {.path = "/e/*",
     .file = "entity",
     .title = "Record",
     .section = "/t/work_items",
     .parts = {{.name = "entity", .answer = api_answer_entity},
               {.name = "fields", .answer = answer_fields},
               {.name = "history", .answer = api_answer_history},
               {.name = "relations", .answer = api_answer_relations},
               {.name = "by_rules", .answer = answer_by_rules}}},
    {.path = "/e/*/diff",
     .file = "diff",
     .title = "Difference",
     .section = "/t/work_items",
     .parts = {{.name = "diff", .answer = api_answer_diff},
               {.name = "fields", .answer = answer_fields}}},
};

const struct page_area page_area_entity = PAGE_AREA(pages);
