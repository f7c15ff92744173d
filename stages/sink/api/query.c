/* GET and POST /api/v1/sql, and the links and revisions of an entity, which are SQL queries. */
#include <stdio.h>

#include "common/base/num.h"
#include "common/json/json_doc.h"
#include "stages/sink/api/query_priv.h"

enum {
    REQUEST_MAX_BYTES = 2 << 20,
    REQUEST_MAX_DEPTH = 8,
    MEMBERS_MAX_BYTES = 4096,
};

static enum wh_rc check_int(const char *name, int64_t v, int64_t min, int64_t max,
                            struct wh_err *err)
{
    return v >= min && v <= max ? WH_OK
                                : wh_fail(err, WH_E_RANGE, "%s must be %lld to %lld", name,
                                          (long long)min, (long long)max);
}

/* ---- the request ---- */

static enum wh_rc json_param(struct wh_json_val v, struct sql_value *ret, struct wh_err *err)
{
    switch (wh_json_type(v)) {
    case WH_JSON_NULL:
        *ret = (struct sql_value){.type = SQL_NULL};
        return WH_OK;
    case WH_JSON_BOOL:
        *ret = (struct sql_value){.type = SQL_INT, .i = wh_json_bool(v)};
        return WH_OK;
    case WH_JSON_INT:
        *ret = (struct sql_value){.type = SQL_INT, .i = wh_json_int(v)};
        return WH_OK;
    case WH_JSON_UINT:
    case WH_JSON_DOUBLE:
        *ret = (struct sql_value){.type = SQL_DOUBLE, .num = wh_json_double(v)};
        return WH_OK;
    case WH_JSON_STRING:
        *ret = (struct sql_value){.type = SQL_TEXT, .bytes = wh_json_string(v)};
        return WH_OK;
    case WH_JSON_ARRAY:
    case WH_JSON_OBJECT:
    default:
        return wh_fail(err, WH_E_TYPE, "a parameter is a text, a number, true, false or null");
    }
}

static enum wh_rc json_params(struct wh_json_val params, struct sql_request *ret,
                              struct wh_err *err)
{
    struct wh_json_iter it;
    struct wh_json_val v;
    struct wh_slice key;

    if (wh_json_type(params) != WH_JSON_OBJECT) {
        return wh_fail(err, WH_E_TYPE, "params is an object: {\"name\": value}");
    }
    it = wh_json_iter(params);
    while (wh_json_next(&it, &key, &v)) {
        if (ret->n_params == QUERY_PARAMS_MAX) {
            return wh_fail(err, WH_E_TOO_LARGE, "more than %d parameters", QUERY_PARAMS_MAX);
        }
        ret->params[ret->n_params].name = key;
        if (json_param(v, &ret->params[ret->n_params].value, err) != WH_OK) {
            return err->rc;
        }
        ret->n_params++;
    }
    return WH_OK;
}

static enum wh_rc json_member(const struct api_job *job, struct wh_slice key, struct wh_json_val v,
                              struct sql_request *ret, struct wh_err *err)
{
    if (wh_slice_eq(key, WH_LIT("params"))) {
        return json_params(v, ret, err);
    }
    if (wh_slice_eq(key, WH_LIT("limit")) || wh_slice_eq(key, WH_LIT("timeout_ms"))) {
        bool limit = wh_slice_eq(key, WH_LIT("limit"));

        if (wh_json_type(v) != WH_JSON_INT) {
            return wh_fail(err, WH_E_TYPE, "%.*s must be a whole number", WH_SLICE_ARG(key));
        }
        *(limit ? &ret->limit : &ret->timeout_ms) = wh_json_int(v);
        return limit ? check_int("limit", ret->limit, 0, INT64_MAX, err)
                     : check_int("timeout_ms", ret->timeout_ms, 1,
                                 job->api->deps.conf.sql_timeout_max_ms, err);
    }
    if (wh_json_type(v) != WH_JSON_STRING) {
        return wh_fail(err, WH_E_TYPE, "%.40s must be a text", key.len < 40 ? key.ptr : "a member");
    }
    if (wh_slice_eq(key, WH_LIT("query")) || wh_slice_eq(key, WH_LIT("sql"))) {
        ret->text = wh_json_string(v);
    } else if (wh_slice_eq(key, WH_LIT("format"))) {
        ret->format = wh_json_string(v);
    } else if (wh_slice_eq(key, WH_LIT("shape"))) {
        ret->shape = wh_json_string(v);
    } else if (wh_slice_eq(key, WH_LIT("as_of"))) {
        ret->as_of = wh_json_string(v);
    } else if (wh_slice_eq(key, WH_LIT("valid_at"))) {
        ret->valid_at = wh_json_string(v);
    } else {
        return wh_fail(err, WH_E_INVALID,
                       "unknown member; a query has query, params, limit, timeout_ms, format, "
                       "shape, as_of, valid_at");
    }
    return WH_OK;
}

