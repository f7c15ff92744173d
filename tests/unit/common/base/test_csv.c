/* Cells of CSV: quoting, and what a spreadsheet would run. */
#include "tests/lib/th_cmocka.h"

#include "common/base/csv.h"

static void is(const char *text, bool safe, const char *expected)
{
    struct wh_buf out;
    struct wh_err err;

    wh_buf_init(&out, 256);
    th_ok(wh_csv_text(wh_slice_str(text), safe, &out, &err), &err);
    assert_string_equal(wh_buf_str(&out), expected);
    wh_buf_done(&out);
}

static void texts_are_quoted_where_they_must_be(void **state)
{
    (void)state;
    is("plain text", false, "plain text");
    is("", false, "\"\"");
    is("a,b", false, "\"a,b\"");
    is("a\nb", false, "\"a\nb\"");
    is("a\rb", false, "\"a\rb\"");
    is("say \"a\"", false, "\"say \"\"a\"\"\"");
    is("=1+1", false, "=1+1");
}

static void formulas_are_marked(void **state)
{
    static const char *const formulas[] = {"=1+1",
                                           "+1",
                                           "-1",
                                           "@a",
                                           "\ta",
                                           "\x7f"
                                           "a",
                                           "\xC2\x85"
                                           "a",
                                           "\uff1d1"};

    (void)state;
    for (size_t i = 0; i < sizeof(formulas) / sizeof(formulas[0]); i++) {
        char expected[32];

        (void)snprintf(expected, sizeof(expected), "'%s", formulas[i]);
        is(formulas[i], true, expected);
    }
    is("=a,b", true, "\"'=a,b\"");
    is("a=b", true, "a=b");
    is("\u00e9t\u00e9", true, "\u00e9t\u00e9");
}

static void a_full_buffer_is_told(void **state)
{
    struct wh_buf out;
    struct wh_err err;

    (void)state;
    wh_buf_init(&out, 4);
    assert_int_equal(wh_csv_text(WH_LIT("a,bcd"), false, &out, &err), WH_E_TOO_LARGE);
    wh_buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_quoted_where_they_must_be),
        cmocka_unit_test(formulas_are_marked),
        cmocka_unit_test(a_full_buffer_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
