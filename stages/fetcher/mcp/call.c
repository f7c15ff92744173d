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
    mcp_sse_done(&call->sse);
    wh_buf_done(&call->reply);
    wh_buf_done(&call->body);
    wh_mem_free((char *)(uintptr_t)call->name.ptr);
    wh_mem_free((char *)(uintptr_t)call->arguments.ptr);
    wh_mem_free((char *)(uintptr_t)call->cursor.ptr);
    wh_mem_free(call);
}

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
    wh_buf_init(&call->body, 4096);
    call->timer = wh_timer_new(m->conf.loop, on_timer, call);
    if (call->timer == NULL) {
        mcp_call_free(call);
        return NULL;
    }
    call->next = m->calls;
    m->calls = call;
    return call;
}

void mcp_go(struct mcp_call *call)
{
    struct wh_err err;

    if (mcp_send(call, &err) != WH_OK) {
        mcp_end_text(call, MCP_REFUSED, 0, err.msg);
    }
}

void mcp_go_after(struct mcp_call *call, int64_t wait_ms)
{
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
