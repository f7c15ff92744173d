/* What the writer stores is what SQL shows: random observations through apply into RocksDB. */
#include <stdlib.h>

#include "common/base/mem.h"
#include "stages/sink/batch/apply.h"
#include "stages/sink/sql/sql.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_observation.h"
#include "tests/lib/th_tmp.h"

enum { OBSERVATIONS = 4000, ENTITIES = 150, BATCH = 100, TEXT_MAX_BYTES = 16 << 20 };

struct fixture {
    char *folder;
    struct wh_store *store;
    struct sink_apply *apply;
    struct sql_engine *engine;
};

static void apply_all(struct fixture *f)
{
    struct th_encoded *list =
        th_observations_new(17, OBSERVATIONS, ENTITIES, INT64_C(1763000000000));
    struct wh_err err;

    for (size_t i = 0; i < OBSERVATIONS; i++) {
        struct wh_observation o;
        struct wh_history_result result;

        if (i % BATCH == 0) {
            sink_apply_begin(f->apply);
        }
        th_ok(wh_observation_decode(wh_slice(list[i].bytes, list[i].len),
                                    sink_apply_arena(f->apply), &o, &err),
              &err);
        th_ok(sink_apply_observation(f->apply, &o, INT64_C(1763000000000), &result, &err), &err);
        if (i % BATCH == BATCH - 1) {
            th_ok(sink_apply_seal(f->apply, &err), &err);
            th_ok(sink_apply_commit(f->apply, false, &err), &err);
        }
    }
    th_observations_free(list, OBSERVATIONS);
}

