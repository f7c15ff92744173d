/*
 * Routes, authentication, jobs; how a request is answered: api_priv.h.
 *
 *   GET /api/v1/entities?kind=TABLE          a list: COLUMN[__OPERATOR]=VALUE, _sort or _sort_desc,
 *                                            _size, _next, _col, _deleted=include, _shape
 *   GET /api/v1/entities?url=PAGE            the entity of that page at the source
 *   GET /api/v1/entities/ID                  every field, and which revision set it
 *   GET /api/v1/entities/ID/revisions        newest first; _size, _next
 *   GET /api/v1/entities/ID/links            both directions; _size, _next
 *   GET /api/v1/sql?sql=TEXT&NAME=VALUE      _size, _timelimit (ms), _shape=objects or arrays
 *   POST /api/v1/sql                         {query, params, limit, timeout_ms, format, shape}
 *   GET /api/v1/kinds, /api/v1/status
 *   GET /api/v1/purges/CONNECTION            the report of a purge
 *   GET /registry/...                        schema registry, read-only
 *
 * Rows come as JSON, NDJSON or CSV: _format (json, ndjson, csv, csv-raw), or the Accept header. All
 * but the registry needs the bearer token. Errors:
 * {"ok":false,"error":TEXT,"code":NAME,"status":N}; 400 wrong question or refused SQL, 401, 404,
 * 405, 413 too large, 503 busy (Retry-After), 504 time limit.
 */
#include <stdio.h>

#include "common/base/mem.h"
#include "common/base/num.h"
#include "common/run/token_file.h"
#include "stages/sink/api/api_priv.h"

enum {
    QUERY_THREADS = 3,
    READ_THREADS = 2,
    WAITING_MAX = 64, /* of each lane */
    QUERY_BODY_MAX = 2 << 20,
    ARGS_MAX = 128,
    ARENA_BLOCK_BYTES = 8 << 10,
    ARENA_MAX_BYTES = 64 << 20,
    JSON_MAX_BYTES = 32 << 20,
    HEADERS_MAX = 4,
};

struct route {
    const char *path; /* '*' stands for one segment, an entity's id */
    const char *allow;
    size_t body_max; /* of a POST, bytes */
    enum api_lane_of lane;
    enum wh_rc (*answer)(struct api_job *job, struct wh_err *err);
};

static const struct route routes[] = {
    {"/api/v1/sql", "GET, POST", QUERY_BODY_MAX, API_QUERIES, api_answer_sql},
    {"/api/v1/entities", "GET", 0, API_QUERIES, api_answer_entities},
    {"/api/v1/entities/*", "GET", 0, API_READS, api_answer_entity},
    {"/api/v1/entities/*/revisions", "GET", 0, API_QUERIES, api_answer_revisions},
    {"/api/v1/entities/*/links", "GET", 0, API_QUERIES, api_answer_links},
    {"/api/v1/kinds", "GET", 0, API_READS, api_answer_kinds},
    {"/api/v1/status", "GET", 0, API_READS, api_answer_status},
    {"/api/v1/purges/*", "GET", 0, API_READS, api_answer_purge},
};

static bool route_fits(struct wh_slice path, const char *pattern, struct wh_slice *ret_id)
{
    size_t at = 0;

    for (; *pattern; pattern++) {
        if (*pattern == '*') {
            size_t from = at;

            while (at < path.len && path.ptr[at] != '/') {
                at++;
            }
            *ret_id = wh_slice(path.ptr + from, at - from);
            if (at == from) {
                return false;
            }
        } else if (at >= path.len || path.ptr[at++] != *pattern) {
            return false;
        }
    }
    return at == path.len;
}

static const struct route *find_route(struct wh_slice path, struct wh_slice *ret_id)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (route_fits(path, routes[i].path, ret_id)) {
            return &routes[i];
        }
    }
    return NULL;
}

static bool method_allowed(const struct route *route, struct wh_slice method)
{
    return wh_slice_eq(method, WH_LIT("GET")) ||
           (wh_slice_eq(method, WH_LIT("POST")) && strstr(route->allow, "POST"));
}

/* ---- replies ---- */

static void reply(struct wh_http_req *req, unsigned status, const char *type, struct wh_slice body,
                  const struct wh_http_header *more, size_t n_more)
{
    struct wh_http_header headers[HEADERS_MAX] = {
        {WH_LIT("Cache-Control"), WH_LIT("no-store")},
        {WH_LIT("X-Content-Type-Options"), WH_LIT("nosniff")},
    };
    size_t n = 2;

    for (size_t i = 0; i < n_more && n < HEADERS_MAX; i++) {
        headers[n++] = more[i];
    }
    wh_http_reply(req, &(struct wh_http_reply){.status = status,
                                               .content_type = type,
                                               .body = body,
                                               .headers = headers,
                                               .n_headers = n});
}

