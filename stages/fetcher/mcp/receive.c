/* Answers: JSON or a stream of events, whole or broken off. */
#include <strings.h>

#include "common/base/mem.h"
#include "common/base/num.h"
#include "stages/fetcher/mcp/mcp_priv.h"

enum {
    RESUMES_MAX = 20,
    CHALLENGES_MAX = 4,
    RETRY_DEFAULT_MS = 1000,
    RETRY_AFTER_MAX_S = 300,
    DOUBLINGS_MAX = 8,
};

static bool is_type(struct wh_slice content_type, const char *type)
{
    size_t n = strlen(type);

    return content_type.len >= n && strncasecmp(content_type.ptr, type, n) == 0 &&
           (content_type.len == n || strchr("; \t", content_type.ptr[n]) != NULL);
}

/* ---- streams ---- */

/* Nothing more is read of this stream, and the session ends with that text. */
static bool stop(struct mcp_call *call, const char *why)
{
    call->stopped = why;
    return false;
}

static bool take_request(struct mcp_call *call, const struct mcp_message *msg)
{
    const char *why = mcp_replies_add(call, msg);

    return why == NULL || stop(call, why);
}

static bool on_event(void *ctx, struct wh_slice name, struct wh_slice data)
{
    struct mcp_call *call = ctx;
    struct mcp_message msg;
    struct wh_err err;

    if (++call->events > MCP_EVENTS_MAX) {
        return stop(call, "the server sends too many events within one call");
    }
    if (name.len && !wh_slice_eq(name, WH_LIT("message"))) {
        return true;
    }
    if (mcp_message_read(data, call->mcp->parser, &msg, &err) != WH_OK) {
        return true;
    }
    if (msg.kind == MCP_REQUEST) {
        return take_request(call, &msg);
    }
    if (msg.kind == MCP_NOTICE || (msg.has_id && !(msg.id_is_int && msg.id == call->id))) {
        return true;
    }
    wh_buf_reset(&call->reply);
    return wh_buf_append(&call->reply, data, &err) != WH_OK;
}

static enum wh_httpc_take take_stream(struct mcp_call *call, const struct wh_httpc_answer *head,
                                      struct wh_slice bytes)
{
    struct wh_err err;

    /* Answers to what the server asks on this stream need the session's id already. */
    if (call->kind == MCP_CALL_OPEN && !call->streaming && !call->resuming &&
        !mcp_modern(call->mcp) && !mcp_session_keep(call->mcp, head)) {
        call->stopped = "the server's session id is not a valid one";
        return WH_HTTPC_STOP;
    }
    call->streaming = true;
    call->sse.fn = on_event;
    call->sse.ctx = call;
    if (mcp_sse_feed(&call->sse, bytes, &err) != WH_OK) {
        call->stopped = "the server sends an event that is larger than the limit";
    }
    return call->stopped || call->sse.stopped ? WH_HTTPC_STOP : WH_HTTPC_TAKEN;
}

enum wh_httpc_take mcp_on_data(void *ctx, const struct wh_httpc_answer *head, struct wh_slice bytes)
{
    struct mcp_call *call = ctx;
    bool stream = is_type(wh_httpc_answer_header(head, "content-type"), "text/event-stream");

    if (head->status >= 200 && head->status < 300 &&
        (call->kind == MCP_CALL_READY || mcp_call_is_told(call))) {
        call->streaming = stream;
        return stream ? WH_HTTPC_STOP : WH_HTTPC_TAKEN;
    }
    return head->status == 200 && stream ? take_stream(call, head, bytes) : WH_HTTPC_KEEP;
}

