#include "stages/fetcher/gitlab/streams.h"

#define OPEN_PIPELINES(status)                                                                     \
    {                                                                                              \
        "pipelines_" status, "pipeline", "/pipelines?status=" status, STREAM_OPEN, FOLLOW_PIPELINE \
    }

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
    /* What is not final may have no updated_at yet, and so is not in the listing above. */
    OPEN_PIPELINES("running"),
    OPEN_PIPELINES("pending"),
    OPEN_PIPELINES("created"),
    OPEN_PIPELINES("preparing"),
    OPEN_PIPELINES("waiting_for_resource"),
    {"deployments", "deployment", "/deployments", STREAM_BY_UPDATE, FOLLOW_NONE},
    /* A push moves no updated_at: only the head tells. */
    {"merge_requests_open", "merge_request_head", "/merge_requests?scope=all&state=opened",
     STREAM_HEADS, FOLLOW_NONE},
};
