/* Records of any schema through avro-c: as JSON, resolved, and what the guard keeps away from it. */
#include <string.h>

#include "common/avro/generic.h"
#include "common/avro/registry.h"
#include "common/avro/schemas.h"
#include "common/base/mem.h"
#include "tests/lib/th_cmocka.h"

enum { OUT_MAX_BYTES = 64 << 20 };

/* avro-c keeps a schema that names a type twice (generic.h). */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:avro_schema_link\nleak:avro_schema_from_json\n";
}

static struct wh_generic *schema(const char *text)
{
    struct wh_generic *g = NULL;
    struct wh_err err;

    th_ok(wh_generic_new(wh_slice_str(text), &g, &err), &err);
    return g;
}

static void put_text(void *ctx, struct wh_json_writer *w, const char *field, struct wh_slice text)
{
    (void)ctx, (void)field;
    wh_jw_str(w, text);
}

static void put_bytes(void *ctx, struct wh_json_writer *w, const char *field, struct wh_slice bytes)
{
    (void)ctx, (void)field;
    wh_jw_int(w, (int64_t)bytes.len);
}

static enum wh_rc decode(const struct wh_generic *g, struct wh_slice body, struct wh_buf *out,
                         struct wh_err *err)
{
    const struct wh_generic_json how = {.text = put_text, .bytes = put_bytes};
    struct wh_json_writer w;
    enum wh_rc rc;

    wh_buf_init(out, OUT_MAX_BYTES);
    wh_json_writer_init(&w, out);
    rc = wh_generic_json(g, body, &how, &w, err);
    return rc == WH_OK ? wh_jw_finish(&w, err) : rc;
}

static void is_json(const char *text, struct wh_slice body, const char *json)
{
    struct wh_generic *g = schema(text);
    WH_AUTO(buf) struct wh_buf out;
    struct wh_err err;

    th_ok(decode(g, body, &out, &err), &err);
    assert_string_equal(wh_buf_str(&out), json);
    wh_generic_free(g);
}

static void is_refused(const char *text, struct wh_slice body, const char *why)
{
    struct wh_generic *g = schema(text);
    WH_AUTO(buf) struct wh_buf out;
    struct wh_err err;

    assert_int_not_equal(decode(g, body, &out, &err), WH_OK);
    assert_int_equal(wh_rc_class(err.rc), WH_CLASS_POISON);
    if (strstr(err.msg, why) == NULL) {
        fail_msg("'%s' is not in: %s", why, err.msg);
    }
    wh_generic_free(g);
}

#define RECORD(fields) "{\"type\":\"record\",\"name\":\"R\",\"fields\":[" fields "]}"
#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"

