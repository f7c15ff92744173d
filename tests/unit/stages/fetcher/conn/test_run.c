/* When the next run begins, and what a run says of its end. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/base/mem.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/conn/run.h"
#include "tests/lib/th_control.h"

enum { INTERVAL_MS = 3600000, RETRY_MS = 15000 };

static bool answer(struct th_control *t, struct wh_slice url, struct wh_slice token,
                   struct th_script_answer *a)
{
    const unsigned *status = t->ctx;

    (void)token;
    if (*status && memmem(url.ptr, url.len, "/projects", 9)) {
        a->status = *status;
        return true;
    }
    return false;
}

/* Connects; then GitLab answers every listing with that status, 0: as usual. */
static struct conn *connect_to(struct th_control *t, unsigned *status)
{
    th_control_init(t);
    t->gitlab = answer;
    t->ctx = status;
    return th_control_connected(t);
}

static void run_once(struct th_control *t, struct conn *c)
{
    uint64_t before;

    while (c->run.phase != RUN_IDLE) {
        th_control_turns(t, 1);
    }
    before = c->run.count;
    conn_run(c);
    while (c->run.count == before) {
        th_control_turns(t, 1);
    }
}

static void test_a_good_run_is_followed_after_the_interval(void **state)
{
    static struct th_control t;
    unsigned status = 0;
    struct conn *c = connect_to(&t, &status);

    (void)state;
    run_once(&t, c);
    assert_false(c->run.failed);
    assert_int_equal(c->run.next_ms, c->run.finished_ms + INTERVAL_MS);
    th_control_call(&t, "GET", "/api/v1/connections", NULL);
    assert_non_null(strstr(t.answer, "\"next_run_ms\":"));
    th_control_done(&t);
}

static void test_a_failed_run_is_repeated_soon(void **state)
{
    static struct th_control t;
    unsigned status = 0;
    struct conn *c = connect_to(&t, &status);

    (void)state;
    status = 500;
    run_once(&t, c);
    assert_true(c->run.failed);
    assert_int_equal(c->run.next_ms, c->run.finished_ms + RETRY_MS);
    th_control_done(&t);
}

/* A run began every 15 seconds, and GitLab saw a refused token all the time. */
static void test_a_refused_token_is_tried_again_after_the_interval(void **state)
{
    static struct th_control t;
    unsigned status = 0;
    struct conn *c = connect_to(&t, &status);

    (void)state;
    status = 401;
    for (unsigned i = 0; i < 2; i++) {
        run_once(&t, c);
        assert_true(c->run.failed);
        th_slice_is(conn_document(c)->state, "need_reconnect");
        assert_int_equal(c->run.next_ms, c->run.finished_ms + INTERVAL_MS);
    }
    /* GitLab was wrong: the run repairs it. */
    status = 0;
    run_once(&t, c);
    assert_false(c->run.failed);
    assert_int_equal(c->run.next_ms, c->run.finished_ms + INTERVAL_MS);
    th_control_done(&t);
}

static void test_a_run_that_is_asked_for_meanwhile_follows_at_once(void **state)
{
    static struct th_control t;
    unsigned status = 0;
    struct conn *c = connect_to(&t, &status);

    (void)state;
    run_once(&t, c);
    conn_run(c);
    assert_int_not_equal(c->run.phase, RUN_IDLE);
    assert_int_equal(c->run.next_ms, 0);
    conn_run(c);
    run_once(&t, c); /* the one under way, and those that were asked for */
    while (c->run.phase != RUN_IDLE || c->run.next_ms < t.now_ms + INTERVAL_MS / 2) {
        th_control_turns(&t, 1);
    }
    assert_false(c->run.failed);
    th_control_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_run_is_followed_after_the_interval),
        cmocka_unit_test(test_a_failed_run_is_repeated_soon),
        cmocka_unit_test(test_a_refused_token_is_tried_again_after_the_interval),
        cmocka_unit_test(test_a_run_that_is_asked_for_meanwhile_follows_at_once),
    };

    return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
