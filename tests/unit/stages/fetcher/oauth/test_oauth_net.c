/* The approval against a server that does what the case says; real sockets, one loop. */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>
#include <time.h>

#include "common/base/mem.h"
#include "stages/fetcher/oauth/oauth.h"
#include "tests/lib/th_server.h"

enum { URL_MAX_TEXT = 4096, SOON_MS = 400 };

/* What is different about this server; all zero is a good one. */
struct twist {
    const char *name;
    const char *resource;     /* instead of its own */
    const char *issuer_named; /* by the resource document */
    const char *issuer_said;  /* by its own document */
    const char *token_at;
    const char *register_at;
    const char *authorize_at;
    const char *revoke_at;
    const char *methods;       /* JSON, of PKCE; "" leaves the key out */
    const char *iss;           /* in the redirect; "none" announced and left out */
    const char *challenged_at; /* resource_metadata of the challenge */
    unsigned resource_status;
    unsigned token_status;
    const char *token_error;
    const char *redirect_to; /* of the resource document, with 302 */
    bool token_redirects;
    bool oversized;
    bool endless;
    bool trickles;
    bool silent;
    bool below;  /* documents only below the endpoint */
    bool openid; /* the server's document only at openid-configuration */
    bool array;  /* resource is an array */
    bool no_registration;
    bool hand;         /* the client is registered by hand, with a secret */
    enum wh_rc rc;     /* how it ends */
    const char *never; /* a request that must not come */
};

struct fixture {
    struct wh_loop *loop;
    struct wh_httpc *http;
    struct th_server *server;
    struct oauth *oauth;
    const struct twist *twist;
    char endpoint[256];
    char opened[URL_MAX_TEXT];
    bool done;
    struct wh_err result;
};

