/*
 * Answers without a bound: jobs with a flow. Such a job lives until its lane has ended and the server
 * has sent what the flow held, in whichever order.
 */
#include "stages/sink/api/api_priv.h"

enum { STALL_MS = 30000, WAIT_MAX_MS = 600000 };
static const int64_t live_wait_max_ms = INT64_C(1) << 40; /* 35 years */

static void join(struct api_job *job)
{
    job->next = job->api->streams;
    if (job->next) {
        job->next->prev = job;
    }
    job->api->streams = job;
}

void api_stream_leave(struct api_job *job)
{
    if (job->out.flow == NULL) {
        return;
    }
    if (job->prev) {
        job->prev->next = job->next;
    } else if (job->api) {
        job->api->streams = job->next;
    }
    if (job->next) {
        job->next->prev = job->prev;
    }
    api_flow_free(job->out.flow);
    job->out.flow = NULL;
}

void api_stream_submit(struct api_job *job)
{
    const int64_t stall_ms = job->api->deps.conf.stall_ms;
    const struct api_flow_conf conf = {.stall_ms = stall_ms ? stall_ms : STALL_MS,
                                       .wait_max_ms = job->live ? live_wait_max_ms : WAIT_MAX_MS};

    job->out.flow = api_flow_new(job->api->flow_wake, &conf);
    if (job->out.flow == NULL) {
        (void)wh_fail(&job->err, WH_E_UNAVAILABLE, "out of memory");
        api_job_settle(job);
        return;
    }
    join(job);
    api_job_submit(job, job->live ? API_LIVE : API_STREAMS);
}

/* ---- the server reads ---- */

/*
 * A client that reads trailers learns from them what went wrong; any other one sees a broken body. A live
 * stream says it in its last event.
 */
static enum wh_rc end_of(const struct api_job *job, struct wh_buf *out, bool *ret_end,
                         struct wh_err *err)
{
    if (job->live) {
        *ret_end = true;
        return api_changes_end(job, out, err);
    }
    if (job->err.rc == WH_OK || job->request.trailers) {
        *ret_end = true;
        return WH_OK;
    }
    *err = job->err;
    return err->rc;
}

static enum wh_rc flow_fill(void *ctx, struct wh_buf *out, size_t max, bool *ret_end,
                            struct wh_err *err)
{
    struct api_job *job = ctx;
    size_t n;

    if (wh_buf_reserve(out, max, err) != WH_OK) {
        return err->rc;
    }
    n = api_flow_read(job->out.flow, out->ptr + out->len, max);
    out->len += n;
    out->ptr[out->len] = 0;
    return n == 0 && job->task_over ? end_of(job, out, ret_end, err) : WH_OK;
}

static size_t flow_trailers(void *ctx, struct wh_http_header out[WH_HTTP_TRAILERS_MAX])
{
    struct api_job *job = ctx;

    return api_result_fields(job, out);
}

static void flow_done(void *ctx)
{
    struct api_job *job = ctx;

    job->replying = false;
    if (job->http) {
        wh_http_set_user(job->http, NULL);
        job->http = NULL;
    }
    atomic_store(&job->canceled, true);
    api_flow_close(job->out.flow);
    if (job->task_over) {
        api_job_free(job);
    }
}

static void begin(struct api_job *job)
{
    struct wh_http_header headers[API_HEADERS_MAX];
    struct wh_http_stream stream = {
        .fill = flow_fill, .done = flow_done, .ctx = job, .trailers = flow_trailers};

    job->replying = true;
    stream.headers = headers;
    stream.n_headers = api_job_headers(job, headers);
    wh_http_reply_stream(job->http, 200, job->content_type, &stream);
}

void api_streams_serve(void *ctx)
{
    struct sink_api *api = ctx;
    struct api_job *next;

    for (struct api_job *job = api->streams; job; job = next) {
        next = job->next;
        if (job->replying && job->http) {
            wh_http_stream_more(job->http);
        } else if (job->http && (job->live || api_flow_overflowed(job->out.flow))) {
            begin(job);
        }
    }
}

void api_stream_settle(struct api_job *job)
{
    job->task_over = true;
    if (job->err.rc != WH_OK && job->err.rc != WH_E_CANCELED) {
        wh_log_warn(job->api->deps.log, "a streamed answer ended early", WH_RC(&job->err));
    }
    if (job->http) {
        wh_http_stream_more(job->http);
    }
}

void api_streams_close(struct sink_api *api)
{
    for (struct api_job *job = api->streams; job; job = job->next) {
        atomic_store(&job->canceled, true);
        api_flow_close(job->out.flow);
    }
}

void api_streams_forget(struct sink_api *api)
{
    for (struct api_job *job = api->streams; job; job = job->next) {
        job->api = NULL;
    }
}
