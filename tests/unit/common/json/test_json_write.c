#include "tests/lib/th_cmocka.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "common/json/json_write.h"

static void test_nesting(void **state)
{
    struct wh_json_writer w;
    struct wh_err err = {0};
    struct wh_buf buf;

    (void)state;
    wh_buf_init(&buf, 1000);
    wh_json_writer_init(&w, &buf);
    wh_jw_object(&w);
    wh_jw_key(&w, "a");
    wh_jw_array(&w);
    wh_jw_int(&w, INT64_MIN);
    wh_jw_int(&w, 0);
    wh_jw_bool(&w, true);
    wh_jw_null(&w);
    wh_jw_object(&w);
    wh_jw_end(&w);
    wh_jw_raw(&w, WH_LIT("[1]"));
    wh_jw_end(&w);
    wh_jw_key(&w, "b");
    wh_jw_double(&w, 0.1);
    wh_jw_key_slice(&w, WH_LIT("c\""));
    wh_jw_double(&w, (double)NAN);
    wh_jw_end(&w);
    th_ok(wh_jw_finish(&w, &err), &err);
    assert_string_equal(
        wh_buf_str(&buf),
        "{\"a\":[-9223372036854775808,0,true,null,{},[1]],\"b\":0.1,\"c\\\"\":null}");
    wh_buf_done(&buf);
}

static void test_strings(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"q\"b\\n\n\r\t\x01", "\"q\\\"b\\\\n\\n\\r\\t\\u0001\""},
        {"\xC3\xA9\xF0\x9F\x98\x80", "\"\xC3\xA9\xF0\x9F\x98\x80\""},
        {"a\xFFz", "\"a\xEF\xBF\xBDz\""},
        {"\xC3", "\"\xEF\xBF\xBD\""},
        {"\xE2\x82\"", "\"\xEF\xBF\xBD\xEF\xBF\xBD\\\"\""},
        {"\xFF\xC3\xA9", "\"\xEF\xBF\xBD\xC3\xA9\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wh_json_writer w;
        struct wh_err err = {0};
        struct wh_buf buf;

        wh_buf_init(&buf, 1000);
        wh_json_writer_init(&w, &buf);
        wh_jw_str(&w, wh_slice_str(cases[i].in));
        th_ok(wh_jw_finish(&w, &err), &err);
        assert_string_equal(wh_buf_str(&buf), cases[i].out);
        wh_buf_done(&buf);
    }
}

/* Every byte string, written and parsed again, is itself where it is UTF-8. */
static void test_round_trip(void **state)
{
    struct wh_json_parser *parser = wh_json_parser_new(4096, 8);
    unsigned seed = 1;

    (void)state;
    for (unsigned n = 0; n < 2000; n++) {
        struct wh_json_writer w;
        struct wh_json_val v;
        struct wh_err err = {0};
        struct wh_buf buf;
        char bytes[40];
        size_t len;

        for (len = 0; len < n % sizeof(bytes); len++) {
            seed = seed * 1103515245 + 12345;
            bytes[len] = (char)(seed >> 16 & (n % 2 ? 0x7F : 0xFF));
        }
        wh_buf_init(&buf, 4096);
        wh_json_writer_init(&w, &buf);
        wh_jw_str(&w, wh_slice(bytes, len));
        th_ok(wh_jw_finish(&w, &err), &err);
        th_ok(wh_json_parse(parser, wh_buf_slice(&buf), &v, &err), &err);
        if (n % 2) {
            assert_true(wh_slice_eq(wh_json_string(v), wh_slice(bytes, len)));
        }
        wh_buf_done(&buf);
    }
    wh_json_parser_free(parser);
}

static void test_misuse(void **state)
{
    struct wh_json_writer w;
    struct wh_err err = {0};
    struct wh_buf buf;

    (void)state;
    wh_buf_init(&buf, 8);
    wh_json_writer_init(&w, &buf);
    wh_jw_object(&w);
    wh_jw_int(&w, 1);
    assert_int_equal(wh_jw_finish(&w, &err), WH_E_INTERNAL);
    wh_json_writer_init(&w, &buf);
    wh_jw_array(&w);
    assert_int_equal(wh_jw_finish(&w, &err), WH_E_INTERNAL);
    wh_json_writer_init(&w, &buf);
    wh_jw_end(&w);
    assert_int_equal(wh_jw_finish(&w, &err), WH_E_INTERNAL);
    wh_json_writer_init(&w, &buf);
    for (int i = 0; i < 64; i++) {
        wh_jw_array(&w);
    }
    assert_int_not_equal(wh_jw_finish(&w, &err), WH_OK);
    wh_buf_reset(&buf);
    wh_json_writer_init(&w, &buf);
    wh_jw_str(&w, WH_LIT("longer than eight"));
    assert_int_equal(wh_jw_finish(&w, &err), WH_E_TOO_LARGE);
    wh_buf_done(&buf);
}

static void test_doubles(void **state)
{
    static const double values[] = {0, -0.5, 1e300, 1.0 / 3, 123456789.125, 5e-324};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct wh_json_writer w;
        struct wh_err err = {0};
        struct wh_buf buf;

        wh_buf_init(&buf, 100);
        wh_json_writer_init(&w, &buf);
        wh_jw_double(&w, values[i]);
        th_ok(wh_jw_finish(&w, &err), &err);
        assert_memory_equal(&(double){strtod(wh_buf_str(&buf), NULL)}, &values[i], sizeof(double));
        wh_buf_done(&buf);
    }
}

/* What a string must be written as, one byte after the other. */
static void write_plainly(struct wh_buf *out, struct wh_slice text, struct wh_err *err)
{
    th_ok(wh_buf_append_char(out, '"', err), err);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c == '"' || c == '\\') {
            th_ok(wh_buf_printf(out, err, "\\%c", c), err);
        } else if (c == '\n') {
            th_ok(wh_buf_printf(out, err, "\\n"), err);
        } else if (c < 0x20 || c == 0x7F) {
            th_ok(wh_buf_printf(out, err, "\\u%04x", c), err);
        } else {
            th_ok(wh_buf_append_char(out, (char)c, err), err);
        }
    }
    th_ok(wh_buf_append_char(out, '"', err), err);
}

/* Strings are looked at eight bytes at a time: every length, and every special byte at every place. */
static void test_every_byte_at_every_place(void **state)
{
    static const char special[] = {'"', '\\', '\n', 1, 0x1F, 0x20, 0x21, 0x7E, 0x7F, 'a'};
    struct wh_err err;

    (void)state;
    for (size_t len = 0; len < 40; len++) {
        for (size_t at = 0; at < len * sizeof(special); at++) {
            char text[40];
            struct wh_json_writer w;
            WH_AUTO(buf) struct wh_buf got;
            WH_AUTO(buf) struct wh_buf want;

            wh_buf_init(&got, 4096);
            wh_buf_init(&want, 4096);
            memset(text, 'x', sizeof(text));
            text[at / sizeof(special)] = special[at % sizeof(special)];
            wh_json_writer_init(&w, &got);
            wh_jw_str(&w, wh_slice(text, len));
            th_ok(wh_jw_finish(&w, &err), &err);
            write_plainly(&want, wh_slice(text, len), &err);
            assert_string_equal(wh_buf_str(&got), wh_buf_str(&want));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nesting),    cmocka_unit_test(test_strings),
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_doubles),    cmocka_unit_test(test_every_byte_at_every_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
