/* Tables as topics: statements, schemas, records, and what is remembered of them. */
#include <stdlib.h>

#include "stages/sink/rowtopics/rowtopics_priv.h"
#include "tests/lib/th_cmocka.h"

static struct row_table *all;
static size_t n_all;

static int set_up(void **state)
{
    struct wh_err err;

    (void)state;
    all = calloc(ROW_TABLES_MAX, sizeof(*all));
    assert_non_null(all);
    th_ok(row_tables("p.", all, &n_all, &err), &err);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(all);
    return 0;
}

static const struct row_table *table(const char *name)
{
    for (size_t i = 0; i < n_all; i++) {
        if (strcmp(all[i].name, name) == 0) {
            return &all[i];
        }
    }
    fail_msg("there is no table %s", name);
    return NULL;
}

static size_t column(const struct row_table *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++) {
        if (strcmp(t->columns[i].name, name) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

static void test_every_table_of_entities_has_a_topic(void **state)
{
    const struct row_table *t = table("work_items");

    (void)state;
    assert_true(n_all >= 15);
    assert_string_equal(t->topic, "p.rows.work_items");
    assert_true(column(t, "id") == 0);
    assert_true(column(t, "project_path") != SIZE_MAX);
    assert_true(column(t, "last_seen") == SIZE_MAX);
    assert_non_null(strstr(t->one, " from work_items where id = :id"));
    for (size_t i = 0; i < n_all; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(all[i].topic, all[k].topic);
            assert_int_not_equal(all[i].schema, all[k].schema);
        }
        assert_true(all[i].schema >= 1 << 30);
    }
}

static void test_a_schema_is_avro_and_fields_may_be_null(void **state)
{
    const struct row_table *t = table("projects");
    struct wh_buf text;
    struct wh_err err;

    (void)state;
    wh_buf_init(&text, ROW_SCHEMA_BYTES);
    th_ok(row_schema_text(t, &text, &err), &err);
    assert_non_null(
        strstr(wh_buf_str(&text), "\"name\":\"projects\",\"namespace\":\"wellhead.rows\""));
    assert_non_null(strstr(wh_buf_str(&text), "{\"name\":\"id\",\"type\":\"string\"}"));
    assert_non_null(strstr(wh_buf_str(&text),
                           "{\"name\":\"path\",\"type\":[\"null\",\"string\"],\"default\":null}"));
    assert_non_null(strstr(wh_buf_str(&text),
                           "{\"name\":\"first_seen\",\"type\":[\"null\",{\"type\":\"long\","
                           "\"logicalType\":\"timestamp-millis\"}],\"default\":null}"));
    assert_int_equal(row_schema_id(wh_buf_slice(&text)), t->schema);
    wh_buf_done(&text);
}

static struct sql_value text_value(const char *text)
{
    return (struct sql_value){.type = SQL_TEXT, .bytes = wh_slice_str(text)};
}

static void test_a_record_is_framed_and_its_values_are_unions(void **state)
{
    const struct row_table *t = table("projects");
    struct sql_value values[SQL_COLUMNS_MAX] = {{0}};
    struct wh_buf out;
    struct wh_err err;

    (void)state;
    values[0] = text_value("ab");
    wh_buf_init(&out, 1 << 16);
    th_ok(row_encode(t, values, &out, &err), &err);
    /* Frame, text of 2 bytes, and the branch null of every other column. */
    assert_int_equal(out.len, 5 + 3 + t->n - 1);
    assert_int_equal(wh_be_get32(out.ptr + 1), t->schema);
    assert_memory_equal(out.ptr + 5, "\4ab\0", 4);
    values[column(t, "first_seen")] = text_value("1970-01-01T00:00:00.001Z");
    wh_buf_reset(&out);
    th_ok(row_encode(t, values, &out, &err), &err);
    assert_memory_equal(out.ptr + 8 + column(t, "first_seen") - 1, "\2\2", 2);
    values[column(t, "first_seen")] = text_value("no time");
    wh_buf_reset(&out);
    th_ok(row_encode(t, values, &out, &err), &err);
    assert_int_equal(out.len, 5 + 3 + t->n - 1);
    wh_buf_done(&out);
}

static void test_only_what_others_show_changes_the_label(void **state)
{
    const struct row_table *t = table("projects");
    struct sql_value values[SQL_COLUMNS_MAX] = {{0}};
    uint64_t label = row_label(t, values);

    (void)state;
    values[column(t, "description")] = text_value("1");
    assert_true(row_label(t, values) == label);
    values[column(t, "path")] = text_value("a/b");
    assert_true(row_label(t, values) != label && label != 0);
}

static void test_what_is_known_survives_growth(void **state)
{
    enum { MANY = 20000 };
    struct known known = {0};
    struct wh_entity_id id = {{0}};

    (void)state;
    for (uint64_t i = 0; i < MANY; i++) {
        wh_be_put64(id.bytes, i * UINT64_C(0x9E3779B97F4A7C15));
        known_at(&known, (unsigned)(i % 3), &id)->hash = i + 1;
    }
    assert_int_equal(known.used, MANY);
    for (uint64_t i = 0; i < MANY; i++) {
        wh_be_put64(id.bytes, i * UINT64_C(0x9E3779B97F4A7C15));
        assert_int_equal(known_at(&known, (unsigned)(i % 3), &id)->hash, i + 1);
        assert_int_equal(known_at(&known, (unsigned)(i % 3), &id)->table, i % 3 + 1);
    }
    assert_int_equal(known.used, MANY);
    known_done(&known);
}

static void test_versions_of_a_schema_are_numbered(void **state)
{
    static struct row_schemas schemas;
    struct wh_err err;
    bool is_new;

    (void)state;
    (void)pthread_mutex_init(&schemas.lock, NULL);
    th_ok(row_schemas_add(&schemas, 7, "rows.a", WH_LIT("x"), &is_new, &err), &err);
    assert_true(is_new);
    th_ok(row_schemas_add(&schemas, 9, "rows.a", WH_LIT("y"), NULL, &err), &err);
    th_ok(row_schemas_add(&schemas, 9, "rows.b", WH_LIT("y"), NULL, &err), &err);
    th_ok(row_schemas_add(&schemas, 7, "rows.a", WH_LIT("x"), &is_new, &err), &err);
    assert_false(is_new);
    assert_int_equal(schemas.n, 3);
    assert_int_equal(schemas.items[1]->version, 2);
    assert_int_equal(schemas.items[2]->version, 1);
    assert_string_equal(schemas.items[2]->subject, "rows.b-value");
    row_schemas_done(&schemas);
    (void)pthread_mutex_destroy(&schemas.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_table_of_entities_has_a_topic),
        cmocka_unit_test(test_a_schema_is_avro_and_fields_may_be_null),
        cmocka_unit_test(test_a_record_is_framed_and_its_values_are_unions),
        cmocka_unit_test(test_only_what_others_show_changes_the_label),
        cmocka_unit_test(test_what_is_known_survives_growth),
        cmocka_unit_test(test_versions_of_a_schema_are_numbered),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
