/* A parsed value written as text again. */
#include "tests/lib/th_cmocka.h"

#include "common/base/mem.h"
#include "common/json/json_copy.h"

static void test_value(void **state)
{
    static const char text[] =
        "{\"a\":[1,-2,2.5,true,false,null,\"x\\n\\u00e9\",{}],\"b\":{\"c\":[]}}";
    struct wh_json_parser *parser = wh_json_parser_new(65536, 2 * WH_JSON_WRITE_DEPTH);
    WH_AUTO(buf) struct wh_buf out;
    struct wh_json_writer w;
    struct wh_json_val v;
    char deep[256];
    struct wh_err err;

    (void)state;
    wh_buf_init(&out, 4096);
    th_ok(wh_json_parse(parser, wh_slice_str(text), &v, &err), &err);
    wh_json_writer_init(&w, &out);
    wh_jw_value(&w, v);
    th_ok(wh_jw_finish(&w, &err), &err);
    th_slice_is(wh_buf_slice(&out),
                "{\"a\":[1,-2,2.5,true,false,null,\"x\\n\xc3\xa9\",{}],\"b\":{\"c\":[]}}");
    memset(deep, '[', WH_JSON_WRITE_DEPTH + 1);
    memset(deep + WH_JSON_WRITE_DEPTH + 1, ']', WH_JSON_WRITE_DEPTH + 1);
    th_ok(wh_json_parse(parser, wh_slice(deep, 2 * (WH_JSON_WRITE_DEPTH + 1)), &v, &err), &err);
    wh_buf_reset(&out);
    wh_json_writer_init(&w, &out);
    wh_jw_value(&w, v);
    assert_int_not_equal(wh_jw_finish(&w, &err), WH_OK);
    wh_json_parser_free(parser);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_value)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
