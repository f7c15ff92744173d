/* What a contract is worth in a month, and which columns imported kinds have. */
#include "tests/lib/th_cmocka.h"

#include "stages/sink/sql/imported.h"

static void worth(const char *period, int64_t amount, int64_t want)
{
    int64_t got = -1;

    assert_true(sql_imported_monthly(wh_slice_str(period), amount, &got));
    assert_true(got == want);
}

/* Half goes to the even neighbour, which only twelfths and halves can meet. */
static void test_monthly(void **state)
{
    int64_t got;

    (void)state;
    worth("month", INT64_MAX, INT64_MAX);
    worth("month", 0, 0);
    worth("quarter", 4, 1);
    worth("quarter", 5, 2);
    worth("quarter", INT64_MAX, INT64_MAX / 3);
    worth("year", 5, 0);
    worth("year", 6, 0);
    worth("year", 7, 1);
    worth("year", 18, 2);
    worth("year", 30, 2);
    worth("year", 31, 3);
    worth("year", INT64_MAX, INT64_MAX / 12 + 1);
    worth("once", INT64_MAX, 0);
    assert_false(sql_imported_monthly(WH_LIT("weekly"), 5, &got));
    assert_false(sql_imported_monthly(WH_LIT(""), 5, &got));
    assert_false(sql_imported_monthly(WH_LIT("month"), -1, &got));
}

static void columns_are(enum wh_kind kind, const char *const *names, size_t n)
{
    const struct sql_imported_column *columns[SQL_IMPORTED_MAX];

    assert_int_equal(sql_imported_columns(wh_kind_def(kind), columns), n);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(columns[i]->column.name, names[i]);
    }
}

static void test_columns(void **state)
{
    static const char *const all[] = {"source", "service_key", "customer_key", "monthly_minor"};

    (void)state;
    columns_are(WH_KIND_SERVICE, all, 1);
    columns_are(WH_KIND_SERVICE_OWNERSHIP, all, 2);
    columns_are(WH_KIND_SERVICE_CUSTOMER, all, 3);
    columns_are(WH_KIND_SUBSCRIPTION, all, 4);
    columns_are(WH_KIND_WORK_ITEM, all, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_monthly),
                                       cmocka_unit_test(test_columns)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
