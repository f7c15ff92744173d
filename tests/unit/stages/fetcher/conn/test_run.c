/* When the next run begins, and what a run says of its end. */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/judge/streams.h"
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

/* One project; of its streams those whose address contains the word are answered with that status. */
struct world {
    const char *word;
    unsigned status;
};

static bool answer_project(struct th_control *t, struct wh_slice url, struct wh_slice token,
                           struct th_script_answer *a)
{
    const struct world *w = t->ctx;
    struct wh_err err;

    (void)token;
    if (memmem(url.ptr, url.len, "membership=true", 15)) {
        th_ok(
            wh_buf_append(&a->body,
                          WH_LIT("[{\"id\":7,\"path_with_namespace\":\"acme/web\",\"permissions\":{"
                                 "\"project_access\":{\"access_level\":30}}}]"),
                          &err),
            &err);
        return true;
    }
    if (w->status && memmem(url.ptr, url.len, w->word, strlen(w->word))) {
        a->status = w->status;
        return true;
    }
    if (memmem(url.ptr, url.len, "/projects/7/pipelines?", 22) &&
        !memmem(url.ptr, url.len, "source=", 7) && !memmem(url.ptr, url.len, "status=", 7)) {
        th_ok(wh_buf_append(&a->body,
                            WH_LIT("[{\"id\":50,\"iid\":1,\"status\":\"success\",\"updated_at\":"
                                   "\"2020-01-01T00:00:00.000Z\"}]"),
                            &err),
              &err);
        return true;
    }
    if (wh_slice_ends(url, WH_LIT("/pipelines/50"))) {
        th_ok(wh_buf_append(&a->body, WH_LIT("{\"id\":50,\"iid\":1}"), &err), &err);
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

/* ---- states ---- */

/* The newest report of the streams in the topic `health`. */
static void last_report(struct th_control *t, struct wh_json_parser *parser, struct wh_streams *ret)
{
    const struct wh_bus_header *headers;
    struct wh_document doc = {.document = {NULL, 0}};
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n;

    th_control_turns(t, 10);
    for (size_t i = 0; wh_bus_mem_get(t->bus, "health", i, &msg, &headers, &n); i++) {
        if (memmem(msg.key.ptr, msg.key.len, ":streams:h:8701", 15)) {
            th_ok(wh_document_decode(msg.value, &doc, &err), &err);
        }
    }
    th_ok(wh_streams_parse(doc.document, parser, ret, &err), &err);
}

static const struct wh_stream *find(const struct wh_streams *all, const char *name)
{
    for (size_t i = 0; i < all->n; i++) {
        if (wh_slice_eq(all->list[i].name, wh_slice_str(name))) {
            return &all->list[i];
        }
    }
    fail_msg("no stream %s", name);
    return NULL;
}

/* The state stayed "enabled", as if the last good run said all. */
static void test_failing_runs_show_after_a_good_one(void **state)
{
    struct wh_json_parser *parser = wh_json_parser_new(1 << 20, 16);
    static struct th_control t;
    unsigned status = 0;
    struct conn *c = connect_to(&t, &status);
    struct wh_streams all;

    (void)state;
    run_once(&t, c);
    th_slice_is(conn_document(c)->state, "enabled");
    status = 500;
    run_once(&t, c);
    th_slice_is(conn_document(c)->state, "degraded");
    run_once(&t, c);
    run_once(&t, c);
    th_slice_is(conn_document(c)->state, "error");
    assert_non_null(memmem(conn_document(c)->detail.ptr, conn_document(c)->detail.len,
                           "GET /api/v4/projects", 20));
    last_report(&t, parser, &all);
    assert_int_equal(all.failing_runs, 3);
    assert_int_equal(wh_stream_state(&all, find(&all, "projects"), t.now_ms), WH_STREAM_FAILING);
    status = 0;
    run_once(&t, c);
    th_slice_is(conn_document(c)->state, "enabled");
    last_report(&t, parser, &all);
    assert_int_equal(wh_stream_state(&all, find(&all, "projects"), t.now_ms), WH_STREAM_ON_TIME);
    wh_json_parser_free(parser);
    th_control_done(&t);
}

static struct conn *connect_to_project(struct th_control *t, struct world *w)
{
    th_control_init(t);
    t->gitlab = answer_project;
    t->ctx = w;
    return th_control_connected(t);
}

static void test_one_failing_stream_is_named(void **state)
{
    struct wh_json_parser *parser = wh_json_parser_new(1 << 20, 16);
    struct world w = {.word = "/issues?"};
    static struct th_control t;
    struct conn *c = connect_to_project(&t, &w);
    struct wh_streams all;

    (void)state;
    run_once(&t, c);
    w.status = 502;
    run_once(&t, c);
    last_report(&t, parser, &all);
    assert_int_equal(wh_stream_state(&all, find(&all, "issues"), t.now_ms), WH_STREAM_LATE);
    assert_int_equal(wh_stream_state(&all, find(&all, "pipelines"), t.now_ms), WH_STREAM_ON_TIME);
    assert_int_equal(all.succeeded_ms, c->run.summaries[c->run.n_summaries - 2].finished_ms);
    th_slice_is(conn_document(c)->state, "degraded");
    assert_non_null(memmem(conn_document(c)->detail.ptr, conn_document(c)->detail.len,
                           "issues failed in the newest run", 31));
    th_slice_is(find(&all, "issues")->read_by, "rest");
    th_slice_is(find(&all, "issues")->credential, "read_api token");
    wh_json_parser_free(parser);
    th_control_done(&t);
}

/* It was "ok", and the connection stayed "enabled". */
static void test_a_run_that_is_refused_everything_is_not_good(void **state)
{
    struct wh_json_parser *parser = wh_json_parser_new(1 << 20, 16);
    struct world w = {.word = "/projects/7/", .status = 403};
    static struct th_control t;
    struct conn *c = connect_to_project(&t, &w);
    struct wh_streams all;

    (void)state;
    run_once(&t, c);
    assert_true(c->run.failed);
    assert_int_equal(c->run.next_ms, c->run.finished_ms + INTERVAL_MS);
    th_slice_is(conn_document(c)->state, "error");
    last_report(&t, parser, &all);
    assert_int_equal(wh_stream_state(&all, find(&all, "issues"), t.now_ms), WH_STREAM_NOT_READ);
    th_slice_is(find(&all, "issues")->reason, "not allowed (403) in the project");
    /* Some of them is a start. */
    w.word = "/issues?";
    run_once(&t, c);
    assert_false(c->run.failed);
    th_slice_is(conn_document(c)->state, "enabled");
    last_report(&t, parser, &all);
    assert_int_equal(wh_stream_state(&all, find(&all, "issues"), t.now_ms), WH_STREAM_NOT_READ);
    wh_json_parser_free(parser);
    th_control_done(&t);
}

/* A pipeline is read, but not its jobs: the stream is late, and its jobs are not proved. */
static void test_jobs_are_counted_by_pipelines(void **state)
{
    struct wh_json_parser *parser = wh_json_parser_new(1 << 20, 16);
    struct world w = {.word = "/pipelines/50/jobs", .status = 502};
    static struct th_control t;
    struct conn *c = connect_to_project(&t, &w);
    struct wh_streams all;

    (void)state;
    run_once(&t, c);
    last_report(&t, parser, &all);
    assert_int_equal(find(&all, "pipelines")->at_gitlab, 1);
    assert_int_equal(find(&all, "jobs")->missing, 1);
    assert_int_equal(wh_stream_state(&all, find(&all, "pipelines"), t.now_ms), WH_STREAM_LATE);
    assert_int_equal(wh_stream_state(&all, find(&all, "jobs"), t.now_ms), WH_STREAM_LATE);
    w.status = 0;
    run_once(&t, c);
    last_report(&t, parser, &all);
    assert_int_equal(find(&all, "jobs")->missing, 0);
    assert_int_equal(wh_stream_state(&all, find(&all, "jobs"), t.now_ms), WH_STREAM_ON_TIME);
    th_slice_is(find(&all, "jobs")->counted_by, "pipelines");
    wh_json_parser_free(parser);
    th_control_done(&t);
}

/* ---- a process that was killed ---- */

/* As at a start: the topic `health` is read from its beginning. */
static void take_health(struct th_control *t)
{
    const struct wh_bus_header *headers;
    struct wh_bus_msg msg;
    size_t n;

    for (size_t i = 0; wh_bus_mem_get(t->bus, "health", i, &msg, &headers, &n); i++) {
        fetcher_take_health(t->f, &msg);
    }
    th_control_turns(t, 10);
}

/* The state of that run in the topic `runs`, in its newest record. */
static void run_state_is(const struct th_control *t, int64_t run, const char *want)
{
    const struct wh_bus_header *headers;
    struct wh_document doc = {.document = {NULL, 0}};
    struct wh_bus_msg msg;
    char key[64];
    char part[64];
    struct wh_err err;
    size_t n;

    (void)snprintf(key, sizeof(key), ":%lld", (long long)run);
    (void)snprintf(part, sizeof(part), "\"state\":\"%s\"", want);
    for (size_t i = 0; wh_bus_mem_get(t->bus, "runs", i, &msg, &headers, &n); i++) {
        if (memmem(msg.key.ptr, msg.key.len, key, strlen(key))) {
            th_ok(wh_document_decode(msg.value, &doc, &err), &err);
        }
    }
    if (memmem(doc.document.ptr, doc.document.len, part, strlen(part)) == NULL) {
        fail_msg("run %s: %.*s", key, WH_SLICE_ARG(doc.document));
    }
}

static void test_a_run_that_was_cut_off_is_closed(void **state)
{
    struct world w = {.word = "/issues?", .status = 502};
    static struct th_control t;
    struct conn *c = connect_to_project(&t, &w);
    int64_t good;
    int64_t cut;

    (void)state;
    run_once(&t, c);
    run_once(&t, c);
    w.status = 0;
    run_once(&t, c);
    good = c->run.started_ms;
    w.status = 502;
    run_once(&t, c);
    run_once(&t, c);
    t.held = "/milestones";
    conn_run(c);
    th_control_turns(&t, 20);
    assert_int_equal(c->run.phase, RUN_STREAMS);
    cut = c->run.started_ms;
    run_state_is(&t, cut, "in_progress");
    t.held = NULL;
    t.now_ms += 1000;
    th_control_restart(&t);
    take_health(&t);
    th_control_turns(&t, 20);
    take_health(&t);
    c = th_control_conn(&t, "c-example");
    run_state_is(&t, cut, "interrupted");
    run_state_is(&t, good, "success");
    /* The count of failing runs goes on. */
    run_once(&t, c);
    assert_int_equal(c->run.traces.list[6].failing_runs, 4);
    th_slice_is(conn_document(c)->state, "error");
    /* Its own reports change nothing. */
    take_health(&t);
    run_state_is(&t, c->run.started_ms, "error");
    assert_int_equal(c->run.traces.list[6].failing_runs, 4);
    th_control_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_run_is_followed_after_the_interval),
        cmocka_unit_test(test_a_failed_run_is_repeated_soon),
        cmocka_unit_test(test_a_refused_token_is_tried_again_after_the_interval),
        cmocka_unit_test(test_a_run_that_is_asked_for_meanwhile_follows_at_once),
        cmocka_unit_test(test_failing_runs_show_after_a_good_one),
        cmocka_unit_test(test_one_failing_stream_is_named),
        cmocka_unit_test(test_a_run_that_was_cut_off_is_closed),
        cmocka_unit_test(test_jobs_are_counted_by_pipelines),
        cmocka_unit_test(test_a_run_that_is_refused_everything_is_not_good),
    };

    return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
