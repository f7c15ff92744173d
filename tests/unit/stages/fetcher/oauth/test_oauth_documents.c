/* Documents of an authorization server that are wrong, huge or hostile: each is refused in words.
 */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "stages/fetcher/oauth/approve.h"
#include "stages/fetcher/oauth/keep.h"
#include "stages/fetcher/oauth/register.h"

enum { DOCUMENT_MAX = 256 << 10 };

struct world {
    struct wh_json_parser *parser;
    struct wh_arena arena;
    struct wh_url endpoint;
    struct wh_buf text;
};

static void begin(struct world *w)
{
    struct wh_err err;

    w->parser = wh_json_parser_new(DOCUMENT_MAX, 32);
    assert_non_null(w->parser);
    wh_arena_init(&w->arena, 4096, DOCUMENT_MAX);
    wh_buf_init(&w->text, DOCUMENT_MAX);
    th_ok(wh_url_parse(WH_LIT("https://g.example/api/v4/mcp"), &w->endpoint, &err), &err);
}

static void end(struct world *w)
{
    wh_buf_done(&w->text);
    wh_arena_done(&w->arena);
    wh_json_parser_free(w->parser);
}

static void add(struct world *w, const char *text)
{
    struct wh_err err;

    th_ok(wh_buf_append(&w->text, wh_slice_str(text), &err), &err);
}

static void add_many(struct world *w, const char *text, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        add(w, text);
    }
}

static void is(const char *name, enum wh_rc rc, const struct wh_err *err, enum wh_rc wanted,
               const char *text)
{
    if (rc != wanted || (rc != WH_OK && strstr(err->msg, text) == NULL)) {
        fail_msg("%s: %s %s", name, wh_rc_name(rc), rc ? err->msg : "");
    }
}

/* ---- the protected resource ---- */

static const struct {
    const char *name;
    const char *json;
    enum wh_rc rc;
    const char *text;
} resources[] = {
    {"good",
     "{\"resource\":\"https://g.example/api/v4/mcp\",\"authorization_servers\":[\"https://"
     "g.example\"],\"scopes_supported\":[\"mcp\",\"mcp\",7]}",
     WH_OK, ""},
    {"no JSON", "<html>", WH_E_INVALID, ""},
    {"no resource", "{}", WH_E_MISSING, "without resource"},
    {"a number", "{\"resource\":7}", WH_E_FORBIDDEN, "another resource"},
    {"of another", "{\"resource\":\"https://other.example/api/v4/mcp\"}", WH_E_FORBIDDEN,
     "another resource"},
    {"of others", "{\"resource\":[7,\"https://other.example/\",\"https://g.example/api/v4/mcpx\"]}",
     WH_E_FORBIDDEN, "another resource"},
    {"no servers", "{\"resource\":\"https://g.example\"}", WH_E_MISSING, "name no server"},
    {"servers that are text",
     "{\"resource\":\"https://g.example\",\"authorization_servers\":\"https://g.example\"}",
     WH_E_MISSING, "name no server"},
    {"an empty list", "{\"resource\":\"https://g.example\",\"authorization_servers\":[]}",
     WH_E_MISSING, "name no server"},
    {"a server that is a number",
     "{\"resource\":\"https://g.example\",\"authorization_servers\":[7]}", WH_E_MISSING,
     "name no server"},
};

static void test_resources(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++) {
        struct oauth_resource r;
        struct world w;
        struct wh_err err;

        begin(&w);
        is(resources[i].name,
           oauth_resource_read(wh_slice_str(resources[i].json), w.parser, &w.endpoint, &w.arena, &r,
                               &err),
           &err, resources[i].rc, resources[i].text);
        if (resources[i].rc == WH_OK) {
            th_slice_is(r.scopes, "mcp");
            th_slice_is(r.issuer, "https://g.example");
        }
        end(&w);
    }
}

/* ---- the authorization server ---- */

#define ISSUER "\"issuer\":\"https://g.example\""
#define AUTHORIZE ",\"authorization_endpoint\":\"https://g.example/oauth/authorize\""
#define TOKEN ",\"token_endpoint\":\"https://g.example/oauth/token\""
#define S256 ",\"code_challenge_methods_supported\":[\"plain\",\"S256\"]"

