#include "stages/fetcher/listing/tool_detail.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/json/json_write.h"
#include "stages/fetcher/listing/tool_page.h"

enum {
    ARGUMENTS_MAX = 512,
    BAD_MAX = 10, /* failures in a row: GitLab answers nothing now */
};

static const struct {
    const char *list;
    const char *tool;
    const char *argument;
} shows[] = {
    {"list_merge_requests", "get_merge_request", "merge_request_iid"},
    {"list_work_items", "get_work_item", "work_item_iid"},
};

static bool fill(struct listing_details *d);

void listing_details_init(struct listing_details *d, const char *list_tool)
{
    const struct mcp_tool *tool = NULL;

    d->tool = NULL;
    for (size_t i = 0; i < sizeof(shows) / sizeof(shows[0]); i++) {
        if (strcmp(shows[i].list, list_tool) == 0) {
            tool = mcp_tool_find(d->mcp, wh_slice_str(shows[i].tool));
            d->argument = shows[i].argument;
        }
    }
    if (tool && mcp_tool_takes(tool, d->argument) &&
        (mcp_tool_takes(tool, "project_id") || mcp_tool_takes(tool, "id"))) {
        d->tool = strcmp(list_tool, shows[0].list) == 0 ? shows[0].tool : shows[1].tool;
    }
}

void listing_details_add(struct listing_details *d, const char *iid)
{
    if (d->tool && d->n < LISTING_DETAILS_MAX && iid[0]) {
        (void)snprintf(d->iids[d->n++], sizeof(d->iids[0]), "%s", iid);
    }
}

bool listing_details_busy(const struct listing_details *d)
{
    return d->n_open > 0;
}

void listing_details_cancel(struct listing_details *d)
{
    for (size_t i = 0; i < LISTING_DETAILS_AT_ONCE; i++) {
        if (d->slots[i].call) {
            mcp_cancel(d->slots[i].call);
            d->slots[i].call = NULL;
        }
    }
    d->n_open = 0;
}

static void end_if_done(struct listing_details *d)
{
    if (d->n_open == 0) {
        d->n = 0;
        d->next = 0;
        d->done(d->ctx, d->failure[0] ? d->failure : NULL);
    }
}

/* Why the details of the object are owed; NULL: they are not. */
static const char *take(struct listing_details *d, const struct mcp_answer *a)
{
    struct wh_json_val content;

    if (a->outcome == MCP_OK) {
        return wh_json_get(a->result, WH_LIT("structuredContent"), &content) &&
                       wh_json_type(content) == WH_JSON_OBJECT && d->row(d->ctx, content)
                   ? NULL
                   : "the tool shows no object";
    }
    /* Of an object that is gone or not shown to us, the row of the listing must do. */
    if (a->outcome == MCP_TOOL_BAD && listing_tool_not_found(a->result)) {
        return NULL;
    }
    return a->error ? a->error : "it failed";
}

static bool ends_all(struct listing_details *d, const struct mcp_answer *a)
{
    d->bad = a->outcome == MCP_FAILED ? d->bad + 1 : 0;
    if (a->outcome == MCP_SIGN_IN || d->bad >= BAD_MAX) {
        (void)snprintf(d->failure, sizeof(d->failure), "%s: %.90s", d->tool,
                       a->error ? a->error : "");
    } else if (a->outcome == MCP_TOOL_BAD && listing_tool_throttled(a->result)) {
        (void)snprintf(d->failure, sizeof(d->failure), "%s: GitLab's rate limit", d->tool);
    } else {
        return false;
    }
    d->next = d->n;
    return true;
}

static void on_answer(void *ctx, const struct mcp_answer *a)
{
    struct listing_detail_slot *slot = ctx;
    struct listing_details *d = slot->details;

    slot->call = NULL;
    if (!ends_all(d, a)) {
        d->answered(d->ctx, slot->iid, take(d, a));
    }
    d->n_open--;
    (void)fill(d);
    end_if_done(d);
}

static enum wh_rc ask(struct listing_details *d, struct listing_detail_slot *slot, const char *iid,
                      struct wh_err *err)
{
    const struct mcp_tool *tool = mcp_tool_find(d->mcp, wh_slice_str(d->tool));
    WH_AUTO(buf) struct wh_buf text;
    struct wh_json_writer w;
    int64_t number;

    wh_buf_init(&text, ARGUMENTS_MAX);
    if (tool == NULL) {
        return wh_fail(err, WH_E_UNAVAILABLE, "the tool is not listed any more");
    }
    if (wh_num_i64(wh_slice_str(iid), &number, err) != WH_OK) {
        return err->rc;
    }
    wh_json_writer_init(&w, &text);
    wh_jw_object(&w);
    wh_jw_key(&w, mcp_tool_takes(tool, "project_id") ? "project_id" : "id");
    wh_jw_str(&w, wh_slice_str(d->project));
    wh_jw_key(&w, d->argument);
    wh_jw_int(&w, number);
    wh_jw_end(&w);
    if (wh_jw_finish(&w, err) != WH_OK) {
        return err->rc;
    }
    slot->details = d;
    (void)snprintf(slot->iid, sizeof(slot->iid), "%s", iid);
    return mcp_call_tool(d->mcp, wh_slice_str(d->tool), wh_buf_slice(&text), on_answer, slot,
                         &slot->call, err);
}

/* Starts as many calls as may be under way. Returns true when any is. */
static bool fill(struct listing_details *d)
{
    struct wh_err err;

    for (size_t i = 0; i < LISTING_DETAILS_AT_ONCE && d->next < d->n; i++) {
        if (d->slots[i].call) {
            continue;
        }
        if (ask(d, &d->slots[i], d->iids[d->next++], &err) == WH_OK) {
            d->n_open++;
        } else {
            (void)snprintf(d->failure, sizeof(d->failure), "%s: %.90s", d->tool, err.msg);
            d->next = d->n;
        }
    }
    return d->n_open > 0;
}

bool listing_details_start(struct listing_details *d)
{
    d->failure[0] = '\0';
    d->bad = 0;
    if (fill(d)) {
        return true;
    }
    d->n = 0;
    d->next = 0;
    return false;
}
