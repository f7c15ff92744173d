/* Pure parts of the approval: challenges, addresses, PKCE, the client's forms, what is kept. */
#include "tests/lib/th_cmocka.h"

#include "common/base/mem.h"
#include "stages/fetcher/oauth/approve.h"
#include "stages/fetcher/oauth/keep.h"
#include "stages/fetcher/oauth/oauth.h"

static const struct {
    const char *name;
    const char *header;
    bool bearer;
    const char *metadata;
    const char *scope;
    const char *error;
} challenges[] = {
    {"gitlab",
     "Bearer realm=\"GitLab\", resource_metadata=\"https://g.example/.well-known/x\", "
     "scope=\"mcp\"",
     true, "https://g.example/.well-known/x", "mcp", ""},
    {"several",
     "Basic realm=\"a, b\", Digest nonce=\"x=\", bearer SCOPE=\"one two\",error=invalid_token",
     true, "", "one two", "invalid_token"},
    {"escapes and commas", "Bearer realm=\"say \\\"Bearer scope=no\\\", now\", scope=yes", true, "",
     "yes", ""},
    {"the first bearer counts", "Bearer scope=a, Bearer scope=b", true, "", "a", ""},
    {"another scheme's scope", "Basic scope=b, Bearer realm=\"x\"", true, "", "", ""},
    {"token68", "Negotiate YWJj==, Bearer error=\"insufficient_scope\"", true, "", "",
     "insufficient_scope"},
    {"blanks around", "Bearer  scope = \"a\" ,\terror\t=\te", true, "", "a", "e"},
    {"never closed", "Bearer scope=\"a", true, "", "", ""},
    {"a line break inside", "Bearer scope=\"a\r\nX: y\"", true, "", "", ""},
    {"none", "Basic realm=x", false, "", "", ""},
    {"garbage", ",,,=\"\"(){}", false, "", "", ""},
    {"empty", "", false, "", "", ""},
};

static void test_challenges(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(challenges) / sizeof(challenges[0]); i++) {
        struct oauth_challenge c = {0};

        oauth_challenge_read(wh_slice_str(challenges[i].header), &c);
        if (c.bearer != challenges[i].bearer ||
            strcmp(c.resource_metadata, challenges[i].metadata) != 0 ||
            strcmp(c.scope, challenges[i].scope) != 0 ||
            strcmp(c.error, challenges[i].error) != 0) {
            fail_msg("%s: %s|%s|%s", challenges[i].name, c.resource_metadata, c.scope, c.error);
        }
    }
}

static const struct {
    const char *text;
    bool good;
    bool loopback;
} urls[] = {
    {"https://gitlab.example.com", true, false},
    {"https://GitLab.example.com:8443/a?b=c", true, false},
    {"http://127.0.0.1:80", true, true},
    {"http://[::1]:8080/x", true, true},
    {"http://localhost", true, true},
    {"http://localhost.example", true, false},
    {"http://127.0.0.1.example/", true, false},
    {"https://user@gitlab.example.com", false, false},
    {"https://a:b@c/", false, false},
    {"https://", false, false},
    {"https://[::1", false, false},
    {"https://a:0/", false, false},
    {"https://a:99999/", false, false},
    {"https://a:8x/", false, false},
    {"https://a/#f", false, false},
    {"https://a b/", false, false},
    {"https://a/\r\nX: y", false, false},
    {"https://a\\b/", false, false},
    {"ftp://a/", false, false},
    {"javascript:alert(1)", false, false},
    {"//a/b", false, false},
    {"", false, false},
};

