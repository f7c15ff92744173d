/* The file of measures, and: a number is what its rows say (C2), for every measure, grouping and unit of time. */
#include "tests/lib/th_cmocka.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/time.h"
#include "common/base/zone.h"
#include "stages/sink/measures/measures.h"
#include "stages/sink/sql/sql.h"
#include "tests/lib/th_measures.h"

enum { ROWS_MAX = 4096, COLUMNS_MAX = 24, THINGS = 60 };

static const int64_t from_ms = INT64_C(1771884000000); /* 2026-02-23T22:00Z */
static const int64_t to_ms = INT64_C(1777986000000);   /* 2026-05-05T13:00Z */

struct world {
    struct th_facts facts;
    struct sql_engine *engine;
    struct measures *measures;
    struct wh_arena arena;
    struct wh_zone zone;
};

static int set_up(void **state)
{
    struct world *w = wh_mem_zalloc(1, sizeof(*w));
    struct sql_engine_conf conf = {.clock = wh_clock_real(), .connections = 1};
    struct wh_err err;

    assert_non_null(w);
    th_facts_init(&w->facts);
    th_measures_fill(&w->facts, THINGS, 7);
    conf.store = w->facts.store;
    th_ok(sql_engine_new(&conf, &w->engine, &err), &err);
    th_ok(measures_new(measures_file(), &w->measures, &err), &err);
    th_ok(wh_zone_find(WH_LIT("Europe/Berlin"), &w->zone, &err), &err);
    wh_arena_init(&w->arena, 64 << 10, 64 << 20);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    sql_engine_free(w->engine);
    measures_free(w->measures);
    th_facts_done(&w->facts);
    wh_arena_done(&w->arena);
    wh_mem_free(w);
    return 0;
}

/* ---- rows of a statement ---- */

struct rows {
    struct wh_arena arena;
    struct wh_slice names[COLUMNS_MAX];
    size_t n_columns;
    struct sql_value *list; /* n * n_columns */
    size_t n;
};

static void rows_done(struct rows *rows)
{
    wh_arena_done(&rows->arena);
}

static enum wh_rc on_columns(void *ctx, const struct wh_slice *names, size_t n, struct wh_err *err)
{
    struct rows *rows = ctx;
    void *memory = NULL;

    assert_true(n <= COLUMNS_MAX);
    rows->n_columns = n;
    for (size_t i = 0; i < n; i++) {
        th_ok(wh_arena_dup(&rows->arena, names[i], &rows->names[i], err), err);
    }
    th_ok(wh_arena_zalloc(&rows->arena, ROWS_MAX * n, sizeof(*rows->list), &memory, err), err);
    rows->list = memory;
    return WH_OK;
}

static enum wh_rc on_row(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                         struct wh_err *err)
{
    struct rows *rows = ctx;

    (void)ret_full;
    assert_true(rows->n < ROWS_MAX);
    for (size_t i = 0; i < n; i++) {
        struct sql_value *v = &rows->list[rows->n * n + i];

        *v = values[i];
        if (v->type == SQL_TEXT) {
            th_ok(wh_arena_dup(&rows->arena, values[i].bytes, &v->bytes, err), err);
        }
    }
    rows->n++;
    return WH_OK;
}

static void run(struct world *w, const struct measure_statement *s, struct rows *ret)
{
    struct sql_param params[MEASURE_PARAMS_MAX];
    struct sql_query query = {.text = s->sql,
                              .params = params,
                              .n_params = s->n_params,
                              .timeout_ms = 60000,
                              .max_rows = ROWS_MAX};
    const struct sql_rows to = {on_columns, on_row, ret};
    struct sql_outcome outcome;
    struct wh_err err;

    rows_done(ret);
    *ret = (struct rows){.n = 0};
    wh_arena_init(&ret->arena, 64 << 10, 64 << 20);
    for (size_t i = 0; i < s->n_params; i++) {
        params[i] =
            (struct sql_param){s->params[i].name, {.type = SQL_TEXT, .bytes = s->params[i].value}};
    }
    if (sql_run(w->engine, &query, &to, &outcome, &err) != WH_OK) {
        fail_msg("%s\n%.*s", err.msg, WH_SLICE_ARG(s->sql));
    }
}

