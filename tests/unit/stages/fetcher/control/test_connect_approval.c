/*
 * Connecting by an approval: a script plays GitLab's authorization server and its MCP server, and the
 * test plays the person. No pair that GitLab has issued may be lost, whatever fails.
 */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "stages/fetcher/access/access.h"
#include "tests/lib/th_control.h"
#include "tests/lib/th_http.h"

#define AT "https://c.example"
#define MCP AT "/api/v4/mcp"
#define TOKEN AT "/oauth/token"
#define REGISTER AT "/oauth/register"
#define REVOKE AT "/oauth/revoke"
#define CONNECT "{\"url\":\"" AT "\"}"

enum { SESSION_MAX = 64, PAGE_MAX = 2048 };

struct gitlab {
    unsigned issued;     /* pairs */
    unsigned registered; /* clients */
    unsigned noted;      /* pairs that were listed in Kafka when GitLab was asked for them */
    bool no_mcp;         /* the MCP server is switched off */
    bool refuses_code;
    const char *finds; /* the tool that finds projects; NULL: there is none */
};

static bool is(struct wh_slice url, const char *address)
{
    return wh_slice_eq(url, wh_slice_str(address));
}

static void say(struct th_script_answer *a, const char *fmt, ...) WH_PRINTF(2, 3);
static void say(struct th_script_answer *a, const char *fmt, ...)
{
    char text[PAGE_MAX];
    va_list args;
    struct wh_err err;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    th_script_header(a, "content-type", "application/json");
    th_ok(wh_buf_append(&a->body, wh_slice_str(text), &err), &err);
}

static bool says(struct wh_slice text, const char *part)
{
    return memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static long id_of(struct wh_slice request)
{
    const char *id = memmem(request.ptr, request.len, "\"id\":", 5);

    assert_non_null(id);
    return strtol(id + 5, NULL, 10);
}

static void find_project(struct th_script_answer *a)
{
    say(a, "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"result\":", id_of(a->request));
    if (says(a->request, "\"project_id\":\"acme/back\"")) {
        say(a, "{\"structuredContent\":{\"id\":12,\"fullPath\":\"acme/back\"}}}");
    } else if (says(a->request, "\"scope\":\"projects\",\"search\":\"back\"")) {
        say(a, "{\"structuredContent\":{\"items\":["
               "{\"id\":11,\"path_with_namespace\":\"acme/tools/back\"},"
               "{\"id\":12,\"path_with_namespace\":\"Acme/back\"}]}}}");
    } else if (says(a->request, "\"search\":")) {
        say(a, "{\"structuredContent\":{\"items\":[]}}}");
    } else {
        say(a,
            "{\"isError\":true,\"content\":[{\"type\":\"text\",\"text\":\"Project not found\"}]}}");
    }
}

static void mcp_answer(const struct gitlab *g, struct wh_slice token, struct th_script_answer *a)
{
    if (g->no_mcp && token.len) {
        a->status = 404;
    } else if (token.len == 0) {
        a->status = 401;
        th_script_header(a, "www-authenticate",
                         "Bearer resource_metadata=\"" AT
                         "/.well-known/oauth-protected-resource\"");
    } else if (says(a->request, "\"initialize\"")) {
        say(a,
            "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"result\":{\"protocolVersion\":\"2025-11-25\","
            "\"capabilities\":{},\"serverInfo\":{\"name\":\"GitLab\",\"version\":\"18.6.0\"}}}",
            id_of(a->request));
    } else if (says(a->request, "tools/list") && g->finds) {
        say(a,
            "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"result\":{\"tools\":[{\"name\":\"%s\","
            "\"inputSchema\":{"
            "\"type\":\"object\",\"properties\":{\"project_id\":{},\"search\":{}}}}]}}",
            id_of(a->request), g->finds);
    } else if (says(a->request, "tools/list")) {
        say(a, "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"result\":{\"tools\":[]}}", id_of(a->request));
    } else if (says(a->request, "tools/call")) {
        find_project(a);
    } else {
        a->status = 202;
    }
}

/* The newest document of the connection lists a pair that is asked for. */
static bool pair_is_noted(struct th_control *t)
{
    const struct conn *c = fetcher_find(t->f, WH_LIT("c-example"));
    const struct wh_connection *doc = c ? conn_document(c) : NULL;

    for (size_t i = 0; doc && i < doc->n_pairs; i++) {
        if (wh_slice_eq(doc->pairs[i].state, WH_LIT("asked"))) {
            return wh_bus_mem_count(t->bus, "connections") > 0;
        }
    }
    return false;
}

static void token_answer(struct th_control *t, struct gitlab *g, struct th_script_answer *a)
{
    g->noted += pair_is_noted(t);
    if (g->refuses_code) {
        a->status = 400;
        say(a, "{\"error\":\"invalid_grant\"}");
        return;
    }
    g->issued++;
    say(a,
        "{\"access_token\":\"new-access-%u\",\"refresh_token\":\"new-refresh-%u\","
        "\"token_type\":\"Bearer\",\"expires_in\":7200,\"scope\":\"mcp\"}",
        g->issued, g->issued);
}

static bool answer(struct th_control *t, struct wh_slice url, struct wh_slice token,
                   struct th_script_answer *a)
{
    struct gitlab *g = t->ctx;

    if (is(url, MCP)) {
        mcp_answer(g, token, a);
    } else if (is(url, AT "/.well-known/oauth-protected-resource")) {
        say(a, "{\"resource\":\"" MCP "\",\"authorization_servers\":[\"" AT "\"]}");
    } else if (is(url, AT "/.well-known/oauth-authorization-server")) {
        say(a, "{\"issuer\":\"" AT "\",\"authorization_endpoint\":\"" AT "/oauth/authorize\","
               "\"token_endpoint\":\"" TOKEN "\",\"registration_endpoint\":\"" REGISTER "\","
               "\"revocation_endpoint\":\"" REVOKE "\","
               "\"token_endpoint_auth_methods_supported\":[\"none\"],"
               "\"code_challenge_methods_supported\":[\"S256\"]}");
    } else if (is(url, REGISTER)) {
        g->registered++;
        a->status = 201;
        say(a,
            "{\"client_id\":\"client-%u\",\"redirect_uris\":"
            "[\"http://127.0.0.1:1/oauth/callback\"],\"token_endpoint_auth_method\":\"none\"}",
            g->registered);
    } else if (is(url, TOKEN)) {
        token_answer(t, g, a);
    } else if (!is(url, REVOKE)) {
        return false;
    }
    return true;
}

static struct th_control *world(struct gitlab *g)
{
    static struct th_control t;

    *g = (struct gitlab){0};
    th_control_init(&t);
    t.gitlab = answer;
    t.ctx = g;
    return &t;
}

/* ---- the person ---- */

/* The text after `start` in text, up to one of the stops. */
static void copy_after(const char *text, const char *start, const char *stops, char *to,
                       size_t size)
{
    const char *at = strstr(text, start);
    size_t n;

    if (at == NULL) {
        fail_msg("no %s in %s", start, text);
        return;
    }
    at += strlen(start);
    n = strcspn(at, stops);
    assert_true(n < size);
    memcpy(to, at, n);
    to[n] = '\0';
}

static void show(struct th_control *t, const char *session)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "/api/v1/connects/%s", session);
    th_control_call(t, "GET", path, NULL);
    assert_int_equal(t->status, 200);
}

