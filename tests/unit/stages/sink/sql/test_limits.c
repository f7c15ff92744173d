/*
 * No statement outlives its deadline by more than a second, whatever it computes, and none takes
 * more memory than its own share.
 */
#include <pthread.h>
#include <sqlite3.h>
#include <time.h>

#include "stages/sink/sql/functions_priv.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_heads.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLOWER = 6 };
#else
enum { SLOWER = 1 };
#endif

enum {
    DEADLINE_MS = 200,
    LATE_MS = 1000 * SLOWER,
    BIG_BYTES = SQL_VALUE_MAX_BYTES - 64,
    MEMORY_BYTES = 64 << 20,
    STATEMENT_MAX_BYTES = 1 << 20,
    CALLS = 150,
};

struct fixture {
    struct wh_store *store;
    struct th_heads heads;
    struct sql_engine *engine;
    char *big; /* BIG_BYTES */
};

static struct sql_engine *engine_over(struct wh_store *store, int64_t memory)
{
    const struct sql_engine_conf conf = {
        .store = store, .clock = wh_clock_real(), .connections = 2, .memory_bytes = memory};
    struct sql_engine *engine = NULL;
    struct wh_err err;

    th_ok(sql_engine_new(&conf, &engine, &err), &err);
    return engine;
}

static int set_up(void **state)
{
    struct fixture *f = wh_mem_zalloc(1, sizeof(*f));

    f->store = th_sink_store();
    th_heads_init(&f->heads, f->store, WH_KIND_WORK_ITEM, 42);
    th_heads_add(&f->heads, 20);
    f->engine = engine_over(f->store, MEMORY_BYTES);
    f->big = wh_mem_alloc(BIG_BYTES);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sql_engine_free(f->engine);
    th_heads_done(&f->heads);
    wh_store_free(f->store);
    wh_mem_free(f->big);
    wh_mem_free(f);
    return 0;
}

/* The pattern over and over. */
static void fill(struct fixture *f, const char *pattern)
{
    size_t len = strlen(pattern);

    for (size_t i = 0; i < BIG_BYTES; i++) {
        f->big[i] = pattern[i % len];
    }
}

static enum wh_rc no_columns(void *ctx, const struct wh_slice *names, size_t n, struct wh_err *err)
{
    (void)ctx;
    (void)names;
    (void)n;
    (void)err;
    return WH_OK;
}

static enum wh_rc no_row(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                         struct wh_err *err)
{
    (void)ctx;
    (void)values;
    (void)n;
    (void)ret_full;
    (void)err;
    return WH_OK;
}

/* What this thread has computed: a busy machine delays a statement, but does not add to this. */
static int64_t thread_cpu_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* With :x, the first len bytes of f->big, and :h, half of them. */
static enum wh_rc run(struct fixture *f, struct wh_slice sql, size_t len, struct wh_err *err)
{
    const struct sql_param params[] = {
        {WH_LIT("x"), {.type = SQL_TEXT, .bytes = wh_slice(f->big, len)}},
        {WH_LIT("h"), {.type = SQL_TEXT, .bytes = wh_slice(f->big, len / 2)}},
    };
    const struct sql_query query = {
        .text = sql, .params = params, .n_params = 2, .timeout_ms = DEADLINE_MS, .max_rows = 1000};
    const struct sql_rows rows = {no_columns, no_row, NULL};
    int64_t started = thread_cpu_ns();
    struct sql_outcome outcome;
    int64_t took_ms;
    enum wh_rc rc;

    wh_err_clear(err);
    rc = sql_run(f->engine, &query, &rows, &outcome, err);
    took_ms = (thread_cpu_ns() - started) / 1000000;
    if (took_ms > DEADLINE_MS + LATE_MS) {
        fail_msg("%.200s over %zu bytes: %lld ms, %s", sql.ptr, len, (long long)took_ms,
                 rc == WH_OK ? "ok" : err->msg);
    }
    return rc;
}

/* ---- functions ---- */

/* What no statement may call: nothing here needs it, and its cost is not known. */
static const char *const refused[] = {
    "bm25",
    "fts3_tokenizer",
    "fts5",
    "fts5_source_id",
    "highlight",
    "json_patch",
    "load_extension",
    "match",
    "matchinfo",
    "offsets",
    "optimize",
    "rtreecheck",
    "rtreedepth",
    "rtreenode",
    "snippet",
    "sqlite_compileoption_get",
    "sqlite_compileoption_used",
    "sqlite_log",
    "sqlite_source_id",
};

