#include "cli/http/http.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "common/httpc/httpc.h"

enum { TOKEN_MAX_BYTES = 1024, URL_MAX_BYTES = 16384, CONNECT_TIMEOUT_MS = 5000 };

struct cli_http_client {
    struct wh_loop *loop;
    struct wh_httpc *http;
};

/* One call in flight. */
struct call {
    const struct cli_request *request;
    struct wh_httpc_transfer *transfer;
    struct wh_watch *watch; /* of the interrupt */
    struct cli_answer *answer;
    struct wh_err *err;
    enum wh_rc rc;
    bool done;
    bool interrupted;
};

/* A stream that fails ends like any other, and says so in a field behind it. */
static bool has_failed(const struct wh_httpc_answer *answer)
{
    return wh_slice_eq(wh_httpc_answer_header(answer, "wellhead-result"), WH_LIT("failed"));
}

static void on_answer(void *ctx, const struct wh_httpc_answer *answer)
{
    struct call *call = ctx;

    call->rc = answer->rc;
    if (answer->rc != WH_OK) {
        *call->err = answer->err;
    } else if (has_failed(answer)) {
        call->answer->status = answer->status;
        call->rc = wh_fail(call->err, WH_E_IO, "%.*s",
                           WH_SLICE_ARG(wh_httpc_answer_header(answer, "wellhead-reason")));
    } else {
        call->answer->status = answer->status;
        call->rc = wh_buf_append(&call->answer->body, wh_buf_slice(answer->body), call->err);
    }
    call->done = true;
    /* A turn of the loop that has seen the answer would otherwise go on and wait for Ctrl-C. */
    wh_watch_free(call->watch);
    call->watch = NULL;
}

static enum wh_httpc_take on_data(void *ctx, const struct wh_httpc_answer *head,
                                  struct wh_slice bytes)
{
    const struct cli_request *request = ((struct call *)ctx)->request;

    if (head->status != 200) {
        return WH_HTTPC_KEEP;
    }
    return request->on_data(request->ctx, bytes) ? WH_HTTPC_TAKEN : WH_HTTPC_STOP;
}

static void on_interrupt(void *ctx, int fd, unsigned events)
{
    struct call *call = ctx;

    (void)fd;
    (void)events;
    call->interrupted = true;
}

/* Until the answer is complete, or the user has had enough. */
static enum wh_rc await(struct cli_http_client *client, struct call *call, struct wh_err *err)
{
    int fd = call->request->interrupt;

    if (fd) {
        call->watch = wh_watch_new(client->loop, fd, WH_READABLE, on_interrupt, call);
    }
    while (!call->done && !call->interrupted) {
        wh_loop_turn(client->loop, true);
    }
    if (!call->done) {
        wh_watch_free(call->watch);
        wh_httpc_cancel(client->http, call->transfer);
        return wh_fail(err, WH_E_CANCELED, "interrupted");
    }
    return call->rc;
}

static enum wh_rc perform(struct cli_http_client *client, const struct cli_request *request,
                          const struct wh_httpc_request *http, struct cli_answer *answer,
                          struct wh_err *err)
{
    struct call call = {.request = request, .answer = answer, .err = err};

    if (wh_httpc_start(client->http, http, on_answer, &call, &call.transfer, err) != WH_OK) {
        return err->rc;
    }
    return await(client, &call, err);
}

/* NULL: err says why. */
static struct cli_http_client *client_new(struct wh_err *err)
{
    const struct wh_httpc_conf conf = {.max_connections = 1,
                                       .user_agent = "wellhead-cli",
                                       .connect_timeout_ms = CONNECT_TIMEOUT_MS};
    struct cli_http_client *c = wh_mem_zalloc(1, sizeof(*c));

    if (c == NULL) {
        (void)wh_fail(err, WH_E_NOMEM, "no memory for an HTTP client");
        return NULL;
    }
    c->loop = wh_loop_new();
    if (c->loop == NULL) {
        wh_mem_free(c);
        (void)wh_fail(err, WH_E_NOMEM, "no memory for an event loop");
        return NULL;
    }
    if (wh_httpc_curl_new(c->loop, NULL, &conf, &c->http, err) != WH_OK) {
        wh_loop_free(c->loop);
        wh_mem_free(c);
        return NULL;
    }
    return c;
}

void cli_http_free(struct cli_http *http)
{
    struct cli_http_client *c = http->client;

    if (c) {
        wh_httpc_free(c->http);
        wh_loop_free(c->loop);
        wh_mem_free(c);
        http->client = NULL;
    }
}

static enum wh_rc call_with_token(struct cli_http_client *client, const struct cli_request *request,
                                  const char *token, struct cli_answer *ret, struct wh_err *err)
{
    static const struct wh_httpc_header headers[] = {
        {{"TE", 2}, {"trailers", 8}},
        {{"Content-Type", 12}, {"application/json", 16}},
    };
    WH_AUTO(buf) struct wh_buf url;
    struct wh_httpc_request http;

    wh_buf_init(&url, URL_MAX_BYTES);
    if (wh_buf_printf(&url, err, "%s%.*s", request->base, WH_SLICE_ARG(request->path)) != WH_OK) {
        return err->rc;
    }
    http = (struct wh_httpc_request){
        .method = wh_slice_str(request->method),
        .url = wh_buf_slice(&url),
        .headers = headers,
        .n_headers = request->body.len ? 2 : 1,
        .body = request->body,
        .secret_header = token ? "Authorization: Bearer " : NULL,
        .secret = wh_slice_str(token),
        .on_data = request->on_data ? on_data : NULL,
        .body_max = request->on_data ? SIZE_MAX : CLI_ANSWER_MAX_BYTES,
        .timeout_ms = request->on_data ? 0 : request->timeout_ms,
        .stall_timeout_ms = request->timeout_ms,
    };
    if (perform(client, request, &http, ret, err) != WH_OK) {
        return err->rc == WH_E_IO ? err->rc : wh_err_prefix(err, "%s", request->base);
    }
    return WH_OK;
}

static enum wh_rc call_by_curl(struct cli_http *http, const struct cli_request *request,
                               struct cli_answer *ret, struct wh_err *err)
{
    char *token = NULL;
    enum wh_rc rc;

    ret->status = 0;
    wh_buf_init(&ret->body, CLI_ANSWER_MAX_BYTES);
    if (http->client == NULL) {
        http->client = client_new(err);
    }
    if (http->client == NULL) {
        return err->rc;
    }
    if (request->token_file && request->token_file[0] &&
        wh_conf_secret_read(request->token_file, TOKEN_MAX_BYTES, &token, err) != WH_OK) {
        return err->rc;
    }
    rc = call_with_token(http->client, request, token, ret, err);
    wh_mem_free_secret(token);
    return rc;
}

struct cli_http cli_http_curl(void)
{
    return (struct cli_http){.call = call_by_curl};
}
