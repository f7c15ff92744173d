/* Answers: JSON or a stream of events, whole or broken off. */
#include <strings.h>

#include "common/base/mem.h"
#include "common/base/num.h"
#include "stages/fetcher/mcp/mcp_priv.h"

enum { RESUMES_MAX = 20, CHALLENGES_MAX = 4, RETRY_DEFAULT_MS = 1000, RETRY_AFTER_MAX_S = 300 };

static bool is_type(struct wh_slice content_type, const char *type)
{
    size_t n = strlen(type);

    return content_type.len >= n && strncasecmp(content_type.ptr, type, n) == 0 &&
           (content_type.len == n || strchr("; \t", content_type.ptr[n]) != NULL);
}

/* ---- streams ---- */

/* The server asks something in between: it gets its answer by a request of its own. */
static void answer_server(struct mcp_call *call, const struct mcp_message *msg)
{
    struct mcp *m = call->mcp;
    struct mcp_call *reply = mcp_call_new(m, MCP_CALL_ANSWER, NULL, NULL);
    struct wh_err err;

    if (reply == NULL) {
        return;
    }
    if (mcp_reply_write(msg, &reply->body, &err) != WH_OK) {
        mcp_call_free(reply);
        return;
    }
    /* Not from inside the transfer's own callback. */
    mcp_go_after(reply, 0);
}

static bool on_event(void *ctx, struct wh_slice name, struct wh_slice data)
{
    struct mcp_call *call = ctx;
    struct mcp_message msg;
    struct wh_err err;

    if (name.len && !wh_slice_eq(name, WH_LIT("message"))) {
        return true;
    }
    if (mcp_message_read(data, call->mcp->parser, &msg, &err) != WH_OK) {
        return true;
    }
    if (msg.kind == MCP_REQUEST) {
        answer_server(call, &msg);
        return true;
    }
    if (msg.kind == MCP_NOTICE || (msg.has_id && !(msg.id_is_int && msg.id == call->id))) {
        return true;
    }
    wh_buf_reset(&call->reply);
    return wh_buf_append(&call->reply, data, &err) != WH_OK;
}

enum wh_httpc_take mcp_on_data(void *ctx, const struct wh_httpc_answer *head, struct wh_slice bytes)
{
    struct mcp_call *call = ctx;
    struct wh_err err;

    if (head->status != 200 ||
        !is_type(wh_httpc_answer_header(head, "content-type"), "text/event-stream")) {
        return WH_HTTPC_KEEP;
    }
    call->streaming = true;
    call->sse.fn = on_event;
    call->sse.ctx = call;
    if (mcp_sse_feed(&call->sse, bytes, &err) != WH_OK) {
        return WH_HTTPC_STOP;
    }
    return call->sse.stopped ? WH_HTTPC_STOP : WH_HTTPC_TAKEN;
}

static void take_reply(struct mcp_call *call, unsigned status, struct wh_slice json)
{
    struct mcp_message msg;
    struct wh_err err;

    if (mcp_message_read(json, call->mcp->parser, &msg, &err) != WH_OK ||
        (msg.kind != MCP_RESULT && msg.kind != MCP_FAULT) ||
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
    int64_t wait = m->conf.backoff_ms << (attempt < 8 ? attempt : 8);

    m->jitter ^= m->jitter << 13;
    m->jitter ^= m->jitter >> 7;
    m->jitter ^= m->jitter << 17;
    return wait / 2 + (int64_t)(m->jitter % (uint64_t)(wait / 2 + 1));
}

static void later(struct mcp_call *call, unsigned status, int64_t asked_ms, const char *text)
{
    struct mcp *m = call->mcp;

    if (call->attempt >= m->conf.retry_max) {
        mcp_end_text(call, MCP_FAILED, status, text);
        return;
    }
    call->attempt++;
    if (!call->resuming) {
        call->id = m->next_id++; /* the server may have seen the old one */
    }
    mcp_go_after(call, asked_ms >= 0 ? asked_ms : backoff_ms(m, call->attempt));
}

static void challenged(struct mcp_call *call, const struct wh_httpc_answer *a,
                       const struct oauth_challenge *challenge)
{
    struct mcp *m = call->mcp;

    call->parked = true;
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
    if (a->status == 404 && call->had_session && !call->reopened) {
        mcp_session_lost(call);
    } else if (a->status == 429 || a->status == 408 || a->status >= 500) {
        later(call, a->status, retry_after_ms(a), "the server cannot answer now");
    } else {
        refused(call, a);
    }
}

/* initialize gives the session's name, for every header to come. */
static bool keep_session(struct mcp *m, const struct wh_httpc_answer *a)
{
    struct wh_slice id = wh_httpc_answer_header(a, "mcp-session-id");

    m->session[0] = '\0';
    if (id.len > MCP_SESSION_MAX) {
        return false;
    }
    for (size_t i = 0; i < id.len; i++) {
        if (id.ptr[i] < 0x21 || id.ptr[i] > 0x7e) {
            return false;
        }
    }
    memcpy(m->session, id.ptr ? id.ptr : "", id.len);
    m->session[id.len] = '\0';
    return true;
}

static void on_success(struct mcp_call *call, const struct wh_httpc_answer *a)
{
    static const struct mcp_answer ok = {.outcome = MCP_OK};

    if (call->reply.len) {
        take_reply(call, a->status, wh_buf_slice(&call->reply));
    } else if (call->kind == MCP_CALL_READY || call->kind >= MCP_CALL_ANSWER) {
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
           a->status >= 200 && a->status < 300 && !keep_session(call->mcp, a);
}

void mcp_on_answer(void *ctx, const struct wh_httpc_answer *a)
{
    struct mcp_call *call = ctx;
    bool stopped = a->rc == WH_E_CANCELED && call->streaming;

    call->transfer = NULL;
    if (session_is_bad(call, a)) {
        mcp_end_text(call, MCP_REFUSED, a->status, "the server's session id is not a valid one");
    } else if (stopped && call->reply.len == 0) {
        mcp_end_text(call, MCP_REFUSED, a->status, "an event is larger than the limit");
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
