/*
 * Routes, authentication, jobs; how a request is answered: api_priv.h.
 *
 *   GET /api/v1/entities?kind=TABLE          a list of any table: COLUMN[__OPERATOR]=VALUE, _sort or _sort_desc,
 *                                            _size, _next, _col, _facet, _extra, _asof and more (list_words.c)
 *   GET /api/v1/entities?url=PAGE            the entity of that page at the source
 *   GET /api/v1/entities/ID                  every field, and which revision set it; as_of, valid_at: at
 *                                            that time, by when it was stored and by the source's own times
 *   GET /api/v1/entities/ID/revisions        newest first; _size, _next
 *   GET /api/v1/entities/ID/links            both directions; _size, _next
 *   GET /api/v1/sql?sql=TEXT&NAME=VALUE      _size, _next, _timelimit (ms), _shape=objects or arrays, as_of, valid_at
 *   POST /api/v1/sql                         {query, params, limit, timeout_ms, format, shape, as_of, valid_at}
 *
 * _size=0 or limit 0 asks for all rows, as a stream. Every answer with rows says in Wellhead-Result
 * whether they are complete, and in Wellhead-Reason why not: in the head of an answer, behind the last
 * row of a stream (a trailer). A stream that fails breaks off in the middle of a chunk, unless
 * the client sent TE: trailers.
 *
 *   GET /api/v1/ask?q=QUESTION               a question in words; now, zone, choose, as_of, valid_at
 *   POST /api/v1/ask?q=QUESTION              the same, kept as the newest turn of conversation=ID, or of a new one
 *   GET /api/v1/conversations, GET and DELETE /api/v1/conversations/ID
 *   GET /api/v1/questions                    the forms of questions, each with an example
 *   GET /api/v1/incidents/ID/impact          services, customers, revenue, follow-ups, with evidence; as_of,
 *                                            valid_at. ID: an id, an address or a reference, escaped
 *   GET /api/v1/changes?kind=TABLE           server-sent events, one for each change, without an end (changes.c);
 *                                            where, since, and the field Last-Event-ID
 *   GET /api/v1/search?_search=TEXT          full text; kind, _size, _next; what the text names exactly comes first
 *   GET, POST /api/v1/rules, DELETE /api/v1/rules/ID; .../ID/deliveries, .../ID/replay, /api/v1/rules/test
 *                                            who is told when a record meets a condition (rules.c)
 *   GET /api/v1/kinds, /api/v1/status
 *   GET /api/v1/model, /api/v1/model/KIND    kinds, fields, what fills them, counts, examples
 *   GET, POST /api/v1/saved-views            named addresses of pages; DELETE /api/v1/saved-views/ID
 *   GET /api/v1/purges/CONNECTION            the report of a purge
 *   GET, POST /api/v1/tokens                 who may see the workspace; {"end": ID} ends one
 *   POST /api/v1/backups                     makes a backup; GET: how far it is, and BACKUP/FILE its files
 *   GET /registry/...                        schema registry, read-only
 *
 * HEAD is answered where GET is. An answer has an ETag, and If-None-Match turns it into a 304; one of
 * more than 8 KiB is compressed if the client accepts gzip.
 *
 * Rows come as JSON, NDJSON or CSV: _format (json, ndjson, csv, csv-raw), or the Accept header. All
 * but the registry needs the bearer token. Errors:
 * {"ok":false,"error":TEXT,"code":NAME,"status":N}; 400 wrong question or refused SQL, 401, 404,
 * 405, 413 too large, 503 busy (Retry-After), 504 time limit.
 */
#include <stdio.h>

#include "common/base/mem.h"
#include "stages/sink/api/api_priv.h"
#include "stages/sink/tokens/sessions.h"

enum {
    QUERY_THREADS = 3,
    READ_THREADS = 2,
    STREAM_THREADS = 4,
    WAITING_MAX = 64, /* of each lane */
    QUERY_BODY_MAX = 2 << 20,
    RULE_BODY_MAX = 64 << 10,
    TOKENS_BODY_MAX = 1 << 10,
    VIEWS_BODY_MAX = 8 << 10,
    BACKUP_BODY_MAX = 4 << 10,
    ASK_BODY_MAX = 1 << 10, /* none is read */
};

