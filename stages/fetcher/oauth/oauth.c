#include "stages/fetcher/oauth/oauth.h"

#include "common/base/mem.h"
#include "common/crypto/crypto.h"
#include "stages/fetcher/oauth/approve.h"
#include "stages/fetcher/oauth/register.h"

enum {
    ARENA_BLOCK = 4096,
    ARENA_MAX = 256 << 10,
    DOCUMENT_MAX_BYTES = 256 << 10,
    DEPTH_MAX = 32,
    URL_MAX_BYTES = 16 << 10,
    BODY_MAX_BYTES = 16 << 10,
    CODE_MAX_BYTES = 8 << 10,
};

enum phase { IDLE, RESOURCE, SERVER, REGISTER, APPROVE, TOKEN };

struct oauth {
    struct oauth_conf conf; /* its texts are in own */
    struct oauth_net net;
    struct wh_url endpoint;
    struct wh_arena own;    /* for life: settings, the client */
    struct wh_arena arena;  /* of the approval under way */
    struct wh_buf scopes;   /* all that was ever asked for */
    struct wh_timer *timer; /* the person's time, and the next turn of the loop */
    struct wh_httpc_transfer *transfer;
    struct oauth_call *call;
    enum phase phase;
    unsigned approvals;
    struct oauth_challenge challenge;
    struct oauth_places places;
    size_t place;
    struct oauth_resource resource;
    struct oauth_server server;
    struct oauth_client client; /* client_id empty: none yet */
    bool registered;
    struct oauth_secrets secrets;
    struct oauth_tokens tokens;
    struct wh_buf code; /* held back: oauth_go_on */
    enum oauth_issue issue;
    struct wh_err failure; /* to be told in the loop's next turn */
    oauth_fn fn;
    void *fn_ctx;
};

static void on_timer(void *ctx);

/* ---- life ---- */

static enum wh_rc keep(struct oauth *o, struct wh_slice *text, struct wh_err *err)
{
    return wh_arena_dup(&o->own, *text, text, err);
}

static enum wh_rc keep_client(struct oauth *o, const struct oauth_client *from, struct wh_err *err)
{
    o->client = *from;
    if (keep(o, &o->client.issuer, err) != WH_OK || keep(o, &o->client.client_id, err) != WH_OK ||
        keep(o, &o->client.client_secret, err) != WH_OK ||
        keep(o, &o->client.auth_method, err) != WH_OK) {
        return err->rc;
    }
    return keep(o, &o->client.redirect_uri, err);
}

static enum wh_rc keep_conf(struct oauth *o, struct wh_err *err)
{
    struct oauth_conf *c = &o->conf;

    if (keep(o, &c->endpoint, err) != WH_OK || keep(o, &c->client_name, err) != WH_OK ||
        keep(o, &c->redirect_uri, err) != WH_OK || keep(o, &c->client_id, err) != WH_OK ||
        keep(o, &c->client_secret, err) != WH_OK || keep(o, &c->metadata_url, err) != WH_OK ||
        keep(o, &c->scope, err) != WH_OK) {
        return err->rc;
    }
    if (c->kept && keep_client(o, c->kept, err) != WH_OK) {
        return err->rc;
    }
    c->kept = NULL;
    if (wh_url_parse(c->endpoint, &o->endpoint, err) != WH_OK) {
        return err->rc;
    }
    return oauth_url_secure(&o->endpoint, c->allow_http, err);
}

enum wh_rc oauth_new(const struct oauth_conf *conf, struct oauth **ret, struct wh_err *err)
{
    struct oauth *o = wh_mem_zalloc(1, sizeof(*o));

    if (o == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an approval");
    }
    o->conf = *conf;
    wh_arena_init(&o->own, ARENA_BLOCK, ARENA_MAX);
    wh_arena_init(&o->arena, ARENA_BLOCK, ARENA_MAX);
    wh_buf_init(&o->scopes, OAUTH_SCOPE_MAX);
    oauth_tokens_init(&o->tokens);
    o->timer = wh_timer_new(conf->loop, on_timer, o);
    o->net = (struct oauth_net){.http = conf->http,
                                .clock = conf->clock,
                                .parser = wh_json_parser_new(DOCUMENT_MAX_BYTES, DEPTH_MAX),
                                .allow_http = conf->allow_http,
                                .timeout_ms = conf->timeout_ms};
    if (o->timer == NULL || o->net.parser == NULL) {
        (void)wh_fail(err, WH_E_NOMEM, "no memory for an approval");
        oauth_free(o);
        return err->rc;
    }
    if (keep_conf(o, err) != WH_OK) {
        oauth_free(o);
        return err->rc;
    }
    o->net.home = o->endpoint;
    *ret = o;
    return WH_OK;
}

