/* Jobs: requests that a lane answers, and how their answers go out. */
#include "common/base/mem.h"
#include "stages/sink/api/api_priv.h"

enum { ARENA_BLOCK_BYTES = 8 << 10, ARENA_MAX_BYTES = 64 << 20 };

void api_job_free(struct api_job *job)
{
    api_stream_leave(job);
    api_spool_done(&job->out);
    wh_arena_done(&job->arena);
    wh_mem_free(job);
}

static void work(void *ctx)
{
    struct api_job *job = ctx;
    struct wh_err err = {0};

    if (job->answer(job, &err) != WH_OK) {
        job->err = err;
    }
    /* A client that reads trailers gets a complete message also of a failed stream. */
    if (api_spool_end(&job->out, &err) != WH_OK && job->err.rc == WH_OK) {
        job->err = err;
    }
}

enum wh_rc api_capture(struct api_job *job,
                       enum wh_rc (*answer)(struct api_job *job, struct wh_err *err),
                       const struct api_arg *args, size_t n, struct wh_buf *out, struct wh_err *err)
{
    const struct api_request asked = job->request;
    const char *type = job->content_type;
    const unsigned status = job->status;
    struct api_spool kept = job->out;
    enum wh_rc rc;

    api_spool_init(&job->out, job->api->deps.conf.data_path);
    rc = api_set_args(job, args, n, err);
    if (rc == WH_OK) {
        job->request.method = WH_LIT("GET");
        job->request.accept = WH_LIT("application/json");
        rc = answer(job, err);
    }
    if (rc == WH_OK && job->wants_flow) {
        rc = wh_fail(err, WH_E_TOO_LARGE, "more rows than one answer has; ask for fewer");
    }
    if (rc == WH_OK && api_spool_end(&job->out, err) != WH_OK) {
        rc = err->rc;
    }
    if (rc == WH_OK) {
        rc = job->out.fd >= 0 ? wh_fail(err, WH_E_TOO_LARGE, "the answer is too long")
                              : wh_buf_append(out, wh_buf_slice(&job->out.memory), err);
    }
    api_spool_done(&job->out);
    job->out = kept;
    job->request = asked;
    job->content_type = type;
    job->part_status = job->status == status ? 200 : job->status;
    job->status = status;
    job->wants_flow = false;
    job->has_rows = false;
    job->cut = NULL;
    job->link[0] = 0;
    return rc;
}

static enum wh_rc stream_fill(void *ctx, struct wh_buf *out, size_t max, bool *ret_end,
                              struct wh_err *err)
{
    struct api_job *job = ctx;
    size_t n = 0;

    if (wh_buf_reserve(out, max, err) != WH_OK ||
        api_spool_read(&job->out, job->sent, out->ptr + out->len, max, &n, err) != WH_OK) {
        return err->rc;
    }
    out->len += n;
    out->ptr[out->len] = 0;
    job->sent += (int64_t)n;
    *ret_end = job->sent >= api_spool_bytes(&job->out);
    return WH_OK;
}

static void stream_done(void *ctx)
{
    api_job_free(ctx);
}

static void send_answer(struct api_job *job)
{
    struct wh_http_header headers[API_HEADERS_MAX];
    struct wh_http_req *req = job->http;
    struct wh_slice body =
        job->out.flow ? api_flow_whole(job->out.flow) : wh_buf_slice(&job->out.memory);
    size_t n = api_job_headers(job, headers);

    wh_http_set_user(req, NULL);
    if (job->out.fd >= 0) {
        const struct wh_http_stream stream = {.fill = stream_fill,
                                              .done = stream_done,
                                              .ctx = job,
                                              .length = (uint64_t)api_spool_bytes(&job->out),
                                              .headers = headers,
                                              .n_headers = n};

        wh_http_reply_stream(req, 200, job->content_type, &stream);
        return;
    }
    if (job->status && job->status != 200) {
        wh_http_reply(req, &(struct wh_http_reply){.status = job->status,
                                                   .content_type = job->content_type,
                                                   .body = body,
                                                   .headers = headers,
                                                   .n_headers = n});
    } else {
        api_reply_answer(req, job->content_type, body, headers, n);
    }
    api_job_free(job);
}

void api_job_settle(void *ctx)
{
    struct api_job *job = ctx;

    if (job->replying) {
        api_stream_settle(job);
    } else if (job->http == NULL) {
        api_job_free(job);
    } else if (job->err.rc != WH_OK) {
        wh_http_set_user(job->http, NULL);
        api_reply_failure(job->api, job->http, &job->err);
        api_job_free(job);
    } else if (job->wants_flow && job->out.flow == NULL) {
        api_stream_submit(job);
    } else {
        send_answer(job);
    }
}

void api_job_submit(struct api_job *job, enum api_lane_of lane)
{
    struct wh_err err;

    job->task = (struct api_task){.work = work, .done = api_job_settle, .ctx = job};
    if (job->submitted_ns == 0) {
        job->submitted_ns = wh_clock_mono_ns(&job->api->deps.clock);
    }
    if (api_lane_submit(job->api->lanes[lane], &job->task, &err) != WH_OK) {
        if (lane == API_LIVE) {
            (void)wh_fail(&err, WH_E_BUSY,
                          "%d streams of changes are open, as many as may be; close one, or try "
                          "again later",
                          API_LIVE_MAX);
        }
        job->err = err;
        api_job_settle(job);
    }
}

struct api_job *api_job_new(struct sink_api *api, struct wh_http_req *req, struct wh_err *err)
{
    struct api_job *job;

    if (api->draining) {
        (void)wh_fail(err, WH_E_UNAVAILABLE, "this sink is stopping");
        return NULL;
    }
    job = wh_mem_zalloc(1, sizeof(*job));
    if (job == NULL) {
        (void)wh_fail(err, WH_E_UNAVAILABLE, "out of memory");
        return NULL;
    }
    job->api = api;
    job->http = req;
    job->content_type = "application/json";
    wh_arena_init(&job->arena, ARENA_BLOCK_BYTES, ARENA_MAX_BYTES);
    api_spool_init(&job->out, api->deps.conf.data_path);
    if (api_copy_request(job, err) != WH_OK) {
        api_job_free(job);
        return NULL;
    }
    return job;
}