static bool is_refused(const char *name)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (strcmp(refused[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Calls fn for every function that the linked library has, by name and number of arguments. */
static void each_function(void (*fn)(void *ctx, const char *name, int n_args), void *ctx)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;

    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT name, narg FROM pragma_function_list", -1, &stmt, NULL),
        SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        fn(ctx, (const char *)sqlite3_column_text(stmt, 0), sqlite3_column_int(stmt, 1));
    }
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
}

static void decided(void *ctx, const char *name, int n_args)
{
    struct fixture *f = ctx;
    char sql[128];
    struct wh_err err;

    if (is_refused(name) == (sql_function_rule(name) != NULL)) {
        fail_msg("%s/%d: measure it and add it to the rules in functions.c, or refuse it", name,
                 n_args);
    }
    if (is_refused(name)) {
        (void)sqlite3_snprintf(sizeof(sql), sql, "SELECT \"%w\"(%s)", name,
                               n_args > 1 ? "'a', 'b'" : "'a'");
        (void)run(f, wh_slice_str(sql), 10, &err);
        assert_true(err.rc == WH_E_FORBIDDEN || err.rc == WH_E_INVALID);
    }
}

static void every_function_is_decided(void **state)
{
    struct wh_err err;

    each_function(decided, *state);
    assert_int_equal(run(*state, WH_LIT("SELECT json_patch('{}', '{}')"), 10, &err),
                     WH_E_FORBIDDEN);
}

/* Tables that SQLite brings with it: of those only json_each and json_tree can be read. */
static void every_module_is_refused(void **state)
{
    struct fixture *f = *state;
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;

    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT name FROM pragma_module_list", -1, &stmt, NULL),
                     SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        char sql[128];
        struct wh_err err;

        (void)sqlite3_snprintf(sizeof(sql), sql, "SELECT * FROM \"%w\"", name);
        (void)run(f, wh_slice_str(sql), 10, &err);
        if (strncmp(name, "json_", 5) != 0 && strncmp(name, "pragma_table_", 13) != 0 &&
            err.rc != WH_E_FORBIDDEN && err.rc != WH_E_INVALID) {
            fail_msg("%s: %s", sql, wh_rc_name(err.rc));
        }
    }
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
}

static void call_big(void *ctx, const char *name, int n_args)
{
    static const char *const args[] = {":x", ":x, :h", ":x, :h, :h", ":x, :h, :h, :h"};
    struct fixture *f = ctx;
    int first = n_args < 1 ? 1 : n_args;
    int last = n_args < 0 ? 4 : first;
    char sql[256];
    struct wh_err err;

    for (int n = first; n <= last && n <= 4 && n_args != 0 && !is_refused(name); n++) {
        (void)sqlite3_snprintf(sizeof(sql), sql, "SELECT length(\"%w\"(%s))", name, args[n - 1]);
        (void)run(f, wh_slice_str(sql), BIG_BYTES, &err);
    }
}

static void no_function_outlives_its_deadline(void **state)
{
    static const char *const patterns[] = {"a", "9", "[", "%J"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        fill(f, patterns[i]);
        if (patterns[i][0] == '[') {
            /* Valid JSON with as many elements as there can be. */
            fill(f, "1,");
            f->big[0] = '[';
            f->big[BIG_BYTES - 2] = '1';
            f->big[BIG_BYTES - 1] = ']';
            f->big[1] = ' ';
        }
        each_function(call_big, f);
    }
}

/* One function again and again in one statement without a jump, over the longest value it takes. */
static void call_often(void *ctx, const char *name, int n_args)
{
    struct fixture *f = ctx;
    struct wh_buf sql;
    struct wh_err err;

    if (n_args == 0 || n_args > 2 || is_refused(name)) {
        return;
    }
    wh_buf_init(&sql, STATEMENT_MAX_BYTES);
    th_ok(wh_buf_append(&sql, WH_LIT("SELECT "), &err), &err);
    for (int i = 0; i < CALLS; i++) {
        th_ok(wh_buf_printf(&sql, &err, "%s\"%s\"(:x%s) IS NULL", i ? "," : "", name,
                            n_args == 2 ? ",:h" : ""),
              &err);
    }
    for (size_t len = BIG_BYTES; len > 1024; len /= 2) {
        if (run(f, wh_buf_slice(&sql), len, &err) != WH_E_TOO_LARGE) {
            break;
        }
    }
    wh_buf_done(&sql);
}