static void take_reply(struct mcp_call *call, unsigned status, struct wh_slice json)
{
    struct mcp_message msg;
    struct wh_err err;

    if (mcp_message_read(json, call->mcp->parser, &msg, &err) != WH_OK) {
        (void)wh_err_prefix(&err, "the server's answer");
        mcp_end_text(call, MCP_REFUSED, status, err.msg);
        return;
    }
    if ((msg.kind != MCP_RESULT && msg.kind != MCP_FAULT) ||
        (msg.kind == MCP_RESULT && !(msg.id_is_int && msg.id == call->id))) {
        mcp_end_text(call, MCP_REFUSED, status, "the server's answer is not one to this request");
        return;
    }
    mcp_take_message(call, status, &msg);
}

/* The stream ended without the answer. */
static void broken_off(struct mcp_call *call)
{
    int64_t wait = call->sse.retry_ms >= 0 ? call->sse.retry_ms : RETRY_DEFAULT_MS;

    if (wait > mcp_call_left_ms(call)) {
        mcp_end_text(call, MCP_FAILED, 200,
                     "the server breaks its stream off for longer than the call may take");
        return;
    }
    if (call->resumes++ >= RESUMES_MAX) {
        mcp_end_text(call, MCP_FAILED, 200, "the server's stream breaks off again and again");
        return;
    }
    if (!mcp_modern(call->mcp) && call->sse.last_id[0]) {
        call->resuming = true;
    } else if (call->resumes > call->mcp->conf.retry_max) {
        mcp_end_text(call, MCP_FAILED, 200, "the server's stream ended without an answer");
        return;
    } else {
        call->id = call->mcp->next_id++;
    }
    mcp_go_after(call, wait);
}

/* ---- what HTTP says ---- */

static int64_t retry_after_ms(const struct wh_httpc_answer *a)
{
    struct wh_slice text = wh_httpc_answer_header(a, "retry-after");
    struct wh_err err;
    int64_t seconds;

    if (text.ptr == NULL || wh_num_i64(text, &seconds, &err) != WH_OK || seconds < 0) {
        return -1;
    }
    return (seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S) * 1000;
}

static int64_t backoff_ms(struct mcp *m, unsigned attempt)
{
    int64_t first_ms = m->conf.backoff_ms;

    return wh_jitter_ms(&m->jitter,
                        wh_backoff_ms(first_ms, first_ms << DOUBLINGS_MAX, attempt + 1));
}

static void later(struct mcp_call *call, unsigned status, int64_t asked_ms, const char *text)
{
    struct mcp *m = call->mcp;
    int64_t wait_ms = asked_ms >= 0 ? asked_ms : backoff_ms(m, call->attempt + 1);
    bool limited = status == 429 && asked_ms >= 0;

    if (call->attempt >= m->conf.retry_max || (!limited && wait_ms > mcp_call_left_ms(call))) {
        mcp_end_text(call, MCP_FAILED, status, text);
        return;
    }
    call->attempt++;
    if (!call->resuming) {
        call->id = m->next_id++; /* the server may have seen the old one */
    }
    if (limited) {
        mcp_go_after_pause(call, wait_ms);
    } else {
        mcp_go_after(call, wait_ms);
    }
}

static void challenged(struct mcp_call *call, const struct wh_httpc_answer *a,
                       const struct oauth_challenge *challenge)
{
    struct mcp *m = call->mcp;

    call->parked = true;
    mcp_call_hold(call);
    if (call->challenges++ < CHALLENGES_MAX && m->conf.challenged &&
        m->conf.challenged(m->conf.ctx, call, a->status, challenge)) {
        return;
    }
    call->parked = false;
    mcp_end_text(call, a->status == 401 ? MCP_SIGN_IN : MCP_DENIED, a->status,
                 a->status == 401 ? "the server wants a valid token"
                                  : "the token's scope is not enough");
}

