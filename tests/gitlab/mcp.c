/* JSON-RPC at /api/v4/mcp: who may, what is asked, and the three forms of an answer. */
#include "tests/gitlab/mcp.h"

#include <inttypes.h>
#include <stdio.h>

#include "tests/gitlab/rest.h"
#include "tests/gitlab/scan.h"

enum { RETRY_MS = 50, INVALID_REQUEST = -32600, NO_METHOD = -32601, INVALID_PARAMS = -32602 };

static unsigned plain(struct gl_call *call, unsigned status, const char *json)
{
    call->out.len = 0;
    gl_out_str(&call->out, json);
    return status;
}

/* data is JSON text. */
static unsigned rpc_error(struct gl_call *call, unsigned status, int code, const char *message,
                          const char *data_key, struct wh_slice data, struct wh_slice id)
{
    call->out.len = 0;
    gl_out_tpl(&call->out,
               "{'jsonrpc':'2.0','error':{'code':%d,'message':'%s','data':{'%s':", (int64_t)code,
               wh_slice_str(message), wh_slice_str(data_key));
    gl_out_raw(&call->out, data);
    gl_out_tpl(&call->out, "}},'id':%s}", id.len ? id : WH_LIT("null"));
    return status;
}

/* 400 with -32602: older servers leave the id out. */
static unsigned bad_params(struct gl_call *call, const char *text, struct wh_slice id)
{
    const struct gl_quirks *q = &call->server->quirks;
    bool echo =
        q->error_id == GL_ID_ECHO || (q->error_id == GL_ID_BY_VERSION && q->version >= GL_V19_4);
    struct gl_out data = {0};
    unsigned status;

    gl_out_quoted(&data, wh_slice_str(text));
    status = rpc_error(call, 400, INVALID_PARAMS, "Invalid params", "params", gl_out_slice(&data),
                       echo ? id : (struct wh_slice){0});
    gl_out_done(&data);
    return status;
}

static void begin_result(struct gl_call *call)
{
    call->out.len = 0;
    gl_out_str(&call->out, "{\"jsonrpc\":\"2.0\",\"result\":");
}

static unsigned end_result(struct gl_call *call, struct wh_slice id)
{
    gl_out_tpl(&call->out, ",'id':%s}", id);
    return 200;
}

/* ---- sessions ---- */

void gl_mcp_forget_sessions(struct gl_mcp *mcp)
{
    memset(mcp->sessions, 0, sizeof(mcp->sessions));
}

void gl_mcp_release(struct gl_mcp *mcp)
{
    for (unsigned i = 0; i < GL_MCP_PENDING; i++) {
        gl_out_done(&mcp->pending[i].body);
    }
}

static char *session_of(const struct gl_call *call)
{
    struct wh_slice id = wh_http_header(call->req, "Mcp-Session-Id");
    struct gl_mcp *mcp = &call->server->mcp;

    for (unsigned i = 0; id.len > 0 && i < GL_MCP_SESSIONS; i++) {
        if (wh_slice_eq(id, wh_slice_str(mcp->sessions[i]))) {
            return mcp->sessions[i];
        }
    }
    return NULL;
}

static void new_session(struct gl_call *call)
{
    struct gl_mcp *mcp = &call->server->mcp;
    char *to = mcp->sessions[mcp->n_sessions++ % GL_MCP_SESSIONS];

    (void)snprintf(to, GL_MCP_SESSION_BYTES, "s-%016" PRIx64 "%" PRIu64,
                   gl_mix(mcp->n_sessions ^ call->server->model->seed), mcp->n_sessions);
    /* Not visible ASCII: nothing that may go back into a header. */
    gl_header(&call->headers, "Mcp-Session-Id", "%s%s", to,
              call->server->quirks.evil_session ? "\t\xc3\xa4 x" : "");
}

