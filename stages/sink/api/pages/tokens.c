/* Who may see the workspace, the end of it, and what agents read. */
#include "stages/sink/api/pages/pages_priv.h"

static enum wh_rc act(struct api_job *job, struct wh_err *err)
{
    return api_end_token(job->api, api_arg(&job->request, "end"), err);
}

static const struct api_page pages[] = {
    {.path = "/tokens",
     .file = "tokens",
     .title = "Tokens",
     .section = "/tokens",
     .parts = {{.name = "tokens", .answer = api_answer_tokens, .has_rows = true},
               {.name = "calls",
                .sql = "select at, agent_name, tool, arguments, result, row_count, id_count, "
                       "duration_ms from agent_calls order by at desc limit 100"}},
     .act = act},
};

const struct page_area page_area_tokens = PAGE_AREA(pages);
