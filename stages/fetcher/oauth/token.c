#include "stages/fetcher/oauth/token.h"

#include <stdio.h>
#include <strings.h>

#include "common/base/enc.h"
#include "common/base/mem.h"

enum { FORM_MAX_BYTES = 32 << 10, ANSWER_MAX_BYTES = 64 << 10, BASIC_MAX_BYTES = 3000 };

struct oauth_call {
    const struct oauth_net *net;
    struct wh_httpc_transfer *transfer;
    oauth_token_fn fn;
    void *ctx;
    bool grant;
};

/* ---- what we hold ---- */

void oauth_tokens_init(struct oauth_tokens *t)
{
    memset(t, 0, sizeof(*t));
    wh_buf_init_secret(&t->access, OAUTH_TOKEN_MAX + 1);
    wh_buf_init_secret(&t->refresh, OAUTH_TOKEN_MAX + 1);
}

void oauth_tokens_done(struct oauth_tokens *t)
{
    wh_buf_done(&t->access);
    wh_buf_done(&t->refresh);
    oauth_tokens_init(t);
}

void oauth_tokens_move(struct oauth_tokens *to, struct oauth_tokens *from)
{
    oauth_tokens_done(to);
    *to = *from;
    oauth_tokens_init(from);
}

/* ---- answers ---- */

/* A token goes into a header: visible ASCII and nothing else. */
static bool token_text(struct wh_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= 0x20 || s.ptr[i] >= 0x7f) {
            return false;
        }
    }
    return s.len > 0 && s.len <= OAUTH_TOKEN_MAX;
}

/* Shown to people and kept: words of visible ASCII. */
static bool scope_text(struct wh_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < 0x20 || s.ptr[i] >= 0x7f) {
            return false;
        }
    }
    return true;
}

static bool keep(struct wh_buf *to, struct wh_slice token)
{
    struct wh_err err;

    return token_text(token) && wh_buf_append(to, token, &err) == WH_OK;
}

static bool read_tokens(struct wh_json_val root, int64_t now_ms, struct oauth_tokens *t)
{
    struct wh_slice type = wh_json_get_str(root, "token_type");
    struct wh_slice refresh = wh_json_get_str(root, "refresh_token");
    struct wh_slice scope = wh_json_get_str(root, "scope");
    struct wh_json_val v;

    oauth_tokens_done(t);
    if (type.len != 6 || strncasecmp(type.ptr, "bearer", 6) != 0 ||
        !keep(&t->access, wh_json_get_str(root, "access_token")) ||
        (refresh.len && !keep(&t->refresh, refresh))) {
        return false;
    }
    t->got_at_ms = now_ms;
    if (wh_json_get(root, WH_LIT("expires_in"), &v) && wh_json_type(v) <= WH_JSON_DOUBLE &&
        wh_json_type(v) >= WH_JSON_INT) {
        double seconds = wh_json_double(v);

        t->expires_at_ms = seconds > 0 && seconds < 1e9 ? now_ms + (int64_t)(seconds * 1000) : 0;
    }
    if (scope.len < sizeof(t->scope) && scope_text(scope)) {
        memcpy(t->scope, scope.ptr ? scope.ptr : "", scope.len);
    }
    return true;
}