static void test_urls(void **state)
{
    struct wh_url a;
    struct wh_url b;
    struct wh_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        bool good = wh_url_parse(wh_slice_str(urls[i].text), &a, &err) == WH_OK;

        if (good != urls[i].good || (good && oauth_url_loopback(&a) != urls[i].loopback)) {
            fail_msg("%s", urls[i].text);
        }
    }
    th_ok(wh_url_parse(WH_LIT("https://A.example/x"), &a, &err), &err);
    th_ok(wh_url_parse(WH_LIT("https://a.example:443/x/y"), &b, &err), &err);
    assert_true(oauth_url_same_origin(&a, &b));
    assert_true(oauth_url_below(&a, &b));
    assert_false(oauth_url_below(&b, &a));
    th_ok(wh_url_parse(WH_LIT("https://a.example/xy"), &b, &err), &err);
    assert_false(oauth_url_below(&a, &b)); /* by segments, not by letters */
    th_ok(wh_url_parse(WH_LIT("http://a.example/x"), &b, &err), &err);
    assert_false(oauth_url_same_origin(&a, &b));
    assert_int_equal(oauth_url_secure(&b, true, &err), WH_E_FORBIDDEN);
    assert_int_equal(oauth_url_peer(&a, &a, false), WH_HTTPC_PEER_ANY);
    th_ok(wh_url_parse(WH_LIT("https://b.example/"), &b, &err), &err);
    assert_int_equal(oauth_url_peer(&b, &a, true), WH_HTTPC_PEER_PUBLIC);
}

static void test_places(void **state)
{
    struct wh_arena arena;
    struct oauth_places p;
    struct wh_url u;
    struct wh_err err;

    (void)state;
    wh_arena_init(&arena, 1024, 65536);
    th_ok(wh_url_parse(WH_LIT("https://h/gitlab/api/v4/mcp"), &u, &err), &err);
    th_ok(oauth_resource_places(&u, wh_slice("", 0), &arena, &p, &err), &err);
    assert_int_equal(p.n, 3);
    th_slice_is(p.url[0], "https://h/.well-known/oauth-protected-resource/gitlab/api/v4/mcp");
    th_slice_is(p.url[1], "https://h/.well-known/oauth-protected-resource");
    th_slice_is(p.url[2], "https://h/gitlab/api/v4/mcp/.well-known/oauth-protected-resource");
    th_ok(wh_url_parse(WH_LIT("https://h/t/"), &u, &err), &err);
    th_ok(oauth_server_places(&u, NULL, &arena, &p, &err), &err);
    assert_int_equal(p.n, 3);
    th_slice_is(p.url[0], "https://h/.well-known/oauth-authorization-server/t");
    th_slice_is(p.url[1], "https://h/.well-known/openid-configuration/t");
    th_slice_is(p.url[2], "https://h/t/.well-known/openid-configuration");
    wh_arena_done(&arena);
}

