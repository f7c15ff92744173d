/* Text of other systems, made safe for a terminal. */
#include "tests/lib/th_cmocka.h"

#include <locale.h>

#include "common/base/escape.h"

enum { MAX_BYTES = 1 << 16 };

static void is(struct wh_slice text, enum wh_escape_mode mode, const char *shown)
{
    struct wh_buf out;
    struct wh_err err;

    wh_buf_init(&out, MAX_BYTES);
    th_ok(wh_escape(text, mode, &out, &err), &err);
    assert_string_equal(wh_buf_str(&out), shown);
    wh_buf_done(&out);
}

static void plain_text_stays(void **state)
{
    static const char *const texts[] = {"",
                                        "Fix the login",
                                        "\\u001b typed by hand",
                                        "Grüße, 日本語",
                                        "👩‍👩‍👧",
                                        "a\xC2\xA0z"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        is(wh_slice_str(texts[i]), WH_ESCAPE_LINE, texts[i]);
        is(wh_slice_str(texts[i]), WH_ESCAPE_BLOCK, texts[i]);
    }
}

static void what_steers_a_terminal_is_escaped(void **state)
{
    static const struct {
        const char *text;
        const char *shown;
    } cases[] = {
        {"\033[2J\033]0;title\a", "\\u001b[2J\\u001b]0;title\\u0007"},
        {"a\rb\bc\x7f", "a\\u000db\\u0008c\\u007f"},
        {"\xC2\x9B"
         "31m",
         "\\u009b31m"},                         /* C1 as UTF-8: CSI */
        {"\xC2\x80\xC2\x9F", "\\u0080\\u009f"}, /* both ends of C1 */
        {"\x9B"
         "31m",
         "\\x9b31m"},                                    /* C1 as a byte */
        {"\u202Eabc\u202C", "\\u202eabc\\u202c"},        /* override */
        {"\u202A\u202B\u202D", "\\u202a\\u202b\\u202d"}, /* embeddings */
        {"\u2066\u2067\u2068\u2069", "\\u2066\\u2067\\u2068\\u2069"},
        {"\u200E\u200F\u061C", "\\u200e\\u200f\\u061c"}, /* marks */
        {"\u2028\u2029", "\\u2028\\u2029"},              /* separators */
        {"\uFEFF\uFFF9\uFFFB", "\\ufeff\\ufff9\\ufffb"},
        {"\U000E0041", "\\udb40\\udc41"}, /* a tag */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is(wh_slice_str(cases[i].text), WH_ESCAPE_LINE, cases[i].shown);
        is(wh_slice_str(cases[i].text), WH_ESCAPE_BLOCK, cases[i].shown);
    }
    is(wh_slice("a\0b", 3), WH_ESCAPE_LINE, "a\\u0000b");
}

static void bytes_that_are_no_utf8_are_escaped(void **state)
{
    static const struct {
        const char *text;
        const char *shown;
    } cases[] = {
        {"\xFF\xFE", "\\xff\\xfe"},
        {"\xC0\x9B", "\\xc0\\x9b"}, /* overlong ESC */
        {"\xE0\x80\x9B", "\\xe0\\x80\\x9b"},
        {"\xF0\x80\x80\x9B", "\\xf0\\x80\\x80\\x9b"},
        {"\xED\xA0\x80", "\\xed\\xa0\\x80"},          /* surrogate */
        {"\xF4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* past U+10FFFF */
        {"\xF8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80"},
        {"a\xE2\x80", "a\\xe2\\x80"}, /* cut */
        {"\xE2\x80"
         "a",
         "\\xe2\\x80a"},
        {"\xC3\x1B[m", "\\xc3\\u001b[m"}, /* ESC inside a sequence */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        is(wh_slice_str(cases[i].text), WH_ESCAPE_BLOCK, cases[i].shown);
    }
}

static void a_line_stays_one_line(void **state)
{
    (void)state;
    is(WH_LIT("a\nb\tc\r\nd"), WH_ESCAPE_LINE, "a b c d");
    is(WH_LIT("a\nb\tc\r\nd"), WH_ESCAPE_BLOCK, "a\nb\tc\nd");
}

static void a_full_buffer_is_an_error(void **state)
{
    struct wh_buf out;
    struct wh_err err;

    (void)state;
    wh_buf_init(&out, 8);
    assert_int_equal(wh_escape(WH_LIT("a\033b\033"), WH_ESCAPE_LINE, &out, &err), WH_E_TOO_LARGE);
    assert_string_equal(wh_buf_str(&out), "a\\u001bb");
    wh_buf_done(&out);
}

static void columns_are_counted_and_cut(void **state)
{
    (void)state;
    assert_int_equal(wh_escape_width(WH_LIT("")), 0);
    assert_int_equal(wh_escape_width(WH_LIT("Grüße")), 5);
    th_slice_is(wh_escape_cut(WH_LIT("Grüße"), 3), "Grü");
    th_slice_is(wh_escape_cut(WH_LIT("Grüße"), 0), "");
    th_slice_is(wh_escape_cut(WH_LIT("Grüße"), 9), "Grüße");
}

/* In a locale a character takes as many columns as a terminal gives it. */
static void wide_characters_and_accents_are_counted(void **state)
{
    static const char accent[] = "e\xCC\x81t"; /* U+0301 combines with the e */

    (void)state;
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL) {
        skip();
    }
    assert_int_equal(wh_escape_width(WH_LIT("合并請求")), 8);
    th_slice_is(wh_escape_cut(WH_LIT("合并請求"), 5), "合并");
    assert_int_equal(wh_escape_width(wh_slice_str(accent)), 2);
    th_slice_is(wh_escape_cut(wh_slice_str(accent), 1), "e\xCC\x81");
    assert_int_equal(wh_escape_width(WH_LIT("Grüße")), 5);
    (void)setlocale(LC_CTYPE, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_stays),
        cmocka_unit_test(what_steers_a_terminal_is_escaped),
        cmocka_unit_test(bytes_that_are_no_utf8_are_escaped),
        cmocka_unit_test(a_line_stays_one_line),
        cmocka_unit_test(a_full_buffer_is_an_error),
        cmocka_unit_test(columns_are_counted_and_cut),
        cmocka_unit_test(wide_characters_and_accents_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
