/* Orders, ranges and beginnings by the indexes of the store, against the same without them. */
#include <stdio.h>

#include "common/base/mem.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_heads.h"
#include "tests/lib/th_sql.h"

enum { ROWS = 300 };

struct fixture {
    struct wh_store *store;
    struct th_heads items;
    struct th_heads jobs;
    struct sql_engine *engine;
};

static int set_up(void **state)
{
    struct fixture *f = wh_mem_zalloc(1, sizeof(*f));
    struct sql_engine_conf conf = {.clock = wh_clock_real(), .connections = 1};
    struct wh_err err;

    f->store = conf.store = th_sink_store();
    th_heads_init(&f->items, f->store, WH_KIND_WORK_ITEM, 21);
    th_heads_init(&f->jobs, f->store, WH_KIND_JOB, 22);
    th_heads_add(&f->items, ROWS);
    th_heads_add(&f->jobs, ROWS);
    th_ok(sql_engine_new(&conf, &f->engine, &err), &err);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sql_engine_free(f->engine);
    th_heads_done(&f->items);
    th_heads_done(&f->jobs);
    wh_store_free(f->store);
    wh_mem_free(f);
    return 0;
}

static const struct {
    const char *table;
    const char *column;
} columns[] = {
    {"work_items", "updated_at"},    {"work_items_all", "updated_at"}, {"work_items", "created_at"},
    {"work_items_all", "closed_at"}, {"work_items", "merged_at"},      {"jobs", "created_at"},
    {"jobs_all", "finished_at"},     {"merge_requests", "updated_at"}, {"issues_all", "closed_at"},
};

/* T and C stand for the table and the column, a plus hides the column from the indexes. */
static void fill_in(char *out, size_t size, const char *form, size_t i, bool hide)
{
    size_t n = 0;

    for (; *form && n + 64 < size; form++) {
        const char *text = *form == 'T' && form[1] == '.'   ? columns[i].table
                           : *form == 'C' && form[1] == '.' ? columns[i].column
                                                            : NULL;

        if (text == NULL) {
            out[n++] = *form;
            continue;
        }
        n += (size_t)snprintf(out + n, size - n, "%s%s", *form == 'C' && hide ? "+" : "", text);
        form++;
    }
    out[n] = '\0';
}

static int64_t both(struct fixture *f, const char *form, size_t i)
{
    char with[1024];
    char without[1024];

    fill_in(with, sizeof(with), form, i, false);
    fill_in(without, sizeof(without), form, i, true);
    return th_sql_same(f->engine, with, without);
}

/* NULLs are the first ones upwards and the last ones downwards. */
static void orders(void **state)
{
    static const char *const forms[] = {
        "SELECT id, C. FROM T. ORDER BY C., id",
        "SELECT id, C. FROM T. ORDER BY C. DESC, id DESC",
        "SELECT id, C. FROM T. ORDER BY C. DESC, id DESC LIMIT 7",
        "SELECT id, C. FROM T. ORDER BY C., id LIMIT 7 OFFSET 40",
        "SELECT id, C. FROM T. ORDER BY C. DESC, id",
        "SELECT count(*), max(v) FROM (SELECT C. AS v FROM T. ORDER BY C. DESC LIMIT 50)",
        "SELECT id FROM T. WHERE C. IS NULL ORDER BY C. DESC, id DESC",
        "SELECT id FROM T. WHERE C. IS NOT NULL ORDER BY C. DESC, id DESC LIMIT 20",
    };

    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        for (size_t k = 0; k < sizeof(forms) / sizeof(forms[0]); k++) {
            (void)both(*state, forms[k], i);
        }
    }
}

static void ranges(void **state)
{
    static const char *const conditions[] = {
        "C. >= '2025-10-10'",
        "C. < '2025-10-10T12:00:00Z'",
        "C. > '2025-10-09T09:33:00.000Z' AND C. <= '2025-10-11'",
        "C. BETWEEN '2025-10-09' AND '2025-10-10'",
        "C. >= 'soon'",
        "C. > NULL",
        "(C. < '2025-10-10' OR C. IS NULL)",
    };
    static const char *const ends[] = {"ORDER BY C., id", "ORDER BY C. DESC, id DESC LIMIT 9",
                                       "ORDER BY +id"};
    char form[512];
    char id[WH_ENTITY_ID_TEXT + 1];
    struct wh_entity_id project = th_project(2);

    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        for (size_t k = 0; k < sizeof(conditions) / sizeof(conditions[0]); k++) {
            for (size_t e = 0; e < sizeof(ends) / sizeof(ends[0]); e++) {
                (void)snprintf(form, sizeof(form), "SELECT id FROM T. WHERE %s %s", conditions[k],
                               ends[e]);
                (void)both(*state, form, i);
                (void)snprintf(form, sizeof(form),
                               "SELECT id FROM T. WHERE project = '%s' AND %s %s",
                               wh_entity_id_format(&project, id), conditions[k], ends[e]);
                (void)both(*state, form, i);
            }
        }
    }
}

