/* mcp_priv.h - what the files of the MCP client share. */
#ifndef WH_FETCHER_MCP_MCP_PRIV_H
#define WH_FETCHER_MCP_MCP_PRIV_H

#include "common/base/backoff.h"
#include "stages/fetcher/gitlab/source_metrics.h"
#include "stages/fetcher/mcp/mcp.h"
#include "stages/fetcher/mcp/message.h"
#include "stages/fetcher/mcp/sse.h"
#include "stages/fetcher/mcp/tools.h"
#include "stages/fetcher/oauth/challenge.h"
#include "stages/fetcher/oauth/url.h"

enum {
    MCP_SESSION_MAX = 256,
    MCP_TEXT_MAX = 256,
    MCP_VERSION_MAX = 16,
    MCP_REPLIES_MAX = 16,     /* requests of the server's that wait for their answers */
    MCP_REPLY_BYTES = 1024,   /* of one such answer, which repeats the request's id */
    MCP_ASKED_MAX = 1000,     /* requests of the server's within one call */
    MCP_EVENTS_MAX = 10000,   /* events of every kind within one call */
    MCP_NO_CONTENT = 64 << 10 /* of an answer that is not read */
};

enum mcp_call_kind {
    MCP_CALL_OPEN,   /* initialize or server/discover */
    MCP_CALL_READY,  /* notifications/initialized */
    MCP_CALL_LIST,   /* tools/list */
    MCP_CALL_TOOL,   /* tools/call */
    MCP_CALL_ANSWER, /* to a request of the server's; nobody waits */
    MCP_CALL_NOTICE, /* cancelled; nobody waits */
    MCP_CALL_DELETE, /* end of the session; nobody waits */
};

struct mcp_call {
    struct mcp_call *next; /* of all, or of those that wait for the handshake */
    struct mcp *mcp;
    enum mcp_call_kind kind;
    int64_t id;
    struct wh_slice name; /* owned */
    struct wh_slice arguments;
    struct wh_slice cursor;
    bool has_cursor;
    unsigned pages;
    uint64_t cursor_hash; /* of the cursors so far, the newest and a slow one */
    uint64_t slow_hash;
    mcp_fn fn;
    void *ctx;
    struct wh_httpc_transfer *transfer;
    struct wh_timer *timer;
    struct wh_timer *deadline;
    int64_t left_ms;     /* of conf.timeout_ms, without what has passed since running_ns */
    int64_t running_ns;  /* since when the deadline runs, monotonic; 0: it is held */
    unsigned session_no; /* the session in which the request last went out */
    struct mcp_sse sse;
    unsigned events;     /* that the server has sent on the call's streams */
    unsigned asked;      /* requests of the server's among them */
    const char *stopped; /* why the client cut the stream off; NULL: it did not */
    struct wh_buf reply; /* the message that answers, out of a stream */
    struct wh_buf body;  /* a ready body: MCP_CALL_ANSWER, MCP_CALL_NOTICE */
    bool streaming;
    bool resuming; /* the next request is a GET that reads the stream on */
    bool reopened; /* the session was opened anew for it once */
    bool had_session;
    bool parked; /* challenged: somebody will resume it */
    unsigned challenges;
    int64_t sent_ms;
    bool failed; /* to be ended in the loop's next turn, by why */
    struct mcp_answer why;
    char why_text[MCP_TEXT_MAX];
    unsigned attempt;
    unsigned resumes;
    unsigned exchanges; /* of versions */
};

/* Answers to the server's requests that wait for their turn. */
struct mcp_replies {
    struct wh_buf waiting[MCP_REPLIES_MAX]; /* a ring */
    size_t first;
    size_t n;
    struct mcp_call *under_way;
};

