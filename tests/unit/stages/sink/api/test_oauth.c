/* Access for agents by our own OAuth: documents, registration, the person's decision, tokens, and what is refused. */
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/lib/th_api.h"
#include "tests/lib/th_cmocka.h"

enum { ROWS = 3, TEXT = 512 };

#define HOST "127.0.0.1:8704"
#define HERE "http://" HOST
/* RFC 7636 appendix B. */
#define VERIFIER "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
#define REDIRECT "http://127.0.0.1:4321/callback"

static struct th_api *new_api(void)
{
    const struct sink_api_conf conf = {.sql_timeout_ms = 5000,
                                       .sql_timeout_max_ms = 5000,
                                       .sql_rows = 1000,
                                       .sql_bytes = 8 << 20,
                                       .hosts = "x, https://wellhead.example.com:8443/x"};

    return th_api_new(&conf, ROWS, 11);
}

/* ---- requests ---- */

struct sent {
    unsigned status;
    char answer[8192];
    char headers[4096];
};

struct send {
    const char *method; /* NULL: POST with a body, GET without */
    const char *path;
    const char *body;
    const char *host; /* NULL: HOST */
    const char *origin;
    const char *cookie;
    const char *authorization;
    const char *args[20]; /* name, value, ..., of the query */
};

static void copy(char *to, size_t n, const struct wh_buf *from)
{
    (void)snprintf(to, n, "%s", from->ptr ? from->ptr : "");
}

static void optional(struct th_http_req *req, const char *name, const char *value)
{
    if (value) {
        th_http_header(req, name, value);
    }
}

static const struct sent *send(struct th_api *f, const struct send *s)
{
    static struct sent sent;
    struct th_http_req req;

    th_http_init(&req, s->method ? s->method : s->body ? "POST" : "GET", s->path);
    th_http_header(&req, "Host", s->host ? s->host : HOST);
    optional(&req, "Origin", s->origin);
    optional(&req, "Cookie", s->cookie);
    optional(&req, "Authorization", s->authorization);
    for (size_t i = 0; s->args[i]; i += 2) {
        th_http_arg(&req, s->args[i], s->args[i + 1]);
    }
    req.body = wh_slice_str(s->body);
    th_http_send(&req, &f->handler, f->loop);
    sent.status = req.status;
    copy(sent.answer, sizeof(sent.answer), &req.answer);
    copy(sent.headers, sizeof(sent.headers), &req.answer_headers);
    th_http_done(&req);
    return &sent;
}

static void expect(const struct sent *sent, unsigned status, const char *text)
{
    if (sent->status != status ||
        (strstr(sent->answer, text) == NULL && strstr(sent->headers, text) == NULL)) {
        fail_msg("%u, not %u with %s: %s%s", sent->status, status, text, sent->headers,
                 sent->answer);
    }
}

/* The text between two others, in the answer or in its headers. */
static void between(const struct sent *sent, const char *before, const char *after, char ret[TEXT])
{
    const char *at = strstr(sent->answer, before);
    size_t n;

    at = at ? at : strstr(sent->headers, before);
    assert_non_null(at);
    at += strlen(before);
    n = strcspn(at, after);
    assert_true(n < TEXT);
    memcpy(ret, at, n);
    ret[n] = 0;
}

/* ---- the steps ---- */

static void log_in(struct th_api *f, char cookie[TEXT])
{
    char code[TEXT];
    char body[TEXT * 2];
    char value[TEXT];

    between(send(f, &(struct send){.method = "POST",
                                   .path = "/api/v1/login-links",
                                   .authorization = f->authorization}),
            "code=", "\"", code);
    (void)snprintf(body, sizeof(body), "code=%s", code);
    between(send(f, &(struct send){.path = "/login", .body = body, .origin = HERE}),
            "wellhead=", ";", value);
    (void)snprintf(cookie, TEXT, "wellhead=%.100s", value);
}

static void register_client(struct th_api *f, char client[TEXT])
{
    const struct sent *sent =
        send(f, &(struct send){.path = "/oauth/register",
                               .body = "{\"client_name\":\"<b>Agent</b>\",\"redirect_uris\":"
                                       "[\"cursor://x\",\"" REDIRECT "\"],"
                                       "\"token_endpoint_auth_method\":\"client_secret_post\"}"});

    expect(sent, 201, "\"redirect_uris\":[\"" REDIRECT "\"]");
    expect(sent, 201, "\"token_endpoint_auth_method\":\"none\"");
    between(sent, "\"client_id\":\"", "\"", client);
}