/* Begins, and waits until the person is asked for the approval. */
static void begin(struct th_control *t, const char *body, char session[SESSION_MAX],
                  char state[SESSION_MAX])
{
    th_control_call(t, "POST", "/api/v1/connections", body);
    assert_int_equal(t->status, 202);
    copy_after(t->answer, "\"session\":\"", "\"", session, SESSION_MAX);
    do {
        th_control_turns(t, 1);
        show(t, session);
        assert_null(strstr(t->answer, "\"error\""));
    } while (strstr(t->answer, "\"approve_url\"") == NULL);
    copy_after(t->answer, "state=", "&\"", state, SESSION_MAX);
}

/* The browser comes back from GitLab. */
static unsigned redirected(struct th_control *t, const char *host, const char *state)
{
    char query[256];
    struct th_http_req req;
    unsigned status;

    (void)snprintf(query, sizeof(query), "code=abc&state=%s", state);
    th_http_init(&req, "GET", "/oauth/callback");
    req.raw_query = wh_slice_str(query);
    th_http_header(&req, "Host", host);
    th_http_begin(&req, &t->handler);
    assert_true(req.replied);
    status = req.status;
    th_http_over(&req, &t->handler);
    th_http_done(&req);
    return status;
}

static void await_end(struct th_control *t, const char *session, const char *how)
{
    do {
        th_control_turns(t, 1);
        show(t, session);
    } while (strstr(t->answer, "\"state\":\"running\""));
    if (strstr(t->answer, how) == NULL) {
        fail_msg("it is not %s: %s", how, t->answer);
    }
}

