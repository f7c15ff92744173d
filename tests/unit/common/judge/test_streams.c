/* Tables of cases: what a fetcher reports of a connection's streams, and what state follows. */
#include "common/judge/streams.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/json/json_doc.h"
#include "tests/lib/th_cmocka.h"

#define MIN(n) ((int64_t)(n)*60000)
enum { INTERVAL_MIN = 5 };
static const int64_t now_ms = INT64_C(1764000000000);

/* Read four minutes ago, as every stream of the healthy world. */
static struct wh_stream stream(const char *name)
{
    return (struct wh_stream){.name = wh_slice_str(name),
                              .read_by = WH_LIT("rest"),
                              .credential = WH_LIT("read_api token"),
                              .last_success_ms = now_ms - MIN(4),
                              .projects = 3,
                              .at_gitlab = 7,
                              .missing = -1};
}

static struct wh_streams healthy(void)
{
    struct wh_streams all = {.connection = WH_LIT("gl"),
                             .fetcher = WH_LIT("h-8701"),
                             .at_ms = now_ms - MIN(4),
                             .started_ms = now_ms - MIN(600),
                             .interval_ms = MIN(INTERVAL_MIN),
                             .succeeded_ms = now_ms - MIN(4),
                             .n = 3};

    all.list[0] = stream("projects");
    all.list[1] = stream("issues");
    all.list[2] = stream("pipelines");
    return all;
}

/* ---- one stream ---- */

struct stream_case {
    const char *name;
    int64_t read_min; /* minutes since the last success; -1: never */
    int64_t failing_runs;
    int64_t unread;
    int64_t skipped; /* of three projects */
    int64_t run_min; /* minutes since the run under way began; 0: there is none */
    int64_t progress_min;
    int64_t told_min; /* minutes since the report */
    bool done;        /* the run under way has read it */
    bool nobody;      /* nothing reads it */
    enum wh_stream_state want;
};

static const struct stream_case stream_cases[] = {
    {.name = "read within the interval", .read_min = 4, .want = WH_STREAM_ON_TIME},
    {.name = "due, and the run begins soon", .read_min = 9, .want = WH_STREAM_ON_TIME},
    {.name = "overdue by more than one interval", .read_min = 11, .want = WH_STREAM_LATE},
    {.name = "overdue by more than two intervals", .read_min = 16, .want = WH_STREAM_FAILING},
    {.name = "the newest run failed", .read_min = 1, .failing_runs = 1, .want = WH_STREAM_LATE},
    {.name = "two runs failed", .read_min = 1, .failing_runs = 2, .want = WH_STREAM_LATE},
    {.name = "three runs failed", .read_min = 1, .failing_runs = 3, .want = WH_STREAM_FAILING},
    {.name = "never read, and it failed",
     .read_min = -1,
     .failing_runs = 1,
     .want = WH_STREAM_FAILING},
    {.name = "a failing stream stays so while a run is under way",
     .read_min = 1,
     .failing_runs = 3,
     .run_min = 1,
     .want = WH_STREAM_FAILING},
    {.name = "rows were not read", .read_min = 1, .unread = 2, .want = WH_STREAM_LATE},
    {.name = "refused in some projects", .read_min = 1, .skipped = 2, .want = WH_STREAM_ON_TIME},
    {.name = "refused in all projects", .read_min = -1, .skipped = 3, .want = WH_STREAM_NOT_READ},
    {.name = "nothing reads it", .read_min = -1, .nobody = true, .want = WH_STREAM_NOT_READ},
    {.name = "the first run is under way",
     .read_min = -1,
     .run_min = 300,
     .want = WH_STREAM_SYNCING},
    {.name = "a long run is under way, and GitLab answers",
     .read_min = 40,
     .run_min = 35,
     .want = WH_STREAM_SYNCING},
    {.name = "a long run has read it",
     .read_min = 4,
     .run_min = 35,
     .done = true,
     .want = WH_STREAM_ON_TIME},
    {.name = "a run hangs",
     .read_min = 12,
     .run_min = 8,
     .progress_min = 6,
     .want = WH_STREAM_LATE},
    {.name = "a run hangs for long",
     .read_min = 40,
     .run_min = 35,
     .progress_min = 31,
     .want = WH_STREAM_FAILING},
    {.name = "nothing is heard of the fetcher in its run",
     .read_min = 40,
     .run_min = 35,
     .told_min = 1,
     .want = WH_STREAM_FAILING},
};

static struct wh_streams world_of(const struct stream_case *c)
{
    struct wh_streams all = healthy();
    struct wh_stream *one = &all.list[1];