static void no_row_of_functions_outlives_its_deadline(void **state)
{
    struct fixture *f = *state;

    fill(f, "9");
    each_function(call_often, f);
}

/* ---- what was unbounded ---- */

static void known_worst_cases(void **state)
{
    static const char *const cases[] = {
        "SELECT printf('%.2000000000c', 'x')",
        "SELECT printf('%2000000000s', 'x')",
        "SELECT length(printf('%.*f', 2000000000, 1.5))",
        "SELECT format('%.8000000c', 'x') = format('%.8000000c', 'y')",
        "SELECT replace(:x, :h || 'b', 'c')",
        "SELECT replace(:x, 'a', '')",
        "SELECT instr(:x, :h || 'b')",
        "SELECT instr(CAST(:x AS BLOB), CAST(:h || 'b' AS BLOB))",
        "SELECT trim(:x, 'b' || :h)",
        "SELECT trim(:x, 'a')",
        "SELECT :x LIKE '%' || substr(:x, 1, 1000) || 'b'",
        "SELECT :x LIKE '%a_a_a_a_a_a_a_a_a_a_a_a_a_a_a_a_a_a%a%a%a%b'",
        "SELECT :x GLOB '*' || substr(:x, 1, 1000) || 'b'",
        "SELECT :x GLOB '*[a-z]*[a-z]*[a-z]*[a-z]*[b]'",
        "SELECT :x REGEXP '(a|a)*[bc]'",
        "SELECT :x REGEXP 'a*+[bc]'",
        "SELECT :x REGEXP '\\p{L}*[^a]'",
        "SELECT :x REGEXP '(?=(a+))\\1[bc]'",
        "SELECT :x REGEXP '(a*)*(a*)*(a*)*[bc]'",
        "SELECT :x REGEXP '((a{1,900}){1,900})[bc]'",
        "SELECT concat(:x, :x, :x)",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
        " SELECT median(x * 7919 % 10007), stddev(x) FROM c",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 3000000)"
        " SELECT percentile(x, 99), median(x) FROM c",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
        " SELECT max(local(date_trunc('day', '2026-03-29', 'Asia/Tehran'), 'UTC')) FROM c",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
        " SELECT count(upper(:x) || x) FROM c",
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 10000000)"
        " SELECT x FROM c ORDER BY x * 7919 % 10007",
        "WITH RECURSIVE c(x) AS (SELECT 'a' UNION ALL SELECT x || x FROM c) SELECT max(x) FROM c",
        "WITH a AS (SELECT 1 UNION SELECT 2), b AS (SELECT a.* FROM a, a x, a y),"
        " c AS (SELECT b.* FROM b, b x, b y), d AS (SELECT c.* FROM c, c x, c y),"
        " e AS (SELECT d.* FROM d, d x, d y), g AS (SELECT e.* FROM e, e x, e y),"
        " h AS (SELECT g.* FROM g, g x, g y), i AS (SELECT h.* FROM h, h x, h y),"
        " j AS (SELECT i.* FROM i, i x, i y), k AS (SELECT j.* FROM j, j x, j y)"
        " SELECT count(*) FROM k, k x, k y",
        "SELECT count(*) FROM json_tree('[' || replace(:x, 'a', '1,') || '1]')",
        "SELECT group_concat(:x) FROM work_items_all, links, changes",
        "SELECT sum(length(quote(:x))) FROM work_items_all a, work_items_all b",
    };
    struct fixture *f = *state;
    struct wh_err err;

    fill(f, "a");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)run(f, wh_slice_str(cases[i]), BIG_BYTES / 2, &err);
    }
    assert_int_equal(run(f, WH_LIT("SELECT 1"), 10, &err), WH_OK);
}

/* Operators between long values, as many as a statement can hold, without one jump. */
static void long_expressions(void **state)
{
    static const char *const operators[] = {"(:x||'')=(:h||'')", ":x+:x", "CAST(:x AS INTEGER)",
                                            ":x<:h", "NOT :x"};
    struct fixture *f = *state;
    struct wh_err err;

    fill(f, "9");
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        for (int n = 50; n <= 500; n *= 3) {
            struct wh_buf sql;

            wh_buf_init(&sql, STATEMENT_MAX_BYTES);
            th_ok(wh_buf_append(&sql, WH_LIT("SELECT 1"), &err), &err);
            for (int k = 0; k < n; k++) {
                th_ok(wh_buf_printf(&sql, &err, ",%s", operators[i]), &err);
            }
            for (size_t len = BIG_BYTES; len > 1024; len /= 2) {
                if (run(f, wh_buf_slice(&sql), len, &err) != WH_E_TOO_LARGE) {
                    break;
                }
            }
            wh_buf_done(&sql);
        }
    }
}