/* 0: go on. */
static unsigned check_session(struct gl_call *call)
{
    if (session_of(call)) {
        return 0;
    }
    if (wh_http_header(call->req, "Mcp-Session-Id").len == 0) {
        return plain(call, 400,
                     "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32000,\"message\":\"Bad Request: "
                     "Mcp-Session-Id header is required\"},\"id\":null}");
    }
    return plain(call, 404,
                 "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32001,\"message\":\"Session not "
                 "found\"},\"id\":null}");
}

/* ---- methods ---- */

static unsigned initialize(struct gl_call *call, struct wh_slice params, struct wh_slice id)
{
    static const char *const known[] = {"2025-11-25", "2025-06-18", "2025-03-26"};
    const struct gl_quirks *q = &call->server->quirks;
    struct wh_slice asked = gl_scan_text(params, "protocolVersion");
    const char *version = q->version == GL_V18_6 ? known[1] : NULL;

    for (size_t i = 0; version == NULL && i < sizeof(known) / sizeof(known[0]); i++) {
        version = wh_slice_eq(asked, wh_slice_str(known[i])) ? known[i] : NULL;
    }
    if (version == NULL && wh_slice_eq(asked, WH_LIT("2026-07-28"))) {
        version = known[0];
    }
    if (version == NULL) {
        return bad_params(call,
                          "Unsupported protocol version. Supported versions: 2026-07-28, "
                          "2025-11-25, 2025-06-18, 2025-03-26",
                          id);
    }
    if (q->sessions) {
        new_session(call);
    }
    begin_result(call);
    gl_out_tpl(&call->out,
               "{'protocolVersion':'%s','capabilities':{'tools':{'listChanged':false}},"
               "'serverInfo':{'name':'Official GitLab MCP Server','version':'%s'}}",
               wh_slice_str(version), wh_slice_str(gl_version_text(q)));
    return end_result(call, id);
}

static unsigned list_tools(struct gl_call *call, struct wh_slice params, struct wh_slice id)
{
    begin_result(call);
    if (!gl_tools_list(call, params, &call->out)) {
        return bad_params(call, "Invalid cursor", id);
    }
    return end_result(call, id);
}

static unsigned call_tool(struct gl_call *call, struct wh_slice params, struct wh_slice id)
{
    struct gl_server *s = call->server;
    const struct gl_tool *tool = gl_tool_find(&s->quirks, gl_scan_text(params, "name"));
    struct gl_tool_call t = {.server = s, .call = call, .args = gl_scan(params, "arguments")};
    enum gl_tool_end end;
    unsigned status;

    if (tool == NULL) {
        return bad_params(call, "Tool not found", id);
    }
    /* The stand-in never changes anything that way; the log says that it was tried. */
    end = tool->run ? tool->run(&t) : gl_tool_fail(&t, "403 Forbidden");
    if (end == GL_TOOL_BAD && !tool->graph) {
        status = bad_params(call, t.text, id);
    } else {
        begin_result(call);
        gl_tool_result(&t, end, &call->out);
        status = end_result(call, id);
    }
    gl_out_done(&t.result);
    return status;
}

static unsigned dispatch(struct gl_call *call, struct wh_slice body)
{
    struct wh_slice method = gl_scan_text(body, "method");
    struct wh_slice params = gl_scan(body, "params");
    struct wh_slice id = gl_scan(body, "id");
    struct gl_out data = {0};
    unsigned status;

    if (wh_slice_starts(method, WH_LIT("notifications/initialized"))) {
        call->out.len = 0;
        return (unsigned)call->server->quirks.notify_status;
    }
    if (wh_slice_eq(method, WH_LIT("initialize"))) {
        return initialize(call, params, id);
    }
    if (wh_slice_eq(method, WH_LIT("tools/list"))) {
        return list_tools(call, params, id);
    }
    if (wh_slice_eq(method, WH_LIT("tools/call"))) {
        return call_tool(call, params, id);
    }
    gl_out_quoted(&data, method);
    status = rpc_error(call, 404, NO_METHOD, "Method not found", "method", gl_out_slice(&data), id);
    gl_out_done(&data);
    return status;
}

