/* MCP servers that mean harm: each is bounded in memory, requests and time, and ends in words. */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "stages/fetcher/mcp/mcp.h"
#include "tests/lib/th_server.h"

enum { GUARD_MS = 20000, BODY_MAX = 4 << 20, CALL_MS = 5000, MANY = 3 };

struct world;
/* Answers tools/list and tools/call. */
typedef void (*work_fn)(struct world *w, struct wh_http_req *req, const char *id);

struct world {
    struct wh_loop *loop;
    struct wh_httpc *http;
    struct th_server *server;
    struct mcp *mcp;
    struct wh_timer *guard;
    work_fn work;
    const char *session;   /* of the first handshake; later ones are called "again" */
    unsigned ready_status; /* of notifications/initialized; 0: 202 */
    bool replies_ask;      /* an answer to a ping is answered by two more pings */
    bool holds_opening;    /* of the second handshake */
    struct wh_http_req *held;
    unsigned opens;
    unsigned works;
    unsigned replies;
    unsigned deletes;
    unsigned without_session;
    size_t most_active;
    bool late;
    unsigned done;
    enum mcp_outcome outcome;
    char error[256];
};

/* ---- the server ---- */

static bool has(struct wh_slice body, const char *text)
{
    return body.len && memmem(body.ptr, body.len, text, strlen(text)) != NULL;
}

static void reply_bytes(struct wh_http_req *req, const char *type, struct wh_buf *bytes)
{
    size_t n = 0;
    char *ptr = wh_buf_take(bytes, &n);

    wh_http_reply(req, &(struct wh_http_reply){.status = 200,
                                               .content_type = type,
                                               .body = wh_slice(ptr, n),
                                               .body_taken = true});
}

static void add(struct wh_buf *out, const char *text)
{
    struct wh_err err;

    th_ok(wh_buf_append(out, wh_slice_str(text), &err), &err);
}

static void add_result(struct wh_buf *out, const char *id, const char *result)
{
    struct wh_err err;

    th_ok(wh_buf_printf(out, &err, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}", id, result),
          &err);
}

/* n times what, then the answer, as one stream. */
static void flood(struct wh_http_req *req, const char *id, const char *what, unsigned n)
{
    struct wh_buf out;

    wh_buf_init(&out, BODY_MAX);
    for (unsigned i = 0; i < n; i++) {
        add(&out, what);
    }
    add(&out, "data: ");
    add_result(&out, id, "{\"tools\":[]}");
    add(&out, "\n\n");
    reply_bytes(req, "text/event-stream", &out);
}

static void open_session(struct world *w, struct wh_http_req *req, const char *id)
{
    char text[256];

    w->opens++;
    if (w->holds_opening && w->opens == 2) {
        w->held = req;
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"protocolVersion\":\"2025-11-25\","
                   "\"capabilities\":{}}}",
                   id);
    if (w->session) {
        th_reply_with(req, 200, "Mcp-Session-Id", w->opens == 1 ? w->session : "again",
                      "application/json", text);
    } else {
        th_reply(req, 200, "application/json", "%s", text);
    }
}

static void take_reply(struct world *w, struct wh_http_req *req)
{
    w->replies++;
    if (w->replies_ask) {
        th_reply(req, 200, "text/event-stream",
                 "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n\n"
                 "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}\n\n");
    } else {
        th_reply(req, 202, NULL, "%s", "");
    }
}

static void on_request(void *ctx, struct wh_http_req *req)
{
    struct world *w = ctx;
    struct wh_slice body = wh_http_body(req);
    const char *at = body.len ? memmem(body.ptr, body.len, "\"id\":", 5) : NULL;
    char id[24];

    (void)snprintf(id, sizeof(id), "%ld", at ? strtol(at + 5, NULL, 10) : 0);
    if (wh_slice_eq(wh_http_method(req), WH_LIT("DELETE"))) {
        w->deletes++;
        th_reply(req, 200, "text/plain", "%s", "");
    } else if (has(body, "\"initialize\"")) {
        open_session(w, req, id);
    } else if (has(body, "notifications/initialized")) {
        th_reply(req, w->ready_status ? w->ready_status : 202, "text/plain", "%s", "");
    } else if (has(body, "\"tools/") || wh_slice_eq(wh_http_method(req), WH_LIT("GET"))) {
        w->works++;
        w->without_session += w->session && wh_http_header(req, "Mcp-Session-Id").len == 0;
        w->work(w, req, id);
    } else if (has(body, "\"method\"")) {
        th_reply(req, 202, NULL, "%s", "");
    } else {
        take_reply(w, req);
    }
}

