#include "tests/lib/th_cmocka.h"

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/json/json_doc.h"

enum { LIMIT = 4096, DEPTH = 32 };

static int setup(void **state)
{
    *state = wh_json_parser_new(LIMIT, DEPTH);
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    wh_json_parser_free(*state);
    return 0;
}

static enum wh_rc parse(void **state, const char *text, struct wh_json_val *ret)
{
    struct wh_err err = {0};
    enum wh_rc rc = wh_json_parse(*state, wh_slice_str(text), ret, &err);

    assert_int_equal(rc, err.rc);
    return rc;
}

static void test_types(void **state)
{
    const char *text = "{\"n\":null,\"t\":true,\"f\":false,\"i\":-7,\"big\":9223372036854775807,"
                       "\"u\":9223372036854775808,\"d\":1.5,\"s\":\"a\\n\\u00e9\",\"a\":[1,[2],{}],"
                       "\"o\":{\"x\":1}}";
    struct wh_json_val root;
    struct wh_json_val v;

    assert_int_equal(parse(state, text, &root), WH_OK);
    assert_int_equal(wh_json_type(root), WH_JSON_OBJECT);
    assert_true(wh_json_get(root, WH_LIT("n"), &v));
    assert_int_equal(wh_json_type(v), WH_JSON_NULL);
    assert_true(wh_json_get(root, WH_LIT("t"), &v));
    assert_true(wh_json_bool(v));
    assert_true(wh_json_get(root, WH_LIT("f"), &v));
    assert_int_equal(wh_json_type(v), WH_JSON_BOOL);
    assert_false(wh_json_bool(v));
    assert_true(wh_json_get(root, WH_LIT("i"), &v));
    assert_int_equal(wh_json_int(v), -7);
    assert_int_equal(wh_json_uint(v), 0);
    assert_true(wh_json_get(root, WH_LIT("big"), &v));
    assert_int_equal(wh_json_type(v), WH_JSON_INT);
    assert_true(wh_json_int(v) == INT64_MAX);
    assert_true(wh_json_get(root, WH_LIT("u"), &v));
    assert_int_equal(wh_json_type(v), WH_JSON_UINT);
    assert_true(wh_json_uint(v) == UINT64_C(9223372036854775808));
    assert_int_equal(wh_json_int(v), 0);
    assert_true(wh_json_get(root, WH_LIT("d"), &v));
    assert_true(wh_json_double(v) > 1.4 && wh_json_double(v) < 1.6);
    assert_true(wh_json_get(root, WH_LIT("s"), &v));
    th_slice_is(wh_json_string(v), "a\n\xC3\xA9");
    assert_int_equal(wh_json_int(v), 0);
    assert_false(wh_json_get(root, WH_LIT("absent"), &v));
    assert_false(wh_json_get(v, WH_LIT("x"), &v));
}

static void test_iteration(void **state)
{
    struct wh_json_val root;
    struct wh_json_val v;
    struct wh_slice key;
    struct wh_json_iter it;
    char seen[32] = "";
    size_t n = 0;

    assert_int_equal(parse(state, "{\"a\":[1,2,{\"z\":[]}],\"b\":{},\"c\":3.5,\"d\":\"x\"}", &root),
                     WH_OK);
    it = wh_json_iter(root);
    while (wh_json_next(&it, &key, &v)) {
        seen[n++] = key.ptr[0];
    }
    assert_string_equal(seen, "abcd");
    assert_true(wh_json_get(root, WH_LIT("a"), &v));
    it = wh_json_iter(v);
    for (n = 0; wh_json_next(&it, NULL, &v); n++) {
    }
    assert_int_equal(n, 3);
    assert_true(wh_json_get(root, WH_LIT("c"), &v));
    it = wh_json_iter(v);
    assert_false(wh_json_next(&it, &key, &v));
}

static void test_refusals(void **state)
{
    static const struct {
        const char *text;
        enum wh_rc rc;
    } cases[] = {
        {"", WH_E_INVALID},
        {"   ", WH_E_INVALID},
        {"{", WH_E_INVALID},
        {"{\"a\":1}x", WH_E_INVALID},
        {"{\"a\":1}{}", WH_E_INVALID},
        {"[1,]", WH_E_INVALID},
        {"{'a':1}", WH_E_INVALID},
        {"// c\n{}", WH_E_INVALID},
        {"[01]", WH_E_INVALID},
        {"[NaN]", WH_E_INVALID},
        {"[1e999]", WH_E_INVALID},
        {"[18446744073709551616]", WH_E_INVALID},
        {"[\"a\nb\"]", WH_E_INVALID},
        {"[\"\\x\"]", WH_E_INVALID},
        {"[\"\\ud800\"]", WH_E_INVALID},
        {"[\"\\ud800\\u0041\"]", WH_E_INVALID},
        {"[\"\xff\"]", WH_E_UTF8},
        {"[\"\xc0\xaf\"]", WH_E_UTF8},
        {"[\"\xed\xa0\x80\"]", WH_E_UTF8},
        {"\"abc", WH_E_INVALID},
    };
    struct wh_json_val v;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum wh_rc rc = parse(state, cases[i].text, &v);

        if (rc != cases[i].rc) {
            fail_msg("case %zu: %s, not %s", i, wh_rc_name(rc), wh_rc_name(cases[i].rc));
        }
    }
    assert_int_equal(parse(state, "[\"\\udc00\"]", &v) == WH_OK, 0);
    assert_int_equal(parse(state, "[\"\\uD83D\\uDE00\"]", &v), WH_OK);
}

