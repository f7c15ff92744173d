/* The API: who may, limits, faults, and the answer's way out. Routes are in routes.c. */
#include "tests/gitlab/rest.h"

#include <stdio.h>

#include "common/base/mem.h"

enum { REFUSED_STATUS = 400 };

/* A request that is answered late. */
struct gl_delayed {
    struct gl_delayed *next;
    struct gl_server *server;
    struct wh_http_req *req;
    struct wh_timer *timer;
};

struct cut {
    struct gl_out out;
    size_t keep;
};

void gl_reply_json(struct wh_http_req *req, unsigned status, struct gl_out *out,
                   const struct gl_headers *headers)
{
    if (out->failed || out->ptr == NULL) {
        gl_out_done(out);
        wh_http_reply_error(req, 500, "no memory for the answer", 0);
        return;
    }
    wh_http_reply(req, &(struct wh_http_reply){.status = status,
                                               .content_type = "application/json",
                                               .body = gl_out_slice(out),
                                               .body_taken = true,
                                               .headers = headers ? headers->items : NULL,
                                               .n_headers = headers ? headers->n : 0});
    *out = (struct gl_out){0};
}

/* ---- half an answer ---- */

static enum wh_rc cut_fill(void *ctx, struct wh_buf *out, size_t max, bool *ret_end,
                           struct wh_err *err)
{
    struct cut *cut = ctx;
    size_t n = cut->keep < max ? cut->keep : max;

    *ret_end = false;
    if (n == 0) {
        return wh_fail(err, WH_E_NET, "cut on purpose");
    }
    cut->keep -= n;
    return wh_buf_append(out, wh_slice(cut->out.ptr + (cut->out.len / 2 - cut->keep - n), n), err);
}

static void cut_done(void *ctx)
{
    struct cut *cut = ctx;

    gl_out_done(&cut->out);
    wh_mem_free(cut);
}

void gl_rest_cut(struct wh_http_req *req, struct gl_out *out, bool at_once)
{
    struct cut *cut = wh_mem_zalloc(1, sizeof(*cut));

    if (cut == NULL) {
        gl_out_done(out);
        wh_http_reply_error(req, 500, "no memory for the answer", 0);
        return;
    }
    cut->out = *out;
    cut->keep = at_once ? 0 : out->len / 2;
    *out = (struct gl_out){0};
    wh_http_reply_stream(req, 200, "application/json",
                         &(struct wh_http_stream){.fill = cut_fill, .done = cut_done, .ctx = cut});
}

/* ---- the way out ---- */

void gl_rest_log(const struct gl_call *call, unsigned status)
{
    gl_reqlog_add(&call->server->requests, call->req, gl_now_ms(call->server->model), status,
                  call->note, call->write);
}

void gl_rest_reply(struct gl_call *call, unsigned status)
{
    bool empty = call->out.ptr == NULL || call->out.len == 0;

    gl_rest_log(call, status);
    if (call->out.failed) {
        gl_out_done(&call->out);
        wh_http_reply_error(call->req, 500, "no memory for the answer", 0);
        return;
    }
    wh_http_reply(call->req,
                  &(struct wh_http_reply){.status = status,
                                          .content_type = empty                ? NULL
                                                          : call->content_type ? call->content_type
                                                                               : "application/json",
                                          .body = gl_out_slice(&call->out),
                                          .body_taken = call->out.ptr != NULL,
                                          .headers = call->headers.items,
                                          .n_headers = call->headers.n});
    call->out = (struct gl_out){0};
}

void gl_rest_send(struct gl_call *call, unsigned status)
{
    struct gl_server *s = call->server;
    bool reset = status == 200 && gl_fault_hit(&s->faults, GL_FAULT_RESET);
    bool truncate = status == 200 && !reset && gl_fault_hit(&s->faults, GL_FAULT_TRUNCATE);

    gl_rest_log(call, reset ? 0 : status);
    if (reset || truncate) {
        gl_rest_cut(call->req, &call->out, reset);
        return;
    }
    gl_reply_json(call->req, status, &call->out, &call->headers);
}

