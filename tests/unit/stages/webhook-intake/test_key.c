#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/base/hash.h"
#include "stages/webhook-intake/key.h"

static struct wh_json_parser *parser;

static void key_is(const char *body, const char *kind, const char *project, const char *object)
{
    struct intake_key key;

    intake_key_read(parser, wh_slice_str(body), &key);
    th_slice_is(key.kind, kind);
    th_slice_is(key.project, project);
    if (object) {
        th_slice_is(key.object_id, object);
    } else {
        char text[40];
        struct wh_hash128 h = wh_hash128(wh_slice_str(body));

        (void)snprintf(text, sizeof(text), "%016llx%016llx", (unsigned long long)h.high,
                       (unsigned long long)h.low);
        th_slice_is(key.object_id, text);
    }
}

static void test_kinds(void **state)
{
    (void)state;
    key_is("{\"object_kind\":\"merge_request\",\"project\":{\"id\":5},\"object_attributes\":{"
           "\"id\":99}}",
           "merge_request", "5", "99");
    key_is("{\"object_kind\":\"build\",\"build_id\":1977,\"project_id\":380,\"user\":{\"id\":3}}",
           "build", "380", "1977");
    key_is("{\"object_kind\":\"deployment\",\"deployment_id\":15,\"project\":{\"id\":30}}",
           "deployment", "30", "15");
    key_is("{\"id\":1,\"object_kind\":\"release\",\"tag\":\"v1\",\"project\":{\"id\":2}}",
           "release", "2", "1");
    key_is("{\"event_name\":\"user_add_to_group\",\"user_id\":64,\"group_id\":100}",
           "user_add_to_group", "", "64");
    key_is("{\"event_name\":\"project_create\",\"project_id\":74}", "project_create", "74", "74");
    key_is("{\"event_name\":\"group_create\",\"group_id\":78}", "group_create", "", "78");
    /* object_kind wins over event_name. */
    key_is("{\"event_name\":\"a\",\"object_kind\":\"b\",\"id\":\"x1\"}", "b", "", "x1");
    key_is("{\"object_kind\":\"push\",\"ref\":\"refs/heads/main\"}", "push", "", "refs/heads/main");
    key_is("{\"object_kind\":\"x\",\"id\":18446744073709551615}", "x", "", "18446744073709551615");
    key_is("{\"object_kind\":\"x\",\"id\":-9223372036854775808}", "x", "", "-9223372036854775808");
}

static void test_what_does_not_serve_is_hashed(void **state)
{
    (void)state;
    key_is("", "unknown", "", NULL);
    key_is("{", "unknown", "", NULL);
    key_is("[1]", "unknown", "", NULL);
    key_is("null", "unknown", "", NULL);
    key_is("{}", "unknown", "", NULL);
    key_is("\xff", "unknown", "", NULL);
    key_is("{\"object_kind\":7,\"id\":1}", "unknown", "", "1");
    key_is("{\"object_kind\":\"A b\",\"event_name\":\"ok\"}", "ok", "", NULL);
    key_is("{\"object_kind\":\"x:y\"}", "unknown", "", NULL);
    key_is("{\"object_kind\":\"\"}", "unknown", "", NULL);
    key_is("{\"object_kind\":\"x\",\"id\":\"a b\"}", "x", "", NULL);
    key_is("{\"object_kind\":\"x\",\"id\":\"a\\u0000\"}", "x", "", NULL);
    key_is("{\"object_kind\":\"x\",\"id\":1.5}", "x", "", NULL);
    key_is("{\"object_kind\":\"x\",\"id\":null,\"project\":{\"id\":{}},\"project_id\":[]}", "x", "",
           NULL);
    key_is("{\"object_kind\":\"x\",\"project\":5,\"object_attributes\":[]}", "x", "", NULL);
}

static void test_delivery_ids(void **state)
{
    static char long_id[INTAKE_ID_MAX + 2];
    const struct wh_slice none = {NULL, 0};
    struct intake_delivery_id a;
    struct intake_delivery_id b;

    (void)state;
    intake_delivery_id(WH_LIT("w"), WH_LIT("i"), WH_LIT("e"), WH_LIT("body"), &a);
    th_slice_is(a.text, "w");
    intake_delivery_id(none, WH_LIT("i"), WH_LIT("e"), WH_LIT("body"), &a);
    th_slice_is(a.text, "i");
    intake_delivery_id(WH_LIT("with space"), WH_LIT("i"), WH_LIT("e"), WH_LIT("body"), &a);
    th_slice_is(a.text, "i");
    memset(long_id, 'x', sizeof(long_id) - 1);
    intake_delivery_id(wh_slice_str(long_id), WH_LIT("i"), WH_LIT("e"), WH_LIT("body"), &a);
    th_slice_is(a.text, "i");
    intake_delivery_id(wh_slice_str(long_id + 1), WH_LIT("i"), none, WH_LIT("body"), &a);
    assert_int_equal(a.text.len, INTAKE_ID_MAX);
    /* The same again for the same, another one for another event or body. */
    intake_delivery_id(none, none, WH_LIT("Issue Hook"), WH_LIT("body"), &a);
    intake_delivery_id(none, none, WH_LIT("Issue Hook"), WH_LIT("body"), &b);
    assert_int_equal(a.text.len, 32);
    assert_true(wh_slice_eq(a.text, b.text));
    intake_delivery_id(none, none, WH_LIT("Issue Hook"), WH_LIT("bodz"), &b);
    assert_false(wh_slice_eq(a.text, b.text));
    intake_delivery_id(none, none, WH_LIT("Note Hook"), WH_LIT("body"), &b);
    assert_false(wh_slice_eq(a.text, b.text));
    intake_delivery_id(none, WH_LIT(""), none, WH_LIT("body"), &b);
    assert_int_equal(b.text.len, 32);
}

static int set_up(void **state)
{
    (void)state;
    parser = wh_json_parser_new(1 << 20, 64);
    return parser == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    wh_json_parser_free(parser);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_what_does_not_serve_is_hashed),
        cmocka_unit_test(test_delivery_ids),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
