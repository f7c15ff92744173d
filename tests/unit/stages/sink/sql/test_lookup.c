/* Joins by columns without an index: lookups against plain scans over the same rows. */
#include "stages/sink/sql/sql.h"

#include "common/base/mem.h"
#include "stages/sink/sql/spill.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_heads.h"
#include "tests/lib/th_sql.h"
#include "tests/lib/th_tmp.h"

enum { ROWS = 80, MANY_ROWS = 2500 };

struct fixture {
    struct wh_store *store;
    struct th_heads items;
    struct th_heads builds;
    struct th_heads jobs;
    char *tmp;
};

static void add(struct fixture *f, size_t n)
{
    th_heads_add(&f->items, n);
    th_heads_add(&f->builds, n);
    th_heads_add(&f->jobs, n);
}

static int set_up(void **state)
{
    struct fixture *f = wh_mem_zalloc(1, sizeof(*f));

    f->store = th_sink_store();
    f->tmp = th_tmp_new();
    th_heads_init(&f->items, f->store, WH_KIND_WORK_ITEM, 3);
    th_heads_init(&f->builds, f->store, WH_KIND_BUILD_RECORD, 5);
    th_heads_init(&f->jobs, f->store, WH_KIND_JOB, 8);
    f->items.long_texts = true;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    th_heads_done(&f->items);
    th_heads_done(&f->builds);
    th_heads_done(&f->jobs);
    th_tmp_remove(f->tmp);
    wh_store_free(f->store);
    wh_mem_free(f);
    return 0;
}

static struct sql_engine *engine_over(struct fixture *f, int64_t memory, const char *folder)
{
    const struct sql_engine_conf conf = {.store = f->store,
                                         .clock = wh_clock_real(),
                                         .connections = 1,
                                         .memory_bytes = memory,
                                         .folder = folder};
    struct sql_engine *engine = NULL;
    struct wh_err err;

    th_ok(sql_engine_new(&conf, &engine, &err), &err);
    return engine;
}

/* IS has no index and no lookup, and compares by the same affinities. */
static void same_columns(struct sql_engine *engine, const char *columns, const char *from,
                         const char *a, const char *b, const char *rest)
{
    char with[640];
    char without[640];
    int64_t read;
    char *got;
    char *want;

    (void)snprintf(with, sizeof(with), "SELECT %s FROM %s WHERE %s = %s %s", columns, from, a, b,
                   rest);
    (void)snprintf(without, sizeof(without),
                   "SELECT %s FROM %s WHERE %s IS %s AND %s IS NOT NULL %s", columns, from, a, b, a,
                   rest);
    got = th_sql_rows(engine, with, &read);
    want = th_sql_rows(engine, without, &read);
    if (strcmp(got, want) != 0) {
        fail_msg("%s\ngot\n%.600s\nwant\n%.600s", with, got, want);
    }
    wh_mem_free(got);
    wh_mem_free(want);
}

static void same(struct sql_engine *engine, const char *from, const char *a, const char *b,
                 const char *rest)
{
    same_columns(engine, "a.id, b.id", from, a, b, rest);
}

/* Texts, numbers, booleans, times, lists, references, identities, and one type with another. */
static void joins_equal_scans(void **state)
{
    static const struct {
        const char *a;
        const char *b;
    } pairs[] = {
        {"a.sha", "b.sha"},
        {"a.iid", "b.iid"},
        {"a.source_branch", "b.ref"},
        {"a.title", "b.status"},
        {"a.description", "b.name"},
        {"a.draft", "b.tag"},
        {"a.weight", "b.duration"},
        {"a.weight", "b.coverage"},
        {"a.iid", "b.source_iid"},
        {"a.source_id", "b.source_id"},
        {"a.source_id", "b.duration"},
        {"a.created_at", "b.started_at"},
        {"a.head_pipeline", "b.parent"},
        {"a.author", "b.author"},
        {"a.labels", "b.stages"},
        {"a.instance", "b.instance"},
        {"a.version", "b.version"},
        {"a.deleted", "b.deleted"},
    };
    struct fixture *f = *state;
    struct sql_engine *engine;

    add(f, ROWS);
    engine = engine_over(f, 0, NULL);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        same(engine, "work_items_all a CROSS JOIN build_records b", pairs[i].a, pairs[i].b,
             "ORDER BY 1, 2");
        same(engine, "build_records b CROSS JOIN work_items a", pairs[i].a, pairs[i].b,
             "ORDER BY 1, 2");
        same(engine, "work_items a LEFT JOIN build_records b", pairs[i].a, pairs[i].b,
             "ORDER BY 1, 2");
    }
    sql_engine_free(engine);
}

/* Two columns at once; beside an index; in the order of an index; in a subquery; a parameter. */
static void shapes(void **state)
{
    static const char joined[] = "work_items a CROSS JOIN build_records b";
    struct fixture *f = *state;
    struct sql_engine *engine;

    add(f, ROWS);
    engine = engine_over(f, 0, NULL);
    same(engine, joined, "a.sha", "b.sha", "AND a.iid = b.iid ORDER BY 1, 2");
    same(engine, joined, "a.sha", "b.sha", "AND a.project = b.project ORDER BY 1, 2");
    same(engine, joined, "a.sha", "b.sha",
         "AND b.changed_at > '2025-11-13T02:20:00Z' ORDER BY 1, 2");
    same(engine, "build_records b CROSS JOIN work_items a", "a.sha", "b.sha",
         "AND b.sha = :p ORDER BY 1, 2");
    same(engine, joined, "a.sha", "b.sha",
         "AND b.id IN (SELECT c.id FROM build_records c WHERE c.ref = b.ref"
         " ORDER BY c.changed_at DESC, c.id DESC LIMIT 3) ORDER BY 1, 2");
    same(engine, joined, "a.sha", "b.sha",
         "AND EXISTS (SELECT 1 FROM jobs j WHERE j.sha = b.sha AND j.name = a.title)"
         " ORDER BY 1, 2");
    /* More columns than a lookup copies. */
    same_columns(engine, "a.id, b.*", joined, "a.sha", "b.sha", "ORDER BY 1, 2");
    same(engine, "links a_, work_items a CROSS JOIN build_records b", "a.sha", "b.sha",
         "ORDER BY 1, 2");
    sql_engine_free(engine);
}

