/* Statements of measures: the select of the rows, with conditions around it. Only names of this file and of the
 * measures are part of the text; what a reader asks for is bound. */
#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "stages/sink/measures/measures.h"

enum { STATEMENT_MAX_BYTES = 64 << 10 };

static const char *const filter_names[MEASURE_FILTERS_MAX] = {"is0", "is1", "is2", "is3",
                                                              "is4", "is5", "is6", "is7"};

/* How an aggregate is selected. A count is that of the rows, which have a value where there is one. */
static const char *const expressions[] = {
    [MEASURE_BY_COUNT] = "count(*)",
    [MEASURE_PER_DAY] = "count(*)",
    [MEASURE_OPEN] = "count(*)",
    [MEASURE_SUM] = "sum(m.value)",
    [MEASURE_MEAN] = "avg(m.value)",
    [MEASURE_P50] = "percentile(m.value, 50)",
    [MEASURE_P90] = "percentile(m.value, 90)",
    [MEASURE_SHARE] = "avg(m.value)",
};

static bool has_value(const struct measure *m)
{
    return m->aggregates[0] > MEASURE_OPEN;
}

static bool is_filtered(const struct measure_query *q, const struct measure_dimension *by)
{
    for (size_t i = 0; i < q->n_filters; i++) {
        if (q->filters[i].by == by) {
            return true;
        }
    }
    return false;
}

const struct measure_dimension *measure_grouped_by(const struct measure_query *query)
{
    const struct measure_dimension *split = query->measure->split;

    return query->by ? query->by : split && !is_filtered(query, split) ? split : NULL;
}

static enum wh_rc check(const struct measure_query *q, struct wh_err *err)
{
    const struct measure *m = q->measure;

    if (q->from_ms >= q->to_ms) {
        return wh_fail(err, WH_E_RANGE, "the period ends before it begins");
    }
    if (m->split && q->by && q->by != m->split && !is_filtered(q, m->split)) {
        return wh_fail(err, WH_E_INVALID,
                       "%.*s is not added up over each %.*s: choose one, or group by it",
                       WH_SLICE_ARG(m->title), WH_SLICE_ARG(m->split->id));
    }
    return WH_OK;
}

/* ---- parameters ---- */

static void bind(struct measure_statement *ret, const char *name, struct wh_slice value)
{
    ret->params[ret->n_params++] = (struct measure_param){wh_slice_str(name), value};
}

static enum wh_rc bind_time(struct measure_statement *ret, const char *name, int64_t ms,
                            struct wh_arena *arena, struct wh_err *err)
{
    char text[WH_TIME_TEXT_MAX];
    struct wh_slice copy;

    if (wh_arena_dup(arena, wh_slice_str(wh_time_format(ms, text)), &copy, err) != WH_OK) {
        return err->rc;
    }
    bind(ret, name, copy);
    return WH_OK;
}

static enum wh_rc bind_all(const struct measure_query *q, bool over, struct wh_arena *arena,
                           struct measure_statement *ret, struct wh_err *err)
{
    ret->n_params = 0;
    if (bind_time(ret, "from", q->from_ms, arena, err) != WH_OK ||
        bind_time(ret, "to", q->to_ms, arena, err) != WH_OK) {
        return err->rc;
    }
    if (over) {
        bind(ret, "over", wh_slice_str(q->over));
        bind(ret, "zone", q->zone);
    }
    for (size_t i = 0; i < q->n_filters; i++) {
        if (q->filters[i].value.ptr) {
            bind(ret, filter_names[i], q->filters[i].value);
        }
    }
    return WH_OK;
}

/* ---- conditions ---- */

static enum wh_rc put_filter(struct wh_buf *out, const struct measure_filter *f, const char *name,
                             struct wh_err *err)
{
    struct wh_slice column = f->by->id;

    if (f->by->list && f->value.ptr) {
        return wh_buf_printf(
            out, err, "\n and exists (select 1 from json_each(m.\"%.*s\") e where e.value = :%s)",
            WH_SLICE_ARG(column), name);
    }
    if (f->by->list) {
        return wh_buf_printf(out, err,
                             "\n and not exists (select 1 from json_each(m.\"%.*s\") e where "
                             "e.value is not null)",
                             WH_SLICE_ARG(column));
    }
    return f->value.ptr
               ? wh_buf_printf(out, err, "\n and m.\"%.*s\" = :%s", WH_SLICE_ARG(column), name)
               : wh_buf_printf(out, err, "\n and m.\"%.*s\" is null", WH_SLICE_ARG(column));
}

/* Everything but the time. */
static enum wh_rc put_filters(struct wh_buf *out, const struct measure_query *q, struct wh_err *err)
{
    enum wh_rc rc =
        has_value(q->measure) ? wh_buf_printf(out, err, "\n and m.value is not null") : WH_OK;

    for (size_t i = 0; rc == WH_OK && i < q->n_filters; i++) {
        rc = put_filter(out, &q->filters[i], filter_names[i], err);
    }
    return rc;
}

/* The time of what counts for the period, or of what is open at its end. */
static const char *time_condition(const struct measure *m)
{
    return measure_is_stock(m) ? "m.at < :to and (m.until is null or m.until >= :to)"
                               : "m.at >= :from and m.at < :to";
}

static enum wh_rc put_from(struct wh_buf *out, const struct measure_query *q,
                           const struct measure_dimension *by, const char *condition,
                           struct wh_err *err)
{
    enum wh_rc rc = wh_buf_printf(out, err, "\nfrom (\n%.*s\n) m", WH_SLICE_ARG(q->measure->rows));

