/*
 * Queries do no harm: writes, endless recursion, huge sorts, expressions that explode and 10,000 strings made at random are
 * refused or cut with a clear message; memory stays bounded, and who writes does not wait.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "stages/sink/sql/sql.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_heads.h"

enum {
    ROWS = 60,
    STRINGS = 10000,
    STRING_MAX_BYTES = 2000,
    SHORT_MS = 50,
    DEADLINE_MS = 300,
    MEMORY_BYTES = 16 << 20,
    GROWTH_MAX_BYTES = 256 << 20,
    READERS = 3,
    WRITES = 200
};

struct fixture {
    struct wh_store *store;
    struct th_heads heads;
    struct sql_engine *engine;
    uint64_t seed;
};

static int set_up(void **state)
{
    struct fixture *f = wh_mem_zalloc(1, sizeof(*f));
    struct sql_engine_conf conf = {
        .clock = wh_clock_real(), .connections = READERS, .memory_bytes = MEMORY_BYTES};
    struct wh_err err;

    assert_non_null(f);
    f->seed = 20261130;
    f->store = th_sink_store();
    conf.store = f->store;
    th_heads_init(&f->heads, f->store, WH_KIND_WORK_ITEM, 8);
    th_heads_add(&f->heads, ROWS);
    th_ok(sql_engine_new(&conf, &f->engine, &err), &err);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sql_engine_free(f->engine);
    th_heads_done(&f->heads);
    wh_store_free(f->store);
    wh_mem_free(f);
    return 0;
}

static enum wh_rc no_columns(void *ctx, const struct wh_slice *names, size_t n, struct wh_err *err)
{
    (void)ctx;
    (void)names;
    (void)n;
    (void)err;
    return WH_OK;
}

static enum wh_rc last_number(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                              struct wh_err *err)
{
    int64_t *last = ctx;

    (void)ret_full;
    (void)err;
    *last = n && values[0].type == SQL_INT ? values[0].i : -1;
    return WH_OK;
}

static enum wh_rc run(struct fixture *f, struct wh_slice text, int64_t timeout_ms, int64_t *last,
                      struct wh_err *err)
{
    const struct sql_rows rows = {no_columns, last_number, last};
    const struct sql_query query = {.text = text, .timeout_ms = timeout_ms, .max_rows = 1000};
    struct sql_outcome outcome;

    *err = (struct wh_err){0};
    return sql_run(f->engine, &query, &rows, &outcome, err);
}

static void still_right(struct fixture *f)
{
    int64_t n = -1;
    struct wh_err err;

    th_ok(run(f, WH_LIT("SELECT count(*) FROM work_items_all"), 10000, &n, &err), &err);
    assert_int_equal(n, ROWS);
}

/* Refused as the fault of who asks, or cut; an error of ours would be a harm. */
static bool is_clear(enum wh_rc rc, const struct wh_err *err)
{
    return rc == WH_OK || (err->msg[0] && (rc == WH_E_TIMEOUT || rc == WH_E_TOO_LARGE ||
                                           rc == WH_E_BUSY || wh_rc_class(rc) == WH_CLASS_POISON));
}

/* ---- statements that somebody thought of ---- */

struct harm {
    const char *sql;
    const char *says; /* part of the message; NULL: it may be answered in time, too */
};

static void all_end(struct fixture *f, const struct harm *list, size_t n)
{
    struct wh_err err;
    int64_t last;

    for (size_t i = 0; i < n; i++) {
        enum wh_rc rc = run(f, wh_slice_str(list[i].sql), DEADLINE_MS, &last, &err);

        if (list[i].says == NULL && is_clear(rc, &err)) {
            continue;
        }
        if (rc == WH_OK || err.msg[0] == 0 || strstr(err.msg, list[i].says) == NULL) {
            fail_msg("%s: %d %s", list[i].sql, (int)err.rc, err.msg);
        }
    }
    still_right(f);
}

static void writes_are_refused(void **state)
{
    static const struct harm list[] = {
        {"DELETE FROM work_items", "refused"},
        {"UPDATE work_items SET title = 'x'", "refused"},
        {"INSERT INTO work_items(id) VALUES ('x')", "refused"},
        {"REPLACE INTO work_items(id) VALUES ('x')", "refused"},
        {"DROP TABLE work_items", "refused"},
        {"CREATE TABLE t(a)", "refused"},
        {"CREATE TEMP TABLE t(a)", "refused"},
        {"CREATE VIEW v AS SELECT 1", "refused"},
        {"CREATE TRIGGER t AFTER DELETE ON work_items BEGIN SELECT 1; END", ""},
        {"ALTER TABLE work_items RENAME TO x", "refused"},
        {"ATTACH '/tmp/x' AS x", "ATTACH"},
        {"VACUUM INTO '/tmp/x'", ""},
        {"PRAGMA writable_schema = on", "PRAGMA"},
        {"PRAGMA journal_mode = off", "PRAGMA"},
        {"BEGIN", ""},
        {"SAVEPOINT x", ""},
        {"REINDEX", ""},
        {"ANALYZE", ""},
        {"SELECT load_extension('/tmp/x')", "function"},
        {"SELECT writefile('/tmp/x', 'y')", "function"},
        {"SELECT readfile('/etc/passwd')", "function"},
        {"SELECT 1; DELETE FROM work_items", "one statement"},
        {"WITH x AS (SELECT 1) DELETE FROM work_items", "refused"},
        {"EXPLAIN DELETE FROM work_items", ""},
    };

    all_end(*state, list, sizeof(list) / sizeof(list[0]));
}

