#include "common/httpd/http.h"

#include <stdio.h>

#include "common/json/json_write.h"

enum { ERROR_MAX_BYTES = 4096 };

void wh_http_reply_error(struct wh_http_req *req, unsigned status, const char *message,
                         unsigned retry_after_s)
{
    char seconds[16];
    const struct wh_http_header retry = {WH_LIT("Retry-After"), wh_slice(seconds, 0)};
    struct wh_http_header headers[1] = {retry};
    struct wh_json_writer w;
    struct wh_buf body;
    struct wh_err err;
    size_t len;
    char *bytes;

    (void)snprintf(seconds, sizeof(seconds), "%u", retry_after_s);
    headers[0].value = wh_slice_str(seconds);
    wh_buf_init(&body, ERROR_MAX_BYTES);
    wh_json_writer_init(&w, &body);
    wh_jw_object(&w);
    wh_jw_put_bool(&w, "ok", false);
    wh_jw_put_str(&w, "error", wh_slice_str(message));
    wh_jw_put_int(&w, "status", status);
    wh_jw_end(&w);
    if (wh_jw_finish(&w, &err) != WH_OK) {
        wh_buf_reset(&body);
    }
    bytes = wh_buf_take(&body, &len);
    wh_http_reply(req, &(struct wh_http_reply){.status = status,
                                               .content_type = "application/json",
                                               .body = wh_slice(bytes, len),
                                               .body_taken = true,
                                               .headers = headers,
                                               .n_headers = retry_after_s ? 1 : 0});
}

void wh_http_reply_written(struct wh_http_req *req, unsigned status, struct wh_json_writer *w)
{
    struct wh_err err;

    if (wh_jw_finish(w, &err) != WH_OK) {
        wh_buf_done(w->out);
        wh_http_reply_error(req, 500, err.msg, 0);
        return;
    }
    wh_http_reply_json(req, status, w->out);
}