/* The same times, whatever the order of equal ones. */
static void orders_in_a_project(void **state)
{
    char form[512];
    char id[WH_ENTITY_ID_TEXT + 1];
    struct wh_entity_id project = th_project(1);

    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        (void)snprintf(form, sizeof(form),
                       "SELECT C. FROM T. WHERE project = '%s' ORDER BY C. DESC",
                       wh_entity_id_format(&project, id));
        (void)both(*state, form, i);
        (void)snprintf(form, sizeof(form), "SELECT C. FROM T. WHERE project = '%s' ORDER BY C.",
                       wh_entity_id_format(&project, id));
        (void)both(*state, form, i);
    }
}

/* The words of random heads stand for commits. */
static void commits(void **state)
{
    static const char *const conditions[] = {
        "C. = 'main'",
        "C. = 'MAIN'",
        "C. LIKE 'ma%'",
        "C. LIKE 'MA%'",
        "C. LIKE 'm_in'",
        "C. LIKE '%ain'",
        "C. LIKE 'main'",
        "C. LIKE ''",
        "C. GLOB 'ma*'",
        "C. GLOB 'Ma*'",
        "C. GLOB '[m]*'",
        "C. GLOB 'm?in'",
        "C. LIKE NULL",
        "C. = NULL",
        "C. = ''",
        "C. IN ('main', 'closed', 'x')",
        "C. = 5",
        "C. LIKE 5",
        "C. = x'6d61696e'",
        "C. = :p",
        "C. LIKE 'it''s%'",
        "C. LIKE '50\\%%' ESCAPE '\\'",
        "C. NOT LIKE 'ma%'",
        "C. LIKE '\xc3\xa4%'",
        "C. = printf('%.80c', 'a')",
        "C. LIKE printf('%.80c%%', 'a')",
    };
    static const char *const tables[][2] = {
        {"work_items", "sha"}, {"work_items_all", "merge_commit_sha"}, {"jobs", "sha"}};
    struct fixture *f = *state;

    for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
        for (size_t k = 0; k < sizeof(conditions) / sizeof(conditions[0]); k++) {
            char with[512];
            char without[512];

            (void)snprintf(with, sizeof(with), "SELECT id, %s FROM %s WHERE %s%s ORDER BY id",
                           tables[t][1], tables[t][0], tables[t][1], conditions[k] + 2);
            (void)snprintf(without, sizeof(without),
                           "SELECT id, %s FROM %s WHERE (%s || '')%s ORDER BY id", tables[t][1],
                           tables[t][0], tables[t][1], conditions[k] + 2);
            if (strcmp(conditions[k], "C. = 5") != 0) { /* || takes the affinity away */
                (void)th_sql_same(f->engine, with, without);
            }
        }
    }
}

static int64_t rows_read(struct fixture *f, const char *sql)
{
    int64_t read;

    wh_mem_free(th_sql_rows(f->engine, sql, &read));
    return read;
}

/* What hardly any row has is found by one scan, not row by row in the order. */
static void rare_words_are_scanned(void **state)
{
    struct fixture *f = *state;

    assert_true(rows_read(f, "SELECT id FROM work_items_all WHERE type = 'rare'"
                             " ORDER BY created_at DESC LIMIT 5") <= ROWS);
    assert_true(rows_read(f, "SELECT id FROM work_items_all WHERE type = 'main'"
                             " ORDER BY created_at DESC LIMIT 2") < ROWS / 2);
}

static void few_rows_are_read(void **state)
{
    struct fixture *f = *state;

    assert_true(rows_read(f, "SELECT id FROM work_items ORDER BY created_at DESC LIMIT 5") < 20);
    assert_true(rows_read(f, "SELECT id FROM work_items ORDER BY updated_at DESC LIMIT 5") <
                ROWS / 2); /* those of no known time come in between */
    assert_true(rows_read(f, "SELECT id FROM jobs ORDER BY finished_at DESC LIMIT 5") < 20);
    assert_true(rows_read(f, "SELECT count(id) FROM work_items_all WHERE created_at >= '2025-10-12'"
                             " AND created_at < '2025-10-12T03:00:00Z'") < ROWS / 4);
    assert_true(rows_read(f, "SELECT count(id) FROM work_items WHERE sha = 'main'") < ROWS / 4);
    assert_true(rows_read(f, "SELECT count(id) FROM jobs WHERE sha LIKE 'mai%'") < ROWS / 4);
    assert_true(rows_read(f, "SELECT count(id) FROM jobs WHERE sha GLOB 'mai*'") < ROWS / 4);
    assert_int_equal(rows_read(f, "SELECT count(id) FROM jobs WHERE sha = 'main0'"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(orders, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ranges, set_up, tear_down),
        cmocka_unit_test_setup_teardown(orders_in_a_project, set_up, tear_down),
        cmocka_unit_test_setup_teardown(commits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rare_words_are_scanned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(few_rows_are_read, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
