/* A measure that is asked for: the arguments of the request, and the statements that answer it. */
#include <stdio.h>

#include "stages/sink/api/charts/charts_priv.h"

enum { ARENA_BLOCK_BYTES = 64 << 10, DEFAULT_WEEKS = 12, DAY_MS = 86400000 };

void numbers_init(struct numbers *n, struct api_job *job)
{
    *n = (struct numbers){.job = job};
    wh_arena_init(&n->arena, ARENA_BLOCK_BYTES, NUMBERS_ARENA_MAX_BYTES);
}

void numbers_done(struct numbers *n)
{
    wh_arena_done(&n->arena);
}

enum wh_rc numbers_measure(struct api_job *job, const struct measure **ret, struct wh_err *err)
{
    if (wh_slice_eq(job->id, WH_LIT("new"))) {
        return numbers_build(job, ret, err);
    }
    *ret = measures_find(job->api->measures, job->id);
    return *ret ? WH_OK
                : wh_fail(err, WH_E_NOT_FOUND,
                          "there is no measure '%.*s'; /api/v1/measures lists them",
                          WH_SLICE_ARG(job->id));
}

size_t numbers_drawn(const struct numbers *n)
{
    for (size_t i = 0; i < n->query.measure->n_aggregates; i++) {
        if (n->query.measure->aggregates[i] == n->drawn) {
            return i;
        }
    }
    return 0;
}

/* ---- arguments ---- */

static const char *const words[] = {"since", "until", "over",    "by",         "agg",
                                    "zone",  "_zone", "_asof",   "_timelimit", "_format",
                                    "_size", "table", "measure", "column",     "time",
                                    "was",   "sig",   "expires", "for"};

static bool is_word(struct wh_slice name)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (wh_slice_eq(name, wh_slice_str(words[i]))) {
            return true;
        }
    }
    return wh_slice_starts(name, WH_LIT("_"));
}

/* "project, author, label" */
static const char *dimensions_of(const struct measure *m, char text[200])
{
    size_t len = 0;

    text[0] = 0;
    for (size_t i = 0; i < m->n_by && len < 160; i++) {
        len += (size_t)snprintf(text + len, 200 - len, "%s%.*s", i ? ", " : "",
                                WH_SLICE_ARG(m->by[i]->id));
    }
    return text;
}

static enum wh_rc no_dimension(const struct measure *m, struct wh_slice name, struct wh_err *err)
{
    char text[200];

    return wh_fail(err, WH_E_INVALID, "%.*s has no dimension '%.*s'; it has %s",
                   WH_SLICE_ARG(m->id), (int)(name.len < 40 ? name.len : 40), name.ptr,
                   dimensions_of(m, text));
}

/* DIMENSION=VALUE or DIMENSION__isnull=1 */
static enum wh_rc read_filter(struct numbers *n, const struct api_arg *arg, struct wh_err *err)
{
    struct wh_slice name = arg->name;
    const struct measure_dimension *d;
    bool none = wh_slice_ends(name, WH_LIT("__isnull"));

    name.len -= none ? sizeof("__isnull") - 1 : 0;
    d = measure_dimension(n->query.measure, name);
    if (d == NULL) {
        return no_dimension(n->query.measure, name, err);
    }
    if (n->query.n_filters == MEASURE_FILTERS_MAX) {
        return wh_fail(err, WH_E_INVALID, "at most %d filters", MEASURE_FILTERS_MAX);
    }
    n->query.filters[n->query.n_filters++] =
        (struct measure_filter){d, none ? (struct wh_slice){NULL, 0} : arg->value};
    return WH_OK;
}

/* An argument without a value is one of a form that was left open. */
static enum wh_rc read_filters(struct numbers *n, struct wh_err *err)
{
    const struct api_request *r = &n->job->request;

