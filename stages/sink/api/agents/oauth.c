/*
 * Access for agents by our own OAuth 2.1, so that an address is all a person gives to an MCP client:
 *
 *   POST /mcp                                        401 names the first document
 *   GET  /.well-known/oauth-protected-resource[/mcp] RFC 9728: which server gives tokens: this one
 *   GET  /.well-known/oauth-authorization-server     RFC 8414: its addresses
 *   POST /oauth/register                             RFC 7591: a program names itself and its redirects
 *   GET  /oauth/authorize, POST                      a person with a session allows or denies it (oauth_consent.c)
 *   POST /oauth/token                                RFC 6749 with PKCE (RFC 7636) and a resource (RFC 8707)
 *   POST /oauth/revoke                               RFC 7009
 *
 * What a program can do before a person allows it is bounded: it is registered in a table of fixed size, ten times a
 * minute, with a body of 8 KiB at most.
 */
#include <stdio.h>

#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "stages/sink/api/agents/oauth_priv.h"

enum {
    CLIENT_BURST = 10,
    TOKEN_BURST = 60,
    TOKEN_RATE = 10,
    DEPTH_MAX = 8,
    ANSWER_MAX_BYTES = 16 << 10,
    NUMBER_OF_PATHS = 7
};
static const double client_rate = 10.0 / 60;

static const struct {
    const char *path;
    const char *allow;
} paths[NUMBER_OF_PATHS] = {
    {"/.well-known/oauth-protected-resource", "GET, HEAD"},
    {OAUTH_RESOURCE_PATH, "GET, HEAD"},
    {"/.well-known/oauth-authorization-server", "GET, HEAD"},
    {"/oauth/register", "POST"},
    {"/oauth/authorize", "GET, HEAD, POST"},
    {"/oauth/token", "POST"},
    {"/oauth/revoke", "POST"},
};
enum { RESOURCE_DOCUMENT, RESOURCE_DOCUMENT_OF_MCP, SERVER_DOCUMENT, REGISTER, AUTHORIZE, TOKEN };

/* NUMBER_OF_PATHS: none of them. */
static size_t find(struct wh_slice path)
{
    size_t i = 0;

    while (i < NUMBER_OF_PATHS && !wh_slice_eq(path, wh_slice_str(paths[i].path))) {
        i++;
    }
    return i;
}

bool api_is_oauth(struct wh_slice path)
{
    return wh_slice_starts(path, WH_LIT("/.well-known/")) ||
           wh_slice_starts(path, WH_LIT("/oauth/"));
}

/* ---- the head ---- */

static bool has_room(struct sink_api *api, size_t which)
{
    int64_t now = wh_clock_mono_ns(&api->deps.clock);

    return which == REGISTER ? api_room_take(&api->client_room, now, CLIENT_BURST, client_rate)
           : which >= TOKEN  ? api_room_take(&api->token_room, now, TOKEN_BURST, TOKEN_RATE)
                             : true;
}

static bool is_allowed(const char *allow, struct wh_slice method)
{
    bool read = wh_slice_eq(method, WH_LIT("GET")) || wh_slice_eq(method, WH_LIT("HEAD"));

    return read ? strstr(allow, "GET") != NULL
                : wh_slice_eq(method, WH_LIT("POST")) && strstr(allow, "POST") != NULL;
}

size_t api_oauth_head(struct sink_api *api, struct wh_http_req *req)
{
    static const struct wh_http_header wait = {{"Retry-After", 11}, {"10", 2}};
    struct wh_slice method = wh_http_method(req);
    struct wh_http_header allow = {WH_LIT("Allow"), {NULL, 0}};
    size_t which = find(wh_http_path(req));

    if (which == NUMBER_OF_PATHS) {
        api_reply_error(req, 404, wh_rc_name(WH_E_NOT_FOUND), "there is no such document", NULL);
    } else if (!api_host_fits(api, req)) {
        api_reply_error(req, 403, "forbidden",
                        "this name of the host, or this origin, is not one of ours (api.hosts)",
                        NULL);
    } else if (!is_allowed(paths[which].allow, method)) {
        allow.value = wh_slice_str(paths[which].allow);
        api_reply_error(req, 405, "method_not_allowed", "see Allow for what this address takes",
                        &allow);
    } else if (!has_room(api, which)) {
        api_reply_error(req, 429, "too_many_requests", "too many requests; wait a little", &wait);
    } else if (wh_slice_eq(method, WH_LIT("POST"))) {
        return OAUTH_BODY_MAX;
    }
    return 0;
}

/* ---- answers ---- */

struct answer {
    struct wh_buf text;
    struct wh_json_writer w;
};

static void begin(struct answer *a)
{
    wh_buf_init_secret(&a->text, ANSWER_MAX_BYTES);
    wh_json_writer_init(&a->w, &a->text);
    wh_jw_object(&a->w);
}