static enum wh_rc fill_for_ever(void *ctx, struct wh_buf *out, size_t max, bool *ret_end,
                                struct wh_err *err)
{
    (void)ctx;
    (void)max;
    *ret_end = false;
    for (int i = 0; i < 64; i++) {
        if (wh_buf_append(out, WH_LIT("                                                "), err) !=
            WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* One byte at a time: there is always something, and never an end. */
static enum wh_rc trickle(void *ctx, struct wh_buf *out, size_t max, bool *ret_end,
                          struct wh_err *err)
{
    const struct timespec pause = {0, 20 * 1000 * 1000};

    (void)ctx;
    (void)max;
    *ret_end = false;
    (void)nanosleep(&pause, NULL);
    return wh_buf_append(out, WH_LIT(" "), err);
}

static void filled(void *ctx)
{
    (void)ctx;
}

static const char *or_own(const char *given, const char *origin, const char *path, char *to)
{
    (void)snprintf(to, 256, "%s%s", origin, path);
    return given ? given : to;
}

static void resource_document(struct fixture *f, struct wh_http_req *req)
{
    const struct twist *t = f->twist;
    const char *origin = th_server_origin(f->server);
    char own[256];
    char issuer[256];

    if (t->silent) {
        return;
    }
    if (t->redirect_to) {
        th_reply_with(req, 302, "Location", t->redirect_to, "text/plain", "");
    } else if (t->endless || t->trickles) {
        wh_http_reply_stream(
            req, 200, "application/json",
            &(struct wh_http_stream){.fill = t->endless ? fill_for_ever : trickle, .done = filled});
    } else if (t->oversized) {
        size_t n = 1 << 20;
        char *bytes = wh_mem_alloc(n);

        memset(bytes, ' ', n);
        wh_http_reply(req, &(struct wh_http_reply){
                               .status = 200, .body = wh_slice(bytes, n), .body_taken = true});
    } else if (t->resource_status) {
        th_reply(req, t->resource_status, "text/plain", "no");
    } else {
        th_reply(req, 200, "application/json",
                 t->array
                     ? "{\"resource\":[\"%s_server\",\"%s\"],\"authorization_servers\":[\"%s\"]}"
                     : "{\"resource\":\"%s\",\"other\":\"%s\",\"authorization_servers\":[\"%s\"],"
                       "\"scopes_supported\":[\"mcp\"]}",
                 or_own(t->resource, origin, "/api/v4/mcp", own), own,
                 or_own(t->issuer_named, origin, "", issuer));
    }
}

static void server_document(struct fixture *f, struct wh_http_req *req)
{
    const struct twist *t = f->twist;
    const char *origin = th_server_origin(f->server);
    char text[5][256];
    char methods[128] = "";
    char registration[512] = "";

    if (t->methods == NULL || t->methods[0]) {
        (void)snprintf(methods, sizeof(methods), "\"code_challenge_methods_supported\":%s,",
                       t->methods ? t->methods : "[\"plain\",\"S256\"]");
    }
    if (!t->no_registration) {
        (void)snprintf(registration, sizeof(registration), "\"registration_endpoint\":\"%s\",",
                       or_own(t->register_at, origin, "/oauth/register", text[4]));
    }
    th_reply(req, 200, "application/json",
             "{%s%s\"issuer\":\"%s\",\"authorization_endpoint\":\"%s\",\"token_endpoint\":\"%s\","
             "\"revocation_endpoint\":\"%s\",\"token_endpoint_auth_methods_supported\":"
             "[\"client_secret_post\"],"
             "\"authorization_response_iss_parameter_supported\":%s}",
             methods, registration, or_own(t->issuer_said, origin, "", text[0]),
             or_own(t->authorize_at, origin, "/oauth/authorize?resource=other&x=1", text[1]),
             or_own(t->token_at, origin, "/oauth/token", text[2]),
             or_own(t->revoke_at, origin, "/oauth/revoke", text[3]), t->iss ? "true" : "false");
}

static void token_answer(const struct twist *t, struct wh_http_req *req)
{
    if (t->token_redirects) {
        th_reply_with(req, 307, "Location", "/stolen", "text/plain", "");
    } else if (t->token_status) {
        th_reply(req, t->token_status, "application/json", "{\"error\":\"%s\"}",
                 t->token_error ? t->token_error : "temporarily_unavailable");
    } else {
        th_reply(req, 200, "application/json",
                 "{\"access_token\":\"at-1\",\"token_type\":\"bearer\",\"expires_in\":7200,"
                 "\"refresh_token\":\"rt-1\"}");
    }
}

static bool path_is(struct wh_http_req *req, const char *path)
{
    return wh_slice_eq(wh_http_path(req), wh_slice_str(path));
}

static void on_request(void *ctx, struct wh_http_req *req)
{
    struct fixture *f = ctx;
    const struct twist *t = f->twist;
    bool below = wh_slice_starts(wh_http_path(req), WH_LIT("/api/v4/mcp/.well-known/"));

    if (path_is(req, t->below ? "/api/v4/mcp/.well-known/oauth-protected-resource"
                              : "/.well-known/oauth-protected-resource/api/v4/mcp") ||
        path_is(req, "/named")) {
        resource_document(f, req);
    } else if ((!t->below && !t->openid &&
                path_is(req, "/.well-known/oauth-authorization-server")) ||
               (t->openid && path_is(req, "/.well-known/openid-configuration")) ||
               (t->below && below &&
                path_is(req, "/api/v4/mcp/.well-known/oauth-authorization-server"))) {
        server_document(f, req);
    } else if (path_is(req, "/oauth/register")) {
        th_reply(req, 201, "application/json",
                 "{\"client_id\":\"c-1\",\"token_endpoint_auth_method\":\"none\"}");
    } else if (path_is(req, "/oauth/token")) {
        token_answer(t, req);
    } else {
        th_reply(req, 404, "text/plain", "not found");
    }
}

/* ---- the person ---- */

static void on_open(void *ctx, struct wh_slice url)
{
    struct fixture *f = ctx;

    (void)snprintf(f->opened, sizeof(f->opened), "%.*s", WH_SLICE_ARG(url));
}

static void redirect_of(struct fixture *f, char *to, size_t size)
{
    const char *state = strstr(f->opened, "state=");
    const char *iss = f->twist->iss;
    WH_AUTO(buf) struct wh_buf text;
    struct wh_err err;

    assert_non_null(state);
    wh_buf_init(&text, size - 1);
    th_ok(wh_buf_printf(&text, &err, "http://127.0.0.1:1/cb?code=code-1&%.*s",
                        (int)strcspn(state, "&"), state),
          &err);
    if (iss && strcmp(iss, "none") != 0) {
        th_ok(wh_buf_printf(&text, &err, "&iss=%s",
                            strcmp(iss, "right") != 0 ? iss : th_server_origin(f->server)),
              &err);
    }
    memcpy(to, text.ptr, text.len + 1);
}

static void on_end(void *ctx, const struct wh_err *err)
{
    struct fixture *f = ctx;

    f->done = true;
    f->result = *err;
}

static void begin(struct fixture *f, const struct twist *t, const struct oauth_client *kept)
{
    struct oauth_challenge challenge = {.bearer = true};
    struct oauth_conf conf = {
        .http = NULL,
        .clock = wh_clock_real(),
        .allow_http = true,
        .own_server = true,
        .client_name = WH_LIT("Test"),
        .redirect_uri = WH_LIT("http://127.0.0.1:1/cb"),
        .client_id = t->hand ? WH_LIT("by-hand") : WH_LIT(""),
        .client_secret = t->hand ? WH_LIT("s3cret") : WH_LIT(""),
        .scope = WH_LIT("mcp"),
        .kept = kept,
        .max_approvals = 2,
        .timeout_ms = t->silent || t->trickles ? SOON_MS : 10000,
        .approve_timeout_ms = 60000,
        .open = on_open,
        .ctx = f,
    };
    struct wh_err err;

    f->twist = t;
    f->loop = wh_loop_new();
    f->http = th_client_new(f->loop);
    f->server = th_server_new(f->loop, on_request, f);
    (void)snprintf(f->endpoint, sizeof(f->endpoint), "%s/api/v4/mcp", th_server_origin(f->server));
    conf.loop = f->loop;
    conf.http = f->http;
    conf.endpoint = wh_slice_str(f->endpoint);
    if (t->challenged_at) {
        (void)snprintf(challenge.resource_metadata, sizeof(challenge.resource_metadata), "%s%s",
                       t->challenged_at[0] == '/' ? th_server_origin(f->server) : "",
                       t->challenged_at);
    }
    th_ok(oauth_new(&conf, &f->oauth, &err), &err);
    if (oauth_authorize(f->oauth, &challenge, on_end, f, &err) != WH_OK) {
        f->done = true;
        f->result = err;
    }
}

static void run(struct fixture *f)
{
    char back[URL_MAX_TEXT];
    struct wh_err err;

    while (!f->done) {
        wh_loop_turn(f->loop, true);
        if (!f->done && oauth_waiting(f->oauth)) {
            redirect_of(f, back, sizeof(back));
            th_ok(oauth_redirected(f->oauth, wh_slice_str(back), &err), &err);
        }
    }
}

static void end(struct fixture *f)
{
    oauth_free(f->oauth);
    wh_httpc_free(f->http);
    th_server_free(f->server);
    wh_loop_free(f->loop);
    memset(f, 0, sizeof(*f));
}

/* ---- cases ---- */

static const struct twist good[] = {
    {.name = "a good server"},
    {.name = "named by the challenge", .challenged_at = "/named"},
    {.name = "documents below the endpoint", .below = true},
    {.name = "openid only", .openid = true},
    {.name = "resource is an array", .array = true},
    {.name = "no resource document at all", .resource_status = 404},
    {.name = "iss as promised", .iss = "right"},
    {.name = "registered by hand", .no_registration = true, .hand = true},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct fixture f = {0};

        begin(&f, &good[i], NULL);
        run(&f);
        if (f.result.rc != WH_OK) {
            fail_msg("%s: %s", good[i].name, f.result.msg);
        }
        th_slice_is(wh_buf_slice(&oauth_tokens(f.oauth)->access), "at-1");
        th_slice_is(wh_buf_slice(&oauth_tokens(f.oauth)->refresh), "rt-1");
        assert_non_null(strstr(f.opened, "code_challenge_method=S256"));
        assert_non_null(strstr(f.opened, "scope=mcp"));
        assert_non_null(strstr(f.opened, "?x=1&"));
        assert_null(strstr(f.opened, "resource=other"));
        assert_non_null(strstr(th_server_body(f.server, "POST /oauth/token"), "code_verifier="));
        assert_non_null(strstr(th_server_body(f.server, "POST /oauth/token"), "resource=http"));
        assert_int_equal(th_server_count(f.server, "POST /oauth/register"), good[i].hand ? 0 : 1);
        if (good[i].hand) {
            assert_non_null(
                strstr(th_server_body(f.server, "POST /oauth/token"), "client_secret=s3cret"));
        }
        end(&f);
    }
}

#define ELSEWHERE "http://127.0.0.1:9/elsewhere"
static const struct twist bad[] = {
    {.name = "foreign resource",
     .resource = "https://other.example/api/v4/mcp",
     .rc = WH_E_FORBIDDEN,
     .never = "GET /.well-known/oauth-authorization-server"},
    {.name = "foreign authorization server",
     .issuer_named = "https://other.example",
     .rc = WH_E_FORBIDDEN,
     .never = "POST "},
    {.name = "authorization server on another port",
     .issuer_named = "http://127.0.0.1:9",
     .rc = WH_E_FORBIDDEN,
     .never = "POST "},
    {.name = "foreign metadata in the challenge",
     .challenged_at = "http://127.0.0.1:9/named",
     .rc = WH_E_FORBIDDEN,
     .never = "GET "},
    {.name = "foreign token endpoint",
     .token_at = ELSEWHERE,
     .rc = WH_E_FORBIDDEN,
     .never = "POST "},
    {.name = "foreign registration endpoint",
     .register_at = ELSEWHERE,
     .rc = WH_E_FORBIDDEN,
     .never = "POST "},
    {.name = "foreign revocation endpoint",
     .revoke_at = ELSEWHERE,
     .rc = WH_E_FORBIDDEN,
     .never = "POST "},
    {.name = "foreign authorization endpoint",
     .authorize_at = "https://other.example/a",
     .rc = WH_E_FORBIDDEN,
     .never = "POST "},
    {.name = "http that is not loopback",
     .token_at = "http://gitlab.example/oauth/token",
     .rc = WH_E_FORBIDDEN,
     .never = "POST "},
    {.name = "wrong issuer",
     .issuer_said = "https://other.example",
     .rc = WH_E_FORBIDDEN,
     .never = "POST "},
    {.name = "plain alone", .methods = "[\"plain\"]", .rc = WH_E_FORBIDDEN, .never = "POST "},
    {.name = "no PKCE methods", .methods = "", .rc = WH_E_FORBIDDEN, .never = "POST "},
    {.name = "iss of another",
     .iss = "https://other.example",
     .rc = WH_E_FORBIDDEN,
     .never = "POST /oauth/token"},
    {.name = "iss promised and left out",
     .iss = "none",
     .rc = WH_E_FORBIDDEN,
     .never = "POST /oauth/token"},
    {.name = "the resource document elsewhere",
     .redirect_to = "/named",
     .rc = WH_OK,
     .never = "GET /named"},
    {.name = "the token endpoint redirects",
     .token_redirects = true,
     .rc = WH_E_FORBIDDEN,
     .never = "POST /stolen"},
    {.name = "oversized", .oversized = true, .rc = WH_E_TOO_LARGE, .never = "POST "},
    {.name = "endless", .endless = true, .rc = WH_E_TOO_LARGE, .never = "POST "},
    {.name = "silent", .silent = true, .rc = WH_E_TIMEOUT, .never = "POST "},
    {.name = "slow", .trickles = true, .rc = WH_E_TIMEOUT, .never = "POST "},
    {.name = "broken now", .resource_status = 503, .rc = WH_E_UNAVAILABLE, .never = "POST "},
    {.name = "no registration", .no_registration = true, .rc = WH_E_UNSUPPORTED, .never = "POST "},
    {.name = "code refused",
     .token_status = 400,
     .token_error = "invalid_grant",
     .rc = WH_E_FORBIDDEN,
     .never = "POST /stolen"},
    {.name = "token endpoint broken",
     .token_status = 502,
     .rc = WH_E_UNAVAILABLE,
     .never = "POST /stolen"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct fixture f = {0};

        begin(&f, &bad[i], NULL);
        run(&f);
        if (f.result.rc != bad[i].rc) {
            fail_msg("%s: %s: %s", bad[i].name, wh_rc_name(f.result.rc), f.result.msg);
        }
        if (th_server_count(f.server, bad[i].never) > 0) {
            fail_msg("%s: %s came", bad[i].name, bad[i].never);
        }
        assert_true(bad[i].rc == WH_OK || oauth_tokens(f.oauth)->access.len == 0);
        assert_null(strstr(f.result.msg, "code-1"));
        end(&f);
    }
}

/* An answer to another question changes nothing; the right one counts once. */
static void test_state(void **state)
{
    static const struct twist plain = {.name = "plain"};
    struct fixture f = {0};
    char back[URL_MAX_TEXT];
    struct wh_err err;

    (void)state;
    begin(&f, &plain, NULL);
    while (!oauth_waiting(f.oauth)) {
        wh_loop_turn(f.loop, true);
    }
    assert_int_equal(oauth_redirected(f.oauth, WH_LIT("code=x&state=guess"), &err), WH_E_FORBIDDEN);
    assert_int_equal(oauth_redirected(f.oauth, WH_LIT("code=x"), &err), WH_E_FORBIDDEN);
    redirect_of(&f, back, sizeof(back));
    assert_false(oauth_knows_state(f.oauth, WH_LIT("state=guess")));
    assert_true(oauth_knows_state(f.oauth, wh_slice_str(back)));
    strncat(back, "&state=x", sizeof(back) - strlen(back) - 1);
    assert_int_equal(oauth_redirected(f.oauth, wh_slice_str(back), &err), WH_E_INVALID);
    assert_true(oauth_waiting(f.oauth));
    redirect_of(&f, back, sizeof(back));
    th_ok(oauth_redirected(f.oauth, wh_slice_str(back), &err), &err);
    assert_int_equal(oauth_redirected(f.oauth, wh_slice_str(back), &err), WH_E_FORBIDDEN);
    run(&f);
    assert_int_equal(f.result.rc, WH_OK);
    assert_int_equal(th_server_count(f.server, "POST /oauth/token"), 1);
    end(&f);
}

/* A client is registered once for an issuer; approvals are counted, scopes only grow. */
static void test_again(void **state)
{
    static const struct twist plain = {.name = "plain"};
    const struct oauth_challenge more = {.bearer = true, .scope = "read_user"};
    struct fixture f = {0};
    struct wh_err err;

    (void)state;
    begin(&f, &plain, NULL);
    run(&f);
    f.done = false;
    th_ok(oauth_authorize(f.oauth, &more, on_end, &f, &err), &err);
    run(&f);
    assert_int_equal(f.result.rc, WH_OK);
    assert_non_null(strstr(f.opened, "scope=mcp%20read_user"));
    assert_int_equal(th_server_count(f.server, "POST /oauth/register"), 1);
    assert_int_equal(oauth_authorize(f.oauth, NULL, on_end, &f, &err), WH_E_FORBIDDEN);
    end(&f);
}

/* http is refused without the switch, and always where it is not loopback. */
static void test_plain_http(void **state)
{
    struct oauth_conf conf = {.clock = wh_clock_real(),
                              .endpoint = WH_LIT("http://127.0.0.1:1/api/v4/mcp"),
                              .open = on_open,
                              .max_approvals = 1};
    struct oauth *o = NULL;
    struct wh_err err;

    (void)state;
    conf.loop = wh_loop_new();
    conf.http = th_client_new(conf.loop);
    assert_int_equal(oauth_new(&conf, &o, &err), WH_E_FORBIDDEN);
    conf.allow_http = true;
    conf.endpoint = WH_LIT("http://gitlab.example/api/v4/mcp");
    assert_int_equal(oauth_new(&conf, &o, &err), WH_E_FORBIDDEN);
    wh_httpc_free(conf.http);
    wh_loop_free(conf.loop);
}

/* ---- refresh and revocation ---- */

struct call_end {
    bool done;
    enum oauth_result result;
    char access[64];
};

static void on_call(void *ctx, const struct oauth_token_answer *a)
{
    struct call_end *e = ctx;

    e->done = true;
    e->result = a->result;
    (void)snprintf(e->access, sizeof(e->access), "%s",
                   a->tokens ? wh_buf_str(&a->tokens->access) : "");
}

static void test_refresh(void **state)
{
    static const struct {
        struct twist twist;
        enum oauth_result result;
    } cases[] = {
        {{.name = "good"}, OAUTH_DONE},
        {{.name = "ended", .token_status = 400, .token_error = "invalid_grant"},
         OAUTH_INVALID_GRANT},
        {{.name = "unknown client", .token_status = 401, .token_error = "invalid_client"},
         OAUTH_REFUSED},
        {{.name = "broken", .token_status = 500}, OAUTH_LATER},
        {{.name = "limited", .token_status = 429}, OAUTH_LATER},
        {{.name = "redirect", .token_redirects = true}, OAUTH_REFUSED},
    };
    const struct oauth_client client = {
        .client_id = WH_LIT("c-1"), .auth_method = WH_LIT("none"), .redirect_uri = WH_LIT("r")};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f = {0};
        struct oauth_net net = {.clock = wh_clock_real(), .allow_http = true, .timeout_ms = 5000};
        struct call_end e = {0};
        struct oauth_call *call;
        char endpoint[256];
        struct wh_err err;

        begin(&f, &cases[i].twist, NULL);
        net.http = f.http;
        net.parser = wh_json_parser_new(65536, 16);
        th_ok(wh_url_parse(wh_slice_str(f.endpoint), &net.home, &err), &err);
        (void)snprintf(endpoint, sizeof(endpoint), "%s/oauth/token", th_server_origin(f.server));
        th_ok(oauth_refresh(&net, wh_slice_str(endpoint), &client, WH_LIT("res"), WH_LIT("rt-0"),
                            on_call, &e, &call, &err),
              &err);
        while (!e.done) {
            wh_loop_turn(f.loop, true);
        }
        if (e.result != cases[i].result) {
            fail_msg("%s: %d", cases[i].twist.name, (int)e.result);
        }
        assert_string_equal(e.access, e.result == OAUTH_DONE ? "at-1" : "");
        assert_int_equal(th_server_count(f.server, "POST /stolen"), 0);
        assert_non_null(
            strstr(th_server_body(f.server, "POST /oauth/token"), "refresh_token=rt-0"));
        wh_json_parser_free(net.parser);
        end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_state),      cmocka_unit_test(test_again),
        cmocka_unit_test(test_plain_http), cmocka_unit_test(test_refresh),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