void oauth_free(struct oauth *o)
{
    if (o == NULL) {
        return;
    }
    if (o->transfer) {
        wh_httpc_cancel(o->conf.http, o->transfer);
    }
    oauth_call_cancel(o->call);
    wh_timer_free(o->timer);
    oauth_tokens_done(&o->tokens);
    wh_buf_done(&o->code);
    wh_mem_wipe(&o->secrets, sizeof(o->secrets));
    if (o->client.client_secret.len) {
        char *secret = (char *)(uintptr_t)o->client.client_secret.ptr; /* the arena's own copy */

        wh_mem_wipe(secret, o->client.client_secret.len);
    }
    wh_json_parser_free(o->net.parser);
    wh_buf_done(&o->scopes);
    wh_arena_done(&o->arena);
    wh_arena_done(&o->own);
    wh_mem_free(o);
}

static void end(struct oauth *o, const struct wh_err *result)
{
    oauth_fn fn = o->fn;
    void *ctx = o->fn_ctx;
    struct wh_err copy = *result;

    o->phase = IDLE;
    o->fn = NULL;
    wh_timer_stop(o->timer);
    wh_mem_wipe(&o->secrets, sizeof(o->secrets));
    if (fn) {
        fn(ctx, &copy);
    }
}

static void step(struct oauth *o, enum oauth_step what, struct wh_slice detail)
{
    if (o->conf.step) {
        o->conf.step(o->conf.ctx, what, detail);
    }
}

/* ---- requests ---- */

static enum wh_rc start_request(struct oauth *o, struct wh_slice url, struct wh_slice body,
                                wh_httpc_fn fn, struct wh_err *err)
{
    static const struct wh_httpc_header headers[] = {
        {{"Accept", 6}, {"application/json", 16}},
        {{"MCP-Protocol-Version", 20}, {"2025-11-25", 10}},
        {{"Content-Type", 12}, {"application/json", 16}},
    };
    struct wh_url u;
    struct wh_httpc_request req;

    if (wh_url_parse(url, &u, err) != WH_OK ||
        oauth_url_secure(&u, o->conf.allow_http, err) != WH_OK) {
        return err->rc;
    }
    req = (struct wh_httpc_request){
        .method = body.len ? WH_LIT("POST") : WH_LIT("GET"),
        .url = url,
        .headers = headers,
        .n_headers = body.len ? 3 : 2,
        .body = body,
        .peer = oauth_url_peer(&u, &o->net.home, o->conf.allow_http),
        .body_max = DOCUMENT_MAX_BYTES,
        .timeout_ms = o->conf.timeout_ms,
        .stall_timeout_ms = o->conf.timeout_ms,
    };
    return wh_httpc_start(o->conf.http, &req, fn, o, &o->transfer, err);
}

/* ---- the client ---- */

static void ask_person(struct oauth *o);

static void use_client(struct oauth *o, struct wh_slice word)
{
    step(o, OAUTH_STEP_REGISTER, word);
    ask_person(o);
}

static void on_registered(void *ctx, const struct wh_httpc_answer *a)
{
    struct oauth *o = ctx;
    struct oauth_client client;
    struct wh_err err;

    o->transfer = NULL;
    if (a->rc != WH_OK) {
        err = a->err;
        (void)wh_err_prefix(&err, "registering a client");
        end(o, &err);
        return;
    }
    if (a->status == 429) {
        (void)wh_fail(&err, WH_E_RATE,
                      "GitLab registers no more clients for now (10 an hour); try again later");
        end(o, &err);
        return;
    }
    if (a->status != 201 && a->status != 200) {
        (void)wh_fail(&err, a->status >= 500 ? WH_E_UNAVAILABLE : WH_E_FORBIDDEN,
                      "the server registers no client (HTTP %u); name one that an administrator "
                      "registered with --client-id",
                      a->status);
        end(o, &err);
        return;
    }
    if (oauth_register_read(wh_buf_slice(a->body), o->net.parser, &o->server, o->conf.redirect_uri,
                            &o->own, &client, &err) != WH_OK) {
        end(o, &err);
        return;
    }
    o->client = client;
    o->registered = true;
    use_client(o, WH_LIT("registered"));
}

