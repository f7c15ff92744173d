#include "stages/fetcher/state/mr_heads.h"
#include "tests/lib/th_cmocka.h"

static void test_moves(void **state)
{
    struct heads *h = heads_new();

    (void)state;
    assert_non_null(h);
    assert_true(heads_moved(h, 7, WH_LIT("aaa"))); /* not known yet */
    assert_false(heads_moved(h, 7, WH_LIT("aaa")));
    assert_true(heads_moved(h, 7, WH_LIT("bbb")));
    assert_false(heads_moved(h, 7, WH_LIT("bbb")));
    /* Another one takes its place: it is told again, never passed over. */
    assert_true(heads_moved(h, 7 + (1 << 14), WH_LIT("bbb")));
    assert_true(heads_moved(h, 7, WH_LIT("bbb")));
    assert_true(heads_moved(h, -1, WH_LIT("")));
    assert_false(heads_moved(h, -1, WH_LIT("")));
    heads_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_moves)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
