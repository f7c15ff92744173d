/* An MCP client that asks a person: its calls wait for the approval, whatever comes of it. */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "stages/fetcher/mcp/login.h"
#include "tests/lib/th_server.h"

enum { GUARD_MS = 20000, BODY_MAX = 64 << 10, CALLS = 3 };

struct world {
    struct wh_loop *loop;
    struct wh_httpc *http;
    struct th_server *server;
    struct wh_timer *guard;
    struct mcp_login *login;
    bool no_metadata; /* the server says nothing about OAuth */
    bool open_first;  /* initialize needs no token */
    char state[64];   /* out of the approval's address; "" before */
    unsigned approvals;
    unsigned done;
    unsigned good;
    char error[256];
    bool late;
};

static bool has(struct wh_slice text, const char *what)
{
    return text.len && memmem(text.ptr, text.len, what, strlen(what)) != NULL;
}

/* ---- the server ---- */

static void mcp_request(struct world *w, struct wh_http_req *req)
{
    struct wh_slice body = wh_http_body(req);
    const char *at = body.len ? memmem(body.ptr, body.len, "\"id\":", 5) : NULL;
    long id = at ? strtol(at + 5, NULL, 10) : 0;
    bool opening = has(body, "initialize");

    if (!(opening && w->open_first) &&
        !wh_slice_eq(wh_http_header(req, "Authorization"), WH_LIT("Bearer good"))) {
        th_reply_with(req, 401, "WWW-Authenticate", "Bearer scope=\"mcp\"", "text/plain", "");
    } else if (at == NULL) {
        th_reply(req, 202, NULL, "%s", "");
    } else {
        th_reply(req, 200, "application/json",
                 "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"result\":{\"protocolVersion\":\"2025-11-25\"}}",
                 id);
    }
}

static void on_request(void *ctx, struct wh_http_req *req)
{
    struct world *w = ctx;
    struct wh_slice path = wh_http_path(req);

    if (wh_slice_eq(path, WH_LIT("/mcp"))) {
        mcp_request(w, req);
    } else if (wh_slice_eq(path, WH_LIT("/token"))) {
        th_reply(req, 200, "application/json",
                 "{\"access_token\":\"good\",\"token_type\":\"Bearer\"}");
    } else if (!w->no_metadata &&
               wh_slice_eq(path, WH_LIT("/.well-known/oauth-authorization-server"))) {
        const char *origin = th_server_origin(w->server);

        th_reply(req, 200, "application/json",
                 "{\"issuer\":\"%s\",\"authorization_endpoint\":\"%s/authorize\","
                 "\"token_endpoint\":\"%s/token\",\"code_challenge_methods_supported\":[\"S256\"]}",
                 origin, origin, origin);
    } else {
        th_reply(req, 404, "text/plain", "no");
    }
}

/* ---- the client ---- */

static void open_page(void *ctx, struct wh_slice url)
{
    struct world *w = ctx;
    const char *at = memmem(url.ptr, url.len, "&state=", 7);

    assert_non_null(at);
    w->approvals++;
    (void)snprintf(w->state, sizeof(w->state), "%.43s", at + 7);
}

static void on_guard(void *ctx)
{
    ((struct world *)ctx)->late = true;
}

static bool any_tool(struct wh_slice name)
{
    return name.len > 0;
}

static void begin(struct world *w)
{
    char endpoint[128];
    struct oauth_conf oauth = {.clock = wh_clock_real(),
                               .allow_http = true,
                               .client_name = WH_LIT("Test"),
                               .redirect_uri = WH_LIT("http://127.0.0.1:1/callback"),
                               .client_id = WH_LIT("by-hand"),
                               .max_approvals = 2,
                               .timeout_ms = 5000,
                               .approve_timeout_ms = 5000,
                               .open = open_page,
                               .ctx = w};
    struct mcp_conf mcp = {.clock = wh_clock_real(),
                           .allow_http = true,
                           .version = "2025-11-25",
                           .client_name = "test",
                           .client_version = "1",
                           .retry_max = 1,
                           .backoff_ms = 1,
                           .timeout_ms = 300, /* shorter than the person takes */
                           .body_max = BODY_MAX,
                           .allowed = any_tool};
    struct wh_err err;

    w->loop = wh_loop_new();
    w->http = th_client_new(w->loop);
    w->server = th_server_new(w->loop, on_request, w);
    w->guard = wh_timer_new(w->loop, on_guard, w);
    assert_non_null(w->guard);
    wh_timer_start(w->guard, GUARD_MS, 0);
    (void)snprintf(endpoint, sizeof(endpoint), "%s/mcp", th_server_origin(w->server));
    oauth.loop = mcp.loop = w->loop;
    oauth.http = mcp.http = w->http;
    oauth.endpoint = mcp.endpoint = wh_slice_str(endpoint);
    th_ok(mcp_login_new(&oauth, &mcp, &w->login, &err), &err);
}