/* ---- the client ---- */

static void on_guard(void *ctx)
{
    struct world *w = ctx;

    w->late = true;
}

static struct wh_slice token(void *ctx)
{
    (void)ctx;
    return WH_LIT("secret-token-1");
}

static void begin_with(struct world *w, work_fn work, const char *session, int64_t timeout_ms,
                       size_t body_max)
{
    struct mcp_conf conf = {
        .clock = wh_clock_real(),
        .allow_http = true,
        .version = "2025-11-25",
        .client_name = "test",
        .client_version = "1",
        .retry_max = 2,
        .backoff_ms = 20,
        .timeout_ms = timeout_ms,
        .body_max = body_max,
        .allowed = mcp_tool_is_read,
        .token = token,
    };
    char endpoint[256];
    struct wh_err err;

    memset(w, 0, sizeof(*w));
    w->work = work;
    w->session = session;
    w->loop = wh_loop_new();
    w->http = th_client_new(w->loop);
    w->server = th_server_new(w->loop, on_request, w);
    w->guard = wh_timer_new(w->loop, on_guard, w);
    assert_non_null(w->guard);
    wh_timer_start(w->guard, GUARD_MS, 0);
    (void)snprintf(endpoint, sizeof(endpoint), "%s/api/v4/mcp", th_server_origin(w->server));
    conf.loop = w->loop;
    conf.http = w->http;
    conf.endpoint = wh_slice_str(endpoint);
    th_ok(mcp_new(&conf, &w->mcp, &err), &err);
}

static void begin(struct world *w, work_fn work, const char *session)
{
    begin_with(w, work, session, CALL_MS, BODY_MAX);
}

static void end(struct world *w)
{
    mcp_free(w->mcp);
    wh_timer_free(w->guard);
    wh_httpc_free(w->http);
    th_server_free(w->server);
    wh_loop_free(w->loop);
}

static void on_end(void *ctx, const struct mcp_answer *a)
{
    struct world *w = ctx;

    w->done++;
    w->outcome = a->outcome;
    (void)snprintf(w->error, sizeof(w->error), "%s", a->error ? a->error : "");
}

static void turn(struct world *w)
{
    size_t active;

    wh_loop_turn(w->loop, true);
    active = wh_httpc_active(w->http);
    w->most_active = active > w->most_active ? active : w->most_active;
    assert_false(w->late);
}

static void await(struct world *w, unsigned done)
{
    while (w->done < done) {
        turn(w);
    }
}

static void list(struct world *w)
{
    struct wh_err err;

    th_ok(mcp_list_tools(w->mcp, on_end, w, &err), &err);
}

static void call(struct world *w)
{
    struct wh_err err;

    th_ok(mcp_call_tool(w->mcp, WH_LIT("get_issue"), WH_LIT("{}"), on_end, w, NULL, &err), &err);
}

static void ends_as(const struct world *w, enum mcp_outcome outcome, const char *text)
{
    if (w->outcome != outcome || strstr(w->error, text) == NULL) {
        fail_msg("outcome %d: %s", (int)w->outcome, w->error);
    }
}

/* ---- requests of the server's ---- */

#define PING "data: {\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}\n\n"

static void pings(struct world *w, struct wh_http_req *req, const char *id)
{
    (void)w;
    flood(req, id, PING, 5000);
}

/* A flood of pings makes neither a queue nor connections, and ends the session. */
static void test_ping_flood(void **state)
{
    struct world w;

    (void)state;
    begin(&w, pings, "s");
    list(&w);
    await(&w, 1);
    ends_as(&w, MCP_REFUSED, "faster than they can be answered");
    assert_true(w.most_active <= 2);
    assert_true(w.replies <= 1);
    while (w.deletes == 0) {
        turn(&w);
    }
    end(&w);
}

static void few_pings(struct world *w, struct wh_http_req *req, const char *id)
{
    (void)w;
    flood(req, id, PING, 10);
}

