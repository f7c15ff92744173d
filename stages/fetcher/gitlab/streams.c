#include "stages/fetcher/gitlab/streams.h"

#define OPEN_PIPELINES(status)                                                                     \
    {                                                                                              \
        "pipelines_" status, "pipeline", "/pipelines?status=" status, STREAM_OPEN,                 \
            FOLLOW_PIPELINE, STREAM_NO_RULE                                                        \
    }

/* Small listings first: who the people are is known before what they did. */
const struct stream streams[STREAMS] = {
    {"projects", "project", "", STREAM_PROJECTS, FOLLOW_NONE, STREAM_NO_RULE},
    {"members", "member", "/members/all", STREAM_LIST, FOLLOW_NONE, STREAM_NO_RULE},
    /* Those of the groups above the project are among them (GitLab, "Project milestones API"). */
    {"milestones", "milestone", "/milestones?include_ancestors=true", STREAM_LIST, FOLLOW_NONE,
     STREAM_NO_RULE},
    {"environments", "environment", "/environments", STREAM_LIST, FOLLOW_NONE, STREAM_NO_RULE},
    {"releases", "release", "/releases", STREAM_LIST, FOLLOW_NONE, STREAM_NO_RULE},
    /* The listing of pipelines leaves them out (GitLab, "Pipelines API", 17.0). */
    [STREAM_CHILD_PIPELINES] = {"child_pipelines", "pipeline", "/pipelines?source=parent_pipeline",
                                STREAM_BY_UPDATE, FOLLOW_PIPELINE | FOLLOW_BRIDGES, STREAM_NO_RULE},
    {"issues", "issue", "/issues?scope=all", STREAM_BY_UPDATE, FOLLOW_ISSUE_LINKS | FOLLOW_NOTES,
     STREAM_NO_RULE},
    {"merge_requests", "merge_request", "/merge_requests?scope=all", STREAM_BY_UPDATE,
     FOLLOW_MR_CLOSES | FOLLOW_NOTES, STREAM_NO_RULE},
    {"pipelines", "pipeline", "/pipelines", STREAM_BY_UPDATE, FOLLOW_PIPELINE | FOLLOW_BRIDGES,
     STREAM_AFTER_CHILDREN},
    /* What is not final may have no updated_at yet, and so is not in the listing above. */
    OPEN_PIPELINES("running"),
    OPEN_PIPELINES("pending"),
    OPEN_PIPELINES("created"),
    OPEN_PIPELINES("preparing"),
    OPEN_PIPELINES("waiting_for_resource"),
    {"deployments", "deployment", "/deployments", STREAM_BY_UPDATE, FOLLOW_NONE, STREAM_PAIRED},
    /* A push moves no updated_at: only the head tells. */
    {"merge_requests_open", "merge_request_head", "/merge_requests?scope=all&state=opened",
     STREAM_HEADS, FOLLOW_NONE, STREAM_NO_RULE},
};