static void every_type_has_its_json(void **state)
{
    (void)state;
    is_json("\"null\"", WH_LIT(""), "null");
    is_json("\"boolean\"", WH_LIT("\1"), "true");
    is_json("\"int\"", WH_LIT("\1"), "-1");
    is_json("\"long\"", WH_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"), "-9223372036854775808");
    is_json("\"float\"", WH_LIT("\0\0\xc0\x3f"), "1.5");
    is_json("\"double\"", WH_LIT("\0\0\0\0\0\0\xf8\x7f"), "\"NaN\"");
    is_json("\"double\"", WH_LIT("\0\0\0\0\0\0\xf0\xff"), "\"-Infinity\"");
    is_json("\"string\"",
            WH_LIT("\x06"
                   "a\0\""),
            "\"a\\u0000\\\"\"");
    is_json("\"bytes\"", WH_LIT("\4\0\0"), "2");
    is_json("{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}", WH_LIT("abc"), "3");
    is_json("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", WH_LIT("\2"), "\"B\"");
    is_json("{\"type\":\"record\",\"name\":\"E\",\"fields\":[]}", WH_LIT(""), "{}");
    is_json("[\"null\",\"string\"]", WH_LIT("\2\2x"), "\"x\"");
    is_json("{\"type\":\"array\",\"items\":\"int\"}", WH_LIT("\4\2\4\1\2\6\0"), "[1,2,3]");
    is_json("{\"type\":\"map\",\"values\":\"long\"}", WH_LIT("\2\2k\x0e\0"), "{\"k\":7}");
    is_json(RECORD(FIELD("a", "\"int\"") "," FIELD("b", "[\"null\",\"bytes\"]")),
            WH_LIT("\2\2\6xyz"), "{\"a\":1,\"b\":3}");
}

static void schemas_are_named(void **state)
{
    static const char *const cases[][2] = {
        {"\"string\"", "string"},
        {RECORD(FIELD("a", "\"int\"")), "R"},
        {"{\"type\":\"enum\",\"name\":\"a.b.E\",\"symbols\":[\"A\"]}", "a.b.E"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wh_generic *g = schema(cases[i][0]);

        assert_string_equal(wh_generic_name(g), cases[i][1]);
        wh_generic_free(g);
    }
}

/* "L": a list that is as long as its bytes say. */
static const char list[] = RECORD(FIELD("next", "[\"null\",\"R\"]"));

static void a_type_may_hold_itself(void **state)
{
    (void)state;
    is_json(list, WH_LIT("\2\2\0"), "{\"next\":{\"next\":{\"next\":null}}}");
    is_refused(RECORD(FIELD("self", "\"R\"")), WH_LIT(""), "nested too deeply");
}

static void nesting_ends(void **state)
{
    enum { DEEP = 5 << 20 };
    char *bytes = test_malloc(DEEP);

    (void)state;
    memset(bytes, 2, DEEP);
    is_refused(list, wh_slice(bytes, DEEP), "nested too deeply");
    test_free(bytes);
}

static void damaged_records_are_refused(void **state)
{
    (void)state;
    is_refused("\"string\"", WH_LIT("\xfe\xff\xff\xff\x0f"), "a length points past the record");
    is_refused("\"string\"", WH_LIT("\1"), "a length points past the record");
    is_refused("\"string\"", WH_LIT("\2\xff"), "not UTF-8");
    is_refused("\"long\"", WH_LIT("\2\2"), "1 extra bytes");
    is_refused("\"int\"", WH_LIT("\x80\x80\x80\x80\x80\1"), "32 bits");
    is_refused("\"boolean\"", WH_LIT("\2"), "neither 0 nor 1");
    is_refused("\"double\"", WH_LIT("\0"), "ends within a value");
    is_refused("\"float\"", WH_LIT("\0"), "ends within a value");
    is_refused("[\"null\",\"long\"]", WH_LIT("\4"), "no such branch");
    is_refused("[\"null\",\"long\"]", WH_LIT("\1"), "no such branch");
    is_refused("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", WH_LIT("\2"), "no such");
    is_refused("{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}", WH_LIT("ab"), "within a value");
    is_refused("{\"type\":\"array\",\"items\":\"null\"}", WH_LIT("\x80\x80\x80\x40\0"),
               "more items than bytes");
    is_refused("{\"type\":\"array\",\"items\":\"int\"}", WH_LIT("\1\xff\xff\xff\7\0"), "damaged");
    is_refused("{\"type\":\"map\",\"values\":\"int\"}", WH_LIT("\2\4a\0\2\0"), "contains NUL");
}

/* An item takes one byte, and as much memory as the largest branch of its union. */
static void small_bytes_do_not_take_much_memory(void **state)
{
    enum { ITEMS = 1 << 20 };
    static const char big[] = "{\"type\":\"array\",\"items\":[\"null\",{\"type\":\"fixed\","
                              "\"name\":\"F\",\"size\":65536}]}";
    char *bytes = test_calloc(1, ITEMS + 8);
    struct wh_generic *g = schema(big);
    WH_AUTO(buf) struct wh_buf out;
    struct wh_err err;

    (void)state;
    memcpy(bytes, "\x80\x80\x80\1", 4); /* ITEMS items, all of them null */
    assert_int_equal(decode(g, wh_slice(bytes, ITEMS + 5), &out, &err), WH_E_TOO_LARGE);
    wh_generic_free(g);
    test_free(bytes);
}

/* Each level of types doubles the record, which has no bytes at all. */
static void a_schema_cannot_explode(void **state)
{
    WH_AUTO(buf) struct wh_buf text;
    struct wh_err err;

    (void)state;
    wh_buf_init(&text, 1 << 16);
    th_ok(wh_buf_printf(&text, &err,
                        "[\"null\",{\"type\":\"record\",\"name\":\"T0\",\"fields\":[" FIELD(
                            "a", "\"null\"") "]}"),
          &err);
    for (int i = 1; i < 25; i++) {
        th_ok(wh_buf_printf(&text, &err,
                            ",{\"type\":\"record\",\"name\":\"T%d\",\"fields\":[" FIELD(
                                "a", "\"T%d\"") "," FIELD("b", "\"T%d\"") "]}",
                            i, i - 1, i - 1),
              &err);
    }
    th_ok(wh_buf_append_char(&text, ']', &err), &err);
    is_refused(wh_buf_str(&text), WH_LIT("\x32"), "too much memory");
}

static void bad_schemas_are_refused(void **state)
{
    static const char *const cases[][2] = {
        {"", "the schema: "},
        {"{", "the schema: "},
        {"{\"type\":\"nothing\"}", "Unknown Avro"},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":-1}", "fixed type"},
        {"{\"type\":\"fixed\",\"name\":\"F\",\"size\":99999999999}", "fixed type"},
    };
    struct wh_generic *g = NULL;
    WH_AUTO(buf) struct wh_buf deep;
    struct wh_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (wh_generic_new(wh_slice_str(cases[i][0]), &g, &err) == WH_OK) {
            fail_msg("%s is accepted", cases[i][0]);
        }
        assert_int_equal(wh_rc_class(err.rc), WH_CLASS_POISON);
        if (strstr(err.msg, cases[i][1]) == NULL) {
            fail_msg("'%s' is not in: %s", cases[i][1], err.msg);
        }
    }
    wh_buf_init(&deep, 1 << 20);
    for (int i = 0; i < 10000; i++) {
        th_ok(wh_buf_append(&deep, WH_LIT("{\"type\":\"array\",\"items\":"), &err), &err);
    }
    assert_int_not_equal(wh_generic_new(wh_buf_slice(&deep), &g, &err), WH_OK);
    wh_buf_reset(&deep);
    th_ok(wh_buf_append(&deep, WH_LIT("[\"null\""), &err), &err);
    for (int i = 0; i < 20000; i++) {
        th_ok(wh_buf_printf(&deep, &err, ",{\"type\":\"fixed\",\"name\":\"F%d\",\"size\":1}", i),
              &err);
    }
    th_ok(wh_buf_append_char(&deep, ']', &err), &err);
    assert_int_equal(wh_generic_new(wh_buf_slice(&deep), &g, &err), WH_E_TOO_LARGE);
}

