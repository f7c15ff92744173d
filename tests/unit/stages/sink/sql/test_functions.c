/* The functions that SQLite lacks. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "stages/sink/sql/sql.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_heads.h"

struct fixture {
    struct wh_store *store;
    struct sql_engine *engine;
    struct wh_buf text;
    double number;
};

static int set_up(void **state)
{
    struct fixture *f = wh_mem_zalloc(1, sizeof(*f));
    struct sql_engine_conf conf = {.clock = wh_clock_real(), .connections = 1};
    struct wh_err err;

    f->store = conf.store = th_sink_store();
    th_ok(sql_engine_new(&conf, &f->engine, &err), &err);
    wh_buf_init(&f->text, 1 << 20);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sql_engine_free(f->engine);
    wh_store_free(f->store);
    wh_buf_done(&f->text);
    wh_mem_free(f);
    return 0;
}

static enum wh_rc on_columns(void *ctx, const struct wh_slice *names, size_t n, struct wh_err *err)
{
    (void)ctx;
    (void)names;
    (void)n;
    (void)err;
    return WH_OK;
}

/* The first value of a row, as text. */
static enum wh_rc on_row(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                         struct wh_err *err)
{
    struct fixture *f = ctx;

    (void)n;
    (void)ret_full;
    f->number = values[0].type == SQL_DOUBLE ? values[0].num : -1;
    switch (values[0].type) {
    case SQL_INT:
        return wh_buf_printf(&f->text, err, "%lld;", (long long)values[0].i);
    case SQL_DOUBLE:
        return wh_buf_printf(&f->text, err, "%.10g;", values[0].num);
    case SQL_TEXT:
    case SQL_BLOB:
        return wh_buf_printf(&f->text, err, "%.*s;", WH_SLICE_ARG(values[0].bytes));
    case SQL_NULL:
    default:
        return wh_buf_append(&f->text, WH_LIT("NULL;"), err);
    }
}

static enum wh_rc run(struct fixture *f, struct wh_slice sql, struct wh_err *err)
{
    const struct sql_query query = {.text = sql, .timeout_ms = 20000, .max_rows = 1000};
    const struct sql_rows rows = {on_columns, on_row, f};
    struct sql_outcome outcome;

    wh_buf_reset(&f->text);
    wh_err_clear(err);
    return sql_run(f->engine, &query, &rows, &outcome, err);
}

struct example {
    const char *sql;
    const char *want; /* the rows, or a part of the error behind '!' */
};

static void check(struct fixture *f, const struct example *examples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char sql[512];
        struct wh_err err;
        enum wh_rc rc;

        (void)snprintf(sql, sizeof(sql), "SELECT %s", examples[i].sql);
        rc = run(f, wh_slice_str(sql), &err);
        if (examples[i].want[0] == '!') {
            if (rc != WH_E_INVALID || strstr(err.msg, examples[i].want + 1) == NULL) {
                fail_msg("%s: %s", sql, rc == WH_OK ? wh_buf_str(&f->text) : err.msg);
            }
        } else if (rc != WH_OK || strcmp(wh_buf_str(&f->text), examples[i].want) != 0) {
            fail_msg("%s: %s", sql, rc == WH_OK ? wh_buf_str(&f->text) : err.msg);
        }
    }
}

#define CHECK(state, ...)                                                                          \
    do {                                                                                           \
        static const struct example examples[] = {__VA_ARGS__};                                    \
        check(*(state), examples, sizeof(examples) / sizeof(examples[0]));                         \
    } while (0)

static void numbers(void **state)
{
    CHECK(state, {"median(column1) FROM (VALUES (3), (1), (2))", "2;"},
          {"median(column1) FROM (VALUES (3), (1), (2), (10))", "2.5;"},
          {"median(column1) FROM (VALUES (NULL), (7))", "7;"},
          {"median(column1) FROM (VALUES (NULL))", "NULL;"}, {"median(iid) FROM issues", "NULL;"},
          {"median(column1) FROM (VALUES ('12'), (14.5))", "13.25;"},
          {"median(column1) FROM (VALUES ('x'))", "!median needs numbers"},
          {"percentile(column1, 0) FROM (VALUES (3), (1), (2))", "1;"},
          {"percentile(column1, 100) FROM (VALUES (3), (1), (2))", "3;"},
          {"percentile(column1, 75) FROM (VALUES (3), (1), (2))", "2.5;"},
          {"percentile(column1, 0.95) FROM (VALUES (3))", "!95, not 0.95"},
          {"percentile(column1, 101) FROM (VALUES (3))", "!from 1 to 100"},
          {"percentile(column1, 'x') FROM (VALUES (3))", "!from 1 to 100"},
          {"stddev(column1) FROM (VALUES (2), (4), (4), (4), (5), (5), (7), (9))", "2.138089935;"},
          {"stddev(column1) FROM (VALUES (1))", "NULL;"},
          {"stddev(column1) FROM (VALUES (NULL), (1e9 + 1), (1e9 + 3))", "1.414213562;"},
          {"stddev(column1) FROM (VALUES ('x'))", "!stddev needs numbers"},
          {"median(column2) FROM (VALUES ('a', 1), ('a', 3), ('b', 9)) GROUP BY column1", "2;9;"});
}

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Against a sorted array; few distinct values, many, and rising ones. */
static void percentiles_of_random_numbers(void **state)
{
    struct fixture *f = *state;
    struct th_random random = {11};
    static double values[400];

    for (int round = 0; round < 120; round++) {
        size_t n = 1 + th_random_below(&random, 399);
        unsigned percent = th_random_below(&random, 101);
        double position = percent / 100.0 * (double)(n - 1);
        size_t k = (size_t)position;
        struct wh_buf sql;
        struct wh_err err;
        double want;

        wh_buf_init(&sql, 1 << 16);
        th_ok(wh_buf_printf(&sql, &err, "SELECT percentile(column1, %u) FROM (VALUES ", percent),
              &err);
        for (size_t i = 0; i < n; i++) {
            values[i] = round % 3 == 0   ? th_random_below(&random, 4)
                        : round % 3 == 1 ? th_random_below(&random, 1 << 30) / 8.0 - 1e6
                                         : (double)i;
            th_ok(wh_buf_printf(&sql, &err, "%s(%.17g)", i ? "," : "", values[i]), &err);
        }
        th_ok(wh_buf_append_char(&sql, ')', &err), &err);
        th_ok(run(f, wh_buf_slice(&sql), &err), &err);
        qsort(values, n, sizeof(values[0]), by_number);
        want = values[k] + (k + 1 < n ? (position - (double)k) * (values[k + 1] - values[k]) : 0);
        assert_true(fabs(f->number - want) < 1e-6);
        wh_buf_done(&sql);
    }
}