static const struct sql_value *cell(const struct rows *rows, size_t row, const char *name)
{
    for (size_t i = 0; i < rows->n_columns; i++) {
        if (wh_slice_eq(rows->names[i], wh_slice_str(name))) {
            return &rows->list[row * rows->n_columns + i];
        }
    }
    return NULL;
}

static double number(const struct sql_value *v)
{
    return v->type == SQL_INT ? (double)v->i : v->num;
}

/* ---- a number, from its rows ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double percentile(const double *sorted, size_t n, double percent)
{
    double place = percent / 100 * (double)(n - 1);
    size_t low = (size_t)place;

    return low + 1 < n ? sorted[low] + (sorted[low + 1] - sorted[low]) * (place - (double)low)
                       : sorted[low];
}

static double expected(const struct rows *rows, enum measure_aggregate aggregate)
{
    static double values[ROWS_MAX];
    double sum = 0;

    if (aggregate <= MEASURE_OPEN) {
        return (double)rows->n;
    }
    for (size_t i = 0; i < rows->n; i++) {
        values[i] = number(cell(rows, i, "value"));
        sum += values[i];
    }
    qsort(values, rows->n, sizeof(values[0]), compare);
    switch (aggregate) {
    case MEASURE_SUM:
        return sum;
    case MEASURE_MEAN:
    case MEASURE_SHARE:
        return sum / (double)rows->n;
    case MEASURE_P50:
        return percentile(values, rows->n, 50);
    case MEASURE_P90:
        return percentile(values, rows->n, 90);
    case MEASURE_BY_COUNT:
    case MEASURE_PER_DAY:
    case MEASURE_OPEN:
    default:
        return -1;
    }
}

/* The rows behind the cell are as many as it says, and give its numbers. */
static void check_cell(struct world *w, const struct measure_query *q, int64_t n,
                       const struct rows *numbers, size_t row)
{
    struct measure_statement s;
    struct wh_err err;
    __attribute__((cleanup(rows_done))) struct rows rows = {.n = 0};

    th_ok(measure_rows_statement(q, &w->arena, &s, &err), &err);
    run(w, &s, &rows);
    if ((int64_t)rows.n != n) {
        fail_msg("%.*s by %.*s: %zu rows, and the number says %lld\n%.*s",
                 WH_SLICE_ARG(q->measure->id), WH_SLICE_ARG(q->by ? q->by->id : WH_LIT("nothing")),
                 rows.n, (long long)n, WH_SLICE_ARG(s.sql));
    }
    for (size_t i = 0; numbers && n > 0 && i < q->measure->n_aggregates; i++) {
        enum measure_aggregate a = q->measure->aggregates[i];
        double got = number(cell(numbers, row, measure_aggregate_name(a)));

        assert_true(fabs(got - expected(&rows, a)) < 1e-6 * (1 + fabs(got)));
    }
}

static int64_t time_of(const struct sql_value *v)
{
    struct wh_instant at;
    struct wh_err err;

    th_ok(wh_time_parse(v->bytes, &at, &err), &err);
    return at.ms;
}

/* The period of a week, within that of the query. */
static void narrow(const struct world *w, struct measure_query *q, int64_t begins)
{
    int64_t ends = wh_zone_trunc(w->zone, WH_ZONE_WEEK, begins + INT64_C(10) * 86400000);

    q->from_ms = begins > from_ms ? begins : from_ms;
    q->to_ms = ends < to_ms ? ends : to_ms;
}

