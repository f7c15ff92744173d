/* Measures as JSON: GET /api/v1/measures, /api/v1/measures/ID and its rows. */
#include <math.h>

#include "common/base/csv.h"
#include "common/base/mem.h"
#include "stages/sink/api/charts/charts_priv.h"

enum { CSV_MAX_BYTES = 8 << 20, MEMBERS_MAX_BYTES = 4096 };

/* ---- the list ---- */

static void write_dimensions(struct wh_json_writer *w, const struct measure *m)
{
    wh_jw_key(w, "by");
    wh_jw_array(w);
    for (size_t i = 0; i < m->n_by; i++) {
        wh_jw_str(w, m->by[i]->id);
    }
    wh_jw_end(w);
}

static void write_measure(struct wh_json_writer *w, const struct measure *m)
{
    wh_jw_object(w);
    wh_jw_put_str(w, "id", m->id);
    wh_jw_put_str(w, "title", m->title);
    wh_jw_put_str(w, "definition", m->definition);
    wh_jw_put_str(w, "unit", wh_slice_str(measure_unit_name(m->unit)));
    wh_jw_key(w, "aggregates");
    wh_jw_array(w);
    for (size_t i = 0; i < m->n_aggregates; i++) {
        wh_jw_str(w, wh_slice_str(measure_aggregate_name(m->aggregates[i])));
    }
    wh_jw_end(w);
    write_dimensions(w, m);
    wh_jw_put_bool(w, "dora", m->dora);
    wh_jw_end(w);
}

enum wh_rc api_answer_measures(struct api_job *job, struct wh_err *err)
{
    size_t n = 0;
    const struct measure *list = measures_list(job->api->measures, &n);
    struct api_json j;

    api_json_begin(&j);
    wh_jw_key(&j.w, "measures");
    wh_jw_array(&j.w);
    for (size_t i = 0; i < n; i++) {
        write_measure(&j.w, &list[i]);
    }
    wh_jw_end(&j.w);
    return api_json_end(&j, job, err);
}

/* ---- one measure ---- */

static void write_number(struct wh_json_writer *w, const char *name, bool known, double value)
{
    wh_jw_key(w, name);
    if (!known || !isfinite(value)) {
        wh_jw_null(w);
    } else if (value == floor(value) && fabs(value) < 9e15) {
        wh_jw_int(w, (int64_t)value);
    } else {
        wh_jw_double(w, value);
    }
}