static void what_would_not_end_is_cut(void **state)
{
    static const struct harm list[] = {
        {"WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT count(*) FROM r",
         "time"},
        {"WITH RECURSIVE r(x) AS (SELECT 1 UNION SELECT x + 1 FROM r) SELECT * FROM r ORDER BY 1 "
         "DESC",
         ""},
        {"SELECT count(*) FROM work_items a, work_items b, work_items c, work_items d, work_items "
         "e",
         "time"},
        {"SELECT a.*, b.* FROM work_items a, work_items b, work_items c, work_items d ORDER BY "
         "random()",
         ""},
        {"SELECT group_concat(a.title || b.title || c.title) FROM work_items a, work_items b, "
         "work_items c, work_items d",
         ""},
        {"SELECT count(*) FROM work_items a, work_items b, work_items c WHERE "
         "(a.title || printf('%.5000c', 'a')) REGEXP '(a+)+b'",
         NULL},
        {"SELECT printf('%.5000c', 'a') REGEXP '^(a|a|aa|a*)*$x' FROM work_items a, work_items b, "
         "work_items c, work_items d",
         NULL},
        {"SELECT count(*) FROM work_items a, work_items b, work_items c, work_items d WHERE "
         "printf('%.5000c', 'a') LIKE '%a%a%a%a%a%a%a%a%b'",
         NULL},
        {"SELECT count(*) FROM work_items a, work_items b, work_items c WHERE printf('%.5000c', "
         "'a') "
         "GLOB '*a*a*a*a*a*a*a*b'",
         NULL},
        {"SELECT sum(length(hex(randomblob(1000000000))))", ""},
        {"SELECT zeroblob(2000000000)", ""},
        {"SELECT printf('%2000000000d', 1)", ""},
        {"SELECT replace(printf('%.1000000c', 'a'), 'a', printf('%.1000000c', 'b'))", ""},
    };

    all_end(*state, list, sizeof(list) / sizeof(list[0]));
}

/* ---- strings made at random ---- */

static uint64_t next(struct fixture *f)
{
    f->seed ^= f->seed << 13;
    f->seed ^= f->seed >> 7;
    f->seed ^= f->seed << 17;
    return f->seed;
}

static const char *const words[] = {"SELECT",
                                    "FROM",
                                    "WHERE",
                                    "GROUP BY",
                                    "ORDER BY",
                                    "LIMIT",
                                    "UNION ALL",
                                    "EXCEPT",
                                    "WITH RECURSIVE",
                                    "AS",
                                    "JOIN",
                                    "LEFT JOIN",
                                    "ON",
                                    "IN",
                                    "(",
                                    ")",
                                    ",",
                                    "*",
                                    "=",
                                    "<",
                                    "||",
                                    "->>",
                                    "CASE",
                                    "WHEN",
                                    "THEN",
                                    "END",
                                    "DELETE",
                                    "UPDATE",
                                    "INSERT INTO",
                                    "ATTACH",
                                    "PRAGMA",
                                    "DROP TABLE",
                                    "VALUES",
                                    "NOT",
                                    "NULL",
                                    "LIKE",
                                    "GLOB",
                                    "REGEXP",
                                    "MATCH",
                                    "BETWEEN",
                                    "CAST(",
                                    "OVER (",
                                    "PARTITION BY",
                                    "work_items",
                                    "incidents",
                                    "links",
                                    "revisions",
                                    "agent_calls",
                                    "sqlite_master",
                                    "incident_impact",
                                    "json_each(",
                                    "generate_series(",
                                    "title",
                                    "id",
                                    "author_name",
                                    "labels",
                                    "count(",
                                    "sum(",
                                    "median(",
                                    "group_concat(",
                                    "printf(",
                                    "date_trunc(",
                                    "local(",
                                    "regexp(",
                                    "load_extension(",
                                    "zeroblob(",
                                    "randomblob(",
                                    "'",
                                    "'a'",
                                    "\"",
                                    "[",
                                    "`",
                                    "--",
                                    "/*",
                                    ";",
                                    "0x7fffffffffffffff",
                                    "-9223372036854775808",
                                    "1e999",
                                    "99999999999999999999",
                                    "?",
                                    ":p",
                                    "@p",
                                    "x'00'",
                                    "\xff",
                                    "\xed\xa0\x80",
                                    "\xf0\x9f\x92\xa9",
                                    "%",
                                    ".tables",
                                    "describe work_items",
                                    ".schema",
                                    "\n",
                                    "\t"};