struct mcp {
    struct mcp_conf conf;
    char *endpoint;
    struct wh_url url;
    struct wh_json_parser *parser;
    struct wh_json_parser *arguments;
    struct mcp_tools tools;
    char version[MCP_VERSION_MAX]; /* asked for, then negotiated */
    char session[MCP_SESSION_MAX + 1];
    char server_version[64];
    bool opened;
    bool opening;
    unsigned session_no; /* counts the handshakes */
    struct mcp_replies replies;
    int64_t next_id;
    struct mcp_call *calls;   /* under way */
    struct mcp_call *waiting; /* for the handshake */
    struct wh_jitter jitter;
    uint64_t requests;
    struct source_metrics metrics;
};

/* call.c */
struct mcp_call *mcp_call_new(struct mcp *m, enum mcp_call_kind kind, mcp_fn fn, void *ctx);
void mcp_call_free(struct mcp_call *call);
void mcp_call_unlink(struct mcp_call **link, const struct mcp_call *call);
/* LIST and TOOL: somebody waits for the result, and the request needs a session. */
bool mcp_call_works(const struct mcp_call *call);
/* ANSWER, NOTICE and DELETE: nobody waits, so their answers are not read. */
bool mcp_call_is_told(const struct mcp_call *call);
/* What is left of conf.timeout_ms. */
int64_t mcp_call_left_ms(const struct mcp_call *call);
/* Stops the deadline while the call waits for a handshake or for a person. */
void mcp_call_hold(struct mcp_call *call);
/* Tells the server that nobody waits for that request any more. */
void mcp_call_disown(struct mcp *m, int64_t id);
/* Sends now, or ends the call with why not. A call whose session is not open waits for it. */
void mcp_go(struct mcp_call *call);
void mcp_go_after(struct mcp_call *call, int64_t wait_ms);
/* The same, but the pause does not count against the deadline. */
void mcp_go_after_pause(struct mcp_call *call, int64_t wait_ms);
void mcp_end(struct mcp_call *call, const struct mcp_answer *answer);
void mcp_end_text(struct mcp_call *call, enum mcp_outcome outcome, unsigned status,
                  const char *text);
/* In the loop's next turn; for callers that must not be called back now. */
void mcp_end_later(struct mcp_call *call, enum mcp_outcome outcome, unsigned status, int64_t code,
                   const char *text);

/* open.c */
bool mcp_modern(const struct mcp *m);
void mcp_set_version(struct mcp *m, const char *version);
/* The server does not speak this revision: true when the call goes on with another. */
bool mcp_exchange_version(struct mcp_call *call, const struct mcp_message *msg);
/* Sends the call when the handshake is done, and begins that where nobody has. */
void mcp_submit(struct mcp_call *call);
/* The session in which the call went out is not known to the server any more. */
void mcp_session_lost(struct mcp_call *call);
/* Takes the session's id from the answer to initialize; false when it is not a valid one. */
bool mcp_session_keep(struct mcp *m, const struct wh_httpc_answer *a);
/* Ends the session, this call and every other that is under way with that text. Calls that wait
 * for a person stay. */
void mcp_session_abort(struct mcp_call *call, unsigned status, const char *text);
/* The answer to initialize or server/discover. */
void mcp_take_opened(struct mcp_call *call, unsigned status, const struct mcp_message *msg);

/* answer.c: a whole message that answers the call is there */
void mcp_take_message(struct mcp_call *call, unsigned status, const struct mcp_message *msg);
/* A member that is a string; "" when there is none. */
struct wh_slice mcp_text_at(struct wh_json_val object, const char *key);

/* replies.c */
/* Queues the answer to a request of the server's. Otherwise returns why the session must end. */
const char *mcp_replies_add(struct mcp_call *call, const struct mcp_message *request);
/* Forgets the queue and cancels the answer that is under way. */
void mcp_replies_drop(struct mcp *m);

/* send.c */
WH_MUST_CHECK enum wh_rc mcp_send(struct mcp_call *call, struct wh_err *err);
/* receive.c: the transfer's callbacks */
void mcp_on_answer(void *ctx, const struct wh_httpc_answer *a);
enum wh_httpc_take mcp_on_data(void *ctx, const struct wh_httpc_answer *head,
                               struct wh_slice bytes);

#endif
