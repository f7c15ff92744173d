#include "stages/fetcher/mcp/tool.h"

#include "common/base/mem.h"
#include "stages/fetcher/mcp/tools.h"

enum { WORD_MAX_BYTES = 131 }; /* a name of 128 bytes, two spaces and a NUL */

struct wh_slice mcp_tool_name(const struct mcp_tool *tool)
{
    return tool->name;
}

bool mcp_tool_takes(const struct mcp_tool *tool, const char *property)
{
    WH_AUTO(buf) struct wh_buf word;
    struct wh_err err;

    wh_buf_init(&word, WORD_MAX_BYTES);
    return wh_buf_printf(&word, &err, " %s ", property) == WH_OK &&
           memmem(tool->properties.ptr, tool->properties.len, word.ptr, word.len) != NULL;
}

/* The names of all versions since 18.3. They are few, so that they need no order. */
static const char *const read_tools[] = {
    "get_mcp_server_version",
    "list_projects",
    "get_project",
    "list_project_members",
    "list_merge_requests",
    "get_merge_request",
    "get_merge_request_commits",
    "get_merge_request_diffs",
    "get_merge_request_pipelines",
    "get_merge_request_notes",
    "list_work_items",
    "get_work_item",
    "get_workitem_notes",
    "get_issue",
    "list_pipelines",
    "get_pipeline",
    "get_pipeline_jobs",
    "get_job",
    "list_releases",
    "get_user",
    "search",
    "gitlab_search",
};

bool mcp_tool_is_read(struct wh_slice name)
{
    for (size_t i = 0; i < sizeof(read_tools) / sizeof(read_tools[0]); i++) {
        if (wh_slice_eq(name, wh_slice_str(read_tools[i]))) {
            return true;
        }
    }
    return false;
}
