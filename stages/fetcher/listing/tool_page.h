/*
 * tool_page.h - reads the answer of an MCP tool that lists objects: its rows, the cursor of the
 * next page, and the number and time of a row. Their names differ between tools and versions of
 * GitLab. Values are borrowed from the answer, or from the parser of its text. Pure: no I/O.
 */
#ifndef WH_FETCHER_LISTING_TOOL_PAGE_H
#define WH_FETCHER_LISTING_TOOL_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/json/json_doc.h"

/*
 * Returns the rows and the object that contains them, from structuredContent, or from the text of
 * an older server. *texts parses that text; it is made when it is needed and NULL. Returns false
 * when there are no rows.
 */
bool listing_tool_rows(struct wh_json_val result, struct wh_json_parser **texts,
                       struct wh_json_val *rows, struct wh_json_val *around);
/* Returns the server's cursor of the next page; false at the end. */
bool listing_tool_cursor(struct wh_json_val around, struct wh_slice *ret);
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