static void reply_error(struct wh_http_req *req, unsigned status, const char *code,
                        const char *message, const struct wh_http_header *more)
{
    struct wh_json_writer w;
    struct wh_buf body;
    struct wh_err err;

    wh_buf_init(&body, 4096);
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
    reply(req, status, "application/json", wh_buf_slice(&body), more, more ? 1 : 0);
    wh_buf_done(&body);
}

static unsigned status_of(enum wh_rc rc)
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

static void reply_failure(struct sink_api *api, struct wh_http_req *req, const struct wh_err *err)
{
    static const struct wh_http_header retry = {{"Retry-After", 11}, {"1", 1}};
    unsigned status = status_of(err->rc);

    if (status == 500) {
        wh_log_error(api->deps.log, "a request failed", WH_RC(err));
        reply_error(req, status, wh_rc_name(err->rc),
                    "the store could not be read; the sink's log says why", NULL);
        return;
    }
    reply_error(req, status, wh_rc_name(err->rc), err->msg, status == 503 ? &retry : NULL);
}

/* ---- requests ---- */

struct wh_slice api_arg(const struct api_request *request, const char *name)
{
    for (size_t i = 0; i < request->n_args; i++) {
        if (wh_slice_eq(request->args[i].name, wh_slice_str(name))) {
            return request->args[i].value;
        }
    }
    return (struct wh_slice){NULL, 0};
}

enum wh_rc api_arg_int(const struct api_request *request, const char *name, int64_t min,
                       int64_t max, int64_t otherwise, int64_t *ret, struct wh_err *err)
{
    struct wh_slice text = api_arg(request, name);
    int64_t v = otherwise;

    if (text.ptr && wh_num_i64(text, &v, err) != WH_OK) {
        return wh_fail(err, WH_E_INVALID, "%s must be a whole number", name);
    }
    if (text.ptr && (v < min || v > max)) {
        return wh_fail(err, WH_E_RANGE, "%s must be %lld to %lld", name, (long long)min,
                       (long long)max);
    }
    *ret = v;
    return WH_OK;
}

void api_json_begin(struct api_json *j)
{
    wh_buf_init(&j->buf, JSON_MAX_BYTES);
    wh_json_writer_init(&j->w, &j->buf);
    wh_jw_object(&j->w);
    wh_jw_key(&j->w, "ok");
    wh_jw_bool(&j->w, true);
}

enum wh_rc api_json_end(struct api_json *j, struct api_job *job, struct wh_err *err)
{
    enum wh_rc rc;

    wh_jw_end(&j->w);
    rc = wh_jw_finish(&j->w, err);
    if (rc == WH_OK) {
        rc = api_spool_write(&job->out, wh_buf_slice(&j->buf), err);
    }
    wh_buf_done(&j->buf);
    return rc;
}

int64_t api_waited_ms(const struct api_job *job)
{
    return (wh_clock_mono_ns(&job->api->deps.clock) - job->submitted_ns) / 1000000;
}

struct copying {
    struct api_job *job;
    struct api_arg *args;
    struct wh_err err;
};

static void count_arg(void *ctx, struct wh_slice name, struct wh_slice value)
{
    struct copying *c = ctx;

    (void)name;
    (void)value;
    c->job->request.n_args++;
}

static void copy_arg(void *ctx, struct wh_slice name, struct wh_slice value)
{
    struct copying *c = ctx;
    struct api_arg *arg = &c->args[c->job->request.n_args];

    if (c->err.rc == WH_OK && wh_arena_dup(&c->job->arena, name, &arg->name, &c->err) == WH_OK &&
        wh_arena_dup(&c->job->arena, value, &arg->value, &c->err) == WH_OK) {
        c->job->request.n_args++;
    }
}

static enum wh_rc copy_args(struct api_job *job, struct wh_err *err)
{
    struct copying c = {.job = job};
    void *memory;
    size_t n;

