/* Replies, and which status an error has. */
#include <stdio.h>

#include "stages/sink/api/api_priv.h"

enum { HEADERS_MAX = 4, BODY_MAX_BYTES = 4096 };

void api_reply(struct wh_http_req *req, unsigned status, const char *type, struct wh_slice body,
               const struct wh_http_header *more, size_t n_more)
{
    struct wh_http_header headers[HEADERS_MAX] = {
        {WH_LIT("Cache-Control"), WH_LIT("no-store")},
        {WH_LIT("X-Content-Type-Options"), WH_LIT("nosniff")},
    };
    size_t n = 2;

    for (size_t i = 0; more && i < n_more && n < HEADERS_MAX; i++) {
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
