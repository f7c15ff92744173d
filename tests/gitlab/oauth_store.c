/* What OAuth keeps, and who a request comes from. */
#include <stdio.h>

#include "common/base/mem.h"
#include "common/crypto/crypto.h"
#include "tests/gitlab/rest.h"
#include "tests/gitlab/scan.h"

static const struct {
    const char *name;
    unsigned scope;
} scopes[] = {{"mcp", GL_SCOPE_MCP},
              {"read_api", GL_SCOPE_READ_API},
              {"api", GL_SCOPE_API},
              {"read_user", GL_SCOPE_READ_USER}};
enum { SCOPES = sizeof(scopes) / sizeof(scopes[0]) };

bool gl_scopes_parse(struct wh_slice text, unsigned *ret)
{
    *ret = 0;
    while (text.len > 0) {
        const char *space = memchr(text.ptr, ' ', text.len);
        size_t n = space ? (size_t)(space - text.ptr) : text.len;
        unsigned found = 0;

        for (size_t i = 0; i < SCOPES; i++) {
            if (wh_slice_eq(wh_slice(text.ptr, n), wh_slice_str(scopes[i].name))) {
                found = scopes[i].scope;
            }
        }
        if (n > 0 && found == 0) {
            return false;
        }
        *ret |= found;
        text = wh_slice_from(text, space ? n + 1 : n);
    }
    return true;
}

void gl_scopes_put(unsigned mask, const char *between, struct gl_out *out)
{
    bool more = false;

    for (size_t i = 0; i < SCOPES; i++) {
        if (mask & scopes[i].scope) {
            gl_out_str(out, more ? between : "");
            gl_out_str(out, scopes[i].name);
            more = true;
        }
    }
}

int64_t gl_oauth_now_s(const struct gl_server *server)
{
    return (wh_clock_now_ms(&server->model->clock) + server->model->clock_offset_ms) / 1000;
}

bool gl_oauth_id(char to[GL_TOKEN_BYTES])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[GL_TOKEN_BYTES / 2];
    struct wh_err err;

    if (wh_random_bytes(bytes, sizeof(bytes), &err) != WH_OK) {
        return false;
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        to[2 * i] = hex[bytes[i] >> 4];
        to[2 * i + 1] = hex[bytes[i] & 15];
    }
    to[GL_TOKEN_BYTES - 1] = '\0';
    return true;
}

/* ---- applications ---- */

struct gl_app *gl_app_find(const struct gl_oauth *o, struct wh_slice id)
{
    for (unsigned i = 0; i < o->n_apps && id.len > 0; i++) {
        if (wh_slice_eq(id, wh_slice_str(o->apps[i].id))) {
            return &o->apps[i];
        }
    }
    return NULL;
}

struct gl_app *gl_app_add(struct gl_oauth *o)
{
    if (o->apps == NULL) {
        o->apps = wh_mem_zalloc(GL_APPS_MAX, sizeof(*o->apps));
    }
    return o->apps && o->n_apps < GL_APPS_MAX ? &o->apps[o->n_apps++] : NULL;
}

/* The port's digits of a URL whose host is a loopback address; empty otherwise. */
static struct wh_slice loopback_port(struct wh_slice uri)
{
    static const char *const hosts[] = {"http://127.0.0.1:", "http://[::1]:"};

    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        size_t at = strlen(hosts[i]);
        size_t n = 0;

        if (!wh_slice_starts(uri, wh_slice_str(hosts[i]))) {
            continue;
        }
        while (at + n < uri.len && uri.ptr[at + n] >= '0' && uri.ptr[at + n] <= '9') {
            n++;
        }
        return wh_slice(uri.ptr + at, n);
    }
    return (struct wh_slice){0};
}