static void form(char body[4 * TEXT], const char *client, const char *decision)
{
    (void)snprintf(
        body, 4 * TEXT,
        "client_id=%s&redirect_uri=http%%3A%%2F%%2F127.0.0.1%%3A4321%%2Fcallback&state=a%%2Fb+c&"
        "code_challenge=" CHALLENGE
        "&resource=http%%3A%%2F%%2F127.0.0.1%%3A8704%%2Fmcp&decision=%s",
        client, decision);
}

static void allow(struct th_api *f, const char *client, const char *cookie, char code[TEXT])
{
    char body[4 * TEXT];
    const struct sent *sent;

    form(body, client, "allow");
    sent = send(f, &(struct send){
                       .path = "/oauth/authorize", .body = body, .cookie = cookie, .origin = HERE});
    expect(sent, 303, "Location: " REDIRECT "?code=");
    expect(sent, 303, "&state=a%2Fb%20c&iss=http%3A%2F%2F127.0.0.1%3A8704\n");
    between(sent, "?code=", "&", code);
}

static const struct sent *redeem(struct th_api *f, const char *client, const char *code)
{
    static char body[4 * TEXT];

    (void)snprintf(body, sizeof(body),
                   "grant_type=authorization_code&code=%s&client_id=%s&redirect_uri=" REDIRECT
                   "&code_verifier=" VERIFIER "&resource=http://" HOST "/mcp",
                   code, client);
    return send(f, &(struct send){.path = "/oauth/token", .body = body});
}

static const struct sent *call(struct th_api *f, const char *token, const char *path)
{
    static char header[2 * TEXT];

    (void)snprintf(header, sizeof(header), "Bearer %s", token);
    return send(f,
                &(struct send){.path = path,
                               .body = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
                               .authorization = header});
}

/* ---- the tests ---- */

static void test_an_address_alone_leads_to_access(void **state)
{
    struct th_api *f = new_api();
    char cookie[TEXT];
    char client[TEXT];
    char code[TEXT];
    char access[TEXT];
    char refresh[TEXT];
    char body[4 * TEXT];

    (void)state;
    expect(send(f, &(struct send){.path = "/mcp", .body = "{}"}), 401,
           "resource_metadata=\"" HERE "/.well-known/oauth-protected-resource/mcp\"");
    expect(send(f, &(struct send){.path = "/.well-known/oauth-protected-resource/mcp"}), 200,
           "\"resource\":\"" HERE "/mcp\"");
    expect(send(f, &(struct send){.path = "/.well-known/oauth-protected-resource"}), 200,
           "\"authorization_servers\":[\"" HERE "\"]");
    expect(send(f, &(struct send){.path = "/.well-known/oauth-authorization-server"}), 200,
           "\"code_challenge_methods_supported\":[\"S256\"]");
    expect(send(f, &(struct send){.path = "/.well-known/openid-configuration"}), 404, "");
    register_client(f, client);
    log_in(f, cookie);
    allow(f, client, cookie, code);
    expect(redeem(f, client, code), 200, "Cache-Control: no-store");
    /* The first use gave the tokens; this is the second one. */
    expect(redeem(f, client, code), 400, "invalid_grant");
    allow(f, client, cookie, code);
    between(redeem(f, client, code), "\"access_token\":\"", "\"", access);
    expect(call(f, access, "/mcp"), 200, "\"tools\"");
    /* The token is good for /mcp alone. */
    expect(call(f, access, "/api/v1/sql"), 401, "");
    allow(f, client, cookie, code);
    between(redeem(f, client, code), "\"refresh_token\":\"", "\"", refresh);
    expect(call(f, access, "/mcp"), 401, "error=\"invalid_token\"");
    (void)snprintf(body, sizeof(body), "grant_type=refresh_token&refresh_token=%s&client_id=%s",
                   refresh, client);
    between(send(f, &(struct send){.path = "/oauth/token", .body = body}), "\"access_token\":\"",
            "\"", access);
    expect(call(f, access, "/mcp"), 200, "\"tools\"");
    (void)snprintf(body, sizeof(body), "token=%s&client_id=%s", access, client);
    expect(send(f, &(struct send){.path = "/oauth/revoke", .body = body}), 200, "");
    expect(call(f, access, "/mcp"), 401, "");
    th_api_free(f);
}