static const struct {
    const char *name;
    const char *json;
    enum wh_rc rc;
    const char *text;
} servers[] = {
    {"good", "{" ISSUER AUTHORIZE TOKEN S256 "}", WH_OK, ""},
    {"a slash", "{\"issuer\":\"https://g.example/\"" AUTHORIZE TOKEN S256 "}", WH_OK, ""},
    {"null for absent", "{" ISSUER AUTHORIZE TOKEN S256 ",\"revocation_endpoint\":null}", WH_OK,
     ""},
    {"no JSON", "{", WH_E_INVALID, ""},
    {"no issuer", "{}", WH_E_MISSING, "without issuer"},
    {"a number for an issuer", "{\"issuer\":7}", WH_E_TYPE, "issuer is not a string"},
    {"another issuer", "{\"issuer\":\"https://other.example\"}", WH_E_FORBIDDEN, "another issuer"},
    {"no endpoints", "{" ISSUER S256 "}", WH_E_MISSING, "without its endpoints"},
    {"an endpoint that is a list", "{" ISSUER ",\"token_endpoint\":[]}", WH_E_TYPE,
     "token_endpoint is not a string"},
    {"no S256",
     "{" ISSUER AUTHORIZE TOKEN ",\"code_challenge_methods_supported\":[\"S25\",\"S256x\"]}",
     WH_E_FORBIDDEN, "PKCE"},
    {"methods that are text",
     "{" ISSUER AUTHORIZE TOKEN ",\"code_challenge_methods_supported\":\"S256\"}", WH_E_FORBIDDEN,
     "PKCE"},
    {"http", "{" ISSUER AUTHORIZE S256 ",\"token_endpoint\":\"http://g.example/oauth/token\"}",
     WH_E_FORBIDDEN, "token endpoint"},
    {"no address", "{" ISSUER AUTHORIZE S256 ",\"token_endpoint\":\"javascript:x\"}", WH_E_INVALID,
     "token endpoint"},
    {"foreign revocation",
     "{" ISSUER AUTHORIZE TOKEN S256 ",\"revocation_endpoint\":\"https://other.example/\"}",
     WH_E_FORBIDDEN, "revocation endpoint"},
    {"foreign registration",
     "{" ISSUER AUTHORIZE TOKEN S256 ",\"registration_endpoint\":\"https://g.example:8443/\"}",
     WH_E_FORBIDDEN, "registration endpoint"},
};

static enum wh_rc read_server(struct world *w, struct wh_slice json, struct oauth_server *ret,
                              struct wh_err *err)
{
    return oauth_server_read(json, w->parser, WH_LIT("https://g.example"), false, &w->arena, ret,
                             err);
}

static void test_servers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
        struct oauth_server s;
        struct world w;
        struct wh_err err;

        begin(&w);
        is(servers[i].name, read_server(&w, wh_slice_str(servers[i].json), &s, &err), &err,
           servers[i].rc, servers[i].text);
        end(&w);
    }
}

/* Lists and addresses without measure. */
static void test_huge_documents(void **state)
{
    struct oauth_server s;
    struct world w;
    struct wh_err err;

    (void)state;
    begin(&w);
    add(&w, "{" ISSUER AUTHORIZE TOKEN S256 ",\"scopes_supported\":[\"a\"");
    add_many(&w, ",\"a\"", 60000);
    add(&w, "]}");
    is("60,000 scopes", read_server(&w, wh_buf_slice(&w.text), &s, &err), &err, WH_E_TOO_LARGE,
       "scopes_supported lists more than 256 words");
    wh_buf_reset(&w.text);
    add(&w, "{" ISSUER AUTHORIZE TOKEN S256 ",\"scopes_supported\":[\"");
    add_many(&w, "a", 5000);
    add(&w, "\"]}");
    is("a scope of 5000 bytes", read_server(&w, wh_buf_slice(&w.text), &s, &err), &err,
       WH_E_TOO_LARGE, "scopes_supported");
    wh_buf_reset(&w.text);
    add(&w, "{" ISSUER AUTHORIZE S256 ",\"token_endpoint\":\"https://g.example/");
    add_many(&w, "a", 5000);
    add(&w, "\"}");
    is("an address of 5000 bytes", read_server(&w, wh_buf_slice(&w.text), &s, &err), &err,
       WH_E_INVALID, "token endpoint");
    wh_buf_reset(&w.text);
    add_many(&w, "{\"a\":", 100);
    add(&w, "1");
    add_many(&w, "}", 100);
    is("deep nesting", read_server(&w, wh_buf_slice(&w.text), &s, &err), &err, WH_E_TOO_DEEP, "");
    end(&w);
}

