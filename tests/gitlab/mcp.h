/*
 * mcp.h - GitLab's MCP server at /api/v4/mcp: JSON-RPC by POST, its methods and its tools by
 * version.
 */
#ifndef GL_MCP_H
#define GL_MCP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"
#include "tests/gitlab/out.h"
#include "tests/gitlab/quirks.h"

struct gl_call;
struct gl_server;

enum { GL_MCP_SESSIONS = 32, GL_MCP_PENDING = 16, GL_MCP_SESSION_BYTES = 40 };

/* An answer whose event stream was cut; a GET with Last-Event-ID fetches it. */
struct gl_pending {
    uint64_t event;
    struct gl_out body;
};

struct gl_mcp {
    char sessions[GL_MCP_SESSIONS][GL_MCP_SESSION_BYTES]; /* a ring */
    uint64_t n_sessions;
    struct gl_pending pending[GL_MCP_PENDING]; /* a ring */
    uint64_t n_pending;
    uint64_t event;
};

void gl_mcp_forget_sessions(struct gl_mcp *mcp);
void gl_mcp_release(struct gl_mcp *mcp);

/* One tools/call. Its handler writes structuredContent to result and gives how it went. */
enum gl_tool_end {
    GL_TOOL_OK,
    GL_TOOL_FAILED, /* text says why; isError */
    GL_TOOL_BAD     /* text says which argument: an error of JSON-RPC, or isError by backing */
};

struct gl_tool_call {
    struct gl_server *server;
    struct gl_call *call;
    struct wh_slice args;
    struct gl_out result;
    char text[256];
};

typedef enum gl_tool_end (*gl_tool_fn)(struct gl_tool_call *t);

struct gl_tool {
    const char *name;
    int64_t since; /* gl_version */
    int64_t until; /* the last version that has it */
    bool write;
    bool graph; /* backed by GraphQL or a service, else by REST */
    const char *properties;
    const char *required;
    const char *description;
    gl_tool_fn run; /* NULL for a write */
};

/* mcp_tools.c: NULL when the version has no such tool. */
const struct gl_tool *gl_tool_find(const struct gl_quirks *q, struct wh_slice name);
/* Whether any version has it as a tool that reads. */
bool gl_tool_reads(struct wh_slice name);
/* The result of tools/list; false for a bad cursor. */
bool gl_tools_list(const struct gl_call *call, struct wh_slice params, struct gl_out *out);
/* The result of tools/call. */
void gl_tool_result(const struct gl_tool_call *t, enum gl_tool_end end, struct gl_out *out);

/* mcp_rest.c and mcp_graph.c: the tools that read. */
enum gl_tool_end gl_tool_version(struct gl_tool_call *t);
enum gl_tool_end gl_tool_get_issue(struct gl_tool_call *t);
enum gl_tool_end gl_tool_get_merge_request(struct gl_tool_call *t);
enum gl_tool_end gl_tool_list_pipelines(struct gl_tool_call *t);
enum gl_tool_end gl_tool_get_pipeline_jobs(struct gl_tool_call *t);
enum gl_tool_end gl_tool_list_releases(struct gl_tool_call *t);
enum gl_tool_end gl_tool_search(struct gl_tool_call *t);
enum gl_tool_end gl_tool_get_project(struct gl_tool_call *t);
enum gl_tool_end gl_tool_graph_merge_request(struct gl_tool_call *t);
enum gl_tool_end gl_tool_list_merge_requests(struct gl_tool_call *t);
enum gl_tool_end gl_tool_get_pipeline(struct gl_tool_call *t);
enum gl_tool_end gl_tool_list_work_items(struct gl_tool_call *t);
enum gl_tool_end gl_tool_get_work_item(struct gl_tool_call *t);
enum gl_tool_end gl_tool_list_members(struct gl_tool_call *t);

/* An argument's text, a string's inside or a number's digits; ptr NULL when it is not there. */
struct wh_slice gl_arg(const struct gl_tool_call *t, const char *name);
int64_t gl_arg_int(const struct gl_tool_call *t, const char *name, int64_t otherwise);
enum gl_tool_end gl_tool_fail(struct gl_tool_call *t, const char *text);
enum gl_tool_end gl_tool_bad(struct gl_tool_call *t, const char *text);

#endif
