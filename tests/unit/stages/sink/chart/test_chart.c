/*
 * C5: charts are compared with the files of golden/, byte for byte. GOLDEN_UPDATE=1 writes them: look at them
 * before they are committed.
 */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "stages/sink/chart/chart_priv.h"

#define FOLDER "tests/unit/stages/sink/chart/golden/"
#define WEEKS 8

static const char hostile[] = "<script>alert('x')</script> & \"me\" \xe2\x80\xae";

static struct wh_slice labels[WEEKS];

static int set_up(void **state)
{
    static const char *const texts[WEEKS] = {"5 Oct", "12 Oct", "19 Oct", "26 Oct",
                                             "2 Nov", "9 Nov",  "16 Nov", "23 Nov"};

    (void)state;
    for (size_t i = 0; i < WEEKS; i++) {
        labels[i] = wh_slice_str(texts[i]);
    }
    return 0;
}

static char *read_file(const char *path, size_t *ret_len)
{
    FILE *f = fopen(path, "rb");
    char *text;

    if (f == NULL) {
        fail_msg("%s is not there; make it with GOLDEN_UPDATE=1", path);
    }
    text = wh_mem_alloc(CHART_SVG_MAX_BYTES);
    assert_non_null(text);
    *ret_len = fread(text, 1, CHART_SVG_MAX_BYTES, f);
    (void)fclose(f);
    return text;
}

static void is_golden(const struct chart *chart, const char *name)
{
    struct wh_buf svg;
    struct wh_err err;
    char path[200];
    char *want;
    size_t len = 0;

    wh_buf_init(&svg, CHART_SVG_MAX_BYTES);
    th_ok(chart_svg(chart, &svg, &err), &err);
    (void)snprintf(path, sizeof(path), FOLDER "%s.svg", name);
    if (getenv("GOLDEN_UPDATE")) {
        FILE *f = fopen(path, "wb");

        assert_non_null(f);
        assert_int_equal(fwrite(svg.ptr, 1, svg.len, f), svg.len);
        assert_int_equal(fclose(f), 0);
    }
    want = read_file(path, &len);
    if (len != svg.len || memcmp(want, svg.ptr, len) != 0) {
        fail_msg("%s differs; GOLDEN_UPDATE=1 writes what it is now:\n%s", path, wh_buf_str(&svg));
    }
    wh_mem_free(want);
    wh_buf_done(&svg);
}

static struct chart chart_of(enum chart_kind kind, enum chart_unit unit,
                             const struct chart_series *series, size_t n)
{
    return (struct chart){.kind = kind,
                          .unit = unit,
                          .id = "c1",
                          .title = WH_LIT("Merge requests merged"),
                          .description = WH_LIT("35 in 8 weeks, most in the week of 23 Nov."),
                          .labels = labels,
                          .n_points = WEEKS,
                          .series = series,
                          .n_series = n};
}

static void fill(struct chart_point points[WEEKS], double first, double step)
{
    for (size_t i = 0; i < WEEKS; i++) {
        points[i] = (struct chart_point){
            .known = true, .value = first + step * (double)i, .href = WH_LIT("/rows/x?a=1&b=2")};
    }
}

static void bars(void **state)
{
    struct chart_point points[WEEKS];
    const struct chart_series series = {.points = points};
    struct chart c = chart_of(CHART_STACKED, CHART_NUMBER, &series, 1);

    (void)state;
    fill(points, 0, 3);
    c.last_runs = true;
    is_golden(&c, "bars");
}

static void stacked_bars_with_the_rest(void **state)
{
    struct chart_point points[3][WEEKS];
    const struct chart_series series[] = {
        {.name = wh_slice_str(hostile), .points = points[0]},
        {.name = WH_LIT("shop/web"), .points = points[1]},
        {.name = WH_LIT("3 others"), .rest = true, .points = points[2]}};
    struct chart c = chart_of(CHART_STACKED, CHART_NUMBER, series, 3);

    (void)state;
    fill(points[0], 100, 20);
    fill(points[1], 700, -80);
    fill(points[2], 5, 0);
    c.large = true;
    is_golden(&c, "stacked");
}

static void a_line_with_a_hole(void **state)
{
    struct chart_point points[WEEKS];
    const struct chart_series series = {.points = points};
    struct chart c = chart_of(CHART_LINES, CHART_RATIO, &series, 1);

    (void)state;
    fill(points, 0.5, 0.07);
    points[3].known = false;
    points[5].known = false;
    is_golden(&c, "line");
}

static void a_band_between_percentiles(void **state)
{
    struct chart_point points[2][WEEKS];
    const struct chart_series series[] = {{.name = WH_LIT("p50"), .points = points[0]},
                                          {.name = WH_LIT("p90"), .points = points[1]}};
    struct chart c = chart_of(CHART_BAND, CHART_SECONDS, series, 2);

    (void)state;
    fill(points[0], 3600, 7200);
    fill(points[1], 86400, 20000);
    points[0][4].known = points[1][4].known = false;
    is_golden(&c, "band");
}

