/* mcp_read.h - what the tools that read share. */
#ifndef GL_MCP_READ_H
#define GL_MCP_READ_H

#include "tests/gitlab/rest.h"

/* By id or path; false when there is none that may be seen. */
bool gl_tool_project(const struct gl_tool_call *t, struct wh_slice text, struct gl_ctx *c);
/*
 * By url or project_id. With ret_number the url's number is given too, or 0. False when there is
 * none.
 */
bool gl_tool_place(const struct gl_tool_call *t, struct gl_ctx *c, int64_t *ret_number);
/* Two dates into a range; false when one is none. */
bool gl_tool_range(const struct gl_tool_call *t, const char *after, const char *before,
                   struct gl_range *range);
/* GL_TOOL_FAILED when the endpoint behind the tool has its own limit, and it is reached. */
enum gl_tool_end gl_tool_limited(struct gl_tool_call *t, enum gl_limit limit, const char *name);

#endif