    one->last_success_ms = c->read_min < 0 ? 0 : now_ms - MIN(c->read_min);
    one->failing_runs = c->failing_runs;
    one->unread = c->unread;
    one->skipped = c->skipped;
    one->active = c->run_min > 0 && !c->done;
    if (c->nobody) {
        one->read_by = WH_LIT("none");
    }
    if (c->run_min > 0) {
        all.run = now_ms - MIN(c->run_min);
        all.progress_ms = now_ms - MIN(c->progress_min);
        all.at_ms = now_ms - MIN(c->told_min);
    }
    return all;
}

static void test_stream_states(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(stream_cases) / sizeof(stream_cases[0]); i++) {
        const struct stream_case *c = &stream_cases[i];
        struct wh_streams all = world_of(c);

        enum wh_stream_state got = wh_stream_state(&all, &all.list[1], now_ms);

        if (got != c->want) {
            fail_msg("%s: %s", c->name, wh_stream_state_name(got));
        }
    }
}

/* Tests run every second; a stream is then not late after two. */
static void test_short_intervals_do_not_flap(void **state)
{
    struct wh_streams all = healthy();

    (void)state;
    all.interval_ms = 1000;
    all.list[1].last_success_ms = now_ms - 15000;
    assert_int_equal(wh_stream_state(&all, &all.list[1], now_ms), WH_STREAM_ON_TIME);
    all.list[1].last_success_ms = now_ms - 25000;
    assert_int_equal(wh_stream_state(&all, &all.list[1], now_ms), WH_STREAM_LATE);
}

/* ---- the connection ---- */

static void nothing(struct wh_streams *all)
{
    (void)all;
}

static void one_failing_run(struct wh_streams *all)
{
    all->failing_runs = 1;
    all->error = WH_LIT("GitLab answers 500 text/html to GET /api/v4/projects/7/issues");
    all->list[1].failing_runs = 1;
    all->list[1].reason = all->error;
}

static void three_failing_runs(struct wh_streams *all)
{
    one_failing_run(all);
    all->failing_runs = 3;
    all->list[1].failing_runs = 3;
}

static void a_sign_in_page(struct wh_streams *all)
{
    one_failing_run(all);
    all->list[1].reason = WH_LIT("issues: GitLab answers 404 text/html to GET /api/v4/x");
}

static void rows_not_read(struct wh_streams *all)
{
    all->list[1].unread = 2;
    all->list[1].reason = WH_LIT("issues: 2 rows are not read completely: GitLab answers 500");
}

static void failing_checks(struct wh_streams *all)
{
    all->failing_runs = 1;
    all->error = WH_LIT("checking issues: GitLab answers with errors");
}

static void failing_checks_for_long(struct wh_streams *all)
{
    failing_checks(all);
    all->failing_runs = 3;
}

static void first_run(struct wh_streams *all)
{
    all->succeeded_ms = 0;
    all->run = now_ms - MIN(1);
    all->progress_ms = all->at_ms = now_ms;
    for (size_t i = 0; i < all->n; i++) {
        all->list[i].last_success_ms = 0;
        all->list[i].active = true;
    }
}

static void first_run_failed(struct wh_streams *all)
{
    first_run(all);
    all->run = 0;
    all->failing_runs = 1;
    all->error = WH_LIT("projects: GitLab answers 502 text/html to GET /api/v4/projects");
}

static void two_late(struct wh_streams *all)
{
    all->list[1].last_success_ms = all->list[2].last_success_ms = now_ms - MIN(12);
}

static void three_failing(struct wh_streams *all)
{
    for (size_t i = 0; i < 3; i++) {
        all->list[i].last_success_ms = now_ms - MIN(30);
    }
}

static void one_not_read(struct wh_streams *all)
{
    all->list[2].read_by = WH_LIT("none");
    all->list[2].reason = WH_LIT("GitLab lists pipelines by MCP from 19.3 on");
}

static void none_read(struct wh_streams *all)
{
    one_not_read(all);
    all->list[1].skipped = 3;
    all->list[1].reason = WH_LIT("not allowed (403) in all projects");
}