static void test_pings_one_at_a_time(void **state)
{
    struct world w;

    (void)state;
    begin(&w, few_pings, "s");
    list(&w);
    await(&w, 1);
    ends_as(&w, MCP_OK, "");
    while (w.replies < 10) {
        turn(&w);
    }
    assert_true(w.most_active <= 2);
    end(&w);
}

static void one_ping(struct world *w, struct wh_http_req *req, const char *id)
{
    (void)w;
    flood(req, id, PING, w->works == 1 ? 1 : 0);
}

/* What the server says to an answer is not read, so that it asks nothing there. */
static void test_pings_in_replies(void **state)
{
    struct world w;

    (void)state;
    begin(&w, one_ping, "s");
    w.replies_ask = true;
    list(&w);
    await(&w, 1);
    for (unsigned i = 2; i < 6; i++) {
        call(&w);
        await(&w, i);
        ends_as(&w, MCP_OK, "");
    }
    assert_int_equal(w.replies, 1);
    end(&w);
}

static void long_id(struct world *w, struct wh_http_req *req, const char *id)
{
    char ping[4096];

    (void)w;
    (void)snprintf(ping, sizeof(ping),
                   "data: {\"jsonrpc\":\"2.0\",\"id\":\"%03000d\",\"method\":\"ping\"}\n\n", 7);
    flood(req, id, ping, 1);
}

static void wishes(struct world *w, struct wh_http_req *req, const char *id)
{
    (void)w;
    flood(req, id,
          "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sampling/createMessage\"}\n\n"
          "data: {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"elicitation/create\"}\n\n"
          "data: {\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"roots/list\"}\n\n",
          1);
}

/* What is not offered is refused, in its turn. */
static void test_wishes(void **state)
{
    struct world w;

    (void)state;
    begin(&w, wishes, NULL);
    list(&w);
    await(&w, 1);
    ends_as(&w, MCP_OK, "");
    while (w.replies < 3) {
        turn(&w);
    }
    for (int i = 1; i <= 3; i++) {
        char text[64];

        (void)snprintf(text, sizeof(text), "\"id\":%d,\"error\":{\"code\":-32601", i);
        assert_true(th_server_heard(w.server, text));
    }
    end(&w);
}

/* ---- streams and lists ---- */

static void notices(struct world *w, struct wh_http_req *req, const char *id)
{
    (void)w;
    flood(req, id, "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n", 20000);
}

static void others(struct world *w, struct wh_http_req *req, const char *id)
{
    (void)w;
    flood(req, id, "data: {\"jsonrpc\":\"2.0\",\"id\":123456,\"result\":{}}\n\n", 20000);
}

static void named_events(struct world *w, struct wh_http_req *req, const char *id)
{
    (void)w;
    flood(req, id, "event: other\ndata: x\n\n", 20000);
}

static void batches(struct world *w, struct wh_http_req *req, const char *id)
{
    (void)w;
    flood(req, id,
          "data: ["
          "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"
          "]\n\n",
          20000);
}

static void batch_alone(struct world *w, struct wh_http_req *req, const char *id)
{
    struct wh_buf out;

    (void)w;
    wh_buf_init(&out, BODY_MAX);
    add(&out, "[");
    for (int i = 0; i < 1000; i++) {
        add_result(&out, id, "{\"tools\":[]}");
        add(&out, ",");
    }
    add_result(&out, id, "{\"tools\":[]}");
    add(&out, "]");
    reply_bytes(req, "application/json", &out);
}

static void deep(struct world *w, struct wh_http_req *req, const char *id)
{
    struct wh_buf out;
    char nested[4001];

    (void)w;
    memset(nested, '[', 2000);
    memset(nested + 2000, ']', 2000);
    nested[4000] = '\0';
    wh_buf_init(&out, BODY_MAX);
    add_result(&out, id, nested);
    reply_bytes(req, "application/json", &out);
}

static void cursors(struct world *w, struct wh_http_req *req, const char *id)
{
    th_reply(req, 200, "application/json",
             "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"tools\":[],\"nextCursor\":\"c%u\"}}", id,
             w->works);
}

static void huge_cursor(struct world *w, struct wh_http_req *req, const char *id)
{
    struct wh_buf result;
    struct wh_buf out;

    (void)w;
    wh_buf_init(&result, BODY_MAX);
    wh_buf_init(&out, BODY_MAX);
    add(&result, "{\"tools\":[],\"nextCursor\":\"");
    for (unsigned i = 0; i < 1000; i++) {
        add(&result, "123456789");
    }
    add(&result, "\"}");
    add_result(&out, id, wh_buf_str(&result));
    wh_buf_done(&result);
    reply_bytes(req, "application/json", &out);
}

