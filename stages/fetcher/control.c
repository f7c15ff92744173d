#include "stages/fetcher/control.h"

#include "common/base/mem.h"
#include "common/run/token_file.h"
#include "stages/fetcher/connect.h"
#include "stages/fetcher/leave.h"

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

static void accepted(struct wh_http_req *req)
{
    wh_http_reply(req, &(struct wh_http_reply){.status = 202,
                                               .content_type = "application/json",
                                               .body = WH_LIT("{\"ok\":true}\n")});
}

enum run_wish { WISH_SYNC, WISH_VERIFY, WISH_CONFIRM };

static void sync_now(struct control *c, struct wh_http_req *req, struct wh_slice id,
                     enum run_wish wish)
{
    struct conn *conn = fetcher_find(c->f, id);
    struct wh_err err;

    if (conn == NULL) {
        wh_http_reply_error(req, 404, "no such connection; GET /api/v1/connections lists them", 0);
        return;
    }
    if (conn->stopped) {
        wh_http_reply_error(req, 409, "it is disconnected; connect again to read it", 0);
        return;
    }
    if (conn_run_everywhere(conn, wish == WISH_VERIFY, wish == WISH_CONFIRM, &err) != WH_OK) {
        wh_http_reply_error(req, 503, err.msg, 5);
        return;
    }
    accepted(req);
}

/* Disconnect or purge; what comes of it is in the list of connections. */
static void leave(struct control *c, struct wh_http_req *req, struct wh_slice id,
                  enum wh_rc (*how)(struct conn *c, struct wh_err *err))
{
    struct conn *conn = fetcher_find(c->f, id);
    struct wh_err err;

    if (conn == NULL) {
        wh_http_reply_error(req, 404, "no such connection; GET /api/v1/connections lists them", 0);
    } else if (how(conn, &err) != WH_OK) {
        wh_http_reply_error(req, err.rc == WH_E_BUSY ? 409 : 503, err.msg, 0);
    } else {
        accepted(req);
    }
}

/* "<before>ID<after>" */
static bool path_with_id(struct wh_slice path, const char *before, const char *after,
                         struct wh_slice *ret_id)
{
    size_t n = strlen(after);
    struct wh_slice rest;

    if (!wh_slice_starts(path, wh_slice_str(before))) {
        return false;
    }
    rest = wh_slice_from(path, strlen(before));
    if (rest.len <= n || memcmp(rest.ptr + rest.len - n, after, n) != 0) {
        return false;
    }
    *ret_id = wh_slice(rest.ptr, rest.len - n);
    return memchr(ret_id->ptr, '/', ret_id->len) == NULL;
}

static void route(struct control *c, struct wh_http_req *req, bool get, bool post)
{
    static const char connects[] = "/api/v1/connects/";
    struct wh_slice path = wh_http_path(req);
    struct wh_slice id;

    if (post && wh_slice_eq(path, WH_LIT("/api/v1/connections"))) {
        connect_begin(c->f, req);
    } else if (post && path_with_id(path, "/api/v1/connections/", "/sync", &id)) {
        sync_now(c, req, id, WISH_SYNC);
    } else if (post && path_with_id(path, "/api/v1/connections/", "/verify", &id)) {
        sync_now(c, req, id, WISH_VERIFY);
    } else if (post && path_with_id(path, "/api/v1/connections/", "/confirm-deletes", &id)) {
        sync_now(c, req, id, WISH_CONFIRM);
    } else if (post && path_with_id(path, "/api/v1/connections/", "/disconnect", &id)) {
        leave(c, req, id, leave_disconnect);
    } else if (post && path_with_id(path, "/api/v1/connections/", "/purge", &id)) {
        leave(c, req, id, leave_purge);
    } else if (post && path_with_id(path, connects, "/redirect", &id)) {
        connect_pasted(c->f, req, id);
    } else if (get && path_with_id(path, connects, "", &id)) {
        connect_show(c->f, req, id);
    } else {
        wh_http_reply_error(req, 404,
                            "no such call; there are GET and POST /api/v1/connections, POST "
                            "/api/v1/connections/<id>/sync, .../verify, .../confirm-deletes, "
                            ".../disconnect and .../purge, GET "
                            "/api/v1/connects/<session> and "
                            "GET /api/v1/status",
                            0);
    }
}

static void on_request(void *ctx, struct wh_http_req *req)
{
    static const struct wh_http_header challenge = {{"WWW-Authenticate", 16}, {"Bearer", 6}};
    struct control *c = ctx;
    struct wh_slice path = wh_http_path(req);
    bool get = wh_slice_eq(wh_http_method(req), WH_LIT("GET"));
    bool post = wh_slice_eq(wh_http_method(req), WH_LIT("POST"));

    if (get && wh_slice_eq(path, WH_LIT("/oauth/callback")) && c->f->connects) {
        connect_redirected(c->f, req);
        return;
    }
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
    } else {
        route(c, req, get, post);
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