static const struct {
    const char *name;
    void (*change)(struct wh_streams *all);
    const char *state;
    const char *detail; /* a part of it; NULL: it is empty */
} cases[] = {
    {"all is well", nothing, "enabled", NULL},
    {"the newest run failed", one_failing_run, "degraded",
     "issues failed in the newest run: GitLab answers 500 text/html to GET "
     "/api/v4/projects/7/issues"},
    {"it is GitLab's fault", one_failing_run, "degraded",
     "/issues; GitLab's own log says why, and it is tried again"},
    {"a page of HTML", a_sign_in_page, "degraded",
     "issues failed in the newest run: GitLab answers 404 text/html to GET /api/v4/x; a proxy or a "
     "sign-in page seems to answer in GitLab's place"},
    {"rows were not read", rows_not_read, "degraded",
     "issues: 2 rows are not read completely: GitLab answers 500; GitLab's own log"},
    {"three runs failed", three_failing_runs, "error", "issues failed in the last 3 runs: GitLab"},
    {"a check failed", failing_checks, "degraded", "the newest run failed: checking issues"},
    {"three checks failed", failing_checks_for_long, "error", "the last 3 runs failed: checking"},
    {"the first run", first_run, "processing", NULL},
    {"the first run failed", first_run_failed, "error",
     "the first run failed and is tried again: projects: GitLab answers 502"},
    {"two are late", two_late, "degraded", "; so is 1 other stream"},
    {"three are overdue", three_failing, "error", "; so are 2 other streams"},
    {"one stream has no reader", one_not_read, "enabled", NULL},
    {"no stream has a reader", none_read, "degraded",
     "nothing is read: issues: not allowed (403) in all projects"},
};

static void test_connection_states(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wh_streams all = healthy();
        struct wh_streams_verdict v;

        cases[i].change(&all);
        wh_streams_judge(&all, now_ms, &v);
        if (strcmp(v.state, cases[i].state) != 0 ||
            (cases[i].detail ? strstr(v.detail, cases[i].detail) == NULL : v.detail[0] != '\0')) {
            fail_msg("%s: %s: %s", cases[i].name, v.state, v.detail);
        }
    }
}

/* ---- several fetchers, and the document ---- */

static void test_fetchers_that_share_a_connection_are_joined(void **state)
{
    struct wh_streams all = healthy();
    struct wh_streams other = healthy();

    (void)state;
    other.at_ms = all.at_ms - MIN(1);
    other.list[1].last_success_ms = now_ms - MIN(12);
    other.list[1].at_gitlab = 5;
    other.list[2].at_gitlab = -1;
    one_failing_run(&other);
    wh_streams_join(&all, &other);
    assert_int_equal(all.list[1].at_gitlab, 12);
    assert_int_equal(all.list[2].at_gitlab, -1);
    assert_int_equal(all.list[1].projects, 6);
    assert_int_equal(all.list[1].last_success_ms, now_ms - MIN(12));
    assert_int_equal(all.failing_runs, 1);
    assert_int_equal(wh_stream_state(&all, &all.list[1], now_ms), WH_STREAM_LATE);
}

/* A container that was replaced has left its last report behind. */
static void test_a_fetcher_that_has_left_is_not_joined(void **state)
{
    struct wh_streams all = healthy();
    struct wh_streams other = healthy();

    (void)state;
    three_failing_runs(&other);
    other.at_ms = all.at_ms - MIN(16);
    wh_streams_join(&all, &other);
    assert_int_equal(all.failing_runs, 0);
    assert_int_equal(all.list[1].projects, 3);
}

static void test_the_document_survives_a_round(void **state)
{
    struct wh_json_parser *parser = wh_json_parser_new(1 << 20, 16);
    struct wh_streams all = healthy();
    WH_AUTO(buf) struct wh_buf first;
    WH_AUTO(buf) struct wh_buf second;
    struct wh_arena arena;
    struct wh_streams back;
    struct wh_err err;

    (void)state;
    wh_buf_init(&first, 1 << 20);
    wh_buf_init(&second, 1 << 20);
    wh_arena_init(&arena, 4096, 1 << 20);
    three_failing_runs(&all);
    all.list[0].at_gitlab = -1;
    assert_int_equal(wh_streams_write(&all, &first, &err), WH_OK);
    assert_int_equal(wh_streams_parse(wh_buf_slice(&first), parser, &back, &err), WH_OK);
    assert_int_equal(wh_streams_keep(&back, &arena, &err), WH_OK);
    wh_json_parser_free(parser);
    assert_int_equal(wh_streams_write(&back, &second, &err), WH_OK);
    assert_string_equal(wh_buf_str(&first), wh_buf_str(&second));
    wh_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_states),
        cmocka_unit_test(test_short_intervals_do_not_flap),
        cmocka_unit_test(test_connection_states),
        cmocka_unit_test(test_fetchers_that_share_a_connection_are_joined),
        cmocka_unit_test(test_a_fetcher_that_has_left_is_not_joined),
        cmocka_unit_test(test_the_document_survives_a_round),
    };

    return cmocka_run_group_tests_name("streams", tests, NULL, NULL);
}