static void start_registration(struct oauth *o)
{
    WH_AUTO(buf) struct wh_buf body;
    struct wh_err err;

    wh_buf_init(&body, BODY_MAX_BYTES);
    if (oauth_register_body(o->conf.client_name, o->conf.redirect_uri, wh_buf_slice(&o->scopes),
                            &body, &err) != WH_OK ||
        start_request(o, o->server.registration_endpoint, wh_buf_slice(&body), on_registered,
                      &err) != WH_OK) {
        end(o, &err);
    }
}

/* A client registered by hand belongs to the issuer that it was first used with. */
static bool by_hand(struct oauth *o, struct wh_err *err)
{
    struct wh_slice issuer;

    if (o->client.client_id.len && wh_slice_eq(o->client.client_id, o->conf.client_id)) {
        if (wh_slice_eq(o->client.issuer, o->server.issuer)) {
            return true;
        }
        (void)wh_fail(err, WH_E_FORBIDDEN,
                      "the authorization server has changed; the client is not shown to another");
        return false;
    }
    if (wh_arena_dup(&o->own, o->server.issuer, &issuer, err) != WH_OK) {
        return false;
    }
    o->client = (struct oauth_client){
        .issuer = issuer,
        .client_id = o->conf.client_id,
        .client_secret = o->conf.client_secret,
        .auth_method = oauth_auth_method(&o->server, o->conf.client_secret.len > 0),
        .redirect_uri = o->conf.redirect_uri,
    };
    return true;
}

static bool by_metadata_url(struct oauth *o, struct wh_err *err)
{
    struct wh_slice issuer;

    if (wh_arena_dup(&o->own, o->server.issuer, &issuer, err) != WH_OK) {
        return false;
    }
    o->client = (struct oauth_client){.issuer = issuer,
                                      .client_id = o->conf.metadata_url,
                                      .auth_method = WH_LIT("none"),
                                      .redirect_uri = o->conf.redirect_uri};
    return true;
}

static void choose_client(struct oauth *o)
{
    struct wh_err err;

    o->phase = REGISTER;
    if (o->conf.client_id.len) {
        if (by_hand(o, &err)) {
            use_client(o, WH_LIT("registered by hand"));
        } else {
            end(o, &err);
        }
    } else if (o->conf.metadata_url.len && o->server.takes_metadata_url) {
        if (by_metadata_url(o, &err)) {
            use_client(o, WH_LIT("by its metadata document"));
        } else {
            end(o, &err);
        }
    } else if (o->client.client_id.len && wh_slice_eq(o->client.issuer, o->server.issuer) &&
               wh_slice_eq(o->client.redirect_uri, o->conf.redirect_uri)) {
        use_client(o, WH_LIT("registered before"));
    } else if (o->server.registration_endpoint.len) {
        start_registration(o);
    } else {
        (void)wh_fail(&err, WH_E_UNSUPPORTED,
                      "the server registers no clients; name one that an administrator registered "
                      "with --client-id");
        end(o, &err);
    }
}

/* ---- the person ---- */

static void ask_person(struct oauth *o)
{
    WH_AUTO(buf) struct wh_buf url;
    struct wh_err err;
    struct oauth_request r = {
        .endpoint = o->server.authorization_endpoint,
        .client_id = o->client.client_id,
        .redirect_uri = o->conf.redirect_uri,
        .scope = wh_buf_slice(&o->scopes),
        .resource = o->resource.resource,
        .secrets = &o->secrets,
    };

    wh_buf_init(&url, URL_MAX_BYTES);
    if (oauth_secrets_make(&o->secrets, &err) != WH_OK ||
        oauth_request_url(&r, &url, &err) != WH_OK) {
        end(o, &err);
        return;
    }
    o->phase = APPROVE;
    wh_timer_start(o->timer, o->conf.approve_timeout_ms, 0);
    step(o, OAUTH_STEP_APPROVE, o->server.issuer);
    o->conf.open(o->conf.ctx, wh_buf_slice(&url));
}

