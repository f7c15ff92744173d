/*
 * mcp.h - a client of one MCP server over streamable HTTP.
 *
 * Speaks 2025-11-25, 2025-06-18 and 2025-03-26 (handshake, session, answers as JSON or as an event
 * stream that is resumed when it breaks) and 2026-07-28 (no handshake; version, method and name in
 * headers). It begins as conf says and follows the server: a refused version is exchanged for one
 * that the server names, a forgotten session (404) is opened again and the call repeated once.
 * Reads only: a tool that conf.allowed does not know is never called.
 *
 * 401, and 403 with insufficient_scope, go to conf.challenged, which ends in mcp_resume or
 * mcp_give_up. 429, 5xx and network faults are tried again, retry_max times, with back-off or as
 * Retry-After says, as long as the call's time allows it.
 *
 * The server is not trusted. Its requests (ping, and others that are refused as not offered) are
 * answered one at a time; more than 16 that wait, 1000 within one call, 10,000 events within one
 * call, or an id that does not fit into an answer of 1 KiB end the session and every call in it as
 * MCP_REFUSED. What the server sends in return for an answer or a notification is not read.
 * Thread: app.
 */
#ifndef WH_FETCHER_MCP_MCP_H
#define WH_FETCHER_MCP_MCP_H

#include "common/loop/loop.h"
#include "stages/fetcher/mcp/message.h"
#include "stages/fetcher/mcp/tools.h"
#include "stages/fetcher/oauth/challenge.h"
#include "stages/fetcher/oauth/url.h"

enum mcp_outcome {
    MCP_OK,        /* result is there */
    MCP_TOOL_BAD,  /* the tool ran and failed (isError); result is there */
    MCP_ERROR,     /* a JSON-RPC error; code */
    MCP_SIGN_IN,   /* 401, and nobody could help */
    MCP_DENIED,    /* 403 */
    MCP_NOT_THERE, /* 404: no MCP server there, or off for this user */
    MCP_REFUSED,   /* other 4xx, redirects, answers that break the rules, calls not allowed */
    MCP_INPUT,     /* the server wants a person to fill something in */
    MCP_FAILED,    /* network, 5xx, 429: attempts used up */
};

struct mcp_answer {
    enum mcp_outcome outcome;
    unsigned status;           /* of HTTP; 0 when there was none */
    struct wh_json_val result; /* MCP_OK, MCP_TOOL_BAD: valid during the callback */
    int64_t code;
    const char *error; /* for people; no bytes of the server's in it but its version names */
};

struct mcp;
struct mcp_call;
typedef void (*mcp_fn)(void *ctx, const struct mcp_answer *answer);

struct mcp_conf {
    struct wh_loop *loop;
    struct wh_httpc *http;
    struct wh_log *log;
    struct wh_clock clock;
    struct wh_slice endpoint; /* copied */
    bool allow_http;
    const char *version; /* the revision to begin with; kept */
    const char *client_name;
    const char *client_version;
    unsigned retry_max;
    int64_t backoff_ms;
    int64_t timeout_ms; /* of one call, all attempts, resumed streams and pauses together; the time
                           in which it waits for a handshake, for a person or as a 429 asks
                           (300 s at most) does not count */
    size_t body_max;
    bool (*allowed)(struct wh_slice tool); /* NULL: nothing may be called */
    struct wh_slice (*token)(void *ctx);   /* to send now; empty: none */
    /* true: mcp_resume or mcp_give_up follows; false: the call ends as MCP_SIGN_IN or DENIED. */
    bool (*challenged)(void *ctx, struct mcp_call *call, unsigned status,
                       const struct oauth_challenge *challenge);
    void *ctx; /* of token and challenged */
};

WH_MUST_CHECK enum wh_rc mcp_new(const struct mcp_conf *conf, struct mcp **ret, struct wh_err *err);
/* Calls that are open are dropped without their fn. May be called from any fn. */
void mcp_free(struct mcp *m);

/* Every page of tools/list; then mcp_tools_of. A cursor that comes twice is MCP_REFUSED. This and
 * other calls shake hands by themselves, once. */
WH_MUST_CHECK enum wh_rc mcp_list_tools(struct mcp *m, mcp_fn fn, void *ctx, struct wh_err *err);
/* arguments: a JSON object. WH_E_FORBIDDEN: not a tool that may be called. */
WH_MUST_CHECK enum wh_rc mcp_call_tool(struct mcp *m, struct wh_slice name,
                                       struct wh_slice arguments, mcp_fn fn, void *ctx,
                                       struct mcp_call **ret, struct wh_err *err);
/* fn is not called; the server is told where the revision has a word for it. */
void mcp_cancel(struct mcp_call *call);
/* Sends the call again, with the token of now. */
void mcp_resume(struct mcp_call *call);
/* Ends the call as MCP_SIGN_IN. text is copied. */
void mcp_give_up(struct mcp_call *call, const char *text);
/* Of all calls that wait since a challenge; m may be NULL. */
void mcp_resume_all(struct mcp *m);
void mcp_give_up_all(struct mcp *m, const char *text);
int64_t mcp_call_sent_ms(const struct mcp_call *call); /* when it last went out */
/* Ends the session at the server (DELETE); nobody waits for the answer. */
void mcp_close(struct mcp *m);

/* That revision, when it is one that is spoken here; else NULL. */
const char *mcp_known_version(struct wh_slice version);
const struct mcp_tools *mcp_tools_of(const struct mcp *m);
const char *mcp_version(const struct mcp *m);        /* negotiated; "" before */
const char *mcp_server_version(const struct mcp *m); /* serverInfo.version; "" */

#endif
