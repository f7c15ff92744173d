#include "stages/fetcher/state/open_pipelines.h"
#include "tests/lib/th_cmocka.h"

static void what_was_put_is_remembered(void **state)
{
    struct open_pipelines *o = open_pipelines_new();
    const struct open_pipeline *p;

    (void)state;
    assert_non_null(o);
    assert_null(open_pipelines_get(o, 7));
    open_pipelines_put(o, &(struct open_pipeline){.id = 7, .row = 1, .jobs = 2, .oldest_job = 3});
    p = open_pipelines_get(o, 7);
    assert_non_null(p);
    assert_int_equal(p->row, 1);
    assert_int_equal(p->jobs, 2);
    assert_int_equal(p->oldest_job, 3);
    /* Another one takes its place. */
    open_pipelines_put(o, &(struct open_pipeline){.id = 7 + 4096});
    assert_null(open_pipelines_get(o, 7));
    assert_non_null(open_pipelines_get(o, 7 + 4096));
    assert_null(open_pipelines_get(o, -1));
    open_pipelines_free(o);
}

static uint64_t jobs(int64_t a, const char *a_state, int64_t b, const char *b_state)
{
    uint64_t sum = 0;

    open_pipeline_job(&sum, a, wh_slice_str(a_state));
    open_pipeline_job(&sum, b, wh_slice_str(b_state));
    return sum;
}

static void jobs_differ_by_what_is_open(void **state)
{
    (void)state;
    assert_true(jobs(1, "running", 2, "created") == jobs(2, "created", 1, "running"));
    assert_true(jobs(1, "running", 2, "created") != jobs(1, "created", 2, "running"));
    assert_true(jobs(1, "running", 2, "created") != jobs(1, "running", 3, "created"));
    assert_true(jobs(1, "running", 2, "success") == jobs(1, "running", 3, "failed"));
    assert_true(jobs(1, "skipped", 2, "canceled") == 0);
    assert_true(jobs(1, "skipped", 2, "waiting_for_callback") != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_remembered),
        cmocka_unit_test(jobs_differ_by_what_is_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
