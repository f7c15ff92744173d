/* Incidents, and what one of them did. */
#include "stages/sink/api/pages/pages_priv.h"

static const struct api_page pages[] = {
    {.path = "/incidents",
     .file = "incidents",
     .title = "Incidents",
     .section = "/incidents",
     .parts = {{.name = "incidents",
                .sql = "select id as incident, title, severity, state, created_at, closed_at, "
                       "project_path, url from incidents order by created_at desc limit 500"}}},
    {.path = "/incidents/*",
     .file = "incident",
     .title = "Incident",
     .section = "/incidents",
     .parts = {{.name = "impact", .answer = api_answer_impact}}},
};

const struct page_area page_area_incidents = PAGE_AREA(pages);
