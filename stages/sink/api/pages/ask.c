/* Questions in plain words. */
#include "stages/sink/api/pages/pages_priv.h"

static const struct api_page pages[] = {
    {.path = "/ask",
     .file = "ask",
     .title = "Ask",
     .section = "/ask",
     .parts = {{.name = "answer", .answer = api_answer_ask, .needs = "q"}}},
};

const struct page_area page_area_ask = PAGE_AREA(pages);