bool oauth_waiting(const struct oauth *o)
{
    return o->phase == APPROVE;
}

static bool state_fits(const struct oauth *o, const struct oauth_redirect *r)
{
    return o->phase == APPROVE && r->state.len == OAUTH_VERIFIER_BYTES &&
           wh_constant_time_eq(wh_buf_slice(&r->state), wh_slice_str(o->secrets.state));
}

bool oauth_knows_state(const struct oauth *o, struct wh_slice query_or_url)
{
    struct oauth_redirect r;
    struct wh_err err;
    bool known = oauth_redirect_read(query_or_url, &r, &err) == WH_OK && state_fits(o, &r);

    oauth_redirect_done(&r);
    return known;
}

/* ---- tokens ---- */

static void on_tokens(void *ctx, const struct oauth_token_answer *a)
{
    struct oauth *o = ctx;
    struct wh_err err = {0};

    o->call = NULL;
    if (a->result != OAUTH_LATER || a->status == 429) {
        o->issue = a->result == OAUTH_DONE ? OAUTH_ISSUED : OAUTH_NOT_ISSUED;
    }
    if (a->result == OAUTH_DONE) {
        oauth_tokens_move(&o->tokens, a->tokens);
        if (o->tokens.scope[0] == '\0') {
            memcpy(o->tokens.scope, wh_buf_str(&o->scopes), o->scopes.len + 1);
        }
    } else {
        (void)wh_fail(&err, a->result == OAUTH_LATER ? WH_E_UNAVAILABLE : WH_E_FORBIDDEN,
                      "no token for the code: %.160s", a->error ? a->error : "");
    }
    end(o, &err);
}

static void wipe_code(struct oauth *o)
{
    wh_buf_done(&o->code);
    wh_buf_init_secret(&o->code, CODE_MAX_BYTES);
}

static enum wh_rc exchange(struct oauth *o, struct wh_slice code, struct wh_err *err)
{
    struct wh_buf form;
    enum wh_rc rc;

    wh_buf_init_secret(&form, BODY_MAX_BYTES);
    if (oauth_form_add(&form, "grant_type", WH_LIT("authorization_code"), err) != WH_OK ||
        oauth_form_add(&form, "code", code, err) != WH_OK ||
        oauth_form_add(&form, "redirect_uri", o->conf.redirect_uri, err) != WH_OK ||
        oauth_form_add(&form, "code_verifier", wh_slice_str(o->secrets.verifier), err) != WH_OK ||
        oauth_form_add(&form, "resource", o->resource.resource, err) != WH_OK) {
        wh_buf_done(&form);
        return err->rc;
    }
    rc = oauth_call_start(&o->net, o->server.token_endpoint, &o->client, &form, true, on_tokens, o,
                          &o->call, err);
    o->issue = rc == WH_OK ? OAUTH_MAY_BE_LOST : OAUTH_NOT_ISSUED;
    return rc;
}

/* The answer is ours; what it says decides now. */
static enum wh_rc take_answer(struct oauth *o, const struct oauth_redirect *r, struct wh_err *err)
{
    if (oauth_issuer_check(&o->server, r, err) != WH_OK) {
        return err->rc;
    }
    if (r->error.len) {
        bool denied = wh_slice_eq(wh_buf_slice(&r->error), WH_LIT("access_denied"));

        return wh_fail(err, WH_E_FORBIDDEN, "%s",
                       denied ? "the approval was refused"
                              : "the server did not let the approval happen");
    }
    if (r->code.len == 0) {
        return wh_fail(err, WH_E_INVALID, "the redirect carries no code");
    }
    step(o, OAUTH_STEP_TOKEN, o->server.issuer);
    if (o->conf.hold == NULL) {
        return exchange(o, wh_buf_slice(&r->code), err);
    }
    wipe_code(o);
    if (wh_buf_append(&o->code, wh_buf_slice(&r->code), err) != WH_OK) {
        return err->rc;
    }
    o->conf.hold(o->conf.ctx);
    return WH_OK;
}

