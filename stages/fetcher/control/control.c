#include "stages/fetcher/control/control.h"

#include "common/base/mem.h"
#include "common/run/token_file.h"
#include "stages/fetcher/control/connect.h"
#include "stages/fetcher/conn/leave.h"
#include "stages/fetcher/conn/purge.h"
#include "stages/fetcher/conn/rotate.h"
#include "stages/fetcher/conn/run_request.h"
#include "stages/fetcher/conn/status.h"

enum {
    ANSWER_MAX_BYTES = 16 << 20,
    CONNECT_BODY_MAX = 64 << 10,  /* an address, a token, and ids of projects */
    REDIRECT_BODY_MAX = 32 << 10, /* an address that was pasted */
};

struct control {
    struct fetcher *f;
    struct connects *connects; /* NULL once the stage drains */
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
    c->connects = connects_new(f);
    if (c->connects == NULL) {
        control_free(c);
        return wh_fail(err, WH_E_NOMEM, "no memory for the control API");
    }
    if (wh_token_file_load(token_file, c->token, err) != WH_OK) {
        control_free(c);
        return err->rc;
    }
    *ret = c;
    return WH_OK;
}

void control_drain(struct control *c)
{
    connects_free(c->connects);
    c->connects = NULL;
}

void control_free(struct control *c)
{
    if (c) {
        control_drain(c);
        wh_mem_wipe(c->token, sizeof(c->token));
        wh_mem_free(c);
    }
}

static void reply_status(struct control *c, struct wh_http_req *req, bool full)
{
    struct wh_json_writer w;
    struct wh_buf out;

    wh_buf_init(&out, ANSWER_MAX_BYTES);
    wh_json_writer_init(&w, &out);
    status_write(c->f, &w, full);
    wh_http_reply_written(req, 200, &w);
}

static void accepted(struct wh_http_req *req)
{
    wh_http_reply(req, &(struct wh_http_reply){.status = 202,
                                               .content_type = "application/json",
                                               .body = WH_LIT("{\"ok\":true}\n")});
}

static struct conn *find_conn(struct control *c, struct wh_http_req *req, struct wh_slice id)
{
    struct conn *conn = fetcher_find(c->f, id);

    if (conn == NULL) {
        wh_http_reply_error(req, 404, "no such connection; GET /api/v1/connections lists them", 0);
    }
    return conn;
}

static void run_now(struct control *c, struct wh_http_req *req, struct wh_slice id, bool verify,
                    bool confirm)
{
    struct conn *conn = find_conn(c, req, id);
    struct wh_err err;

    if (conn == NULL) {
        return;
    }
    if (run_request(conn, verify, confirm, &err) != WH_OK) {
        bool left = err.rc == WH_E_CANCELED;

        wh_http_reply_error(req, left ? 409 : 503, err.msg, left ? 0 : 5);
        return;
    }
    accepted(req);
}

/* Disconnects or purges; the list of connections shows the result. */
static void leave(struct control *c, struct wh_http_req *req, struct wh_slice id,
                  enum wh_rc (*how)(struct conn *c, struct wh_err *err))
{
    struct conn *conn = find_conn(c, req, id);
    struct wh_err err;

    if (conn == NULL) {
        return;
    }
    if (how(conn, &err) != WH_OK) {
        wh_http_reply_error(req, err.rc == WH_E_BUSY ? 409 : 503, err.msg, 0);
    } else {
        accepted(req);
    }
}

/* Replies with the progress of a key rotation. */
static void reply_keys(struct control *c, struct wh_http_req *req, unsigned status)
{
    struct wh_json_writer w;
    struct wh_buf out;

    wh_buf_init(&out, ANSWER_MAX_BYTES);
    wh_json_writer_init(&w, &out);
    wh_jw_object(&w);
    wh_jw_put_bool(&w, "ok", true);
    rotation_write(fetcher_rotation(c->f), &w);
    wh_jw_end(&w);
    wh_http_reply_written(req, status, &w);
}

/* ---- routes ---- */

static void answer_keys(struct control *c, struct wh_http_req *req, struct wh_slice id)
{
    (void)id;
    reply_keys(c, req, 200);
}

static void answer_rotate(struct control *c, struct wh_http_req *req, struct wh_slice id)
{
    struct wh_err err;

    (void)id;
    if (rotation_begin(fetcher_rotation(c->f), &err) != WH_OK) {
        wh_http_reply_error(req, 409, err.msg, 0);
        return;
    }
    reply_keys(c, req, 202);
}

static void answer_list(struct control *c, struct wh_http_req *req, struct wh_slice id)
{
    (void)id;
    reply_status(c, req, false);
}

static void answer_status(struct control *c, struct wh_http_req *req, struct wh_slice id)
{
    (void)id;
    reply_status(c, req, true);
}

static void answer_callback(struct control *c, struct wh_http_req *req, struct wh_slice id)
{
    (void)id;
    connect_redirected(c->connects, req);
}

static void answer_connect(struct control *c, struct wh_http_req *req, struct wh_slice id)
{
    (void)id;
    connect_begin(c->connects, req);
}

static void answer_show(struct control *c, struct wh_http_req *req, struct wh_slice id)
{
    connect_show(c->connects, req, id);
}

static void answer_redirect(struct control *c, struct wh_http_req *req, struct wh_slice id)
{
    connect_pasted(c->connects, req, id);
}

static void answer_sync(struct control *c, struct wh_http_req *req, struct wh_slice id)
{
    run_now(c, req, id, false, false);
}

static void answer_verify(struct control *c, struct wh_http_req *req, struct wh_slice id)
{
    run_now(c, req, id, true, false);
}

