/*
 * tool_page.h - reads the answer of an MCP tool that lists objects: its rows, the cursor of the
 * next page, and the number and time of a row. Their names differ between tools and versions of
 * GitLab. It writes what to ask for, too. Values are borrowed from the answer, or from the parser of its text. Pure: no I/O.
 */
#ifndef WH_FETCHER_LISTING_TOOL_PAGE_H
#define WH_FETCHER_LISTING_TOOL_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/json/json_doc.h"

struct mcp_tool;

/* Which page to request of a tool that lists objects. */
struct listing_tool_page {
    const char *project; /* its id; empty: none */
    const char *since;   /* rows that were updated before are left out; empty: none */
    const char *cursor;  /* of tools that page by cursor; empty: the first page */
    unsigned page;       /* of tools that page by number, from 1 */
    unsigned rows;       /* of a full page */
};

/* Writes the arguments that the tool takes, as a JSON object. Objects in every state are wanted. */
WH_MUST_CHECK enum wh_rc listing_tool_arguments(const struct mcp_tool *tool,
                                                const struct listing_tool_page *page,
                                                struct wh_buf *out, struct wh_err *err);
/*
 * Returns the rows and the object that contains them, from structuredContent, or from the text of
 * an older server. *texts parses that text; it is made when it is needed and NULL. Returns false
 * when there are no rows.
 */
bool listing_tool_rows(struct wh_json_val result, struct wh_json_parser **texts,
                       struct wh_json_val *rows, struct wh_json_val *around);
/* Returns the server's cursor of the next page; false at the end. */
bool listing_tool_cursor(struct wh_json_val around, struct wh_slice *ret);
/* The server says that there is no next page. */
bool listing_tool_ended(struct wh_json_val around);
/* A hash of the content of the page; 0 without memory. */
uint64_t listing_tool_hash(struct wh_json_val rows);
/* The tool's error says that GitLab's rate limit was reached. */
bool listing_tool_throttled(struct wh_json_val result);

/* The tool's error says that there is no such object, or none that is shown to us. */
bool listing_tool_not_found(struct wh_json_val result);

/* Returns a member that is a number or a global id: 7 for gid://gitlab/WorkItem/7. */
bool listing_tool_row_id(struct wh_json_val row, const char *key, char ret[24]);
/* updated_at or updatedAt; false when the row shows none. */
bool listing_tool_row_time(struct wh_json_val row, struct wh_slice *ret_text, int64_t *ret_ms);

#endif
