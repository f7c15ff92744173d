/*
 * The client under the MCP conformance suite: the fetcher's oauth and mcp modules, driven through
 * one scenario. Usage: conformance-client URL, with the suite's environment.
 *
 * It holds no protocol logic: it lists the tools, calls those that the scenario has, and stands in
 * for the person's browser (one GET of the approval address, whose Location is the redirect).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/json/json_copy.h"
#include "stages/fetcher/mcp/login.h"

enum { ANSWER_MAX = 4 << 20, TIMEOUT_MS = 20000, CALLS_MAX = 64 };

struct call {
    char name[160];
    struct wh_buf arguments;
};

struct driver {
    struct wh_loop *loop;
    struct wh_httpc *http;
    struct mcp_login *login;
    struct wh_json_parser *parser;
    struct call calls[CALLS_MAX];
    size_t n_calls;
    size_t next;
    char client_id[256];
    char client_secret[256];
    const char *scenario;
    int code; /* -1: going on */
};

static bool any_tool(struct wh_slice name)
{
    (void)name;
    return true;
}

/* ---- the person ---- */

static void on_page(void *ctx, const struct wh_httpc_answer *a)
{
    struct driver *d = ctx;
    struct wh_slice location = wh_httpc_answer_header(a, "location");
    struct wh_err err;

    if (a->rc != WH_OK || location.len == 0 ||
        oauth_redirected(mcp_login_oauth(d->login), location, &err) != WH_OK) {
        (void)fprintf(stderr, "the approval gave no redirect: %s\n", a->rc ? a->err.msg : err.msg);
        d->code = 1;
    }
}

static void open_page(void *ctx, struct wh_slice url)
{
    struct driver *d = ctx;
    const struct wh_httpc_request req = {.method = WH_LIT("GET"),
                                         .url = url,
                                         .peer = WH_HTTPC_PEER_LOOPBACK,
                                         .body_max = ANSWER_MAX,
                                         .timeout_ms = TIMEOUT_MS};
    struct wh_err err;

    if (wh_httpc_start(d->http, &req, on_page, d, NULL, &err) != WH_OK) {
        d->code = 1;
    }
}

/* ---- the scenario ---- */

static void plan(struct driver *d, struct wh_slice name, struct wh_slice arguments)
{
    struct call *c = &d->calls[d->n_calls];
    struct wh_err err;

    if (d->n_calls == CALLS_MAX) {
        return;
    }
    (void)snprintf(c->name, sizeof(c->name), "%.*s", WH_SLICE_ARG(name));
    wh_buf_init(&c->arguments, 64 << 10);
    if (wh_buf_append(&c->arguments, arguments, &err) == WH_OK) {
        d->n_calls++;
    }
}

static const char *arguments_of(struct wh_slice tool)
{
    if (wh_slice_eq(tool, WH_LIT("add_numbers"))) {
        return "{\"a\":5,\"b\":3}";
    }
    return wh_slice_eq(tool, WH_LIT("valid_tool")) ? "{\"region\":\"x\"}" : "{}";
}

/* What the suite says that should be called. */
static void plan_context(struct driver *d, struct wh_json_val root)
{
    struct wh_json_val list;
    struct wh_json_val item;
    struct wh_json_val v;
    struct wh_json_val arguments;
    struct wh_json_iter it;
    struct wh_slice key;

    if (wh_json_get(root, WH_LIT("client_id"), &v)) {
        (void)snprintf(d->client_id, sizeof(d->client_id), "%.*s", WH_SLICE_ARG(wh_json_string(v)));
    }
    if (wh_json_get(root, WH_LIT("client_secret"), &v)) {
        (void)snprintf(d->client_secret, sizeof(d->client_secret), "%.*s",
                       WH_SLICE_ARG(wh_json_string(v)));
    }
    if (!wh_json_get(root, WH_LIT("toolCalls"), &list)) {
        return;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
        struct wh_json_writer w;
        struct wh_buf text;
        struct wh_err err;

        wh_buf_init(&text, 64 << 10);
        wh_json_writer_init(&w, &text);
        if (wh_json_get(item, WH_LIT("name"), &v) &&
            wh_json_get(item, WH_LIT("arguments"), &arguments)) {
            wh_jw_value(&w, arguments);
            if (wh_jw_finish(&w, &err) == WH_OK) {
                plan(d, wh_json_string(v), wh_buf_slice(&text));
            }
        }
        wh_buf_done(&text);
    }
}

/* Otherwise every tool that the server listed, in its order. */
static void plan_all(struct driver *d)
{
    const struct mcp *m = mcp_login_mcp(d->login);

    for (size_t i = 0; i < mcp_tool_count(m); i++) {
        struct wh_slice name = mcp_tool_name(mcp_tool_at(m, i));

        plan(d, name, wh_slice_str(arguments_of(name)));
    }
}

static void call_next(struct driver *d);

