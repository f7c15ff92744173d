/* Replies, and which status an error has. */
#include <stdio.h>

#include "stages/sink/api/api_priv.h"

enum { BODY_MAX_BYTES = 4096 };

static size_t common_headers(struct wh_http_header out[API_HEADERS_MAX])
{
    out[0] = (struct wh_http_header){WH_LIT("Cache-Control"), WH_LIT("no-store")};
    out[1] = (struct wh_http_header){WH_LIT("X-Content-Type-Options"), WH_LIT("nosniff")};
    return 2;
}

/* A field's value is one line of printable ASCII. */
static struct wh_slice one_line(const char *text, char out[API_REASON_BYTES])
{
    size_t n = 0;

    for (; text[n] && n + 1 < API_REASON_BYTES; n++) {
        out[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
    }
    return wh_slice(out, n);
}

size_t api_result_fields(struct api_job *job, struct wh_http_header out[2])
{
    const char *why = job->err.rc != WH_OK ? job->err.msg : job->cut;
    const char *result = job->err.rc != WH_OK ? "failed" : job->cut ? "truncated" : "complete";

    out[0] = (struct wh_http_header){WH_LIT("Wellhead-Result"), wh_slice_str(result)};
    if (why) {
        out[1] = (struct wh_http_header){WH_LIT("Wellhead-Reason"), one_line(why, job->reason)};
    }
    return why ? 2 : 1;
}

size_t api_job_headers(struct api_job *job, struct wh_http_header out[API_HEADERS_MAX])
{
    size_t n = common_headers(out);

    if (job->link[0]) {
        out[n++] = (struct wh_http_header){WH_LIT("Link"), wh_slice_str(job->link)};
    }
    if (job->replying) {
        out[n++] =
            (struct wh_http_header){WH_LIT("Trailer"), WH_LIT("Wellhead-Result, Wellhead-Reason")};
    } else if (job->has_rows) {
        n += api_result_fields(job, out + n);
    }
    return n;
}

void api_reply(struct wh_http_req *req, unsigned status, const char *type, struct wh_slice body,
               const struct wh_http_header *more, size_t n_more)
{
    struct wh_http_header headers[API_HEADERS_MAX];
    size_t n = common_headers(headers);

    for (size_t i = 0; more && i < n_more && n < API_HEADERS_MAX; i++) {
        headers[n++] = more[i];
    }
    wh_http_reply(req, &(struct wh_http_reply){.status = status,
                                               .content_type = type,
                                               .body = body,
                                               .headers = headers,
                                               .n_headers = n});
}

void api_reply_error(struct wh_http_req *req, unsigned status, const char *code,
                     const char *message, const struct wh_http_header *more)
{
    struct wh_json_writer w;
    struct wh_buf body;
    struct wh_err err;

    wh_buf_init(&body, BODY_MAX_BYTES);
    wh_json_writer_init(&w, &body);
    wh_jw_object(&w);
    wh_jw_key(&w, "ok");
    wh_jw_bool(&w, false);
    wh_jw_key(&w, "error");
    wh_jw_str(&w, wh_slice_str(message));
    wh_jw_key(&w, "code");
    wh_jw_str(&w, wh_slice_str(code));
    wh_jw_key(&w, "status");
    wh_jw_int(&w, (int64_t)status);
    wh_jw_end(&w);
    if (wh_jw_finish(&w, &err) != WH_OK) {
        wh_buf_reset(&body);
    }
    api_reply(req, status, "application/json", wh_buf_slice(&body), more, more ? 1 : 0);
    wh_buf_done(&body);
}

unsigned api_status_of(enum wh_rc rc)
{
    if (rc == WH_E_NOT_FOUND) {
        return 404;
    }
    if (rc == WH_E_TOO_LARGE) {
        return 413;
    }
    if (rc == WH_E_TIMEOUT) {
        return 504;
    }
    if (rc == WH_E_BUSY || rc == WH_E_CANCELED || rc == WH_E_UNAVAILABLE || rc == WH_E_NO_SPACE) {
        return 503;
    }
    /* Refusals of SQL too: the request is wrong, the caller's rights are not in question. */
    return wh_rc_class(rc) == WH_CLASS_POISON ? 400 : 500;
}

void api_reply_failure(struct sink_api *api, struct wh_http_req *req, const struct wh_err *err)
{
    static const struct wh_http_header retry = {{"Retry-After", 11}, {"1", 1}};
    unsigned status = api_status_of(err->rc);

    if (status == 500) {
        wh_log_error(api->deps.log, "a request failed", WH_RC(err));
        api_reply_error(req, status, wh_rc_name(err->rc),
                        "the store could not be read; the sink's log says why", NULL);
        return;
    }
    api_reply_error(req, status, wh_rc_name(err->rc), err->msg, status == 503 ? &retry : NULL);
}
