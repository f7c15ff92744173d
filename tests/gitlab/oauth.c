/* The endpoints below /oauth/, as GitLab answers them; approval is in oauth_approve.c. */
#include "tests/gitlab/oauth.h"

#include <stdio.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/crypto/crypto.h"
#include "tests/gitlab/rest.h"
#include "tests/gitlab/scan.h"

enum { FIELD_BYTES = 512, NAME_MAX_CHARS = 200, VERIFIER_MIN = 43, VERIFIER_MAX = 128 };

static unsigned fail(struct gl_call *call, unsigned status, const char *error, const char *why)
{
    call->out.len = 0;
    gl_out_tpl(&call->out, "{'error':'%s','error_description':'%s'}", wh_slice_str(error),
               wh_slice_str(why));
    call->server->oauth.n_refused++;
    return status;
}

/* ---- fields of a form ---- */

/* Decoded; "" when it is not there or too long. */
static struct wh_slice form_get(struct wh_slice body, const char *name, char to[FIELD_BYTES])
{
    struct wh_slice want = wh_slice_str(name);
    struct wh_buf value;
    struct wh_err err;

    to[0] = '\0';
    while (body.len > 0) {
        const char *end = memchr(body.ptr, '&', body.len);
        struct wh_slice part = {body.ptr, end ? (size_t)(end - body.ptr) : body.len};

        body = wh_slice_from(body, part.len + (end != NULL));
        if (part.len <= want.len || !wh_slice_starts(part, want) || part.ptr[want.len] != '=') {
            continue;
        }
        wh_buf_init(&value, FIELD_BYTES - 1);
        if (wh_percent_decode(wh_slice_from(part, want.len + 1), true, &value, &err) == WH_OK) {
            memcpy(to, wh_buf_str(&value), value.len);
            to[value.len] = '\0';
        }
        wh_buf_done(&value);
        break;
    }
    return wh_slice_str(to);
}

/* Id and secret from the form, or from Basic; NULL when they do not fit an application. */
static struct gl_app *client_of(const struct gl_call *call)
{
    struct wh_slice header = wh_http_header(call->req, "Authorization");
    struct wh_slice body = wh_http_body(call->req);
    char id_text[FIELD_BYTES];
    char secret_text[FIELD_BYTES];
    char form[2 * FIELD_BYTES];
    struct gl_app *app;
    struct wh_buf basic;
    struct wh_err err;

    wh_buf_init(&basic, FIELD_BYTES);
    if (wh_slice_starts(header, WH_LIT("Basic ")) &&
        wh_base64_decode(wh_slice_from(header, 6), &basic, &err) == WH_OK) {
        const char *colon = basic.len ? memchr(basic.ptr, ':', basic.len) : NULL;
        int n = colon ? snprintf(form, sizeof(form), "client_id=%.*s&client_secret=%.400s",
                                 (int)(colon - basic.ptr) & 0xff, basic.ptr, colon + 1)
                      : 0;

        body = wh_slice(form, n > 0 ? (size_t)n : 0);
    }
    app = gl_app_find(&call->server->oauth, form_get(body, "client_id", id_text));
    (void)form_get(body, "client_secret", secret_text);
    wh_buf_done(&basic);
    if (app && app->secret[0] &&
        !wh_constant_time_eq(wh_slice_str(app->secret), wh_slice_str(secret_text))) {
        app = NULL;
    }
    wh_mem_wipe(secret_text, sizeof(secret_text));
    wh_mem_wipe(form, sizeof(form));
    return app;
}

/* ---- registration ---- */

static bool over_hourly_limit(struct gl_server *s)
{
    int64_t hour = gl_oauth_now_s(s) / 3600;

    if (hour != s->oauth.hour) {
        s->oauth.hour = hour;
        s->oauth.registered = 0;
    }
    s->oauth.registered++;
    return s->quirks.register_per_hour && s->oauth.registered > s->quirks.register_per_hour;
}

/* The strings of an array, or a string alone; false when one is no address to go back to. */
static bool take_redirects(struct gl_app *app, struct wh_slice json)
{
    for (size_t i = 0; i < json.len; i++) {
        size_t n = 0;
        char *to = app->redirects[app->n_redirects];

        if (json.ptr[i] != '"') {
            continue;
        }
        if (app->n_redirects == GL_REDIRECTS_MAX) {
            return false;
        }
        for (i++; i < json.len && json.ptr[i] != '"' && n + 1 < GL_URL_BYTES; i++) {
            i += json.ptr[i] == '\\';
            to[n++] = json.ptr[i];
        }
        to[n] = '\0';
        if (strncmp(to, "http://", 7) != 0 && strncmp(to, "https://", 8) != 0) {
            return false;
        }
        app->n_redirects++;
    }
    return app->n_redirects > 0;
}