bool gl_app_redirect_fits(const struct gl_app *app, struct wh_slice uri)
{
    struct wh_slice port = loopback_port(uri);

    for (unsigned i = 0; i < app->n_redirects; i++) {
        struct wh_slice known = wh_slice_str(app->redirects[i]);
        struct wh_slice own = loopback_port(known);

        if (wh_slice_eq(known, uri)) {
            return true;
        }
        if (port.len > 0 && own.len > 0 &&
            wh_slice_eq(wh_slice(uri.ptr, (size_t)(port.ptr - uri.ptr)),
                        wh_slice(known.ptr, (size_t)(own.ptr - known.ptr))) &&
            wh_slice_eq(wh_slice_from(uri, (size_t)(port.ptr - uri.ptr) + port.len),
                        wh_slice_from(known, (size_t)(own.ptr - known.ptr) + own.len))) {
            return true;
        }
    }
    return false;
}

/* ---- codes and tokens ---- */

struct gl_code *gl_code_add(struct gl_oauth *o)
{
    struct gl_code *code;

    if (o->codes == NULL) {
        o->codes = wh_mem_zalloc(GL_CODES_MAX, sizeof(*o->codes));
    }
    if (o->codes == NULL) {
        return NULL;
    }
    code = &o->codes[o->n_codes++ % GL_CODES_MAX];
    *code = (struct gl_code){0};
    return code;
}

struct gl_code *gl_code_find(const struct gl_oauth *o, struct wh_slice code)
{
    for (unsigned i = 0; o->codes && i < GL_CODES_MAX && code.len > 0; i++) {
        if (wh_slice_eq(code, wh_slice_str(o->codes[i].code))) {
            return &o->codes[i];
        }
    }
    return NULL;
}

struct gl_oauth_token *gl_token_add(struct gl_oauth *o)
{
    struct gl_oauth_token *token;

    if (o->tokens == NULL) {
        o->tokens = wh_mem_zalloc(GL_TOKENS_MAX, sizeof(*o->tokens));
    }
    if (o->tokens == NULL) {
        return NULL;
    }
    token = &o->tokens[o->n_tokens++ % GL_TOKENS_MAX];
    *token = (struct gl_oauth_token){0};
    if (!gl_oauth_id(token->access) || !gl_oauth_id(token->refresh)) {
        return NULL;
    }
    return token;
}

static struct gl_oauth_token *find_token(const struct gl_oauth *o, struct wh_slice text,
                                         bool refresh)
{
    uint64_t n = o->n_tokens < GL_TOKENS_MAX ? o->n_tokens : GL_TOKENS_MAX;

    for (uint64_t i = 0; i < n && text.len > 0; i++) {
        /* The newest first. */
        struct gl_oauth_token *t = &o->tokens[(o->n_tokens - 1 - i) % GL_TOKENS_MAX];

        if (wh_slice_eq(text, wh_slice_str(refresh ? t->refresh : t->access))) {
            return t;
        }
    }
    return NULL;
}

struct gl_oauth_token *gl_token_by_access(const struct gl_oauth *o, struct wh_slice access)
{
    return find_token(o, access, false);
}

struct gl_oauth_token *gl_token_by_refresh(const struct gl_oauth *o, struct wh_slice refresh)
{
    return find_token(o, refresh, true);
}

void gl_family_revoke(struct gl_oauth *o, unsigned family)
{
    for (unsigned i = 0; o->tokens && i < GL_TOKENS_MAX; i++) {
        if (o->tokens[i].family == family) {
            o->tokens[i].state = GL_TOKEN_REVOKED;
        }
    }
}

void gl_oauth_end_tokens(struct gl_server *server, bool revoke)
{
    struct gl_oauth *o = &server->oauth;

    for (unsigned i = 0; o->tokens && i < GL_TOKENS_MAX; i++) {
        if (revoke) {
            o->tokens[i].state = GL_TOKEN_REVOKED;
        } else {
            o->tokens[i].life_s = 0;
        }
    }
}

void gl_oauth_release(struct gl_oauth *o)
{
    for (unsigned i = 0; i < o->n_pats; i++) {
        wh_mem_wipe(o->pats[i].token, strlen(o->pats[i].token));
        wh_mem_free(o->pats[i].token);
    }
    if (o->tokens) {
        wh_mem_wipe(o->tokens, GL_TOKENS_MAX * sizeof(*o->tokens));
    }
    wh_mem_free(o->apps);
    wh_mem_free(o->codes);
    wh_mem_free(o->tokens);
    *o = (struct gl_oauth){0};
}

