/* Full-text search. */
#include "stages/sink/api/pages/pages_priv.h"

/* Without a text the page is only the box. */
static enum wh_rc answer_box(struct api_job *job, struct wh_err *err)
{
    struct api_json j;

    if (api_arg(&job->request, "_search").len || api_arg(&job->request, "q").len) {
        return api_answer_search(job, err);
    }
    api_json_begin(&j);
    wh_jw_put_bool(&j.w, "asked", false);
    return api_json_end(&j, job, err);
}

static const struct api_page pages[] = {
    {.path = "/search",
     .file = "search",
     .title = "Search",
     .section = "/search",
     .parts = {{.name = "search", .answer = answer_box, .has_rows = true}}},
};

const struct page_area page_area_search = PAGE_AREA(pages);
