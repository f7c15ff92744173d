/* One table of records. */
#include "stages/sink/api/pages/pages_priv.h"

static enum wh_rc answer_tables(struct api_job *job, struct wh_err *err)
{
    const struct sql_table_info *tables;
    struct api_json j;
    size_t n;

    tables = sql_tables(&n);
    api_json_begin(&j);
    wh_jw_key(&j.w, "list");
    wh_jw_array(&j.w);
    for (size_t i = 0; i < n; i++) {
        if (tables[i].kind != WH_KIND_NONE) {
            wh_jw_object(&j.w);
            wh_jw_put_str(&j.w, "name", wh_slice_str(tables[i].name));
            wh_jw_put_bool(&j.w, "current", wh_slice_eq(job->id, wh_slice_str(tables[i].name)));
            wh_jw_end(&j.w);
        }
    }
    wh_jw_end(&j.w);
    return api_json_end(&j, job, err);
}

static const struct api_page pages[] = {
    {.path = "/t/*",
     .file = "records",
     .title = "Records",
     .section = "/t/work_items",
     .named_by_id = true,
     .parts =
         {{.name = "list", .answer = api_answer_entities, .has_rows = true, .takes_kind = true},
          {.name = "tables", .answer = answer_tables}}},
};

const struct page_area page_area_records = PAGE_AREA(pages);
