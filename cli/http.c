#include <string.h>

#include "cli/cli.h"
#include "common/base/mem.h"
#include "common/httpc/httpc.h"

enum { ANSWER_MAX_BYTES = 256 << 20, TOKEN_MAX_BYTES = 1024, URL_MAX_BYTES = 16384 };

/* One call in flight. */
struct call {
    struct wh_loop *loop;
    struct cli_answer *answer;
    struct wh_err *err;
    enum wh_rc rc;
    bool done;
};

static void on_answer(void *ctx, const struct wh_httpc_answer *answer)
{
    struct call *call = ctx;

    call->rc = answer->rc;
    if (answer->rc != WH_OK) {
        *call->err = answer->err;
    } else {
        call->answer->status = answer->status;
        call->rc = wh_buf_append(&call->answer->body, wh_buf_slice(answer->body), call->err);
    }
    call->done = true;
}

static enum wh_rc perform(struct wh_loop *loop, struct wh_httpc *http,
                          const struct wh_httpc_request *request, struct cli_answer *answer,
                          struct wh_err *err)
{
    struct call call = {.loop = loop, .answer = answer, .err = err};

    if (wh_httpc_start(http, request, on_answer, &call, NULL, err) != WH_OK) {
        return err->rc;
    }
    while (!call.done) {
        wh_loop_turn(loop, true);
    }
    return call.rc;
}

static enum wh_rc with_client(const struct wh_httpc_request *request, struct cli_answer *answer,
                              struct wh_err *err)
{
    const struct wh_httpc_conf conf = {
        .max_connections = 1, .user_agent = "wellhead-cli", .connect_timeout_ms = 5000};
    struct wh_loop *loop = wh_loop_new();
    struct wh_httpc *http = NULL;
    enum wh_rc rc;

    if (loop == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an event loop");
    }
    rc = wh_httpc_curl_new(loop, NULL, &conf, &http, err);
    if (rc == WH_OK) {
        rc = perform(loop, http, request, answer, err);
    }
    wh_httpc_free(http);
    wh_loop_free(loop);
    return rc;
}

enum wh_rc cli_http(struct cli *cli, const char *method, const char *base, struct wh_slice path,
                    const char *token_file, struct wh_slice body, struct cli_answer *ret,
                    struct wh_err *err)
{
    static const struct wh_httpc_header json = {{"Content-Type", 12}, {"application/json", 16}};
    int64_t timeout_ms = cli->opt.timeout_ms ? cli->opt.timeout_ms + 5000 : cli->conf.timeout_ms;
    WH_AUTO(buf) struct wh_buf url;
    struct wh_httpc_request request;
    char *secret = NULL;
    enum wh_rc rc;

    wh_buf_init(&url, URL_MAX_BYTES);
    wh_buf_init(&ret->body, ANSWER_MAX_BYTES);
    ret->status = 0;
    if (wh_buf_printf(&url, err, "%s%.*s", base, WH_SLICE_ARG(path)) != WH_OK) {
        return err->rc;
    }
    if (token_file && token_file[0] &&
        wh_conf_secret_read(token_file, TOKEN_MAX_BYTES, &secret, err) != WH_OK) {
        return err->rc;
    }
    request = (struct wh_httpc_request){
        .method = wh_slice_str(method),
        .url = wh_buf_slice(&url),
        .headers = &json,
        .n_headers = body.len ? 1 : 0,
        .body = body,
        .secret_header = secret ? "Authorization: Bearer " : NULL,
        .secret = wh_slice_str(secret),
        .body_max = ANSWER_MAX_BYTES,
        .timeout_ms = timeout_ms,
        .stall_timeout_ms = timeout_ms,
    };
    rc = with_client(&request, ret, err);
    if (secret) {
        wh_mem_wipe(secret, strlen(secret));
        wh_mem_free(secret);
    }
    return rc == WH_OK ? WH_OK : wh_err_prefix(err, "%s %s", method, base);
}

int cli_fail(const struct cli *cli, const char *doing, const struct wh_err *err)
{
    const char *hint = "";

    (void)cli;
    if (err->rc == WH_E_NET) {
        hint = "\n  is that process running? `wellhead doctor` checks every part";
    }
    (void)fprintf(stderr, "wellhead: %s: %s%s\n", doing, err->msg, hint);
    if (err->rc == WH_E_TIMEOUT) {
        return CLI_TIMED_OUT;
    }
    return err->rc == WH_E_UNAVAILABLE || err->rc == WH_E_BUSY ? CLI_TRY_LATER : CLI_FAILED;
}

static int exit_of_status(unsigned status)
{
    switch (status) {
    case 401:
    case 403:
        return CLI_SIGN_IN;
    case 404:
        return CLI_NOTHING;
    case 429:
    case 503:
        return CLI_TRY_LATER;
    case 504:
        return CLI_TIMED_OUT;
    default:
        return CLI_FAILED;
    }
}

int cli_fail_answer(const struct cli *cli, const char *doing, const struct cli_answer *answer)
{
    struct wh_json_parser *parser = wh_json_parser_new(ANSWER_MAX_BYTES, 64);
    struct wh_slice text = WH_LIT("");
    struct wh_json_val root;
    struct wh_err err;

    (void)cli;
    if (parser && wh_json_parse(parser, wh_buf_slice(&answer->body), &root, &err) == WH_OK) {
        text = cli_get_str(root, "error");
    }
    (void)fprintf(stderr, "wellhead: %s: %.*s (HTTP %u)\n", doing, WH_SLICE_ARG(text),
                  answer->status);
    wh_json_parser_free(parser);
    return exit_of_status(answer->status);
}