/* ---- who asks ---- */

static bool is_pat(const struct gl_server *s, struct wh_slice token, struct gl_who *who)
{
    if (wh_constant_time_eq(token, wh_slice_str(s->token))) {
        *who = (struct gl_who){
            .state = GL_WHO_OK, .scopes = GL_SCOPE_READ_API, .hooks = s->token_sees_hooks};
        return true;
    }
    for (unsigned i = 0; i < s->oauth.n_pats; i++) {
        const struct gl_pat *pat = &s->oauth.pats[i];

        if (wh_constant_time_eq(token, wh_slice_str(pat->token))) {
            *who = (struct gl_who){
                .state = GL_WHO_OK, .scopes = pat->scopes, .user = pat->user, .hooks = pat->hooks};
            return true;
        }
    }
    return false;
}

struct gl_who gl_who_asks(const struct gl_server *s, const struct wh_http_req *req)
{
    struct wh_slice bearer = wh_http_header(req, "Authorization");
    struct wh_slice private = wh_http_header(req, "PRIVATE-TOKEN");
    struct gl_who who = {.state = GL_WHO_UNKNOWN};
    const struct gl_oauth_token *token;

    if (private.len > 0) {
        (void)is_pat(s, private, &who);
        return who;
    }
    if (!wh_slice_starts(bearer, WH_LIT("Bearer "))) {
        return (struct gl_who){.state = GL_WHO_NOBODY};
    }
    bearer = wh_slice_from(bearer, 7);
    if (is_pat(s, bearer, &who)) {
        return who;
    }
    token = gl_token_by_access(&s->oauth, bearer);
    if (token == NULL) {
        return who;
    }
    who.state = token->state != GL_TOKEN_LIVE                           ? GL_WHO_REVOKED
                : gl_oauth_now_s(s) >= token->created_s + token->life_s ? GL_WHO_EXPIRED
                                                                        : GL_WHO_OK;
    who.scopes = token->scopes;
    who.oauth = true;
    return who;
}

unsigned gl_who_refuse(struct gl_call *call, enum gl_who_state state)
{
    const struct gl_server *s = call->server;
    struct gl_out challenge = {0};
    bool bad = state == GL_WHO_EXPIRED || state == GL_WHO_REVOKED;

    if (wh_slice_eq(call->path, WH_LIT("/api/v4/mcp"))) {
        const char *origin =
            s->quirks.foreign == GL_FOREIGN_CHALLENGE ? GL_FOREIGN_ORIGIN : s->model->base_url;

        gl_out_str(&challenge, "Bearer realm=\"GitLab\"");
        if (!s->quirks.no_challenge_metadata) {
            gl_out_tpl(&challenge,
                       ", resource_metadata='%s/.well-known/oauth-protected-resource/api/v4/mcp'",
                       wh_slice_str(origin));
        }
        gl_out_str(&challenge, s->quirks.challenge_scope ? ", scope=\"mcp\"" : "");
        gl_out_str(&challenge, bad ? ", error=\"invalid_token\"" : "");
        gl_header(&call->headers, "WWW-Authenticate", "%.*s",
                  WH_SLICE_ARG(gl_out_slice(&challenge)));
        gl_out_done(&challenge);
    }
    call->out.len = 0;
    if (state == GL_WHO_EXPIRED) {
        gl_out_str(&call->out,
                   "{\"error\":\"invalid_token\",\"error_description\":\"Token is expired. You can "
                   "either do re-authorization or token refresh.\"}");
    } else if (state == GL_WHO_REVOKED) {
        gl_out_str(&call->out,
                   "{\"error\":\"invalid_token\",\"error_description\":\"Token was revoked. You "
                   "have to re-authorize from the user.\"}");
    } else {
        gl_out_str(&call->out, "{\"message\":\"401 Unauthorized\"}");
    }
    return 401;
}