static void only(struct measure_query *q, const struct measure_dimension *by,
                 const struct sql_value *key)
{
    if (by) {
        q->filters[q->n_filters++] = (struct measure_filter){
            by, key->type == SQL_NULL ? (struct wh_slice){NULL, 0} : key->bytes};
    }
}

static const struct measure_dimension *grouped_by(const struct measure_query *q)
{
    return q->by ? q->by : q->measure->split;
}

static void check_flow(struct world *w, const struct measure_query *q)
{
    const struct measure_dimension *by = grouped_by(q);
    struct measure_statement s;
    struct wh_err err;
    __attribute__((cleanup(rows_done))) struct rows rows = {.n = 0};

    th_ok(measure_statement(q, &w->arena, &s, &err), &err);
    run(w, &s, &rows);
    for (size_t i = 0; i < rows.n; i++) {
        struct measure_query one = *q;

        if (q->over) {
            narrow(w, &one, time_of(cell(&rows, i, "bucket")));
        }
        only(&one, by, cell(&rows, i, "key"));
        check_cell(w, &one, cell(&rows, i, "rows")->i, &rows, i);
    }
}

/* What is open at the end of each week is the sum of all that came before. */
static void check_stock(struct world *w, const struct measure_query *q)
{
    struct measure_query one = *q;
    struct measure_statement s;
    struct wh_err err;
    __attribute__((cleanup(rows_done))) struct rows rows = {.n = 0};
    int64_t open = 0;

    th_ok(measure_statement(q, &w->arena, &s, &err), &err);
    run(w, &s, &rows);
    for (size_t i = 0; i < rows.n; i++) {
        open += cell(&rows, i, "rows")->i;
        if (cell(&rows, i, "bucket")->type != SQL_NULL) {
            narrow(w, &one, time_of(cell(&rows, i, "bucket")));
            check_cell(w, &one, open, NULL, 0);
        }
    }
}

/* ---- tests ---- */

static void a_number_is_what_its_rows_say(void **state)
{
    struct world *w = *state;
    size_t n = 0;
    const struct measure *list = measures_list(w->measures, &n);

    for (size_t i = 0; i < n; i++) {
        struct measure_query q = {.measure = &list[i],
                                  .zone = WH_LIT("Europe/Berlin"),
                                  .from_ms = from_ms,
                                  .to_ms = to_ms};

        check_flow(w, &q);
        for (size_t k = 0; k < list[i].n_by; k++) {
            q.by = list[i].by[k];
            if (list[i].split == NULL || q.by == list[i].split) {
                check_flow(w, &q);
            }
        }
        q.by = NULL;
        q.over = "week";
        (measure_is_stock(&list[i]) ? check_stock : check_flow)(w, &q);
        q.by = list[i].split ? list[i].split : list[i].by[0];
        if (!measure_is_stock(&list[i])) {
            check_flow(w, &q);
        }
        wh_arena_reset(&w->arena);
    }
}

static void every_measure_counts_something(void **state)
{
    struct world *w = *state;
    size_t n = 0;
    const struct measure *list = measures_list(w->measures, &n);

    for (size_t i = 0; i < n; i++) {
        const struct measure_query q = {
            .measure = &list[i], .zone = WH_LIT("UTC"), .from_ms = from_ms, .to_ms = to_ms};
        struct measure_statement s;
        struct wh_err err;
        __attribute__((cleanup(rows_done))) struct rows rows = {.n = 0};

        th_ok(measure_rows_statement(&q, &w->arena, &s, &err), &err);
        run(w, &s, &rows);
        if (rows.n == 0) {
            fail_msg("%.*s has no rows", WH_SLICE_ARG(list[i].id));
        }
        assert_non_null(cell(&rows, 0, "id"));
        assert_non_null(cell(&rows, 0, "at"));
        assert_true(cell(&rows, 0, "value") || list[i].unit == MEASURE_COUNT);
        assert_true(!measure_is_stock(&list[i]) || cell(&rows, 0, "until"));
        for (size_t k = 0; k < list[i].n_by; k++) {
            char name[64];

            (void)snprintf(name, sizeof(name), "%.*s", WH_SLICE_ARG(list[i].by[k]->id));
            assert_non_null(cell(&rows, 0, name));
        }
    }
}

