/* Buckets of a period, and numbers in them. */
#include "tests/lib/th_cmocka.h"

#include "common/base/time.h"
#include "stages/sink/measures/table.h"

struct world {
    struct wh_arena arena;
    struct measures *measures;
    struct measure_query query;
    struct wh_zone zone;
};

static int64_t at(const char *text)
{
    struct wh_instant instant;
    struct wh_err err;

    th_ok(wh_time_parse(wh_slice_str(text), &instant, &err), &err);
    return instant.ms;
}

static int set_up(void **state)
{
    static struct world w;
    struct wh_err err;

    w = (struct world){0};
    wh_arena_init(&w.arena, 64 << 10, 8 << 20);
    th_ok(measures_new(measures_file(), &w.measures, &err), &err);
    th_ok(wh_zone_find(WH_LIT("Europe/Berlin"), &w.zone, &err), &err);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    measures_free(w->measures);
    wh_arena_done(&w->arena);
    return 0;
}

static struct measure_table *table_of(struct world *w, const char *id, const char *over,
                                      const char *from, const char *to)
{
    struct measure_table *t = NULL;
    struct wh_err err;

    w->query = (struct measure_query){.measure = measures_find(w->measures, wh_slice_str(id)),
                                      .over = over,
                                      .from_ms = at(from),
                                      .to_ms = at(to)};
    th_ok(measure_table_new(&w->query, w->zone, &w->arena, &t, &err), &err);
    return t;
}

static void add(struct measure_table *t, const char *bucket, const char *key, int64_t rows,
                double value)
{
    struct measure_row row = {.has_bucket = bucket != NULL,
                              .bucket_ms = bucket ? at(bucket) : 0,
                              .key = wh_slice_str(key),
                              .cell = {rows, {true, true, true}, {value, value, value}}};
    struct wh_err err;

    th_ok(measure_table_add(t, &row, &err), &err);
}

/* C6: the weeks in which the clock changes have seven days each; one of them has 23 hours, one 25. */
static void a_week_has_seven_days_when_the_clock_changes(void **state)
{
    static const struct {
        const char *monday;
        const char *next;
    } weeks[] = {{"2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z"},
                 {"2026-10-18T22:00:00Z", "2026-10-25T23:00:00Z"}};
    struct world *w = *state;

    for (size_t i = 0; i < 2; i++) {
        struct measure_table *t =
            table_of(w, "issues_opened", "day", weeks[i].monday, weeks[i].next);
        struct measure_table *week =
            table_of(w, "issues_opened", "week", weeks[i].monday, weeks[i].next);

        assert_int_equal(t->n_buckets, 7);
        assert_int_equal(t->buckets[6].to_ms - t->buckets[6].from_ms,
                         INT64_C(3600000) * (i ? 25 : 23));
        assert_int_equal(week->n_buckets, 1);
        assert_int_equal(measure_days(w->zone, at(weeks[i].monday), at(weeks[i].next)), 7);
    }
}

static void the_first_and_the_last_bucket_are_cut(void **state)
{
    struct measure_table *t =
        table_of(*state, "issues_opened", "month", "2026-01-15T10:00:00Z", "2026-03-02T00:00:00Z");

    assert_int_equal(t->n_buckets, 3);
    assert_int_equal(t->buckets[0].from_ms, at("2026-01-15T10:00:00Z"));
    assert_int_equal(t->buckets[0].to_ms, at("2026-01-31T23:00:00Z"));
    assert_int_equal(t->buckets[1].from_ms, at("2026-01-31T23:00:00Z"));
    assert_int_equal(t->buckets[2].to_ms, at("2026-03-02T00:00:00Z"));
}

static void units_follow_each_other_without_a_hole(void **state)
{
    static const char *const units[] = {"hour", "day", "week", "month", "quarter", "year"};
    static const char *const until[] = {"2026-03-30T00:00:00Z", "2026-12-01T00:00:00Z",
                                        "2028-12-01T00:00:00Z", "2030-12-01T00:00:00Z",
                                        "2032-12-01T00:00:00Z", "2042-12-01T00:00:00Z"};

    for (size_t i = 0; i < 6; i++) {
        struct measure_table *t =
            table_of(*state, "issues_opened", units[i], "2026-03-28T11:30:00Z", until[i]);

        assert_true(t->n_buckets > 10);
        for (size_t k = 1; k < t->n_buckets; k++) {
            assert_int_equal(t->buckets[k - 1].to_ms, t->buckets[k].from_ms);
        }
        assert_int_equal(t->buckets[t->n_buckets - 1].to_ms, at(until[i]));
    }
}

static void what_is_open_adds_up(void **state)
{
    struct measure_table *t =
        table_of(*state, "open_issues", "day", "2026-01-01T23:00:00Z", "2026-01-04T23:00:00Z");
    struct wh_err err;

    add(t, NULL, NULL, 5, 0);
    add(t, "2026-01-01T23:00:00Z", NULL, 2, 0);
    add(t, "2026-01-03T23:00:00Z", NULL, -4, 0);
    th_ok(measure_table_end(t, &err), &err);
    assert_int_equal(t->groups[0].cells[0].rows, 7);
    assert_int_equal(t->groups[0].cells[1].rows, 7);
    assert_int_equal(t->groups[0].cells[2].rows, 3);
    assert_int_equal(t->groups[0].rows, 3);
    assert_true(t->groups[0].cells[2].values[0] > 2.9 && t->groups[0].cells[2].values[0] < 3.1);
}