static void end(struct world *w)
{
    mcp_login_free(w->login);
    wh_timer_free(w->guard);
    wh_httpc_free(w->http);
    th_server_free(w->server);
    wh_loop_free(w->loop);
}

static void turn(struct world *w)
{
    wh_loop_turn(w->loop, true);
    assert_false(w->late);
}

static void on_end(void *ctx, const struct mcp_answer *a)
{
    struct world *w = ctx;

    w->done++;
    w->good += a->outcome == MCP_OK;
    if (a->outcome != MCP_OK) {
        assert_int_equal(a->outcome, MCP_SIGN_IN);
        (void)snprintf(w->error, sizeof(w->error), "%s", a->error);
    }
}

static void call_all(struct world *w)
{
    struct wh_err err;

    for (int i = 0; i < CALLS; i++) {
        th_ok(mcp_call_tool(mcp_login_mcp(w->login), WH_LIT("get_issue"), WH_LIT("{}"), on_end, w,
                            NULL, &err),
              &err);
    }
}

static void on_moment(void *ctx)
{
    *(bool *)ctx = true;
}

/* The person takes longer than a call may take. */
static void hesitate(struct world *w, int64_t ms)
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

static void approve(struct world *w, const char *answer)
{
    char query[128];
    struct wh_err err;

    while (w->state[0] == '\0') {
        turn(w);
    }
    hesitate(w, 400);
    assert_int_equal(w->done, 0);
    (void)snprintf(query, sizeof(query), "%s&state=%s", answer, w->state);
    th_ok(oauth_redirected(mcp_login_oauth(w->login), wh_slice_str(query), &err), &err);
}

/* One approval serves all the calls, and the person's time is not theirs. */
static void test_approved(void **state)
{
    (void)state;
    for (int open_first = 0; open_first < 2; open_first++) {
        struct world w = {.open_first = open_first};

        begin(&w);
        call_all(&w);
        approve(&w, "code=c");
        while (w.done < CALLS) {
            turn(&w);
        }
        if (w.good != CALLS) {
            fail_msg("%u of %d calls: %s", w.good, CALLS, w.error);
        }
        assert_int_equal(w.approvals, 1);
        end(&w);
    }
}

static void test_denied(void **state)
{
    (void)state;
    for (int open_first = 0; open_first < 2; open_first++) {
        struct world w = {.open_first = open_first};

        begin(&w);
        call_all(&w);
        approve(&w, "error=access_denied");
        while (w.done < CALLS) {
            turn(&w);
        }
        assert_int_equal(w.good, 0);
        assert_non_null(strstr(w.error, "the approval was refused"));
        end(&w);
    }
}

static void test_no_metadata(void **state)
{
    struct world w = {.no_metadata = true};

    (void)state;
    begin(&w);
    call_all(&w);
    while (w.done < CALLS) {
        turn(&w);
    }
    assert_int_equal(w.good, 0);
    assert_non_null(strstr(w.error, "no OAuth metadata"));
    end(&w);
}

/* Freed while a person is asked: nobody is called back. */
static void test_freed(void **state)
{
    struct world w = {.open_first = true};

    (void)state;
    begin(&w);
    call_all(&w);
    while (w.state[0] == '\0') {
        turn(&w);
    }
    end(&w);
    assert_int_equal(w.done, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_approved),
        cmocka_unit_test(test_denied),
        cmocka_unit_test(test_no_metadata),
        cmocka_unit_test(test_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