/* C7: what is missing, and what was missing and has been read since, look different and say what it was. */
static void gaps_are_drawn_and_named(void **state)
{
    const struct chart_gap gaps[] = {
        {.from = -3, .to = 1.5, .name = WH_LIT("not read yet")},
        {.from = 3, .to = 3.001, .over = true, .name = WH_LIT("gitlab did not answer")},
        {.from = 6.2, .to = 99, .name = wh_slice_str(hostile)}};
    struct chart_point points[WEEKS];
    const struct chart_series series = {.points = points};
    struct chart c = chart_of(CHART_STACKED, CHART_AMOUNT, &series, 1);

    (void)state;
    fill(points, 100000, 50000);
    c.currency = WH_LIT("EUR");
    c.gaps = gaps;
    c.n_gaps = 3;
    is_golden(&c, "gaps");
}

static void an_image_stands_alone(void **state)
{
    struct chart_point points[WEEKS];
    const struct chart_series series = {.points = points};
    struct chart c = chart_of(CHART_STACKED, CHART_NUMBER, &series, 1);

    (void)state;
    fill(points, 0, 0);
    points[7].value = 12345;
    c.standalone = true;
    is_golden(&c, "standalone");
}

static void a_chart_has_bounds(void **state)
{
    const struct chart_series series = {.points = NULL};
    struct chart c = chart_of(CHART_LINES, CHART_NUMBER, &series, 1);
    struct wh_buf svg;
    struct wh_err err;

    (void)state;
    wh_buf_init(&svg, CHART_SVG_MAX_BYTES);
    c.n_points = 0;
    assert_int_equal(chart_svg(&c, &svg, &err), WH_E_RANGE);
    c.n_points = CHART_POINTS_MAX + 1;
    assert_int_equal(chart_svg(&c, &svg, &err), WH_E_RANGE);
    wh_buf_done(&svg);
}

/* ---- values and scales ---- */

static void value_is(enum chart_unit unit, const char *currency, double value, const char *want)
{
    struct wh_buf text;
    struct wh_err err;

    wh_buf_init(&text, 200);
    th_ok(chart_value(unit, wh_slice_str(currency), value, &text, &err), &err);
    assert_string_equal(wh_buf_str(&text), want);
    wh_buf_done(&text);
}

static void values_are_for_people(void **state)
{
    (void)state;
    value_is(CHART_NUMBER, "", 0, "0");
    value_is(CHART_NUMBER, "", 1234567, "1,234,567");
    value_is(CHART_NUMBER, "", 0.125, "0.12");
    value_is(CHART_NUMBER, "", 2.26, "2.3");
    value_is(CHART_NUMBER, "", -1200, "-1,200");
    value_is(CHART_SECONDS, "", 45, "45 s");
    value_is(CHART_SECONDS, "", 3480, "58 min");
    value_is(CHART_SECONDS, "", 5.2 * 3600, "5.2 h");
    value_is(CHART_SECONDS, "", 40 * 3600, "40 h");
    value_is(CHART_SECONDS, "", 3.5 * 86400, "3.5 d");
    value_is(CHART_RATIO, "", 0.9346, "93.5 %");
    value_is(CHART_RATIO, "", 1, "100 %");
    value_is(CHART_AMOUNT, "EUR", 327000, "3,270.00 EUR");
    value_is(CHART_AMOUNT, "JPY", 327000, "327,000 JPY");
}

static void scales_are_round_and_reach_the_largest_value(void **state)
{
    static const double values[] = {0, 0.3, 1, 3, 7, 12, 99, 100, 101, 3599, 3601, 86399, 1e6, 3e9};

    (void)state;
    for (unsigned unit = CHART_NUMBER; unit <= CHART_AMOUNT; unit++) {
        for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
            struct chart_scale s = chart_scale((enum chart_unit)unit, values[i]);

            assert_true(s.n >= 1 && s.n <= 5);
            assert_true(unit == CHART_RATIO || s.top >= values[i] * (1 - 1e-9));
            assert_true(s.top > 0);
        }
    }
    assert_true(chart_scale(CHART_NUMBER, 7).step > 1.99 &&
                chart_scale(CHART_NUMBER, 7).step < 2.01);
    assert_true(chart_scale(CHART_SECONDS, 7200).step > 1799);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(bars, set_up),
        cmocka_unit_test_setup(stacked_bars_with_the_rest, set_up),
        cmocka_unit_test_setup(a_line_with_a_hole, set_up),
        cmocka_unit_test_setup(a_band_between_percentiles, set_up),
        cmocka_unit_test_setup(gaps_are_drawn_and_named, set_up),
        cmocka_unit_test_setup(an_image_stands_alone, set_up),
        cmocka_unit_test_setup(a_chart_has_bounds, set_up),
        cmocka_unit_test(values_are_for_people),
        cmocka_unit_test(scales_are_round_and_reach_the_largest_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
