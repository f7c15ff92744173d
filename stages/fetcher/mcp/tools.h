/*
 * tools.h - the table of the tools that a server lists, and the headers that 2026-07-28 wants for
 * a call. Internal to the MCP client; mcp.h has the functions for everybody else. Pure.
 */
#ifndef WH_FETCHER_MCP_TOOLS_H
#define WH_FETCHER_MCP_TOOLS_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/json/json_doc.h"

enum { MCP_PARAM_HEADERS_MAX = 16, MCP_PATH_MAX = 8, MCP_TOOLS_MAX = 512 };

/* A property of the arguments that is repeated in a header (2026-07-28, x-mcp-header). */
struct mcp_param_header {
    struct wh_slice header; /* "Mcp-Param-<name>" */
    struct wh_slice path[MCP_PATH_MAX];
    size_t depth;
};

struct mcp_tool {
    struct mcp_tool *next; /* the one that was listed before it */
    struct wh_slice name;
    struct wh_slice properties; /* the names, with a space before and behind each */
    struct mcp_param_header headers[MCP_PARAM_HEADERS_MAX];
    size_t n_headers;
};

struct mcp_tools {
    struct wh_arena arena;
    struct mcp_tool *first; /* the one that was listed last */
    size_t n;
    size_t dropped; /* left out: the name or the schema breaks the rules */
};

void mcp_tools_init(struct mcp_tools *t);
void mcp_tools_done(struct mcp_tools *t);
void mcp_tools_clear(struct mcp_tools *t);
/* Adds one element of tools/list. An element is left out and counted when its name is not 1 to 128
 * of [A-Za-z0-9_./-] or was listed before, when the names of its properties are over 8 KiB, when
 * its schema is nested deeper than 24 levels, or when its x-mcp-header breaks the rules.
 * WH_E_TOO_LARGE after MCP_TOOLS_MAX elements or 2 MiB, WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc mcp_tools_add(struct mcp_tools *t, struct wh_json_val tool,
                                       struct wh_err *err);
/* NULL when there is none of that name. */
const struct mcp_tool *mcp_tools_find(const struct mcp_tools *t, struct wh_slice name);

/* Appends the value of an Mcp-Name or Mcp-Param header: the text itself, or =?base64?...?= when a
 * header cannot carry it (2026-07-28, streamable HTTP). */
WH_MUST_CHECK enum wh_rc mcp_header_value(struct wh_slice text, struct wh_buf *out,
                                          struct wh_err *err);
/* Appends the value that the arguments have for that header. *ret_found is false, and nothing is
 * appended, when they have none, or one that is not a string, an integer or a boolean. */
WH_MUST_CHECK enum wh_rc mcp_param_value(const struct mcp_param_header *h,
                                         struct wh_json_val arguments, struct wh_buf *out,
                                         bool *ret_found, struct wh_err *err);

#endif
