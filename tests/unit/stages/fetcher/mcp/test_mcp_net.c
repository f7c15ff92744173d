/* The MCP client against a server that does what the case says; real sockets, one loop. */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/mem.h"
#include "stages/fetcher/mcp/mcp.h"
#include "stages/fetcher/oauth/challenge.h"
#include "tests/lib/th_server.h"

enum { ID_TEXT = 24, SOON_MS = 300 };

/* How this server is; all zero: plain JSON, no session. */
struct manner {
    const char *name;
    const char *version;        /* it speaks; NULL: what it is asked for */
    const char *refuses;        /* this version, and names its own in the error */
    const char *session;        /* Mcp-Session-Id of initialize */
    bool forgets;               /* the session, once, at the first tools/list */
    bool stream;                /* answers as an event stream */
    unsigned cuts;              /* that many streams end before their answer */
    bool asks;                  /* a ping and a request of its own first, on the stream */
    const char *const *cursors; /* of the pages of tools/list, NULL at the end */
    bool oversized;
    const char *endless;     /* a stream of this without end */
    bool slowly;             /* with pauses */
    unsigned denies;         /* 401 that many times */
    unsigned fails;          /* 503 that many times, with Retry-After: 0 */
    const char *redirect;    /* 302 to there */
    bool other_id;           /* answers another request than the one that was sent */
    bool silent_tool;        /* tools/call is never answered */
    const char *modern_only; /* initialize is refused with -32022 */
};

struct fixture {
    struct wh_loop *loop;
    struct wh_httpc *http;
    struct th_server *server;
    struct mcp *mcp;
    const struct manner *manner;
    unsigned page;
    unsigned cuts;
    unsigned denied;
    unsigned failed;
    bool forgotten;
    char held_id[ID_TEXT]; /* of the call whose stream was cut */
    bool done;
    enum mcp_outcome outcome;
    char error[256];
    int64_t sum;
};

static void id_of(struct wh_slice body, char to[ID_TEXT])
{
    const char *at = memmem(body.ptr, body.len, "\"id\":", 5);

    (void)snprintf(to, ID_TEXT, "%d", at ? atoi(at + 5) : 0);
}

static bool has(struct wh_slice body, const char *text)
{
    return body.len && memmem(body.ptr, body.len, text, strlen(text)) != NULL;
}

static void answer(struct fixture *f, struct wh_http_req *req, const char *id, const char *result)
{
    const struct manner *m = f->manner;
    const char *shown = m->other_id ? "99999" : id;

    if (!m->stream) {
        th_reply(req, 200, "application/json; charset=utf-8",
                 "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}", shown, result);
        return;
    }
    if (f->cuts < m->cuts) {
        f->cuts++;
        (void)snprintf(f->held_id, sizeof(f->held_id), "%s", id);
        th_reply(req, 200, "text/event-stream", "id: e%u\nretry: 1\ndata: \n\n", f->cuts);
        return;
    }
    th_reply(req, 200, "Text/Event-Stream",
             "\xef\xbb\xbf: hello\r\n%sevent: message\rdata: {\"jsonrpc\":\"2.0\",\rdata: "
             "\"id\":%s,\"result\":%s}\r\n\r\n",
             m->asks ? "data: {\"jsonrpc\":\"2.0\",\"id\":\"s1\",\"method\":\"ping\"}\n\n"
                       "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"roots/list\"}\n\n"
                       "event: other\ndata: not json\n\n"
                     : "",
             shown, result);
}

static void initialize(struct fixture *f, struct wh_http_req *req, const char *id)
{
    const struct manner *m = f->manner;
    struct wh_slice body = wh_http_body(req);
    char text[512];

    if (m->modern_only) {
        th_reply(req, 400, "application/json",
                 "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32022,\"message\":\"no\","
                 "\"data\":{\"supported\":[\"%s\"]}}}",
                 id, m->modern_only);
        return;
    }
    if (m->refuses && has(body, m->refuses)) {
        th_reply(
            req, 400, "application/json",
            "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32602,\"message\":\"Invalid "
            "params\",\"data\":{\"params\":\"Supported versions: %s\"}}}",
            m->version);
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"protocolVersion\":\"%s\","
                   "\"capabilities\":{},\"serverInfo\":{\"name\":\"t\",\"version\":\"19.4\"}}}",
                   id, m->version ? m->version : "2025-11-25");
    if (m->session) {
        th_reply_with(req, 200, "Mcp-Session-Id", m->session, "application/json", text);
    } else {
        th_reply(req, 200, "application/json", "%s", text);
    }
}