/* n tools whose names, where bad, are none. */
static void tools(struct wh_http_req *req, const char *id, unsigned n, const char *name,
                  const char *schema)
{
    struct wh_buf result;
    struct wh_buf out;
    struct wh_err err;

    wh_buf_init(&result, BODY_MAX);
    wh_buf_init(&out, BODY_MAX);
    add(&result, "{\"tools\":[");
    for (unsigned i = 0; i < n; i++) {
        th_ok(wh_buf_printf(&result, &err, "%s{\"name\":\"%s%u\",\"inputSchema\":%s}", i ? "," : "",
                            name, i, schema),
              &err);
    }
    add(&result, "]}");
    add_result(&out, id, wh_buf_str(&result));
    wh_buf_done(&result);
    reply_bytes(req, "application/json", &out);
}

static void many_tools(struct world *w, struct wh_http_req *req, const char *id)
{
    (void)w;
    tools(req, id, 2000, "t", "{}");
}

static void many_bad_tools(struct world *w, struct wh_http_req *req, const char *id)
{
    (void)w;
    tools(req, id, 2000, "not a name ", "{}");
}

static void many_pages_of_bad_tools(struct world *w, struct wh_http_req *req, const char *id)
{
    struct wh_buf result;
    struct wh_buf out;
    struct wh_err err;

    wh_buf_init(&result, BODY_MAX);
    wh_buf_init(&out, BODY_MAX);
    add(&result, "{\"tools\":[1");
    for (unsigned i = 0; i < 99; i++) {
        add(&result, ",1");
    }
    th_ok(wh_buf_printf(&result, &err, "],\"nextCursor\":\"c%u\"}", w->works), &err);
    add_result(&out, id, wh_buf_str(&result));
    wh_buf_done(&result);
    reply_bytes(req, "application/json", &out);
}

static void huge_schema(struct world *w, struct wh_http_req *req, const char *id)
{
    struct wh_buf schema;
    struct wh_err err;

    (void)w;
    wh_buf_init(&schema, BODY_MAX);
    add(&schema, "{\"type\":\"object\",\"properties\":{\"p\":{}");
    for (unsigned i = 0; i < 20000; i++) {
        th_ok(wh_buf_printf(&schema, &err, ",\"property_number_%u\":{}", i), &err);
    }
    add(&schema, "}}");
    tools(req, id, 1, "t", wh_buf_str(&schema));
    wh_buf_done(&schema);
}

static void elsewhere(struct world *w, struct wh_http_req *req, const char *id)
{
    (void)w;
    (void)id;
    th_reply_with(req, 307, "Location", "/other", "text/plain", "");
}

static void later(struct world *w, struct wh_http_req *req, const char *id)
{
    (void)w;
    (void)id;
    th_reply_with(req, 503, "Retry-After", "300", "text/plain", "");
}

static void break_for_long(struct world *w, struct wh_http_req *req, const char *id)
{
    (void)w;
    (void)id;
    th_reply(req, 200, "text/event-stream", "id: e\nretry: 299999\ndata:\n\n");
}

static void break_at_once(struct world *w, struct wh_http_req *req, const char *id)
{
    (void)w;
    (void)id;
    th_reply(req, 200, "text/event-stream", "id: e\nretry: 0\ndata:\n\n");
}

static void forget(struct world *w, struct wh_http_req *req, const char *id)
{
    (void)w;
    (void)id;
    th_reply(req, 404, "text/plain", "no such session");
}