/* How many entries of the connection's list of pairs have that state. */
static unsigned pairs(struct th_control *t, const char *state)
{
    const struct conn *c = fetcher_find(t->f, WH_LIT("c-example"));
    unsigned n = 0;

    for (size_t i = 0; c && i < conn_document(c)->n_pairs; i++) {
        n += wh_slice_eq(conn_document(c)->pairs[i].state, wh_slice_str(state));
    }
    return n;
}

/* ---- tests ---- */

static void test_an_approval_to_its_end(void **state)
{
    struct gitlab g;
    struct th_control *t = world(&g);
    char session[SESSION_MAX];
    char word[SESSION_MAX];
    char path[128];
    const struct conn *c;

    (void)state;
    begin(t, CONNECT, session, word);
    assert_int_equal(redirected(t, "evil.example", word), 421);
    assert_int_equal(redirected(t, "127.0.0.1:1", "another"), 404);
    assert_int_equal(g.issued, 0);
    assert_int_equal(redirected(t, "127.0.0.1:1", word), 200);
    await_end(t, session, "\"state\":\"done\"");
    assert_non_null(strstr(t->answer, "\"signing_key\":\"whsec_"));
    assert_int_equal(g.issued, 1);
    assert_int_equal(g.noted, 1); /* Kafka knew that a pair was asked for */
    assert_int_equal(pairs(t, "in_use"), 1);
    assert_int_equal(pairs(t, "asked"), 0);
    c = th_control_conn(t, "c-example");
    th_slice_is(wh_buf_slice(&credential_pair(access_credential(conn_access(c)))->access),
                "new-access-1");
    /* The secrets are shown once. */
    (void)snprintf(path, sizeof(path), "/api/v1/connects/%s", session);
    th_control_call(t, "GET", path, NULL);
    assert_int_equal(t->status, 404);
    th_control_done(t);
}

static void test_the_address_may_be_pasted(void **state)
{
    struct gitlab g;
    struct th_control *t = world(&g);
    char session[SESSION_MAX];
    char word[SESSION_MAX];
    char path[128];
    char body[300];

    (void)state;
    begin(t, CONNECT, session, word);
    (void)snprintf(path, sizeof(path), "/api/v1/connects/%s/redirect", session);
    th_control_call(t, "POST", path,
                    "{\"url\":\"http://127.0.0.1:1/oauth/callback?code=a&state=b\"}");
    assert_int_equal(t->status, 400);
    th_control_call(t, "POST", path, "{}");
    assert_int_equal(t->status, 400);
    (void)snprintf(body, sizeof(body),
                   "{\"url\":\"http://127.0.0.1:1/oauth/callback?code=a&state=%s\"}", word);
    th_control_call(t, "POST", path, body);
    assert_int_equal(t->status, 202);
    await_end(t, session, "\"state\":\"done\"");
    th_control_done(t);
}

static void test_no_pair_is_asked_for_without_kafka(void **state)
{
    struct gitlab g;
    struct th_control *t = world(&g);
    char session[SESSION_MAX];
    char word[SESSION_MAX];

    (void)state;
    begin(t, CONNECT, session, word);
    wh_bus_mem_fail(t->bus, WH_BUS_MEM_DELIVERY, 0, 1, WH_E_TIMEOUT);
    assert_int_equal(redirected(t, "127.0.0.1:1", word), 200);
    await_end(t, session, "Kafka did not take the connection");
    assert_int_equal(th_control_asked(t, TOKEN, NULL), 0);
    th_control_done(t);
}

static void test_a_refused_code_leaves_nothing(void **state)
{
    struct gitlab g;
    struct th_control *t = world(&g);
    char session[SESSION_MAX];
    char word[SESSION_MAX];

    (void)state;
    g.refuses_code = true;
    begin(t, CONNECT, session, word);
    assert_int_equal(redirected(t, "127.0.0.1:1", word), 200);
    await_end(t, session, "\"state\":\"failed\"");
    th_control_turns(t, 20);
    assert_null(fetcher_find(t->f, WH_LIT("c-example")));
    th_control_done(t);
}

