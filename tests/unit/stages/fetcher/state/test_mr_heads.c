#include "stages/fetcher/state/mr_heads.h"
#include "tests/lib/th_cmocka.h"

static void test_moves(void **state)
{
    struct mr_heads *h = mr_heads_new();

    (void)state;
    assert_non_null(h);
    assert_true(mr_heads_moved(h, 7, WH_LIT("aaa"))); /* not known yet */
    assert_false(mr_heads_moved(h, 7, WH_LIT("aaa")));
    assert_true(mr_heads_moved(h, 7, WH_LIT("bbb")));
    assert_false(mr_heads_moved(h, 7, WH_LIT("bbb")));
    /* Another one takes its place: it is told again, never passed over. */
    assert_true(mr_heads_moved(h, 7 + (1 << 14), WH_LIT("bbb")));
    assert_true(mr_heads_moved(h, 7, WH_LIT("bbb")));
    assert_true(mr_heads_moved(h, -1, WH_LIT("")));
    assert_false(mr_heads_moved(h, -1, WH_LIT("")));
    mr_heads_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_moves)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