static void the_built_in_schemas_are_read(void **state)
{
    size_t n;
    const struct wh_schema_info *all = wh_schemas(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        struct wh_generic *g = NULL;
        struct wh_err err;

        th_ok(wh_generic_new(wh_schema_text(&all[i]), &g, &err), &err);
        assert_non_null(strstr(wh_generic_name(g), all[i].name));
        wh_generic_free(g);
    }
}

/* ---- resolution ---- */

static const char reader_text[] = RECORD(FIELD("id", "\"long\"") "," FIELD(
    "name", "\"string\"") "," FIELD("tags", "{\"type\":\"array\",\"items\":\"string\"}"));

static enum wh_rc resolve(const char *writer_text, struct wh_slice body, struct wh_buf *out,
                          struct wh_err *err)
{
    struct wh_generic *writer = schema(writer_text);
    struct wh_generic *reader = schema(reader_text);
    struct wh_generic_resolver *r = NULL;

    wh_buf_init(out, OUT_MAX_BYTES);
    err->rc = WH_OK;
    if (wh_generic_resolver_new(writer, reader, &r, err) == WH_OK) {
        enum wh_rc rc = wh_generic_resolve(r, body, out, err);

        err->rc = rc;
    }
    wh_generic_resolver_free(r);
    wh_generic_free(reader);
    wh_generic_free(writer);
    return err->rc;
}

