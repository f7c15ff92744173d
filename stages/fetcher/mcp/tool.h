/*
 * tool.h - one tool that an MCP server has listed, and which tools of GitLab only read. Pure.
 */
#ifndef WH_FETCHER_MCP_TOOL_H
#define WH_FETCHER_MCP_TOOL_H

#include <stdbool.h>

#include "common/base/slice.h"

/* Belongs to the client that listed it (mcp.h). */
struct mcp_tool;

struct wh_slice mcp_tool_name(const struct mcp_tool *tool);
/* Does the tool's input schema have that property at its top level? */
bool mcp_tool_takes(const struct mcp_tool *tool, const char *property);

/* Is that one of GitLab's read tools, of any version since 18.3? The list is part of this program;
 * what the server says about a tool, its hints included, never makes it a read tool. */
bool mcp_tool_is_read(struct wh_slice name);

#endif
