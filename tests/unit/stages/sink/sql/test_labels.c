/* Names, paths and addresses behind the ids. */
#include "stages/sink/sql/labels.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "tests/lib/th_cmocka.h"
#include "tests/lib/th_heads.h"
#include "tests/lib/th_sql.h"

enum { ROWS = 120 };

struct fixture {
    struct wh_store *store;
    struct th_heads heads[WH_KIND_COUNT];
    struct sql_engine *engine;
};

/* Entities of the kind that random references point to: some of a field's, and one of a list's. */
static void add_targets(struct fixture *f, enum wh_kind kind)
{
    static const unsigned numbers[] = {0, 1, 3, 4, 100, 107};
    struct th_heads *h = &f->heads[kind];

    th_heads_init(h, f->store, kind, 300 + (uint64_t)kind);
    h->long_texts = true;
    th_heads_add(h, sizeof(numbers) / sizeof(numbers[0]));
    for (size_t i = 0; i < h->n; i++) {
        if (kind != WH_KIND_PERSON) { /* nothing refers to them, and people share no ids */
            h->items[i]->id = th_project(numbers[i]);
        }
        th_head_put(f->store, h->items[i]);
    }
}

static int set_up(void **state)
{
    struct fixture *f = wh_mem_zalloc(1, sizeof(*f));
    struct sql_engine_conf conf = {.clock = wh_clock_real(), .connections = 1};
    struct wh_err err;

    f->store = conf.store = th_sink_store();
    for (unsigned k = WH_KIND_NONE + 1; k < WH_KIND_COUNT; k++) {
        add_targets(f, (enum wh_kind)k);
        th_heads_add(&f->heads[k], ROWS);
    }
    th_ok(sql_engine_new(&conf, &f->engine, &err), &err);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sql_engine_free(f->engine);
    for (unsigned k = WH_KIND_NONE + 1; k < WH_KIND_COUNT; k++) {
        th_heads_done(&f->heads[k]);
    }
    wh_store_free(f->store);
    wh_mem_free(f);
    return 0;
}

/* What the label shows, of the row x of the other table. */
static const char *shown(const struct sql_label *label, enum wh_kind kind)
{
    if (kind == WH_KIND_TEAM_MEMBER) {
        return "x.name";
    }
    if (label->of == NULL) {
        return "x.url";
    }
    return strcmp(label->of, "path") == 0    ? "x.path"
           : strcmp(label->of, "title") == 0 ? "x.title"
                                             : "x.name";
}

static void field_label(struct fixture *f, const struct wh_kind_def *def,
                        const struct wh_field_def *field)
{
    const struct sql_label *label = sql_label_of(field);
    const char *other = wh_kind_def(field->ref_kind)->table;
    char with[768];
    char without[768];

    if (label == NULL) {
        assert_string_equal(field->name, "environment"); /* environment_name is a field */
        return;
    }
    (void)snprintf(with, sizeof(with), "SELECT id, %s FROM %s_all ORDER BY id", label->column,
                   def->table);
    if (field->type == WH_FIELD_REFS) {
        (void)snprintf(without, sizeof(without),
                       "SELECT id, (SELECT nullif(json_group_array(%s), '') FROM json_each(r.%s) j"
                       " LEFT JOIN %s_all x ON x.id = j.value WHERE r.%s IS NOT NULL"
                       " GROUP BY 1 = 1 UNION ALL SELECT '[]' WHERE r.%s = '[]')"
                       " FROM %s_all r ORDER BY id",
                       shown(label, field->ref_kind), field->name, other, field->name, field->name,
                       def->table);
    } else {
        (void)snprintf(without, sizeof(without),
                       "SELECT id, (SELECT %s FROM %s_all x WHERE x.id = r.%s)"
                       " FROM %s_all r ORDER BY id",
                       shown(label, field->ref_kind), other, field->name, def->table);
    }
    (void)th_sql_same(f->engine, with, without);
}

static void every_reference(void **state)
{
    struct fixture *f = *state;

    for (unsigned k = WH_KIND_NONE + 1; k < WH_KIND_COUNT; k++) {
        const struct wh_kind_def *def = wh_kind_def((enum wh_kind)k);

        for (unsigned i = 0; i < def->n_fields; i++) {
            if (def->fields[i].ref_kind != WH_KIND_NONE) {
                field_label(f, def, &def->fields[i]);
            }
        }
    }
}

/* Labels can be compared, sorted and joined by. */
static void labels_are_columns(void **state)
{
    struct fixture *f = *state;

    (void)th_sql_same(f->engine,
                      "SELECT author_name, count(*) FROM work_items GROUP BY 1 ORDER BY 1",
                      "SELECT x.n, count(*) FROM work_items w LEFT JOIN (SELECT id,"
                      " name n FROM team_members) x ON x.id = w.author"
                      " GROUP BY 1 ORDER BY 1");
    (void)th_sql_same(f->engine,
                      "SELECT w.id, p.id FROM work_items w CROSS JOIN projects_all p"
                      " ON p.path = w.project_path ORDER BY 1, 2",
                      "SELECT w.id, p.id FROM work_items w CROSS JOIN projects_all p"
                      " ON p.path IS w.project_path AND p.path IS NOT NULL ORDER BY 1, 2");
}

/* A name is looked up once in a statement, and anew in the next one. */
static void names_are_read_once(void **state)
{
    struct fixture *f = *state;
    struct wh_head *author = f->heads[WH_KIND_TEAM_MEMBER].items[0];
    int name = wh_kind_field(author->body.def, WH_LIT("name"));

    for (int i = 0; i < 2; i++) {
        author->body.present |= UINT64_C(1) << name;
        author->body.values[name] =
            (struct wh_value){.u.str = i ? WH_LIT("Ann Other") : WH_LIT("Ann One")};
        th_head_put(f->store, author);
        th_sql_is(f->engine,
                  "SELECT DISTINCT author_name FROM work_items_all WHERE author_name LIKE 'Ann %'",
                  i ? "Ann Other|\n" : "Ann One|\n");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_reference, set_up, tear_down),
        cmocka_unit_test_setup_teardown(labels_are_columns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_read_once, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
