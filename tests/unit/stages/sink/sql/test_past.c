/*
 * Statements about the past: at any time, every table shows what it shows in a store that was given only
 * what had been stored by then.
 */
#include "common/base/mem.h"
#include "stages/sink/sql/sql.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_past.h"
#include "tests/lib/th_sql.h"

enum { OBSERVATIONS = 90, ENTITIES = 8, SEEDS = 4, STEP = 3 * TH_PAST_AT_ONCE };

static struct sql_engine *engine_of(struct wh_store *store)
{
    const struct sql_engine_conf conf = {
        .store = store, .clock = wh_clock_real(), .connections = 1};
    struct sql_engine *engine = NULL;
    struct wh_err err;

    th_ok(sql_engine_new(&conf, &engine, &err), &err);
    return engine;
}

/* Of the same content seen several times, only one delivery and the newest time are kept. */
static bool is_of_deliveries(const char *column)
{
    static const char *const names[] = {"first_seen", "last_seen", "origin", "delivery_id",
                                        "topic",      "partition", "offset", "observed_at",
                                        "view",       "sequence"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(column, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void select_all(const char *table, const char *order, struct wh_buf *out)
{
    struct sql_column columns[SQL_COLUMNS_MAX];
    size_t n = sql_columns(wh_slice_str(table), columns);
    struct wh_err err;

    wh_buf_reset(out);
    th_ok(wh_buf_printf(out, &err, "select 1"), &err);
    for (size_t i = 0; i < n; i++) {
        if (!is_of_deliveries(columns[i].name)) {
            th_ok(wh_buf_printf(out, &err, ", \"%s\"", columns[i].name), &err);
        }
    }
    th_ok(wh_buf_printf(out, &err, " from %s order by %s", table, order), &err);
}

static void same(struct sql_engine *all, struct sql_engine *then, const char *sql,
                 const struct wh_history_when *when)
{
    int64_t read;
    char *got = th_sql_rows_at(all, sql, when, &read);
    char *want = th_sql_rows(then, sql, &read);

    if (strcmp(got, want) != 0) {
        fail_msg("at %lld: %s\ngot\n%.2000s\nwant\n%.2000s", (long long)when->stored_ms, sql, got,
                 want);
    }
    wh_mem_free(got);
    wh_mem_free(want);
}

static void check_time(struct sql_engine *all, struct sql_engine *then, int64_t at_ms)
{
    const struct wh_history_when when = {at_ms, INT64_MAX};
    struct wh_buf sql;
    size_t n;
    const struct sql_table_info *tables = sql_tables(&n);

    wh_buf_init(&sql, 1 << 16);
    for (size_t i = 0; i < n; i++) {
        char name[64];

        if (tables[i].kind == WH_KIND_NONE) {
            continue;
        }
        select_all(tables[i].name, "id", &sql);
        same(all, then, wh_buf_str(&sql), &when);
        (void)snprintf(name, sizeof(name), "%s_all", tables[i].name);
        select_all(name, "changed_at desc, id", &sql);
        same(all, then, wh_buf_str(&sql), &when);
    }
    select_all("revisions", "entity_id, version", &sql);
    same(all, then, wh_buf_str(&sql), &when);
    select_all("changes", "sequence", &sql);
    same(all, then, wh_buf_str(&sql), &when);
    /* By an index, from the newest on, counted, and joined. */
    same(all, then,
         "select r.version, r.changed from work_items_all w join revisions r on r.entity_id = w.id"
         " order by w.id, r.version desc",
         &when);
    same(all, then,
         "select l.from_id, l.from_kind, l.relation, l.to_id, l.to_kind, l.version from"
         " (select id from work_items_all union select id from projects_all) w"
         " cross join links l on l.from_id = w.id order by 1, 3, 4",
         &when);
    same(all, then,
         "select l.from_id, l.from_kind, l.relation, l.to_id, l.to_url, l.version from"
         " (select id from work_items_all union select id from projects_all) w"
         " cross join links l on l.to_id = w.id order by 4, 1, 3",
         &when);
    same(all, then, "select count(*) from work_items", &when);
    same(all, then, "select id, title from work_items order by updated_at desc, id limit 3", &when);
    same(all, then,
         "select a.id, b.title from work_items a join work_items_all b on b.project = a.project"
         " order by 1, 2",
         &when);
    wh_buf_done(&sql);
}

static void every_table_shows_the_past(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct th_encoded *list = th_observations_new(seed, OBSERVATIONS, ENTITIES, 0);
        struct wh_store *all = th_past_store(list, OBSERVATIONS);
        struct sql_engine *engine = engine_of(all);

        for (size_t n = STEP; n <= OBSERVATIONS; n += STEP) {
            struct wh_store *then = th_past_store(list, n);
            struct sql_engine *of_then = engine_of(then);

            check_time(engine, of_then, (int64_t)(n / TH_PAST_AT_ONCE) - 1);
            sql_engine_free(of_then);
            wh_store_free(then);
        }
        sql_engine_free(engine);
        wh_store_free(all);
        th_observations_free(list, OBSERVATIONS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_shows_the_past),
    };

    return cmocka_run_group_tests_name("sink/sql/past", tests, NULL, NULL);
}
