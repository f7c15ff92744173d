/*
 * tool_detail.h - one more call for each row of a listing by an MCP tool: the tool that shows one
 * object, where there is one. Listings of merge requests and work items show a title and a state;
 * the rest (times, labels, people) is here. A few calls at a time. Thread: app.
 */
#ifndef WH_FETCHER_TOOL_DETAIL_H
#define WH_FETCHER_TOOL_DETAIL_H

#include "stages/fetcher/mcp/mcp.h"

enum { DETAILS_AT_ONCE = 4, DETAILS_MAX = 128 };

struct details;
struct detail_slot {
    struct details *details;
    struct mcp_call *call;
};

struct details {
    struct mcp *mcp;
    const char *tool;     /* NULL: there is none for this listing */
    const char *argument; /* that names the object */
    const char *project;
    void (*row)(void *ctx, struct wh_json_val row); /* one object, whole */
    void (*done)(void *ctx, const char *failure);   /* all have come; NULL: and well */
    void *ctx;
    char iids[DETAILS_MAX][24];
    size_t n;
    size_t next;
    struct detail_slot slots[DETAILS_AT_ONCE];
    size_t n_open;
    char failure[128]; /* empty: none */
};

/* Which tool shows one object of what list_tool lists; mcp, project, row, done and ctx are set. */
void details_init(struct details *d, const char *list_tool);
/* An object to be shown, by its number in the project. */
void details_add(struct details *d, const char *iid);
/* True when calls are under way; done comes then. */
bool details_start(struct details *d);
bool details_busy(const struct details *d);
void details_cancel(struct details *d);

#endif
