/*
 * mcp.h - a client of one MCP server over streamable HTTP.
 *
 * Revisions. The client speaks 2025-11-25, 2025-06-18 and 2025-03-26, which have a handshake, a
 * session, and answers that are JSON or an event stream that can be resumed. It also speaks
 * 2026-07-28, which has none of these and names the revision, the method and the tool in headers.
 * It begins with the revision in the configuration. When the server refuses that one, the client
 * changes to a revision that the server names.
 *
 * Calls. The first call opens the session; later calls share it. When the server answers 404
 * because it has forgotten the session, the client opens a new one and repeats the call once. Only
 * tools that mcp_conf.allowed accepts are ever called.
 *
 * Errors. A 401, or a 403 with insufficient_scope, is handed to mcp_conf.challenged. A 429, a 5xx
 * or a network fault is tried again at most retry_max times, after a growing pause or after the
 * server's Retry-After, as long as the call has time left. Redirects are not followed.
 *
 * Limits. The server is not trusted. The client answers the server's own requests one at a time (a
 * ping with an empty result, every other request with "not offered") and does not read what the
 * server sends in return. The session ends, and every call in it ends as MCP_REFUSED, when
 *   - more than 16 requests of the server are waiting,
 *   - the server sends more than 1,000 requests or 10,000 events within one call, or
 *   - the id of a request does not fit into an answer of 1 KiB.
 * An answer is at most body_max bytes and 64 levels deep. A list has at most 512 tools and 200
 * pages, and the table that is kept of it is at most 2 MiB.
 *
 * Thread: app.
 */
#ifndef WH_FETCHER_MCP_MCP_H
#define WH_FETCHER_MCP_MCP_H

#include "common/base/time.h"
#include "common/httpc/httpc.h"
#include "common/json/json_doc.h"
#include "common/log/log.h"
#include "common/loop/loop.h"
#include "common/metrics/metrics.h"
#include "stages/fetcher/mcp/tool.h"

enum mcp_outcome {
    MCP_OK,        /* the result is valid */
    MCP_TOOL_BAD,  /* the tool ran and reported a failure (isError); the result is valid */
    MCP_ERROR,     /* the server answered with a JSON-RPC error; its code is valid */
    MCP_SIGN_IN,   /* 401, and no valid token could be had */
    MCP_DENIED,    /* 403 */
    MCP_NOT_THERE, /* 404: no MCP server at that address, or not for this user */
    MCP_REFUSED,   /* another 4xx, a redirect, or an answer that breaks the rules or the limits */
    MCP_INPUT,     /* the tool asks for input from a person */
    MCP_FAILED,    /* network fault, 5xx, 429 or deadline: trying again later may help */
};

struct mcp_answer {
    enum mcp_outcome outcome;
    unsigned status;           /* HTTP status; 0 when there was no answer */
    struct wh_json_val result; /* MCP_OK and MCP_TOOL_BAD; valid during the callback */
    int64_t code;              /* MCP_ERROR */
    /* For people. It quotes nothing that the server sent, except with MCP_TOOL_BAD the beginning of
     * what the tool says, as a line of printable ASCII in which the token does not occur. */
    const char *error;
};

struct mcp;
struct mcp_call;
struct oauth_challenge;

/* Called once for each call, never from inside the function that started it, unless the call is
 * cancelled or the client is freed. The callback may free the client. */
typedef void (*mcp_fn)(void *ctx, const struct mcp_answer *answer);