struct route {
    /* '*' stands for one segment, an entity's id; '**' for all up to the end of the pattern, an address. */
    const char *path;
    const char *allow;
    size_t body_max; /* of a POST, bytes */
    enum api_lane_of lane;
    enum wh_rc (*answer)(struct api_job *job, struct wh_err *err);
};

static const struct route routes[] = {
    {"/api/v1/sql", "GET, HEAD, POST", QUERY_BODY_MAX, API_QUERIES, api_answer_sql},
    {"/api/v1/entities", "GET, HEAD", 0, API_QUERIES, api_answer_entities},
    {"/api/v1/entities/*", "GET, HEAD", 0, API_READS, api_answer_entity},
    {"/api/v1/entities/*/revisions", "GET, HEAD", 0, API_QUERIES, api_answer_revisions},
    {"/api/v1/entities/*/links", "GET, HEAD", 0, API_QUERIES, api_answer_links},
    {"/api/v1/incidents/**/impact", "GET, HEAD", 0, API_QUERIES, api_answer_impact},
    {"/api/v1/questions", "GET, HEAD", 0, API_READS, api_answer_questions},
    {"/api/v1/ask", "GET, HEAD, POST", ASK_BODY_MAX, API_QUERIES, api_answer_ask},
    {"/api/v1/conversations", "GET, HEAD", 0, API_QUERIES, api_answer_conversations},
    {"/api/v1/conversations/*", "GET, HEAD, DELETE", 0, API_QUERIES, api_answer_conversation},
    {"/api/v1/changes", "GET, HEAD", 0, API_QUERIES, api_answer_changes},
    {"/api/v1/search", "GET, HEAD", 0, API_QUERIES, api_answer_search},
    {"/chart/**.svg", "GET, HEAD", 0, API_QUERIES, api_answer_chart},
    {"/api/v1/measures", "GET, HEAD", 0, API_READS, api_answer_measures},
    {"/api/v1/measures/*", "GET, HEAD", 0, API_QUERIES, api_answer_measure},
    {"/api/v1/measures/*/rows", "GET, HEAD", 0, API_QUERIES, api_answer_measure_rows},
    {"/api/v1/rules", "GET, HEAD, POST", RULE_BODY_MAX, API_QUERIES, api_answer_rules},
    {"/api/v1/rules/deliveries", "GET, HEAD", 0, API_QUERIES, api_answer_rule_deliveries},
    {"/api/v1/rules/test", "POST", RULE_BODY_MAX, API_QUERIES, api_answer_rule_test},
    {"/api/v1/rules/*", "DELETE", 0, API_QUERIES, api_answer_rule},
    {"/api/v1/rules/*/deliveries", "GET, HEAD", 0, API_QUERIES, api_answer_rule_deliveries},
    {"/api/v1/rules/*/replay", "POST", RULE_BODY_MAX, API_QUERIES, api_answer_rule_replay},
    {"/api/v1/kinds", "GET, HEAD", 0, API_READS, api_answer_kinds},
    {"/api/v1/model", "GET, HEAD", 0, API_QUERIES, api_answer_model},
    {"/api/v1/model/*", "GET, HEAD", 0, API_QUERIES, api_answer_model},
    {"/api/v1/status", "GET, HEAD", 0, API_READS, api_answer_status},
    {"/api/v1/tokens", "GET, HEAD, POST", TOKENS_BODY_MAX, API_QUERIES, api_answer_tokens},
    {"/api/v1/saved-views", "GET, HEAD, POST", VIEWS_BODY_MAX, API_READS, api_answer_views},
    {"/api/v1/saved-views/*", "DELETE", 0, API_READS, api_answer_view},
    {"/api/v1/purges/*", "GET, HEAD", 0, API_READS, api_answer_purge},
    {"/api/v1/backups", "GET, HEAD, POST", BACKUP_BODY_MAX, API_READS, api_answer_backups},
    {"/api/v1/backups/*/*", "GET, HEAD", 0, API_READS, api_answer_backup_file},
};

/* The rest of the path is something, and then the suffix. */
static bool rest_fits(struct wh_slice rest, const char *suffix, struct wh_slice *ret_id)
{
    if (!wh_slice_ends(rest, wh_slice_str(suffix))) {
        return false;
    }
    *ret_id = wh_slice(rest.ptr, rest.len - strlen(suffix));
    return ret_id->len > 0;
}

