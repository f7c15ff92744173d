/*
 * tool_page.h - what the answer of an MCP tool that lists things holds: rows, the cursor of the
 * next page, numbers and times of a row. GitLab's tools name these in several ways, by version.
 * Pure: no I/O. Values are borrowed from the answer, or from the parser of its text.
 */
#ifndef WH_FETCHER_TOOL_PAGE_H
#define WH_FETCHER_TOOL_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/json/json_doc.h"

/*
 * The rows and what stands around them: structuredContent first; older servers give text alone,
 * which *texts parses, made when it is NULL and needed. False: there are none.
 */
bool tool_page_rows(struct wh_json_val result, struct wh_json_parser **texts,
                    struct wh_json_val *rows, struct wh_json_val *around);
/* The server's cursor of the next page; false at the end. */
bool tool_page_cursor(struct wh_json_val around, struct wh_slice *ret);
/* Tells pages apart by their content; 0 when out of memory. */
uint64_t tool_page_hash(struct wh_json_val rows);
/* A tool that hit a limit of its inner route says so in its error's type. */
bool tool_throttled(struct wh_json_val result);

/* A number, or the number of a global id: gid://gitlab/WorkItem/7 */
bool tool_row_id(struct wh_json_val row, const char *key, char ret[24]);
/* updated_at or updatedAt; false when the row shows none. */
bool tool_row_time(struct wh_json_val row, struct wh_slice *ret_text, int64_t *ret_ms);

#endif
