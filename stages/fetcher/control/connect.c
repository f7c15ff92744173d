/*
 * The first half of a connect: an approval by OAuth and the MCP handshake, or the test of a token, or
 * both. The second half makes the topics and the record (connect_save.c). Each step starts the next
 * one; the person who began it may go away meanwhile.
 */
#include "stages/fetcher/control/connect_priv.h"

#include <stdio.h>

#include "common/base/build_version.h"
#include "common/base/mem.h"
#include "stages/fetcher/access/access.h"

enum {
    PROBE_BODY_MAX = 1 << 20,
    PROBE_TIMEOUT_MS = 15000,
    APPROVE_TIMEOUT_MS = 600000,
    MCP_BODY_MAX = 16 << 20,
    APPROVALS_MAX = 3,
};

static void start_probe(struct connect *k);

/* ---- the test of a token ---- */

static void copy_field(struct fetcher *f, const struct client_answer *a, const char *key,
                       struct wh_buf *out)
{
    struct wh_json_val root;
    struct wh_json_val v;
    struct wh_err err;

    if (wh_json_parse(fetcher_parser(f), wh_buf_slice(a->body), &root, &err) == WH_OK &&
        wh_json_get(root, wh_slice_str(key), &v) && wh_json_type(v) == WH_JSON_STRING) {
        wh_buf_reset(out);
        (void)!wh_buf_append(out, wh_json_string(v), &err);
    }
}

static void on_scopes(void *ctx, const struct client_answer *a)
{
    struct connect *k = ctx;
    struct wh_json_val root;
    struct wh_json_val list;
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice key;
    struct wh_err err;

    /* Only a personal token can read its own scopes, so a refusal is not an error. */
    if (a->outcome == CLIENT_OK &&
        wh_json_parse(fetcher_parser(k->f), wh_buf_slice(a->body), &root, &err) == WH_OK &&
        wh_json_get(root, WH_LIT("scopes"), &list)) {
        wh_buf_reset(&k->scopes);
        for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
            (void)!wh_buf_printf(&k->scopes, &err, "%s%.*s", k->scopes.len ? " " : "",
                                 WH_SLICE_ARG(wh_json_string(item)));
        }
    }
    connect_step(k, "read_api", "the token reads as %s", wh_buf_str(&k->user));
    connect_find_projects(k);
}

static void on_version(void *ctx, const struct client_answer *a)
{
    struct connect *k = ctx;
    struct wh_err err;

    if (a->outcome == CLIENT_OK) {
        copy_field(k->f, a, "version", &k->version);
    }
    if (client_get(k->probe, WH_LIT("/api/v4/personal_access_tokens/self"), on_scopes, k, &err) !=
        WH_OK) {
        connect_fail(k, 503, err.msg);
    }
}

static void on_user(void *ctx, const struct client_answer *a)
{
    struct connect *k = ctx;
    struct wh_err err;
    char text[300];

    switch (a->outcome) {
    case CLIENT_OK:
        break;
    case CLIENT_SIGN_IN:
    case CLIENT_DENIED:
        connect_fail(k, 403,
                     "GitLab refuses the token: it needs scope read_api and must not be expired");
        return;
    case CLIENT_GONE:
        connect_fail(k, 422, "no GitLab API at that address (404): is the path right?");
        return;
    case CLIENT_REFUSED:
    case CLIENT_FAILED:
    default:
        (void)snprintf(text, sizeof(text), "%s%s",
                       a->status ? "" : "GitLab could not be reached: ", a->error);
        connect_fail(k, 502, text);
        return;
    }
    copy_field(k->f, a, "username", &k->user);
    if (client_get(k->probe, WH_LIT("/api/v4/version"), on_version, k, &err) != WH_OK) {
        connect_fail(k, 503, err.msg);
    }
}

static enum wh_rc try_token(struct connect *k, struct wh_err *err)
{
    const struct fetcher_deps *d = fetcher_deps(k->f);
    const struct client_conf conf = {
        .loop = d->loop,
        .http = d->http,
        .log = d->log,
        .clock = d->clock,
        .instance = wh_buf_str(&k->instance),
        .max_in_flight = 1,
        .retry_max = 2,
        .backoff_ms = 200,
        .backoff_max_ms = 1000,
        .timeout_ms = PROBE_TIMEOUT_MS,
        .body_max = PROBE_BODY_MAX,
    };

    k->probe = client_new(&conf);
    if (k->probe == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a client");
    }
    if (client_set_token(k->probe, wh_slice_str(k->token), err) != WH_OK) {
        return err->rc;
    }
    return client_get(k->probe, WH_LIT("/api/v4/user"), on_user, k, err);
}

static void start_probe(struct connect *k)
{
    struct wh_err err;

    if (try_token(k, &err) != WH_OK) {
        connect_fail(k, 400, err.msg);
    }
}

/* ---- the approval ---- */

static unsigned status_of(enum mcp_outcome outcome)
{
    switch (outcome) {
    case MCP_SIGN_IN:
    case MCP_DENIED:
        return 403;
    case MCP_NOT_THERE:
        return 422;
    case MCP_FAILED:
        return 502;
    case MCP_OK:
    case MCP_TOOL_BAD:
    case MCP_ERROR:
    case MCP_REFUSED:
    case MCP_INPUT:
    default:
        return 422;
    }
}