/* ---- the control port's part ---- */

static bool copy_text(char *to, size_t max, struct wh_slice text)
{
    if (text.len >= max) {
        return false;
    }
    memcpy(to, text.ptr ? text.ptr : "", text.len);
    to[text.len] = '\0';
    return true;
}

const char *gl_oauth_add_app(struct gl_server *server, struct wh_slice json)
{
    struct wh_slice id = gl_scan_text(json, "id");
    struct gl_app *app = gl_app_find(&server->oauth, id);
    unsigned mask = 0;

    if (id.len == 0 || id.len >= GL_TOKEN_BYTES ||
        !gl_scopes_parse(gl_scan_text(json, "scopes"), &mask) || mask == 0) {
        return "needs id, scopes (mcp read_api api read_user), redirect_uri, and secret or none";
    }
    app = app ? app : gl_app_add(&server->oauth);
    if (app == NULL) {
        return "no room for another application";
    }
    *app = (struct gl_app){.scopes = mask, .n_redirects = 1, .created_s = gl_oauth_now_s(server)};
    if (!copy_text(app->id, sizeof(app->id), id) ||
        !copy_text(app->secret, sizeof(app->secret), gl_scan_text(json, "secret")) ||
        !copy_text(app->name, sizeof(app->name), gl_scan_text(json, "name")) ||
        !copy_text(app->redirects[0], GL_URL_BYTES, gl_scan_text(json, "redirect_uri"))) {
        return "a text is too long";
    }
    return NULL;
}

const char *gl_oauth_add_pat(struct gl_server *server, struct wh_slice json)
{
    struct gl_oauth *o = &server->oauth;
    struct wh_slice token = gl_scan_text(json, "token");
    struct gl_pat *pat = &o->pats[o->n_pats];
    unsigned mask = 0;

    if (token.len == 0 || o->n_pats == GL_PATS_MAX ||
        !gl_scopes_parse(gl_scan_text(json, "scopes"), &mask)) {
        return "needs token and scopes; eight of them at most";
    }
    *pat = (struct gl_pat){.token = wh_mem_dup(token.ptr, token.len),
                           .scopes = mask ? mask : GL_SCOPE_READ_API,
                           .user = (unsigned)gl_scan_int(json, "user", 0) % GL_BUDGETS,
                           .hooks = gl_scan_bool(json, "hooks", false)};
    if (pat->token == NULL) {
        return "no memory for a token";
    }
    o->n_pats++;
    return NULL;
}

void gl_oauth_render(const struct gl_server *server, struct gl_out *out)
{
    const struct gl_oauth *o = &server->oauth;
    int64_t live = 0;

    for (unsigned i = 0; o->tokens && i < GL_TOKENS_MAX; i++) {
        live += o->tokens[i].access[0] && o->tokens[i].state == GL_TOKEN_LIVE;
    }
    gl_out_tpl(out,
               "{'registered':%d,'granted':%d,'refreshed':%d,'revoked':%d,'reused':%d,"
               "'refused':%d,'live':%d,'applications':[",
               (int64_t)o->n_registered, (int64_t)o->n_granted, (int64_t)o->n_refreshed,
               (int64_t)o->n_revoked, (int64_t)o->n_reused, (int64_t)o->n_refused, live);
    for (unsigned i = 0; i < o->n_apps; i++) {
        gl_out_tpl(out, "%s{'id':'%s','dynamic':%b,'confidential':%b,'scopes':'",
                   i ? WH_LIT(",") : WH_LIT(""), wh_slice_str(o->apps[i].id),
                   (int)o->apps[i].dynamic, o->apps[i].secret[0] != '\0');
        gl_scopes_put(o->apps[i].scopes, " ", out);
        gl_out_tpl(out, "','redirect_uri':'%s'}", wh_slice_str(o->apps[i].redirects[0]));
    }
    gl_out_str(out, "]}\n");
}
