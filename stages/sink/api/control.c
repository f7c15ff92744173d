/*
 * Calls of the fetcher's control API for the pages: to connect, to see how far it is, to disconnect. A call is bounded in
 * time and size and runs on the lane's thread, with a loop of its own.
 */
#include <stdio.h>

#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "common/httpc/httpc.h"
#include "stages/sink/api/api_priv.h"

enum {
    URL_MAX_BYTES = 4096,
    TOKEN_MAX_BYTES = 1024,
    CONNECT_TIMEOUT_MS = 2000,
    ANSWER_MAX_BYTES = 4 << 20,
    /* A session of connecting is known to one fetcher; where a name stands for several, another is asked. */
    TRIES_MAX = 8,
};

struct call {
    struct wh_loop *loop;
    struct wh_httpc *http;
    struct api_control *ret;
    struct wh_err err;
    bool done;
};

static void on_answer(void *ctx, const struct wh_httpc_answer *answer)
{
    struct call *call = ctx;

    call->err = answer->err;
    call->err.rc = answer->rc;
    if (answer->rc == WH_OK) {
        call->ret->status = answer->status;
        (void)!wh_buf_append(&call->ret->body, wh_buf_slice(answer->body), &call->err);
    }
    call->done = true;
}

static enum wh_rc perform(struct call *call, const struct wh_httpc_request *request,
                          struct wh_err *err)
{
    if (wh_httpc_start(call->http, request, on_answer, call, NULL, err) != WH_OK) {
        return err->rc;
    }
    while (!call->done) {
        wh_loop_turn(call->loop, true);
    }
    *err = call->err;
    return err->rc;
}

static enum wh_rc with_client(const struct wh_httpc_request *request, struct api_control *ret,
                              struct wh_err *err)
{
    const struct wh_httpc_conf conf = {.max_connections = 1,
                                       .user_agent = "wellhead-sink",
                                       .connect_timeout_ms = CONNECT_TIMEOUT_MS};
    struct call call = {.loop = wh_loop_new(), .ret = ret};
    enum wh_rc rc;

    if (call.loop == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a call of the fetcher");
    }
    rc = wh_httpc_curl_new(call.loop, NULL, &conf, &call.http, err);
    if (rc == WH_OK) {
        rc = perform(&call, request, err);
        wh_httpc_free(call.http);
    }
    wh_loop_free(call.loop);
    return rc;
}

static enum wh_rc with_token(const struct sink_api_conf *conf, const char *method, const char *path,
                             struct wh_slice body, const char *token, struct api_control *ret,
                             struct wh_err *err)
{
    static const struct wh_httpc_header json = {{"Content-Type", 12}, {"application/json", 16}};
    char url[URL_MAX_BYTES];
    int n = snprintf(url, sizeof(url), "%s%s", conf->fetcher_url, path);

    if (n < 0 || n >= URL_MAX_BYTES) {
        return wh_fail(err, WH_E_INVALID, "the address is too long");
    }
    return with_client(&(const struct wh_httpc_request){.method = wh_slice_str(method),
                                                        .url = wh_slice_str(url),
                                                        .headers = &json,
                                                        .n_headers = body.len ? 1 : 0,
                                                        .body = body,
                                                        .secret_header = "Authorization: Bearer ",
                                                        .secret = wh_slice_str(token),
                                                        .body_max = ANSWER_MAX_BYTES,
                                                        .timeout_ms = strcmp(method, "POST") == 0
                                                                          ? API_CONTROL_TIMEOUT_MS
                                                                          : API_CONTROL_LOOK_MS},
                       ret, err);
}

bool api_control_is_there(const struct api_job *job)
{
    return job->api->deps.conf.fetcher_url && job->api->deps.conf.fetcher_url[0];
}

enum wh_rc api_control_call(const struct api_job *job, const char *method, const char *path,
                            struct wh_slice body, struct api_control *ret, struct wh_err *err)
{
    const struct sink_api_conf *conf = &job->api->deps.conf;
    bool session = strncmp(path, "/api/v1/connects/", strlen("/api/v1/connects/")) == 0;
    char *token = NULL;
    enum wh_rc rc = WH_OK;

    *ret = (struct api_control){0};
    wh_buf_init_secret(&ret->body, ANSWER_MAX_BYTES);
    if (!api_control_is_there(job)) {
        return wh_fail(err, WH_E_UNAVAILABLE,
                       "this sink is not told where the fetcher is (fetcher.url)");
    }
    if (wh_conf_secret_read(conf->fetcher_token_file, TOKEN_MAX_BYTES, &token, err) != WH_OK) {
        return wh_err_prefix(err, "fetcher.token_file");
    }
    for (int left = session ? TRIES_MAX : 1; left > 0 && rc == WH_OK; left--) {
        wh_buf_reset(&ret->body);
        rc = with_token(conf, method, path, body, token, ret, err);
        left = ret->status == 404 ? left : 0;
    }
    wh_mem_free_secret(token);
    if (rc != WH_OK) {
        (void)wh_err_prefix(err, "the fetcher does not answer");
        err->rc = WH_E_UNAVAILABLE;
    }
    return rc == WH_OK ? WH_OK : err->rc;
}

void api_control_done(struct api_control *answer)
{
    wh_buf_done(&answer->body);
}