static int set_up(void **state)
{
    struct fixture *f = wh_mem_zalloc(1, sizeof(*f));
    char path[512];
    struct wh_store_conf conf = {.path = path,
                                 .families = sink_families,
                                 .n_families = SINK_FAMILY_COUNT,
                                 .cache_bytes = 8 << 20,
                                 .memtable_bytes = 1 << 20};
    struct sql_engine_conf sql = {.clock = wh_clock_real(), .connections = 1};
    struct wh_err err;

    f->folder = th_tmp_new();
    (void)snprintf(path, sizeof(path), "%s/store", f->folder);
    th_ok(wh_store_rocks_open(&conf, &f->store, &err), &err);
    th_ok(sink_apply_new(f->store, BATCH, &f->apply, &err), &err);
    apply_all(f);
    sql.store = f->store;
    th_ok(sql_engine_new(&sql, &f->engine, &err), &err);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sql_engine_free(f->engine);
    sink_apply_free(f->apply);
    wh_store_free(f->store);
    th_tmp_remove(f->folder);
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

static enum wh_rc on_row(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                         struct wh_err *err)
{
    struct wh_buf *out = ctx;

    (void)ret_full;
    for (size_t i = 0; i < n; i++) {
        enum wh_rc rc = values[i].type == SQL_INT
                            ? wh_buf_printf(out, err, "%lld|", (long long)values[i].i)
                            : wh_buf_printf(out, err, "%.*s|", WH_SLICE_ARG(values[i].bytes));

        if (rc != WH_OK) {
            return rc;
        }
    }
    return wh_buf_append_char(out, '\n', err);
}

/* The rows as text; free with wh_mem_free. */
static char *rows_of(struct fixture *f, const char *sql)
{
    const struct sql_query query = {
        .text = wh_slice_str(sql), .timeout_ms = 30000, .max_rows = 1000000};
    struct sql_outcome outcome;
    struct wh_buf out;
    struct sql_rows rows;
    struct wh_err err;
    char *text;

    wh_buf_init(&out, TEXT_MAX_BYTES);
    rows = (struct sql_rows){on_columns, on_row, &out};
    if (sql_run(f->engine, &query, &rows, &outcome, &err) != WH_OK) {
        fail_msg("%s: %s", sql, err.msg);
    }
    text = wh_mem_dup(wh_buf_str(&out), out.len);
    wh_buf_done(&out);
    return text;
}

static int64_t number(struct fixture *f, const char *sql)
{
    char *text = rows_of(f, sql);
    int64_t v = strtoll(text, NULL, 10);

    wh_mem_free(text);
    return v;
}

static void same_rows(struct fixture *f, const char *a, const char *b)
{
    char *x = rows_of(f, a);
    char *y = rows_of(f, b);

    if (strcmp(x, y) != 0) {
        fail_msg("%s\n%.400s\n%s\n%.400s", a, x, b, y);
    }
    wh_mem_free(x);
    wh_mem_free(y);
}

/* Records refer to accounts, whose people are other columns and another table (people_tables.c). */
static const char *account_column(const struct wh_field_def *field, char text[64])
{
    size_t n = strlen(field->name);

    if (field->ref_kind != WH_KIND_TEAM_MEMBER) {
        return field->name;
    }
    if (field->type == WH_FIELD_REFS) {
        (void)snprintf(text, 64, "%.*s_accounts", n < 50 ? (int)n - 1 : 0, field->name);
    } else {
        (void)snprintf(text, 64, "%.50s_account", field->name);
    }
    return text;
}

static void counts_are_the_writers(void **state)
{
    struct fixture *f = *state;
    const struct sink_kind_counts *counts = sink_apply_counts(f->apply);
    int64_t entities = 0;

    for (unsigned k = 1; k < WH_KIND_COUNT; k++) {
        const struct wh_kind_def *def = wh_kind_def((enum wh_kind)k);
        char sql[256];

        if (k == WH_KIND_TEAM_MEMBER) {
            continue;
        }
        (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s_all", def->table);
        assert_int_equal(number(f, sql), counts[k].entities);
        entities += number(f, sql);
        (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", def->table);
        assert_int_equal(number(f, sql), counts[k].entities - counts[k].deleted);
        (void)snprintf(sql, sizeof(sql),
                       "SELECT count(*) FROM revisions WHERE kind = '%s' AND revision", def->name);
        assert_int_equal(number(f, sql), counts[k].revisions);
    }
    assert_true(entities > ENTITIES / 2);
    assert_int_equal(number(f, "SELECT max(sequence) FROM changes"), sink_apply_sequence(f->apply));
}

/* Every index of the writer gives what a scan gives. */
static void indexes_equal_scans(void **state)
{
    struct fixture *f = *state;

    for (unsigned k = 1; k < WH_KIND_COUNT; k++) {
        const struct wh_kind_def *def = wh_kind_def((enum wh_kind)k);
        static const char *const directions[] = {"ASC", "DESC"};
        char a[512];
        char b[512];

        for (size_t d = 0; d < 2; d++) {
            (void)snprintf(a, sizeof(a),
                           "SELECT id, version FROM %s_all ORDER BY changed_at %s, id %s",
                           def->table, directions[d], directions[d]);
            (void)snprintf(b, sizeof(b),
                           "SELECT id, version FROM %s_all ORDER BY +changed_at %s, +id %s",
                           def->table, directions[d], directions[d]);
            same_rows(f, a, b);
            (void)snprintf(a, sizeof(a), "SELECT id FROM %s ORDER BY id %s", def->table,
                           directions[d]);
            (void)snprintf(b, sizeof(b), "SELECT id FROM %s ORDER BY +id %s", def->table,
                           directions[d]);
            same_rows(f, a, b);
        }
        if (wh_kind_field(def, WH_LIT("project")) < 0) {
            continue;
        }
        (void)snprintf(a, sizeof(a),
                       "SELECT p.project, t.id FROM (SELECT DISTINCT project FROM %s_all) p"
                       " CROSS JOIN %s_all t ON t.project = p.project ORDER BY 1, 2",
                       def->table, def->table);
        (void)snprintf(
            b, sizeof(b),
            "SELECT project, id FROM %s_all WHERE project IS NOT NULL ORDER BY +project, +id",
            def->table);
        same_rows(f, a, b);
    }
}

/* Links are the reference fields, both ways. */
static void links_are_the_fields(void **state)
{
    struct fixture *f = *state;
    int64_t all = 0;

    for (unsigned k = 1; k < WH_KIND_COUNT; k++) {
        const struct wh_kind_def *def = wh_kind_def((enum wh_kind)k);

        for (unsigned i = 0; i < def->n_fields; i++) {
            const struct wh_field_def *field = &def->fields[i];
            char a[512];
            char b[512];
            char text[64];
            const char *column = account_column(field, text);

            if (field->type == WH_FIELD_REF) {
                (void)snprintf(a, sizeof(a),
                               "SELECT id, %s FROM %s_all WHERE %s IS NOT NULL ORDER BY 1, 2",
                               column, def->table, column);
            } else if (field->type == WH_FIELD_REFS) {
                (void)snprintf(
                    a, sizeof(a),
                    "SELECT t.id, j.value FROM %s_all t, json_each(t.%s) j ORDER BY 1, 2",
                    def->table, column);
            } else {
                continue;
            }
            (void)snprintf(
                b, sizeof(b),
                "SELECT from_id, to_id FROM links WHERE from_kind = '%s' AND relation = '%s'"
                " ORDER BY 1, 2",
                def->name, field->name);
            same_rows(f, a, b);
            (void)snprintf(b, sizeof(b),
                           "SELECT count(*) FROM links WHERE from_kind = '%s' AND relation = '%s'",
                           def->name, field->name);
            all += number(f, b);
        }
    }
    assert_int_equal(all, number(f, "SELECT count(*) FROM links"));
    assert_int_equal(all, number(f, "SELECT count(*) FROM (SELECT DISTINCT to_id FROM links) t"
                                    " CROSS JOIN links l ON l.to_id = t.to_id"));
    assert_int_equal(0, number(f, "SELECT count(*) FROM links l WHERE NOT EXISTS"
                                  " (SELECT 1 FROM revisions r WHERE r.entity_id = l.from_id"
                                  "  AND r.version = l.version)"));
}

/* The head is what the revisions add up to, said in SQL. */
static void heads_are_their_revisions(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(0,
                     number(f, "SELECT count(*) FROM work_items_all w WHERE w.version <>"
                               " (SELECT max(version) FROM revisions r WHERE r.entity_id = w.id)"));
    same_rows(f, "SELECT id, title FROM work_items_all WHERE title IS NOT NULL ORDER BY id",
              "SELECT id, title FROM (SELECT w.id, (SELECT json_extract(r.changed, '$.title')"
              "  FROM revisions r WHERE r.entity_id = w.id AND r.changed LIKE '%\"title\":%'"
              "  ORDER BY r.version DESC LIMIT 1) AS title FROM work_items_all w)"
              " WHERE title IS NOT NULL ORDER BY id");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counts_are_the_writers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(indexes_equal_scans, set_up, tear_down),
        cmocka_unit_test_setup_teardown(links_are_the_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(heads_are_their_revisions, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
