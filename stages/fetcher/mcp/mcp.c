#include "stages/fetcher/mcp/mcp.h"

#include "common/base/mem.h"
#include "stages/fetcher/mcp/mcp_priv.h"

enum { JSON_DEPTH_MAX = 64, ARGUMENTS_MAX = 256 << 10 };

/* ---- life ---- */

enum wh_rc mcp_new(const struct mcp_conf *conf, struct mcp **ret, struct wh_err *err)
{
    struct mcp *m = wh_mem_zalloc(1, sizeof(*m));

    if (m == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an MCP client");
    }
    m->conf = *conf;
    m->next_id = 1;
    wh_jitter_init(&m->jitter, (uint64_t)wh_clock_mono_ns(&conf->clock));
    mcp_set_version(m, conf->version);
    source_metrics_init(&m->metrics, conf->metrics);
    mcp_tools_init(&m->tools);
    m->endpoint = wh_mem_dup(conf->endpoint.ptr, conf->endpoint.len);
    m->parser = wh_json_parser_new(conf->body_max, JSON_DEPTH_MAX);
    m->arguments = wh_json_parser_new(ARGUMENTS_MAX, JSON_DEPTH_MAX);
    if (!m->endpoint || !m->parser || !m->arguments) {
        (void)wh_fail(err, WH_E_NOMEM, "no memory for an MCP client");
    } else if (wh_url_parse(wh_slice_str(m->endpoint), &m->url, err) == WH_OK &&
               oauth_url_secure(&m->url, conf->allow_http, err) == WH_OK) {
        *ret = m;
        return WH_OK;
    }
    mcp_free(m);
    return err->rc;
}

void mcp_free(struct mcp *m)
{
    if (m == NULL) {
        return;
    }
    while (m->calls) {
        mcp_call_free(m->calls);
    }
    while (m->waiting) {
        mcp_call_free(m->waiting);
    }
    m->replies.under_way = NULL;
    mcp_replies_drop(m);
    mcp_tools_done(&m->tools);
    wh_json_parser_free(m->parser);
    wh_json_parser_free(m->arguments);
    wh_mem_free(m->endpoint);
    wh_mem_free(m);
}

/* ---- what is offered ---- */

enum wh_rc mcp_list_tools(struct mcp *m, mcp_fn fn, void *ctx, struct wh_err *err)
{
    struct mcp_call *call = mcp_call_new(m, MCP_CALL_LIST, fn, ctx);

    if (call == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a call");
    }
    mcp_tools_clear(&m->tools);
    mcp_submit(call);
    return WH_OK;
}

enum wh_rc mcp_call_tool(struct mcp *m, struct wh_slice name, struct wh_slice arguments, mcp_fn fn,
                         void *ctx, struct mcp_call **ret, struct wh_err *err)
{
    struct mcp_call *call;

    if (m->conf.allowed == NULL || !m->conf.allowed(name)) {
        return wh_fail(err, WH_E_FORBIDDEN, "%.*s is not one of the read tools",
                       WH_SLICE_ARG(name));
    }
    call = mcp_call_new(m, MCP_CALL_TOOL, fn, ctx);
    if (call) {
        call->name = wh_slice(wh_mem_dup(name.ptr, name.len), name.len);
        call->arguments = wh_slice(wh_mem_dup(arguments.ptr, arguments.len), arguments.len);
    }
    if (call == NULL || call->name.ptr == NULL || call->arguments.ptr == NULL) {
        if (call) {
            mcp_call_free(call);
        }
        return wh_fail(err, WH_E_NOMEM, "no memory for a call");
    }
    mcp_submit(call);
    if (ret) {
        *ret = call;
    }
    return WH_OK;
}

void mcp_cancel(struct mcp_call *call)
{
    struct mcp *m = call->mcp;
    int64_t id = call->id;
    bool told = call->transfer != NULL && call->kind == MCP_CALL_TOOL;

    mcp_call_free(call);
    if (told) {
        mcp_call_disown(m, id);
    }
}

void mcp_close(struct mcp *m)
{
    struct mcp_call *call;

    if (m->session[0] && m->opened && !mcp_modern(m)) {
        call = mcp_call_new(m, MCP_CALL_DELETE, NULL, NULL);
        if (call) {
            call->session_no = m->session_no;
            mcp_go(call);
        }
    }
    m->opened = false;
}

size_t mcp_tool_count(const struct mcp *m)
{
    return m->tools.n;
}

const struct mcp_tool *mcp_tool_at(const struct mcp *m, size_t index)
{
    const struct mcp_tool *tool = m->tools.first;

    for (size_t i = m->tools.n; tool && i > index + 1; i--) {
        tool = tool->next;
    }
    return tool;
}

const struct mcp_tool *mcp_tool_find(const struct mcp *m, struct wh_slice name)
{
    return mcp_tools_find(&m->tools, name);
}

size_t mcp_tools_dropped(const struct mcp *m)
{
    return m->tools.dropped;
}

const char *mcp_version(const struct mcp *m)
{
    return m->opened ? m->version : "";
}

uint64_t mcp_requests(const struct mcp *m)
{
    return m ? m->requests : 0;
}

const char *mcp_server_version(const struct mcp *m)
{
    return m->server_version;
}

/* ---- challenged calls ---- */

void mcp_resume(struct mcp_call *call)
{
    call->parked = false;
    mcp_go_after(call, 0);
}

void mcp_resume_all(struct mcp *m)
{
    for (struct mcp_call *call = m ? m->calls : NULL; call; call = call->next) {
        if (call->parked) {
            mcp_resume(call);
        }
    }
}

void mcp_give_up_all(struct mcp *m, const char *text)
{
    for (struct mcp_call *call = m ? m->calls : NULL; call; call = call->next) {
        if (call->parked) {
            mcp_end_later(call, MCP_SIGN_IN, 401, 0, text);
        }
    }
}

int64_t mcp_call_sent_ms(const struct mcp_call *call)
{
    return call->sent_ms;
}