static void many_instructions(void **state)
{
    const struct sql_rows rows = {no_columns, no_row, NULL};
    struct fixture *f = *state;
    struct sql_outcome outcome;
    struct wh_buf sql;
    struct wh_err err;

    for (int n = 1000; n <= 100000; n *= 100) {
        struct sql_query query = {.timeout_ms = 60000, .max_rows = 1000};

        wh_buf_init(&sql, STATEMENT_MAX_BYTES);
        th_ok(wh_buf_append(&sql, WH_LIT("SELECT id FROM work_items WHERE id IN ('a'"), &err),
              &err);
        for (int i = 0; i < n; i++) {
            th_ok(wh_buf_printf(&sql, &err, ",'%d'", i), &err);
        }
        th_ok(wh_buf_append_char(&sql, ')', &err), &err);
        /* A list of a thousand costs a statement none of its longest value. */
        query.text = wh_buf_slice(&sql);
        assert_int_equal(sql_run(f->engine, &query, &rows, &outcome, &err),
                         n == 1000 ? WH_OK : WH_E_TOO_LARGE);
        wh_buf_done(&sql);
    }
    assert_non_null(strstr(err.msg, "too long"));
}

/* ---- memory ---- */

struct sorting {
    struct fixture *f;
    struct sql_engine *engine;
    enum wh_rc rc;
    struct wh_err err;
};

static void *sort(void *ctx)
{
    static const char sql[] =
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 5000)"
        " SELECT hex(randomblob(1000)) AS h FROM c ORDER BY h";
    struct sorting *s = ctx;
    const struct sql_query query = {
        .text = wh_slice_str(sql), .timeout_ms = 60000, .max_rows = 10000};
    const struct sql_rows rows = {no_columns, no_row, NULL};
    struct sql_outcome outcome;

    s->rc = WH_OK;
    for (int i = 0; i < 10 && s->rc == WH_OK; i++) {
        s->rc = sql_run(s->engine, &query, &rows, &outcome, &s->err);
    }
    return NULL;
}

/* Two that together need more than one may have. */
static void a_statement_has_memory_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct sql_engine *engine = engine_over(f->store, 16 << 20);
    struct sorting sorts[2] = {{.f = f, .engine = engine}, {.f = f, .engine = engine}};
    pthread_t threads[2];

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, sort, &sorts[i]), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        th_ok(sorts[i].rc, &sorts[i].err);
    }
    sql_engine_free(engine);
}

static enum wh_rc keep_row(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                           struct wh_err *err)
{
    (void)n;
    (void)ret_full;
    return wh_buf_append(ctx, values[0].bytes, err);
}

/* What the reader of rows keeps is the statement's memory too. */
static void rows_count_as_memory(void **state)
{
    struct fixture *f = *state;
    struct wh_buf kept;
    const struct sql_query query = {
        .text = WH_LIT("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)"
                       " SELECT hex(zeroblob(100000)) FROM c"),
        .timeout_ms = 60000,
        .max_rows = 1000000};
    const struct sql_rows rows = {no_columns, keep_row, &kept};
    struct sql_outcome outcome;
    struct wh_err err;

    wh_buf_init(&kept, (size_t)4 * MEMORY_BYTES);
    assert_int_equal(sql_run(f->engine, &query, &rows, &outcome, &err), WH_E_TOO_LARGE);
    assert_non_null(strstr(err.msg, "memory"));
    assert_true(kept.len < MEMORY_BYTES);
    wh_buf_done(&kept);
    assert_int_equal(run(f, WH_LIT("SELECT 1"), 10, &err), WH_OK);
}

/* ---- time ---- */

/* A clock that moves by 3 s with each row, which is the reader's time or the statement's own. */
struct slow_rows {
    int64_t now_ns;
    int64_t paused_ns;
    bool reader_is_slow;
    size_t n;
};

static int64_t slow_now_ms(void *ctx)
{
    return ((struct slow_rows *)ctx)->now_ns / 1000000;
}

