/* Keys of names: the rules by example, and every character of Unicode against Python's tables. */
#include "tests/lib/th_cmocka.h"

#include <stdlib.h>

#include "common/text/key.h"

static void is(const char *text, const char *expected)
{
    struct wh_buf out;
    struct wh_err err;

    wh_buf_init(&out, 4096);
    th_ok(wh_key_normalise(wh_slice_str(text), &out, &err), &err);
    assert_string_equal(wh_buf_str(&out), expected);
    wh_buf_done(&out);
}

static void folded_is(const char *text, const char *expected)
{
    struct wh_buf out;
    struct wh_err err;

    wh_buf_init(&out, 4096);
    th_ok(wh_key_fold(wh_slice_str(text), &out, &err), &err);
    assert_string_equal(wh_buf_str(&out), expected);
    wh_buf_done(&out);
}

static void folding_keeps_separators(void **state)
{
    struct wh_buf out;
    struct wh_err err;
    char large[WH_KEY_TEXT_MAX + 2] = {0};

    (void)state;
    folded_is("", "");
    folded_is("Ana_B-c@X.test", "ana_b-c@x.test");
    folded_is("STRA\u00dfe \uff21", "strasse a");
    wh_buf_init(&out, 4096);
    memset(large, 'a', sizeof(large) - 1);
    assert_int_equal(wh_key_fold(wh_slice_str(large), &out, &err), WH_E_TOO_LARGE);
    assert_int_equal(wh_key_fold(WH_LIT("\xff"), &out, &err), WH_E_UTF8);
    assert_int_equal(out.len, 0);
    wh_buf_done(&out);
}

static void the_same_name_has_the_same_key(void **state)
{
    (void)state;
    is("checkout-api", "checkout-api");
    is("Checkout API", "checkout-api");
    is("  checkout__/ API\t", "checkout-api");
    is("--", "");
    is("", "");
    is("\uff23\uff48eckout\u3000\uff21\uff30\uff29", "checkout-api");
    is("Stra\u00dfe", "strasse");
    is("STRASSE", "strasse");
    is("\u039f\u0394\u039f\u03a3", "\u03bf\u03b4\u03bf\u03c3");
    is("e\u0301te\u0301", "\u00e9t\u00e9");
}

static size_t from_hex(const char *hex, size_t len, char *out)
{
    for (size_t i = 0; i + 1 < len; i += 2) {
        const char digits[3] = {hex[i], hex[i + 1], '\0'};

        out[i / 2] = (char)strtoul(digits, NULL, 16);
    }
    return len / 2;
}

static void python_finds_the_same_keys(void **state)
{
    FILE *oracle = popen("python3 tests/unit/common/text/key_oracle.py 1", "r");
    char line[4096];
    char bytes[2][2048];
    size_t lines = 0;
    struct wh_buf out;
    struct wh_err err;

    (void)state;
    assert_non_null(oracle);
    wh_buf_init(&out, 4096);
    while (fgets(line, sizeof(line), oracle)) {
        size_t n = strcspn(line, " ");
        size_t m = strcspn(line + n + 1, "\n");
        size_t text = from_hex(line, n, bytes[0]);
        size_t key = from_hex(line + n + 1, m, bytes[1]);

        wh_buf_reset(&out);
        th_ok(wh_key_normalise(wh_slice(bytes[0], text), &out, &err), &err);
        if (!wh_slice_eq(wh_buf_slice(&out), wh_slice(bytes[1], key))) {
            fail_msg("another key than Python's for the text %s", line);
        }
        lines++;
    }
    assert_int_equal(pclose(oracle), 0);
    assert_true(lines > 100000);
    wh_buf_done(&out);
}

static void what_is_no_name_is_refused(void **state)
{
    char large[WH_KEY_TEXT_MAX + 1];
    struct wh_buf out;
    struct wh_err err;

    (void)state;
    wh_buf_init(&out, 8);
    th_ok(wh_buf_append(&out, WH_LIT("x:"), &err), &err);
    memset(large, 'a', sizeof(large));
    assert_int_equal(wh_key_normalise(wh_slice(large, sizeof(large)), &out, &err), WH_E_TOO_LARGE);
    assert_int_equal(wh_key_normalise(WH_LIT("a\xff"), &out, &err), WH_E_UTF8);
    assert_int_equal(wh_key_normalise(WH_LIT("\xed\xa0\x80"), &out, &err), WH_E_UTF8);
    assert_int_equal(wh_key_normalise(WH_LIT("too long for it"), &out, &err), WH_E_TOO_LARGE);
    assert_string_equal(wh_buf_str(&out), "x:");
    wh_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_name_has_the_same_key),
        cmocka_unit_test(folding_keeps_separators),
        cmocka_unit_test(python_finds_the_same_keys),
        cmocka_unit_test(what_is_no_name_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