/* C4: one deployment with two incidents is one failed change; the one before it failed in no way. */
static void two_incidents_are_one_failed_change(void **state)
{
    static const char facts[] =
        "[{\"kind\":\"project\",\"id\":\"1\",\"at\":\"2026-03-01\",\"path\":\"shop/web\"},"
        "{\"kind\":\"deployment\",\"id\":\"1\",\"at\":\"2026-03-02\",\"status\":\"success\","
        "\"environment_name\":\"production\",\"project\":\"project:1\",\"finished_at\":\"2026-03-"
        "02T10:00:00Z\"},"
        "{\"kind\":\"deployment\",\"id\":\"2\",\"at\":\"2026-03-03\",\"status\":\"success\","
        "\"environment_name\":\"production\",\"project\":\"project:1\",\"finished_at\":\"2026-03-"
        "03T10:00:00Z\"},"
        "{\"kind\":\"work_item\",\"id\":\"8\",\"at\":\"2026-03-04\",\"type\":\"incident\","
        "\"state\":\"opened\","
        "\"project\":\"project:1\",\"created_at\":\"2026-03-03T11:00:00Z\"},"
        "{\"kind\":\"work_item\",\"id\":\"9\",\"at\":\"2026-03-04\",\"type\":\"incident\","
        "\"state\":\"opened\","
        "\"project\":\"project:1\",\"created_at\":\"2026-03-03T12:00:00Z\"}]";
    struct world *w = *state;
    struct measure_query q = {
        .zone = WH_LIT("UTC"), .from_ms = INT64_C(1772323200000), .to_ms = INT64_C(1775001600000)};
    struct sql_engine_conf conf = {.clock = wh_clock_real(), .connections = 1};
    struct measure_statement s;
    struct th_facts other;
    struct wh_err err;
    __attribute__((cleanup(rows_done))) struct rows rows = {.n = 0};

    th_facts_init(&other);
    th_facts_put(&other, facts);
    sql_engine_free(w->engine);
    conf.store = other.store;
    th_ok(sql_engine_new(&conf, &w->engine, &err), &err);
    q.measure = measures_find(w->measures, WH_LIT("change_failure_rate"));
    assert_non_null(q.measure);
    th_ok(measure_statement(&q, &w->arena, &s, &err), &err);
    run(w, &s, &rows);
    assert_int_equal(cell(&rows, 0, "rows")->i, 2);
    assert_true(fabs(cell(&rows, 0, "ratio")->num - 0.5) < 1e-9);
    sql_engine_free(w->engine);
    w->engine = NULL;
    th_facts_done(&other);
}

static void names_are_not_used_twice(void **state)
{
    struct world *w = *state;
    size_t n = 0;
    const struct measure *list = measures_list(w->measures, &n);

    for (size_t i = 0; i < n; i++) {
        for (size_t a = 0; a < list[i].n_words; a++) {
            for (size_t k = 0; k < n; k++) {
                for (size_t b = 0; b < list[k].n_words; b++) {
                    assert_true((i == k && a == b) ||
                                !wh_slice_eq(list[i].words[a], list[k].words[b]));
                }
            }
        }
    }
}

static void currencies_are_not_added_up(void **state)
{
    struct world *w = *state;
    struct measure_query q = {.measure = measures_find(w->measures, WH_LIT("revenue_at_risk")),
                              .zone = WH_LIT("UTC"),
                              .from_ms = from_ms,
                              .to_ms = to_ms};
    struct measure_statement s;
    struct wh_err err;
    __attribute__((cleanup(rows_done))) struct rows rows = {.n = 0};

    th_ok(measure_statement(&q, &w->arena, &s, &err), &err);
    run(w, &s, &rows);
    assert_int_equal(rows.n, 2);
    q.by = measure_dimension(q.measure, WH_LIT("customer"));
    assert_int_equal(measure_statement(&q, &w->arena, &s, &err), WH_E_INVALID);
    q.filters[q.n_filters++] = (struct measure_filter){q.measure->split, WH_LIT("EUR")};
    th_ok(measure_statement(&q, &w->arena, &s, &err), &err);
    run(w, &s, &rows);
    assert_true(rows.n > 0);
}

