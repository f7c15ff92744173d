/* Requests on their way out: body, headers, token. */

#include "common/base/mem.h"
#include "stages/fetcher/mcp/mcp_priv.h"

enum {
    HEADERS_MAX = 8 + MCP_PARAM_HEADERS_MAX,
    BODY_MAX_BYTES = 1 << 20,
    VALUES_MAX = 64 << 10,
    BACKSTOP_MS = 10000
};

struct headers {
    struct wh_httpc_header list[HEADERS_MAX];
    size_t n;
    struct wh_buf values; /* reserved at once, so that slices into it stay */
};

static void add(struct headers *h, struct wh_slice name, struct wh_slice value)
{
    if (h->n < HEADERS_MAX) {
        h->list[h->n++] = (struct wh_httpc_header){name, value};
    }
}

static const char *method_of(const struct mcp_call *call)
{
    switch (call->kind) {
    case MCP_CALL_OPEN:
        return mcp_modern(call->mcp) ? "server/discover" : "initialize";
    case MCP_CALL_READY:
        return "notifications/initialized";
    case MCP_CALL_LIST:
        return "tools/list";
    case MCP_CALL_TOOL:
        return "tools/call";
    case MCP_CALL_ANSWER:
    case MCP_CALL_NOTICE:
    case MCP_CALL_DELETE:
    default:
        return "";
    }
}

static enum wh_rc build_body(const struct mcp_call *call, struct wh_buf *out, struct wh_err *err)
{
    const struct mcp *m = call->mcp;
    struct mcp_out o = {
        .method = wh_slice_str(method_of(call)),
        .has_id = call->kind != MCP_CALL_READY,
        .id = call->id,
        .name = call->name,
        .arguments = call->arguments,
        .cursor = call->cursor,
        .has_cursor = call->has_cursor,
        .version = wh_slice_str(m->version),
        .modern = mcp_modern(m),
        .client_name = wh_slice_str(m->conf.client_name),
        .client_version = wh_slice_str(m->conf.client_version),
    };

    if (call->body.len) {
        return wh_buf_append(out, wh_buf_slice(&call->body), err);
    }
    return mcp_message_write(&o, out, err);
}

static enum wh_rc keep_value(struct headers *h, struct wh_slice name, size_t from)
{
    add(h, name, wh_slice(h->values.ptr + from, h->values.len - from));
    return WH_OK;
}

static enum wh_rc add_params(const struct mcp_call *call, struct headers *h, struct wh_err *err)
{
    struct mcp *m = call->mcp;
    const struct mcp_tool *tool = mcp_tools_find(&m->tools, call->name);
    struct wh_json_val arguments;
    bool found;

    if (tool == NULL || tool->n_headers == 0 || call->arguments.len == 0) {
        return WH_OK;
    }
    if (wh_json_parse(m->arguments, call->arguments, &arguments, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < tool->n_headers; i++) {
        size_t from = h->values.len;

        if (mcp_param_value(&tool->headers[i], arguments, &h->values, &found, err) != WH_OK) {
            return err->rc;
        }
        if (found) {
            (void)keep_value(h, tool->headers[i].header, from);
        }
    }
    return WH_OK;
}

static enum wh_rc add_modern(const struct mcp_call *call, struct headers *h, struct wh_err *err)
{
    size_t from = h->values.len;

    add(h, WH_LIT("Mcp-Method"), wh_slice_str(method_of(call)));
    if (call->kind != MCP_CALL_TOOL) {
        return WH_OK;
    }
    if (mcp_header_value(call->name, &h->values, err) != WH_OK) {
        return err->rc;
    }
    (void)keep_value(h, WH_LIT("Mcp-Name"), from);
    return add_params(call, h, err);
}

static enum wh_rc build_headers(const struct mcp_call *call, struct headers *h, struct wh_err *err)
{
    const struct mcp *m = call->mcp;

    h->n = 0;
    wh_buf_init(&h->values, VALUES_MAX);
    if (wh_buf_reserve(&h->values, VALUES_MAX - 1, err) != WH_OK) {
        return err->rc;
    }
    if (call->resuming) {
        add(h, WH_LIT("Accept"), WH_LIT("text/event-stream"));
        add(h, WH_LIT("Last-Event-ID"), wh_slice_str(call->sse.last_id));
    } else if (call->kind != MCP_CALL_DELETE) {
        add(h, WH_LIT("Content-Type"), WH_LIT("application/json"));
        add(h, WH_LIT("Accept"), WH_LIT("application/json, text/event-stream"));
    }
    if (mcp_modern(m)) {
        add(h, WH_LIT("MCP-Protocol-Version"), wh_slice_str(m->version));
        return add_modern(call, h, err);
    }
    if (call->kind != MCP_CALL_OPEN) {
        add(h, WH_LIT("MCP-Protocol-Version"), wh_slice_str(m->version));
    }
    if (m->session[0] && (call->kind != MCP_CALL_OPEN || call->resuming)) {
        add(h, WH_LIT("Mcp-Session-Id"), wh_slice_str(m->session));
    }
    return WH_OK;
}

static enum wh_rc start(struct mcp_call *call, const struct headers *h, struct wh_slice body,
                        struct wh_err *err)
{
    struct mcp *m = call->mcp;
    struct wh_slice token = m->conf.token ? m->conf.token(m->conf.ctx) : wh_slice("", 0);
    const struct wh_httpc_request req = {
        .method = call->kind == MCP_CALL_DELETE ? WH_LIT("DELETE")
                  : call->resuming              ? WH_LIT("GET")
                                                : WH_LIT("POST"),
        .url = wh_slice_str(m->endpoint),
        .headers = h->list,
        .n_headers = h->n,
        .body = body,
        .secret_header = token.len ? "Authorization: Bearer " : NULL,
        .secret = token,
        .on_data = mcp_on_data,
        .peer = oauth_url_peer(&m->url, &m->url, m->conf.allow_http),
        .body_max = call->kind == MCP_CALL_READY || mcp_call_is_told(call) ? MCP_NO_CONTENT
                                                                           : m->conf.body_max,
        /* The call's own deadline comes first and says what happened. */
        .timeout_ms = m->conf.timeout_ms + BACKSTOP_MS,
    };

    m->requests++;
    return wh_httpc_start(m->conf.http, &req, mcp_on_answer, call, &call->transfer, err);
}

enum wh_rc mcp_send(struct mcp_call *call, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf body;
    struct headers h;
    enum wh_rc rc = WH_OK;

    wh_buf_init(&body, BODY_MAX_BYTES);
    wh_buf_reset(&call->reply);
    mcp_sse_restart(&call->sse);
    call->streaming = false;
    call->stopped = NULL;
    call->session_no = call->mcp->session_no;
    call->sent_ms = wh_clock_now_ms(&call->mcp->conf.clock);
    call->had_session =
        !mcp_modern(call->mcp) && call->kind != MCP_CALL_OPEN && call->mcp->session[0];
    if (!call->resuming && call->kind != MCP_CALL_DELETE) {
        rc = build_body(call, &body, err);
    }
    if (rc == WH_OK) {
        rc = build_headers(call, &h, err);
        if (rc == WH_OK) {
            rc = start(call, &h, wh_buf_slice(&body), err);
        }
        wh_buf_done(&h.values);
    }
    return rc;
}