static void test_utf8_place(void **state)
{
    struct wh_err err = {0};
    struct wh_json_val v;

    assert_int_equal(wh_json_parse(*state, wh_slice_str("[\"\xC3\xA9 abc\",\"\xff\"]"), &v, &err),
                     WH_E_UTF8);
    assert_non_null(strstr(err.msg, "byte 11 of"));
}

static void test_limits(void **state)
{
    char text[LIMIT + 2];
    struct wh_json_val v;

    memset(text, ' ', sizeof(text));
    text[0] = '1';
    text[LIMIT] = '\0';
    assert_int_equal(parse(state, text, &v), WH_OK);
    text[LIMIT] = ' ';
    text[LIMIT + 1] = '\0';
    assert_int_equal(parse(state, text, &v), WH_E_TOO_LARGE);
    memset(text, '[', DEPTH + 1);
    memset(text + DEPTH + 1, ']', DEPTH + 1);
    text[2 * DEPTH + 2] = '\0';
    assert_int_equal(parse(state, text, &v), WH_E_TOO_DEEP);
    memset(text, '[', DEPTH - 1);
    memset(text + DEPTH - 1, ']', DEPTH - 1);
    text[2 * DEPTH - 2] = '\0';
    assert_int_equal(parse(state, text, &v), WH_OK);
}

struct rows {
    char text[64];
    size_t used;
    size_t n;
    size_t stop_at;
};

static enum wh_rc on_row(void *ctx, struct wh_slice row, struct wh_json_val value,
                         struct wh_err *err)
{
    struct rows *r = ctx;

    if (r->n == r->stop_at) {
        return wh_fail(err, WH_E_BUSY, "enough");
    }
    /* The value is the one of these bytes. */
    assert_int_equal(wh_json_type(value), row.ptr[0] == '{'   ? WH_JSON_OBJECT
                                          : row.ptr[0] == '[' ? WH_JSON_ARRAY
                                          : row.ptr[0] == '"' ? WH_JSON_STRING
                                                              : WH_JSON_INT);
    r->n++;
    assert_true(r->used + row.len + 1 < sizeof(r->text));
    memcpy(r->text + r->used, row.ptr, row.len);
    r->used += row.len;
    r->text[r->used++] = '|';
    return WH_OK;
}

/* With the padding that a split needs. */
static enum wh_rc split(struct wh_json_parser *parser, const char *text, struct rows *rows,
                        struct wh_err *err)
{
    char padded[128] = {0};

    (void)snprintf(padded, sizeof(padded), "%s", text);
    return wh_json_split_array(parser, wh_slice(padded, strlen(text)), on_row, rows, err);
}

static void test_split(void **state)
{
    static const char text[] = " [ {\"a\":\"x],\\\"{\"} , [1,2],3 , \"s,\",{} ] ";
    struct rows rows = {.stop_at = 99};
    struct wh_err err = {0};
    struct wh_buf buf;

    wh_buf_init(&buf, 1000);
    th_ok(wh_buf_append(&buf, wh_slice_str(text), &err), &err);
    th_ok(wh_buf_reserve(&buf, 64, &err), &err);
    th_ok(wh_json_split_array(*state, wh_buf_slice(&buf), on_row, &rows, &err), &err);
    assert_string_equal(rows.text, "{\"a\":\"x],\\\"{\"}|[1,2]|3|\"s,\"|{}|");
    rows = (struct rows){.stop_at = 2};
    assert_int_equal(wh_json_split_array(*state, wh_buf_slice(&buf), on_row, &rows, &err),
                     WH_E_BUSY);
    assert_int_equal(rows.n, 2);
    rows = (struct rows){.stop_at = 9};
    assert_int_equal(split(*state, "{\"a\":1}", &rows, &err), WH_E_TYPE);
    assert_int_equal(split(*state, "[{},{]", &rows, &err), WH_E_INVALID);
    assert_int_equal(rows.n, 0);
    th_ok(split(*state, "[ ]", &rows, &err), &err);
    assert_int_equal(rows.n, 0);
    wh_buf_done(&buf);
}

/* Each element alone is the element of the whole, for many shapes: prefix cuts never crash. */
static void test_truncated(void **state)
{
    static const char text[] = "{\"a\":[1,2.5,\"\\u00e9\",{\"b\":null}],\"c\":{\"d\":true}}";
    struct wh_json_val v;
    struct wh_err err;

    for (size_t n = 0; n < sizeof(text) - 1; n++) {
        err.rc = WH_OK;
        assert_int_not_equal(wh_json_parse(*state, wh_slice(text, n), &v, &err), WH_OK);
    }
    assert_int_equal(wh_json_parse(*state, wh_slice(text, sizeof(text) - 1), &v, &err), WH_OK);
}

static bool fail_now(void *ctx)
{
    size_t *left = ctx;

    return (*left)-- != 0;
}

static void test_no_memory(void **state)
{
    size_t left = 0;

    (void)state;
    wh_mem_set_hook(fail_now, &left);
    assert_null(wh_json_parser_new(100, 10));
    wh_mem_set_hook(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_types, setup, teardown),
        cmocka_unit_test_setup_teardown(test_iteration, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_utf8_place, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_split, setup, teardown),
        cmocka_unit_test_setup_teardown(test_truncated, setup, teardown),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