/* ---- registration ---- */

static const struct {
    const char *name;
    const char *json;
    enum wh_rc rc;
    const char *text; /* of the error, or the authentication */
} registrations[] = {
    {"public", "{\"client_id\":\"c\",\"token_endpoint_auth_method\":\"none\"}", WH_OK, "none"},
    {"a secret", "{\"client_id\":\"c\",\"client_secret\":\"s\"}", WH_OK, "client_secret_basic"},
    {"a secret by post",
     "{\"client_id\":\"c\",\"client_secret\":\"s\",\"token_endpoint_auth_method\":\"client_secret_"
     "post\"}",
     WH_OK, "client_secret_post"},
    {"a way without its secret",
     "{\"client_id\":\"c\",\"token_endpoint_auth_method\":\"client_secret_post\"}", WH_OK, "none"},
    {"a way that is not known",
     "{\"client_id\":\"c\",\"client_secret\":\"s\",\"token_endpoint_auth_method\":\"private_key_"
     "jwt\"}",
     WH_E_UNSUPPORTED, "not supported"},
    {"no JSON", "", WH_E_INVALID, ""},
    {"no id", "{}", WH_E_MISSING, "no client id"},
    {"a number for an id", "{\"client_id\":7}", WH_E_MISSING, "no client id"},
    {"a line break in the id", "{\"client_id\":\"a\\r\\nX: y\"}", WH_E_INVALID, "client_id"},
    {"an escape in the secret", "{\"client_id\":\"a\",\"client_secret\":\"\\u001b[2J\"}",
     WH_E_INVALID, "client_secret"},
};

static enum wh_rc register_read(struct world *w, struct wh_slice json, struct oauth_client *ret,
                                struct wh_err *err)
{
    const struct oauth_server server = {.issuer = WH_LIT("https://g.example")};

    return oauth_register_read(json, w->parser, &server, WH_LIT("http://127.0.0.1:1/c"), &w->arena,
                               ret, err);
}

static void test_registrations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(registrations) / sizeof(registrations[0]); i++) {
        struct oauth_client c;
        struct world w;
        struct wh_err err;

        begin(&w);
        is(registrations[i].name, register_read(&w, wh_slice_str(registrations[i].json), &c, &err),
           &err, registrations[i].rc, registrations[i].text);
        if (registrations[i].rc == WH_OK) {
            th_slice_is(c.auth_method, registrations[i].text);
            th_slice_is(c.issuer, "https://g.example");
            th_slice_is(c.redirect_uri, "http://127.0.0.1:1/c");
        }
        end(&w);
    }
}

static void test_huge_registration(void **state)
{
    static const char *const keys[] = {"client_id", "client_secret"};

    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct oauth_client c;
        struct world w;
        struct wh_err err;

        begin(&w);
        add(&w, "{\"");
        add(&w, keys[i]);
        add(&w, "\":\"");
        add_many(&w, "a", OAUTH_CLIENT_TEXT_MAX + 1);
        add(&w, "\"}");
        is(keys[i], register_read(&w, wh_buf_slice(&w.text), &c, &err), &err, WH_E_TOO_LARGE,
           keys[i]);
        end(&w);
    }
}

/* How a client with a secret shows itself: basic unless the server takes post alone. */
static void test_auth_methods(void **state)
{
    static const struct {
        const char *methods;
        const char *chosen;
    } all[] = {{"", "client_secret_basic"},
               {"client_secret_post", "client_secret_post"},
               {"client_secret_post client_secret_basic", "client_secret_basic"},
               {"private_key_jwt", "client_secret_basic"}};

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        const struct oauth_server s = {.auth_methods = wh_slice_str(all[i].methods)};

        th_slice_is(oauth_auth_method(&s, true), all[i].chosen);
        th_slice_is(oauth_auth_method(&s, false), "none");
    }
}

static void test_register_body(void **state)
{
    struct world w;
    struct wh_err err;

    (void)state;
    begin(&w);
    th_ok(oauth_register_body(WH_LIT("W \"x\""), WH_LIT("http://127.0.0.1:1/c"), WH_LIT(""),
                              &w.text, &err),
          &err);
    assert_non_null(strstr(wh_buf_str(&w.text), "\"client_name\":\"W \\\"x\\\"\""));
    assert_non_null(strstr(wh_buf_str(&w.text), "\"redirect_uris\":[\"http://127.0.0.1:1/c\"]"));
    assert_null(strstr(wh_buf_str(&w.text), "\"scope\""));
    end(&w);
}

