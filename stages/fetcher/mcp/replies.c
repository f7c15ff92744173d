/* Answers to the server's own requests: one at a time, from a queue that has an end. */
#include "stages/fetcher/mcp/mcp_priv.h"

static void send_next(struct mcp *m);

static void on_replied(void *ctx, const struct mcp_answer *a)
{
    struct mcp *m = ctx;

    (void)a;
    m->replies.under_way = NULL;
    send_next(m);
}

/* Starts by a timer: a request that arrives inside a transfer's callback cannot start another. */
static void send_next(struct mcp *m)
{
    struct mcp_replies *r = &m->replies;
    struct mcp_call *call;

    if (r->n == 0 || r->under_way) {
        return;
    }
    call = mcp_call_new(m, MCP_CALL_ANSWER, on_replied, m);
    if (call == NULL) {
        return;
    }
    call->session_no = m->session_no;
    wh_buf_done(&call->body);
    call->body = r->waiting[r->first];
    r->waiting[r->first] = (struct wh_buf){0};
    r->first = (r->first + 1) % MCP_REPLIES_MAX;
    r->n--;
    r->under_way = call;
    mcp_go_after(call, 0);
}

const char *mcp_replies_add(struct mcp_call *call, const struct mcp_message *request)
{
    struct mcp_replies *r = &call->mcp->replies;
    struct wh_buf *body = &r->waiting[(r->first + r->n) % MCP_REPLIES_MAX];
    struct wh_err err;

    if (r->n == MCP_REPLIES_MAX) {
        return "the server sends requests faster than they can be answered";
    }
    if (++call->asked > MCP_ASKED_MAX) {
        return "the server sends too many requests of its own within one call";
    }
    wh_buf_init(body, MCP_REPLY_BYTES);
    if (mcp_reply_write(request, body, &err) != WH_OK) {
        wh_buf_done(body);
        return "the server sends a request whose id is too long";
    }
    r->n++;
    send_next(call->mcp);
    return NULL;
}

void mcp_replies_drop(struct mcp *m)
{
    struct mcp_replies *r = &m->replies;

    while (r->n > 0) {
        wh_buf_done(&r->waiting[r->first]);
        r->first = (r->first + 1) % MCP_REPLIES_MAX;
        r->n--;
    }
    if (r->under_way) {
        mcp_call_free(r->under_way);
        r->under_way = NULL;
    }
}