static const struct {
    const char *name;
    work_fn work;
    enum mcp_outcome outcome;
    const char *text;
    unsigned works; /* requests at most */
} cases[] = {
    {"id of 3000 bytes", long_id, MCP_REFUSED, "id is too long", 1},
    {"notices", notices, MCP_REFUSED, "too many events", 1},
    {"answers to nobody", others, MCP_REFUSED, "too many events", 1},
    {"events of other names", named_events, MCP_REFUSED, "too many events", 1},
    {"batches", batches, MCP_REFUSED, "too many events", 1},
    {"a batch alone", batch_alone, MCP_REFUSED, "the server's answer", 1},
    {"deep nesting", deep, MCP_REFUSED, "the server's answer", 1},
    {"cursors without end", cursors, MCP_REFUSED, "does not come to an end", 201},
    {"a cursor of 9000 bytes", huge_cursor, MCP_REFUSED, "does not come to an end", 1},
    {"2000 tools", many_tools, MCP_REFUSED, "more than 512 tools", 1},
    {"2000 tools that are none", many_bad_tools, MCP_REFUSED, "more than 512 tools", 1},
    {"pages of tools that are none", many_pages_of_bad_tools, MCP_REFUSED, "more than 512 tools",
     6},
    {"a huge schema", huge_schema, MCP_OK, "", 1},
    {"redirects", elsewhere, MCP_REFUSED, "not followed", 1},
    {"a long pause", later, MCP_FAILED, "cannot answer now", 1},
    {"a stream that pauses for long", break_for_long, MCP_FAILED, "longer than the call", 1},
    {"a stream that breaks off at once", break_at_once, MCP_FAILED, "again and again", 21},
    {"each session is forgotten", forget, MCP_FAILED, "has just opened", 2},
};

static void test_bounds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world w;

        begin(&w, cases[i].work, "s");
        list(&w);
        await(&w, 1);
        if (w.outcome != cases[i].outcome || strstr(w.error, cases[i].text) == NULL ||
            w.works > cases[i].works || w.most_active > 2) {
            fail_msg("%s: outcome %d, %u requests, %zu at once: %s", cases[i].name, (int)w.outcome,
                     w.works, w.most_active, w.error);
        }
        assert_true(w.opens <= 2);
        end(&w);
    }
}

/* ---- time ---- */

static enum wh_rc trickle(void *ctx, struct wh_buf *out, size_t max, bool *ret_end,
                          struct wh_err *err)
{
    (void)max;
    *ret_end = false;
    return wh_buf_append(out, wh_slice_str(ctx), err);
}

static void trickled(void *ctx)
{
    (void)ctx;
}

static void trickle_for_ever(struct world *w, struct wh_http_req *req, const char *id)
{
    static char piece[] = "id: 1\nretry: 1\ndata:\n\n";

    (void)w;
    (void)id;
    /* The stream is as fast as the reader; its pieces are so small that bytes do not end it. */
    wh_http_reply_stream(req, 200, "text/event-stream",
                         &(struct wh_http_stream){.fill = trickle, .done = trickled, .ctx = piece});
}

/* A stream that can be resumed for ever holds a call no longer than its time. */
static void test_deadline(void **state)
{
    struct world w;

    (void)state;
    begin_with(&w, trickle_for_ever, "s", 250, (size_t)1 << 40);
    call(&w);
    await(&w, 1);
    ends_as(&w, MCP_FAILED, "within 0.25 s");
    assert_int_equal(w.works, 1);
    while (!th_server_heard(w.server, "notifications/cancelled")) {
        turn(&w);
    }
    end(&w);
}

/* ---- sessions ---- */

static void forget_first(struct world *w, struct wh_http_req *req, const char *id)
{
    struct wh_slice session = wh_http_header(req, "Mcp-Session-Id");

    if (wh_slice_eq(session, WH_LIT("again"))) {
        th_reply(req, 200, "application/json", "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}", id);
    } else if (w->works == 1) {
        /* This one waits a moment before it goes out again; its session is gone by then. */
        th_reply(req, 503, "text/plain", "busy");
    } else {
        th_reply(req, 404, "text/plain", "no such session");
    }
}

static void on_moment(void *ctx)
{
    *(bool *)ctx = true;
}

static void a_moment(struct world *w, int64_t ms)
{
    bool over = false;
    struct wh_timer *timer = wh_timer_new(w->loop, on_moment, &over);

    assert_non_null(timer);
    wh_timer_start(timer, ms, 0);
    while (!over) {
        turn(w);
    }
    wh_timer_free(timer);
}

/* Calls that wait for a new session, for whatever reason, go out with its id. */
static void test_session_ids(void **state)
{
    struct world w;

    (void)state;
    begin(&w, forget_first, "first");
    w.holds_opening = true;
    for (unsigned i = 0; i < MANY; i++) {
        call(&w);
    }
    while (w.held == NULL) {
        turn(&w);
    }
    a_moment(&w, 300); /* the pause of the first call is over long before */
    th_reply_with(w.held, 200, "Mcp-Session-Id", "again", "application/json",
                  "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"protocolVersion\":\"2025-11-25\"}}");
    w.held = NULL;
    await(&w, 1);
    assert_int_equal(w.without_session, 0);
    end(&w);
}