static void patterns(void **state)
{
    CHECK(state, {"'refs/heads/main' REGEXP '^refs/heads/'", "1;"}, {"'Main' REGEXP 'main'", "0;"},
          {"'Main' REGEXP '(?i)main'", "1;"}, {"regexp('^\\d{3}$', '123')", "1;"},
          {"regexp('(a)\\1', 'xaax')", "1;"}, {"'\xc3\xa4rger' REGEXP '^\\w+$'", "1;"},
          {"'\xc3\xa4' REGEXP '^.$'", "1;"}, {"'' REGEXP ''", "1;"}, {"NULL REGEXP 'a'", "NULL;"},
          {"'a' REGEXP NULL", "NULL;"}, {"'a' NOT REGEXP 'b'", "1;"},
          {"CAST(x'61ff62' AS TEXT) REGEXP 'b'", "1;"}, {"123 REGEXP '2'", "1;"},
          {"'a' REGEXP '('", "!at character"}, {"'a' REGEXP '[z-a]'", "!at character"},
          {"'a' REGEXP '\\C'", "!regexp"},
          {"regexp(printf('%.2000c', 'a'), 'a')", "!longer than 1024"},
          {"group_concat(column1) FROM (VALUES ('a1'), ('b'), ('c3')) WHERE column1 REGEXP '\\d'",
           "a1,c3;"},
          {"group_concat(column1 REGEXP column2) FROM (VALUES ('a','a'),('b','a'),('c','.'))",
           "1,0,1;"},
          {"(printf('%.100000c', 'a') || 'b') REGEXP '(a|a)*[cd]'", "!too many steps"});
}

static void times(void **state)
{
    CHECK(
        state, {"date_trunc('day', '2026-11-24T10:20:30.400Z')", "2026-11-24T00:00:00.000Z;"},
        {"date_trunc('week', '2026-11-29')", "2026-11-23T00:00:00.000Z;"},
        {"date_trunc('day', '2026-03-29T21:30:00Z', 'Europe/Berlin')", "2026-03-28T23:00:00.000Z;"},
        {"date_trunc('month', '2026-11-24 10:20:30 +0200')", "2026-11-01T00:00:00.000Z;"},
        {"date_trunc('days', '2026-11-24')", "!first argument is"},
        {"date_trunc('day', '2026-11-24', 'Mars/Olympus')", "!no time zone Mars/Olympus"},
        {"date_trunc('day', NULL)", "NULL;"}, {"date_trunc('day', 'soon')", "NULL;"},
        {"date_trunc('day', '2026-11-24', NULL)", "NULL;"},
        {"local('2026-03-29T00:59:59Z', 'Europe/Berlin')", "2026-03-29T01:59:59.000+01:00;"},
        {"local('2026-03-29T01:00:00Z', 'Europe/Berlin')", "2026-03-29T03:00:00.000+02:00;"},
        {"local('2026-01-01T00:00:00Z', 'America/St_Johns')", "2025-12-31T20:30:00.000-03:30;"},
        {"local('2026-01-01', 'UTC')", "2026-01-01T00:00:00.000+00:00;"},
        {"local('x', 'UTC')", "NULL;"}, {"local(NULL, 'UTC')", "NULL;"},
        {"local('2026-01-01', '../etc')", "!no time zone"},
        /* Hours of the days of the two changes in 2026. */
        {"count(*) FROM (WITH RECURSIVE h(t) AS (SELECT '2025-12-31T23:00:00.000Z' UNION ALL"
         " SELECT strftime('%Y-%m-%dT%H:%M:%fZ', t, '+1 hour') FROM h LIMIT 8760)"
         " SELECT date_trunc('day', t, 'Europe/Berlin') d, count(*) n FROM h GROUP BY d"
         " HAVING n IN (23, 25))",
         "2;"});
}

static void concatenation(void **state)
{
    CHECK(state, {"concat('a', NULL, 1, 2.5)", "a12.5;"}, {"concat(NULL)", ";"},
          {"concat('\xc3\xa4', x'62')", "\xc3\xa4"
                                        "b;"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(percentiles_of_random_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(patterns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(concatenation, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