static int64_t slow_mono_ns(void *ctx)
{
    return ((struct slow_rows *)ctx)->now_ns;
}

static enum wh_rc slow_row(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                           struct wh_err *err)
{
    struct slow_rows *s = ctx;

    (void)values;
    (void)n;
    (void)ret_full;
    (void)err;
    s->now_ns += INT64_C(3000000000);
    s->paused_ns += s->reader_is_slow ? INT64_C(3000000000) : 0;
    s->n++;
    return WH_OK;
}

static void waits_for_the_reader_do_not_count(void **state)
{
    struct fixture *f = *state;
    struct slow_rows s = {.reader_is_slow = true};
    const struct sql_engine_conf conf = {.store = f->store,
                                         .clock = {slow_now_ms, slow_mono_ns, &s},
                                         .connections = 1,
                                         .memory_bytes = MEMORY_BYTES};
    const struct sql_query query = {
        .text = WH_LIT("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 100)"
                       " SELECT x FROM c"),
        .timeout_ms = 5000,
        .paused_ns = &s.paused_ns,
        .max_rows = 1000};
    const struct sql_rows rows = {no_columns, slow_row, &s};
    struct sql_engine *engine = NULL;
    struct sql_outcome outcome;
    struct wh_err err;

    th_ok(sql_engine_new(&conf, &engine, &err), &err);
    th_ok(sql_run(engine, &query, &rows, &outcome, &err), &err);
    assert_int_equal(s.n, 100);
    s.n = 0;
    s.paused_ns = 0;
    s.reader_is_slow = false;
    assert_int_equal(sql_run(engine, &query, &rows, &outcome, &err), WH_E_TIMEOUT);
    assert_true(s.n < 100);
    sql_engine_free(engine);
}

/* ---- the functions of ours give what SQLite's give ---- */