static void a_value_is_never_part_of_a_statement(void **state)
{
    struct world *w = *state;
    struct measure_query q = {.measure = measures_find(w->measures, WH_LIT("issues_opened")),
                              .zone = WH_LIT("UTC"),
                              .from_ms = from_ms,
                              .to_ms = to_ms};
    struct measure_statement s;
    struct wh_err err;
    __attribute__((cleanup(rows_done))) struct rows rows = {.n = 0};

    for (size_t i = 0; i < q.measure->n_by; i++) {
        q.filters[q.n_filters++] = (struct measure_filter){q.measure->by[i], WH_LIT("' or 1=1 --")};
    }
    th_ok(measure_statement(&q, &w->arena, &s, &err), &err);
    assert_null(memmem(s.sql.ptr, s.sql.len, "or 1=1", 6));
    run(w, &s, &rows);
    assert_int_equal(cell(&rows, 0, "rows")->i, 0);
    q.to_ms = q.from_ms;
    assert_int_equal(measure_statement(&q, &w->arena, &s, &err), WH_E_RANGE);
    assert_int_equal(measure_rows_statement(&q, &w->arena, &s, &err), WH_E_RANGE);
}

#define MEASURE(members)                                                                           \
    "{\"version\":1,\"dimensions\":[{\"id\":\"d\",\"title\":\"D\",\"definition\":\"d\"}],"         \
    "\"measures\":[{\"id\":\"a\",\"title\":\"A\",\"words\":[\"a\"],\"definition\":\"a\","          \
    "\"streams\":[\"s\"],\"rows\":[\"select 1\"]," members "}]}"

static void a_file_that_breaks_a_rule_is_refused(void **state)
{
    static const char *const good =
        MEASURE("\"unit\":\"count\",\"aggregates\":[\"count\"],\"by\":[\"d\"]");
    static const char *const bad[] = {
        "",
        "{\"version\":2}",
        MEASURE("\"unit\":\"miles\",\"aggregates\":[\"count\"],\"by\":[\"d\"]"),
        MEASURE("\"unit\":\"count\",\"aggregates\":[],\"by\":[\"d\"]"),
        MEASURE("\"unit\":\"count\",\"aggregates\":[\"median\"],\"by\":[\"d\"]"),
        MEASURE("\"unit\":\"count\",\"aggregates\":[\"count\"],\"by\":[\"e\"]"),
        MEASURE("\"unit\":\"count\",\"aggregates\":[\"count\"],\"by\":[\"d\",\"d\"]"),
        MEASURE("\"unit\":\"count\",\"aggregates\":[\"count\"],\"by\":[\"d\"],\"split\":\"e\""),
        "{\"version\":1,\"measures\":[{\"id\":\"a\"}]}",
        "{\"version\":1,\"dimensions\":[{\"id\":\"d\"}]}",
    };
    struct measures *m = NULL;
    struct wh_err err;

    (void)state;
    th_ok(measures_new(wh_slice_str(good), &m, &err), &err);
    measures_free(m);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_not_equal(measures_new(wh_slice_str(bad[i]), &m, &err), WH_OK);
        assert_null(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_number_is_what_its_rows_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_measure_counts_something, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_incidents_are_one_failed_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_not_used_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(currencies_are_not_added_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_value_is_never_part_of_a_statement, set_up, tear_down),
        cmocka_unit_test(a_file_that_breaks_a_rule_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
