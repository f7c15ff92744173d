/* Rows of a company's own records: what each column becomes. */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "common/json/json_copy.h"
#include "tests/lib/th_map.h"

enum { FILE_MAX = 1 << 20, NAME_MAX_BYTES = 128 };

static const char *name_of(struct wh_json_val row, const char *key, char text[NAME_MAX_BYTES])
{
    (void)snprintf(text, NAME_MAX_BYTES, "%.*s", WH_SLICE_ARG(wh_json_string(th_json(row, key))));
    return text;
}

static void same(struct wh_json_val want, struct wh_json_val got, const char *key,
                 const char *where)
{
    if (th_json_has(want, key) && !th_json_eq(th_json(want, key), th_json(got, key))) {
        fail_msg("%s: %s differs", where, key);
    }
}

static void check_row(struct th_map *map, struct wh_json_val want)
{
    static const char *const keys[] = {"kind",   "source_kind", "source_id", "url",
                                       "change", "reason",      "fields"};
    char raw[NAME_MAX_BYTES];
    char object[NAME_MAX_BYTES];
    WH_AUTO(buf) struct wh_buf payload;
    struct wh_json_writer w;
    struct wh_json_val got;
    struct wh_err err;

    wh_buf_init(&payload, FILE_MAX);
    wh_json_writer_init(&w, &payload);
    wh_jw_value(&w, th_json(want, "payload"));
    th_ok(wh_jw_finish(&w, &err), &err);
    got = th_map(map, WH_ORIGIN_IMPORT, name_of(want, "raw", raw), "",
                 name_of(want, "object", object), wh_buf_slice(&payload));
    assert_true(wh_slice_eq(wh_json_string(th_json(got, "rc")), WH_LIT("ok")));
    got = th_json(got, "observations.0");
    assert_true(wh_slice_eq(wh_json_string(th_json(got, "system")), WH_LIT("import")));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        same(want, got, keys[i], object);
    }
}

static void test_each_kind(void **state)
{
    struct th_map *map = th_map_new(NULL);
    struct wh_json_parser *parser = wh_json_parser_new(FILE_MAX, 16);
    struct wh_json_val root;
    struct wh_json_iter it;
    struct wh_json_val row;
    struct wh_err err;
    size_t len;
    size_t n = 0;
    char *text = th_file_read("tests/fixtures/mapper/imports.json", &len);

    (void)state;
    th_ok(wh_json_parse(parser, wh_slice(text, len), &root, &err), &err);
    for (it = wh_json_iter(root); wh_json_next(&it, NULL, &row); n++) {
        check_row(map, row);
    }
    assert_int_equal(n, 8);
    wh_mem_free(text);
    wh_json_parser_free(parser);
    th_map_free(map);
}

static void refused(struct th_map *map, const char *raw, const char *payload)
{
    struct wh_json_val got = th_map(map, WH_ORIGIN_IMPORT, raw, "", "", wh_slice_str(payload));

    assert_false(wh_slice_eq(wh_json_string(th_json(got, "rc")), WH_LIT("ok")));
}

/* Without identity there is no row: the event becomes a dead letter. */
static void test_no_identity(void **state)
{
    struct th_map *map = th_map_new(NULL);

    (void)state;
    refused(map, "services", "{\"name\": \"No id\"}");
    refused(map, "services", "{\"id\": \"\", \"name\": \"Empty id\"}");
    refused(map, "service_customers", "{\"service\": \"a\", \"customer\": \"b\"}");
    refused(map, "services", "[1]");
    th_map_free(map);
}

/* A value of the wrong type costs its column, not the row. */
static void test_wrong_value(void **state)
{
    struct th_map *map = th_map_new(NULL);
    struct wh_json_val got = th_map(
        map, WH_ORIGIN_IMPORT, "subscriptions", "", "s",
        WH_LIT("{\"id\": \"s\", \"customer\": \"c\", \"amount_minor\": \"much\", \"period\": 1}"));

    (void)state;
    got = th_json(got, "observations.0.fields");
    assert_false(th_json_has(got, "amount_minor"));
    assert_true(th_json_has(got, "customer"));
    th_map_free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind),
        cmocka_unit_test(test_no_identity),
        cmocka_unit_test(test_wrong_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