void gl_rest_fail(struct gl_call *call, unsigned status, const char *key, const char *text)
{
    call->out.len = 0;
    gl_out_tpl(&call->out, "{'%s':'%s'}", wh_slice_str(key), wh_slice_str(text));
    gl_rest_send(call, status);
}

static void reply_page(struct gl_call *call, unsigned status, const char *type, const char *text)
{
    gl_rest_log(call, status);
    gl_out_done(&call->out);
    wh_http_reply(call->req, &(struct wh_http_reply){.status = status,
                                                     .content_type = type,
                                                     .body = wh_slice_str(text),
                                                     .headers = call->headers.items,
                                                     .n_headers = call->headers.n});
}

static void reply_text(struct gl_call *call, unsigned status, const char *text)
{
    reply_page(call, status, "text/plain", text);
}

/* ---- the way in ---- */

static void put_rate_headers(struct gl_call *call, int64_t now_s, bool limited)
{
    const struct gl_faults *f = &call->server->faults;
    int64_t limit = f->rate_limit ? f->rate_limit : 600;
    const struct gl_window *window = &f->budgets[call->who.user];
    int64_t left = limit > window->n ? limit - window->n : 0;
    int64_t reset = f->rate_limit ? window->start_s + 60 : now_s + f->retry_after_s;
    char text[GL_TIME_MAX];

    gl_header(&call->headers, "RateLimit-Limit", "%lld", (long long)limit);
    gl_header(&call->headers, "RateLimit-Name", "throttle_authenticated_api");
    gl_header(&call->headers, "RateLimit-Observed", "%lld", (long long)window->n);
    gl_header(&call->headers, "RateLimit-Remaining", "%lld", (long long)(limited ? 0 : left));
    gl_header(&call->headers, "RateLimit-Reset", "%lld", (long long)reset);
    if (limited) {
        size_t n = gl_time_text(reset * 1000, GL_TIME_ISO, text);

        gl_header(&call->headers, "RateLimit-ResetTime", "%.*s", (int)n, text);
        gl_header(&call->headers, "Retry-After", "%lld",
                  (long long)(reset - now_s > 0 ? reset - now_s : 1));
    }
}

bool gl_rest_over_budget(struct gl_call *call)
{
    struct gl_faults *f = &call->server->faults;
    int64_t now_s = gl_now_ms(call->server->model) / 1000;
    bool limited = gl_rate_limited(f, call->who.user, now_s);

    limited = gl_fault_hit(f, GL_FAULT_429) || limited;
    if (limited || f->rate_limit) {
        put_rate_headers(call, now_s, limited);
    }
    return limited;
}

bool gl_rest_limited(struct gl_call *call, enum gl_limit limit)
{
    if (!gl_endpoint_limited(&call->server->faults, limit, call->who.user,
                             gl_now_ms(call->server->model) / 1000)) {
        return false;
    }
    /* What the throttle said is not repeated by an application limit. */
    call->headers.n = 0;
    call->out.len = 0;
    gl_out_str(&call->out, "{\"message\":{\"error\":\"This endpoint has been requested too many "
                           "times. Try again later.\"}}");
    gl_rest_reply(call, 429);
    return true;
}

static bool asks_for_children(const struct gl_call *call)
{
    static const char part[] = "source=parent_pipeline";
    struct wh_slice query = wh_http_raw_query(call->req);

    return query.len && memmem(query.ptr, query.len, part, sizeof(part) - 1) != NULL;
}