/* Answers of tokens must not be kept by anybody (RFC 6749 section 5.1): api_reply says no-store. */
static void end(struct answer *a, struct wh_http_req *req, unsigned status)
{
    struct wh_err err;

    wh_jw_end(&a->w);
    if (wh_jw_finish(&a->w, &err) != WH_OK) {
        api_reply_error(req, 500, wh_rc_name(err.rc), "the answer could not be made", NULL);
    } else {
        api_reply(req, status, "application/json", wh_buf_slice(&a->text), NULL, 0);
    }
    wh_buf_done(&a->text);
}

/* RFC 6749 section 5.2. */
static void refuse(struct wh_http_req *req, unsigned status, const char *error, const char *why)
{
    struct answer a;

    begin(&a);
    wh_jw_put_str(&a.w, "error", wh_slice_str(error));
    wh_jw_put_str(&a.w, "error_description", wh_slice_str(why));
    end(&a, req, status);
}

static void put_list(struct answer *a, const char *key, const char *one, const char *two)
{
    wh_jw_key(&a->w, key);
    wh_jw_array(&a->w);
    wh_jw_str(&a->w, wh_slice_str(one));
    if (two) {
        wh_jw_str(&a->w, wh_slice_str(two));
    }
    wh_jw_end(&a->w);
}

static void put_address(struct answer *a, const char *key, const char *origin, const char *path)
{
    char text[API_ORIGIN_MAX * 2];

    (void)snprintf(text, sizeof(text), "%s%s", origin, path);
    wh_jw_put_str(&a->w, key, wh_slice_str(text));
}

/* ---- the documents ---- */

static void reply_resource(struct wh_http_req *req, const char *origin)
{
    struct answer a;

    begin(&a);
    put_address(&a, "resource", origin, "/mcp");
    wh_jw_put_str(&a.w, "resource_name", WH_LIT("Wellhead"));
    put_list(&a, "authorization_servers", origin, NULL);
    put_list(&a, "scopes_supported", OAUTH_SCOPE, NULL);
    put_list(&a, "bearer_methods_supported", "header", NULL);
    end(&a, req, 200);
}

static void reply_server(struct wh_http_req *req, const char *origin)
{
    struct answer a;

    begin(&a);
    put_address(&a, "issuer", origin, "");
    put_address(&a, "authorization_endpoint", origin, "/oauth/authorize");
    put_address(&a, "token_endpoint", origin, "/oauth/token");
    put_address(&a, "registration_endpoint", origin, "/oauth/register");
    put_address(&a, "revocation_endpoint", origin, "/oauth/revoke");
    put_list(&a, "response_types_supported", "code", NULL);
    put_list(&a, "grant_types_supported", "authorization_code", "refresh_token");
    put_list(&a, "code_challenge_methods_supported", "S256", NULL);
    put_list(&a, "token_endpoint_auth_methods_supported", "none", NULL);
    put_list(&a, "revocation_endpoint_auth_methods_supported", "none", NULL);
    put_list(&a, "scopes_supported", OAUTH_SCOPE, NULL);
    wh_jw_put_bool(&a.w, "authorization_response_iss_parameter_supported", true);
    end(&a, req, 200);
}

/* ---- registration ---- */

static void write_uris(struct answer *a, const char *uris)
{
    wh_jw_key(&a->w, "redirect_uris");
    wh_jw_array(&a->w);
    while (*uris) {
        size_t n = strcspn(uris, "\n");

        wh_jw_str(&a->w, wh_slice(uris, n));
        uris += n + (uris[n] == '\n');
    }
    wh_jw_end(&a->w);
}

static void reply_client(struct wh_http_req *req, const struct grants_client *client)
{
    struct answer a;

    begin(&a);
    wh_jw_put_str(&a.w, "client_id", wh_slice_str(client->id));
    wh_jw_put_int(&a.w, "client_id_issued_at", client->made_ms / 1000);
    wh_jw_put_str(&a.w, "client_name", wh_slice_str(client->name));
    write_uris(&a, client->uris);
    put_list(&a, "grant_types", "authorization_code", "refresh_token");
    put_list(&a, "response_types", "code", NULL);
    wh_jw_put_str(&a.w, "token_endpoint_auth_method", WH_LIT("none"));
    wh_jw_put_str(&a.w, "scope", WH_LIT(OAUTH_SCOPE));
    end(&a, req, 201);
}

/* Those redirects that we would send a code to; a program may name others beside them. */
static enum wh_rc join_uris(struct wh_json_val root, struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_iter it = wh_json_get_iter(root, "redirect_uris");
    struct wh_json_val v;

    while (wh_json_next(&it, NULL, &v)) {
        struct wh_slice uri = wh_json_string(v);

        if (!grants_is_redirect(uri)) {
            continue;
        }
        if ((out->len && wh_buf_append_char(out, '\n', err) != WH_OK) ||
            wh_buf_append(out, uri, err) != WH_OK) {
            return err->rc;
        }
    }
    return out->len ? WH_OK : wh_fail(err, WH_E_INVALID, "there is none");
}