struct mcp_conf {
    struct wh_loop *loop;       /* keeps */
    struct wh_httpc *http;      /* keeps */
    struct wh_log *log;         /* keeps; may be NULL */
    struct wh_metrics *metrics; /* keeps; may be NULL */
    struct wh_clock clock;      /* the deadlines use its monotonic time */
    struct wh_slice endpoint;   /* copied */
    bool allow_http;            /* http is allowed on loopback */
    const char *version;        /* the revision to begin with; keeps */
    const char *client_name;    /* keeps */
    const char *client_version; /* keeps */
    unsigned retry_max;
    int64_t backoff_ms; /* the first pause; doubled each time, with jitter */
    /* The longest time of one call with all its attempts, resumed streams and pauses. The time in
     * which the call waits for a handshake, for mcp_resume or as a 429 asks (300 s at most each
     * time) is not counted. A handshake has the same deadline for itself. */
    int64_t timeout_ms;
    size_t body_max; /* bytes of one answer */
    /* Decides which tools may be called. NULL: none. */
    bool (*allowed)(struct wh_slice tool);
    /* The bearer token for the next request; empty: none. NULL: never any. */
    struct wh_slice (*token)(void *ctx);
    /* The server refused the token. Returns true when mcp_resume, mcp_resume_all or
     * mcp_give_up_all will follow, and false to end the call as MCP_SIGN_IN or MCP_DENIED. It is
     * asked at most 4 times for each call. NULL: always false. */
    bool (*challenged)(void *ctx, struct mcp_call *call, unsigned status,
                       const struct oauth_challenge *challenge);
    void *ctx; /* of token and challenged */
};

/* Sends nothing yet. WH_E_INVALID when the endpoint is not an http or https address, WH_E_FORBIDDEN
 * when it is http and that is not allowed, WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc mcp_new(const struct mcp_conf *conf, struct mcp **ret, struct wh_err *err);
/* Drops open calls without calling them back. NULL is accepted. */
void mcp_free(struct mcp *m);

/* ---- calls ---- */

/* Reads every page of tools/list; the tools are then found with mcp_tool_find. The tools of an
 * earlier list are forgotten at once. A list that does not end is MCP_REFUSED. WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc mcp_list_tools(struct mcp *m, mcp_fn fn, void *ctx, struct wh_err *err);
/* Calls a tool. name and arguments (the text of a JSON object) are copied. *ret, which may be
 * NULL, is valid until the callback. WH_E_FORBIDDEN: mcp_conf.allowed does not accept the tool;
 * WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc mcp_call_tool(struct mcp *m, struct wh_slice name,
                                       struct wh_slice arguments, mcp_fn fn, void *ctx,
                                       struct mcp_call **ret, struct wh_err *err);
/* Drops the call without calling it back, and tells the server so (notifications/cancelled) where
 * the revision has that message. */
void mcp_cancel(struct mcp_call *call);
/* When the call last went out, in milliseconds of the clock's wall time. */
int64_t mcp_call_sent_ms(const struct mcp_call *call);

/* The first text of a tool's result; empty when there is none. Borrowed from the result. */
struct wh_slice mcp_result_text(struct wh_json_val result);

/* ---- calls that wait since a challenge ---- */

/* Sends the call again, with the token of that moment. */
void mcp_resume(struct mcp_call *call);
/* Does so with every call that waits. m may be NULL. */
void mcp_resume_all(struct mcp *m);
/* Ends every call that waits as MCP_SIGN_IN, in the next turn of the loop. text is copied. m may be
 * NULL. */
void mcp_give_up_all(struct mcp *m, const char *text);

/* ---- the session ---- */

/* Ends the session at the server (DELETE) without waiting for the answer. The next call opens a new
 * one. */
void mcp_close(struct mcp *m);
/* The revision with that name, when this client speaks it; otherwise NULL. */
const char *mcp_known_version(struct wh_slice version);
/* The revision that was agreed on; "" before the handshake. */
const char *mcp_version(const struct mcp *m);
/* How many HTTP requests were sent, repeated ones and those of handshakes included. 0 for NULL. */
uint64_t mcp_requests(const struct mcp *m);
/* serverInfo.version; "" when the server gave none, or one that is not a short line of ASCII. */
const char *mcp_server_version(const struct mcp *m);

/* ---- the tools of the last list; valid until the next mcp_list_tools ---- */

size_t mcp_tool_count(const struct mcp *m);
/* The tool at an index below mcp_tool_count, in the server's order. Takes linear time. */
const struct mcp_tool *mcp_tool_at(const struct mcp *m, size_t index);
/* NULL when the server has not listed it. */
const struct mcp_tool *mcp_tool_find(const struct mcp *m, struct wh_slice name);
/* How many tools were left out because their name or their schema breaks the rules. */
size_t mcp_tools_dropped(const struct mcp *m);

#endif
