#include "tests/lib/th_cmocka.h"

#include "stages/mapper/breaker.h"
#include "stages/mapper/rereads.h"

static const struct mapper_reread pipeline = {.kind = {"pipeline", 8},
                                              .project = {"1", 1},
                                              .id = {"31", 2},
                                              .reason = {"no_version", 10},
                                              .within_ms = 2000,
                                              .trailing = true};
static const struct mapper_reread user = {
    .kind = {"user", 4}, .id = {"7", 1}, .reason = {"author_unknown", 14}, .within_ms = 3600000};

static void test_coalesced(void **state)
{
    struct mapper_rereads *r = mapper_rereads_new(64);
    struct wh_reread due;

    (void)state;
    assert_true(mapper_rereads_ask(r, WH_LIT("c1"), &user, 1000));
    assert_false(mapper_rereads_ask(r, WH_LIT("c1"), &user, 1001));
    assert_true(mapper_rereads_ask(r, WH_LIT("c2"), &user, 1001));
    assert_false(mapper_rereads_ask(r, WH_LIT("c1"), &user, 3600999));
    assert_true(mapper_rereads_ask(r, WH_LIT("c1"), &user, 3601000));
    assert_false(mapper_rereads_due(r, 99999999, true, &due));
    mapper_rereads_free(r);
}

static void test_trailing(void **state)
{
    struct mapper_rereads *r = mapper_rereads_new(64);
    struct wh_reread due;

    (void)state;
    assert_true(mapper_rereads_ask(r, WH_LIT("c1"), &pipeline, 1000));
    assert_false(mapper_rereads_due(r, 9000, false, &due));
    assert_false(mapper_rereads_ask(r, WH_LIT("c1"), &pipeline, 1500));
    assert_false(mapper_rereads_ask(r, WH_LIT("c1"), &pipeline, 1600));
    assert_int_equal(mapper_rereads_pending(r), 1);
    assert_false(mapper_rereads_due(r, 2999, false, &due));
    assert_true(mapper_rereads_due(r, 3000, false, &due));
    th_slice_is(due.connection, "c1");
    th_slice_is(due.kind, "pipeline");
    th_slice_is(due.project, "1");
    th_slice_is(due.id, "31");
    th_slice_is(due.reason, "no_version");
    mapper_rereads_put_back(r);
    assert_true(mapper_rereads_due(r, 3000, false, &due));
    assert_false(mapper_rereads_due(r, 3000, true, &due));
    /* Just granted: again within its time. */
    assert_false(mapper_rereads_ask(r, WH_LIT("c1"), &pipeline, 3100));
    assert_true(mapper_rereads_due(r, 3200, true, &due));
    mapper_rereads_free(r);
}

/* Nothing that a table forgets is lost: it is granted. */
static void test_full(void **state)
{
    struct mapper_rereads *r = mapper_rereads_new(8);
    size_t granted = 0;

    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 100; i++) {
            struct mapper_reread wish = pipeline;
            char id[16];

            (void)snprintf(id, sizeof(id), "%u", i);
            wish.id = wh_slice_str(id);
            granted += mapper_rereads_ask(r, WH_LIT("c1"), &wish, 1000 + i);
        }
    }
    assert_true(granted >= 100);
    mapper_rereads_free(r);
}

static void test_breaker(void **state)
{
    static struct mapper_breaker b;
    bool open = false;

    (void)state;
    mapper_breaker_init(&b, 1000, 200, 50);
    for (unsigned i = 0; i < 199; i++) {
        open = mapper_breaker_count(&b, true);
    }
    assert_false(open);
    assert_true(mapper_breaker_count(&b, true));
    assert_true(mapper_breaker_count(&b, false));
    mapper_breaker_init(&b, 1000, 200, 50);
    for (unsigned i = 0; i < 5000; i++) {
        open = mapper_breaker_count(&b, i % 2 == 1);
    }
    assert_false(open);
    for (unsigned i = 0; i < 400 && !open; i++) {
        open = mapper_breaker_count(&b, true);
    }
    assert_true(open);
    mapper_breaker_init(&b, 10, 1, 0);
    for (unsigned i = 0; i < 100; i++) {
        assert_false(mapper_breaker_count(&b, true));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_coalesced),
                                       cmocka_unit_test(test_trailing), cmocka_unit_test(test_full),
                                       cmocka_unit_test(test_breaker)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