static enum wh_rc read_body(const struct api_job *job, struct wh_json_parser *parser,
                            struct sql_request *ret, struct wh_err *err)
{
    struct wh_json_iter it;
    struct wh_json_val root;
    struct wh_json_val v;
    struct wh_slice key;

    if (wh_json_parse(parser, job->request.body, &root, err) != WH_OK) {
        return wh_err_prefix(err, "the request is not JSON");
    }
    if (wh_json_type(root) != WH_JSON_OBJECT) {
        return wh_fail(err, WH_E_TYPE,
                       "the request must be an object: {\"query\": \"select ...\"}");
    }
    it = wh_json_iter(root);
    while (wh_json_next(&it, &key, &v)) {
        if (json_member(job, key, v, ret, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* Arguments without a leading underscore are parameters. */
static enum wh_rc read_args(const struct api_job *job, struct sql_request *ret, struct wh_err *err)
{
    const struct api_request *request = &job->request;
    const char *limit = api_arg(request, "_size").ptr ? "_size" : "_limit";

    for (size_t i = 0; i < request->n_args; i++) {
        const struct api_arg *arg = &request->args[i];

        if (wh_slice_eq(arg->name, WH_LIT("sql")) || wh_slice_eq(arg->name, WH_LIT("query"))) {
            ret->text = arg->value;
        } else if (wh_slice_eq(arg->name, WH_LIT("as_of"))) {
            ret->as_of = arg->value;
        } else if (wh_slice_eq(arg->name, WH_LIT("valid_at"))) {
            ret->valid_at = arg->value;
        } else if (!wh_slice_starts(arg->name, WH_LIT("_"))) {
            if (ret->n_params == QUERY_PARAMS_MAX) {
                return wh_fail(err, WH_E_TOO_LARGE, "more than %d parameters", QUERY_PARAMS_MAX);
            }
            ret->params[ret->n_params++] =
                (struct sql_param){arg->name, {.type = SQL_TEXT, .bytes = arg->value}};
        }
    }
    if (api_arg(request, "_shape").ptr) {
        ret->shape = api_arg(request, "_shape");
    }
    if (api_arg_int(request, limit, 0, INT64_MAX, ret->limit, &ret->limit, err) != WH_OK ||
        api_arg_int(request, "_timelimit", 1, job->api->deps.conf.sql_timeout_max_ms,
                    ret->timeout_ms, &ret->timeout_ms, err) != WH_OK) {
        return err->rc;
    }
    return WH_OK;
}

static enum wh_rc check_request(const struct sql_request *r, struct wh_err *err)
{
    if (r->text.len == 0) {
        return wh_fail(err, WH_E_INVALID,
                       "no query: POST {\"query\": \"select ...\"} or GET ?sql=select ...");
    }
    if (r->shape.ptr && !wh_slice_eq(r->shape, WH_LIT("objects")) &&
        !wh_slice_eq(r->shape, WH_LIT("arrays"))) {
        return wh_fail(err, WH_E_INVALID, "_shape must be objects or arrays");
    }
    return WH_OK;
}

/* ---- the answer ---- */

static void count_result(const struct api_job *job, enum wh_rc rc)
{
    wh_counter_add(job->api->sql_results[rc], 1);
}

static enum wh_rc end_members(struct wh_buf *out, const struct api_job *job,
                              const struct sql_outcome *outcome, int64_t rows, struct wh_err *err)
{
    static const char *const cuts[] = {"null", "\"rows\"", "\"bytes\""};

    return wh_buf_printf(out, err,
                         "\"truncated\":%s,\"truncated_by\":%s,\"row_count\":%lld,"
                         "\"rows_read\":%lld,\"elapsed_ms\":%lld.%03lld",
                         outcome->cut == SQL_WHOLE ? "false" : "true", cuts[outcome->cut],
                         (long long)rows, (long long)outcome->rows_read,
                         (long long)(outcome->elapsed_us / 1000),
                         (long long)(outcome->elapsed_us % 1000)) == WH_OK
               ? (job->api->deps.sink
                      ? wh_buf_printf(out, err, ",\"sequence\":%llu",
                                      (unsigned long long)sink_sequence(job->api->deps.sink))
                      : WH_OK)
               : err->rc;
}

/* Why rows are missing that the request has asked for. */
static const char *cut_of(const struct sql_request *r, enum sql_cut cut)
{
    if (cut == SQL_CUT_FULL) {
        return "the answer is longer than its limit; ask for fewer rows or columns, or with limit "
               "0 for "
               "all of it";
    }
    if (cut == SQL_CUT_ROWS) {
        return r->limit < 0 ? "there are more rows than the limit that applies when none is given; "
                              "limit 0 asks for all rows"
                            : "there are more rows than the limit";
    }
    return NULL;
}

static enum wh_rc run(struct api_job *job, const struct sql_request *r,
                      const struct wh_history_when *when, enum api_format format,
                      struct wh_err *err)
{
    struct sql_query query = {
        .text = r->text,
        .when = when,
        .params = r->params,
        .n_params = r->n_params,
        .max_rows = r->limit < 0    ? job->api->deps.conf.sql_rows
                    : r->limit == 0 ? INT64_MAX
                                    : r->limit,
    };
    struct api_rows rows;
    struct sql_outcome outcome;
    struct wh_buf members;
    int64_t offset = 0;
    enum wh_rc rc;

    if (api_query_offset(r, api_arg(&job->request, "_next"), &offset, err) != WH_OK) {
        return err->rc;
    }
    query.max_rows += query.max_rows < INT64_MAX - offset ? offset : 0;
    api_rows_init(&rows, job, format);
    rows.skip = offset;
    rows.arrays = wh_slice_eq(r->shape, WH_LIT("arrays"));
    wh_buf_init(&members, MEMBERS_MAX_BYTES);
    rc = api_rows_run(&rows, job, &query, api_time_limit(job, r->timeout_ms), &outcome, err);
    count_result(job, rc);
    job->cut = cut_of(r, outcome.cut);
    if (rc == WH_OK) {
        rc = end_members(&members, job, &outcome, rows.count, err);
    }
    if (rc == WH_OK && job->out.flow == NULL) {
        rc = api_query_next(r, outcome.cut != SQL_WHOLE && rows.count ? offset + rows.count : 0,
                            &members, err);
    }
    if (rc == WH_OK) {
        rc = api_rows_end(&rows, wh_buf_slice(&members), err);
    }
    wh_buf_done(&members);
    api_rows_done(&rows);
    return rc;
}

static enum wh_rc answer_with(struct api_job *job, struct wh_json_parser *parser,
                              struct sql_request *r, struct wh_err *err)
{
    enum api_format format;
    struct wh_history_when when;

    if ((parser && read_body(job, parser, r, err) != WH_OK) || read_args(job, r, err) != WH_OK ||
        check_request(r, err) != WH_OK ||
        api_read_when(r->as_of, r->valid_at, &when, err) != WH_OK ||
        api_format_of(&job->request, r->format, &format, err) != WH_OK) {
        return err->rc;
    }
    if (job->out.flow == NULL && (r->limit == 0 || r->limit > job->api->deps.conf.sql_rows)) {
        job->wants_flow = true;
        return WH_OK;
    }
    job->content_type = api_format_type(format);
    return run(job, r, &when, format, err);
}

enum wh_rc api_answer_sql(struct api_job *job, struct wh_err *err)
{
    struct sql_request r = {.limit = -1};
    struct wh_json_parser *parser = NULL;
    enum wh_rc rc;

    if (wh_slice_eq(job->request.method, WH_LIT("POST"))) {
        parser = wh_json_parser_new(REQUEST_MAX_BYTES, REQUEST_MAX_DEPTH);
        if (parser == NULL) {
            return wh_fail(err, WH_E_NOMEM, "no memory for a parser");
        }
    }
    rc = answer_with(job, parser, &r, err);
    wh_json_parser_free(parser);
    return rc;
}

/* ---- queries of an entity's own ---- */

struct last_value {
    char text[64];
};

static void keep_last(void *ctx, const struct sql_value *values, size_t n)
{
    struct last_value *last = ctx;

    if (n == 1 && values[0].type == SQL_TEXT && values[0].bytes.len < sizeof(last->text)) {
        memcpy(last->text, values[0].bytes.ptr, values[0].bytes.len);
        last->text[values[0].bytes.len] = 0;
    }
}

/* The header that names the next page. */
static void link_next(struct api_job *job, int64_t size, const char *next,
                      struct wh_history_when when)
{
    const int64_t times[] = {when.stored_ms, when.valid_ms};
    const char *const names[] = {"as_of", "valid_at"};
    char past[2][16 + WH_TIME_TEXT_MAX] = {"", ""};
    char text[WH_TIME_TEXT_MAX];

    for (size_t i = 0; i < 2; i++) {
        if (times[i] != INT64_MAX) {
            (void)snprintf(past[i], sizeof(past[i]), "&%s=%s", names[i],
                           wh_time_format(times[i], text));
        }
    }
    (void)snprintf(job->link, sizeof(job->link), "<%.*s?_size=%lld&_next=%s%s%s>; rel=\"next\"",
                   WH_SLICE_ARG(job->request.path), (long long)size, next, past[0], past[1]);
}

/* Runs a query of our own. Its last column is hidden and says where the next page begins. */
static enum wh_rc run_own(struct api_job *job, const char *text, const struct sql_param *params,
                          size_t n_params, const enum sql_shape *shapes, int64_t size,
                          struct wh_err *err)
{
    struct sql_query query = {
        .text = wh_slice_str(text), .params = params, .n_params = n_params, .max_rows = size};
    struct last_value last = {{0}};
    struct wh_history_when when;
    struct sql_outcome outcome;
    struct api_rows rows;
    enum api_format format;
    struct wh_buf members;
    enum wh_rc rc;

    if (api_arg_when(&job->request, &when, err) != WH_OK ||
        api_format_of(&job->request, (struct wh_slice){NULL, 0}, &format, err) != WH_OK) {
        return err->rc;
    }
    query.when = &when;
    job->content_type = api_format_type(format);
    wh_buf_init(&members, MEMBERS_MAX_BYTES);
    api_rows_init(&rows, job, format);
    rows.shapes = shapes;
    rows.hidden = 1;
    rows.on_hidden = keep_last;
    rows.ctx = &last;
    rc = api_rows_run(&rows, job, &query, job->api->deps.conf.sql_timeout_ms, &outcome, err);
    if (rc == WH_OK && outcome.cut != SQL_WHOLE) {
        link_next(job, size, last.text, when);
        job->cut = API_CUT_PAGE;
        rc = wh_buf_printf(&members, err, "\"truncated\":true,\"next\":\"%s\"", last.text);
    } else if (rc == WH_OK) {
        rc = wh_buf_printf(&members, err, "\"truncated\":false,\"next\":null");
    }
    if (rc == WH_OK) {
        rc = api_rows_end(&rows, wh_buf_slice(&members), err);
    }
    wh_buf_done(&members);
    api_rows_done(&rows);
    return rc;
}

static enum wh_rc own_params(struct api_job *job, const char *last, struct sql_param params[2],
                             int64_t *ret_size, struct wh_err *err)
{
    struct wh_slice next = api_arg(&job->request, "_next");
    struct wh_entity_id id;

    if (wh_entity_id_parse(job->id, &id, err) != WH_OK ||
        api_arg_int(&job->request, "_size", 1, 1000, 100, ret_size, err) != WH_OK) {
        return err->rc;
    }
    params[0] = (struct sql_param){WH_LIT("id"), {.type = SQL_TEXT, .bytes = job->id}};
    params[1] = (struct sql_param){
        WH_LIT("next"), {.type = SQL_TEXT, .bytes = next.ptr ? next : wh_slice_str(last)}};
    return WH_OK;
}

enum wh_rc api_answer_revisions(struct api_job *job, struct wh_err *err)
{
    static const char text[] =
        "SELECT entity_id, kind, version, version_at, revision, change, reason, origin, "
        "delivery_id,"
        " observed_at, topic, partition, offset, view, shown, changed, source_project_id,"
        " source_iid, url, stored_at, version FROM revisions"
        " WHERE entity_id = :id AND version < :next ORDER BY version DESC";
    static const enum sql_shape shapes[] = {
        SQL_SHAPE_PLAIN, SQL_SHAPE_PLAIN, SQL_SHAPE_PLAIN, SQL_SHAPE_PLAIN, SQL_SHAPE_BOOL,
        SQL_SHAPE_PLAIN, SQL_SHAPE_PLAIN, SQL_SHAPE_PLAIN, SQL_SHAPE_PLAIN, SQL_SHAPE_PLAIN,
        SQL_SHAPE_PLAIN, SQL_SHAPE_PLAIN, SQL_SHAPE_PLAIN, SQL_SHAPE_PLAIN, SQL_SHAPE_JSON,
        SQL_SHAPE_JSON,  SQL_SHAPE_PLAIN, SQL_SHAPE_PLAIN, SQL_SHAPE_PLAIN, SQL_SHAPE_PLAIN,
        SQL_SHAPE_PLAIN,
    };
    struct sql_param params[2];
    int64_t size = 0;

    if (own_params(job, "g", params, &size, err) != WH_OK) {
        return err->rc;
    }
    return run_own(job, text, params, 2, shapes, size, err);
}

enum wh_rc api_answer_links(struct api_job *job, struct wh_err *err)
{
    static const char text[] =
        "SELECT * FROM (SELECT 'out' AS direction, relation, to_id AS id, to_kind AS kind, version,"
        "  version_at, 'o' || relation || to_id AS place FROM links WHERE from_id = :id"
        " UNION ALL SELECT 'in', relation, from_id, from_kind, version, version_at,"
        "  'i' || relation || from_id FROM links WHERE to_id = :id)"
        " WHERE place > :next ORDER BY place";
    struct sql_param params[2];
    int64_t size = 0;

    if (own_params(job, "", params, &size, err) != WH_OK) {
        return err->rc;
    }
    return run_own(job, text, params, 2, NULL, size, err);
}
