/* One statement and its rows. */
#include "stages/sink/api/pages/pages_priv.h"

static const struct api_page pages[] = {
    {.path = "/sql",
     .file = "sql",
     .title = "SQL",
     .section = "/sql",
     .parts = {{.name = "result", .answer = api_answer_sql, .needs = "sql", .has_rows = true}}},
};

const struct page_area page_area_sql = PAGE_AREA(pages);