/* A lookup that serves an ordered index yields its rows in that order. */
static void order_is_kept(void **state)
{
    static const char sql[] =
        "SELECT a.id, (SELECT group_concat(id) FROM (SELECT b.id FROM build_records b"
        " WHERE b.ref %s a.source_branch ORDER BY b.changed_at DESC, b.id DESC LIMIT 4))"
        " FROM work_items a ORDER BY a.id";
    struct fixture *f = *state;
    struct sql_engine *engine;
    char with[512];
    char without[512];
    int64_t read;
    char *got;
    char *want;

    add(f, ROWS);
    engine = engine_over(f, 0, NULL);
    (void)snprintf(with, sizeof(with), sql, "=");
    (void)snprintf(without, sizeof(without), sql, "IS NOT NULL AND b.ref IS");
    got = th_sql_rows(engine, with, &read);
    want = th_sql_rows(engine, without, &(int64_t){0});
    assert_string_equal(got, want);
    assert_true(read < (int64_t)ROWS * 20);
    wh_mem_free(got);
    wh_mem_free(want);
    sql_engine_free(engine);
}

/* Source ids are unique: a join reads each side a few times, not once for each row of the other. */
static int64_t rows_read(struct sql_engine *engine)
{
    int64_t read;
    char *got = th_sql_rows(engine,
                            "SELECT count(*) FROM (SELECT a.iid FROM build_records_all b"
                            " CROSS JOIN work_items_all a ON a.source_id = b.source_id LIMIT 50)",
                            &read);

    assert_string_equal(got, "rows\n50|\n");
    wh_mem_free(got);
    return read;
}

static void each_side_is_read_a_few_times(void **state)
{
    struct fixture *f = *state;
    struct sql_engine *in_memory;
    struct sql_engine *in_file;
    struct sql_engine *without;

    th_heads_add(&f->items, MANY_ROWS);
    th_heads_add(&f->builds, MANY_ROWS);
    in_memory = engine_over(f, 0, NULL);
    in_file = engine_over(f, 512 << 10, f->tmp);
    without = engine_over(f, 512 << 10, NULL);
    assert_true(rows_read(in_memory) < (int64_t)6 * MANY_ROWS);
    assert_true(rows_read(in_file) < (int64_t)6 * MANY_ROWS);
    /* It does not fit: scans answer. */
    assert_true(rows_read(without) > (int64_t)30 * MANY_ROWS);
    sql_engine_free(in_memory);
    sql_engine_free(in_file);
    sql_engine_free(without);
}

static void spill_moves_to_a_file(void **state)
{
    struct fixture *f = *state;
    size_t used = 0;
    struct sql_spill s;
    struct wh_err err;

    sql_spill_init(&s, f->tmp, 100000, &used, 1 << 20);
    for (size_t n = 1; n <= 1 << 20; n *= 2) {
        th_ok(sql_spill_reserve(&s, n, &err), &err);
        memset(s.ptr + n / 2, (int)(n % 251), n - n / 2);
    }
    assert_true(s.fd >= 0);
    assert_int_equal(used, 1 << 20);
    for (size_t n = 1; n <= 1 << 20; n *= 2) {
        assert_int_equal((unsigned char)s.ptr[n - 1], n % 251);
    }
    assert_int_equal(sql_spill_reserve(&s, (1 << 20) + 1, &err), WH_E_TOO_LARGE);
    assert_int_equal((unsigned char)s.ptr[0], 1);
    sql_spill_done(&s);
    assert_int_equal(used, 0);
    sql_spill_init(&s, "/nonexistent", 100000, &used, 1 << 20);
    th_ok(sql_spill_reserve(&s, 1000, &err), &err);
    assert_int_equal(sql_spill_reserve(&s, 200000, &err), WH_E_NO_SPACE);
    sql_spill_done(&s);
}

/* count(*) reads no row, and is what a scan counts. */
static void counters(void **state)
{
    static const char *const tables[] = {"work_items", "work_items_all", "build_records",
                                         "jobs_all",   "pipelines",      "releases"};
    struct fixture *f = *state;
    struct sql_engine *engine;
    char sql[256];
    int64_t read;
    char *got;
    char *want;

    add(f, ROWS);
    engine = engine_over(f, 0, NULL);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", tables[i]);
        got = th_sql_rows(engine, sql, &read);
        assert_int_equal(read, 0);
        (void)snprintf(sql, sizeof(sql), "SELECT count(id) FROM %s", tables[i]);
        want = th_sql_rows(engine, sql, &read);
        assert_string_equal(got, want);
        wh_mem_free(got);
        wh_mem_free(want);
    }
    got = th_sql_rows(engine, "SELECT count(*) FROM work_items_all LIMIT 3", &read);
    assert_string_equal(got, "rows\n80|\n");
    wh_mem_free(got);
    got = th_sql_rows(engine, "SELECT rowid FROM work_items_all WHERE rowid < 3", &read);
    assert_string_equal(got, "rows\n1|\n2|\n");
    wh_mem_free(got);
    sql_engine_free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(joins_equal_scans, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shapes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(order_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_side_is_read_a_few_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(spill_moves_to_a_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counters, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