void oauth_go_on(struct oauth *o)
{
    struct wh_err err;
    enum wh_rc rc;

    if (o->phase != TOKEN || o->code.len == 0) {
        return;
    }
    rc = exchange(o, wh_buf_slice(&o->code), &err);
    wipe_code(o);
    if (rc != WH_OK) {
        end(o, &err);
    }
}

enum oauth_issue oauth_issue(const struct oauth *o)
{
    return o->issue;
}

enum wh_rc oauth_redirected(struct oauth *o, struct wh_slice query_or_url, struct wh_err *err)
{
    struct oauth_redirect r;
    enum wh_rc rc = oauth_redirect_read(query_or_url, &r, err);

    if (rc == WH_OK && !state_fits(o, &r)) {
        rc = wh_fail(err, WH_E_FORBIDDEN, "this is not the answer to the approval asked for");
    }
    if (rc == WH_OK) {
        o->phase = TOKEN; /* the state is used up */
        wh_timer_stop(o->timer);
        if (take_answer(o, &r, &o->failure) != WH_OK) {
            wh_timer_start(o->timer, 0, 0);
        }
    }
    oauth_redirect_done(&r);
    return rc;
}

/* ---- discovery ---- */

static void try_place(struct oauth *o);

static bool not_there(const struct wh_httpc_answer *a)
{
    return a->status >= 300 && a->status < 500;
}

/* Nothing says who guards the resource: then (2025-03-26) it is its own origin. */
static void no_resource_document(struct oauth *o)
{
    o->resource = (struct oauth_resource){
        .resource = o->endpoint.text, .issuer = o->endpoint.origin, .scopes = wh_slice("", 0)};
}

static enum wh_rc choose_scopes(struct oauth *o, struct wh_err *err)
{
    struct wh_slice asked = wh_slice_str(o->challenge.scope);

    if (asked.len == 0) {
        asked = o->resource.scopes;
    }
    if (asked.len == 0) {
        asked = o->conf.scope;
    }
    if (oauth_scope_add(&o->scopes, asked, err) != WH_OK) {
        return err->rc;
    }
    if (o->scopes.len && oauth_scope_has(o->server.scopes, WH_LIT("offline_access"))) {
        return oauth_scope_add(&o->scopes, WH_LIT("offline_access"), err);
    }
    return WH_OK;
}

static void server_known(struct oauth *o)
{
    struct wh_err err;

    if (choose_scopes(o, &err) != WH_OK) {
        (void)wh_err_prefix(&err, "the scopes that the server asks for");
        end(o, &err);
        return;
    }
    choose_client(o);
}

/* NOLINTNEXTLINE(misc-no-recursion): each turn uses up a place, and those are few */
static void begin_server(struct oauth *o)
{
    struct wh_url issuer;
    struct wh_err err;

    o->phase = SERVER;
    o->place = 0;
    if (wh_url_parse(o->resource.issuer, &issuer, &err) != WH_OK ||
        oauth_url_secure(&issuer, o->conf.allow_http, &err) != WH_OK) {
        (void)wh_err_prefix(&err, "authorization server");
        end(o, &err);
        return;
    }
    if (o->conf.own_server && !oauth_url_same_origin(&issuer, &o->endpoint)) {
        (void)wh_fail(&err, WH_E_FORBIDDEN,
                      "the authorization server %.*s is not at the address that was given",
                      WH_SLICE_ARG(issuer.origin));
        end(o, &err);
        return;
    }
    if (oauth_server_places(&issuer,
                            oauth_url_same_origin(&issuer, &o->endpoint) ? &o->endpoint : NULL,
                            &o->arena, &o->places, &err) != WH_OK) {
        end(o, &err);
        return;
    }
    try_place(o);
}

/* NOLINTNEXTLINE(misc-no-recursion): each turn uses up a place, and those are few */
static void places_used_up(struct oauth *o)
{
    struct wh_err err;

    if (o->phase == RESOURCE) {
        no_resource_document(o);
        begin_server(o);
        return;
    }
    (void)wh_fail(&err, WH_E_NOT_FOUND,
                  "no OAuth metadata at %.*s: is that a GitLab with its MCP "
                  "server on (18.6 and later)?",
                  WH_SLICE_ARG(o->resource.issuer));
    end(o, &err);
}

