/* Rules: who is told when a record meets a condition, and what became of it. */
#include "stages/sink/api/pages/pages_priv.h"

/* The button's value: "replay RULE" or "discard RULE". */
static enum wh_rc act(struct api_job *job, struct wh_err *err)
{
    struct wh_slice again = api_arg(&job->request, "replay");
    struct wh_slice discard = api_arg(&job->request, "discard");
    size_t n;

    if (job->api->deps.automation == NULL) {
        return wh_fail(err, WH_E_UNAVAILABLE, "this sink has no rules while it builds a store");
    }
    return automation_replay(job->api->deps.automation, again.len ? again : discard, 0,
                             again.len == 0, &n, err);
}

static const struct api_page pages[] = {
    {.path = "/rules",
     .file = "rules",
     .title = "Rules",
     .section = "/rules",
     .parts = {{.name = "rules", .answer = api_answer_rules, .has_rows = true},
               {.name = "deliveries", .answer = api_answer_rule_deliveries}},
     .act = act},
};

const struct page_area page_area_rules = PAGE_AREA(pages);
