#include "stages/fetcher/access/access.h"

#include <stdio.h>

#include "common/base/build_version.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "stages/fetcher/access/parts_priv.h"

enum {
    RETRY_MAX = 8,
    BACKOFF_MAX_MS = 60000,
    PAGE_MAX_BYTES = 64 << 20,
    SECRET_MAX_BYTES = 4096,
    ENDPOINT_MAX = 1024,
    MCP_BODY_MAX = 16 << 20,
};

/* ---- the client and the session ---- */

static bool may_send(void *ctx)
{
    const struct access *a = ctx;

    return a->env.may_send(a->env.ctx);
}

/* Only the OAuth token has a successor. */
static bool renew(void *ctx, int64_t sent_ms)
{
    const struct access *a = ctx;

    return a->rest_by_oauth && credential_refused(a->credential, sent_ms);
}

static enum wh_rc make_client(struct access *a, struct wh_err *err)
{
    const struct access_env *env = &a->env;
    const struct client_conf conf = {
        .loop = env->loop,
        .http = env->http,
        .log = env->log,
        .metrics = env->metrics,
        .clock = env->clock,
        .instance = env->instance,
        .max_in_flight = (unsigned)env->max_in_flight,
        .retry_max = RETRY_MAX,
        .backoff_ms = env->backoff_ms,
        .backoff_max_ms = BACKOFF_MAX_MS,
        .timeout_ms = env->request_timeout_ms,
        .body_max = PAGE_MAX_BYTES,
        .may_send = may_send,
        .renew = renew,
        .ctx = a,
    };

    if (a->client == NULL) {
        a->client = client_new(&conf);
    }
    return a->client ? WH_OK : wh_fail(err, WH_E_NOMEM, "no memory for a client");
}

/* The MCP server of the same GitLab, used with the OAuth credential. */
static enum wh_rc make_mcp(struct access *a, struct wh_err *err)
{
    const struct access_env *env = &a->env;
    char endpoint[ENDPOINT_MAX];
    struct mcp_conf conf = {
        .loop = env->loop,
        .http = env->http,
        .log = env->log,
        .metrics = env->metrics,
        .clock = env->clock,
        .allow_http = env->allow_http,
        .version = "2025-11-25",
        .client_name = "wellhead",
        .client_version = wh_build_version(),
        .retry_max = RETRY_MAX,
        .backoff_ms = env->backoff_ms,
        .timeout_ms = env->request_timeout_ms,
        .body_max = MCP_BODY_MAX,
        .allowed = mcp_tool_is_read,
        .token = credential_access,
        .challenged = credential_challenged,
        .ctx = a->credential,
    };

    if (a->mcp) {
        return WH_OK;
    }
    (void)snprintf(endpoint, sizeof(endpoint), "%s/api/v4/mcp", env->instance);
    conf.endpoint = wh_slice_str(endpoint);
    return mcp_new(&conf, &a->mcp, err);
}

uint64_t access_requests(const struct access *a)
{
    return a->requests + client_stats(a->client).requests + mcp_requests(a->mcp);
}

static void free_users(struct access *a)
{
    a->requests = access_requests(a);
    client_free(a->client);
    a->client = NULL;
    mcp_free(a->mcp);
    a->mcp = NULL;
}

/* ---- the credentials ---- */

/* Takes the sealed read_api token of the document into use. */
static enum wh_rc use_token(struct access *a, struct wh_err *err)
{
    const struct wh_seal_place place = access_seal_place(&a->env, "read_api");
    WH_AUTO(buf) struct wh_buf token;
    enum wh_rc rc;

    wh_buf_init_secret(&token, SECRET_MAX_BYTES);
    if (wh_secret_open(a->env.keys, &place, a->env.doc->token_sealed, &token, err) != WH_OK ||
        make_client(a, err) != WH_OK) {
        return err->rc;
    }
    rc = client_set_token(a->client, wh_buf_slice(&token), err);
    a->rest_by_oauth = false;
    return rc;
}

