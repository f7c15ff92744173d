/* mcp_priv.h - what mcp.c (the protocol) and mcp_tools.c (the tools) share. */
#ifndef WH_SINK_API_MCP_PRIV_H
#define WH_SINK_API_MCP_PRIV_H

#include "common/json/json_doc.h"
#include "stages/sink/api/api_priv.h"

/* Writes the array of all tools, always in the same order. */
void mcp_write_tools(struct wh_json_writer *w);
bool mcp_is_tool(struct wh_slice name);
/*
 * Calls a tool; arguments NULL: none are given. The result's members content, structuredContent and isError are written; what is wrong with the arguments or
 * the query is a result with isError, so that a model can correct it.
 */
WH_MUST_CHECK enum wh_rc mcp_call_tool(struct api_job *job, struct wh_slice name,
                                       const struct wh_json_val *arguments,
                                       struct wh_json_writer *w, struct wh_err *err);

#endif