/* Other order, a wider number, a union, and fields that the reader does not have. */
static const char newer[] =
    RECORD(FIELD("extra", "{\"type\":\"map\",\"values\":\"bytes\"}") "," FIELD(
        "tags",
        "{\"type\":\"array\",\"items\":\"string\"}") "," FIELD("id",
                                                               "\"int\"") "," FIELD("name",
                                                                                    "[\"null\","
                                                                                    "\"string\"]"));

static void a_newer_record_is_resolved(void **state)
{
    WH_AUTO(buf) struct wh_buf out;
    struct wh_err err;

    (void)state;
    th_ok(resolve(newer,
                  WH_LIT("\2\2k\4xy\0"
                         "\4\2a\2b\0"
                         "\x54"
                         "\2\4me"),
                  &out, &err),
          &err);
    assert_int_equal(out.len, 10);
    assert_memory_equal(out.ptr, "\x54\4me\4\2a\2b\0", 10);
}

static void what_cannot_be_resolved_is_told(void **state)
{
    WH_AUTO(buf) struct wh_buf out;
    WH_AUTO(buf) struct wh_buf none;
    struct wh_err err;

    (void)state;
    assert_int_equal(resolve(newer, WH_LIT("\0\0\x54\0"), &out, &err), WH_E_INVALID);
    assert_int_equal(resolve(RECORD(FIELD("id", "\"long\"")), WH_LIT("\2"), &none, &err),
                     WH_E_UNSUPPORTED);
    assert_non_null(strstr(err.msg, "R cannot be read as R"));
    assert_non_null(strstr(err.msg, "name"));
}

/* ---- answers of a registry ---- */

static void answers_of_registries(void **state)
{
    static const struct {
        const char *body;
        const char *says;
        unsigned status;
        enum wh_rc rc;
    } cases[] = {
        {"{\"schema\":\"\\\"long\\\"\"}", "\"long\"", 200, WH_OK},
        {"{\"schema\":\"\\\"long\\\"\",\"schemaType\":\"AVRO\",\"references\":[]}", "\"long\"", 200,
         WH_OK},
        {"{\"error_code\":40403,\"message\":\"x\"}", "has no schema id 5", 404, WH_E_NOT_FOUND},
        {"{\"error\":\"no route\"}", "status 404", 404, WH_E_UNAVAILABLE},
        {"<html>", "is no registry", 200, WH_E_UNAVAILABLE},
        {"{}", "holds no schema", 200, WH_E_UNAVAILABLE},
        {"{\"error_code\":50001}", "status 500", 500, WH_E_UNAVAILABLE},
        {"{}", "status 401", 401, WH_E_UNAVAILABLE},
        {"{\"schema\":\"x\",\"schemaType\":\"PROTOBUF\"}", "is PROTOBUF", 200, WH_E_UNSUPPORTED},
        {"{\"schema\":\"x\",\"references\":[{\"name\":\"y\"}]}", "refers to other", 200,
         WH_E_UNSUPPORTED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        WH_AUTO(buf) struct wh_buf out;
        struct wh_err err = {0};

        wh_buf_init(&out, 1 << 16);
        assert_int_equal(
            wh_registry_answer(5, cases[i].status, wh_slice_str(cases[i].body), &out, &err),
            cases[i].rc);
        if (strstr(cases[i].rc == WH_OK ? wh_buf_str(&out) : err.msg, cases[i].says) == NULL) {
            fail_msg("'%s' is not in: %s%s", cases[i].says, wh_buf_str(&out), err.msg);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_has_its_json),
        cmocka_unit_test(schemas_are_named),
        cmocka_unit_test(a_type_may_hold_itself),
        cmocka_unit_test(nesting_ends),
        cmocka_unit_test(damaged_records_are_refused),
        cmocka_unit_test(small_bytes_do_not_take_much_memory),
        cmocka_unit_test(a_schema_cannot_explode),
        cmocka_unit_test(bad_schemas_are_refused),
        cmocka_unit_test(the_built_in_schemas_are_read),
        cmocka_unit_test(a_newer_record_is_resolved),
        cmocka_unit_test(what_cannot_be_resolved_is_told),
        cmocka_unit_test(answers_of_registries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
