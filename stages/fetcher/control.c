#include "stages/fetcher/control.h"

#include "common/base/mem.h"
#include "common/run/token_file.h"

enum { ANSWER_MAX_BYTES = 16 << 20 };

struct control {
    struct fetcher *f;
    char token[WH_TOKEN_TEXT + 1];
};

enum wh_rc control_new(struct fetcher *f, const char *token_file, struct control **ret,
                       struct wh_err *err)
{
    struct control *c = wh_mem_zalloc(1, sizeof(*c));

    if (c == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the control API");
    }
    c->f = f;
    if (wh_token_file_load(token_file, c->token, err) != WH_OK) {
        wh_mem_free(c);
        return err->rc;
    }
    *ret = c;
    return WH_OK;
}

void control_free(struct control *c)
{
    if (c) {
        wh_mem_wipe(c->token, sizeof(c->token));
        wh_mem_free(c);
    }
}

static void reply_status(struct control *c, struct wh_http_req *req, bool full)
{
    struct wh_buf out;
    struct wh_err err = {0};
    size_t len;
    char *bytes;

    wh_buf_init(&out, ANSWER_MAX_BYTES);
    status_write(c->f, &out, full, &err);
    if (err.rc != WH_OK) {
        wh_buf_done(&out);
        wh_http_reply_error(req, 500, err.msg, 0);
        return;
    }
    bytes = wh_buf_take(&out, &len);
    wh_http_reply(req, &(struct wh_http_reply){.status = 200,
                                               .content_type = "application/json",
                                               .body = wh_slice(bytes, len),
                                               .body_taken = true});
}

static void sync_now(struct control *c, struct wh_http_req *req, struct wh_slice id)
{
    struct conn *conn = fetcher_find(c->f, id);

    if (conn == NULL) {
        wh_http_reply_error(req, 404, "no such connection; GET /api/v1/connections lists them", 0);
        return;
    }
    conn_run(conn);
    wh_http_reply(req, &(struct wh_http_reply){.status = 202,
                                               .content_type = "application/json",
                                               .body = WH_LIT("{\"ok\":true}\n")});
}

static bool sync_path(struct wh_slice path, struct wh_slice *ret_id)
{
    static const char before[] = "/api/v1/connections/";
    static const char after[] = "/sync";
    struct wh_slice rest;

    if (!wh_slice_starts(path, wh_slice_str(before))) {
        return false;
    }
    rest = wh_slice_from(path, sizeof(before) - 1);
    if (rest.len <= sizeof(after) - 1 ||
        memcmp(rest.ptr + rest.len - (sizeof(after) - 1), after, sizeof(after) - 1) != 0) {
        return false;
    }
    *ret_id = wh_slice(rest.ptr, rest.len - (sizeof(after) - 1));
    return true;
}

static void on_request(void *ctx, struct wh_http_req *req)
{
    static const struct wh_http_header challenge = {{"WWW-Authenticate", 16}, {"Bearer", 6}};
    struct control *c = ctx;
    struct wh_slice path = wh_http_path(req);
    bool get = wh_slice_eq(wh_http_method(req), WH_LIT("GET"));
    bool post = wh_slice_eq(wh_http_method(req), WH_LIT("POST"));
    struct wh_slice id;

    if (!wh_token_fits(c->token, wh_http_header(req, "Authorization"))) {
        wh_http_reply(req, &(struct wh_http_reply){
                               .status = 401,
                               .content_type = "application/json",
                               .body = WH_LIT("{\"ok\":false,\"status\":401,\"error\":\"send the "
                                              "fetcher's control token (control.token_file) as "
                                              "a bearer token\"}\n"),
                               .headers = &challenge,
                               .n_headers = 1});
    } else if (get && wh_slice_eq(path, WH_LIT("/api/v1/connections"))) {
        reply_status(c, req, false);
    } else if (get && wh_slice_eq(path, WH_LIT("/api/v1/status"))) {
        reply_status(c, req, true);
    } else if (!c->f->caught_up || c->f->draining) {
        wh_http_reply_error(req, 503, "not ready yet; try again", 1);
    } else if (post && wh_slice_eq(path, WH_LIT("/api/v1/connections"))) {
        connect_begin(c->f, req);
    } else if (post && sync_path(path, &id)) {
        sync_now(c, req, id);
    } else {
        wh_http_reply_error(req, 404,
                            "no such call; there are GET and POST /api/v1/connections, POST "
                            "/api/v1/connections/<id>/sync and GET /api/v1/status",
                            0);
    }
}

static void on_done(void *ctx, struct wh_http_req *req)
{
    (void)ctx;
    connect_forget(req);
}

struct wh_http_handler control_handler(struct control *c)
{
    return (struct wh_http_handler){.on_request = on_request, .on_done = on_done, .ctx = c};
}
