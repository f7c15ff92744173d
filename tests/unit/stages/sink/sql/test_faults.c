/* Every allocation and every read of the store fails once: an error comes back, and all goes on. */
#include "common/base/mem.h"
#include "tests/lib/store_mem.h"
#include "stages/sink/sql/sql.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_heads.h"

enum { ROWS = 12, MANY = 100000 };

static const char *const queries[] = {
    "SELECT * FROM work_items_all ORDER BY changed_at DESC",
    "SELECT w.id, l.to_id FROM work_items w LEFT JOIN links l ON l.from_id = w.id",
    "SELECT id, labels, title FROM work_items WHERE url LIKE 'h%' ORDER BY title",
    "SELECT count(*) FROM work_items_all a JOIN work_items_all b ON b.url = a.url",
    "SELECT * FROM revisions r, changes c, connections WHERE r.version = c.version",
};

struct countdown {
    int left; /* allocations that succeed before the one that fails */
};

static bool on_alloc(void *ctx)
{
    struct countdown *c = ctx;

    return c->left-- != 0;
}

static enum wh_rc on_columns(void *ctx, const struct wh_slice *names, size_t n, struct wh_err *err)
{
    (void)ctx;
    (void)names;
    (void)n;
    (void)err;
    return WH_OK;
}

static enum wh_rc on_row(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                         struct wh_err *err)
{
    (void)values;
    (void)n;
    (void)ret_full;
    (void)err;
    ++*(int *)ctx;
    return WH_OK;
}

static enum wh_rc run(struct sql_engine *engine, const char *sql, int *ret_rows, struct wh_err *err)
{
    const struct sql_query query = {
        .text = wh_slice_str(sql), .timeout_ms = 20000, .max_rows = 100000};
    const struct sql_rows rows = {on_columns, on_row, ret_rows};
    struct sql_outcome outcome;

    *ret_rows = 0;
    wh_err_clear(err);
    return sql_run(engine, &query, &rows, &outcome, err);
}

static struct sql_engine_conf conf_over(struct wh_store *store)
{
    return (struct sql_engine_conf){
        .store = store, .clock = wh_clock_real(), .connections = 2, .memory_bytes = 256 << 20};
}

static struct wh_store *filled(struct th_heads *heads)
{
    struct wh_store *store = th_sink_store();

    th_heads_init(heads, store, WH_KIND_WORK_ITEM, 8);
    th_heads_add(heads, ROWS);
    return store;
}

static void birth_without_memory(void **state)
{
    struct th_heads heads;
    struct wh_store *store = filled(&heads);
    const struct sql_engine_conf conf = conf_over(store);
    struct wh_err err;
    int n = 0;

    (void)state;
    for (;; n++) {
        struct countdown c = {n};
        struct sql_engine *engine = NULL;
        enum wh_rc rc;

        assert_true(n < MANY);
        wh_mem_set_hook(on_alloc, &c);
        rc = sql_engine_new(&conf, &engine, &err);
        wh_mem_set_hook(NULL, NULL);
        if (rc == WH_OK) {
            sql_engine_free(engine);
            break;
        }
        assert_null(engine);
    }
    assert_true(n > 10);
    th_heads_done(&heads);
    wh_store_free(store);
}

static void queries_without_memory(void **state)
{
    struct th_heads heads;
    struct wh_store *store = filled(&heads);
    const struct sql_engine_conf conf = conf_over(store);

    (void)state;
    for (size_t q = 0; q < sizeof(queries) / sizeof(queries[0]); q++) {
        struct sql_engine *engine = NULL;
        struct wh_err err;
        int want;
        int rows;
        int n = 0;

        th_ok(sql_engine_new(&conf, &engine, &err), &err);
        th_ok(run(engine, queries[q], &want, &err), &err);
        for (;; n++) {
            struct countdown c = {n};
            enum wh_rc rc;

            assert_true(n < MANY);
            wh_mem_set_hook(on_alloc, &c);
            rc = run(engine, queries[q], &rows, &err);
            wh_mem_set_hook(NULL, NULL);
            if (rc == WH_OK && c.left >= 0) {
                break;
            }
            if (rc != WH_OK) {
                assert_true(err.msg[0] != 0);
            }
        }
        assert_int_equal(rows, want);
        sql_engine_free(engine);
    }
    th_heads_done(&heads);
    wh_store_free(store);
}

static void reads_that_fail(void **state)
{
    struct th_heads heads;
    struct wh_store *store = filled(&heads);
    const struct sql_engine_conf conf = conf_over(store);
    struct sql_engine *engine = NULL;
    struct wh_err err;

    (void)state;
    th_ok(sql_engine_new(&conf, &engine, &err), &err);
    for (size_t q = 0; q < sizeof(queries) / sizeof(queries[0]); q++) {
        uint64_t before = wh_store_mem_calls(store, WH_STORE_MEM_GET);
        uint64_t reads;
        int want;
        int rows;

        th_ok(run(engine, queries[q], &want, &err), &err);
        reads = wh_store_mem_calls(store, WH_STORE_MEM_GET) - before;
        for (uint64_t n = 0; n < reads; n++) {
            wh_store_mem_fail(store, WH_STORE_MEM_GET, WH_E_IO, (int)n, 1);
            assert_int_equal(run(engine, queries[q], &rows, &err), WH_E_IO);
        }
        wh_store_mem_fail(store, WH_STORE_MEM_GET, WH_OK, 0, 0);
        th_ok(run(engine, queries[q], &rows, &err), &err);
        assert_int_equal(rows, want);
    }
    sql_engine_free(engine);
    th_heads_done(&heads);
    wh_store_free(store);
}

/* Damaged bytes in the store are an error that says so, never a crash. */
static void damaged_rows(void **state)
{
    struct th_heads heads;
    struct wh_store *store = filled(&heads);
    const struct sql_engine_conf conf = conf_over(store);
    struct sql_engine *engine = NULL;
    struct wh_err err;
    int rows;

    (void)state;
    th_ok(sql_engine_new(&conf, &engine, &err), &err);
    for (unsigned family = 0; family < SINK_FAMILY_COUNT; family++) {
        for (size_t len = 0; len < 80; len += 3) {
            char bytes[80];
            struct wh_batch *batch = NULL;

            memset(bytes, (int)(len * 5 + 1), sizeof(bytes));
            bytes[0] = 1;
            th_ok(wh_batch_new(store, &batch, &err), &err);
            th_ok(
                wh_batch_put(batch, family, wh_slice(bytes, len), wh_slice(bytes, 79 - len), &err),
                &err);
            th_ok(wh_store_write(store, batch, false, &err), &err);
            wh_batch_free(batch);
        }
    }
    for (size_t q = 0; q < sizeof(queries) / sizeof(queries[0]); q++) {
        (void)!run(engine, queries[q], &rows, &err);
    }
    assert_int_equal(run(engine, "SELECT * FROM work_items_all", &rows, &err), WH_E_CORRUPT);
    assert_int_equal(run(engine, "SELECT * FROM links", &rows, &err), WH_E_CORRUPT);
    assert_int_equal(run(engine, "SELECT * FROM changes", &rows, &err), WH_E_CORRUPT);
    th_ok(run(engine, "SELECT 1", &rows, &err), &err);
    sql_engine_free(engine);
    th_heads_done(&heads);
    wh_store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(birth_without_memory),
        cmocka_unit_test(queries_without_memory),
        cmocka_unit_test(reads_that_fail),
        cmocka_unit_test(damaged_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