static void register_client(struct sink_api *api, struct wh_http_req *req)
{
    struct wh_json_parser *parser = wh_json_parser_new(OAUTH_BODY_MAX, DEPTH_MAX);
    struct grants_client client;
    WH_AUTO(buf) struct wh_buf uris;
    struct wh_json_val root;
    struct wh_err err;

    wh_buf_init(&uris, GRANT_URIS_MAX);
    if (parser == NULL || wh_json_parse(parser, wh_http_body(req), &root, &err) != WH_OK ||
        wh_json_type(root) != WH_JSON_OBJECT) {
        refuse(req, 400, "invalid_client_metadata", "the body is a JSON object");
    } else if (join_uris(root, &uris, &err) != WH_OK) {
        refuse(req, 400, "invalid_redirect_uri",
               "redirect_uris needs an address of https, or of http on loopback, of at most 500 "
               "bytes");
    } else if (grants_register(api->grants, wh_json_get_str(root, "client_name"),
                               wh_buf_slice(&uris), &client, &err) != WH_OK) {
        api_reply_failure(api, req, &err);
    } else {
        reply_client(req, &client);
    }
    wh_json_parser_free(parser);
}

/* ---- tokens ---- */

static void reply_pair(struct wh_http_req *req, struct grants_pair *pair)
{
    struct answer a;

    begin(&a);
    wh_jw_put_str(&a.w, "access_token", wh_slice_str(pair->access));
    wh_jw_put_str(&a.w, "token_type", WH_LIT("Bearer"));
    wh_jw_put_int(&a.w, "expires_in", GRANT_ACCESS_S);
    wh_jw_put_str(&a.w, "refresh_token", wh_slice_str(pair->refresh));
    wh_jw_put_str(&a.w, "scope", WH_LIT(OAUTH_SCOPE));
    end(&a, req, 200);
    wh_mem_wipe(pair, sizeof(*pair));
}

static enum wh_rc redeem(struct sink_api *api, const struct oauth_form *form,
                         struct grants_pair *ret, struct wh_err *err)
{
    const struct grants_ask ask = {.client = oauth_form_get(form, "client_id"),
                                   .redirect = oauth_form_get(form, "redirect_uri"),
                                   .resource = oauth_form_get(form, "resource")};

    return grants_redeem(api->grants, oauth_form_get(form, "code"), &ask,
                         oauth_form_get(form, "code_verifier"), ret, err);
}

static void give_tokens(struct sink_api *api, struct wh_http_req *req,
                        const struct oauth_form *form)
{
    struct wh_slice type = oauth_form_get(form, "grant_type");
    struct wh_slice client = oauth_form_get(form, "client_id");
    bool refresh = wh_slice_eq(type, WH_LIT("refresh_token"));
    struct grants_client known;
    struct grants_pair pair;
    struct wh_err err;
    enum wh_rc rc;

    if (!refresh && !wh_slice_eq(type, WH_LIT("authorization_code"))) {
        refuse(req, 400, "unsupported_grant_type",
               "grant_type is authorization_code or refresh_token");
        return;
    }
    if (!grants_client(api->grants, client, &known)) {
        refuse(req, 401, "invalid_client", "this client is not registered here (any more)");
        return;
    }
    rc = refresh ? grants_refresh(api->grants, oauth_form_get(form, "refresh_token"), client,
                                  oauth_form_get(form, "resource"), &pair, &err)
                 : redeem(api, form, &pair, &err);
    if (rc == WH_E_AUTH) {
        refuse(req, 400, "invalid_grant", err.msg);
    } else if (rc != WH_OK) {
        api_reply_failure(api, req, &err);
    } else {
        reply_pair(req, &pair);
    }
}

static void revoke(struct sink_api *api, struct wh_http_req *req, const struct oauth_form *form)
{
    struct wh_err err;

    if (grants_revoke(api->grants, oauth_form_get(form, "token"), oauth_form_get(form, "client_id"),
                      &err) != WH_OK) {
        api_reply_failure(api, req, &err);
        return;
    }
    api_reply(req, 200, NULL, wh_slice("", 0), NULL, 0);
}

static void answer_form(struct sink_api *api, struct wh_http_req *req, bool tokens)
{
    struct oauth_form form;
    struct wh_err err;

    if (oauth_form_read(&form, wh_http_body(req), &err) != WH_OK) {
        refuse(req, 400, "invalid_request", err.msg);
    } else if (tokens) {
        give_tokens(api, req, &form);
    } else {
        revoke(api, req, &form);
    }
    oauth_form_done(&form);
}

void api_oauth(struct sink_api *api, struct wh_http_req *req)
{
    bool post = wh_slice_eq(wh_http_method(req), WH_LIT("POST"));
    size_t which = find(wh_http_path(req));
    char origin[API_ORIGIN_MAX];

    if (!api_origin(api, req, "", origin)) {
        api_reply_error(req, 403, "forbidden", "this name of the host is not ours", NULL);
    } else if (which == SERVER_DOCUMENT) {
        reply_server(req, origin);
    } else if (which == REGISTER) {
        register_client(api, req);
    } else if (which == AUTHORIZE && post) {
        oauth_decide(api, req);
    } else if (which == AUTHORIZE) {
        oauth_ask_person(api, req);
    } else if (which >= TOKEN) {
        answer_form(api, req, which == TOKEN);
    } else {
        reply_resource(req, origin);
    }
}
