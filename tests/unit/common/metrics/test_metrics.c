#include "tests/lib/th_cmocka.h"

#include "common/metrics/metrics.h"

static void test_exposition(void **state)
{
    static const double bounds[] = {0.1, 1};
    struct wh_metrics *m = wh_metrics_new("test");
    struct wh_counter *a = wh_metrics_counter(m, "x_total", "k=\"a\"", "Counts.");
    struct wh_gauge *g = wh_metrics_gauge(m, "g", NULL, "Level.");
    struct wh_counter *b = wh_metrics_counter(m, "x_total", "k=\"b\"", "Counts.");
    struct wh_histogram *h = wh_metrics_histogram(m, "h_seconds", "p=\"q\"", "Times.", bounds, 2);
    struct wh_buf out;
    struct wh_err err;

    (void)state;
    assert_ptr_equal(a, wh_metrics_counter(m, "x_total", "k=\"a\"", "Counts."));
    wh_counter_add(a, 3);
    wh_counter_add(b, 4);
    wh_gauge_set(g, 1.5);
    wh_histogram_observe(h, 0.05);
    wh_histogram_observe(h, 0.5);
    wh_histogram_observe(h, 5);
    wh_buf_init(&out, 65536);
    th_ok(wh_metrics_render(m, &out, &err), &err);
    assert_non_null(strstr(out.ptr, "# HELP x_total Counts.\n# TYPE x_total counter\n"
                                    "x_total{k=\"a\"} 3\nx_total{k=\"b\"} 4\n"));
    assert_non_null(strstr(out.ptr, "# TYPE g gauge\ng 1.5\n"));
    assert_non_null(strstr(out.ptr, "h_seconds_bucket{p=\"q\",le=\"0.1\"} 1\n"
                                    "h_seconds_bucket{p=\"q\",le=\"1\"} 2\n"
                                    "h_seconds_bucket{p=\"q\",le=\"+Inf\"} 3\n"));
    assert_non_null(strstr(out.ptr, "h_seconds_count{p=\"q\"} 3\n"));
    assert_non_null(strstr(out.ptr, "process_resident_memory_bytes "));
    wh_buf_done(&out);
    wh_metrics_free(m);
}

static void test_quantile(void **state)
{
    struct wh_metrics *m = wh_metrics_new("test");
    struct wh_histogram *h =
        wh_metrics_histogram(m, "h", NULL, "h", wh_latency_bounds, wh_latency_bounds_n);

    (void)state;
    assert_true(wh_histogram_quantile(h, 0.5) == 0);
    for (int i = 0; i < 1000; i++) {
        wh_histogram_observe(h, (double)i / 1000);
    }
    assert_true(wh_histogram_quantile(h, 0.5) > 0.25 && wh_histogram_quantile(h, 0.5) <= 0.5);
    assert_true(wh_histogram_quantile(h, 0.99) > 0.9 && wh_histogram_quantile(h, 0.99) <= 1.0);
    assert_int_equal(wh_histogram_count(h), 1000);
    wh_metrics_free(m);
}

static void test_null_is_harmless(void **state)
{
    (void)state;
    wh_counter_add(NULL, 1);
    wh_gauge_set(NULL, 1);
    wh_histogram_observe(NULL, 1);
    assert_int_equal(wh_counter_get(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exposition),
        cmocka_unit_test(test_quantile),
        cmocka_unit_test(test_null_is_harmless),
    };

    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
