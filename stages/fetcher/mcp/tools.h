/*
 * tools.h - the tools that a server lists, and which of them are ever called.
 *
 * The names that may be called are a list in this program. What a server says of a tool (its hints
 * above all) is never a reason to call it.
 */
#ifndef WH_FETCHER_MCP_TOOLS_H
#define WH_FETCHER_MCP_TOOLS_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/json/json_doc.h"

enum { MCP_PARAM_HEADERS_MAX = 16, MCP_PATH_MAX = 8, MCP_TOOLS_MAX = 512 };

/* A property that is repeated in a header (2026-07-28, x-mcp-header). */
struct mcp_param_header {
    struct wh_slice header; /* "Mcp-Param-<name>" */
    struct wh_slice path[MCP_PATH_MAX];
    size_t depth;
};

struct mcp_tool {
    struct mcp_tool *next;
    struct wh_slice name;
    struct wh_slice properties; /* names, joined by spaces */
    struct mcp_param_header headers[MCP_PARAM_HEADERS_MAX];
    size_t n_headers;
};

struct mcp_tools {
    struct wh_arena arena;
    struct mcp_tool *first;
    size_t n;
    size_t dropped; /* tools whose annotations break the rules */
};

void mcp_tools_init(struct mcp_tools *t);
void mcp_tools_done(struct mcp_tools *t);
void mcp_tools_clear(struct mcp_tools *t);
/* One element of tools/list. A tool that breaks the rules of x-mcp-header, or whose name is none,
 * is left out and counted. WH_E_TOO_LARGE, WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc mcp_tools_add(struct mcp_tools *t, struct wh_json_val tool,
                                       struct wh_err *err);
const struct mcp_tool *mcp_tools_find(const struct mcp_tools *t, struct wh_slice name);
bool mcp_tool_takes(const struct mcp_tool *tool, const char *property);

/* GitLab's read tools, by name. */
bool mcp_tool_is_read(struct wh_slice name);

/* A value of a Mcp-Param header, or of Mcp-Name: as it is, or =?base64?...?= where a header cannot
 * carry it. */
WH_MUST_CHECK enum wh_rc mcp_header_value(struct wh_slice text, struct wh_buf *out,
                                          struct wh_err *err);
/* The value at h's path of the arguments; false when there is none, or null. */
WH_MUST_CHECK enum wh_rc mcp_param_value(const struct mcp_param_header *h,
                                         struct wh_json_val arguments, struct wh_buf *out,
                                         bool *ret_found, struct wh_err *err);

#endif