static bool route_fits(struct wh_slice path, const char *pattern, struct wh_slice *ret_id)
{
    size_t at = 0;

    for (; *pattern; pattern++) {
        if (pattern[0] == '*' && pattern[1] == '*') {
            return rest_fits(wh_slice_from(path, at), pattern + 2, ret_id);
        }
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

static bool is_get(struct wh_slice method)
{
    return wh_slice_eq(method, WH_LIT("GET")) || wh_slice_eq(method, WH_LIT("HEAD"));
}

static bool method_allowed(const struct route *route, struct wh_slice method)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "DELETE"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (wh_slice_eq(method, wh_slice_str(names[i]))) {
            return strstr(route->allow, names[i]) != NULL;
        }
    }
    return false;
}

/* ---- the handler ---- */

/* A lookup by address is one read, although it shares its path with the lists. */
static enum api_lane_of lane_of(const struct route *route, const struct api_job *job)
{
    return route->answer == api_answer_entities && api_is_url_lookup(&job->request) ? API_READS
                                                                                    : route->lane;
}

static bool is_mcp(struct wh_slice path)
{
    return wh_slice_eq(path, WH_LIT("/mcp"));
}

/* Does the request carry the token that may only search, and does it search? */
static bool only_searches(const struct sink_api *api, const struct wh_http_req *req)
{
    return api->search_token[0] && is_get(wh_http_method(req)) &&
           wh_slice_eq(wh_http_path(req), WH_LIT("/api/v1/search")) &&
           wh_token_fits(api->search_token, wh_http_header(req, "Authorization"));
}

static bool is_registry(struct wh_slice path)
{
    return wh_slice_eq(path, WH_LIT("/registry")) || wh_slice_starts(path, WH_LIT("/registry/"));
}

/* A person gets 404 as a page; that one is made as the others are. */
static bool wants_page(const struct wh_http_req *req)
{
    return is_get(wh_http_method(req)) &&
           wh_slice_starts(wh_http_header(req, "Accept"), WH_LIT("text/html"));
}

static void refuse_path(struct wh_http_req *req)
{
    if (!wants_page(req)) {
        api_reply_error(req, 404, wh_rc_name(WH_E_NOT_FOUND),
                        "no such page; there are /api/v1/entities, /api/v1/incidents, "
                        "/api/v1/sql, /api/v1/measures, /api/v1/changes, /api/v1/kinds, "
                        "/api/v1/model, /api/v1/status "
                        "and /registry",
                        NULL);
    }
}

static void refuse_method(struct wh_http_req *req, const struct route *route)
{
    const struct wh_http_header allow = {WH_LIT("Allow"), wh_slice_str(route->allow)};

    api_reply_error(req, 405, "method_not_allowed", "this address is read with GET", &allow);
}

/* Gives how many bytes of a form may come. */
static size_t page_head(struct wh_http_req *req, const struct api_page *page)
{
    const bool forms = api_page_takes_forms(page);
    const struct wh_http_header allow = {WH_LIT("Allow"),
                                         forms ? WH_LIT("GET, HEAD, POST") : WH_LIT("GET, HEAD")};

    if (is_get(wh_http_method(req))) {
        return 0;
    }
    if (forms && wh_slice_eq(wh_http_method(req), WH_LIT("POST"))) {
        return PAGE_FORM_MAX_BYTES;
    }
    api_reply_error(req, 405, "method_not_allowed", "this page is read with GET", &allow);
    return 0;
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
    const struct api_page *page;
    enum api_twin twin;
    size_t body = 0;

    if (api_is_public(path, method, &body)) {
        return body;
    }
    if (api_is_oauth(path)) {
        return api_oauth_head(api, req);
    }
    if (is_mcp(path)) {
        return api_mcp_head(api, req);
    }
    if (is_registry(path)) {
        if (!is_get(method)) {
            /* It is read-only; that can be said before the schema that somebody wants to add. */
            api_registry(api, req, path);
        }
        return 0;
    }
    if (!api_knows(api, req) && !api_chart_link_fits(api, req) && !only_searches(api, req)) {
        if (api_page_find(path, &twin, &id) && twin == API_TWIN_HTML) {
            api_ask_login(req);
            return 0;
        }
        api_reply_error(req, 401, wh_rc_name(WH_E_AUTH),
                        "send the sink's token: Authorization: Bearer <content of api.token_file>",
                        &ask);
        return 0;
    }
    if (api_is_session(path)) {
        return 0;
    }
    route = find_route(path, &id);
    page = route ? NULL : api_page_find(path, &twin, &id);
    if (page) {
        return page_head(req, page);
    }
    if (route == NULL) {
        refuse_path(req);
    } else if (!method_allowed(route, method)) {
        refuse_method(req, route);
    } else if (wh_slice_eq(method, WH_LIT("POST"))) {
        return route->body_max;
    }
    return 0;
}