static void refused(struct mcp_call *call, const struct wh_httpc_answer *a)
{
    struct mcp_message msg;
    struct wh_err err;

    /* A JSON-RPC error says more than the status; its id may be null. */
    if (a->body->len && is_type(wh_httpc_answer_header(a, "content-type"), "application/json") &&
        mcp_message_read(wh_buf_slice(a->body), call->mcp->parser, &msg, &err) == WH_OK &&
        msg.kind == MCP_FAULT) {
        mcp_take_message(call, a->status, &msg);
        return;
    }
    if (a->status == 404) {
        mcp_end_text(call, MCP_NOT_THERE, a->status, "no MCP server there, or not for this user");
    } else if (a->status == 403) {
        mcp_end_text(call, MCP_DENIED, a->status,
                     call->mcp->conf.token && call->mcp->conf.token(call->mcp->conf.ctx).len
                         ? "the server refuses this token"
                         : "the server refuses any access (HTTP 403): is the address right?");
    } else {
        mcp_end_text(call, MCP_REFUSED, a->status,
                     a->status < 400 ? "the server sends elsewhere, which is not followed"
                                     : "the server refuses the request");
    }
}

/* 404 to a request with a session id: the session is opened anew, but once for each call. */
static void no_session(struct mcp_call *call)
{
    if (mcp_call_works(call) && !call->reopened) {
        mcp_session_lost(call);
    } else {
        mcp_end_text(call, MCP_FAILED, 404,
                     "the server does not know a session that it has just opened");
    }
}

static void on_status(struct mcp_call *call, const struct wh_httpc_answer *a)
{
    struct oauth_challenge challenge;

    if (a->status == 401 || a->status == 403) {
        oauth_challenge_of(a, &challenge);
        if (a->status == 401 || strcmp(challenge.error, "insufficient_scope") == 0) {
            challenged(call, a, &challenge);
            return;
        }
    }
    if (a->status == 404 && call->had_session) {
        no_session(call);
    } else if (a->status == 429 || a->status == 408 || a->status >= 500) {
        later(call, a->status, retry_after_ms(a), "the server cannot answer now");
    } else {
        refused(call, a);
    }
}

static void on_success(struct mcp_call *call, const struct wh_httpc_answer *a)
{
    static const struct mcp_answer ok = {.outcome = MCP_OK};

    if (call->reply.len) {
        take_reply(call, a->status, wh_buf_slice(&call->reply));
    } else if (call->kind == MCP_CALL_READY) {
        mcp_end(call, &ok);
    } else if (call->streaming) {
        broken_off(call);
    } else {
        take_reply(call, a->status, wh_buf_slice(a->body));
    }
}

/* The session begins with the first headers, though the stream behind them may break off. */
static bool session_is_bad(struct mcp_call *call, const struct wh_httpc_answer *a)
{
    return call->kind == MCP_CALL_OPEN && !call->resuming && !mcp_modern(call->mcp) &&
           a->status >= 200 && a->status < 300 && !mcp_session_keep(call->mcp, a);
}

void mcp_on_answer(void *ctx, const struct wh_httpc_answer *a)
{
    struct mcp_call *call = ctx;
    static const struct mcp_answer told = {.outcome = MCP_OK};
    bool stopped = a->rc == WH_E_CANCELED && call->streaming;

    call->transfer = NULL;
    source_metrics_note(&call->mcp->metrics, a);
    if (mcp_call_is_told(call)) {
        mcp_end(call, &told);
    } else if (call->stopped) {
        mcp_session_abort(call, a->status, call->stopped);
    } else if (session_is_bad(call, a)) {
        mcp_end_text(call, MCP_REFUSED, a->status, "the server's session id is not a valid one");
    } else if (a->rc == WH_OK || stopped) {
        if (a->status >= 200 && a->status < 300) {
            on_success(call, a);
        } else {
            on_status(call, a);
        }
    } else if (a->rc == WH_E_NET || a->rc == WH_E_TIMEOUT) {
        if (call->streaming && call->sse.last_id[0] && !mcp_modern(call->mcp)) {
            broken_off(call);
        } else {
            later(call, 0, -1, a->err.msg);
        }
    } else {
        mcp_end_text(call, MCP_REFUSED, a->status, a->err.msg);
    }
}