static void test_the_page_says_who_asks_and_for_what(void **state)
{
    struct th_api *f = new_api();
    char cookie[TEXT];
    char client[TEXT];
    struct send ask = {.path = "/oauth/authorize",
                       .args = {"response_type", "code", "client_id", client, "redirect_uri",
                                REDIRECT, "state", "\"><script>", "code_challenge", CHALLENGE,
                                "code_challenge_method", "S256", "resource", HERE "/mcp"}};
    const struct sent *sent;

    (void)state;
    register_client(f, client);
    expect(send(f, &ask), 401, "wellhead open");
    log_in(f, cookie);
    ask.cookie = cookie;
    sent = send(f, &ask);
    expect(sent, 200, "&lt;b&gt;Agent&lt;/b&gt;");
    expect(sent, 200, "read every record");
    expect(sent, 200, "<code>http://127.0.0.1:4321</code>");
    expect(sent, 200, "frame-ancestors 'none'");
    expect(sent, 200, "form-action 'self' http://127.0.0.1:4321\n");
    assert_null(strstr(sent->answer, "<script>"));
    th_api_free(f);
}

static void test_errors_go_back_to_the_client_only_when_it_is_known(void **state)
{
    static const struct {
        size_t arg;
        const char *value;
        unsigned status;
        const char *text;
    } cases[] = {
        {1, "token", 303, "?error=unsupported_response_type&state=s&iss="},
        {3, "0123456789abcdef0123456789abcdef", 400, "not registered"},
        {5, "https://evil.example/", 400, "has not registered"},
        {5, REDIRECT "/", 400, "has not registered"},
        {9, "short", 303, "?error=invalid_request"},
        {11, "plain", 303, "?error=invalid_request"},
        {13, "https://evil.example/mcp", 303, "?error=invalid_target"},
    };
    struct th_api *f = new_api();
    char cookie[TEXT];
    char client[TEXT];

    (void)state;
    register_client(f, client);
    log_in(f, cookie);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct send ask = {.path = "/oauth/authorize",
                           .cookie = cookie,
                           .args = {"response_type", "code", "client_id", client, "redirect_uri",
                                    REDIRECT, "state", "s", "code_challenge", CHALLENGE,
                                    "code_challenge_method", "S256", "resource", HERE "/mcp"}};

        ask.args[cases[i].arg] = cases[i].value;
        expect(send(f, &ask), cases[i].status, cases[i].text);
    }
    th_api_free(f);
}

/* CSRF: the decision counts only from a page of ours, with a session. */
static void test_nobody_else_decides(void **state)
{
    struct th_api *f = new_api();
    char cookie[TEXT];
    char client[TEXT];
    char body[4 * TEXT];

    (void)state;
    register_client(f, client);
    log_in(f, cookie);
    form(body, client, "allow");
    expect(send(f, &(struct send){.path = "/oauth/authorize", .body = body, .cookie = cookie}), 403,
           "did not come from");
    expect(send(f, &(struct send){.path = "/oauth/authorize",
                                  .body = body,
                                  .cookie = cookie,
                                  .origin = "https://evil.example"}),
           403, "");
    expect(send(f,
                &(struct send){
                    .path = "/oauth/authorize", .body = body, .cookie = cookie, .origin = "null"}),
           403, "");
    expect(send(f, &(struct send){.path = "/oauth/authorize", .body = body, .origin = HERE}), 403,
           "did not come from");
    form(body, client, "deny");
    expect(send(f,
                &(struct send){
                    .path = "/oauth/authorize", .body = body, .cookie = cookie, .origin = HERE}),
           303, "?error=access_denied");
    th_api_free(f);
}