static bool asks_for_past(const struct wh_http_req *req)
{
    return wh_http_query(req, "as_of").ptr || wh_http_query(req, "valid_at").ptr;
}

/* Replies when the answer is an entity that can be read without waiting. */
static bool reply_at_once(struct sink_api *api, struct wh_http_req *req, const struct route *route,
                          struct wh_slice id)
{
    struct wh_http_header headers[API_HEADERS_MAX];
    struct wh_slice url = {NULL, 0};
    struct wh_slice body;
    struct wh_err err;
    enum wh_rc rc;

    if (route->answer == api_answer_entities && wh_http_query(req, "kind").ptr == NULL) {
        url = wh_http_query(req, "url");
    }
    if ((route->answer != api_answer_entity && url.ptr == NULL) || asks_for_past(req)) {
        return false;
    }
    rc = api_at_once_read(api->at_once, id, url, &body, &err);
    if (rc == WH_E_NOT_FOUND) {
        api_reply_failure(api, req, &err);
        return true;
    }
    /* Compressing takes longer than reading. */
    if (rc != WH_OK || (body.len > API_GZIP_MIN_BYTES && api_accepts_gzip(req))) {
        return false;
    }
    api_reply_answer(req, "application/json", body, headers, api_common_headers(headers));
    return true;
}

static void on_request(void *ctx, struct wh_http_req *req)
{
    struct sink_api *api = ctx;
    struct wh_slice path = wh_http_path(req);
    struct wh_slice id = {NULL, 0};
    const struct route *route = find_route(path, &id);
    struct grants_agent agent = {.id = ""};
    struct api_job *job;
    size_t body;
    struct wh_err err = {0};

    if (api_is_public(path, wh_http_method(req), &body)) {
        api_public(api, req);
        return;
    }
    if (api_is_oauth(path)) {
        api_oauth(api, req);
        return;
    }
    if (is_registry(path)) {
        api_registry(api, req, path);
        return;
    }
    if (api_is_session(path)) {
        api_session(api, req);
        return;
    }
    if (!api->draining && route && reply_at_once(api, req, route, id)) {
        return;
    }
    if (is_mcp(path) && !api_mcp_agent(api, req, &agent)) {
        api_reply_error(req, 401, wh_rc_name(WH_E_AUTH), "the access was ended", NULL);
        return;
    }
    job = api_job_new(api, req, &err);
    if (job == NULL) {
        api_reply_failure(api, req, &err);
        return;
    }
    wh_http_set_user(req, job);
    job->agent = agent;
    job->limited = only_searches(api, req);
    if (is_mcp(path)) {
        job->answer = api_answer_mcp;
        api_job_submit(job, API_QUERIES);
        return;
    }
    if (route == NULL) {
        job->page = api_page_find(job->request.path, &job->twin, &job->id);
        job->answer = is_get(job->request.method) ? api_answer_page : api_answer_form;
        api_job_submit(job, API_QUERIES);
        return;
    }
    (void)route_fits(job->request.path, route->path, &job->id);
    job->answer = route->answer;
    api_job_submit(job, lane_of(route, job));
}

