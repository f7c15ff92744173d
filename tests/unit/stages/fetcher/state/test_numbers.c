/* The table of numbers: connections apart, and segments as fetch-state keeps them. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/base/mem.h"
#include "stages/fetcher/state/numbers.h"

enum { JSON_MAX = 4096 };

static void set(struct numbers *n, int64_t number, enum number_fate fate)
{
    struct wh_err err;

    assert_non_null(n);
    th_ok(number_set_put(n->set, number, number + 5000, fate, false, &err), &err);
}

static void test_connections_are_apart(void **state)
{
    struct numbers_table *t = numbers_table_new();
    struct numbers *mine;
    struct numbers *other;

    (void)state;
    assert_non_null(t);
    assert_null(numbers_of(t, "c", "7", NUMBERS_ISSUES, false));
    mine = numbers_of(t, "c", "7", NUMBERS_ISSUES, true);
    other = numbers_of(t, "d", "7", NUMBERS_ISSUES, true);
    assert_true(mine && other && mine != other);
    assert_ptr_equal(numbers_of(t, "c", "7", NUMBERS_ISSUES, true), mine);
    assert_null(numbers_of(t, "c", "7", NUMBERS_PIPELINES, false));
    numbers_forget(t, "c");
    assert_null(numbers_of(t, "c", "7", NUMBERS_ISSUES, false));
    assert_ptr_equal(numbers_next(t, NULL), other);
    assert_null(numbers_next(t, other));
    numbers_table_free(t);
}

static void test_segments_are_read_back(void **state)
{
    struct numbers_table *from = numbers_table_new();
    struct numbers_table *to = numbers_table_new();
    struct wh_json_parser *parser = wh_json_parser_new(JSON_MAX, 16);
    struct numbers *n = numbers_of(from, "c", "7", NUMBERS_ISSUES, true);
    WH_AUTO(buf) struct wh_buf json;
    char key[NUMBERS_KEY_MAX];
    struct number_counts counts;
    struct wh_err err;
    uint32_t seq = 0;

    (void)state;
    wh_buf_init(&json, JSON_MAX);
    set(n, 1, NUMBER_HAVE);
    set(n, 3, NUMBER_HELD);
    assert_true(number_set_dirty(n->set, &seq));
    th_ok(numbers_segment_write(n, seq, key, &json, &err), &err);
    assert_false(number_set_dirty(n->set, &seq));
    assert_string_equal(key, "c:7:issues:ids:0");
    assert_int_equal(numbers_take(to, parser, wh_slice_str(key), wh_buf_slice(&json)),
                     NUMBERS_TAKEN);
    n = numbers_of(to, "c", "7", NUMBERS_ISSUES, false);
    assert_non_null(n);
    counts = number_set_counts(n->set);
    assert_int_equal(counts.expected, 3);
    assert_int_equal(counts.have, 1);
    assert_int_equal(counts.held, 1);
    assert_int_equal(counts.missing, 1);
    assert_int_equal(number_set_get(n->set, 3).id, 5003);
    wh_json_parser_free(parser);
    numbers_table_free(from);
    numbers_table_free(to);
}

static void test_damaged_segments_are_refused(void **state)
{
    static const struct {
        const char *key;
        const char *json;
        enum numbers_taken taken;
    } cases[] = {
        {"c:7:issues", "{}", NUMBERS_OTHER},
        {"", "{}", NUMBERS_OTHER},
        {"c:7:issues:ids:0", "{}", NUMBERS_DAMAGED},
        {"c:7:issues:ids:0", "{\"ids\":", NUMBERS_DAMAGED},
        {"c:7:issues:ids:0", "{\"ids\":\"%%%\"}", NUMBERS_DAMAGED},
        {"c:7:issues:ids:-1", "{\"ids\":\"\"}", NUMBERS_DAMAGED},
        {"c:7:issues:ids:x", "{\"ids\":\"\"}", NUMBERS_DAMAGED},
        {"c:7:wikis:ids:0", "{\"ids\":\"\"}", NUMBERS_DAMAGED},
        {":7:issues:ids:0", "{\"ids\":\"\"}", NUMBERS_DAMAGED},
        {"c:1234567890123456789012345:issues:ids:0", "{\"ids\":\"\"}", NUMBERS_DAMAGED},
    };
    struct wh_json_parser *parser = wh_json_parser_new(JSON_MAX, 16);
    struct numbers_table *t = numbers_table_new();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(
            numbers_take(t, parser, wh_slice_str(cases[i].key), wh_slice_str(cases[i].json)),
            cases[i].taken);
    }
    for (const struct numbers *n = numbers_next(t, NULL); n; n = numbers_next(t, n)) {
        assert_int_equal(number_set_counts(n->set).expected, 0);
    }
    wh_json_parser_free(parser);
    numbers_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_are_apart),
        cmocka_unit_test(test_segments_are_read_back),
        cmocka_unit_test(test_damaged_segments_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