static void lose_one_by_one(struct world *w, struct wh_http_req *req, const char *id)
{
    if (wh_slice_eq(wh_http_header(req, "Mcp-Session-Id"), WH_LIT("again"))) {
        th_reply(req, 200, "application/json", "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}", id);
    } else if (w->held == NULL) {
        w->held = req; /* its 404 comes when the next session is open already */
    } else {
        th_reply(req, 404, "text/plain", "no such session");
    }
}

/* A late 404 is about the old session: the new one stays. */
static void test_late_404(void **state)
{
    struct world w;

    (void)state;
    begin(&w, lose_one_by_one, "first");
    call(&w);
    call(&w);
    await(&w, 1);
    assert_int_equal(w.opens, 2);
    th_reply(w.held, 404, "text/plain", "no such session");
    await(&w, 2);
    ends_as(&w, MCP_OK, "");
    assert_int_equal(w.opens, 2);
    assert_int_equal(w.without_session, 0);
    end(&w);
}

/* A session that is gone before its handshake ends is an error, not a wait without end. */
static void test_forgotten_at_once(void **state)
{
    static const unsigned refusals[] = {404, 410, 500};

    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct world w;

        begin(&w, forget, "s");
        w.ready_status = refusals[i];
        list(&w);
        await(&w, 1);
        assert_int_not_equal(w.outcome, MCP_OK);
        assert_true(w.error[0] != '\0');
        assert_int_equal(w.opens, 1);
        end(&w);
    }
}

static void test_session_id_length(void **state)
{
    static char id[301];
    struct world w;

    (void)state;
    memset(id, 'x', sizeof(id) - 1);
    begin(&w, forget, id);
    list(&w);
    await(&w, 1);
    ends_as(&w, MCP_REFUSED, "session id is not a valid one");
    end(&w);
}

/* ---- tools that fail ---- */

static void fail_with(struct wh_http_req *req, const char *id, const char *content)
{
    th_reply(req, 200, "application/json",
             "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"isError\":true,\"content\":%s}}", id,
             content);
}

static void says_why(struct world *w, struct wh_http_req *req, const char *id)
{
    static const char *const contents[] = {
        "[{\"type\":\"text\",\"text\":\"Project not found\\n\\u0007or gone, caf\\u00e9\"}]",
        "[{\"type\":\"text\",\"text\":\"you sent secret-token-1\"}]", "[]", "7"};

    fail_with(req, id, contents[w->works - 1]);
}

/* What the tool says is shown, as one line without our token. */
static void test_failed_tools(void **state)
{
    static const char *const says[] = {"the tool says: Project not found??or gone, caf??",
                                       "the tool failed", "the tool failed", "the tool failed"};
    struct world w;

    (void)state;
    begin(&w, says_why, NULL);
    for (unsigned i = 0; i < sizeof(says) / sizeof(says[0]); i++) {
        call(&w);
        await(&w, i + 1);
        ends_as(&w, MCP_TOOL_BAD, "");
        assert_string_equal(w.error, says[i]);
    }
    /* With the two requests of the handshake. */
    assert_int_equal(mcp_requests(w.mcp), 6);
    end(&w);
}

static void says_much(struct world *w, struct wh_http_req *req, const char *id)
{
    char content[2048];

    (void)w;
    (void)snprintf(content, sizeof(content), "[{\"type\":\"text\",\"text\":\"%01000d\"}]", 7);
    fail_with(req, id, content);
}

static void test_long_text_is_cut(void **state)
{
    struct world w;

    (void)state;
    begin(&w, says_much, NULL);
    call(&w);
    await(&w, 1);
    assert_in_range(strlen(w.error), 100, 200);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ping_flood),
        cmocka_unit_test(test_pings_one_at_a_time),
        cmocka_unit_test(test_pings_in_replies),
        cmocka_unit_test(test_wishes),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_session_ids),
        cmocka_unit_test(test_late_404),
        cmocka_unit_test(test_forgotten_at_once),
        cmocka_unit_test(test_session_id_length),
        cmocka_unit_test(test_failed_tools),
        cmocka_unit_test(test_long_text_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