static void on_done(void *ctx, struct wh_http_req *req)
{
    struct api_job *job = wh_http_user(req);

    (void)ctx;
    if (job) {
        /* The reader is gone: a query that runs for it sees this and ends. */
        job->http = NULL;
        atomic_store(&job->canceled, true);
        if (job->out.flow) {
            api_flow_close(job->out.flow);
        }
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
        if (api_status_of((enum wh_rc)rc) == 500 && rc != WH_OK && rc != WH_E_INTERNAL) {
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

static enum wh_rc make_lanes(struct sink_api *api, struct wh_err *err)
{
    static const size_t threads[API_LANES] = {[API_QUERIES] = QUERY_THREADS,
                                              [API_READS] = READ_THREADS,
                                              [API_STREAMS] = STREAM_THREADS,
                                              [API_LIVE] = API_LIVE_MAX};

    api->flow_wake = wh_wake_new(api->deps.loop, api_streams_serve, api);
    api->at_once = api_at_once_new(api->deps.loop, api->deps.store, api->deps.conf.answers_bytes);
    if (api->flow_wake == NULL || api->at_once == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the API");
    }
    for (size_t i = 0; i < API_LANES; i++) {
        /* A live stream that would wait for another one's end might wait for ever. */
        if (api_lane_new(api->deps.loop, threads[i], i == API_LIVE ? 0 : WAITING_MAX,
                         &api->lanes[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc load_search_token(struct sink_api *api, struct wh_err *err)
{
    const char *path = api->deps.conf.search_token_file;

    return path && path[0] ? wh_token_file_load(path, api->search_token, err) : WH_OK;
}

enum wh_rc sink_api_new(const struct sink_api_deps *deps, struct sink_api **ret, struct wh_err *err)
{
    struct sink_api *api = wh_mem_zalloc(1, sizeof(*api));
    struct sql_engine_conf sql = {
        .store = deps->store,
        .clock = deps->clock,
        .connections = QUERY_THREADS + STREAM_THREADS,
        .folder = deps->conf.data_path,
    };

    if (api == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the API");
    }
    api->deps = *deps;
    api->zone = wh_zone_utc();
    if (deps->conf.zone && wh_zone_find(wh_slice_str(deps->conf.zone), &api->zone, err) != WH_OK) {
        sink_api_free(api);
        return wh_err_prefix(err, "workspace.zone");
    }
    sql.zone = api->zone;
    if (deps->conf.calls_file && calls_new(deps->conf.calls_file, &api->calls, err) != WH_OK) {
        sink_api_free(api);
        return err->rc;
    }
    sql.calls = api->calls;
    if (own_token_new(deps->conf.token_file, &api->token, err) != WH_OK ||
        load_search_token(api, err) != WH_OK ||
        (deps->conf.backup_path &&
         sink_backups_new(deps->store, deps->conf.backup_path, deps->clock, deps->log,
                          &api->backups, err) != WH_OK) ||
        page_sessions_new(deps->conf.sessions_file, deps->clock, &api->sessions, err) != WH_OK ||
        views_new(deps->conf.views_file, deps->clock, &api->views, err) != WH_OK ||
        grants_new(deps->conf.grants_file, deps->clock, &api->grants, err) != WH_OK ||
        measures_new(measures_file(), &api->measures, err) != WH_OK ||
        api_chart_key_load(api, err) != WH_OK || make_counters(api, err) != WH_OK ||
        sql_engine_new(&sql, &api->engine, err) != WH_OK ||
        questions_new((struct wh_slice){NULL, 0}, &api->questions, err) != WH_OK ||
        make_lanes(api, err) != WH_OK) {
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
    api_streams_close(api);
    for (size_t i = 0; i < API_LANES; i++) {
        while (api->lanes[i] && (task = api_lane_take_back(api->lanes[i])) != NULL) {
            struct api_job *job = task->ctx;

            (void)wh_fail(&job->err, WH_E_UNAVAILABLE, "this sink is stopping");
            api_job_settle(job);
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
    api_streams_forget(api);
    wh_wake_free(api->flow_wake);
    api_at_once_free(api->at_once);
    sql_engine_free(api->engine);
    questions_free(api->questions);
    measures_free(api->measures);
    calls_free(api->calls);
    wh_mem_wipe(api->chart_key, sizeof(api->chart_key));
    page_sessions_free(api->sessions);
    views_free(api->views);
    grants_free(api->grants);
    own_token_free(api->token);
    sink_backups_free(api->backups);
    wh_mem_free(api);
}