static void put_registration(struct gl_call *call, const struct gl_app *app)
{
    gl_out_tpl(&call->out, "{'client_id':'%s','client_id_issued_at':%d,'redirect_uris':[",
               wh_slice_str(app->id), app->created_s);
    for (unsigned i = 0; i < app->n_redirects; i++) {
        gl_out_str(&call->out, i ? "," : "");
        gl_out_quoted(&call->out, wh_slice_str(app->redirects[i]));
    }
    gl_out_tpl(&call->out,
               "],'token_endpoint_auth_method':'none','grant_types':['authorization_code'],"
               "'require_pkce':true,'client_name':'[Unverified Dynamic Application] %s',"
               "'scope':'mcp','dynamic':true}",
               wh_slice_str(app->name));
}

static unsigned do_register(struct gl_call *call)
{
    struct gl_server *s = call->server;
    struct wh_slice json = wh_http_body(call->req);
    struct wh_slice name = gl_scan_text(json, "client_name");
    struct gl_app made = {.dynamic = true, .scopes = GL_SCOPE_MCP};
    struct gl_app *app;

    if (s->quirks.no_registration) {
        return fail(call, 404, "not_found", "dynamic registration is off");
    }
    if (over_hourly_limit(s)) {
        call->out.len = 0;
        gl_out_str(&call->out, "{\"message\":{\"error\":\"This endpoint has been requested too "
                               "many times. Try again later.\"}}");
        return 429;
    }
    if (name.len == 0 || name.len >= NAME_MAX_CHARS) {
        return fail(call, 400, "invalid_client_metadata",
                    "Name is too long (maximum is 200 characters)");
    }
    if (!take_redirects(&made, gl_scan(json, "redirect_uris"))) {
        return fail(call, 400, "invalid_client_metadata", "Redirect URI is not valid");
    }
    memcpy(made.name, name.ptr, name.len);
    made.created_s = gl_oauth_now_s(s);
    app = gl_app_add(&s->oauth);
    if (app == NULL || !gl_oauth_id(made.id)) {
        return fail(call, 400, "invalid_client_metadata", "too many applications");
    }
    *app = made;
    s->oauth.n_registered++;
    put_registration(call, app);
    return 201;
}

/* ---- tokens ---- */

static unsigned invalid_grant(struct gl_call *call)
{
    return fail(call, 400, "invalid_grant",
                "The provided authorization grant is invalid, expired, revoked, does not match the "
                "redirection URI used in the authorization request, or was issued to another "
                "client.");
}

static unsigned issue(struct gl_call *call, unsigned app, unsigned mask, unsigned family)
{
    struct gl_server *s = call->server;
    struct gl_oauth_token *token = gl_token_add(&s->oauth);

    if (token == NULL) {
        return fail(call, 500, "server_error", "no memory for a token");
    }
    token->app = app;
    token->scopes = mask;
    token->family = family;
    token->created_s = gl_oauth_now_s(s);
    token->life_s = s->quirks.token_life_s;
    gl_out_tpl(&call->out,
               "{'access_token':'%s','token_type':'Bearer','expires_in':%d,'refresh_token':'%s',"
               "'scope':'",
               wh_slice_str(token->access), token->life_s, wh_slice_str(token->refresh));
    gl_scopes_put(mask, " ", &call->out);
    gl_out_tpl(&call->out, "','created_at':%d}", token->created_s);
    gl_header(&call->headers, "Cache-Control", "no-store");
    return 200;
}

static bool verifier_fits(const struct gl_code *code, struct wh_slice verifier)
{
    unsigned char digest[WH_SHA256_BYTES];
    struct wh_buf text;
    struct wh_err err;
    bool fits;

    if (code->challenge[0] == '\0') {
        return true;
    }
    if (verifier.len < VERIFIER_MIN || verifier.len > VERIFIER_MAX) {
        return false;
    }
    wh_buf_init(&text, GL_TOKEN_BYTES);
    fits = wh_sha256(verifier, digest, &err) == WH_OK &&
           wh_base64url_encode(wh_slice(digest, sizeof(digest)), &text, &err) == WH_OK &&
           wh_slice_eq(wh_buf_slice(&text), wh_slice_str(code->challenge));
    wh_buf_done(&text);
    return fits;
}

static unsigned by_code(struct gl_call *call, const struct gl_app *app)
{
    struct gl_oauth *o = &call->server->oauth;
    struct wh_slice body = wh_http_body(call->req);
    char text[FIELD_BYTES];
    struct gl_code *code = gl_code_find(o, form_get(body, "code", text));
    int64_t until_s = code ? code->until_s : 0;

    if (code == NULL || &o->apps[code->app] != app || gl_oauth_now_s(call->server) >= until_s) {
        return invalid_grant(call);
    }
    code->until_s = 0;
    if (!wh_slice_eq(form_get(body, "redirect_uri", text), wh_slice_str(code->redirect)) ||
        !verifier_fits(code, form_get(body, "code_verifier", text))) {
        return invalid_grant(call);
    }
    o->n_granted++;
    return issue(call, code->app, code->scopes, ++o->families);
}