    for (size_t i = 0; i < r->n_args; i++) {
        if (!is_word(r->args[i].name) && r->args[i].value.len > 0 &&
            read_filter(n, &r->args[i], err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc read_by(struct numbers *n, struct wh_err *err)
{
    struct wh_slice by = api_arg(&n->job->request, "by");
    struct wh_slice agg = api_arg(&n->job->request, "agg");
    const struct measure *m = n->query.measure;

    n->drawn = m->aggregates[0];
    for (size_t i = 0; i < m->n_aggregates; i++) {
        if (wh_slice_eq(agg, wh_slice_str(measure_aggregate_name(m->aggregates[i])))) {
            n->drawn = m->aggregates[i];
        }
    }
    if (by.len == 0) {
        return WH_OK;
    }
    n->query.by = measure_dimension(m, by);
    return n->query.by ? WH_OK : no_dimension(m, by, err);
}

static enum wh_rc read_zone(struct numbers *n, struct wh_err *err)
{
    const struct sink_api *api = n->job->api;
    struct wh_slice name = api_arg(&n->job->request, "_zone");

    n->zone = api->zone;
    n->query.zone = wh_slice_str(api->deps.conf.zone ? api->deps.conf.zone : "UTC");
    if (name.len == 0) {
        return WH_OK;
    }
    n->query.zone = name;
    return wh_zone_find(name, &n->zone, err) == WH_OK ? WH_OK : wh_err_prefix(err, "_zone");
}

static enum wh_rc read_over(struct numbers *n, struct wh_err *err)
{
    struct wh_slice over = api_arg(&n->job->request, "over");
    enum wh_zone_unit unit;

    over = over.len ? over : WH_LIT("week");
    if (wh_slice_eq(over, WH_LIT("none"))) {
        return WH_OK;
    }
    if (!wh_zone_unit_parse(over, &unit) || unit < WH_ZONE_HOUR) {
        return wh_fail(err, WH_E_INVALID, "over is hour, day, week, month, quarter, year or none");
    }
    (void)snprintf(n->over, sizeof(n->over), "%.*s", WH_SLICE_ARG(over));
    n->query.over = n->over;
    return WH_OK;
}

static bool is_day(struct wh_slice text)
{
    return wh_date_valid(text) || wh_slice_eq(text, WH_LIT("today")) ||
           wh_slice_eq(text, WH_LIT("yesterday"));
}

static enum wh_rc read_time(const struct numbers *n, const char *name, int64_t now_ms,
                            int64_t *ret_ms, struct wh_err *err)
{
    struct wh_slice text = api_arg(&n->job->request, name);
    bool moves;

    if (!api_time_of(n->zone, now_ms, text, &moves, ret_ms)) {
        return wh_fail(err, WH_E_INVALID,
                       "%s is a time: 2026-11-24, 2026-11-24T10:00:00Z, today or -12w", name);
    }
    if (moves && text.ptr[0] == '-') {
        /* The whole first bucket, so that it is not smaller than the others for no other reason. */
        enum wh_zone_unit unit = WH_ZONE_DAY;

        (void)wh_zone_unit_parse(wh_slice_str(n->over), &unit);
        *ret_ms = wh_zone_trunc(n->zone, unit, *ret_ms);
    }
    return WH_OK;
}

static enum wh_rc read_period(struct numbers *n, struct wh_err *err)
{
    int64_t now_ms = wh_clock_now_ms(&n->job->api->deps.clock);
    struct wh_slice until = api_arg(&n->job->request, "until");
    enum wh_zone_unit unit = WH_ZONE_WEEK;

    n->query.to_ms = now_ms;
    n->until_now = true;
    if (until.len && !wh_slice_eq(until, WH_LIT("now"))) {
        n->until_now = false;
        if (read_time(n, "until", now_ms, &n->query.to_ms, err) != WH_OK) {
            return err->rc;
        }
        if (is_day(until)) {
            n->query.to_ms = wh_zone_day_begin(n->zone, wh_zone_day(n->zone, n->query.to_ms) + 1);
        }
    }
    if (api_arg(&n->job->request, "since").len) {
        return read_time(n, "since", now_ms, &n->query.from_ms, err);
    }
    (void)wh_zone_unit_parse(wh_slice_str(n->over), &unit);
    n->query.from_ms =
        wh_zone_trunc(n->zone, unit, n->query.to_ms - INT64_C(7) * (DEFAULT_WEEKS - 1) * DAY_MS);
    return WH_OK;
}

enum wh_rc numbers_ask(struct numbers *n, const struct measure *measure, struct wh_err *err)
{
    const struct sink_api_conf *conf = &n->job->api->deps.conf;
    int64_t limit = n->timeout_ms ? n->timeout_ms : conf->sql_timeout_ms;

    n->query.measure = measure;
    if (read_zone(n, err) != WH_OK || read_over(n, err) != WH_OK || read_by(n, err) != WH_OK ||
        read_filters(n, err) != WH_OK || read_period(n, err) != WH_OK ||
        api_arg_when(&n->job->request, &n->when, err) != WH_OK) {
        return err->rc;
    }
    return api_arg_int(&n->job->request, "_timelimit", 1, conf->sql_timeout_max_ms, limit,
                       &n->timeout_ms, err);
}

/* ---- the statements ---- */

struct reading {
    struct measure_table *table;
    const struct measure_query *query;
    bool has_key;
};

static enum wh_rc on_columns(void *ctx, const struct wh_slice *names, size_t n, struct wh_err *err)
{
    struct reading *r = ctx;

    (void)err;
    r->has_key = n > 0 && (wh_slice_eq(names[0], WH_LIT("key")) ||
                           (n > 1 && wh_slice_eq(names[1], WH_LIT("key"))));
    return WH_OK;
}

static bool number_of(const struct sql_value *v, double *ret)
{
    *ret = v->type == SQL_INT ? (double)v->i : v->num;
    return v->type == SQL_INT || v->type == SQL_DOUBLE;
}

/* The key of a row as text; a number of an SQL column too. */
static struct wh_slice key_of(const struct sql_value *v, char text[40])
{
    if (v->type == SQL_TEXT) {
        return v->bytes.ptr ? v->bytes : wh_slice("", 0);
    }
    if (v->type == SQL_INT) {
        (void)snprintf(text, 40, "%lld", (long long)v->i);
        return wh_slice_str(text);
    }
    if (v->type == SQL_DOUBLE) {
        (void)snprintf(text, 40, "%.15g", v->num);
        return wh_slice_str(text);
    }
    return (struct wh_slice){NULL, 0};
}

static enum wh_rc on_row(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                         struct wh_err *err)
{
    struct reading *r = ctx;
    struct measure_row row = {.key = {NULL, 0}};
    struct wh_instant at = {.ms = 0};
    char text[40];
    size_t i = 0;

    (void)ret_full;
    if (r->query->over && values[i].type == SQL_TEXT) {
        row.has_bucket = wh_time_parse(values[i].bytes, &at, err) == WH_OK;
        row.bucket_ms = at.ms;
    }
    i += r->query->over != NULL;
    row.key = r->has_key ? key_of(&values[i], text) : row.key;
    i += r->has_key;
    row.cell.rows = values[i].type == SQL_INT ? values[i].i : 0;
    for (size_t k = 0; k < r->query->measure->n_aggregates && i + 1 + k < n; k++) {
        row.cell.known[k] = number_of(&values[i + 1 + k], &row.cell.values[k]);
    }
    return measure_table_add(r->table, &row, err);
}

static enum wh_rc run(struct numbers *n, const struct measure_statement *s, struct reading *r,
                      struct wh_err *err)
{
    const struct sql_rows rows = {.columns = on_columns, .row = on_row, .ctx = r};
    struct sql_param params[MEASURE_PARAMS_MAX];
    struct sql_query query = {.text = s->sql,
                              .params = params,
                              .n_params = s->n_params,
                              .timeout_ms = n->timeout_ms,
                              .max_rows = INT64_MAX,
                              .canceled = &n->job->canceled,
                              .when = &n->when};
    struct sql_outcome outcome = {0};
    enum wh_rc rc;

    for (size_t i = 0; i < s->n_params; i++) {
        params[i] =
            (struct sql_param){s->params[i].name, {.type = SQL_TEXT, .bytes = s->params[i].value}};
    }
    rc = sql_run(n->job->api->engine, &query, &rows, &outcome, err);
    n->elapsed_us += outcome.elapsed_us;
    n->rows_read += outcome.rows_read;
    return rc;
}

/* The table of a query; *ret stays NULL when it takes too long. */
static enum wh_rc read_table(struct numbers *n, const struct measure_query *q,
                             struct measure_statement *s, struct measure_table **ret,
                             struct wh_err *err)
{
    struct reading r = {.query = q};
    enum wh_rc rc;

    if (measure_statement(q, &n->arena, s, err) != WH_OK ||
        measure_table_new(q, n->zone, &n->arena, &r.table, err) != WH_OK) {
        return err->rc;
    }
    rc = run(n, s, &r, err);
    if (rc == WH_E_TIMEOUT) {
        n->timed_out = true;
        return WH_OK;
    }
    if (rc == WH_OK) {
        rc = measure_table_end(r.table, err);
    }
    *ret = rc == WH_OK ? r.table : NULL;
    return rc;
}

enum wh_rc numbers_read(struct numbers *n, struct wh_err *err)
{
    struct measure_query whole = n->query;
    struct measure_statement s;

    whole.over = NULL;
    whole.by = NULL;
    if (n->query.over == NULL && n->query.by == NULL) {
        if (read_table(n, &n->query, &n->statement, &n->table, err) != WH_OK) {
            return err->rc;
        }
        n->total = n->table;
        return WH_OK;
    }
    if (read_table(n, &n->query, &n->statement, &n->table, err) != WH_OK || n->timed_out) {
        return n->timed_out ? WH_OK : err->rc;
    }
    /* The median of a year is not that of its weeks, and a row may be in several groups. */
    if (n->query.by == NULL && measure_table_whole(n->table, &n->total, err) != WH_OK) {
        return err->rc;
    }
    if (n->total == NULL && read_table(n, &whole, &s, &n->total, err) != WH_OK) {
        return err->rc;
    }
    return n->timed_out ? WH_OK : measure_table_shorten(n->table, NUMBERS_GROUPS, err);
}
