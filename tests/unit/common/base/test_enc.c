#include "tests/lib/th_cmocka.h"

#include "common/base/enc.h"

typedef enum wh_rc (*codec)(struct wh_slice, struct wh_buf *, struct wh_err *);

static void check(codec fn, const char *in, size_t in_len, const char *want)
{
    struct wh_buf out;
    struct wh_err err;

    wh_buf_init(&out, 1024);
    th_ok(fn(wh_slice(in, in_len), &out, &err), &err);
    th_slice_is(wh_buf_slice(&out), want);
    wh_buf_done(&out);
}

static void refuse(codec fn, const char *in)
{
    struct wh_buf out;
    struct wh_err err;

    wh_buf_init(&out, 1024);
    if (fn(wh_slice_str(in), &out, &err) != WH_E_INVALID) {
        fail_msg("'%s' was taken", in);
    }
    wh_buf_done(&out);
}

/* RFC 4648 section 10. */
static void test_base64_vectors(void **state)
{
    static const char *const vectors[][2] = {{"", ""},
                                             {"f", "Zg=="},
                                             {"fo", "Zm8="},
                                             {"foo", "Zm9v"},
                                             {"foob", "Zm9vYg=="},
                                             {"fooba", "Zm9vYmE="},
                                             {"foobar", "Zm9vYmFy"}};

    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        check(wh_base64_encode, vectors[i][0], strlen(vectors[i][0]), vectors[i][1]);
        check(wh_base64_decode, vectors[i][1], strlen(vectors[i][1]), vectors[i][0]);
    }
    check(wh_base64url_encode, "\xfb\xff", 2, "-_8");
    check(wh_base64_decode, "Zm8", 3, "fo");
    refuse(wh_base64_decode, "Z");
    refuse(wh_base64_decode, "Zg=");
    refuse(wh_base64_decode, "Zg===");
    refuse(wh_base64_decode, "Zh==");
    refuse(wh_base64_decode, "Zm9v Zm9v");
    refuse(wh_base64_decode, "====");
}

static void test_hex(void **state)
{
    (void)state;
    check(wh_hex_encode, "\x00\xff\x10", 3, "00ff10");
    check(wh_hex_decode, "666F6f", 6, "foo");
    refuse(wh_hex_decode, "abc");
    refuse(wh_hex_decode, "zz");
}

static enum wh_rc decode_query(struct wh_slice in, struct wh_buf *out, struct wh_err *err)
{
    return wh_percent_decode(in, true, out, err);
}

static void test_percent(void **state)
{
    (void)state;
    check(wh_percent_encode, "a b/+~é", 8, "a%20b%2F%2B~%C3%A9");
    check(decode_query, "a+b%2Fc%7e", 10, "a b/c~");
    refuse(decode_query, "%");
    refuse(decode_query, "%1");
    refuse(decode_query, "%zz");
    refuse(decode_query, "%00");
}

static void test_utf8(void **state)
{
    static const char *const good[] = {"",
                                       "plain ascii text, long enough for words",
                                       "é",
                                       "€",
                                       "\xf0\x9f\x98\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xe2\x82",
                                      "ascii ascii ascii \xff ascii"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(wh_utf8_valid(wh_slice_str(good[i])));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(wh_utf8_valid(wh_slice_str(bad[i])));
    }
}

static void test_limit(void **state)
{
    struct wh_buf out;
    struct wh_err err;

    (void)state;
    wh_buf_init(&out, 7);
    assert_int_equal(wh_hex_encode(WH_LIT("four"), &out, &err), WH_E_TOO_LARGE);
    assert_int_equal(out.len, 0);
    wh_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64_vectors), cmocka_unit_test(test_hex),
        cmocka_unit_test(test_percent),        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_limit),
    };

    return cmocka_run_group_tests_name("base/enc", tests, NULL, NULL);
}
