/* Lists of any table: words, operators, facets, links to SQL, and any nonsense as a question. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "stages/sink/sql/sql.h"
#include "tests/lib/th_api.h"
#include "tests/lib/th_cmocka.h"

enum { ROWS = 300, PARSED_MAX = 16 << 20 };

struct world {
    struct th_api *f;
    struct wh_json_parser *parser;
    struct th_http_req req;
};

static int set_up(void **state)
{
    const struct sink_api_conf conf = {.sql_timeout_ms = 20000,
                                       .sql_timeout_max_ms = 20000,
                                       .sql_rows = 1000,
                                       .sql_bytes = 8 << 20};
    struct world *w = wh_mem_zalloc(1, sizeof(*w));

    w->f = th_api_new(&conf, ROWS, 21);
    w->parser = wh_json_parser_new(PARSED_MAX, 32);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    th_http_done(&w->req);
    wh_json_parser_free(w->parser);
    th_api_free(w->f);
    wh_mem_free(w);
    return 0;
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The answer is in w->req until the next question. */
static struct wh_json_val ask_path(struct world *w, const char *path, const char *const *args)
{
    struct wh_json_val root = {0};
    struct wh_err err;

    th_http_done(&w->req);
    th_api_request(w->f, &w->req, "GET", path);
    for (; args && args[0]; args += 2) {
        th_http_arg(&w->req, args[0], args[1]);
    }
    th_http_send(&w->req, &w->f->handler, w->f->loop);
    if (wh_json_parse(w->parser, wh_buf_slice(&w->req.answer), &root, &err) != WH_OK) {
        fail_msg("%s: %.300s", err.msg, wh_buf_str(&w->req.answer));
    }
    return root;
}

static struct wh_json_val ask(struct world *w, const char *const *args)
{
    struct wh_json_val root = ask_path(w, "/api/v1/entities", args);

    if (w->req.status != 200) {
        fail_msg("%s=%s: %.300s", args[2] ? args[2] : args[0], args[2] ? args[3] : args[1],
                 wh_buf_str(&w->req.answer));
    }
    return root;
}

static struct wh_json_val member(struct wh_json_val object, const char *key)
{
    struct wh_json_val v = {0};

    if (!wh_json_get(object, wh_slice_str(key), &v)) {
        fail_msg("no member %s", key);
    }
    return v;
}

static size_t count(struct wh_json_val array)
{
    struct wh_json_iter it = wh_json_iter(array);
    struct wh_json_val v;
    size_t n = 0;

    while (wh_json_next(&it, NULL, &v)) {
        n++;
    }
    return n;
}

static size_t rows_with(struct world *w, const char *name, const char *value)
{
    return count(member(ask(w, ARGS("kind", "work_items", "_size", "max", name, value)), "rows"));
}

static size_t live(const struct world *w)
{
    size_t n = 0;

    for (size_t i = 0; i < w->f->heads.n; i++) {
        n += !w->f->heads.items[i]->deleted;
    }
    return n;
}

/* ---- operators: each and its opposite share the rows out ---- */

