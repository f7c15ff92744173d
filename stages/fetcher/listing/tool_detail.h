/*
 * tool_detail.h - calls, for each row of a listing by an MCP tool, the tool that shows one object,
 * if there is one. The rows of merge requests and work items have a title and a state; times,
 * labels and people are only in the details. A few calls are under way at a time. Thread: app.
 *
 * An object that GitLab says is not found has no details. Any other failure concerns one object, except
 * that the token is refused, a rate limit is reached, or GitLab answers nothing again and again: these
 * end the whole.
 */
#ifndef WH_FETCHER_LISTING_TOOL_DETAIL_H
#define WH_FETCHER_LISTING_TOOL_DETAIL_H

#include "stages/fetcher/mcp/mcp.h"

enum { LISTING_DETAILS_AT_ONCE = 4, LISTING_DETAILS_MAX = 128 };

struct listing_details;
struct listing_detail_slot {
    struct listing_details *details;
    struct mcp_call *call;
    char iid[24];
};

struct listing_details {
    struct mcp *mcp;
    const char *tool;     /* NULL: the listing has no details */
    const char *argument; /* the argument that names the object */
    const char *project;
    /* Called for each object that the tool shows; returns false when row is none. */
    bool (*row)(void *ctx, struct wh_json_val row);
    /* Called for each answer, after row. why NULL: nothing more is to be had of the object. Otherwise
     * its details are owed. */
    void (*answered)(void *ctx, const char *iid, const char *why);
    /* Called at the end. failure NULL: every object was asked for. */
    void (*done)(void *ctx, const char *failure);
    void *ctx;
    char iids[LISTING_DETAILS_MAX][24];
    size_t n;
    size_t next;
    struct listing_detail_slot slots[LISTING_DETAILS_AT_ONCE];
    size_t n_open;
    size_t bad;        /* calls that failed since the last one that did not */
    char failure[128]; /* empty: nothing failed */
};

/* Finds the tool that shows one object of those that list_tool lists. mcp, project, ctx and the
 * functions must be set. */
void listing_details_init(struct listing_details *d, const char *list_tool);
/* Adds an object by its number in the project. */
void listing_details_add(struct listing_details *d, const char *iid);
/* Returns true when calls are under way; done is then called. */
bool listing_details_start(struct listing_details *d);
bool listing_details_busy(const struct listing_details *d);
void listing_details_cancel(struct listing_details *d);

#endif