/* Without a read_api token, GitLab may take the OAuth token on some routes of REST. */
static enum wh_rc use_oauth_in_rest(struct access *a, struct wh_err *err)
{
    if (make_client(a, err) != WH_OK) {
        return err->rc;
    }
    a->rest_by_oauth = true;
    return client_set_token(a->client, credential_access(a->credential), err);
}

enum wh_rc access_load(struct access *a, struct wh_err *err)
{
    const struct wh_connection *doc = a->env.doc;

    if (credential_load(a->credential, err) != WH_OK) {
        return err->rc;
    }
    if (wh_slice_eq(doc->state, WH_LIT("disabled"))) {
        return WH_OK; /* the credential is kept only until it is revoked */
    }
    if (credential_there(a->credential) && make_mcp(a, err) != WH_OK) {
        return err->rc;
    }
    sources_outdated(a->sources);
    if (doc->token_sealed.len && a->token_hash != wh_hash64(doc->token_sealed)) {
        a->token_refused = false; /* this is another token */
        a->token_hash = wh_hash64(doc->token_sealed);
    }
    if (parts_have_token(a)) {
        return use_token(a, err);
    }
    return credential_there(a->credential) ? use_oauth_in_rest(a, err) : WH_OK;
}

bool access_drop_token(struct access *a)
{
    struct wh_err err;

    if (!parts_have_token(a) || !credential_there(a->credential) ||
        use_oauth_in_rest(a, &err) != WH_OK) {
        return false;
    }
    a->token_refused = true;
    sources_outdated(a->sources);
    wh_log_warn(a->env.log, "GitLab refuses the read_api token; reading on without it",
                WH_STR("connection", a->env.connection));
    return true;
}

static void use_renewed(struct access *a)
{
    struct wh_err err;

    if (a->client && a->rest_by_oauth &&
        client_set_token(a->client, credential_access(a->credential), &err) != WH_OK) {
        wh_log_error(a->env.log, "token not usable for REST", WH_RC(&err));
    }
    mcp_resume_all(a->mcp);
}

static void on_credential(void *ctx, enum access_event what, const char *why)
{
    struct access *a = ctx;

    a->env.on_changed(a->env.ctx, what, why);
    if (what == ACCESS_READY) {
        use_renewed(a);
        return;
    }
    if (what == ACCESS_ENDED) {
        sources_outdated(a->sources);
        client_release(a->client);
    }
    mcp_give_up_all(a->mcp, why);
}

/* ---- life ---- */

struct access *access_new(const struct access_env *env)
{
    struct access *a = wh_mem_zalloc(1, sizeof(*a));

    if (a == NULL) {
        return NULL;
    }
    a->env = *env;
    a->credential = credential_new(&a->env, on_credential, a);
    a->sources = sources_new(a);
    a->revoke = revoke_new(&a->env, a->credential);
    if (!a->credential || !a->sources || !a->revoke) {
        access_free(a);
        return NULL;
    }
    return a;
}

void access_free(struct access *a)
{
    if (a == NULL) {
        return;
    }
    revoke_free(a->revoke);
    sources_free(a->sources);
    free_users(a);
    credential_free(a->credential);
    wh_mem_free(a);
}

void access_stop(struct access *a)
{
    client_stop(a->client);
}

bool access_idle(const struct access *a)
{
    return credential_settled(a->credential) && (a->client == NULL || client_open(a->client) == 0);
}

void access_forget(struct access *a)
{
    free_users(a);
    sources_outdated(a->sources);
}

void access_drain(struct access *a)
{
    sources_stop(a->sources);
    free_users(a);
    credential_drain(a->credential);
}

/* ---- what is there ---- */

bool access_has_token(const struct access *a)
{
    return parts_have_token(a);
}

bool access_token_refused(const struct access *a)
{
    return a->token_refused;
}

struct credential *access_credential(const struct access *a)
{
    return a->credential;
}

struct sources *access_sources(const struct access *a)
{
    return a->sources;
}

struct revoke *access_revoke(const struct access *a)
{
    return a->revoke;
}

struct client *access_client(const struct access *a)
{
    return a->client;
}

struct mcp *access_mcp(const struct access *a)
{
    return a->mcp;
}