static void list_tools(struct fixture *f, struct wh_http_req *req, const char *id)
{
    static const char tools[] =
        "\"tools\":[{\"name\":\"get_issue\",\"inputSchema\":{\"type\":\"object\",\"properties\":"
        "{\"region\":{\"type\":\"string\",\"x-mcp-header\":\"Region\"}}}},"
        "{\"name\":\"create_issue\",\"annotations\":{\"readOnlyHint\":true}}]";
    const struct manner *m = f->manner;
    char result[1024];

    if (m->forgets && !f->forgotten) {
        f->forgotten = true;
        th_reply(req, 404, "text/plain", "no such session");
    } else if (m->cursors && m->cursors[f->page]) {
        (void)snprintf(result, sizeof(result),
                       "{\"tools\":[{\"name\":\"get_user_%u\"}],\"nextCursor\":\"%s\"}", f->page,
                       m->cursors[f->page]);
        f->page++;
        answer(f, req, id, result);
    } else {
        (void)snprintf(result, sizeof(result), "{%s}", tools);
        answer(f, req, id, result);
    }
}

static enum wh_rc fill_for_ever(void *ctx, struct wh_buf *out, size_t max, bool *ret_end,
                                struct wh_err *err)
{
    const struct manner *m = ctx;
    const struct timespec pause = {0, 20 * 1000 * 1000};

