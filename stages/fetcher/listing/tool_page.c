#include "stages/fetcher/listing/tool_page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/json/json_copy.h"
#include "common/json/json_write.h"
#include "stages/fetcher/mcp/mcp.h"

enum { PARSER_MAX = 16 << 20, DEPTH_MAX = 32 };

/* ---- the request ---- */

static void text_argument(struct wh_json_writer *w, const struct mcp_tool *tool, const char *name,
                          const char *value)
{
    if (value[0] && mcp_tool_takes(tool, name)) {
        wh_jw_put_str(w, name, wh_slice_str(value));
    }
}

static void place_arguments(struct wh_json_writer *w, const struct mcp_tool *tool,
                            const struct listing_tool_page *page)
{
    if (mcp_tool_takes(tool, "after")) {
        wh_jw_put_int(w, "first", page->rows);
        text_argument(w, tool, "after", page->cursor);
    } else if (mcp_tool_takes(tool, "page")) {
        wh_jw_put_int(w, "page", page->page);
        wh_jw_put_int(w, "per_page", page->rows);
    }
}

enum wh_rc listing_tool_arguments(const struct mcp_tool *tool, const struct listing_tool_page *page,
                                  struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    text_argument(&w, tool, mcp_tool_takes(tool, "project_id") ? "project_id" : "id",
                  page->project);
    text_argument(&w, tool, "updated_after", page->since);
    /* GitLab leaves out what is closed, upcoming or archived where these are not given. */
    text_argument(&w, tool, "state", "all");
    text_argument(&w, tool, "archived", "include");
    if (wh_slice_eq(mcp_tool_name(tool), WH_LIT("list_pipelines"))) {
        text_argument(&w, tool, "order_by", "updated_at");
        text_argument(&w, tool, "sort", "desc");
    }
    if (mcp_tool_takes(tool, "include_inherited")) {
        wh_jw_put_bool(&w, "include_inherited", true);
    }
    place_arguments(&w, tool, page);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

/* ---- a page ---- */

/* Finds the first array of an object. Tools call it nodes, items, members, ... */
static bool rows_in(struct wh_json_val v, struct wh_json_val *ret)
{
    struct wh_json_iter it;
    struct wh_slice key;

    if (wh_json_type(v) != WH_JSON_OBJECT) {
        return false;
    }
    for (it = wh_json_iter(v); wh_json_next(&it, &key, ret);) {
        if (wh_json_type(*ret) == WH_JSON_ARRAY) {
            return true;
        }
    }
    return false;
}

/* Finds the rows and the object that contains them, at the top or one level below. */
static bool find_rows(struct wh_json_val v, struct wh_json_val *ret_rows,
                      struct wh_json_val *ret_around)
{
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice key;

    *ret_around = v;
    if (rows_in(v, ret_rows)) {
        return true;
    }
    if (wh_json_type(v) != WH_JSON_OBJECT) {
        return false;
    }
    for (it = wh_json_iter(v); wh_json_next(&it, &key, &item);) {
        if (wh_json_type(item) == WH_JSON_OBJECT && rows_in(item, ret_rows)) {
            *ret_around = item;
            return true;
        }
    }
    return false;
}

bool listing_tool_rows(struct wh_json_val result, struct wh_json_parser **texts,
                       struct wh_json_val *rows, struct wh_json_val *around)
{
    struct wh_json_val v;
    struct wh_json_val block;
    struct wh_json_iter it;
    struct wh_slice key;
    struct wh_err err;

    if (wh_json_get(result, WH_LIT("structuredContent"), &v) && find_rows(v, rows, around)) {
        return true;
    }
    if (!wh_json_get(result, WH_LIT("content"), &v) || wh_json_type(v) != WH_JSON_ARRAY) {
        return false;
    }
    it = wh_json_iter(v);
    if (!wh_json_next(&it, &key, &block) || !wh_json_get(block, WH_LIT("text"), &v) ||
        wh_json_type(v) != WH_JSON_STRING) {
        return false;
    }
    if (*texts == NULL) {
        *texts = wh_json_parser_new(PARSER_MAX, DEPTH_MAX);
    }
    if (*texts == NULL || wh_json_parse(*texts, wh_json_string(v), &v, &err) != WH_OK) {
        return false;
    }
    if (wh_json_type(v) == WH_JSON_ARRAY) {
        *rows = v;
        *around = v;
        return true;
    }
    return find_rows(v, rows, around);
}

static bool text_at(struct wh_json_val v, const char *object, const char *key, struct wh_slice *ret)
{
    struct wh_json_val inner;
    struct wh_json_val text;

    if (!wh_json_get(v, wh_slice_str(object), &inner) ||
        !wh_json_get(inner, wh_slice_str(key), &text) || wh_json_type(text) != WH_JSON_STRING) {
        return false;
    }
    *ret = wh_json_string(text);
    return true;
}

static bool is_false(struct wh_json_val v, const char *object, const char *key)
{
    struct wh_json_val inner;
    struct wh_json_val flag;

    return wh_json_get(v, wh_slice_str(object), &inner) &&
           wh_json_get(inner, wh_slice_str(key), &flag) && wh_json_type(flag) == WH_JSON_BOOL &&
           !wh_json_bool(flag);
}

bool listing_tool_cursor(struct wh_json_val around, struct wh_slice *ret)
{
    return !is_false(around, "pageInfo", "hasNextPage") &&
           !is_false(around, "metadata", "has_more") &&
           !is_false(around, "metadata", "has_next_page") &&
           (text_at(around, "pageInfo", "endCursor", ret) ||
            text_at(around, "metadata", "end_cursor", ret));
}

bool listing_tool_ended(struct wh_json_val around)
{
    return is_false(around, "pageInfo", "hasNextPage") ||
           is_false(around, "metadata", "has_next_page");
}

uint64_t listing_tool_hash(struct wh_json_val rows)
{
    WH_AUTO(buf) struct wh_buf text;
    struct wh_json_writer writer;
    struct wh_err err;

    wh_buf_init(&text, PARSER_MAX);
    wh_json_writer_init(&writer, &text);
    wh_jw_value(&writer, rows);
    return wh_jw_finish(&writer, &err) == WH_OK ? wh_hash64(wh_buf_slice(&text)) : 0;
}

bool listing_tool_throttled(struct wh_json_val result)
{
    struct wh_json_val content;
    struct wh_json_val error;
    struct wh_json_val type;

    return wh_json_get(result, WH_LIT("structuredContent"), &content) &&
           wh_json_get(content, WH_LIT("error"), &error) &&
           wh_json_get(error, WH_LIT("type"), &type) && wh_json_type(type) == WH_JSON_STRING &&
           wh_slice_starts(wh_json_string(type), WH_LIT("rate_limit"));
}

/* Tools have no code for it: only words, as in "Work item not found: it does not exist or ...". */
bool listing_tool_not_found(struct wh_json_val result)
{
    static const char words[] = "not found";
    struct wh_slice said = mcp_result_text(result);

    for (; said.len >= sizeof(words) - 1; said = wh_slice_from(said, 1)) {
        if (strncasecmp(said.ptr, words, sizeof(words) - 1) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- a row ---- */

bool listing_tool_row_id(struct wh_json_val row, const char *key, char ret[24])
{
    struct wh_json_val v;
    struct wh_slice text;
    const char *slash;

    if (!wh_json_get(row, wh_slice_str(key), &v)) {
        return false;
    }
    if (wh_json_type(v) == WH_JSON_INT) {
        (void)snprintf(ret, 24, "%" PRId64, wh_json_int(v));
        return true;
    }
    if (wh_json_type(v) != WH_JSON_STRING) {
        return false;
    }
    text = wh_json_string(v);
    slash = text.len ? memrchr(text.ptr, '/', text.len) : NULL;
    if (slash) {
        text = wh_slice_from(text, (size_t)(slash - text.ptr) + 1);
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
    }
    if (text.len == 0 || text.len >= 24) {
        return false;
    }
    memcpy(ret, text.ptr, text.len);
    ret[text.len] = '\0';
    return true;
}

bool listing_tool_row_time(struct wh_json_val row, struct wh_slice *ret_text, int64_t *ret_ms)
{
    struct wh_json_val v;
    struct wh_instant at;
    struct wh_err err;

    if ((!wh_json_get(row, WH_LIT("updated_at"), &v) &&
         !wh_json_get(row, WH_LIT("updatedAt"), &v)) ||
        wh_json_type(v) != WH_JSON_STRING || wh_time_parse(wh_json_string(v), &at, &err) != WH_OK) {
        return false;
    }
    *ret_text = wh_json_string(v);
    *ret_ms = at.ms;
    return true;
}