/* ---- event streams ---- */

static void put_event(struct gl_out *to, uint64_t event, struct wh_slice json)
{
    gl_out_tpl(to, "event: message\nid: %d-1\ndata: ", (int64_t)event);
    gl_out_raw(to, json);
    gl_out_str(to, "\n\n");
}

/* The priming event, and the answer unless the stream is to be cut. */
static void as_stream(struct gl_call *call)
{
    struct gl_server *s = call->server;
    struct gl_mcp *mcp = &s->mcp;
    uint64_t event = ++mcp->event;
    struct gl_out stream = {0};

    gl_out_tpl(&stream, ": welcome\nid: %d-0\nretry: %d\ndata:\n\n", (int64_t)event,
               (int64_t)RETRY_MS);
    if (s->quirks.sse_cuts > 0) {
        struct gl_pending *p = &mcp->pending[mcp->n_pending++ % GL_MCP_PENDING];

        s->quirks.sse_cuts--;
        gl_out_done(&p->body);
        *p = (struct gl_pending){event, call->out};
        gl_out_str(&stream, "event: message\ndata: {\"jsonrpc\":\"2.0\",\"res");
    } else {
        gl_out_tpl(&stream,
                   "event: message\nid: %d-0\ndata: {'jsonrpc':'2.0','method':"
                   "'notifications/message','params':{'level':'info','data':'at work'}}\n\n",
                   (int64_t)event);
        if (s->quirks.sse_requests) {
            gl_out_str(&stream, "event: message\r\ndata: {\"jsonrpc\":\"2.0\",\r\ndata: "
                                "\"id\":\"server-1\",\"method\":\"ping\"}\r\n\r\n");
        }
        put_event(&stream, event, gl_out_slice(&call->out));
        gl_out_done(&call->out);
    }
    call->out = stream;
    call->content_type = "text/event-stream";
}

static unsigned resume(struct gl_call *call)
{
    struct wh_slice last = wh_http_header(call->req, "Last-Event-ID");
    struct gl_mcp *mcp = &call->server->mcp;
    char text[32];

    for (unsigned i = 0; i < GL_MCP_PENDING; i++) {
        const struct gl_pending *p = &mcp->pending[i];
        int n = snprintf(text, sizeof(text), "%" PRIu64 "-0", p->event);

        if (p->body.len > 0 && wh_slice_eq(last, wh_slice(text, n > 0 ? (size_t)n : 0))) {
            put_event(&call->out, p->event, gl_out_slice(&p->body));
            call->content_type = "text/event-stream";
            return 200;
        }
    }
    return plain(call, 405, "{\"error\":\"405 Not Allowed\"}");
}

/* ---- the way in ---- */

static unsigned post(struct gl_call *call)
{
    const struct gl_quirks *q = &call->server->quirks;
    struct wh_slice body = wh_http_body(call->req);
    struct wh_slice method = gl_scan_text(body, "method");
    unsigned status;

    if (method.len == 0 && (gl_scan(body, "result").len || gl_scan(body, "error").len)) {
        return 202; /* the answer to a request of ours */
    }
    if (body.len == 0 || (body.ptr[0] != '[' && !gl_scan_is_object(body))) {
        return plain(call, 400, "{\"error\":\"The request body is not valid JSON\"}");
    }
    if (!wh_slice_eq(gl_scan_text(body, "jsonrpc"), WH_LIT("2.0")) || method.len == 0) {
        return rpc_error(call, 400, INVALID_REQUEST, "Invalid Request", "validations",
                         WH_LIT("[\"jsonrpc is missing\",\"method is missing\"]"),
                         (struct wh_slice){0});
    }
    if (q->sessions && !wh_slice_eq(method, WH_LIT("initialize"))) {
        status = check_session(call);
        if (status) {
            return status;
        }
    }
    status = dispatch(call, body);
    if (status == 200 && q->transport == GL_TRANSPORT_SSE) {
        as_stream(call);
    }
    return status;
}