static const char *const seeds[] = {
    "SELECT type, state, count(*) FROM work_items GROUP BY 1, 2 ORDER BY 3 DESC",
    "SELECT a.id, b.title FROM work_items a JOIN work_items b ON a.id = b.id WHERE a.title LIKE "
    "'%a%' LIMIT 5",
    "WITH r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 9) SELECT x, sum(x) OVER (ORDER BY "
    "x) FROM r",
    "SELECT value->>'a' FROM json_each('[{\"a\":1}]') WHERE id REGEXP '^[0-9]+$'",
    "SELECT date_trunc('week', created_at, 'UTC'), median(length(title)) FROM work_items GROUP BY "
    "1",
};

static size_t append(char *text, size_t n, const char *more)
{
    size_t len = strlen(more);

    if (n + len + 1 >= STRING_MAX_BYTES) {
        return n;
    }
    memcpy(text + n, more, len);
    text[n + len] = ' ';
    return n + len + 1;
}

/* Words in a row, or a right statement with some bytes changed, left out and put in. */
static size_t make_string(struct fixture *f, char text[STRING_MAX_BYTES])
{
    const size_t n_words = sizeof(words) / sizeof(words[0]);
    size_t n = 0;

    if (next(f) % 2) {
        for (uint64_t left = 1 + next(f) % 40; left > 0; left--) {
            n = append(text, n, words[next(f) % n_words]);
        }
        return n;
    }
    n = append(text, 0, seeds[next(f) % (sizeof(seeds) / sizeof(seeds[0]))]);
    for (uint64_t left = 1 + next(f) % 6; left > 0; left--) {
        size_t at = next(f) % n;

        if (next(f) % 3 == 0) {
            text[at] = (char)(next(f) % 256);
        } else if (next(f) % 2) {
            memmove(text + at, text + at + 1, n - at - 1);
            n -= n > 1;
        } else {
            n = append(text, n, words[next(f) % n_words]);
        }
    }
    return n;
}

static int64_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long long pages = 0;
    long long resident = 0;

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lld %lld", &pages, &resident), 2);
    (void)fclose(file);
    return resident * sysconf(_SC_PAGESIZE);
}

static void ten_thousand_strings_do_no_harm(void **state)
{
    struct fixture *f = *state;
    static char text[STRING_MAX_BYTES];
    int64_t before = resident_bytes();
    unsigned answered = 0;
    struct wh_err err;
    int64_t last;

    for (int i = 0; i < STRINGS; i++) {
        struct wh_slice sql = wh_slice(text, make_string(f, text));
        enum wh_rc rc = run(f, sql, SHORT_MS, &last, &err);

        if (!is_clear(rc, &err)) {
            fail_msg("%.*s: %d %s", (int)sql.len, sql.ptr, (int)rc, err.msg);
        }
        answered += rc == WH_OK;
    }
    assert_true(answered > 10);
    still_right(f);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(resident_bytes() - before < GROWTH_MAX_BYTES);
#else
    (void)before;
#endif
}

/* ---- who writes ---- */

struct reader {
    struct fixture *f;
    pthread_t thread;
    atomic_bool ended;
};

static void *read_without_end(void *ctx)
{
    struct reader *r = ctx;
    struct wh_err err;
    int64_t last;

    /* Ends when the engine is stopped. */
    (void)!run(
        r->f,
        WH_LIT("SELECT count(*) FROM work_items a, work_items b, work_items c, work_items d, "
               "work_items e, work_items g, work_items h"),
        INT64_C(3600) * 1000, &last, &err);
    atomic_store(&r->ended, true);
    return NULL;
}

static void who_writes_does_not_wait_for_them(void **state)
{
    struct fixture *f = *state;
    struct reader readers[READERS] = {{.f = f}, {.f = f}, {.f = f}};

    for (size_t i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_without_end, &readers[i]),
                         0);
    }
    th_heads_add(&f->heads, WRITES);
    for (size_t i = 0; i < READERS; i++) {
        assert_false(atomic_load(&readers[i].ended));
    }
    sql_engine_stop(f->engine);
    for (size_t i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_would_not_end_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ten_thousand_strings_do_no_harm, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_writes_does_not_wait_for_them, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