static void opposites(void **state)
{
    static const char *const pairs[][4] = {
        {"title__exact", "opened", "title__not", "opened"},
        {"title__contains", "o", "title__notcontains", "o"},
        {"title__isnull", "1", "title__notnull", "1"},
        {"title__isblank", "1", "title__notblank", "1"},
        {"labels__arraycontains", "it's", "labels__arraynotcontains", "it's"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        size_t some = rows_with(w, pairs[i][0], pairs[i][1]);

        assert_true(some > 0);
        assert_int_equal(some + rows_with(w, pairs[i][2], pairs[i][3]), live(w));
    }
    /* These say nothing of unknown values. */
    assert_int_equal(rows_with(w, "title__like", "%o%") + rows_with(w, "title__notlike", "%o%"),
                     rows_with(w, "title__notnull", "1"));
    assert_int_equal(rows_with(w, "iid__lt", "5") + rows_with(w, "iid__gte", "5"),
                     rows_with(w, "iid__notnull", "1"));
    assert_int_equal(rows_with(w, "iid__lte", "5") + rows_with(w, "iid__gt", "5"),
                     rows_with(w, "iid__notnull", "1"));
    assert_int_equal(rows_with(w, "title__in", "opened,closed") +
                         rows_with(w, "title__notin", "opened,closed"),
                     rows_with(w, "title__notnull", "1"));
    assert_int_equal(rows_with(w, "title__endswith", "_OFF"), rows_with(w, "title", "50%_off"));
    assert_int_equal(rows_with(w, "title__glob", "50*"), rows_with(w, "title__startswith", "50"));
    assert_int_equal(rows_with(w, "_search", "50% OFF"), rows_with(w, "_search", "off 50%"));
}

/* A day of a zone is the same as its bounds. */
static void days_are_those_of_the_zone(void **state)
{
    struct world *w = *state;
    size_t utc = rows_with(w, "created_at__date", "2025-10-10");
    struct wh_json_val there =
        member(ask(w, ARGS("kind", "work_items", "_size", "max", "created_at__date", "2025-10-10",
                           "_zone", "Asia/Tokyo")),
               "rows");
    size_t day = count(there);

    assert_true(utc > 0 && day > 0);
    assert_int_equal(day, count(member(ask(w, ARGS("kind", "work_items", "_size", "max",
                                                   "created_at__gte", "2025-10-09T15:00:00Z",
                                                   "created_at__lt", "2025-10-10T15:00:00Z")),
                                       "rows")));
    assert_int_equal(day,
                     count(member(ask(w, ARGS("kind", "work_items", "_size", "max",
                                              "created_at__gte", "2025-10-10", "created_at__lt",
                                              "2025-10-11", "_zone", "Asia/Tokyo")),
                                  "rows")));
}

/* ---- facets: a number is that of the rows behind it (T1) ---- */

static void check_facet(struct world *w, const char *column, const char *end)
{
    struct wh_json_val root = ask(w, ARGS("kind", "work_items", "_size", "1", "_facet", column));
    struct wh_json_iter facets = wh_json_iter(member(member(root, "facet_results"), "results"));
    struct {
        char value[64];
        int64_t n;
    } found[40];
    struct wh_json_val facet;
    struct wh_json_val v;
    struct wh_json_iter it;
    size_t n = 0;

    assert_true(wh_json_next(&facets, NULL, &facet));
    assert_false(wh_json_get_flag(facet, "partial"));
    it = wh_json_iter(member(facet, "results"));
    while (wh_json_next(&it, NULL, &v) && n < 40) {
        if (wh_json_type(member(v, "value")) == WH_JSON_NULL) {
            continue;
        }
        (void)snprintf(found[n].value, sizeof(found[n].value), "%.*s",
                       WH_SLICE_ARG(wh_json_get_str(v, "value")));
        found[n++].n = wh_json_get_int(v, "count", -1);
    }
    assert_true(n > 1);
    for (size_t i = 0; i < n; i++) {
        char name[80];

        (void)snprintf(name, sizeof(name), "%s%s", column, end);
        assert_int_equal(rows_with(w, name, found[i].value), found[i].n);
    }
}

static void facets_count_rows(void **state)
{
    struct world *w = *state;
    struct wh_json_val root;
    size_t opened;

    check_facet(w, "title", "");
    check_facet(w, "draft", "");
    check_facet(w, "iid", "");
    root = ask(w, ARGS("kind", "work_items", "_size", "1", "_extra", "count"));
    assert_int_equal(wh_json_get_int(root, "count", -1), live(w));
    opened = rows_with(w, "title", "opened");
    root = ask(w, ARGS("kind", "work_items", "_size", "1", "_extra", "count", "title", "opened"));
    assert_int_equal(wh_json_get_int(root, "count", -1), opened);
    root = ask(w, ARGS("kind", "work_items", "_extra", "count", "_nocount", "1"));
    assert_int_equal(wh_json_get_int(root, "count", -1), -1);
}

/* ---- the statement behind a list has the same rows (T4) ---- */

static void same_rows_by_sql(struct world *w, const char *const *args)
{
    struct wh_json_val root = ask(w, args);
    struct wh_json_val query = member(root, "query");
    struct wh_json_iter params = wh_json_iter(member(query, "params"));
    char *rows = strdup(strstr(wh_buf_str(&w->req.answer), "\"rows\":["));
    char texts[12][2][512];
    const char *sql_args[26] = {0};
    size_t n_rows = count(member(root, "rows"));
    struct wh_slice name;
    struct wh_json_val v;
    size_t n = 0;

    (void)snprintf(texts[n][1], sizeof(texts[0][1]), "%.*s", 500,
                   wh_json_get_str(query, "sql").ptr);
    texts[n][1][wh_json_get_str(query, "sql").len] = 0;
    (void)snprintf(texts[n++][0], sizeof(texts[0][0]), "sql");
    while (wh_json_next(&params, &name, &v) && n < 12) {
        (void)snprintf(texts[n][0], sizeof(texts[0][0]), "%.*s", WH_SLICE_ARG(name));
        (void)snprintf(texts[n++][1], sizeof(texts[0][1]), "%.*s", WH_SLICE_ARG(wh_json_string(v)));
    }
    for (size_t i = 0; i < n; i++) {
        sql_args[2 * i] = texts[i][0];
        sql_args[2 * i + 1] = texts[i][1];
    }
    root = ask_path(w, "/api/v1/sql", sql_args);
    if (w->req.status != 200) {
        fail_msg("%s: %s", texts[0][1], wh_buf_str(&w->req.answer));
    }
    assert_int_equal(count(member(root, "rows")), n_rows);
    if (strncmp(rows, strstr(wh_buf_str(&w->req.answer), "\"rows\":["),
                (size_t)(strstr(rows, "],\"next\"") - rows)) != 0) {
        fail_msg("%.300s\n%.300s", rows, wh_buf_str(&w->req.answer));
    }
    free(rows);
}

static void a_list_says_its_sql(void **state)
{
    struct world *w = *state;

    same_rows_by_sql(w, ARGS("kind", "work_items", "_extra", "query", "_col", "id", "_col", "title",
                             "_size", "7"));
    same_rows_by_sql(w, ARGS("kind", "work_items", "_extra", "query", "_col", "iid", "_col",
                             "title", "iid__gt", "5", "title__contains", "o", "_sort_desc",
                             "updated_at", "_size", "9"));
    same_rows_by_sql(w, ARGS("kind", "work_items", "_extra", "query", "_col", "id", "_col", "title",
                             "title__in", "opened,closed,it's", "_size", "5"));
}

/* ---- shapes ---- */

static void shapes(void **state)
{
    struct world *w = *state;
    struct wh_json_val root =
        ask(w, ARGS("kind", "work_items", "_shape", "array", "_size", "4", "_col", "id"));

    assert_int_equal(wh_json_type(root), WH_JSON_ARRAY);
    assert_int_equal(count(root), 4);
    assert_non_null(strstr(wh_buf_str(&w->req.answer_headers), "rel=\"next\""));
    root = ask(w, ARGS("kind", "work_items", "_shape", "arrayfirst", "_size", "4", "_col", "id"));
    assert_int_equal(wh_buf_slice(&w->req.answer).len, 4 * 38 + 3 + 2);
    root = ask(w, ARGS("kind", "work_items", "_labels", "on", "_size", "1", "project__notnull", "1",
                       "_col", "project"));
    assert_non_null(strstr(wh_buf_str(&w->req.answer), "{\"project\":{\"value\":\""));
    root = ask(w, ARGS("kind", "work_items", "_nocol", "title", "_size", "1"));
    assert_null(strstr(wh_buf_str(&w->req.answer), "\"title\""));
}

/* X3: a link that says a time that moves says the instant when it is copied. */
static void a_copied_link_does_not_move(void **state)
{
    struct world *w = *state;
    struct wh_json_val root = ask(w, ARGS("kind", "work_items", "_extra", "permalink,filters",
                                          "created_at__gte", "-7d", "_size", "1"));
    struct wh_slice link = wh_json_get_str(root, "permalink");

    assert_non_null(memmem(link.ptr, link.len, "created_at__gte=20", 18));
    assert_non_null(memmem(link.ptr, link.len, "_asof=", 6));
    assert_null(memmem(link.ptr, link.len, "-7d", 3));
    assert_int_equal(count(member(root, "filters")), 1);
}

/* ---- every table is a list ---- */

static void every_table(void **state)
{
    const struct sql_table_info *tables;
    struct world *w = *state;
    size_t n;

    tables = sql_tables(&n);
    for (size_t i = 0; i < n; i++) {
        struct sql_column columns[SQL_COLUMNS_MAX];
        size_t n_columns = sql_columns(wh_slice_str(tables[i].name), columns);

        (void)ask(w, ARGS("kind", tables[i].name, "_size", "3", "_extra",
                          "count,column_details,filters,query,permalink,sequence", "_facet",
                          columns[n_columns > 1].name));
        (void)ask(w, ARGS("kind", tables[i].name, "_size", "3", "_sort_desc", columns[0].name));
    }
}

/* ---- nonsense ---- */

static const char *pick(struct th_random *random, const char *const *list, size_t n)
{
    return list[th_random_below(random, (uint32_t)n)];
}

#define PICK(random, list) pick(random, list, sizeof(list) / sizeof((list)[0]))

static void any_question_is_answered_or_refused(void **state)
{
    static const char *const names[] = {
        "title",   "iid",        "labels",      "created_at", "draft",     "project",
        "_sort",   "_sort_desc", "_facet",      "_extra",     "_col",      "_nocol",
        "_search", "_size",      "_next",       "_shape",     "_labels",   "_zone",
        "_asof",   "_nl",        "_deleted",    "title\"",    "__",        "a__b__c",
        "_",       "",           "_facet_size", "_nofacet",   "_timelimit"};
    static const char *const ends[] = {
        "",       "__exact",  "__not",      "__contains",      "__gt",
        "__in",   "__notin",  "__date",     "__arraycontains", "__glob",
        "__like", "__isnull", "__endswith", "__nope",          "__"};
    static const char *const values[] = {"",
                                         "x",
                                         "-7d",
                                         "today",
                                         "1",
                                         "-1",
                                         "1e999",
                                         "'",
                                         "\"",
                                         "%",
                                         "a,b,,c",
                                         ",",
                                         "now",
                                         "-999999w",
                                         "[",
                                         "2025-10-10",
                                         "2025-99-99",
                                         "title",
                                         "id",
                                         "on",
                                         "max",
                                         "*[",
                                         "\\",
                                         "\xff\xfe",
                                         "9999999999999999999999",
                                         "-0d",
                                         "); DROP TABLE x; --",
                                         "UTC",
                                         "count,query",
                                         "array"};
    struct world *w = *state;
    struct th_random random = {77};

    for (int i = 0; i < 2000; i++) {
        char text[4][64];
        const char *args[12] = {"kind", "work_items"};

        for (size_t k = 0; k < 4; k++) {
            (void)snprintf(text[k], sizeof(text[k]), "%s%s", PICK(&random, names),
                           th_random_below(&random, 2) ? PICK(&random, ends) : "");
            args[2 + 2 * k] = text[k];
            args[3 + 2 * k] = PICK(&random, values);
        }
        args[10] = th_random_below(&random, 3) ? NULL : "_format";
        args[11] = args[10] ? "json" : NULL;
        th_http_done(&w->req);
        th_api_request(w->f, &w->req, "GET", "/api/v1/entities");
        for (size_t k = 0; k < 12 && args[k]; k += 2) {
            th_http_arg(&w->req, args[k], args[k + 1]);
        }
        th_http_send(&w->req, &w->f->handler, w->f->loop);
        if (w->req.status != 200 && w->req.status != 400 && w->req.status != 413 &&
            w->req.status != 422) {
            fail_msg("%u for %s=%s %s=%s %s=%s %s=%s: %.200s", w->req.status, args[2], args[3],
                     args[4], args[5], args[6], args[7], args[8], args[9],
                     wh_buf_str(&w->req.answer));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opposites),
        cmocka_unit_test(days_are_those_of_the_zone),
        cmocka_unit_test(facets_count_rows),
        cmocka_unit_test(a_list_says_its_sql),
        cmocka_unit_test(shapes),
        cmocka_unit_test(a_copied_link_does_not_move),
        cmocka_unit_test(every_table),
        cmocka_unit_test(any_question_is_answered_or_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