static void a_rate_is_divided_by_the_days_of_the_zone(void **state)
{
    struct measure_table *t = table_of(*state, "deployment_frequency", "week",
                                       "2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z");
    struct wh_err err;

    add(t, "2026-03-22T23:00:00Z", NULL, 14, 14);
    th_ok(measure_table_end(t, &err), &err);
    assert_true(t->groups[0].cells[0].values[0] > 1.99 && t->groups[0].cells[0].values[0] < 2.01);
}

/* X8: a count without rows is 0, and the median of nothing is not known. */
static void nothing_is_zero_only_for_counts(void **state)
{
    struct measure_table *t =
        table_of(*state, "issues_opened", NULL, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    struct measure_table *median =
        table_of(*state, "time_to_merge", NULL, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    struct wh_err err;

    th_ok(measure_table_end(t, &err), &err);
    th_ok(measure_table_end(median, &err), &err);
    assert_true(t->groups[0].cells[0].known[0]);
    assert_false(median->groups[0].cells[0].known[0]);
}

static void a_short_table_adds_up_the_rest(void **state)
{
    struct measure_table *t =
        table_of(*state, "issues_opened", NULL, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    struct measure_table *median =
        table_of(*state, "time_to_merge", NULL, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    struct wh_err err;

    for (unsigned i = 0; i < 6; i++) {
        char key[2] = {(char)('a' + i), 0};

        add(t, NULL, key, i + 1, 0);
        add(median, NULL, key, i + 1, 0);
    }
    th_ok(measure_table_end(t, &err), &err);
    th_ok(measure_table_end(median, &err), &err);
    th_ok(measure_table_shorten(t, 2, &err), &err);
    th_ok(measure_table_shorten(median, 2, &err), &err);
    assert_int_equal(t->n_groups, 3);
    assert_true(wh_slice_eq(t->groups[0].key, WH_LIT("f")));
    assert_true(t->groups[2].rest);
    assert_int_equal(t->groups[2].rows, 10);
    assert_false(t->cut);
    assert_int_equal(median->n_groups, 2);
    assert_true(median->cut);
}

static void the_whole_follows_from_its_parts_where_it_can(void **state)
{
    struct measure_table *flow = table_of(*state, "deployment_frequency", "week",
                                          "2026-03-15T23:00:00Z", "2026-03-29T22:00:00Z");
    struct measure_table *stock =
        table_of(*state, "open_issues", "day", "2026-01-01T23:00:00Z", "2026-01-03T23:00:00Z");
    struct measure_table *median =
        table_of(*state, "time_to_merge", "day", "2026-01-01T23:00:00Z", "2026-01-03T23:00:00Z");
    struct measure_table *whole = NULL;
    struct wh_err err;

    add(flow, "2026-03-15T23:00:00Z", NULL, 7, 7);
    add(flow, "2026-03-22T23:00:00Z", NULL, 14, 14);
    th_ok(measure_table_end(flow, &err), &err);
    th_ok(measure_table_whole(flow, &whole, &err), &err);
    assert_int_equal(whole->groups[0].cells[0].rows, 21);
    assert_true(whole->groups[0].cells[0].values[0] > 1.49 &&
                whole->groups[0].cells[0].values[0] < 1.51);
    add(stock, NULL, NULL, 5, 0);
    add(stock, "2026-01-02T23:00:00Z", NULL, -2, 0);
    th_ok(measure_table_end(stock, &err), &err);
    th_ok(measure_table_whole(stock, &whole, &err), &err);
    assert_int_equal(whole->groups[0].cells[0].rows, 3);
    th_ok(measure_table_end(median, &err), &err);
    th_ok(measure_table_whole(median, &whole, &err), &err);
    assert_null(whole);
}

static void bounds_are_kept(void **state)
{
    struct world *w = *state;
    struct measure_table *t =
        table_of(w, "issues_opened", NULL, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    struct wh_err err;
    char key[16];

    for (unsigned i = 0; i <= MEASURE_GROUPS_MAX; i++) {
        (void)snprintf(key, sizeof(key), "%u", i);
        add(t, NULL, key, 1, 0);
    }
    assert_int_equal(t->n_groups, MEASURE_GROUPS_MAX);
    assert_true(t->cut);
    w->query.over = "minute";
    assert_int_equal(measure_table_new(&w->query, w->zone, &w->arena, &t, &err), WH_E_RANGE);
    w->query.over = "fortnight";
    assert_int_equal(measure_table_new(&w->query, w->zone, &w->arena, &t, &err), WH_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_week_has_seven_days_when_the_clock_changes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_first_and_the_last_bucket_are_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(units_follow_each_other_without_a_hole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_open_adds_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_rate_is_divided_by_the_days_of_the_zone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_zero_only_for_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_short_table_adds_up_the_rest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_whole_follows_from_its_parts_where_it_can, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(bounds_are_kept, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