/* The error codes of RFC 6749 that say something to a person; never the server's own text. */
static const char *error_text(struct wh_slice code)
{
    static const struct {
        const char *code;
        const char *text;
    } known[] = {
        {"invalid_grant", "the grant is not valid any more"},
        {"invalid_client", "the server does not know this client"},
        {"unauthorized_client", "this client may not do that"},
        {"invalid_scope", "the scope is not allowed"},
        {"invalid_target", "the resource is not allowed"},
        {"unsupported_grant_type", "the server does not offer this grant"},
        {"unsupported_token_type", "the server cannot revoke this kind of token"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (wh_slice_eq(code, wh_slice_str(known[i].code))) {
            return known[i].text;
        }
    }
    return "the server refuses";
}

void oauth_token_read(unsigned status, struct wh_slice body, struct wh_json_parser *parser,
                      int64_t now_ms, bool grant, struct oauth_tokens *tokens,
                      struct oauth_token_answer *ret)
{
    struct wh_json_val root;
    struct wh_slice code = wh_slice("", 0);
    struct wh_err err;
    bool json = body.len && wh_json_parse(parser, body, &root, &err) == WH_OK;

    *ret = (struct oauth_token_answer){.result = OAUTH_REFUSED, .status = status};
    if (status >= 500 || status == 429 || status == 408) {
        ret->result = OAUTH_LATER;
        ret->error = "the server cannot answer now";
        return;
    }
    if (status >= 200 && status < 300) {
        if (!grant) {
            ret->result = OAUTH_DONE;
        } else if (json && read_tokens(root, now_ms, tokens)) {
            ret->result = OAUTH_DONE;
            ret->tokens = tokens;
        } else {
            ret->error = "the server's answer holds no token";
        }
        return;
    }
    if (json) {
        code = wh_json_get_str(root, "error");
    }
    ret->error = error_text(code);
    ret->unknown_client = wh_slice_eq(code, WH_LIT("invalid_client"));
    if (status == 400 && wh_slice_eq(code, WH_LIT("invalid_grant"))) {
        ret->result = OAUTH_INVALID_GRANT;
    }
}

/* ---- calls ---- */

static void on_answer(void *ctx, const struct wh_httpc_answer *a)
{
    struct oauth_call *call = ctx;
    const struct oauth_net *net = call->net;
    struct oauth_token_answer answer = {.result = OAUTH_LATER, .error = a->err.msg};
    struct oauth_tokens tokens;
    oauth_token_fn fn = call->fn;
    void *fn_ctx = call->ctx;
    bool grant = call->grant;

    wh_mem_free(call);
    oauth_tokens_init(&tokens);
    if (a->rc == WH_OK) {
        oauth_token_read(a->status, wh_buf_slice(a->body), net->parser,
                         wh_clock_now_ms(&net->clock), grant, &tokens, &answer);
        wh_mem_wipe(a->body->ptr, a->body->len);
    } else if (a->rc == WH_E_FORBIDDEN || a->rc == WH_E_TOO_LARGE) {
        answer.result = OAUTH_REFUSED;
    }
    fn(fn_ctx, &answer);
    oauth_tokens_done(&tokens);
}

enum wh_rc oauth_form_add(struct wh_buf *form, const char *name, struct wh_slice value,
                          struct wh_err *err)
{
    if (wh_buf_printf(form, err, "%s%s=", form->len ? "&" : "", name) != WH_OK) {
        return err->rc;
    }
    return wh_percent_encode(value, form, err);
}

/* RFC 6749 2.3.1: id and secret are form-encoded before they are joined. */
static enum wh_rc basic(const struct oauth_client *client, struct wh_buf *out, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf pair;

    wh_buf_init_secret(&pair, BASIC_MAX_BYTES);
    if (wh_percent_encode(client->client_id, &pair, err) != WH_OK ||
        wh_buf_append_char(&pair, ':', err) != WH_OK ||
        wh_percent_encode(client->client_secret, &pair, err) != WH_OK ||
        wh_base64_encode(wh_buf_slice(&pair), out, err) != WH_OK) {
        return err->rc;
    }
    return WH_OK;
}

static enum wh_rc authenticate(const struct oauth_client *client, struct wh_buf *form,
                               struct wh_buf *header, struct wh_err *err)
{
    if (wh_slice_eq(client->auth_method, WH_LIT("client_secret_basic"))) {
        return basic(client, header, err);
    }
    if (oauth_form_add(form, "client_id", client->client_id, err) != WH_OK) {
        return err->rc;
    }
    if (wh_slice_eq(client->auth_method, WH_LIT("client_secret_post"))) {
        return oauth_form_add(form, "client_secret", client->client_secret, err);
    }
    return WH_OK;
}

static enum wh_rc send(struct oauth_call *call, struct wh_slice endpoint, struct wh_slice form,
                       struct wh_slice header, struct wh_err *err)
{
    static const struct wh_httpc_header headers[] = {
        {{"Content-Type", 12}, {"application/x-www-form-urlencoded", 33}},
        {{"Accept", 6}, {"application/json", 16}},
    };
    const struct oauth_net *net = call->net;
    struct wh_url u;
    struct wh_httpc_request req;

    if (wh_url_parse(endpoint, &u, err) != WH_OK ||
        oauth_url_secure(&u, net->allow_http, err) != WH_OK) {
        return err->rc;
    }
    req = (struct wh_httpc_request){
        .method = WH_LIT("POST"),
        .url = endpoint,
        .headers = headers,
        .n_headers = 2,
        .body = form,
        .secret_header = header.len ? "Authorization: Basic " : NULL,
        .secret = header,
        .peer = oauth_url_peer(&u, &net->home, net->allow_http),
        .body_max = ANSWER_MAX_BYTES,
        .timeout_ms = net->timeout_ms,
        .stall_timeout_ms = net->timeout_ms,
    };
    return wh_httpc_start(net->http, &req, on_answer, call, &call->transfer, err);
}

enum wh_rc oauth_call_start(const struct oauth_net *net, struct wh_slice endpoint,
                            const struct oauth_client *client, struct wh_buf *form, bool grant,
                            oauth_token_fn fn, void *ctx, struct oauth_call **ret,
                            struct wh_err *err)
{
    struct oauth_call *call = wh_mem_zalloc(1, sizeof(*call));
    struct wh_buf header;
    enum wh_rc rc;

    wh_buf_init_secret(&header, OAUTH_TOKEN_MAX);
    if (call == NULL) {
        wh_buf_done(form);
        return wh_fail(err, WH_E_NOMEM, "no memory for a call");
    }
    *call = (struct oauth_call){.net = net, .fn = fn, .ctx = ctx, .grant = grant};
    rc = authenticate(client, form, &header, err);
    if (rc == WH_OK) {
        rc = send(call, endpoint, wh_buf_slice(form), wh_buf_slice(&header), err);
    }
    wh_buf_done(form);
    wh_buf_done(&header);
    if (rc != WH_OK) {
        wh_mem_free(call);
        return rc;
    }
    *ret = call;
    return WH_OK;
}

void oauth_call_cancel(struct oauth_call *call)
{
    if (call) {
        wh_httpc_cancel(call->net->http, call->transfer);
        wh_mem_free(call);
    }
}

enum wh_rc oauth_refresh(const struct oauth_net *net, struct wh_slice endpoint,
                         const struct oauth_client *client, struct wh_slice resource,
                         struct wh_slice refresh_token, oauth_token_fn fn, void *ctx,
                         struct oauth_call **ret, struct wh_err *err)
{
    struct wh_buf form;

    wh_buf_init_secret(&form, FORM_MAX_BYTES);
    /* GitLab wants the redirect address here too. */
    if (oauth_form_add(&form, "grant_type", WH_LIT("refresh_token"), err) != WH_OK ||
        oauth_form_add(&form, "refresh_token", refresh_token, err) != WH_OK ||
        (client->redirect_uri.len &&
         oauth_form_add(&form, "redirect_uri", client->redirect_uri, err) != WH_OK) ||
        (resource.len && oauth_form_add(&form, "resource", resource, err) != WH_OK)) {
        wh_buf_done(&form);
        return err->rc;
    }
    return oauth_call_start(net, endpoint, client, &form, true, fn, ctx, ret, err);
}

enum wh_rc oauth_revoke(const struct oauth_net *net, struct wh_slice endpoint,
                        const struct oauth_client *client, struct wh_slice token, const char *hint,
                        oauth_token_fn fn, void *ctx, struct oauth_call **ret, struct wh_err *err)
{
    struct wh_buf form;

    wh_buf_init_secret(&form, FORM_MAX_BYTES);
    if (oauth_form_add(&form, "token", token, err) != WH_OK ||
        oauth_form_add(&form, "token_type_hint", wh_slice_str(hint), err) != WH_OK) {
        wh_buf_done(&form);
        return err->rc;
    }
    return oauth_call_start(net, endpoint, client, &form, false, fn, ctx, ret, err);
}