static unsigned by_refresh(struct gl_call *call, const struct gl_app *app)
{
    struct gl_oauth *o = &call->server->oauth;
    char text[FIELD_BYTES];
    struct gl_oauth_token *old =
        gl_token_by_refresh(o, form_get(wh_http_body(call->req), "refresh_token", text));
    unsigned mask;

    wh_mem_wipe(text, sizeof(text));
    if (old == NULL || &o->apps[old->app] != app) {
        return invalid_grant(call);
    }
    if (old->state != GL_TOKEN_LIVE) {
        o->n_reused += old->state == GL_TOKEN_ROTATED;
        if (call->server->quirks.reuse_kills_family) {
            gl_family_revoke(o, old->family);
        }
        return invalid_grant(call);
    }
    old->state = GL_TOKEN_ROTATED;
    o->n_refreshed++;
    mask = old->scopes;
    return issue(call, old->app, mask, old->family);
}

static unsigned do_token(struct gl_call *call)
{
    const struct gl_app *app = client_of(call);
    char text[FIELD_BYTES];
    struct wh_slice type = form_get(wh_http_body(call->req), "grant_type", text);

    if (app == NULL) {
        return fail(call, 401, "invalid_client",
                    "Client authentication failed due to unknown client, no client authentication "
                    "included, or unsupported authentication method.");
    }
    if (wh_slice_eq(type, WH_LIT("authorization_code"))) {
        return by_code(call, app);
    }
    if (wh_slice_eq(type, WH_LIT("refresh_token"))) {
        return by_refresh(call, app);
    }
    return fail(call, 400, "unsupported_grant_type",
                "The authorization grant type is not supported by the authorization server.");
}

static unsigned do_revoke(struct gl_call *call)
{
    struct gl_oauth *o = &call->server->oauth;
    const struct gl_app *app = client_of(call);
    char text[FIELD_BYTES];
    struct wh_slice value = form_get(wh_http_body(call->req), "token", text);
    struct gl_oauth_token *token = gl_token_by_refresh(o, value);

    token = token ? token : gl_token_by_access(o, value);
    wh_mem_wipe(text, sizeof(text));
    if (app == NULL || (token && &o->apps[token->app] != app)) {
        return fail(call, 403, "unauthorized_client",
                    "You are not authorized to revoke this token");
    }
    if (token && token->state == GL_TOKEN_LIVE) {
        token->state = GL_TOKEN_REVOKED;
        o->n_revoked++;
    }
    gl_out_str(&call->out, "{}");
    return 200;
}

static unsigned do_info(struct gl_call *call)
{
    const struct gl_server *s = call->server;
    struct gl_who who = gl_who_asks(s, call->req);
    struct wh_slice bearer = wh_slice_from(wh_http_header(call->req, "Authorization"), 7);
    const struct gl_oauth_token *token = gl_token_by_access(&s->oauth, bearer);

    if (who.state != GL_WHO_OK || token == NULL) {
        return fail(call, 401, "invalid_token",
                    "The access token is missing, was revoked or is expired");
    }
    gl_out_tpl(&call->out, "{'resource_owner_id':%d,'scope':['", s->model->users[0].id);
    gl_scopes_put(token->scopes, "\",\"", &call->out);
    gl_out_tpl(&call->out, "'],'expires_in':%d,'application':{'uid':'%s'},'created_at':%d}",
               token->created_s + token->life_s - gl_oauth_now_s(s),
               wh_slice_str(s->oauth.apps[token->app].id), token->created_s);
    return 200;
}

bool gl_oauth_route(const struct gl_call *call)
{
    static const struct {
        const char *path;
        const char *method;
        enum gl_where where;
        gl_work_fn work;
    } routes[] = {
        {"/oauth/register", "POST", GL_AT_REGISTER, do_register},
        {"/oauth/authorize", "GET", GL_AT_AUTHORIZE, gl_oauth_authorize},
        {"/oauth/token", "POST", GL_AT_TOKEN, do_token},
        {"/oauth/revoke", "POST", GL_AT_REVOKE, do_revoke},
        {"/oauth/token/info", "GET", GL_AT_INFO, do_info},
    };

    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (wh_slice_eq(call->path, wh_slice_str(routes[i].path)) &&
            wh_slice_eq(wh_http_method(call->req), wh_slice_str(routes[i].method))) {
            gl_answer(call, routes[i].where, routes[i].work);
            return true;
        }
    }
    return false;
}