/* ---- tokens ---- */

/* A scope that could not be shown is as good as none; the token stays good. */
static void test_token_scope(void **state)
{
    static const char json[] = "{\"access_token\":\"t\",\"token_type\":\"bearer\",\"scope\":\"mcp "
                               "\\u001b[2J\"}";
    struct oauth_token_answer answer;
    struct oauth_tokens tokens;
    struct world w;

    (void)state;
    begin(&w);
    oauth_tokens_init(&tokens);
    oauth_token_read(200, wh_slice_str(json), w.parser, 1, true, &tokens, &answer);
    assert_int_equal(answer.result, OAUTH_DONE);
    assert_string_equal(tokens.scope, "");
    oauth_tokens_done(&tokens);
    end(&w);
}

/* ---- what is kept ---- */

static void test_kept_refused(void **state)
{
    static const struct {
        const char *json;
        enum wh_rc rc;
    } all[] = {
        {"", WH_E_INVALID},
        {"{}", WH_E_MISSING},
        {"{\"client_id\":\"c\"}", WH_E_MISSING},
        {"{\"token_endpoint\":\"https://g.example/t\"}", WH_E_MISSING},
        {"{\"client_id\":7,\"token_endpoint\":\"https://g.example/t\"}", WH_E_MISSING},
        {"{\"client_id\":\"c\",\"token_endpoint\":\"https://g.example/t\"}", WH_OK},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct oauth_kept kept;
        struct world w;
        struct wh_err err;

        begin(&w);
        is(all[i].json, oauth_kept_read(wh_slice_str(all[i].json), w.parser, &w.arena, &kept, &err),
           &err, all[i].rc, "");
        end(&w);
    }
}

/* What was held before is gone, also when the new text is refused. */
static void test_kept_tokens_refused(void **state)
{
    static const char *const all[] = {"", "{}", "{\"access_token\":7}",
                                      "{\"refresh_token\":\"r\"}"};
    struct world w;
    struct wh_err err;

    (void)state;
    begin(&w);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct oauth_tokens t;

        oauth_tokens_init(&t);
        th_ok(wh_buf_append(&t.access, WH_LIT("old"), &err), &err);
        assert_int_not_equal(oauth_tokens_read(wh_slice_str(all[i]), w.parser, &t, &err), WH_OK);
        assert_int_equal(t.access.len, 0);
        oauth_tokens_done(&t);
    }
    wh_buf_reset(&w.text);
    add(&w, "{\"access_token\":\"");
    add_many(&w, "a", OAUTH_TOKEN_MAX + 2);
    add(&w, "\"}");
    {
        struct oauth_tokens t;

        oauth_tokens_init(&t);
        assert_int_equal(oauth_tokens_read(wh_buf_slice(&w.text), w.parser, &t, &err),
                         WH_E_TOO_LARGE);
        oauth_tokens_done(&t);
    }
    end(&w);
}

/* ---- the redirect ---- */

static void test_redirects(void **state)
{
    static const struct {
        const char *text;
        enum wh_rc rc;
        const char *code;
    } all[] = {
        {"code=a&state=b", WH_OK, "a"},
        {"https://h/cb?code=a%20b&&state=b#code=c", WH_OK, "a b"},
        {"code=a&code=b", WH_E_INVALID, ""},
        {"state=a&iss=x&state=b", WH_E_INVALID, ""},
        {"code=%zz", WH_E_INVALID, ""},
        {"", WH_OK, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct oauth_redirect r;
        struct wh_err err;
        enum wh_rc rc = oauth_redirect_read(wh_slice_str(all[i].text), &r, &err);

        is(all[i].text, rc, &err, all[i].rc, "");
        if (rc == WH_OK) {
            assert_string_equal(wh_buf_str(&r.code), all[i].code);
        }
        oauth_redirect_done(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resources),         cmocka_unit_test(test_servers),
        cmocka_unit_test(test_huge_documents),    cmocka_unit_test(test_registrations),
        cmocka_unit_test(test_huge_registration), cmocka_unit_test(test_auth_methods),
        cmocka_unit_test(test_register_body),     cmocka_unit_test(test_token_scope),
        cmocka_unit_test(test_kept_refused),      cmocka_unit_test(test_kept_tokens_refused),
        cmocka_unit_test(test_redirects),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