/* True when it answered: the request was over a limit, or a fault struck. */
static bool refuse_by_chance(struct gl_call *call)
{
    struct gl_server *s = call->server;
    char page[128];

    if (s->quirks.hide_children && asks_for_children(call)) {
        reply_page(call, 200, "application/json", "[]");
        return true;
    }
    if (gl_fault_breaks(&s->faults, call->path)) {
        reply_page(call, (unsigned)s->faults.broken_status, "text/html",
                   "<html><head><title>Sign in</title></head></html>\n");
        return true;
    }
    if (gl_fault_hit(&s->faults, GL_FAULT_BARE_429)) {
        reply_text(call, 429, "Retry later\n");
        return true;
    }
    if (gl_rest_over_budget(call)) {
        reply_text(call, 429, "Retry later\n");
        return true;
    }
    if (gl_fault_hit(&s->faults, GL_FAULT_5XX)) {
        (void)snprintf(page, sizeof(page), "<html><head><title>%d</title></head></html>\n",
                       (int)s->faults.status_5xx);
        reply_text(call, (unsigned)s->faults.status_5xx, page);
        return true;
    }
    return false;
}

/* An OAuth token, or a personal one, that may not read by REST. */
static void out_of_scope(struct gl_call *call)
{
    gl_out_str(
        &call->out,
        "{\"error\":\"insufficient_scope\",\"error_description\":\"The request requires "
        "higher privileges than provided by the access token.\",\"scope\":\"api read_api\"}");
    gl_rest_send(call, 403);
}

static void serve(struct gl_server *s, struct wh_http_req *req)
{
    struct gl_call call = {.server = s, .req = req, .path = wh_http_path(req)};
    unsigned may = GL_SCOPE_READ_API | GL_SCOPE_API;

    if (gl_discovery_route(&call) || gl_oauth_route(&call) || gl_mcp_route(&call)) {
        return;
    }
    gl_header(&call.headers, "X-Request-Id", "01STANDIN%016llX",
              (unsigned long long)++s->next_request_id);
    if (!wh_slice_eq(wh_http_method(req), WH_LIT("GET"))) {
        gl_rest_fail(&call, 403, "error", "insufficient_scope");
        return;
    }
    call.who = gl_who_asks(s, req);
    if (refuse_by_chance(&call)) {
        return;
    }
    if (!wh_slice_starts(call.path, WH_LIT("/api/v4/"))) {
        gl_rest_fail(&call, 404, "error", "404 Not Found");
        return;
    }
    if (call.who.state != GL_WHO_OK) {
        gl_rest_send(&call, gl_who_refuse(&call, call.who.state));
        return;
    }
    if (!(call.who.scopes & may) && !gl_mcp_may_read(&call)) {
        out_of_scope(&call);
        return;
    }
    gl_route(&call);
}

/* ---- slow answers ---- */

static void unlink_delayed(struct gl_delayed *d)
{
    struct gl_delayed **at = &d->server->delayed;

    while (*at != d) {
        at = &(*at)->next;
    }
    *at = d->next;
    wh_timer_free(d->timer);
    wh_mem_free(d);
}

static void on_late(void *ctx)
{
    struct gl_delayed *d = ctx;
    struct gl_server *server = d->server;
    struct wh_http_req *req = d->req;

    unlink_delayed(d);
    serve(server, req);
}

void gl_rest_request(void *ctx, struct wh_http_req *req)
{
    struct gl_server *s = ctx;
    struct gl_delayed *d = NULL;

    wh_http_set_user(req, s);
    if (gl_fault_hit(&s->faults, GL_FAULT_SLOW)) {
        d = wh_mem_zalloc(1, sizeof(*d));
    }
    if (d == NULL) {
        serve(s, req);
        return;
    }
    *d = (struct gl_delayed){s->delayed, s, req, wh_timer_new(s->loop, on_late, d)};
    s->delayed = d;
    if (d->timer == NULL) {
        on_late(d);
        return;
    }
    wh_timer_start(d->timer, s->faults.slow_ms, 0);
}

/* What the server refused on its own, such as a POST without a length, was asked all the same. */
void gl_rest_done(void *ctx, struct wh_http_req *req)
{
    struct gl_server *s = ctx;

    if (wh_http_user(req) == NULL && wh_http_path(req).len > 0) {
        gl_reqlog_add(&s->requests, req, gl_now_ms(s->model), REFUSED_STATUS, "", false);
    }
}

void gl_rest_release(struct gl_server *server)
{
    while (server->delayed) {
        unlink_delayed(server->delayed);
    }
}