static void on_tools(void *ctx, const struct mcp_answer *a)
{
    struct connect *k = ctx;
    struct mcp *m = mcp_login_mcp(k->login);
    struct oauth *o = mcp_login_oauth(k->login);
    struct wh_err err;
    char text[300];

    if (a->outcome == MCP_NOT_THERE) {
        connect_fail(k, 422,
                     "no MCP server at that GitLab for this user: it is there from GitLab 18.6 on, "
                     "and an administrator may have turned it off; a read_api token works without "
                     "it (--token-file)");
        return;
    }
    if (a->outcome != MCP_OK) {
        (void)snprintf(text, sizeof(text), "%s", a->error ? a->error : "the handshake failed");
        connect_fail(k, status_of(a->outcome), text);
        return;
    }
    if (oauth_tokens(o)->access.len == 0) {
        connect_fail(k, 422, "the MCP server asked for no approval; that is no GitLab");
        return;
    }
    connect_step(k, "mcp", "MCP %s, GitLab %s, %zu tools", mcp_version(m),
                 mcp_server_version(m)[0] ? mcp_server_version(m) : "of unknown version",
                 mcp_tool_count(m));
    (void)!wh_buf_append(&k->version, wh_slice_str(mcp_server_version(m)), &err);
    (void)!wh_buf_append(&k->scopes, wh_slice_str(oauth_tokens(o)->scope), &err);
    if (k->token) {
        start_probe(k);
    } else {
        connect_find_projects(k);
    }
}

static void on_step(void *ctx, enum oauth_step step, struct wh_slice detail)
{
    static const struct {
        const char *name;
        const char *text;
    } words[] = {
        [OAUTH_STEP_RESOURCE] = {"resource", "looking for"},
        [OAUTH_STEP_SERVER] = {"server", "looking for"},
        [OAUTH_STEP_REGISTER] = {"register", "the client is"},
        [OAUTH_STEP_APPROVE] = {"approve", "waiting for your approval at"},
        [OAUTH_STEP_TOKEN] = {"token", "approved; getting a token from"},
    };
    struct connect *k = ctx;

    connect_step(k, words[step].name, "%s %.*s", words[step].text, WH_SLICE_ARG(detail));
}

static void on_open(void *ctx, struct wh_slice url)
{
    struct connect *k = ctx;
    struct wh_err err;

    wh_buf_reset(&k->approve_url);
    (void)!wh_buf_append(&k->approve_url, url, &err);
}

/* A client that was registered before is used again, unless GitLab no longer knows it. GitLab tells
 * that to a refresh; an approval would show it to the person only, on a page of GitLab. */
static const struct oauth_client *kept_client(const struct connect *k)
{
    const struct conn *c = fetcher_find(k->f, wh_buf_slice(&k->id));
    const struct oauth_kept *kept = c ? credential_kept(access_credential(conn_access(c))) : NULL;

    if (k->new_client || k->moving ||
        (c && credential_client_gone(access_credential(conn_access(c))))) {
        return NULL;
    }
    return kept && kept->client.client_id.len ? &kept->client : connect_registered(k);
}

static enum wh_rc start_approval(struct connect *k, struct wh_err *err)
{
    const struct fetcher_deps *d = fetcher_deps(k->f);
    WH_AUTO(buf) struct wh_buf endpoint;
    struct oauth_conf oauth = {
        .loop = d->loop,
        .http = d->http,
        .clock = d->clock,
        .allow_http = d->conf.allow_http,
        .own_server = true,
        .client_name = WH_LIT("Wellhead"),
        .redirect_uri = wh_slice_str(d->conf.redirect_url),
        .client_id = wh_buf_slice(&k->client_id),
        .client_secret = wh_buf_slice(&k->client_secret),
        .metadata_url = wh_slice_str(d->conf.client_metadata_url),
        .scope = WH_LIT("mcp"),
        .kept = kept_client(k),
        .max_approvals = APPROVALS_MAX,
        .timeout_ms = PROBE_TIMEOUT_MS,
        .approve_timeout_ms = APPROVE_TIMEOUT_MS,
        .open = on_open,
        .step = on_step,
        .hold = connect_hold,
        .ctx = k,
    };
    struct mcp_conf mcp = {
        .loop = d->loop,
        .http = d->http,
        .log = d->log,
        .clock = d->clock,
        .allow_http = d->conf.allow_http,
        .version = "2025-11-25",
        .client_name = "wellhead",
        .client_version = wh_build_version(),
        .retry_max = 2,
        .backoff_ms = 300,
        .timeout_ms = PROBE_TIMEOUT_MS,
        .body_max = MCP_BODY_MAX,
        .allowed = mcp_tool_is_read,
    };

    wh_buf_init(&endpoint, WH_URL_MAX);
    if (wh_buf_printf(&endpoint, err, "%s/api/v4/mcp", wh_buf_str(&k->instance)) != WH_OK) {
        return err->rc;
    }
    oauth.endpoint = wh_buf_slice(&endpoint);
    mcp.endpoint = wh_buf_slice(&endpoint);
    if (mcp_login_new(&oauth, &mcp, &k->login, err) != WH_OK) {
        return err->rc;
    }
    connect_step(k, "address", "asking %s", wh_buf_str(&endpoint));
    return mcp_list_tools(mcp_login_mcp(k->login), on_tools, k, err);
}

void connect_start(struct connect *k)
{
    struct wh_err err;

    if (k->moving) {
        connect_step(k, "move", "from %.110s to %.110s", wh_buf_str(&k->moved_from),
                     wh_buf_str(&k->instance));
    }
    if (!k->by_oauth) {
        start_probe(k);
    } else if (start_approval(k, &err) != WH_OK) {
        connect_fail(k, 400, err.msg);
    }
}