    *ret_end = false;
    if (m->slowly) {
        (void)nanosleep(&pause, NULL);
        return wh_buf_append(out, wh_slice_str(m->endless), err);
    }
    for (size_t n = 0; n + strlen(m->endless) <= max && n < 4096; n += strlen(m->endless)) {
        if (wh_buf_append(out, wh_slice_str(m->endless), err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static void filled(void *ctx)
{
    (void)ctx;
}

static bool goes_wrong(struct fixture *f, struct wh_http_req *req)
{
    const struct manner *m = f->manner;

    if (m->redirect) {
        th_reply_with(req, 302, "Location", m->redirect, "text/plain", "");
    } else if (f->denied < m->denies) {
        f->denied++;
        th_reply_with(req, 401, "WWW-Authenticate", "Bearer realm=\"x\", scope=\"mcp\"",
                      "text/plain", "");
    } else if (f->failed < m->fails) {
        f->failed++;
        th_reply_with(req, 503, "Retry-After", "0", "text/plain", "");
    } else if (m->endless) {
        wh_http_reply_stream(req, 200, "text/event-stream",
                             &(struct wh_http_stream){.fill = fill_for_ever,
                                                      .done = filled,
                                                      .ctx = (void *)(uintptr_t)m});
    } else if (m->oversized) {
        size_t n = 1 << 20;
        char *bytes = wh_mem_alloc(n);

        memset(bytes, ' ', n);
        wh_http_reply(req, &(struct wh_http_reply){.status = 200,
                                                   .content_type = "application/json",
                                                   .body = wh_slice(bytes, n),
                                                   .body_taken = true});
    } else {
        return false;
    }
    return true;
}

static void on_request(void *ctx, struct wh_http_req *req)
{
    struct fixture *f = ctx;
    struct wh_slice body = wh_http_body(req);
    char id[ID_TEXT];

    id_of(body, id);
    if (goes_wrong(f, req)) {
        return;
    }
    if (wh_slice_eq(wh_http_method(req), WH_LIT("GET"))) {
        f->cuts = f->manner->cuts;
        answer(f, req, f->held_id, "{\"sum\":8}");
    } else if (wh_slice_eq(wh_http_method(req), WH_LIT("DELETE"))) {
        th_reply(req, 405, "text/plain", "no");
    } else if (has(body, "\"initialize\"")) {
        initialize(f, req, id);
    } else if (has(body, "\"tools/list\"")) {
        list_tools(f, req, id);
    } else if (has(body, "\"tools/call\"")) {
        if (!f->manner->silent_tool) {
            answer(f, req, id, "{\"sum\":8}");
        }
    } else if (has(body, "server/discover")) {
        answer(f, req, id, "{\"supportedVersions\":[\"2026-07-28\"]}");
    } else {
        th_reply(req, 202, NULL, "%s", "");
    }
}

/* ---- the client ---- */

static bool challenged(void *ctx, struct mcp_call *call, unsigned status,
                       const struct oauth_challenge *challenge)
{
    (void)ctx;
    assert_int_equal(status, 401);
    assert_string_equal(challenge->scope, "mcp");
    mcp_resume(call);
    return true;
}

static struct wh_slice token(void *ctx)
{
    (void)ctx;
    return WH_LIT("the-token");
}

static void begin(struct fixture *f, const struct manner *m)
{
    struct mcp_conf conf = {
        .clock = wh_clock_real(),
        .allow_http = true,
        .version = "2025-11-25",
        .client_name = "test",
        .client_version = "1",
        .retry_max = 2,
        .backoff_ms = 1,
        .timeout_ms = m->slowly ? SOON_MS : 10000,
        .body_max = 64 << 10,
        .allowed = mcp_tool_is_read,
        .token = token,
        .challenged = challenged,
        .ctx = f,
    };
    char endpoint[256];
    struct wh_err err;

    memset(f, 0, sizeof(*f));
    f->manner = m;
    f->loop = wh_loop_new();
    f->http = th_client_new(f->loop);
    f->server = th_server_new(f->loop, on_request, f);
    (void)snprintf(endpoint, sizeof(endpoint), "%s/api/v4/mcp", th_server_origin(f->server));
    conf.loop = f->loop;
    conf.http = f->http;
    conf.endpoint = wh_slice_str(endpoint);
    th_ok(mcp_new(&conf, &f->mcp, &err), &err);
}

static void end(struct fixture *f)
{
    mcp_free(f->mcp);
    wh_httpc_free(f->http);
    th_server_free(f->server);
    wh_loop_free(f->loop);
}

static void on_end(void *ctx, const struct mcp_answer *a)
{
    struct fixture *f = ctx;
    struct wh_json_val v;

    f->done = true;
    f->outcome = a->outcome;
    (void)snprintf(f->error, sizeof(f->error), "%s", a->error ? a->error : "");
    f->sum = a->outcome == MCP_OK && wh_json_get(a->result, WH_LIT("sum"), &v) ? wh_json_int(v) : 0;
}

static void await(struct fixture *f)
{
    while (!f->done) {
        wh_loop_turn(f->loop, true);
    }
    f->done = false;
}

static void list(struct fixture *f)
{
    struct wh_err err;

    th_ok(mcp_list_tools(f->mcp, on_end, f, &err), &err);
    await(f);
}

static void call(struct fixture *f)
{
    struct wh_err err;

    th_ok(mcp_call_tool(f->mcp, WH_LIT("get_issue"), WH_LIT("{\"region\":\"eu\"}"), on_end, f, NULL,
                        &err),
          &err);
    await(f);
}

static const char *const pages[] = {"c1", "", "c3", NULL};
static const char *const evil[] = {"c1\\r\\nX-Evil: 1\\r\\n", "\\u0000\\u00e9", NULL};
static const char *const rounds[] = {"a", "b", "a", "b", "a", "b", "a", "b", "a", "b", NULL};

static const struct manner good[] = {
    {.name = "plain"},
    {.name = "older", .version = "2025-03-26"},
    {.name = "refuses newer", .refuses = "2025-11-25", .version = "2025-06-18"},
    {.name = "session", .session = "abc-123~"},
    {.name = "session forgotten", .session = "abc", .forgets = true},
    {.name = "stream", .stream = true},
    {.name = "stream that asks", .stream = true, .asks = true},
    {.name = "broken stream", .stream = true, .cuts = 1, .session = "s"},
    {.name = "pages", .cursors = pages},
    {.name = "pages of cursors with line breaks", .cursors = evil},
    {.name = "likewise, stateless", .cursors = evil, .modern_only = "2026-07-28"},
    {.name = "challenged twice", .denies = 2},
    {.name = "fails twice", .fails = 2},
    {.name = "stateless", .modern_only = "2026-07-28"},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        const struct manner *m = &good[i];
        struct fixture f;

        begin(&f, m);
        if (m->cuts) {
            f.cuts = m->cuts; /* not the list's */
        }
        list(&f);
        if (f.outcome != MCP_OK) {
            fail_msg("%s: %d %s", m->name, (int)f.outcome, f.error);
        }
        f.cuts = 0;
        call(&f);
        if (f.outcome != MCP_OK || f.sum != 8) {
            fail_msg("%s: call: %d %s", m->name, (int)f.outcome, f.error);
        }
        assert_string_equal(th_server_header(f.server, "POST ", "Authorization"),
                            "Bearer the-token");
        if (m->version) {
            assert_string_equal(mcp_version(f.mcp), m->version);
            assert_string_equal(th_server_header(f.server, "POST ", "MCP-Protocol-Version"),
                                m->version);
        }
        if (m->session) {
            assert_string_equal(th_server_header(f.server, "POST ", "Mcp-Session-Id"), m->session);
        }
        if (m->cuts) {
            assert_string_equal(th_server_header(f.server, "GET ", "Last-Event-ID"), "e1");
        }
        if (m->cursors) {
            assert_int_equal(mcp_tool_count(f.mcp), 2 + f.page);
            assert_string_equal(th_server_header(f.server, "POST ", "X-Evil"), "");
        }
        if (m->cursors == evil) {
            assert_true(th_server_heard(f.server, "\"c1\\r\\nX-Evil: 1\\r\\n\""));
        }
        if (m->modern_only) {
            assert_string_equal(th_server_header(f.server, "POST ", "Mcp-Method"), "tools/call");
            assert_string_equal(th_server_header(f.server, "POST ", "Mcp-Name"), "get_issue");
            assert_string_equal(th_server_header(f.server, "POST ", "Mcp-Param-Region"), "eu");
        }
        end(&f);
    }
}

static const struct {
    struct manner manner;
    enum mcp_outcome outcome;
} bad[] = {
    {{.name = "cursors that go round", .cursors = rounds}, MCP_REFUSED},
    {{.name = "session with a blank", .session = "a b"}, MCP_REFUSED},
    {{.name = "oversized", .oversized = true}, MCP_REFUSED},
    {{.name = "endless event", .endless = "data: 0123456789\n"}, MCP_REFUSED},
    {{.name = "endless comments", .endless = ": 0123456789\n\n"}, MCP_REFUSED},
    {{.name = "slow for ever", .endless = ": \n\n", .slowly = true}, MCP_FAILED},
    {{.name = "denied for ever", .denies = 100}, MCP_SIGN_IN},
    {{.name = "fails for ever", .fails = 100}, MCP_FAILED},
    {{.name = "redirects", .redirect = "/stolen"}, MCP_REFUSED},
    {{.name = "answers another", .other_id = true}, MCP_REFUSED},
    {{.name = "unknown version", .version = "2099-01-01"}, MCP_REFUSED},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct fixture f;

        begin(&f, &bad[i].manner);
        list(&f);
        if (f.outcome != bad[i].outcome) {
            fail_msg("%s: %d %s", bad[i].manner.name, (int)f.outcome, f.error);
        }
        assert_int_equal(th_server_count(f.server, "GET /stolen"), 0);
        assert_int_equal(th_server_count(f.server, "POST /stolen"), 0);
        end(&f);
    }
}

/* A write tool is never called, whatever its hints say; nor is a tool that is not known here. */
static void test_writes(void **state)
{
    static const struct manner plain = {.name = "plain"};
    static const char *const tools[] = {
        "create_issue",         "save_note", "manage_pipeline", "get_issue ", "GET_ISSUE",
        "accept_merge_request", "",          "semantic_search"};
    struct fixture f;
    struct wh_err err;

    (void)state;
    begin(&f, &plain);
    list(&f);
    assert_non_null(mcp_tool_find(f.mcp, WH_LIT("create_issue")));
    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
        assert_int_equal(
            mcp_call_tool(f.mcp, wh_slice_str(tools[i]), WH_LIT("{}"), on_end, &f, NULL, &err),
            WH_E_FORBIDDEN);
    }
    end(&f);
}

/* The server's questions get their answers: a ping {}, anything else "not offered". */
static void test_asked(void **state)
{
    static const struct manner asks = {.name = "asks", .stream = true, .asks = true};
    struct fixture f;

    (void)state;
    begin(&f, &asks);
    list(&f);
    while (!th_server_heard(f.server, "\"id\":\"s1\",\"result\":{}") ||
           !th_server_heard(f.server, "\"id\":7,\"error\":{\"code\":-32601")) {
        wh_loop_turn(f.loop, true);
    }
    end(&f);
}

static void test_cancel(void **state)
{
    static const struct manner silent = {.name = "silent", .silent_tool = true};
    struct mcp_call *open = NULL;
    struct fixture f;
    struct wh_err err;
    unsigned before;

    (void)state;
    begin(&f, &silent);
    list(&f);
    before = th_server_count(f.server, "POST ");
    th_ok(mcp_call_tool(f.mcp, WH_LIT("get_issue"), WH_LIT("{}"), on_end, &f, &open, &err), &err);
    while (th_server_count(f.server, "POST ") == before) {
        wh_loop_turn(f.loop, true);
    }
    mcp_cancel(open);
    while (!th_server_heard(f.server, "notifications/cancelled")) {
        wh_loop_turn(f.loop, true);
    }
    assert_false(f.done);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),  cmocka_unit_test(test_refused), cmocka_unit_test(test_writes),
        cmocka_unit_test(test_asked), cmocka_unit_test(test_cancel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