static void test_other_names_of_the_host_and_bad_requests_are_refused(void **state)
{
    static const struct {
        struct send send;
        unsigned status;
        const char *text;
    } cases[] = {
        {{.path = "/.well-known/oauth-authorization-server", .host = "evil.example"}, 403, ""},
        {{.path = "/.well-known/oauth-authorization-server", .host = HOST "\"x"}, 403, ""},
        {{.path = "/.well-known/oauth-authorization-server", .host = "wellhead.example.com"},
         200,
         "\"issuer\":\"http://wellhead.example.com\""},
        {{.path = "/oauth/register", .body = "{}", .host = "evil.example"}, 403, ""},
        {{.path = "/oauth/register", .body = "{}", .origin = "https://evil.example"}, 403, ""},
        {{.path = "/oauth/register", .body = "[]"}, 400, "invalid_client_metadata"},
        {{.path = "/oauth/register", .body = "{\"redirect_uris\":[\"http://evil.example/\"]}"},
         400,
         "invalid_redirect_uri"},
        {{.path = "/oauth/token", .body = "grant_type=password"}, 400, "unsupported_grant_type"},
        {{.path = "/oauth/token", .body = "grant_type=refresh_token&client_id=x"},
         401,
         "invalid_client"},
        {{.path = "/oauth/token", .body = "a=1&a=2"}, 400, "invalid_request"},
        {{.path = "/oauth/token", .body = "a=%zz"}, 400, "invalid_request"},
        {{.method = "GET", .path = "/oauth/token"}, 405, "Allow: POST"},
        {{.method = "DELETE", .path = "/oauth/authorize"}, 405, "Allow: GET, HEAD, POST"},
        {{.path = "/oauth/revoke", .body = "token=unknown"}, 200, ""},
    };
    struct th_api *f = new_api();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect(send(f, &cases[i].send), cases[i].status, cases[i].text);
    }
    th_api_free(f);
}

static void test_registrations_are_limited(void **state)
{
    struct th_api *f = new_api();
    unsigned refused = 0;

    (void)state;
    for (int i = 0; i < 40; i++) {
        refused += send(f, &(struct send){.path = "/oauth/register", .body = "{}"})->status == 429;
    }
    assert_true(refused >= 25);
    th_api_free(f);
}

/* The id of the only row of that kind. */
static void id_of(struct th_api *f, const char *kind, char id[TEXT])
{
    char before[TEXT];

    (void)snprintf(before, sizeof(before), "\"kind\":\"%s\",\"token\":\"", kind);
    between(send(f, &(struct send){.path = "/api/v1/tokens", .authorization = f->authorization}),
            before, "\"", id);
}

static const struct sent *end(struct th_api *f, const char *id, const char *authorization)
{
    static char body[2 * TEXT];

    (void)snprintf(body, sizeof(body), "{\"end\":\"%s\"}", id);
    return send(
        f, &(struct send){.path = "/api/v1/tokens", .body = body, .authorization = authorization});
}

static void test_every_access_is_listed_and_can_be_ended(void **state)
{
    struct th_api *f = new_api();
    char cookie[TEXT];
    char client[TEXT];
    char code[TEXT];
    char access[TEXT];
    char id[TEXT];
    char form[2 * TEXT];

    (void)state;
    log_in(f, cookie);
    register_client(f, client);
    allow(f, client, cookie, code);
    between(redeem(f, client, code), "\"access_token\":\"", "\"", access);
    expect(send(f, &(struct send){.path = "/tokens", .cookie = cookie}), 200,
           "&lt;b&gt;Agent&lt;/b&gt;");
    /* An agent's token reads no list of tokens. */
    expect(call(f, access, "/api/v1/tokens"), 401, "");
    id_of(f, "agent", id);
    expect(end(f, id, f->authorization), 200, "\"ok\":true");
    expect(call(f, access, "/mcp"), 401, "");
    expect(end(f, id, f->authorization), 404, "nothing has this id");
    /* A form of the page, from the page alone. */
    id_of(f, "session", id);
    (void)snprintf(form, sizeof(form), "end=%s", id);
    expect(send(f, &(struct send){.path = "/tokens", .body = form, .cookie = cookie}), 401, "");
    expect(
        send(f, &(struct send){.path = "/tokens", .body = form, .cookie = cookie, .origin = HERE}),
        303, "Location: /tokens\n");
    expect(send(f, &(struct send){.path = "/tokens", .cookie = cookie}), 401, "wellhead open");
    expect(end(f, "api", f->authorization), 200, "\"ok\":true");
    expect(end(f, "api", f->authorization), 401, "");
    th_api_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_address_alone_leads_to_access),
        cmocka_unit_test(test_the_page_says_who_asks_and_for_what),
        cmocka_unit_test(test_errors_go_back_to_the_client_only_when_it_is_known),
        cmocka_unit_test(test_nobody_else_decides),
        cmocka_unit_test(test_other_names_of_the_host_and_bad_requests_are_refused),
        cmocka_unit_test(test_registrations_are_limited),
        cmocka_unit_test(test_every_access_is_listed_and_can_be_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
