/* Saved views: the list, and forms that add and delete one. */
#include "common/base/mem.h"
#include "stages/sink/api/pages/pages_priv.h"
#include "stages/sink/views/views.h"

static enum wh_rc answer_views(struct api_job *job, struct wh_err *err)
{
    struct api_json j;

    api_json_begin(&j);
    wh_jw_key(&j.w, "list");
    views_write(job->api->views, wh_slice("", 0), &j.w);
    return api_json_end(&j, job, err);
}

/* The form has a name and an address, or the id of a view to delete. */
static enum wh_rc act(struct api_job *job, struct wh_err *err)
{
    struct wh_slice path = api_arg(&job->request, "path");
    char id[VIEW_ID_TEXT + 1];

    if (api_arg(&job->request, "delete").ptr) {
        return views_end(job->api->views, api_arg(&job->request, "delete"), err);
    }
    return api_save_view(job, api_arg(&job->request, "name"), path, id, err) == WH_OK
               ? page_go(job, path, err)
               : err->rc;
}

static const struct api_page pages[] = {
    {.path = "/views",
     .file = "views",
     .title = "Saved views",
     .section = "/views",
     .act = act,
     .parts = {{.name = "views", .answer = answer_views}}},
};

const struct page_area page_area_views = PAGE_AREA(pages);