/* The pair of RFC 7636, appendix B. */
static void test_s256(void **state)
{
    WH_AUTO(buf) struct wh_buf out;
    struct wh_err err;

    (void)state;
    wh_buf_init(&out, 64);
    th_ok(oauth_challenge_s256(WH_LIT("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), &out, &err),
          &err);
    th_slice_is(wh_buf_slice(&out), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

static void test_secrets_differ(void **state)
{
    struct oauth_secrets a;
    struct oauth_secrets b;
    struct wh_err err;

    (void)state;
    th_ok(oauth_secrets_make(&a, &err), &err);
    th_ok(oauth_secrets_make(&b, &err), &err);
    assert_int_equal(strlen(a.verifier), 43);
    assert_string_not_equal(a.verifier, b.verifier);
    assert_string_not_equal(a.state, b.state);
    assert_string_not_equal(a.state, a.verifier);
}

static const struct {
    const char *name;
    unsigned status;
    const char *body;
    enum oauth_result result;
} answers[] = {
    {"good", 200, "{\"access_token\":\"a\",\"token_type\":\"BEARER\",\"expires_in\":5}",
     OAUTH_DONE},
    {"a line break in the token", 200,
     "{\"access_token\":\"a\\r\\nX: y\",\"token_type\":\"Bearer\"}", OAUTH_REFUSED},
    {"a blank in the token", 200, "{\"access_token\":\"a b\",\"token_type\":\"Bearer\"}",
     OAUTH_REFUSED},
    {"another type", 200, "{\"access_token\":\"a\",\"token_type\":\"mac\"}", OAUTH_REFUSED},
    {"no token", 200, "{\"token_type\":\"Bearer\"}", OAUTH_REFUSED},
    {"no JSON", 200, "<html>", OAUTH_REFUSED},
    {"invalid_grant", 400, "{\"error\":\"invalid_grant\"}", OAUTH_INVALID_GRANT},
    {"invalid_grant, with 500", 500, "{\"error\":\"invalid_grant\"}", OAUTH_LATER},
    {"a page with 400", 400, "<html>invalid_grant", OAUTH_REFUSED},
    {"limited", 429, "Retry later", OAUTH_LATER},
    {"redirect", 302, "", OAUTH_REFUSED},
};

static void test_token_answers(void **state)
{
    struct wh_json_parser *parser = wh_json_parser_new(65536, 16);
    struct oauth_token_answer a;
    struct oauth_tokens t;

    (void)state;
    oauth_tokens_init(&t);
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        oauth_token_read(answers[i].status, wh_slice_str(answers[i].body), parser, 1000, true, &t,
                         &a);
        if (a.result != answers[i].result || (a.tokens != NULL) != (a.result == OAUTH_DONE)) {
            fail_msg("%s: %d", answers[i].name, (int)a.result);
        }
        if (a.result == OAUTH_DONE) {
            assert_int_equal(t.expires_at_ms, 6000);
        }
    }
    oauth_tokens_done(&t);
    wh_json_parser_free(parser);
}

static void test_kept(void **state)
{
    struct wh_json_parser *parser = wh_json_parser_new(65536, 16);
    const struct oauth_kept in = {.client = {.issuer = WH_LIT("https://g"),
                                             .client_id = WH_LIT("id \"1\""),
                                             .client_secret = WH_LIT("s"),
                                             .auth_method = WH_LIT("client_secret_post"),
                                             .redirect_uri = WH_LIT("http://127.0.0.1:1/cb")},
                                  .token_endpoint = WH_LIT("https://g/t"),
                                  .revocation_endpoint = WH_LIT("https://g/r"),
                                  .resource = WH_LIT("https://g/api/v4/mcp")};
    struct oauth_tokens a;
    struct oauth_tokens b;
    struct oauth_kept out;
    struct wh_arena arena;
    struct wh_buf text;
    struct wh_err err;

    (void)state;
    wh_arena_init(&arena, 1024, 65536);
    wh_buf_init(&text, 65536);
    th_ok(oauth_kept_write(&in, &text, &err), &err);
    th_ok(oauth_kept_read(wh_buf_slice(&text), parser, &arena, &out, &err), &err);
    th_slice_is(out.client.client_id, "id \"1\"");
    th_slice_is(out.client.auth_method, "client_secret_post");
    th_slice_is(out.resource, "https://g/api/v4/mcp");
    oauth_tokens_init(&a);
    oauth_tokens_init(&b);
    th_ok(wh_buf_append(&a.access, WH_LIT("at"), &err), &err);
    th_ok(wh_buf_append(&a.refresh, WH_LIT("rt"), &err), &err);
    a.got_at_ms = 5;
    a.expires_at_ms = 9;
    wh_buf_reset(&text);
    th_ok(oauth_tokens_write(&a, &text, &err), &err);
    th_ok(oauth_tokens_read(wh_buf_slice(&text), parser, &b, &err), &err);
    th_slice_is(wh_buf_slice(&b.access), "at");
    th_slice_is(wh_buf_slice(&b.refresh), "rt");
    assert_int_equal(b.got_at_ms, 5);
    assert_int_equal(b.expires_at_ms, 9);
    assert_int_equal(oauth_tokens_read(WH_LIT("{}"), parser, &b, &err), WH_E_MISSING);
    oauth_tokens_done(&a);
    oauth_tokens_done(&b);
    wh_buf_done(&text);
    wh_arena_done(&arena);
    wh_json_parser_free(parser);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_challenges),     cmocka_unit_test(test_urls),
        cmocka_unit_test(test_places),         cmocka_unit_test(test_s256),
        cmocka_unit_test(test_secrets_differ), cmocka_unit_test(test_token_answers),
        cmocka_unit_test(test_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
