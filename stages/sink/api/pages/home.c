/* The first page: what is healthy, what is open, what changed. */
#include "stages/sink/api/pages/pages_priv.h"

static const struct api_page pages[] = {
    {.path = "/",
     .file = "home",
     .title = "Home",
     .section = "/",
     .parts = {{.name = "status", .answer = api_answer_status},
               {.name = "incidents", .sql = PAGE_OPEN_INCIDENTS},
               {.name = "pipelines",
                .sql =
                    "select p.id, p.project_path || ' #' || p.source_id as name, p.ref, p.status, "
                    "p.updated_at, p.url from pipelines p join projects r on r.id = p.project "
                    "where p.status = 'failed' and p.ref = r.default_branch and p.updated_at > "
                    "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-7 days') order by p.updated_at desc "
                    "limit 20"},
               {.name = "changes",
                .sql =
                    "select id, type, title, state, author_name, updated_at from work_items order "
                    "by updated_at desc limit 20"}}},
};

const struct page_area page_area_home = PAGE_AREA(pages);
