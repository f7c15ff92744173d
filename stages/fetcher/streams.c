#include "stages/fetcher/fetcher.h"
#include "stages/fetcher/streams.h"

/* Small listings first: who the people are is known before what they did. */
const struct stream streams[STREAMS] = {
    {"projects", "project", "", STREAM_PROJECTS, FOLLOW_NONE},
    {"members", "member", "/members/all", STREAM_LIST, FOLLOW_NONE},
    {"milestones", "milestone", "/milestones", STREAM_LIST, FOLLOW_NONE},
    {"environments", "environment", "/environments", STREAM_LIST, FOLLOW_NONE},
    {"releases", "release", "/releases", STREAM_LIST, FOLLOW_NONE},
    {"issues", "issue", "/issues?scope=all", STREAM_BY_UPDATE, FOLLOW_ISSUE_LINKS},
    {"merge_requests", "merge_request", "/merge_requests?scope=all", STREAM_BY_UPDATE,
     FOLLOW_MR_CLOSES},
    {"pipelines", "pipeline", "/pipelines", STREAM_BY_UPDATE, FOLLOW_PIPELINE},
    /* Running ones may have no updated_at yet, and so are not in the listing above. */
    {"open_pipelines", "pipeline", "/pipelines?status=running", STREAM_OPEN, FOLLOW_PIPELINE},
    {"deployments", "deployment", "/deployments", STREAM_BY_UPDATE, FOLLOW_NONE},
};