static enum wh_rc write_url(struct numbers *n, const struct measure_bucket *b,
                            const struct measure_dimension *by, const struct measure_group *g,
                            struct wh_json_writer *w, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf url;

    wh_buf_init(&url, NUMBERS_URL_MAX_BYTES);
    if (g->rest) {
        return WH_OK;
    }
    if (numbers_rows_url(n, b, by, g, &url, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_put_str(w, "rows_url", wh_buf_slice(&url));
    return WH_OK;
}

static void write_time(struct wh_json_writer *w, const char *name, int64_t ms)
{
    char text[WH_TIME_TEXT_MAX];

    wh_jw_put_str(w, name, wh_slice_str(wh_time_format(ms, text)));
}

static void write_key(struct wh_json_writer *w, const struct measure_dimension *by,
                      const struct measure_group *g)
{
    wh_jw_key_slice(w, by->id);
    if (g->rest) {
        wh_jw_str(w, WH_LIT("(others)"));
    } else if (g->key.ptr) {
        wh_jw_str(w, g->key);
    } else {
        wh_jw_null(w);
    }
}

static enum wh_rc write_row(struct numbers *n, const struct measure_table *t,
                            const struct measure_dimension *by, const struct measure_group *g,
                            size_t bucket, struct wh_json_writer *w, struct wh_err *err)
{
    const struct measure_bucket *b = &t->buckets[bucket];
    const struct measure_cell *c = &g->cells[bucket];
    enum wh_rc rc;

    wh_jw_object(w);
    write_time(w, "since", b->from_ms);
    write_time(w, "until", b->to_ms);
    if (by) {
        write_key(w, by, g);
    }
    wh_jw_put_int(w, "rows", c->rows);
    for (size_t i = 0; i < t->measure->n_aggregates; i++) {
        write_number(w, measure_aggregate_name(t->measure->aggregates[i]), c->known[i],
                     c->values[i]);
    }
    rc = write_url(n, b, by, g, w, err);
    wh_jw_end(w);
    return rc;
}

static enum wh_rc write_rows(struct numbers *n, const char *name, const struct measure_table *t,
                             const struct measure_dimension *by, struct wh_json_writer *w,
                             struct wh_err *err)
{
    wh_jw_key(w, name);
    wh_jw_array(w);
    for (size_t b = 0; t && b < t->n_buckets; b++) {
        for (size_t g = 0; g < t->n_groups; g++) {
            if (write_row(n, t, by, &t->groups[g], b, w, err) != WH_OK) {
                return err->rc;
            }
        }
    }
    wh_jw_end(w);
    return WH_OK;
}

static void write_question(const struct numbers *n, struct wh_json_writer *w)
{
    const struct measure_query *q = &n->query;

    wh_jw_key(w, "measure");
    write_measure(w, q->measure);
    write_time(w, "since", q->from_ms);
    write_time(w, "until", q->to_ms);
    wh_jw_put_str(w, "zone", q->zone);
    wh_jw_put_str(w, "over", wh_slice_str(q->over ? q->over : "none"));
    if (q->by) {
        wh_jw_put_str(w, "grouped_by", q->by->id);
    }
    wh_jw_key(w, "filters");
    wh_jw_object(w);
    for (size_t i = 0; i < q->n_filters; i++) {
        wh_jw_key_slice(w, q->filters[i].by->id);
        if (q->filters[i].value.ptr) {
            wh_jw_str(w, q->filters[i].value);
        } else {
            wh_jw_null(w);
        }
    }
    wh_jw_end(w);
    api_write_when(w, n->when);
}

static void write_gaps(const struct numbers *n, struct wh_json_writer *w)
{
    wh_jw_key(w, "gaps");
    wh_jw_array(w);
    for (const struct numbers_gap *g = n->gaps ? n->gaps->first : NULL; g; g = g->next) {
        if (numbers_gap_concerns(g, n)) {
            wh_jw_object(w);
            write_time(w, "since", g->from_ms > n->query.from_ms ? g->from_ms : n->query.from_ms);
            write_time(w, "until", g->to_ms < n->query.to_ms ? g->to_ms : n->query.to_ms);
            wh_jw_put_str(w, "what", g->what);
            wh_jw_put_bool(w, "made_up_for", g->over);
            wh_jw_end(w);
        }
    }
    wh_jw_end(w);
    wh_jw_put_bool(w, "gaps_unknown", n->gaps && n->gaps->unknown);
}

static enum wh_rc write_image(struct numbers *n, struct wh_json_writer *w, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf url;

    wh_buf_init(&url, NUMBERS_URL_MAX_BYTES);
    if (n->query.over == NULL) {
        return WH_OK;
    }
    if (numbers_image_url(n, &url, err) != WH_OK) {
        return err->rc;
    }
    wh_jw_put_str(w, "image_url", wh_buf_slice(&url));
    return WH_OK;
}

static void write_statement(const struct numbers *n, struct wh_json_writer *w)
{
    wh_jw_put_str(w, "sql", n->statement.sql);
    wh_jw_key(w, "params");
    wh_jw_object(w);
    for (size_t i = 0; i < n->statement.n_params; i++) {
        wh_jw_key_slice(w, n->statement.params[i].name);
        wh_jw_str(w, n->statement.params[i].value);
    }
    wh_jw_end(w);
    wh_jw_key(w, "elapsed_ms");
    wh_jw_double(w, (double)n->elapsed_us / 1000);
    wh_jw_put_int(w, "rows_read", n->rows_read);
}

enum wh_rc numbers_write(struct numbers *n, struct wh_json_writer *w, struct wh_err *err)
{
    struct measure_query whole = n->query;

    whole.by = NULL;
    write_question(n, w);
    wh_jw_put_bool(w, "timed_out", n->timed_out);
    wh_jw_put_bool(w, "cut", n->table && n->table->cut);
    if (write_rows(n, "total", n->total, measure_grouped_by(&whole), w, err) != WH_OK ||
        write_rows(n, "rows", n->table, measure_grouped_by(&n->query), w, err) != WH_OK) {
        return err->rc;
    }
    write_gaps(n, w);
    write_statement(n, w);
    return write_image(n, w, err);
}

/* ---- as CSV ---- */

static enum wh_rc csv_number(struct wh_buf *out, bool known, double value, struct wh_err *err)
{
    if (!known || !isfinite(value)) {
        return wh_buf_append(out, WH_LIT(","), err);
    }
    return value == floor(value) && fabs(value) < 9e15
               ? wh_buf_printf(out, err, ",%lld", (long long)value)
               : wh_buf_printf(out, err, ",%.17g", value);
}

static enum wh_rc csv_head(struct wh_buf *out, const struct numbers *n, struct wh_err *err)
{
    const struct measure_dimension *by = measure_grouped_by(&n->query);
    enum wh_rc rc = by ? wh_buf_printf(out, err, "since,until,%.*s,rows", WH_SLICE_ARG(by->id))
                       : wh_buf_printf(out, err, "since,until,rows");

    for (size_t i = 0; rc == WH_OK && i < n->query.measure->n_aggregates; i++) {
        rc =
            wh_buf_printf(out, err, ",%s", measure_aggregate_name(n->query.measure->aggregates[i]));
    }
    return rc == WH_OK ? wh_buf_append(out, WH_LIT("\r\n"), err) : rc;
}

static enum wh_rc csv_row(struct wh_buf *out, const struct numbers *n,
                          const struct measure_group *g, size_t bucket, struct wh_err *err)
{
    const struct measure_bucket *b = &n->table->buckets[bucket];
    const struct measure_cell *c = &g->cells[bucket];
    char from[WH_TIME_TEXT_MAX];
    char to[WH_TIME_TEXT_MAX];
    enum wh_rc rc = wh_buf_printf(out, err, "%s,%s,", wh_time_format(b->from_ms, from),
                                  wh_time_format(b->to_ms, to));

    if (rc == WH_OK && measure_grouped_by(&n->query)) {
        rc = wh_csv_text(g->rest ? WH_LIT("(others)") : g->key, true, out, err);
        rc = rc == WH_OK ? wh_buf_append_char(out, ',', err) : rc;
    }
    rc = rc == WH_OK ? wh_buf_printf(out, err, "%lld", (long long)c->rows) : rc;
    for (size_t i = 0; rc == WH_OK && i < n->query.measure->n_aggregates; i++) {
        rc = csv_number(out, c->known[i], c->values[i], err);
    }
    return rc == WH_OK ? wh_buf_append(out, WH_LIT("\r\n"), err) : rc;
}

static enum wh_rc answer_csv(struct numbers *n, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, CSV_MAX_BYTES);
    if (n->timed_out) {
        return wh_fail(err, WH_E_TIMEOUT, "the numbers were not ready in time");
    }
    if (csv_head(&text, n, err) != WH_OK) {
        return err->rc;
    }
    for (size_t b = 0; b < n->table->n_buckets; b++) {
        for (size_t g = 0; g < n->table->n_groups; g++) {
            if (csv_row(&text, n, &n->table->groups[g], b, err) != WH_OK) {
                return err->rc;
            }
        }
    }
    n->job->content_type = api_format_type(API_CSV);
    return api_spool_write(&n->job->out, wh_buf_slice(&text), err);
}

/* ---- the answers ---- */

static enum wh_rc answer_json(struct numbers *n, struct wh_err *err)
{
    struct api_json j;

    api_json_begin(&j);
    if (numbers_write(n, &j.w, err) != WH_OK) {
        wh_buf_done(&j.buf);
        return err->rc;
    }
    return api_json_end(&j, n->job, err);
}

static enum wh_rc answer(struct numbers *n, const struct measure *m, struct wh_err *err)
{
    enum api_format format;

    if (numbers_ask(n, m, err) != WH_OK ||
        api_format_of(&n->job->request, (struct wh_slice){NULL, 0}, &format, err) != WH_OK ||
        numbers_read(n, err) != WH_OK) {
        return err->rc;
    }
    return format == API_CSV || format == API_CSV_RAW ? answer_csv(n, err) : answer_json(n, err);
}

enum wh_rc api_answer_measure(struct api_job *job, struct wh_err *err)
{
    const struct measure *m = NULL;
    struct numbers_gaps gaps;
    struct numbers n;
    enum wh_rc rc;

    if (numbers_measure(job, &m, err) != WH_OK) {
        return err->rc;
    }
    numbers_init(&n, job);
    n.gaps = &gaps;
    rc = numbers_gaps_read(job, &gaps, err);
    rc = rc == WH_OK ? answer(&n, m, err) : rc;
    numbers_done(&n);
    numbers_gaps_done(&gaps);
    return rc;
}

/* ---- the rows behind a number ---- */

static enum wh_rc run_rows(struct numbers *n, const struct measure_statement *s,
                           enum api_format format, int64_t size, struct wh_err *err)
{
    struct sql_param params[MEASURE_PARAMS_MAX];
    struct sql_query query = {.text = s->sql,
                              .params = params,
                              .n_params = s->n_params,
                              .max_rows = size,
                              .when = &n->when};
    struct sql_outcome outcome;
    struct api_rows rows;
    WH_AUTO(buf) struct wh_buf members;
    enum wh_rc rc;

    wh_buf_init(&members, MEMBERS_MAX_BYTES);
    for (size_t i = 0; i < s->n_params; i++) {
        params[i] =
            (struct sql_param){s->params[i].name, {.type = SQL_TEXT, .bytes = s->params[i].value}};
    }
    n->job->content_type = api_format_type(format);
    api_rows_init(&rows, n->job, format);
    rc = api_rows_run(&rows, n->job, &query, n->timeout_ms, &outcome, err);
    if (rc == WH_OK) {
        n->job->cut = outcome.cut == SQL_WHOLE ? NULL : "there are more rows; _size asks for more";
        rc = wh_buf_printf(&members, err, "\"truncated\":%s,\"row_count\":%lld",
                           outcome.cut == SQL_WHOLE ? "false" : "true", (long long)outcome.rows);
    }
    rc = rc == WH_OK ? api_rows_end(&rows, wh_buf_slice(&members), err) : rc;
    api_rows_done(&rows);
    return rc;
}

static enum wh_rc answer_rows(struct numbers *n, const struct measure *m, struct wh_err *err)
{
    struct measure_statement s;
    enum api_format format;
    int64_t size = 0;

    if (numbers_ask(n, m, err) != WH_OK ||
        api_format_of(&n->job->request, (struct wh_slice){NULL, 0}, &format, err) != WH_OK ||
        api_arg_int(&n->job->request, "_size", 1, n->job->api->deps.conf.sql_rows,
                    format == API_JSON ? 1000 : n->job->api->deps.conf.sql_rows, &size,
                    err) != WH_OK ||
        measure_rows_statement(&n->query, &n->arena, &s, err) != WH_OK) {
        return err->rc;
    }
    return run_rows(n, &s, format, size, err);
}

enum wh_rc api_answer_measure_rows(struct api_job *job, struct wh_err *err)
{
    const struct measure *m = NULL;
    struct numbers n;
    enum wh_rc rc;

    if (numbers_measure(job, &m, err) != WH_OK) {
        return err->rc;
    }
    numbers_init(&n, job);
    rc = answer_rows(&n, m, err);
    numbers_done(&n);
    return rc;
}
