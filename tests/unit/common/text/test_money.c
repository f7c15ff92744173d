/* Amounts of money for people. */
#include "tests/lib/th_cmocka.h"

#include "common/text/money.h"

static void is(int64_t minor, const char *currency, const char *want)
{
    struct wh_buf out;
    struct wh_err err;

    wh_buf_init(&out, 128);
    th_ok(wh_money_append(minor, wh_slice_str(currency), &out, &err), &err);
    assert_string_equal(wh_buf_str(&out), want);
    wh_buf_done(&out);
}

static void amounts_have_the_digits_of_their_currency(void **state)
{
    (void)state;
    is(327000, "EUR", "3,270.00 EUR");
    is(5, "EUR", "0.05 EUR");
    is(0, "EUR", "0.00 EUR");
    is(-99, "USD", "-0.99 USD");
    is(-100000, "USD", "-1,000.00 USD");
    is(1234567, "JPY", "1,234,567 JPY");
    is(7, "JPY", "7 JPY");
    is(1234567, "KWD", "1,234.567 KWD");
    is(100, "what", "1.00 what");
    is(INT64_MAX, "EUR", "92,233,720,368,547,758.07 EUR");
    is(INT64_MIN, "JPY", "-9,223,372,036,854,775,808 JPY");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amounts_have_the_digits_of_their_currency),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