static void answer_confirm(struct control *c, struct wh_http_req *req, struct wh_slice id)
{
    run_now(c, req, id, false, true);
}

static void answer_disconnect(struct control *c, struct wh_http_req *req, struct wh_slice id)
{
    leave(c, req, id, leave_disconnect);
}

static void answer_purge(struct control *c, struct wh_http_req *req, struct wh_slice id)
{
    leave(c, req, id, purge_begin);
}

enum route_kind {
    ROUTE_USUAL,
    ROUTE_OPEN,     /* needs no token, because the browser of the person who approves has none */
    ROUTE_ANY_TIME, /* is answered even while the fetcher catches up or drains */
};

struct route {
    const char *method;
    const char *before;
    const char *after; /* an id comes between the two; NULL: the path is `before` */
    enum route_kind kind;
    size_t body_max; /* bytes; 0: the route takes no body */
    void (*answer)(struct control *c, struct wh_http_req *req, struct wh_slice id);
};

#define CONNECTIONS "/api/v1/connections"
#define CONNECTS "/api/v1/connects/"
static const struct route routes[] = {
    {"GET", "/oauth/callback", NULL, ROUTE_OPEN, 0, answer_callback},
    {"GET", CONNECTIONS, NULL, ROUTE_ANY_TIME, 0, answer_list},
    {"GET", "/api/v1/status", NULL, ROUTE_ANY_TIME, 0, answer_status},
    {"POST", CONNECTIONS, NULL, ROUTE_USUAL, CONNECT_BODY_MAX, answer_connect},
    {"POST", CONNECTIONS "/", "/sync", ROUTE_USUAL, 0, answer_sync},
    {"POST", CONNECTIONS "/", "/verify", ROUTE_USUAL, 0, answer_verify},
    {"POST", CONNECTIONS "/", "/confirm-deletes", ROUTE_USUAL, 0, answer_confirm},
    {"POST", CONNECTIONS "/", "/disconnect", ROUTE_USUAL, 0, answer_disconnect},
    {"POST", CONNECTIONS "/", "/purge", ROUTE_USUAL, 0, answer_purge},
    {"GET", "/api/v1/keys", NULL, ROUTE_USUAL, 0, answer_keys},
    {"POST", "/api/v1/keys/rotate", NULL, ROUTE_USUAL, 0, answer_rotate},
    {"POST", CONNECTS, "/redirect", ROUTE_USUAL, REDIRECT_BODY_MAX, answer_redirect},
    {"GET", CONNECTS, "", ROUTE_USUAL, 0, answer_show},
};

/* The path is "<before>ID<after>". */
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

static bool route_fits(const struct route *route, const struct wh_http_req *req,
                       struct wh_slice *ret_id)
{
    struct wh_slice path = wh_http_path(req);

    if (!wh_slice_eq(wh_http_method(req), wh_slice_str(route->method))) {
        return false;
    }
    *ret_id = wh_slice("", 0);
    return route->after ? path_with_id(path, route->before, route->after, ret_id)
                        : wh_slice_eq(path, wh_slice_str(route->before));
}

static const struct route *find_route(const struct control *c, const struct wh_http_req *req,
                                      struct wh_slice *ret_id)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (route_fits(&routes[i], req, ret_id)) {
            return routes[i].kind == ROUTE_OPEN && c->connects == NULL ? NULL : &routes[i];
        }
    }
    return NULL;
}

static void ask_for_token(struct wh_http_req *req)
{
    static const struct wh_http_header challenge = {{"WWW-Authenticate", 16}, {"Bearer", 6}};

    wh_http_reply(req, &(struct wh_http_reply){
                           .status = 401,
                           .content_type = "application/json",
                           .body = WH_LIT("{\"ok\":false,\"status\":401,\"error\":\"send the "
                                          "fetcher's control token (control.token_file) as "
                                          "a bearer token\"}\n"),
                           .headers = &challenge,
                           .n_headers = 1});
}

static void refuse_path(struct wh_http_req *req)
{
    wh_http_reply_error(req, 404,
                        "no such call; there are GET and POST /api/v1/connections, POST "
                        "/api/v1/connections/<id>/sync, .../verify, .../confirm-deletes, "
                        ".../disconnect and .../purge, GET /api/v1/connects/<session>, "
                        "GET /api/v1/keys, POST /api/v1/keys/rotate and GET /api/v1/status",
                        0);
}

static size_t on_head(void *ctx, struct wh_http_req *req)
{
    struct control *c = ctx;
    struct wh_slice id;
    const struct route *route = find_route(c, req, &id);

    if ((route == NULL || route->kind != ROUTE_OPEN) &&
        !wh_token_fits(c->token, wh_http_header(req, "Authorization"))) {
        ask_for_token(req);
        return 0;
    }
    if (route == NULL) {
        refuse_path(req);
        return 0;
    }
    return route->body_max;
}

static void on_request(void *ctx, struct wh_http_req *req)
{
    struct control *c = ctx;
    struct wh_slice id;
    const struct route *route = find_route(c, req, &id);

    if (route == NULL) {
        refuse_path(req);
    } else if (route->kind == ROUTE_USUAL && !fetcher_working(c->f)) {
        wh_http_reply_error(req, 503, "not ready yet; try again", 1);
    } else {
        route->answer(c, req, id);
    }
}

static void on_done(void *ctx, struct wh_http_req *req)
{
    (void)ctx;
    connect_forget(req);
}

struct wh_http_handler control_handler(struct control *c)
{
    return (struct wh_http_handler){
        .on_head = on_head, .on_request = on_request, .on_done = on_done, .ctx = c};
}
