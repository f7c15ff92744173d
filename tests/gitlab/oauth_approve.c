/* /oauth/authorize: the person says yes at once, or as the switch has it. */
#include "common/base/enc.h"
#include "tests/gitlab/rest.h"

enum { CHALLENGE_CHARS = 43 };

static void put_percent(struct gl_out *out, struct wh_slice text)
{
    struct wh_buf encoded;
    struct wh_err err;

    wh_buf_init(&encoded, 3 * GL_URL_BYTES + 3 * text.len);
    if (wh_percent_encode(text, &encoded, &err) == WH_OK) {
        gl_out_raw(out, wh_buf_slice(&encoded));
    }
    wh_buf_done(&encoded);
}

/* 302 to the client: code or error, state, and iss as the switch says. */
static unsigned send_back(struct gl_call *call, const char *key, const char *value)
{
    const struct gl_server *s = call->server;
    struct wh_slice redirect = wh_http_query(call->req, "redirect_uri");
    struct wh_slice state = wh_http_query(call->req, "state");
    struct gl_out url = {0};

    gl_out_raw(&url, redirect);
    gl_out_str(&url, memchr(redirect.ptr, '?', redirect.len) ? "&" : "?");
    gl_out_str(&url, key);
    gl_out_str(&url, "=");
    gl_out_str(&url, value);
    if (state.ptr) {
        gl_out_str(&url, "&state=");
        put_percent(&url, state);
    }
    if (s->quirks.iss == GL_ISS_RIGHT || s->quirks.iss == GL_ISS_WRONG) {
        gl_out_str(&url, "&iss=");
        put_percent(&url, s->quirks.iss == GL_ISS_WRONG ? WH_LIT(GL_FOREIGN_ORIGIN)
                                                        : wh_slice_str(s->model->base_url));
    }
    gl_header(&call->headers, "Location", "%.*s", WH_SLICE_ARG(gl_out_slice(&url)));
    gl_out_done(&url);
    gl_out_str(&call->out, "<html><body>You are being redirected.</body></html>");
    call->content_type = "text/html";
    return 302;
}

static unsigned page(struct gl_call *call, unsigned status, const char *text)
{
    gl_out_str(&call->out, "<!DOCTYPE html><html><body><h1>");
    gl_out_str(&call->out, text);
    gl_out_str(&call->out, "</h1></body></html>\n");
    call->content_type = "text/html";
    return status;
}

static void put_escaped_query(struct gl_call *call, const char *answer)
{
    struct wh_slice query = wh_http_raw_query(call->req);

    gl_out_str(&call->out, "<a id=\"");
    gl_out_str(&call->out, answer);
    gl_out_str(&call->out, "\" href=\"/oauth/authorize?");
    for (size_t i = 0; i < query.len; i++) {
        char c = query.ptr[i];

        if (c == '&') {
            gl_out_str(&call->out, "&amp;");
        } else if (c != '"' && c != '<' && c != '>') {
            gl_out_raw(&call->out, wh_slice(query.ptr + i, 1));
        }
    }
    gl_out_str(&call->out, "&amp;answer=");
    gl_out_str(&call->out, answer);
    gl_out_str(&call->out, "\">");
    gl_out_str(&call->out, answer);
    gl_out_str(&call->out, "</a>\n");
}

static unsigned consent_page(struct gl_call *call, const struct gl_app *app)
{
    gl_out_str(&call->out, "<!DOCTYPE html><html><body><h1>Authorize ");
    gl_out_str(&call->out, app->dynamic ? "[Unverified Dynamic Application]" : "the application");
    gl_out_str(&call->out, " to use your account?</h1>\n");
    put_escaped_query(call, "approve");
    put_escaped_query(call, "deny");
    gl_out_str(&call->out, "</body></html>\n");
    call->content_type = "text/html";
    return 200;
}

/* What is wrong with an approval request, as an OAuth error; NULL: nothing. */
static const char *request_error(const struct gl_call *call, const struct gl_app *app,
                                 unsigned *ret_scopes)
{
    const struct gl_server *s = call->server;
    struct wh_slice resource = wh_http_query(call->req, "resource");
    struct wh_slice challenge = wh_http_query(call->req, "code_challenge");
    struct wh_slice base = wh_slice_str(s->model->base_url);

    if (!wh_slice_eq(wh_http_query(call->req, "response_type"), WH_LIT("code"))) {
        return "unsupported_response_type";
    }
    if (!gl_scopes_parse(wh_http_query(call->req, "scope"), ret_scopes) || *ret_scopes == 0 ||
        (*ret_scopes & ~app->scopes) != 0) {
        return "invalid_scope";
    }
    if (!app->dynamic && s->quirks.need_resource && *ret_scopes & GL_SCOPE_MCP &&
        resource.len == 0) {
        return "invalid_scope";
    }
    if (resource.len > 0 && !wh_slice_starts(resource, base)) {
        return "invalid_target";
    }
    if ((app->dynamic || app->secret[0] == '\0' || challenge.len > 0) &&
        (challenge.len != CHALLENGE_CHARS ||
         !wh_slice_eq(wh_http_query(call->req, "code_challenge_method"), WH_LIT("S256")))) {
        return "invalid_request";
    }
    return NULL;
}

static unsigned grant(struct gl_call *call, const struct gl_app *app, unsigned mask)
{
    struct gl_oauth *o = &call->server->oauth;
    struct wh_slice redirect = wh_http_query(call->req, "redirect_uri");
    struct wh_slice challenge = wh_http_query(call->req, "code_challenge");
    struct gl_code *code = gl_code_add(o);

    if (code == NULL || redirect.len >= GL_URL_BYTES || !gl_oauth_id(code->code)) {
        return send_back(call, "error", "server_error");
    }
    code->app = (unsigned)(app - o->apps);
    code->scopes = mask;
    code->until_s = gl_oauth_now_s(call->server) + GL_CODE_LIFE_S;
    memcpy(code->redirect, redirect.ptr, redirect.len);
    memcpy(code->challenge, challenge.ptr ? challenge.ptr : "", challenge.len);
    return send_back(call, "code", code->code);
}

unsigned gl_oauth_authorize(struct gl_call *call)
{
    const struct gl_server *s = call->server;
    const struct gl_app *app = gl_app_find(&s->oauth, wh_http_query(call->req, "client_id"));
    struct wh_slice answer = wh_http_query(call->req, "answer");
    const char *error;
    unsigned mask = 0;

    if (app == NULL) {
        return page(call, 401, "Client authentication failed due to unknown client");
    }
    if (!gl_app_redirect_fits(app, wh_http_query(call->req, "redirect_uri"))) {
        return page(call, 400, "The redirect URI included is not valid");
    }
    error = request_error(call, app, &mask);
    if (error) {
        return send_back(call, "error", error);
    }
    if (s->quirks.consent == GL_CONSENT_DENY || wh_slice_eq(answer, WH_LIT("deny"))) {
        return send_back(call, "error", "access_denied");
    }
    if (s->quirks.consent == GL_CONSENT_PAGE && answer.len == 0) {
        return consent_page(call, app);
    }
    return grant(call, app, mask);
}