    wh_http_query_each(job->http, count_arg, &c);
    n = job->request.n_args;
    job->request.n_args = 0;
    if (n > ARGS_MAX) {
        return wh_fail(err, WH_E_TOO_LARGE, "more than %d arguments", ARGS_MAX);
    }
    if (wh_arena_zalloc(&job->arena, n + 1, sizeof(struct api_arg), &memory, err) != WH_OK) {
        return err->rc;
    }
    c.args = memory;
    wh_http_query_each(job->http, copy_arg, &c);
    job->request.args = c.args;
    if (c.err.rc != WH_OK) {
        *err = c.err;
    }
    return c.err.rc;
}

static enum wh_rc copy_request(struct api_job *job, struct wh_err *err)
{
    struct wh_http_req *req = job->http;
    struct api_request *r = &job->request;

    if (wh_arena_dup(&job->arena, wh_http_method(req), &r->method, err) != WH_OK ||
        wh_arena_dup(&job->arena, wh_http_path(req), &r->path, err) != WH_OK ||
        wh_arena_dup(&job->arena, wh_http_header(req, "Accept"), &r->accept, err) != WH_OK ||
        wh_arena_dup(&job->arena, wh_http_body(req), &r->body, err) != WH_OK) {
        return err->rc;
    }
    return copy_args(job, err);
}

/* ---- jobs ---- */

static void job_free(struct api_job *job)
{
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
    job_free(ctx);
}

static void send_answer(struct api_job *job)
{
    const struct wh_http_header link = {WH_LIT("Link"), wh_slice_str(job->link)};
    struct wh_http_req *req = job->http;

    wh_http_set_user(req, NULL);
    if (job->out.fd >= 0) {
        const struct wh_http_stream stream = {stream_fill, stream_done, job};

        wh_http_reply_stream(req, 200, job->content_type, &stream);
        return;
    }
    reply(req, 200, job->content_type, wh_buf_slice(&job->out.memory), &link, job->link[0] ? 1 : 0);
    job_free(job);
}

/* Its answer or its failure goes out. */
static void settle(void *ctx)
{
    struct api_job *job = ctx;

    if (job->http == NULL) {
        job_free(job);
    } else if (job->err.rc != WH_OK) {
        wh_http_set_user(job->http, NULL);
        reply_failure(job->api, job->http, &job->err);
        job_free(job);
    } else {
        send_answer(job);
    }
}

/* A page by its address is one read, though its path is that of the lists. */
static enum api_lane_of lane_of(const struct route *route, const struct api_job *job)
{
    return route->answer == api_answer_entities && api_is_url_lookup(&job->request) ? API_READS
                                                                                    : route->lane;
}

static void submit(struct sink_api *api, const struct route *route, struct api_job *job)
{
    struct wh_err err;

    job->answer = route->answer;
    job->task = (struct api_task){.work = work, .done = settle, .ctx = job};
    job->submitted_ns = wh_clock_mono_ns(&api->deps.clock);
    if (api_lane_submit(api->lanes[lane_of(route, job)], &job->task, &err) != WH_OK) {
        job->err = err;
        settle(job);
    }
}

/* NULL when it cannot be taken on. */
static struct api_job *make_job(struct sink_api *api, struct wh_http_req *req, struct wh_err *err)
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
    if (copy_request(job, err) != WH_OK) {
        job_free(job);
        return NULL;
    }
    return job;
}

/* ---- the handler ---- */

static bool is_registry(struct wh_slice path)
{
    return wh_slice_eq(path, WH_LIT("/registry")) || wh_slice_starts(path, WH_LIT("/registry/"));
}

static void refuse_path(struct wh_http_req *req)
{
    reply_error(req, 404, wh_rc_name(WH_E_NOT_FOUND),
                "no such page; there are /api/v1/entities, /api/v1/sql, /api/v1/kinds, "
                "/api/v1/status and /registry",
                NULL);
}

static void refuse_method(struct wh_http_req *req, const struct route *route)
{
    const struct wh_http_header allow = {WH_LIT("Allow"), wh_slice_str(route->allow)};

    reply_error(req, 405, "method_not_allowed", "this address is read with GET", &allow);
}

static size_t on_head(void *ctx, struct wh_http_req *req)
{
    static const struct wh_http_header ask = {{"WWW-Authenticate", 16},
                                              {"Bearer realm=\"wellhead\"", 23}};
    struct sink_api *api = ctx;
    struct wh_slice path = wh_http_path(req);
    struct wh_slice method = wh_http_method(req);
    struct wh_slice id;
    const struct route *route;

    if (is_registry(path)) {
        if (!wh_slice_eq(method, WH_LIT("GET"))) {
            /* It is read-only; that can be said before the schema that somebody wants to add. */
            api_registry(api, req, path);
        }
        return 0;
    }
    if (!wh_token_fits(api->token, wh_http_header(req, "Authorization"))) {
        reply_error(req, 401, wh_rc_name(WH_E_AUTH),
                    "send the sink's token: Authorization: Bearer <content of api.token_file>",
                    &ask);
        return 0;
    }
    route = find_route(path, &id);
    if (route == NULL) {
        refuse_path(req);
    } else if (!method_allowed(route, method)) {
        refuse_method(req, route);
    } else if (wh_slice_eq(method, WH_LIT("POST"))) {
        return route->body_max;
    }
    return 0;
}

