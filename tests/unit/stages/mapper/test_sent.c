#include "stages/mapper/sent.h"

#include "common/event/history.h"
#include "tests/lib/th_cmocka.h"

static const int64_t start_ms = INT64_C(1700000000000) / WH_SEEN_MS * WH_SEEN_MS;

static struct sent_origin at(int64_t ms, int64_t offset)
{
    return (struct sent_origin){.observed_at_ms = start_ms + ms, .offset = offset};
}

static void add(struct sent *s, uint64_t key, int64_t ms, bool mention)
{
    const struct sent_origin origin = at(ms, 5);

    sent_add(s, key, &origin, mention);
}

static bool covers(struct sent *s, uint64_t key, int64_t ms)
{
    const struct sent_origin origin = at(ms, 5);

    return sent_covers(s, key, &origin);
}

static void test_times(void **state)
{
    struct sent *s = sent_new(64);
    struct sent_origin same = at(100, 5);

    (void)state;
    assert_false(covers(s, 1, 200));
    add(s, 1, 100, false);
    assert_true(covers(s, 1, 101));
    assert_true(covers(s, 1, WH_SEEN_MS - 1));
    assert_false(covers(s, 1, WH_SEEN_MS));
    assert_false(covers(s, 1, 99));
    assert_false(covers(s, 2, 101));
    /* Of the same time, the place in Kafka decides. */
    assert_false(sent_covers(s, 1, &same));
    same.offset = 6;
    assert_true(sent_covers(s, 1, &same));
    same.partition = -1;
    assert_false(sent_covers(s, 1, &same));
    /* Both ends grow. */
    add(s, 1, WH_SEEN_MS + 7, false);
    add(s, 1, 50, false);
    assert_true(covers(s, 1, 51));
    assert_true(covers(s, 1, 2 * WH_SEEN_MS - 1));
    assert_false(covers(s, 1, 2 * WH_SEEN_MS));
    sent_free(s);
}

/* A mention does not say when an entity was last seen. */
static void test_mentions(void **state)
{
    struct sent *s = sent_new(64);

    (void)state;
    add(s, 1, 100, true);
    assert_true(covers(s, 1, 100 * (int64_t)WH_SEEN_MS));
    assert_false(covers(s, 1, 99));
    sent_free(s);
}

/* Times that no clock shows are produced. */
static void test_absurd_times(void **state)
{
    struct sent *s = sent_new(64);
    struct sent_origin never[] = {{.observed_at_ms = -5}, {.observed_at_ms = INT64_MAX}};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        sent_add(s, 1, &never[i], true);
        never[i].offset++;
        assert_false(sent_covers(s, 1, &never[i]));
    }
    sent_free(s);
}

static void test_undo(void **state)
{
    struct sent *s = sent_new(4096);

    (void)state;
    sent_begin(s);
    add(s, 1, 0, false);
    sent_begin(s);
    add(s, 2, 0, false);
    add(s, 3, 0, false);
    sent_undo(s);
    assert_true(covers(s, 1, 1));
    assert_false(covers(s, 2, 1));
    assert_false(covers(s, 3, 1));
    /* Of an event with very many, all are forgotten with everything else. */
    sent_begin(s);
    for (uint64_t key = 10; key < 1000; key++) {
        add(s, key, 0, false);
    }
    sent_undo(s);
    for (uint64_t key = 1; key < 1000; key++) {
        assert_false(covers(s, key, 1));
    }
    sent_free(s);
}

static void test_forgets(void **state)
{
    struct sent *s = sent_new(16);
    size_t known = 0;

    (void)state;
    add(s, 1, 0, false);
    sent_clear(s);
    assert_false(covers(s, 1, 1));
    for (uint64_t key = 1; key <= 1000; key++) {
        add(s, key * 0x9E3779B97F4A7C15ULL, 0, false);
        assert_true(covers(s, key * 0x9E3779B97F4A7C15ULL, 1));
    }
    for (uint64_t key = 1; key <= 1000; key++) {
        known += covers(s, key * 0x9E3779B97F4A7C15ULL, 1);
    }
    assert_in_range(known, 8, 16);
    sent_free(s);
}

static void test_none(void **state)
{
    struct sent *s = sent_new(0);

    (void)state;
    add(s, 1, 0, false);
    assert_false(covers(s, 1, 1));
    sent_begin(s);
    sent_undo(s);
    sent_clear(s);
    sent_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),        cmocka_unit_test(test_mentions),
        cmocka_unit_test(test_absurd_times), cmocka_unit_test(test_undo),
        cmocka_unit_test(test_forgets),      cmocka_unit_test(test_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
