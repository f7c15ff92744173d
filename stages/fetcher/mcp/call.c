/* One call: its life, when it goes out, how it ends. */
#include <stdio.h>

#include "common/base/mem.h"
#include "stages/fetcher/mcp/mcp_priv.h"

void mcp_call_unlink(struct mcp_call **link, const struct mcp_call *call)
{
    while (*link && *link != call) {
        link = &(*link)->next;
    }
    if (*link) {
        *link = call->next;
    }
}

void mcp_call_free(struct mcp_call *call)
{
    struct mcp *m = call->mcp;

    mcp_call_unlink(&m->calls, call);
    mcp_call_unlink(&m->waiting, call);
    if (call->transfer) {
        wh_httpc_cancel(m->conf.http, call->transfer);
    }
    wh_timer_free(call->timer);
    wh_timer_free(call->deadline);
    mcp_sse_done(&call->sse);
    wh_buf_done(&call->reply);
    wh_buf_done(&call->body);
    wh_mem_free((char *)(uintptr_t)call->name.ptr);
    wh_mem_free((char *)(uintptr_t)call->arguments.ptr);
    wh_mem_free((char *)(uintptr_t)call->cursor.ptr);
    wh_mem_free(call);
}

bool mcp_call_works(const struct mcp_call *call)
{
    return call->kind == MCP_CALL_LIST || call->kind == MCP_CALL_TOOL;
}

bool mcp_call_is_told(const struct mcp_call *call)
{
    return call->kind >= MCP_CALL_ANSWER;
}

/* ---- the deadline ---- */

static int64_t mono_ns(const struct mcp_call *call)
{
    return wh_clock_mono_ns(&call->mcp->conf.clock);
}

int64_t mcp_call_left_ms(const struct mcp_call *call)
{
    int64_t passed = call->running_ns ? (mono_ns(call) - call->running_ns) / 1000000 : 0;

    return passed < call->left_ms ? call->left_ms - passed : 0;
}

static void run(struct mcp_call *call)
{
    if (call->running_ns == 0) {
        call->running_ns = mono_ns(call) | 1;
        wh_timer_start(call->deadline, call->left_ms, 0);
    }
}

void mcp_call_hold(struct mcp_call *call)
{
    call->left_ms = mcp_call_left_ms(call);
    call->running_ns = 0;
    wh_timer_stop(call->deadline);
}

static void on_deadline(void *ctx)
{
    struct mcp_call *call = ctx;
    struct mcp *m = call->mcp;
    char text[MCP_TEXT_MAX];

    if (call->failed) {
        return; /* it ends by its own reason in this turn */
    }
    (void)snprintf(text, sizeof(text), "the server did not complete its answer within %.6g s",
                   (double)m->conf.timeout_ms / 1000);
    if (call->transfer && call->kind == MCP_CALL_TOOL) {
        mcp_call_disown(m, call->id);
    }
    mcp_end_text(call, MCP_FAILED, 0, text);
}

void mcp_call_disown(struct mcp *m, int64_t id)
{
    struct mcp_call *notice = mcp_modern(m) ? NULL : mcp_call_new(m, MCP_CALL_NOTICE, NULL, NULL);
    const struct mcp_out o = {.method = WH_LIT("notifications/cancelled"), .cancelled_id = id};
    struct wh_err err;

    if (notice == NULL) {
        return;
    }
    notice->session_no = m->session_no;
    if (mcp_message_write(&o, &notice->body, &err) != WH_OK) {
        mcp_call_free(notice);
        return;
    }
    mcp_go_after(notice, 0);
}

/* ---- its life ---- */

static void on_timer(void *ctx)
{
    struct mcp_call *call = ctx;

    if (call->failed) {
        struct mcp_answer why = call->why;
        char text[MCP_TEXT_MAX];

        memcpy(text, call->why_text, sizeof(text));
        why.error = text;
        mcp_end(call, &why);
    } else {
        mcp_go(call);
    }
}

struct mcp_call *mcp_call_new(struct mcp *m, enum mcp_call_kind kind, mcp_fn fn, void *ctx)
{
    struct mcp_call *call = wh_mem_zalloc(1, sizeof(*call));

    if (call == NULL) {
        return NULL;
    }
    call->mcp = m;
    call->kind = kind;
    call->id = m->next_id++;
    call->fn = fn;
    call->ctx = ctx;
    mcp_sse_init(&call->sse, m->conf.body_max, NULL, NULL);
    wh_buf_init(&call->reply, m->conf.body_max);
    wh_buf_init(&call->body, MCP_REPLY_BYTES);
    call->left_ms = m->conf.timeout_ms;
    call->timer = wh_timer_new(m->conf.loop, on_timer, call);
    call->deadline = wh_timer_new(m->conf.loop, on_deadline, call);
    if (call->timer == NULL || call->deadline == NULL) {
        mcp_call_free(call);
        return NULL;
    }
    call->next = m->calls;
    m->calls = call;
    return call;
}

/* What belongs to a session goes out in that one or not at all. */
static bool out_of_session(struct mcp_call *call)
{
    const struct mcp *m = call->mcp;
    static const struct mcp_answer over = {.outcome = MCP_OK};

    if (mcp_call_works(call) && !m->opened) {
        call->resuming = false;
        mcp_submit(call);
        return true;
    }
    if (mcp_call_is_told(call) && call->session_no != m->session_no) {
        mcp_end(call, &over);
        return true;
    }
    return false;
}

void mcp_go(struct mcp_call *call)
{
    struct wh_err err;

    if (out_of_session(call)) {
        return;
    }
    run(call);
    if (mcp_send(call, &err) != WH_OK) {
        mcp_end_text(call, MCP_REFUSED, 0, err.msg);
    }
}

void mcp_go_after(struct mcp_call *call, int64_t wait_ms)
{
    run(call);
    wh_timer_start(call->timer, wait_ms, 0);
}

void mcp_go_after_pause(struct mcp_call *call, int64_t wait_ms)
{
    mcp_call_hold(call);
    wh_timer_start(call->timer, wait_ms, 0);
}

void mcp_end(struct mcp_call *call, const struct mcp_answer *answer)
{
    mcp_fn fn = call->fn;
    void *ctx = call->ctx;

    /* The answer's text and values are not the call's. */
    mcp_call_free(call);
    if (fn) {
        fn(ctx, answer);
    }
}

void mcp_end_text(struct mcp_call *call, enum mcp_outcome outcome, unsigned status,
                  const char *text)
{
    char copy[MCP_TEXT_MAX];
    struct mcp_answer answer = {.outcome = outcome, .status = status, .error = copy};

    (void)snprintf(copy, sizeof(copy), "%s", text ? text : "");
    mcp_end(call, &answer);
}

void mcp_end_later(struct mcp_call *call, enum mcp_outcome outcome, unsigned status, int64_t code,
                   const char *text)
{
    call->failed = true;
    call->parked = false;
    call->why = (struct mcp_answer){.outcome = outcome, .status = status, .code = code};
    (void)snprintf(call->why_text, sizeof(call->why_text), "%s", text ? text : "");
    mcp_go_after(call, 0);
}