static void same_results(void **state)
{
    static const char *const expressions[] = {
        "replace('abcabc', 'b', 'XX')",
        "replace('aaa', 'aa', 'b')",
        "replace('abc', '', 'x')",
        "replace('abc', 'c', NULL)",
        "replace(NULL, 'a', 'b')",
        "replace('abc', NULL, 'b')",
        "replace(12321, 2, 'z')",
        "typeof(replace(5, '', 'a'))",
        "replace('', 'a', 'b')",
        "instr('abcdef', 'cd')",
        "instr('abc', 'x')",
        "instr('äöü', 'ü')",
        "instr('a', '')",
        "instr('', 'a')",
        "instr(NULL, 'a')",
        "instr(x'c3a4c3b6', x'b6')",
        "instr('äö', x'b6')",
        "instr(12345, 34)",
        "instr('aab', 'ab')",
        "instr('abc', 'abcd')",
        "trim('  a b  ')",
        "ltrim('  a  ')",
        "rtrim('  a  ')",
        "trim('xxaxx', 'x')",
        "trim('äöaöä', 'öä')",
        "trim('abc', '')",
        "trim('', 'a')",
        "trim(NULL)",
        "trim('a', NULL)",
        "ltrim('xyxa', 'xy')",
        "rtrim('axyx', 'xy')",
        "trim(121, 1)",
        "trim('aaa', 'a')",
        "'abc' LIKE 'ABC'",
        "'abc' LIKE 'a%'",
        "'abc' LIKE '%c'",
        "'abc' LIKE '%b%'",
        "'abc' LIKE 'a_c'",
        "'aXbXc' LIKE 'a%b%c'",
        "'äbc' LIKE '_bc'",
        "'Ä' LIKE 'ä'",
        "'abc' LIKE ''",
        "'' LIKE ''",
        "'' LIKE '%'",
        "'a%c' LIKE 'a\\%c' ESCAPE '\\'",
        "'abc' LIKE 'a\\%c' ESCAPE '\\'",
        "'a_' LIKE 'a%_' ESCAPE '%'",
        "'ab' LIKE 'a%' ESCAPE '%'",
        "NULL LIKE 'a'",
        "'a' LIKE NULL",
        "x'61' LIKE 'a'",
        "12 LIKE '1%'",
        "'aab' LIKE '%ab'",
        "'abab' LIKE '%ab'",
        "'äöü' LIKE '%_ü'",
        "'ä' LIKE '__'",
        "'abcabd' LIKE '%ab_'",
        "'mississippi' LIKE '%iss%ip%i'",
        "'a' LIKE '%%%'",
        "'ab' LIKE '_%_%_'",
        "'abc' GLOB 'a*'",
        "'abc' GLOB 'A*'",
        "'abc' GLOB '?b?'",
        "'abc' GLOB '[a-c]bc'",
        "'abc' GLOB '[^a]bc'",
        "'a]c' GLOB 'a[]]c'",
        "'a-c' GLOB 'a[x-]c'",
        "'abc' GLOB '[abc'",
        "'äbc' GLOB '[ä-ö]*'",
        "'abc' GLOB '*[b-d]'",
        "'' GLOB '*'",
        "'x' GLOB '[^]x]'",
        "printf('%d %5d|%-5d|%05d', 1, 2, 3, 4)",
        "printf('%s and %10s|%-10s|', 'a', 'b', 'c')",
        "printf('%.2f %e %g %G %10.3f', 1.005, 12345.678, 0.0001, 1e20, 3.14159)",
        "printf('%x %X %o %u', 255, 255, 8, -1)",
        "printf('%,d', 1234567)",
        "printf('%+d % d', 1, 2)",
        "printf('%q %Q %w', 'it''s', 'it''s', 'a\"b')",
        "printf('%Q %q %s', NULL, NULL, NULL)",
        "printf('%c%c', 'abc', 'äö')",
        "printf('%5c|%-5c|', 'x', 'y')",
        "printf('%.3c|%6.3c|', 'x', 'y')",
        "printf('%%')",
        "printf('100%')",
        "printf('%y')",
        "printf('a%yb')",
        "printf('%*d|%-*d|', 5, 1, 5, 2)",
        "printf('%.*f', 2, 1.239)",
        "printf('%*d|', -5, 1)",
        "printf('%.3s', 'abcdef')",
        "printf('%!.3s', 'äöüß')",
        "printf('%!5.2s|', 'äöüß')",
        "printf('%d %s')",
        "printf('')",
        "printf()",
        "printf(NULL)",
        "printf('%lld %ld', 5, 6)",
        "printf('%r %r %r', 1, 2, 13)",
        "printf('%#x %#o', 255, 8)",
        "printf('%!g', 0.1)",
        "printf('%p', 255)",
        "printf('%n%d', 1)",
        "printf('%i', '12abc')",
        "printf('%s', 1.5)",
        "printf('%d', 9223372036854775807)",
        "printf('%.0f', 2.5)",
        "printf('%010.2f|%-10.2f|', 3.14159, 2.5)",
        "format('%s-%s', 1, 'x')",
        "printf('%z', 'abc')",
        "printf('%.5d', 42)",
        "printf('%f', 'x')",
        "printf('%s%s', 'a')",
    };
    struct fixture *f = *state;
    sqlite3 *plain = NULL;

    assert_int_equal(sqlite3_open(":memory:", &plain), SQLITE_OK);
    for (size_t i = 0; i < sizeof(expressions) / sizeof(expressions[0]); i++) {
        struct wh_buf got;
        const struct sql_rows rows = {no_columns, keep_row, &got};
        struct sql_query query = {.timeout_ms = 5000, .max_rows = 1};
        struct sql_outcome outcome;
        sqlite3_stmt *stmt = NULL;
        char sql[512];
        struct wh_err err;

        (void)sqlite3_snprintf(sizeof(sql), sql, "SELECT quote(%s)", expressions[i]);
        query.text = wh_slice_str(sql);
        wh_buf_init(&got, 4096);
        th_ok(sql_run(f->engine, &query, &rows, &outcome, &err), &err);
        assert_int_equal(sqlite3_prepare_v2(plain, sql, -1, &stmt, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        if (strcmp(wh_buf_str(&got), (const char *)sqlite3_column_text(stmt, 0)) != 0) {
            fail_msg("%s: %s, SQLite: %s", expressions[i], wh_buf_str(&got),
                     sqlite3_column_text(stmt, 0));
        }
        (void)sqlite3_finalize(stmt);
        wh_buf_done(&got);
    }
    (void)sqlite3_close(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_function_is_decided, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_module_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(same_results, set_up, tear_down),
        cmocka_unit_test_setup_teardown(known_worst_cases, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_expressions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_instructions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_statement_has_memory_of_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_count_as_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(waits_for_the_reader_do_not_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_function_outlives_its_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_row_of_functions_outlives_its_deadline, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
