/* Kinds of records, their fields, and what fills them. */
#include "stages/sink/api/pages/pages_priv.h"

static const struct api_page pages[] = {
    {.path = "/model",
     .file = "model",
     .title = "Model",
     .section = "/model",
     .parts = {{.name = "kinds", .answer = api_answer_kinds}}},
    {.path = "/model/*",
     .file = "model_kind",
     .title = "Kind",
     .section = "/model",
     .named_by_id = true,
     .parts = {{.name = "model", .answer = api_answer_model}}},
};

const struct page_area page_area_model = PAGE_AREA(pages);