static enum wh_rc take_document(struct oauth *o, struct wh_slice json, struct wh_err *err)
{
    if (o->phase == RESOURCE) {
        return oauth_resource_read(json, o->net.parser, &o->endpoint, &o->arena, &o->resource, err);
    }
    return oauth_server_read(json, o->net.parser, o->resource.issuer, o->conf.allow_http, &o->arena,
                             &o->server, err);
}

static void on_document(void *ctx, const struct wh_httpc_answer *a)
{
    struct oauth *o = ctx;
    struct wh_err err;

    o->transfer = NULL;
    if (a->rc != WH_OK) {
        err = a->err;
        (void)wh_err_prefix(&err, "discovery");
        end(o, &err);
        return;
    }
    if (a->status == 200) {
        enum wh_rc rc = take_document(o, wh_buf_slice(a->body), &err);

        if (rc == WH_OK && o->phase == RESOURCE) {
            begin_server(o);
            return;
        }
        if (rc == WH_OK) {
            server_known(o);
            return;
        }
        if (rc == WH_E_FORBIDDEN || rc == WH_E_TOO_LARGE || rc == WH_E_NOMEM) {
            end(o, &err);
            return;
        }
    } else if (!not_there(a)) {
        (void)wh_fail(&err, WH_E_UNAVAILABLE, "discovery: the server answers with HTTP %u",
                      a->status);
        end(o, &err);
        return;
    }
    o->place++;
    try_place(o);
}

/* NOLINTNEXTLINE(misc-no-recursion): each turn uses up a place, and those are few */
static void try_place(struct oauth *o)
{
    struct wh_slice url;
    struct wh_err err;

    if (o->place >= o->places.n) {
        places_used_up(o);
        return;
    }
    url = o->places.url[o->place];
    step(o, o->phase == RESOURCE ? OAUTH_STEP_RESOURCE : OAUTH_STEP_SERVER, url);
    if (start_request(o, url, wh_slice("", 0), on_document, &err) != WH_OK) {
        end(o, &err);
    }
}

/* The next turn of the loop: a start, a failure to tell, or the person's time is over. */
static void on_timer(void *ctx)
{
    struct oauth *o = ctx;
    struct wh_err err;

    if (o->phase == RESOURCE) {
        try_place(o);
    } else if (o->phase == APPROVE) {
        (void)wh_fail(&err, WH_E_TIMEOUT,
                      "nobody approved in time (if GitLab's page did not know the application: "
                      "--new-client registers another)");
        end(o, &err);
    } else if (o->phase == TOKEN) {
        end(o, &o->failure);
    }
}

enum wh_rc oauth_authorize(struct oauth *o, const struct oauth_challenge *challenge, oauth_fn fn,
                           void *ctx, struct wh_err *err)
{
    if (o->phase != IDLE) {
        return wh_fail(err, WH_E_BUSY, "an approval is under way");
    }
    if (o->approvals >= o->conf.max_approvals) {
        return wh_fail(err, WH_E_FORBIDDEN,
                       "approved %u times and still refused: access is not given", o->approvals);
    }
    o->approvals++;
    wh_arena_reset(&o->arena);
    memset(&o->challenge, 0, sizeof(o->challenge));
    if (challenge) {
        o->challenge = *challenge;
    }
    o->server = (struct oauth_server){0};
    if (oauth_resource_places(&o->endpoint, wh_slice_str(o->challenge.resource_metadata), &o->arena,
                              &o->places, err) != WH_OK) {
        return err->rc;
    }
    o->phase = RESOURCE;
    o->place = 0;
    o->fn = fn;
    o->fn_ctx = ctx;
    wh_timer_start(o->timer, 0, 0);
    return WH_OK;
}

/* ---- what came of it ---- */

struct oauth_tokens *oauth_tokens(struct oauth *o)
{
    return &o->tokens;
}

const struct oauth_client *oauth_used_client(const struct oauth *o)
{
    return &o->client;
}

bool oauth_registered(const struct oauth *o)
{
    return o->registered;
}

struct wh_slice oauth_resource_name(const struct oauth *o)
{
    return o->resource.resource;
}

const struct oauth_server *oauth_used_server(const struct oauth *o)
{
    return &o->server;
}