    if (rc == WH_OK && by && by->list) {
        rc = wh_buf_printf(out, err, " left join json_each(m.\"%.*s\") g", WH_SLICE_ARG(by->id));
    }
    rc = rc == WH_OK ? wh_buf_printf(out, err, "\nwhere %s", condition) : rc;
    return rc == WH_OK ? put_filters(out, q, err) : rc;
}

static enum wh_rc finish(struct wh_buf *text, struct wh_arena *arena, struct measure_statement *ret,
                         struct wh_err *err)
{
    return wh_arena_dup(arena, wh_buf_slice(text), &ret->sql, err);
}

/* ---- numbers ---- */

static enum wh_rc put_key(struct wh_buf *out, const struct measure_dimension *by,
                          struct wh_err *err)
{
    if (by == NULL) {
        return WH_OK;
    }
    return by->list ? wh_buf_printf(out, err, "g.value as key, ")
                    : wh_buf_printf(out, err, "m.\"%.*s\" as key, ", WH_SLICE_ARG(by->id));
}

static enum wh_rc put_numbers(struct wh_buf *out, const struct measure *m, struct wh_err *err)
{
    enum wh_rc rc = wh_buf_printf(out, err, "count(*) as rows");

    for (size_t i = 0; rc == WH_OK && i < m->n_aggregates; i++) {
        rc = wh_buf_printf(out, err, ", %s as \"%s\"", expressions[m->aggregates[i]],
                           measure_aggregate_name(m->aggregates[i]));
    }
    return rc;
}

static enum wh_rc put_groups(struct wh_buf *out, const struct measure_dimension *by, bool over,
                             struct wh_err *err)
{
    return by && over   ? wh_buf_printf(out, err, "\ngroup by 1, 2\norder by 1, 2")
           : by || over ? wh_buf_printf(out, err, "\ngroup by 1\norder by 1")
                        : WH_OK;
}

static enum wh_rc put_select(struct wh_buf *out, const struct measure_query *q,
                             const struct measure_dimension *by, struct wh_err *err)
{
    enum wh_rc rc = wh_buf_printf(out, err, "select %s",
                                  q->over ? "date_trunc(:over, m.at, :zone) as bucket, " : "");

    rc = rc == WH_OK ? put_key(out, by, err) : rc;
    rc = rc == WH_OK ? put_numbers(out, q->measure, err) : rc;
    rc = rc == WH_OK ? put_from(out, q, by, time_condition(q->measure), err) : rc;
    return rc == WH_OK ? put_groups(out, by, q->over != NULL, err) : rc;
}

/* What begins to be open, or, with a sign of '-', ends. */
static enum wh_rc put_moves(struct wh_buf *out, const struct measure_query *q,
                            const struct measure_dimension *by, const char *column,
                            const char *sign, const char *condition, struct wh_err *err)
{
    enum wh_rc rc = wh_buf_printf(
        out, err,
        "select case when m.%s >= :from then date_trunc(:over, m.%s, :zone) end as bucket, ",
        column, column);

    rc = rc == WH_OK ? put_key(out, by, err) : rc;
    rc = rc == WH_OK ? wh_buf_printf(out, err, "%scount(*) as n", sign) : rc;
    rc = rc == WH_OK ? put_from(out, q, by, condition, err) : rc;
    return rc == WH_OK ? wh_buf_printf(out, err, by ? "\ngroup by 1, 2" : "\ngroup by 1") : rc;
}

/* A stock over time: what began and ended, and not a count for every bucket, so that the rows are read twice,
 * however many buckets there are. */
static enum wh_rc put_stock(struct wh_buf *out, const struct measure_query *q,
                            const struct measure_dimension *by, struct wh_err *err)
{
    const char *key = by ? "key, " : "";
    enum wh_rc rc = wh_buf_printf(
        out, err, "select bucket, %ssum(n) as rows, sum(n) as \"open\" from (\n", key);

    rc = rc == WH_OK ? put_moves(out, q, by, "at", "", "m.at < :to", err) : rc;
    rc = rc == WH_OK ? wh_buf_printf(out, err, "\nunion all\n") : rc;
    rc =
        rc == WH_OK ? put_moves(out, q, by, "until", "-", "m.at < :to and m.until < :to", err) : rc;
    return rc == WH_OK ? wh_buf_printf(out, err, "\n)\ngroup by %s",
                                       by ? "1, 2\norder by 1, 2" : "1\norder by 1")
                       : rc;
}

enum wh_rc measure_statement(const struct measure_query *query, struct wh_arena *arena,
                             struct measure_statement *ret, struct wh_err *err)
{
    const struct measure *m = query->measure;
    const struct measure_dimension *by = measure_grouped_by(query);
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, STATEMENT_MAX_BYTES);
    if (check(query, err) != WH_OK ||
        bind_all(query, query->over != NULL, arena, ret, err) != WH_OK) {
        return err->rc;
    }
    if ((query->over && measure_is_stock(m) ? put_stock(&text, query, by, err)
                                            : put_select(&text, query, by, err)) != WH_OK) {
        return err->rc;
    }
    return finish(&text, arena, ret, err);
}

enum wh_rc measure_rows_statement(const struct measure_query *query, struct wh_arena *arena,
                                  struct measure_statement *ret, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf text;

    wh_buf_init(&text, STATEMENT_MAX_BYTES);
    if (query->from_ms >= query->to_ms) {
        return wh_fail(err, WH_E_RANGE, "the period ends before it begins");
    }
    if (bind_all(query, false, arena, ret, err) != WH_OK ||
        wh_buf_printf(&text, err, "select m.*") != WH_OK ||
        put_from(&text, query, NULL, time_condition(query->measure), err) != WH_OK ||
        wh_buf_printf(&text, err, "\norder by m.at, m.id") != WH_OK) {
        return err->rc;
    }
    return finish(&text, arena, ret, err);
}