/* The pair has come, but the MCP server is switched off: GitLab must not keep it. */
static void test_the_pair_of_a_failed_connect_is_revoked(void **state)
{
    struct gitlab g;
    struct th_control *t = world(&g);
    char session[SESSION_MAX];
    char word[SESSION_MAX];

    (void)state;
    g.no_mcp = true;
    begin(t, CONNECT, session, word);
    assert_int_equal(redirected(t, "127.0.0.1:1", word), 200);
    await_end(t, session, "no MCP server at that GitLab");
    assert_int_equal(g.issued, 1);
    while (fetcher_find(t->f, WH_LIT("c-example"))) {
        t->now_ms += 100;
        th_control_turns(t, 1);
    }
    assert_int_equal(th_control_asked(t, REVOKE, NULL), 2);
    /* The client that was registered is used by the next attempt. */
    g.no_mcp = false;
    begin(t, CONNECT, session, word);
    assert_int_equal(redirected(t, "127.0.0.1:1", word), 200);
    await_end(t, session, "\"state\":\"done\"");
    assert_int_equal(g.registered, 1);
    th_control_done(t);
}

static void test_approving_again_revokes_the_pair_before(void **state)
{
    struct gitlab g;
    struct th_control *t = world(&g);
    char session[SESSION_MAX];
    char word[SESSION_MAX];
    const struct conn *c = th_control_approved(t, 1);

    (void)state;
    begin(t, CONNECT, session, word);
    assert_int_equal(g.registered, 0); /* the connection has a client */
    assert_int_equal(redirected(t, "127.0.0.1:1", word), 200);
    await_end(t, session, "\"existing\":true");
    th_slice_is(wh_buf_slice(&credential_pair(access_credential(conn_access(c)))->access),
                "new-access-1");
    while (pairs(t, "revoked") == 0) {
        th_control_turns(t, 1);
    }
    assert_int_equal(th_control_asked(t, REVOKE, NULL), 2);
    assert_int_equal(pairs(t, "in_use"), 1);
    assert_int_equal(pairs(t, "replaced"), 0);
    th_control_done(t);
}

/* The stage stops while GitLab is being asked: what may have been issued stays listed. */
static void test_stopping_in_between_leaves_a_trace(void **state)
{
    struct gitlab g;
    struct th_control *t = world(&g);
    char session[SESSION_MAX];
    char word[SESSION_MAX];

    (void)state;
    begin(t, CONNECT, session, word);
    t->held = TOKEN;
    assert_int_equal(redirected(t, "127.0.0.1:1", word), 200);
    th_control_turns(t, 50);
    th_control_restart(t);
    t->held = NULL;
    assert_int_equal(pairs(t, "asked") + pairs(t, "lost"), 1);
    th_control_done(t);
}

static void connect_projects(struct th_control *t, const char *projects, const char *how)
{
    char session[SESSION_MAX];
    char word[SESSION_MAX];
    char body[256];

    (void)snprintf(body, sizeof(body), "{\"url\":\"" AT "\",\"projects\":%s}", projects);
    begin(t, body, session, word);
    assert_int_equal(redirected(t, "127.0.0.1:1", word), 200);
    await_end(t, session, how);
}

/* The connection keeps numbers: a path may change. */
static void test_projects_are_found_by_their_paths(void **state)
{
    static const char *const tools[] = {"get_project", "search", "gitlab_search"};

    (void)state;
    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
        struct gitlab g;
        struct th_control *t = world(&g);

        g.finds = tools[i];
        connect_projects(t, "[7,\"acme/back\",8]", "\"state\":\"done\"");
        th_slice_is(conn_document(th_control_conn(t, "c-example"))->projects, "7 12 8");
        th_control_done(t);
    }
}

static void test_paths_that_are_not_found(void **state)
{
    static const char *const words[][2] = {
        {"get_project", "no project acme/none for this user: the tool says: Project not found"},
        {"search", "no project acme/none for this user: GitLab's search does not find it"},
        {NULL, "this GitLab finds no project by its path; name its number"}};

    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        struct gitlab g;
        struct th_control *t = world(&g);

        g.finds = words[i][0];
        connect_projects(t, "[\"acme/none\"]", words[i][1]);
        assert_int_equal(pairs(t, "in_use"), 0);
        th_control_done(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_approval_to_its_end),
        cmocka_unit_test(test_the_address_may_be_pasted),
        cmocka_unit_test(test_no_pair_is_asked_for_without_kafka),
        cmocka_unit_test(test_a_refused_code_leaves_nothing),
        cmocka_unit_test(test_the_pair_of_a_failed_connect_is_revoked),
        cmocka_unit_test(test_approving_again_revokes_the_pair_before),
        cmocka_unit_test(test_stopping_in_between_leaves_a_trace),
        cmocka_unit_test(test_projects_are_found_by_their_paths),
        cmocka_unit_test(test_paths_that_are_not_found),
    };

    return cmocka_run_group_tests_name("connect_approval", tests, NULL, NULL);
}
