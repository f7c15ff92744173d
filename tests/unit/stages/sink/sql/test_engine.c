/* SQL against plain C over the same random rows; refusals; limits; snapshots. */
#include "stages/sink/sql/sql.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_heads.h"

enum { ROWS = 400, TEXT_MAX_BYTES = 64 << 20 };

struct fixture {
    struct wh_store *store;
    struct th_heads heads;
    struct sql_engine *engine;
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
    f->heads.long_texts = true;
    th_heads_add(&f->heads, ROWS);
    f->engine = engine_over(f->store, 256 << 20);
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

/* ---- collecting ---- */

struct collected {
    struct wh_buf text; /* values by '|', rows by '\n' */
    struct wh_buf names;
    size_t n;
    void (*on_row)(void *ctx);
    void *ctx;
};

static enum wh_rc on_columns(void *ctx, const struct wh_slice *names, size_t n, struct wh_err *err)
{
    struct collected *c = ctx;

    for (size_t i = 0; i < n; i++) {
        if (wh_buf_printf(&c->names, err, "%s%.*s", i ? "," : "", WH_SLICE_ARG(names[i])) !=
            WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

static enum wh_rc add_value(struct wh_buf *out, const struct sql_value *v, struct wh_err *err)
{
    switch (v->type) {
    case SQL_INT:
        return wh_buf_printf(out, err, "%" PRId64, v->i);
    case SQL_DOUBLE:
        return wh_buf_printf(out, err, "%.17g", v->num);
    case SQL_TEXT:
    case SQL_BLOB:
        return wh_buf_append(out, v->bytes, err);
    case SQL_NULL:
    default:
        return wh_buf_append(out, WH_LIT("NULL"), err);
    }
}

static enum wh_rc on_row(void *ctx, const struct sql_value *values, size_t n, bool *ret_full,
                         struct wh_err *err)
{
    struct collected *c = ctx;

    (void)ret_full;
    for (size_t i = 0; i < n; i++) {
        if ((i && wh_buf_append_char(&c->text, '|', err) != WH_OK) ||
            add_value(&c->text, &values[i], err) != WH_OK) {
            return err->rc;
        }
    }
    c->n++;
    if (c->on_row) {
        c->on_row(c->ctx);
    }
    return wh_buf_append_char(&c->text, '\n', err);
}

static void collected_init(struct collected *c)
{
    *c = (struct collected){0};
    wh_buf_init(&c->text, TEXT_MAX_BYTES);
    wh_buf_init(&c->names, 1 << 16);
}

static void collected_done(struct collected *c)
{
    wh_buf_done(&c->text);
    wh_buf_done(&c->names);
}

static enum wh_rc run_with(struct sql_engine *engine, const char *sql, int64_t timeout_ms,
                           int64_t rows, struct collected *c, struct sql_outcome *outcome,
                           struct wh_err *err)
{
    const struct sql_query query = {
        .text = wh_slice_str(sql), .timeout_ms = timeout_ms, .max_rows = rows};
    const struct sql_rows sink = {on_columns, on_row, c};

    return sql_run(engine, &query, &sink, outcome, err);
}

/* The rows as text; free with wh_mem_free. */
static char *rows_of(struct sql_engine *engine, const char *sql)
{
    struct collected c;
    struct sql_outcome outcome;
    struct wh_err err;
    char *text;

    collected_init(&c);
    if (run_with(engine, sql, 20000, 1 << 20, &c, &outcome, &err) != WH_OK) {
        fail_msg("%s: %s", sql, err.msg);
    }
    text = wh_mem_dup(wh_buf_str(&c.text), c.text.len);
    collected_done(&c);
    return text;
}

static void rows_are(struct sql_engine *engine, const char *sql, const char *want)
{
    char *got = rows_of(engine, sql);

    assert_string_equal(got, want);
    wh_mem_free(got);
}

/* ---- the oracle ---- */

typedef bool (*keep_fn)(const struct wh_head *head, const void *ctx);

static int by_id(const void *a, const void *b)
{
    const struct wh_head *const *x = a;
    const struct wh_head *const *y = b;

    return wh_entity_id_cmp(&(*x)->id, &(*y)->id);
}

static int by_changed_at(const void *a, const void *b)
{
    const struct wh_head *const *x = a;
    const struct wh_head *const *y = b;
    int64_t s = th_changed_ms(*x);
    int64_t t = th_changed_ms(*y);

    return s < t ? -1 : s > t ? 1 : by_id(a, b);
}

struct expect {
    keep_fn keep;
    const void *ctx;
    int (*order)(const void *a, const void *b);
    bool desc;
    bool deleted; /* too */
};

/* Ids, a line each. */
static char *expected(const struct th_heads *heads, const struct expect *e)
{
    struct wh_head **sorted = wh_mem_zalloc(heads->n, sizeof(*sorted));
    char id[WH_ENTITY_ID_TEXT + 1];
    struct wh_buf out;
    struct wh_err err;
    size_t len;
    char *text;

    memcpy(sorted, heads->items, heads->n * sizeof(*sorted));
    qsort(sorted, heads->n, sizeof(*sorted), e->order);
    wh_buf_init(&out, TEXT_MAX_BYTES);
    th_ok(wh_buf_reserve(&out, 1, &err), &err);
    out.ptr[0] = 0;
    for (size_t i = 0; i < heads->n; i++) {
        const struct wh_head *h = sorted[e->desc ? heads->n - 1 - i : i];

        if ((h->deleted && !e->deleted) || (e->keep && !e->keep(h, e->ctx))) {
            continue;
        }
        th_ok(wh_buf_printf(&out, &err, "%s\n", wh_entity_id_format(&h->id, id)), &err);
    }
    wh_mem_free(sorted);
    text = wh_buf_take(&out, &len);
    return text;
}

static void same(struct fixture *f, const char *sql, const struct expect *e)
{
    char *got = rows_of(f->engine, sql);
    char *want = expected(&f->heads, e);

    if (strcmp(got, want) != 0) {
        fail_msg("%s\ngot\n%.600s\nwant\n%.600s", sql, got, want);
    }
    wh_mem_free(got);
    wh_mem_free(want);
}

static void live_rows_and_all_rows(void **state)
{
    struct fixture *f = *state;

    same(f, "SELECT id FROM work_items ORDER BY id", &(struct expect){.order = by_id});
    same(f, "SELECT id FROM work_items ORDER BY id DESC",
         &(struct expect){.order = by_id, .desc = true});
    same(f, "SELECT id FROM work_items_all ORDER BY id",
         &(struct expect){.order = by_id, .deleted = true});
    same(f, "SELECT id FROM work_items ORDER BY changed_at, id",
         &(struct expect){.order = by_changed_at});
    same(f, "SELECT id FROM work_items ORDER BY changed_at DESC, id DESC",
         &(struct expect){.order = by_changed_at, .desc = true});
    /* Mixed directions no index has: SQLite sorts. */
    same(f, "SELECT id FROM work_items ORDER BY +changed_at, +id",
         &(struct expect){.order = by_changed_at});
    rows_are(f->engine, "SELECT count(*) FROM jobs", "0\n");
}

struct window {
    int64_t from_ms;
    int64_t to_ms;
    const struct wh_entity_id *project;
};

static bool in_window(const struct wh_head *h, const void *ctx)
{
    const struct window *w = ctx;
    int64_t at = th_changed_ms(h);
    const struct wh_value *project = th_field(h, "project");

    return at >= w->from_ms && at <= w->to_ms &&
           (w->project == NULL || (project && wh_entity_id_cmp(&project->u.ref, w->project) == 0));
}

/* Indexed, and the same with unary plus, which no index serves. */
static void windows(void **state)
{
    struct fixture *f = *state;
    struct th_random random = {7};

    for (int i = 0; i < 120; i++) {
        int64_t from =
            i % 3 ? INT64_C(1760000000000) + th_random_below(&random, 4000) * INT64_C(60001)
                  : INT64_C(1763000000000) + th_random_below(&random, 3002000);
        struct wh_entity_id project = th_project(th_random_below(&random, TH_PROJECTS));
        struct window w = {from, from + th_random_below(&random, i % 3 ? 200000000 : 2000000),
                           i % 2 ? &project : NULL};
        struct expect e = {in_window, &w, by_changed_at, i % 3 == 0, i % 5 == 0};
        const char *table = e.deleted ? "work_items_all" : "work_items";
        const char *plus = i % 4 < 2 ? "" : "+";
        const char *desc = e.desc ? "DESC" : "ASC";
        char a[WH_TIME_TEXT_MAX];
        char b[WH_TIME_TEXT_MAX];
        char id[WH_ENTITY_ID_TEXT + 1];
        char condition[128] = "";
        char sql[512];

        if (w.project) {
            (void)snprintf(condition, sizeof(condition), " AND %sproject = '%s'", plus,
                           wh_entity_id_format(w.project, id));
        }
        (void)snprintf(sql, sizeof(sql),
                       "SELECT id FROM %s WHERE %schanged_at >= '%s' AND %schanged_at <= '%s'%s"
                       " ORDER BY changed_at %s, id %s",
                       table, plus, wh_time_format(w.from_ms, a), plus, wh_time_format(w.to_ms, b),
                       condition, desc, desc);
        same(f, sql, &e);
    }
}

/* Bounds of any text give what a comparison of texts gives. */
static void odd_bounds(void **state)
{
    static const char *const bounds[] = {
        "'2025-11-13'",
        "'2025-11-13T02'",
        "'2025-11-13T02:30:00'",
        "'2025-11-13T02:30:00Z'",
        "'2025-11-13 02:30:00'",
        "'2025-11-13T02:30:00.5'",
        "'2025-13-99'",
        "''",
        "'zzz'",
        "'2'",
        "NULL",
        "5",
        "x'3230'",
        "'2025-11-13T02:30:00.000Z '",
    };
    static const char *const ops[] = {">", ">=", "<", "<=", "="};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
        for (size_t k = 0; k < sizeof(ops) / sizeof(ops[0]); k++) {
            char pushed[256];
            char plain[256];
            char *a;
            char *b;

            (void)snprintf(
                pushed, sizeof(pushed),
                "SELECT id FROM work_items WHERE changed_at %s %s ORDER BY changed_at, id", ops[k],
                bounds[i]);
            (void)snprintf(plain, sizeof(plain),
                           "SELECT id FROM work_items WHERE +changed_at %s CAST(%s AS TEXT)"
                           " ORDER BY +changed_at, +id",
                           ops[k], bounds[i]);
            a = rows_of(f->engine, pushed);
            b = rows_of(f->engine, plain);
            if (i != 12) { /* A blob is above every text: not cast. */
                assert_string_equal(a, b);
            }
            wh_mem_free(a);
            wh_mem_free(b);
        }
    }
}

static void points(void **state)
{
    struct fixture *f = *state;
    char sql[512];
    char want[64];
    char id[WH_ENTITY_ID_TEXT + 1];

    for (size_t i = 0; i < f->heads.n; i++) {
        const struct wh_head *h = f->heads.items[i];

        (void)wh_entity_id_format(&h->id, id);
        (void)snprintf(want, sizeof(want), "%s\n", id);
        (void)snprintf(sql, sizeof(sql), "SELECT id FROM work_items_all WHERE id = '%s'", id);
        rows_are(f->engine, sql, want);
        (void)snprintf(sql, sizeof(sql), "SELECT id FROM work_items WHERE url = '%.*s'",
                       WH_SLICE_ARG(h->source.url));
        rows_are(f->engine, sql, h->deleted ? "" : want);
        /* A url of another kind's entity, an id that is none. */
        (void)snprintf(sql, sizeof(sql), "SELECT id FROM notes WHERE url = '%.*s' OR id = '%s'",
                       WH_SLICE_ARG(h->source.url), id);
        rows_are(f->engine, sql, "");
    }
    rows_are(f->engine, "SELECT id FROM work_items WHERE id = 'nonsense'", "");
    rows_are(f->engine, "SELECT id FROM work_items WHERE id = NULL", "");
    rows_are(f->engine, "SELECT id FROM work_items WHERE url IN ('a', 'b', NULL)", "");
    (void)snprintf(sql, sizeof(sql),
                   "SELECT count(*) FROM work_items_all WHERE id IN ('%s','%s','x')", id,
                   wh_entity_id_format(&f->heads.items[0]->id, want));
    rows_are(f->engine, sql, "2\n");
}

/* ---- every column of every kind ---- */

static void value_text(enum wh_field_type type, const struct wh_value *v, struct wh_buf *out)
{
    char text[WH_TIME_TEXT_MAX + WH_ENTITY_ID_TEXT];
    struct wh_err err;

    switch (type) {
    case WH_FIELD_LONG:
        th_ok(wh_buf_printf(out, &err, "%" PRId64, v->u.i), &err);
        break;
    case WH_FIELD_DOUBLE:
        th_ok(wh_buf_printf(out, &err, "%.17g", v->u.num), &err);
        break;
    case WH_FIELD_BOOL:
        th_ok(wh_buf_append(out, v->u.b ? WH_LIT("1") : WH_LIT("0"), &err), &err);
        break;
    case WH_FIELD_TIME:
        th_ok(wh_buf_append(out, wh_slice_str(wh_time_format(v->u.i, text)), &err), &err);
        break;
    case WH_FIELD_REF:
        th_ok(wh_buf_append(out, wh_slice_str(wh_entity_id_format(&v->u.ref, text)), &err), &err);
        break;
    case WH_FIELD_STRING:
    case WH_FIELD_STRINGS:
    case WH_FIELD_REFS:
    default:
        th_ok(wh_buf_append(out, v->u.str, &err), &err);
        break;
    }
}

static bool is_list(enum wh_field_type type)
{
    return type == WH_FIELD_STRINGS || type == WH_FIELD_REFS;
}

/* The column with the value itself: a key's own column shows what it leads to. */
static const char *column_of(const struct wh_kind_def *def, const char *field)
{
    bool keys = def->kind >= WH_KIND_SERVICE_CUSTOMER && def->kind <= WH_KIND_SERVICE_OWNERSHIP;

    return keys && strcmp(field, "service") == 0    ? "service_key"
           : keys && strcmp(field, "customer") == 0 ? "customer_key"
                                                    : field;
}

static void columns_of(struct sql_engine *engine, const struct wh_head *h)
{
    const struct wh_kind_def *def = h->body.def;
    char id[WH_ENTITY_ID_TEXT + 1];
    struct wh_buf sql;
    struct wh_buf want;
    struct wh_err err;

    wh_buf_init(&sql, 1 << 16);
    wh_buf_init(&want, 1 << 16);
    th_ok(wh_buf_append(&sql, WH_LIT("SELECT deleted"), &err), &err);
    th_ok(wh_buf_printf(&want, &err, "%d", h->deleted), &err);
    for (unsigned i = 0; i < def->n_fields; i++) {
        const struct wh_field_def *field = &def->fields[i];
        const struct wh_value *v = th_field(h, field->name);

        if (is_list(field->type)) {
            th_ok(wh_buf_printf(&sql, &err, ",json_array_length(\"%s\")", field->name), &err);
        } else {
            th_ok(wh_buf_printf(&sql, &err, ",\"%s\"", column_of(def, field->name)), &err);
        }
        th_ok(wh_buf_append_char(&want, '|', &err), &err);
        if (v == NULL) {
            th_ok(wh_buf_append(&want, WH_LIT("NULL"), &err), &err);
        } else if (is_list(field->type)) {
            th_ok(wh_buf_printf(&want, &err, "%zu",
                                field->type == WH_FIELD_REFS ? v->u.refs.n : v->u.strs.n),
                  &err);
        } else {
            value_text(field->type, v, &want);
        }
    }
    th_ok(wh_buf_printf(&sql, &err, " FROM %s_all WHERE id = '%s'", def->table,
                        wh_entity_id_format(&h->id, id)),
          &err);
    th_ok(wh_buf_append_char(&want, '\n', &err), &err);
    rows_are(engine, wh_buf_str(&sql), wh_buf_str(&want));
    wh_buf_done(&sql);
    wh_buf_done(&want);
}

/* One column alone takes the path that decodes a single field: equal to all at once. */
static void single_columns(struct sql_engine *engine, const struct wh_kind_def *def)
{
    for (unsigned i = 0; i < def->n_fields; i++) {
        char sql[512];
        char *a;
        char *b;

        (void)snprintf(sql, sizeof(sql), "SELECT \"%s\" FROM %s ORDER BY id", def->fields[i].name,
                       def->table);
        a = rows_of(engine, sql);
        (void)snprintf(sql, sizeof(sql), "SELECT \"%s\" FROM (SELECT * FROM %s) ORDER BY +id",
                       def->fields[i].name, def->table);
        b = rows_of(engine, sql);
        assert_string_equal(a, b);
        wh_mem_free(a);
        wh_mem_free(b);
    }
}

static void every_column_of_every_kind(void **state)
{
    (void)state;
    for (unsigned k = 1; k < WH_KIND_COUNT; k++) {
        struct wh_store *store = th_sink_store();
        struct sql_engine *engine = engine_over(store, 256 << 20);
        struct th_heads heads;

        th_heads_init(&heads, store, (enum wh_kind)k, 100 + k);
        th_heads_add(&heads, 30);
        /* Accounts are no table of heads (test_people_tables). */
        for (size_t i = 0; i < heads.n && k != WH_KIND_TEAM_MEMBER; i++) {
            columns_of(engine, heads.items[i]);
        }
        if (k != WH_KIND_TEAM_MEMBER) {
            single_columns(engine, heads.def);
        }
        th_heads_done(&heads);
        sql_engine_free(engine);
        wh_store_free(store);
    }
}

static void catalogue_is_what_sqlite_sees(void **state)
{
    struct fixture *f = *state;
    const struct sql_table_info *tables;
    size_t n;

    tables = sql_tables(&n);
    for (size_t i = 0; i < n; i++) {
        struct sql_column columns[SQL_COLUMNS_MAX];
        size_t n_columns = sql_columns(wh_slice_str(tables[i].name), columns);
        struct collected c;
        struct sql_outcome outcome;
        struct wh_buf want;
        struct wh_err err;
        char sql[128];

        collected_init(&c);
        wh_buf_init(&want, 1 << 16);
        (void)snprintf(sql, sizeof(sql), "SELECT * FROM %s LIMIT 0", tables[i].name);
        th_ok(run_with(f->engine, sql, 5000, 1, &c, &outcome, &err), &err);
        for (size_t k = 0; k < n_columns; k++) {
            th_ok(wh_buf_printf(&want, &err, "%s%s", k ? "," : "", columns[k].name), &err);
            assert_true(columns[k].doc && columns[k].doc[0]);
            for (size_t j = 0; j < k; j++) {
                assert_string_not_equal(columns[j].name, columns[k].name);
            }
        }
        assert_string_equal(wh_buf_str(&c.names), wh_buf_str(&want));
        collected_done(&c);
        wh_buf_done(&want);
    }
}

static void refused(struct sql_engine *engine, const char *sql, enum wh_rc rc, const char *why);

/* ---- statements about the tables ---- */

static void tables_describe_themselves(void **state)
{
    struct fixture *f = *state;
    const struct sql_table_info *tables;
    struct sql_column columns[SQL_COLUMNS_MAX];
    size_t n;

    tables = sql_tables(&n);
    for (size_t i = 0; i < n; i++) {
        char sql[256];
        char want[64];
        char *rows;
        size_t n_columns = sql_columns(wh_slice_str(tables[i].name), columns);

        wh_mem_free(rows_of(f->engine, tables[i].example));
        (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM pragma_table_info('%s')",
                       tables[i].name);
        (void)snprintf(want, sizeof(want), "%zu\n", n_columns);
        rows_are(f->engine, sql, want);
        (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM sqlite_master WHERE name = '%s'",
                       tables[i].name);
        rows_are(f->engine, sql, "1\n");
        (void)snprintf(sql, sizeof(sql), "describe %s", tables[i].name);
        rows = rows_of(f->engine, sql);
        for (size_t k = 0; k < n_columns; k++) {
            assert_non_null(strstr(rows, columns[k].doc));
        }
        wh_mem_free(rows);
        (void)snprintf(sql, sizeof(sql), ".schema \"%s\"", tables[i].name);
        rows = rows_of(f->engine, sql);
        assert_non_null(strstr(rows, "CREATE TABLE"));
        wh_mem_free(rows);
    }
}

/* Types, joins and a value as an example; keywords in any case. */
static void descriptions(void **state)
{
    static const struct {
        const char *sql;
        const char *part;
    } cases[] = {
        {".tables", "merge_requests|work items of type merge_request|select"},
        {" Show Tables ; ", "connections|connections|select"},
        {"DESC work_items_all;", "author|text|who made it|team_members.id|"},
        {"describe work_items", "assignees|JSON (text)|who is to work on it|team_members.id, by"},
        {"describe issues", "updated_at|time (text)|"},
        {"describe 'links'", "from_id|text|entity that has the reference; indexed|id of the table"},
        {"describe jobs", "tag|boolean (0 or 1)|ref is a tag|NULL|NULL"},
        {"describe work_items",
         "instance|text|base address of the source|NULL|https://gitlab.test"},
        {".schema issues", "  \"title\" TEXT, -- one line\n"},
        {".schema", "CREATE TABLE \"completeness\" ("},
        {"PRAGMA table_info(issues)", "|title|TEXT|"},
        {"SELECT sql FROM sqlite_master WHERE name = 'jobs'", "\"pipeline_url\" TEXT"},
        {"SELECT name FROM pragma_table_list WHERE type = 'virtual'", "work_items_all"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *rows = rows_of(f->engine, cases[i].sql);

        if (strstr(rows, cases[i].part) == NULL) {
            fail_msg("%s: no %s in\n%.1500s", cases[i].sql, cases[i].part, rows);
        }
        wh_mem_free(rows);
    }
    rows_are(f->engine, "SELECT 1 AS describe", "1\n");
    refused(f->engine, "describe", WH_E_INVALID, "syntax error");
    refused(f->engine, "describe a b", WH_E_INVALID, "syntax error");
}

/* ---- refusals and limits ---- */

static void refused(struct sql_engine *engine, const char *sql, enum wh_rc rc, const char *why)
{
    struct collected c;
    struct sql_outcome outcome;
    struct wh_err err = {0};

    collected_init(&c);
    if (run_with(engine, sql, 2000, 100000, &c, &outcome, &err) != rc) {
        fail_msg("%s: %s (%s)", sql, wh_rc_name(err.rc), err.msg);
    }
    if (strstr(err.msg, why) == NULL) {
        fail_msg("%s: %s", sql, err.msg);
    }
    collected_done(&c);
}

static void only_reads(void **state)
{
    static const struct {
        const char *sql;
        const char *why;
    } cases[] = {
        {"INSERT INTO work_items(id) VALUES ('x')", ""},
        {"DELETE FROM work_items", ""},
        {"UPDATE links SET relation = 'x'", ""},
        {"CREATE TABLE t(a)", "only SELECT"},
        {"CREATE TEMP TABLE t(a)", "only SELECT"},
        {"CREATE VIRTUAL TABLE t USING fts5(a)", ""},
        {"CREATE TEMP TRIGGER t AFTER INSERT ON x BEGIN SELECT 1; END", ""},
        {"DROP VIEW incidents", ""},
        {"ALTER TABLE work_items RENAME TO x", ""},
        {"PRAGMA user_version", "PRAGMA"},
        {"PRAGMA temp_store_directory = '/tmp'", "PRAGMA"},
        {"PRAGMA writable_schema = 1", "PRAGMA"},
        {"SELECT * FROM pragma_database_list", "only SELECT"},
        {"SELECT * FROM wellhead", "no such table"},
        {"CREATE VIRTUAL TABLE t USING wellhead(a)", ""},
        {"ATTACH 'x.db' AS x", "ATTACH"},
        {"ATTACH ':memory:' AS x", "ATTACH"},
        {"DETACH main", "DETACH"},
        {"VACUUM INTO '/tmp/x'", ""},
        {"BEGIN", "snapshot"},
        {"COMMIT", "snapshot"},
        {"SAVEPOINT a", "snapshot"},
        {"REINDEX", ""},
        {"ANALYZE", ""},
        {"SELECT load_extension('x.so')", ""},
        {"SELECT fts3_tokenizer('simple')", ""},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct collected c;
        struct sql_outcome outcome;
        struct wh_err err = {0};
        enum wh_rc rc;

        collected_init(&c);
        rc = run_with(f->engine, cases[i].sql, 2000, 100, &c, &outcome, &err);
        if ((rc != WH_E_FORBIDDEN && rc != WH_E_INVALID) || strstr(err.msg, cases[i].why) == NULL) {
            fail_msg("%s: %s %s", cases[i].sql, wh_rc_name(rc), err.msg);
        }
        collected_done(&c);
    }
    /* And it still works, unchanged. */
    rows_are(f->engine, "SELECT count(*) FROM incidents WHERE 0", "0\n");
}

static void messages_help(void **state)
{
    struct fixture *f = *state;

    refused(f->engine, "SELECT titel FROM work_items", WH_E_INVALID, "title");
    refused(f->engine, "SELECT w.stat FROM work_items w", WH_E_INVALID, "state");
    refused(f->engine, "SELECT * FROM workitems", WH_E_INVALID, "work_items");
    refused(f->engine, "SELECT * FROM users", WH_E_INVALID, "did you mean team_members?");
    refused(f->engine, "SELECT * FROM zzzzzzzz", WH_E_INVALID, "`.tables` lists them");
    refused(f->engine, "SELECT environment_nam FROM issues", WH_E_INVALID,
            "`describe issues` lists its columns");
    refused(f->engine, "SELECT d.environment_nam FROM deployments_all d", WH_E_INVALID,
            "did you mean environment_name, ");
    refused(f->engine, "SELECT mediam(iid) FROM issues", WH_E_INVALID, "did you mean median?");
    refused(f->engine, "describe isues", WH_E_INVALID, "issues");
    refused(f->engine, "SELEC 1", WH_E_INVALID, "character 1");
    refused(f->engine, "SELECT 1; SELECT 2", WH_E_INVALID, "one statement");
    refused(f->engine, "", WH_E_INVALID, "empty");
    refused(f->engine, "-- nothing", WH_E_INVALID, "no statement");
    refused(f->engine, "SELECT ?", WH_E_INVALID, "names");
    refused(f->engine, "SELECT :p", WH_E_INVALID, ":p");
    refused(f->engine, "SELECT \"nosuch\" FROM work_items", WH_E_INVALID, "no such column");
    rows_are(f->engine, "SELECT 1;  \n", "1\n");
    rows_are(f->engine, "SELECT 1 -- end", "1\n");
}

static void time_is_limited(void **state)
{
    struct fixture *f = *state;
    static const char *const endless[] = {
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c",
        "SELECT count(*) FROM work_items a, work_items b, work_items c, work_items d",
    };

    for (size_t i = 0; i < 2; i++) {
        struct collected c;
        struct sql_outcome outcome;
        struct wh_err err;

        collected_init(&c);
        assert_int_equal(run_with(f->engine, endless[i], 150, 10, &c, &outcome, &err),
                         WH_E_TIMEOUT);
        assert_non_null(strstr(err.msg, "150 ms"));
        assert_true(outcome.elapsed_us >= 150000);
        assert_true(outcome.elapsed_us < 5000000);
        collected_done(&c);
    }
    rows_are(f->engine, "SELECT 1", "1\n");
}

static void memory_is_limited(void **state)
{
    struct fixture *f = *state;
    struct sql_engine *small = engine_over(f->store, 8 << 20);

    refused(small,
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 100000)"
            " SELECT hex(randomblob(1000)) AS h FROM c ORDER BY h",
            WH_E_TOO_LARGE, "memory");
    refused(small, "SELECT zeroblob(100000000)", WH_E_TOO_LARGE, "larger");
    rows_are(small, "SELECT 1", "1\n");
    sql_engine_free(small);
    /* The limit is the process's: back to what the other tests want. */
    sql_engine_free(engine_over(f->store, 256 << 20));
}

static void rows_are_limited(void **state)
{
    struct fixture *f = *state;
    struct collected c;
    struct sql_outcome outcome;
    struct wh_err err;

    collected_init(&c);
    th_ok(run_with(f->engine, "SELECT id FROM work_items_all", 5000, 10, &c, &outcome, &err), &err);
    assert_int_equal(c.n, 10);
    assert_int_equal(outcome.cut, SQL_CUT_ROWS);
    /* Lazily: the rest of the table is not read. */
    assert_true(outcome.rows_read < 20);
    th_ok(run_with(f->engine, "SELECT id FROM work_items_all", 5000, ROWS, &c, &outcome, &err),
          &err);
    assert_int_equal(outcome.cut, SQL_WHOLE);
    assert_int_equal(outcome.rows, ROWS);
    collected_done(&c);
}

static void indexes_read_few_rows(void **state)
{
    static const char *const sqls[] = {
        "SELECT id FROM work_items_all ORDER BY changed_at DESC LIMIT 5",
        "SELECT id FROM work_items_all ORDER BY changed_at DESC, id DESC LIMIT 5",
        "SELECT id FROM work_items_all ORDER BY id LIMIT 5",
        "SELECT id FROM work_items_all WHERE changed_at >= '2025-11-13T02:00:00' ORDER BY "
        "changed_at"
        " LIMIT 5",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(sqls) / sizeof(sqls[0]); i++) {
        struct collected c;
        struct sql_outcome outcome;
        struct wh_err err;

        collected_init(&c);
        th_ok(run_with(f->engine, sqls[i], 5000, 100, &c, &outcome, &err), &err);
        if (c.n != 5 || outcome.rows_read > 8) {
            fail_msg("%s: %zu rows, %lld read", sqls[i], c.n, (long long)outcome.rows_read);
        }
        collected_done(&c);
    }
}

/* ---- snapshots ---- */

static void add_more(void *ctx)
{
    struct fixture *f = ctx;

    if (f->heads.n < 2 * ROWS) {
        th_heads_add(&f->heads, 3);
    }
}

static void a_statement_sees_one_state(void **state)
{
    struct fixture *f = *state;
    const struct sql_query query = {.text = WH_LIT("SELECT id FROM work_items_all ORDER BY id"),
                                    .timeout_ms = 20000,
                                    .max_rows = 1 << 20};
    struct collected c;
    const struct sql_rows sink = {on_columns, on_row, &c};
    struct sql_outcome outcome;
    struct wh_err err;

    collected_init(&c);
    c.on_row = add_more;
    c.ctx = f;
    th_ok(sql_run(f->engine, &query, &sink, &outcome, &err), &err);
    assert_int_equal(c.n, ROWS);
    assert_true(f->heads.n > ROWS);
    collected_done(&c);
    same(f, "SELECT id FROM work_items_all ORDER BY id",
         &(struct expect){.order = by_id, .deleted = true});
}

static void *many_queries(void *ctx)
{
    struct fixture *f = ctx;

    for (int i = 0; i < 40; i++) {
        struct collected c;
        struct sql_outcome outcome;
        struct wh_err err;

        collected_init(&c);
        if (run_with(f->engine,
                     i % 2 ? "SELECT state, count(*) FROM work_items GROUP BY 1"
                           : "SELECT * FROM work_items_all ORDER BY changed_at DESC LIMIT 20",
                     20000, 1000, &c, &outcome, &err) != WH_OK) {
            collected_done(&c);
            return f;
        }
        collected_done(&c);
    }
    return NULL;
}

static void threads_beside_a_writer(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[4];
    void *failed;

    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, many_queries, f), 0);
    }
    th_heads_add(&f->heads, 100);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

static void connections_come_from_documents(void **state)
{
    struct fixture *f = *state;
    struct wh_batch *batch = NULL;
    struct wh_err err;

    th_ok(wh_batch_new(f->store, &batch, &err), &err);
    th_ok(
        wh_batch_put(batch, SINK_META, WH_LIT("xc1"),
                     WH_LIT("{\"id\":\"c1\",\"instance\":\"https://g.test\",\"state\":\"enabled\","
                            "\"created_at_ms\":1763000000123}"),
                     &err),
        &err);
    th_ok(wh_batch_put(batch, SINK_META, WH_LIT("f"), WH_LIT("1"), &err), &err);
    th_ok(wh_store_write(f->store, batch, false, &err), &err);
    wh_batch_free(batch);
    rows_are(f->engine, "SELECT id, instance, state, detail, created_at FROM connections",
             "c1|https://g.test|enabled|NULL|2025-11-13T02:13:20.123Z\n");
}

static void put_meta(struct wh_batch *batch, struct wh_slice key, const char *json)
{
    struct wh_err err;

    th_ok(wh_batch_put(batch, SINK_META, key, wh_slice_str(json), &err), &err);
}

static void runs_and_health_come_from_documents(void **state)
{
    struct fixture *f = *state;
    struct wh_batch *batch = NULL;
    struct wh_err err;

    th_ok(wh_batch_new(f->store, &batch, &err), &err);
    put_meta(
        batch, wh_slice("rc1\0\0\0\0\0\0\0\0\5", 12),
        "{\"kind\":\"sync\",\"state\":\"success\",\"started_at_ms\":1763000000123,"
        "\"finished_at_ms\":0,\"requests\":9,\"streams\":{\"issues\":{\"rows\":3,\"skipped\":0},"
        "\"releases\":{\"rows\":4,\"skipped\":1}}}");
    put_meta(batch, wh_slice("rc1\0\0\0\0\0\0\0\0\6", 12), "{\"kind\":\"sweep\"}");
    put_meta(batch, wh_slice("uc1\0\0\0\0\0\0\0\0\5", 12),
             "{\"kinds\":{\"issue\":{\"read\":3,\"new\":2,\"changed\":1,\"repaired\":1,"
             "\"deleted\":0},\"user\":{\"read\":5,\"new\":1,\"changed\":0,\"repaired\":0,"
             "\"deleted\":0}}}");
    put_meta(batch, wh_slice("hc1\0webhooks:i1", 15),
             "{\"intake\":\"i1\",\"projects\":[{\"project\":\"7\",\"event\":\"issue\","
             "\"last_ms\":1763000000123,\"count\":4}]}");
    put_meta(batch, wh_slice("hc1\0completeness:7", 18),
             "{\"project\":\"7\",\"streams\":{\"issues\":{\"expected\":9,\"have\":8,\"missing\":0,"
             "\"deleted\":1}}}");
    put_meta(batch, WH_LIT("xc1"), "{\"id\":\"c1\",\"state\":\"enabled\"}");
    put_meta(batch, wh_slice("hc1\0streams:gone", 16),
             "{\"connection\":\"c1\",\"at_ms\":1763000000123,\"interval_ms\":300000,\"streams\":["
             "{\"stream\":\"issues\",\"read_by\":\"rest\"}]}");
    put_meta(
        batch, wh_slice("hc1\0streams:f1", 14),
        "{\"connection\":\"c1\",\"fetcher\":\"f1\",\"at_ms\":1764000000123,\"interval_ms\":300000,"
        "\"streams\":[{\"stream\":\"issues\",\"read_by\":\"rest\",\"failing_runs\":1,"
        "\"reason\":\"GitLab answers 500\",\"last_success_ms\":1763000000123,\"at_gitlab\":9},"
        "{\"stream\":\"releases\",\"read_by\":\"none\",\"at_gitlab\":null}]}");
    th_ok(wh_store_write(f->store, batch, false, &err), &err);
    wh_batch_free(batch);
    rows_are(f->engine,
             "SELECT fetcher, stream, state, read_by, at_gitlab, last_success, reason FROM streams "
             "ORDER BY 2",
             "f1|issues|late|rest|9|2025-11-13T02:13:20.123Z|GitLab answers 500\n"
             "f1|releases|not_read|none|NULL|NULL|NULL\n");
    rows_are(f->engine,
             "SELECT connection, run, kind, state, started_at, finished_at, read, new, changed,"
             " repaired, skipped FROM runs ORDER BY run",
             "c1|5|sync|success|2025-11-13T02:13:20.123Z|NULL|7|3|1|1|1\n"
             "c1|6|sweep|NULL|NULL|NULL|0|0|0|0|0\n");
    rows_are(f->engine, "SELECT stream, read, skipped FROM run_streams ORDER BY 1",
             "issues|3|0\nreleases|4|1\n");
    rows_are(f->engine, "SELECT source_kind, new FROM run_changes ORDER BY 1", "issue|2\nuser|1\n");
    rows_are(
        f->engine,
        "SELECT intake, source_project_id, event, last_delivery, deliveries FROM webhook_health",
        "i1|7|issue|2025-11-13T02:13:20.123Z|4\n");
    rows_are(f->engine,
             "SELECT source_project_id, stream, expected, have, missing, deleted FROM completeness",
             "7|issues|9|8|0|1\n");
}

static void a_stopped_engine_refuses(void **state)
{
    struct fixture *f = *state;

    sql_engine_stop(f->engine);
    refused(f->engine, "SELECT 1", WH_E_UNAVAILABLE, "stopping");
}

/* The data cannot leave their place in the statement. */
static void parameters_are_values(void **state)
{
    struct fixture *f = *state;
    static const char evil[] = "x' OR '1'='1'; DROP TABLE work_items; --";
    const struct sql_param params[] = {
        {WH_LIT("p"), {.type = SQL_TEXT, .bytes = {evil, sizeof(evil) - 1}}},
        {WH_LIT("n"), {.type = SQL_INT, .i = 7}},
        {WH_LIT("z"), {.type = SQL_NULL}},
    };
    const struct sql_query query = {.text = WH_LIT("SELECT :p, @n + 1, $z, count(*) FROM work_items"
                                                   " WHERE title = :p"),
                                    .params = params,
                                    .n_params = 3,
                                    .timeout_ms = 5000,
                                    .max_rows = 10};
    struct collected c;
    const struct sql_rows sink = {on_columns, on_row, &c};
    struct sql_outcome outcome;
    struct wh_err err;
    char want[256];

    collected_init(&c);
    th_ok(sql_run(f->engine, &query, &sink, &outcome, &err), &err);
    (void)snprintf(want, sizeof(want), "%s|8|NULL|0\n", evil);
    assert_string_equal(wh_buf_str(&c.text), want);
    collected_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(live_rows_and_all_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(windows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(odd_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(points, set_up, tear_down),
        cmocka_unit_test(every_column_of_every_kind),
        cmocka_unit_test_setup_teardown(catalogue_is_what_sqlite_sees, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tables_describe_themselves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(descriptions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_reads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(messages_help, set_up, tear_down),
        cmocka_unit_test_setup_teardown(time_is_limited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_is_limited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_are_limited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(indexes_read_few_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_statement_sees_one_state, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_beside_a_writer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connections_come_from_documents, set_up, tear_down),
        cmocka_unit_test_setup_teardown(runs_and_health_come_from_documents, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stopped_engine_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parameters_are_values, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