static void on_request(void *ctx, struct wh_http_req *req)
{
    struct sink_api *api = ctx;
    struct wh_slice path = wh_http_path(req);
    struct wh_slice id = {NULL, 0};
    const struct route *route = find_route(path, &id);
    struct api_job *job;
    struct wh_err err = {0};

    if (is_registry(path)) {
        api_registry(api, req, path);
        return;
    }
    job = make_job(api, req, &err);
    if (job == NULL) {
        reply_failure(api, req, &err);
        return;
    }
    (void)route_fits(job->request.path, route->path, &job->id);
    wh_http_set_user(req, job);
    submit(api, route, job);
}

static void on_done(void *ctx, struct wh_http_req *req)
{
    struct api_job *job = wh_http_user(req);

    (void)ctx;
    if (job) {
        /* The reader is gone: a query that runs for it sees this and ends. */
        job->http = NULL;
        atomic_store(&job->canceled, true);
        wh_http_set_user(req, NULL);
    }
}

struct wh_http_handler sink_api_handler(struct sink_api *api)
{
    return (struct wh_http_handler){
        .on_head = on_head, .on_request = on_request, .on_done = on_done, .ctx = api};
}

/* ---- birth and death ---- */

static enum wh_rc make_counters(struct sink_api *api, struct wh_err *err)
{
    char label[64];

    for (unsigned rc = 0; api->deps.metrics && rc < WH_RC_COUNT; rc++) {
        if (status_of((enum wh_rc)rc) == 500 && rc != WH_OK && rc != WH_E_INTERNAL) {
            continue;
        }
        (void)snprintf(label, sizeof(label), "result=\"%s\"", wh_rc_name((enum wh_rc)rc));
        api->sql_results[rc] = wh_metrics_counter(api->deps.metrics, "wellhead_sql_queries_total",
                                                  label, "SQL queries by how they ended");
        if (api->sql_results[rc] == NULL) {
            return wh_fail(err, WH_E_NOMEM, "no memory for metrics");
        }
    }
    return WH_OK;
}

enum wh_rc sink_api_new(const struct sink_api_deps *deps, struct sink_api **ret, struct wh_err *err)
{
    struct sink_api *api = wh_mem_zalloc(1, sizeof(*api));
    const struct sql_engine_conf sql = {
        .store = deps->store,
        .clock = deps->clock,
        .connections = QUERY_THREADS,
    };

    if (api == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the API");
    }
    api->deps = *deps;
    if (wh_token_file_load(deps->conf.token_file, api->token, err) != WH_OK ||
        make_counters(api, err) != WH_OK || sql_engine_new(&sql, &api->engine, err) != WH_OK ||
        api_lane_new(deps->loop, QUERY_THREADS, WAITING_MAX, &api->lanes[API_QUERIES], err) !=
            WH_OK ||
        api_lane_new(deps->loop, READ_THREADS, WAITING_MAX, &api->lanes[API_READS], err) != WH_OK) {
        sink_api_free(api);
        return err->rc;
    }
    *ret = api;
    return WH_OK;
}

void sink_api_drain(struct sink_api *api)
{
    struct api_task *task;

    api->draining = true;
    if (api->engine) {
        sql_engine_stop(api->engine);
    }
    for (size_t i = 0; i < API_LANES; i++) {
        while (api->lanes[i] && (task = api_lane_take_back(api->lanes[i])) != NULL) {
            struct api_job *job = task->ctx;

            (void)wh_fail(&job->err, WH_E_UNAVAILABLE, "this sink is stopping");
            settle(job);
        }
    }
}

void sink_api_free(struct sink_api *api)
{
    if (api == NULL) {
        return;
    }
    sink_api_drain(api);
    for (size_t i = 0; i < API_LANES; i++) {
        api_lane_free(api->lanes[i]);
    }
    sql_engine_free(api->engine);
    wh_mem_wipe(api->token, sizeof(api->token));
    wh_mem_free(api);
}