static unsigned do_mcp(struct gl_call *call)
{
    struct wh_slice method = wh_http_method(call->req);
    char *session;

    if (call->who.state != GL_WHO_OK) {
        return gl_who_refuse(call, call->who.state);
    }
    if (gl_fault_hit(&call->server->faults, GL_FAULT_BARE_429) || gl_rest_over_budget(call)) {
        call->content_type = "text/plain";
        return plain(call, 429, "Retry later\n");
    }
    if (gl_fault_hit(&call->server->faults, GL_FAULT_5XX)) {
        call->content_type = "text/html";
        return plain(call, (unsigned)call->server->faults.status_5xx, "<html></html>\n");
    }
    if (call->server->quirks.mcp_off) {
        return plain(call, 404, "{\"message\":\"404 Not Found\"}");
    }
    if (!(call->who.scopes & GL_SCOPE_MCP)) {
        return plain(call, 403,
                     "{\"error\":\"insufficient_scope\",\"error_description\":\"The request "
                     "requires higher privileges than provided by the access token.\","
                     "\"scope\":\"mcp\"}");
    }
    if (wh_slice_eq(method, WH_LIT("POST"))) {
        return post(call);
    }
    session = session_of(call);
    if (wh_slice_eq(method, WH_LIT("DELETE")) && session) {
        session[0] = '\0';
        return 204;
    }
    return wh_slice_eq(method, WH_LIT("GET")) ? resume(call)
                                              : plain(call, 405, "{\"error\":\"405 Not Allowed\"}");
}

/* What is asked, for the log; true when it is no read. */
static bool judge(const struct gl_call *call, char note[GL_NOTE_BYTES])
{
    static const char *const reads[] = {"initialize",
                                        "notifications/initialized",
                                        "notifications/cancelled",
                                        "tools/list",
                                        "ping",
                                        "server/discover"};
    struct wh_slice body = wh_http_body(call->req);
    struct wh_slice method = gl_scan_text(body, "method");
    struct wh_slice tool = gl_scan_text(gl_scan(body, "params"), "name");
    bool is_call = wh_slice_eq(method, WH_LIT("tools/call"));

    if (!wh_slice_eq(wh_http_method(call->req), WH_LIT("POST"))) {
        return false;
    }
    (void)snprintf(note, GL_NOTE_BYTES, "%.*s%s%.*s", method.len > 40 ? 40 : (int)method.len,
                   method.ptr ? method.ptr : "", is_call ? " " : "",
                   !is_call        ? 0
                   : tool.len > 40 ? 40
                                   : (int)tool.len,
                   tool.ptr ? tool.ptr : "");
    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
        if (wh_slice_eq(method, wh_slice_str(reads[i]))) {
            return false;
        }
    }
    /* A body that is no JSON changes nothing. */
    return is_call ? !gl_tool_reads(tool) : method.len > 0;
}

bool gl_mcp_route(const struct gl_call *from)
{
    struct gl_call head = {.server = from->server, .req = from->req, .path = from->path};

    if (!wh_slice_eq(from->path, WH_LIT("/api/v4/mcp"))) {
        return false;
    }
    head.who = gl_who_asks(from->server, from->req);
    head.write = judge(&head, head.note);
    gl_answer(&head, GL_AT_MCP, do_mcp);
    return true;
}

bool gl_mcp_may_read(const struct gl_call *call)
{
    static const char *const tails[] = {"/pipelines", "/merge_requests/", "/issues/", "/jobs",
                                        "/releases"};
    const struct gl_quirks *q = &call->server->quirks;

    if (!q->rest_by_mcp || !(call->who.scopes & GL_SCOPE_MCP) ||
        !wh_slice_starts(call->path, WH_LIT("/api/v4/projects/"))) {
        return false;
    }
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        if (memmem(call->path.ptr, call->path.len, tails[i], strlen(tails[i]))) {
            return true;
        }
    }
    return false;
}