static void on_called(void *ctx, const struct mcp_answer *a)
{
    struct driver *d = ctx;

    (void)printf("called %s: outcome %d\n", d->calls[d->next - 1].name, (int)a->outcome);
    if (a->outcome == MCP_SIGN_IN || a->outcome == MCP_DENIED || a->outcome == MCP_REFUSED ||
        a->outcome == MCP_FAILED) {
        (void)fprintf(stderr, "%s\n", a->error);
        d->code = 1;
        return;
    }
    call_next(d);
}

static void call_next(struct driver *d)
{
    struct wh_err err;
    struct call *c;

    if (d->next == d->n_calls) {
        d->code = 0;
        return;
    }
    c = &d->calls[d->next++];
    if (mcp_call_tool(mcp_login_mcp(d->login), wh_slice_str(c->name), wh_buf_slice(&c->arguments),
                      on_called, d, NULL, &err) != WH_OK) {
        (void)fprintf(stderr, "%s\n", err.msg);
        d->code = 1;
    }
}

static void on_listed(void *ctx, const struct mcp_answer *a)
{
    struct driver *d = ctx;

    if (a->outcome != MCP_OK) {
        (void)fprintf(stderr, "tools/list: %s\n", a->error ? a->error : "failed");
        d->code = 1;
        return;
    }
    (void)printf("%zu tools, %zu left out\n", mcp_tool_count(mcp_login_mcp(d->login)),
                 mcp_tools_dropped(mcp_login_mcp(d->login)));
    /* A client that works unattended has no form to fill in: it lists and leaves. */
    if (d->n_calls == 0 && strncmp(d->scenario, "elicitation", 11) != 0) {
        plan_all(d);
    }
    call_next(d);
}

/* ---- set up ---- */

static enum wh_rc make_login(struct driver *d, const char *url, const char *version,
                             struct wh_err *err)
{
    const struct oauth_conf oauth = {
        .loop = d->loop,
        .http = d->http,
        .clock = wh_clock_real(),
        .endpoint = wh_slice_str(url),
        .allow_http = true,
        .client_name = WH_LIT("Wellhead"),
        .redirect_uri = WH_LIT("http://127.0.0.1:8701/oauth/callback"),
        .client_id = wh_slice_str(d->client_id),
        .client_secret = wh_slice_str(d->client_secret),
        .metadata_url = WH_LIT("https://conformance-test.local/client-metadata.json"),
        .max_approvals = 3,
        .timeout_ms = TIMEOUT_MS,
        .approve_timeout_ms = TIMEOUT_MS,
        .open = open_page,
        .ctx = d,
    };
    const struct mcp_conf mcp = {
        .loop = d->loop,
        .http = d->http,
        .clock = wh_clock_real(),
        .endpoint = wh_slice_str(url),
        .allow_http = true,
        .version = version,
        .client_name = "wellhead",
        .client_version = "1",
        .retry_max = 2,
        .backoff_ms = 100,
        .timeout_ms = TIMEOUT_MS,
        .body_max = ANSWER_MAX,
        .allowed = any_tool,
    };

    return mcp_login_new(&oauth, &mcp, &d->login, err);
}

static enum wh_rc start(struct driver *d, const char *url, struct wh_err *err)
{
    const struct wh_httpc_conf http = {
        .max_connections = 4, .user_agent = "wellhead-conformance", .connect_timeout_ms = 5000};
    const char *version = getenv("MCP_CONFORMANCE_PROTOCOL_VERSION");
    const char *context = getenv("MCP_CONFORMANCE_CONTEXT");
    struct wh_json_val root;

    d->scenario = getenv("MCP_CONFORMANCE_SCENARIO");
    d->scenario = d->scenario ? d->scenario : "";
    d->loop = wh_loop_new();
    d->parser = wh_json_parser_new(1 << 20, 32);
    if (d->loop == NULL || d->parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory");
    }
    if (context && wh_json_parse(d->parser, wh_slice_str(context), &root, err) == WH_OK) {
        plan_context(d, root);
    }
    version = version ? mcp_known_version(wh_slice_str(version)) : NULL;
    if (wh_httpc_curl_new(d->loop, NULL, &http, &d->http, err) != WH_OK ||
        make_login(d, url, version ? version : "2025-11-25", err) != WH_OK) {
        return err->rc;
    }
    return mcp_list_tools(mcp_login_mcp(d->login), on_listed, d, err);
}

int main(int argc, char **argv)
{
    struct driver d = {.code = -1};
    struct wh_err err;

    if (argc < 2) {
        (void)fprintf(stderr, "usage: conformance-client URL\n");
        return 2;
    }
    if (start(&d, argv[argc - 1], &err) != WH_OK) {
        (void)fprintf(stderr, "%s\n", err.msg);
        d.code = 1;
    }
    while (d.code < 0) {
        wh_loop_turn(d.loop, true);
    }
    if (d.login) {
        mcp_close(mcp_login_mcp(d.login));
    }
    mcp_login_free(d.login);
    for (size_t i = 0; i < d.n_calls; i++) {
        wh_buf_done(&d.calls[i].arguments);
    }
    wh_json_parser_free(d.parser);
    wh_httpc_free(d.http);
    wh_loop_free(d.loop);
    return d.code;
}
