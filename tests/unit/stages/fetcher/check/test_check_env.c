/*
 * A check on its environment alone, without a connection: what it publishes, what it holds back, and
 * how it ends.
 */
#include "tests/lib/th_cmocka.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/event/raw_event.h"
#include "stages/fetcher/check/check.h"
#include "tests/lib/bus_mem.h"
#include "tests/lib/httpc_script.h"

enum { RUN_MS = 1000, TURNS_MAX = 10000, CONFIRM_MS = 60000 };

#define ROW(iid)                                                                                   \
    "{\"id\":500" iid ",\"iid\":" iid ",\"created_at\":\"2026-01-0" iid "T00:00:00Z\","            \
    "\"updated_at\":\"2026-02-01T00:00:00Z\",\"confidential\":false}"

struct fixture {
    int64_t now_ms;
    struct wh_bus_mem *bus;
    struct wh_loop *loop;
    struct th_script *http;
    struct wh_producer *producer;
    struct outbox *outbox;
    struct client *client;
    struct numbers *issues; /* of the project 7 */
    struct projects projects;
    struct stream_count counts[STREAMS];
    struct check_env env;
    struct check *check;
    struct check_result result;
    unsigned done;
    unsigned saved;
    bool stopping;
    const char *list; /* NULL: the listing fails */
    bool bad_page;    /* the first page fails */
    bool owns_all;
    int64_t known; /* objects of a kind without numbers */
    bool no_sweep; /* the checks are those of ordinary runs */
    const char *single;
    unsigned single_status;
    unsigned singles;         /* requests for one object */
    char url[256];            /* of the newest of them */
    unsigned project_status;  /* of the project alone */
    const char *project;      /* its row */
    unsigned instance_status; /* of something else */
};

static int64_t clock_now(void *ctx)
{
    return ((struct fixture *)ctx)->now_ms;
}

static int64_t clock_mono(void *ctx)
{
    return ((struct fixture *)ctx)->now_ms * 1000000;
}

static void put(struct th_script_answer *a, unsigned status, const char *body)
{
    struct wh_err err;

    a->status = status;
    th_ok(wh_buf_append(&a->body, wh_slice_str(body), &err), &err);
}

static bool ends(struct wh_slice url, const char *end)
{
    size_t len = strlen(end);

    return url.len >= len && memcmp(url.ptr + url.len - len, end, len) == 0;
}

/* A listing answers with x->list; an issue alone as the fixture says, at first with 404. */
static void gitlab(void *ctx, struct wh_slice url, struct wh_slice secret,
                   struct th_script_answer *a)
{
    struct fixture *x = ctx;
    struct wh_err err;

    (void)secret;
    if (ends(url, "/api/v4/user")) {
        put(a, x->instance_status, "{}");
    } else if (ends(url, "/projects/7")) {
        put(a, x->project_status, x->project);
    } else if (memmem(url.ptr, url.len, "/projects/7/issues?", 19) == NULL) {
        x->singles++;
        assert_true(url.len < sizeof(x->url));
        memcpy(x->url, url.ptr, url.len);
        x->url[url.len] = '\0';
        put(a, x->single_status, x->single);
    } else if (x->bad_page && memmem(url.ptr, url.len, "&page=1", 7)) {
        a->status = 500;
    } else if (x->list == NULL) {
        a->status = 500;
    } else {
        th_ok(wh_buf_append(&a->body, wh_slice_str(x->list), &err), &err);
    }
}

/* ---- the environment ---- */

static struct outbox_row run_row(void *ctx)
{
    (void)ctx;
    return (struct outbox_row){.topic = "raw.c",
                               .connection = WH_LIT("c"),
                               .instance = WH_LIT("https://gitlab.example.com"),
                               .origin = WH_ORIGIN_REST,
                               .run = RUN_MS};
}

static void on_settled(void *ctx)
{
    const struct fixture *x = ctx;

    if (x->check) {
        check_wake(x->check);
    }
}

static void on_room(void *ctx)
{
    on_settled(ctx);
}

static bool owns(void *ctx, const char *project)
{
    return ((const struct fixture *)ctx)->owns_all || project == NULL || strcmp(project, "7") == 0;
}

static bool by_rest(void *ctx, unsigned stream)
{
    (void)ctx;
    return stream == 0 || numbers_stream_of(stream) == NUMBERS_ISSUES;
}

static const char *tool(void *ctx, unsigned stream)
{
    (void)ctx;
    (void)stream;
    return NULL;
}

static bool stopping(void *ctx)
{
    return ((const struct fixture *)ctx)->stopping;
}

static enum wh_rc save(void *ctx, struct numbers *n, struct wh_err *err)
{
    struct fixture *x = ctx;

    (void)n;
    (void)err;
    x->saved++;
    return WH_OK;
}

static int64_t known(void *ctx, const char *project, const char *kind)
{
    (void)project;
    (void)kind;
    return ((const struct fixture *)ctx)->known;
}

static void publish(void *ctx, const char *project, const char *path)
{
    (void)ctx;
    (void)project;
    (void)path;
}

static void on_done(void *ctx, const struct check_result *result)
{
    struct fixture *x = ctx;

    x->check = NULL;
    x->result = *result;
    x->done++;
}

static void make_env(struct fixture *x)
{
    const struct gone_env gone = {
        .outbox = x->outbox, .row = run_row, .settled = on_settled, .ctx = x};

    x->env = (struct check_env){.loop = x->loop,
                                .outbox = x->outbox,
                                .gone = gone_new(&gone),
                                .numbers = numbers_table_new(),
                                .absences = absences_new(NULL, NULL),
                                .clock = {clock_now, clock_mono, x},
                                .rows = wh_json_parser_new(1 << 16, 16),
                                .arrays = wh_json_parser_new(1 << 16, 16),
                                .connection = "c",
                                .limits = {.max_jobs = 2,
                                           .hold_min = 20,
                                           .hold_percent = 10,
                                           .numbers_max = 100,
                                           .confirm_ms = CONFIRM_MS},
                                .owns = owns,
                                .by_rest = by_rest,
                                .tool = tool,
                                .stopping = stopping,
                                .save = save,
                                .known = known,
                                .publish = publish,
                                .ctx = x};
    assert_true(x->env.gone && x->env.numbers && x->env.absences && x->env.rows && x->env.arrays);
}

static void make_client(struct fixture *x)
{
    const struct client_conf conf = {.loop = x->loop,
                                     .http = th_script_http(x->http),
                                     .clock = {clock_now, clock_mono, x},
                                     .instance = "https://gitlab.example.com",
                                     .max_in_flight = 4,
                                     .retry_max = 1,
                                     .backoff_ms = 1,
                                     .backoff_max_ms = 1,
                                     .timeout_ms = 1000,
                                     .body_max = 1 << 16};
    struct wh_err err;

    x->client = client_new(&conf);
    assert_non_null(x->client);
    th_ok(client_set_token(x->client, WH_LIT("glpat-1"), &err), &err);
}

static void set_issue(const struct fixture *x, int64_t number, enum number_fate fate)
{
    struct wh_err err;

    th_ok(number_set_put(x->issues->set, number, 5000 + number, fate, false, &err), &err);
}

static enum number_fate fate_of(const struct fixture *x, int64_t number)
{
    return number_set_get(x->issues->set, number).fate;
}

/* The issue 1 of the project 7 is known; the listing is empty. */
static int set_up(void **state)
{
    struct fixture *x = wh_mem_zalloc(1, sizeof(*x));
    struct wh_producer_conf conf;
    struct project *p;
    struct wh_err err;

    assert_non_null(x);
    x->now_ms = 1700000000000;
    x->list = "[]";
    x->single = "";
    x->single_status = 404;
    x->project_status = 200;
    x->project = "{\"id\":7}";
    x->instance_status = 200;
    x->bus = wh_bus_mem_new();
    x->loop = wh_loop_new();
    x->http = th_script_new(gitlab, x);
    assert_true(x->bus && x->loop && x->http);
    th_ok(wh_bus_mem_topic(x->bus, "raw.c", 1, &err), &err);
    x->outbox = outbox_new(&(struct outbox_conf){
        .loop = x->loop, .clock = {clock_now, clock_mono, x}, .on_room = on_room, .ctx = x});
    assert_non_null(x->outbox);
    wh_producer_conf_init(&conf);
    th_ok(wh_bus_mem_producer(x->bus, &conf, &x->producer, &err), &err);
    outbox_set_producer(x->outbox, x->producer);
    make_client(x);
    make_env(x);
    p = projects_add(&x->projects, WH_LIT("7"));
    assert_non_null(p);
    p->listed_run = RUN_MS;
    p->access = 30;
    x->issues = numbers_of(x->env.numbers, "c", "7", NUMBERS_ISSUES, true);
    assert_non_null(x->issues);
    set_issue(x, 1, NUMBER_HAVE);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    check_free(x->check);
    client_free(x->client);
    outbox_abandon(x->outbox);
    gone_free(x->env.gone);
    wh_producer_free(x->producer);
    outbox_free(x->outbox);
    numbers_table_free(x->env.numbers);
    absences_free(x->env.absences);
    projects_free(&x->projects);
    wh_json_parser_free(x->env.rows);
    wh_json_parser_free(x->env.arrays);
    th_script_free(x->http);
    wh_loop_free(x->loop);
    wh_bus_mem_free(x->bus);
    wh_mem_free(x);
    return 0;
}

/* ---- one check ---- */

static void start(struct fixture *x, bool confirm)
{
    const struct check_run run = {.sweep = !x->no_sweep,
                                  .confirm = confirm,
                                  .client = x->client,
                                  .projects = &x->projects,
                                  .started_ms = RUN_MS,
                                  .counts = x->counts,
                                  .done = on_done,
                                  .ctx = x};

    x->done = 0;
    x->check = check_start(&x->env, &run);
    assert_non_null(x->check);
    assert_int_equal(x->done, 0);
}

/* Answers one request, or lets one step of the loop pass. */
static void step(struct fixture *x)
{
    wh_loop_turn(x->loop, false);
    if (th_script_waiting(x->http)) {
        th_script_answer_one(x->http, 0);
    } else if (wh_producer_pending(x->producer)) {
        (void)wh_producer_poll(x->producer, 0);
    } else if (x->check) {
        x->now_ms += 200;
        wh_loop_turn(x->loop, true);
    }
}

static void check(struct fixture *x, bool confirm)
{
    start(x, confirm);
    for (unsigned i = 0; i < TURNS_MAX && x->done == 0; i++) {
        step(x);
    }
    assert_int_equal(x->done, 1);
}

/* GitLab answers as before, gone.confirm later. */
static void check_twice(struct fixture *x)
{
    check(x, false);
    assert_int_equal(x->result.tombstones, 0);
    x->now_ms += CONFIRM_MS;
    check(x, false);
}

static void record_is(const struct fixture *x, size_t index, const char *kind, const char *id)
{
    const struct wh_bus_header *headers;
    struct wh_raw_event e;
    struct wh_arena arena;
    struct wh_bus_msg msg;
    struct wh_err err;
    size_t n;

    assert_true(wh_bus_mem_get(x->bus, "raw.c", index, &msg, &headers, &n));
    wh_arena_init(&arena, 4096, 1 << 20);
    th_ok(wh_raw_event_decode(msg.value, &arena, &e, &err), &err);
    th_slice_is(e.kind, kind);
    th_slice_is(e.object_id, id);
    wh_arena_done(&arena);
}

/* ---- tests ---- */

static void test_found_and_gone(void **state)
{
    struct fixture *x = *state;

    x->list = "[" ROW("2") "]";
    check_twice(x);
    assert_true(x->result.ok);
    assert_int_equal(x->result.tombstones, 1);
    assert_int_equal(absences_unsure(x->env.absences, "c"), 0);
    assert_int_equal(x->result.held, 0);
    assert_int_equal(wh_bus_mem_count(x->bus, "raw.c"), 2);
    record_is(x, 0, "issue", "5002");
    record_is(x, 1, "gone", "5001");
    assert_int_equal(fate_of(x, 1), NUMBER_DELETED);
    assert_int_equal(fate_of(x, 2), NUMBER_HAVE);
    assert_true(x->saved > 0);
}

/* One 404, however often the check is repeated at once, only makes the object unsure. */
static void test_one_answer_proves_nothing(void **state)
{
    struct fixture *x = *state;

    for (int i = 0; i < 3; i++) {
        check(x, false);
        assert_true(x->result.ok);
        assert_int_equal(x->result.tombstones, 0);
        assert_int_equal(absences_unsure(x->env.absences, "c"), 1);
        assert_int_equal(fate_of(x, 1), NUMBER_HAVE);
    }
    assert_int_equal(wh_bus_mem_count(x->bus, "raw.c"), 0);
    x->list = "[" ROW("1") "]";
    check(x, false);
    assert_int_equal(absences_unsure(x->env.absences, "c"), 0);
    x->list = "[]";
    x->now_ms += CONFIRM_MS;
    check(x, false); /* the first 404 of another absence */
    assert_int_equal(x->result.tombstones, 0);
}

/* What is unsure is asked for again by the next run, which lists nothing; not before it is time. */
static void test_unsure_is_asked_again(void **state)
{
    struct fixture *x = *state;

    check(x, false);
    x->no_sweep = true;
    check(x, false);
    assert_int_equal(x->singles, 1);
    x->now_ms += CONFIRM_MS;
    check(x, false);
    assert_int_equal(x->singles, 2);
    assert_int_equal(x->result.tombstones, 1);
    record_is(x, 0, "gone", "5001");
    check(x, false);
    assert_int_equal(x->singles, 2);
}

static void test_unsure_and_shown(void **state)
{
    struct fixture *x = *state;

    check(x, false);
    x->no_sweep = true;
    x->now_ms += CONFIRM_MS;
    x->single = ROW("1");
    x->single_status = 200;
    check(x, false);
    assert_int_equal(x->result.tombstones, 0);
    assert_int_equal(absences_unsure(x->env.absences, "c"), 0);
    assert_int_equal(fate_of(x, 1), NUMBER_HAVE);
}

/* The answers are of GitLab's own, but they are not about the object. */
static void test_without_the_project_nothing_is_proved(void **state)
{
    static const unsigned statuses[] = {404, 403, 500};
    struct fixture *x = *state;

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        x->project_status = statuses[i];
        check_twice(x);
        assert_int_equal(x->result.tombstones, 0);
        assert_int_equal(fate_of(x, 1), NUMBER_HAVE);
        assert_int_equal(absences_unsure(x->env.absences, "c"), 1);
    }
    x->project_status = 200;
    check(x, false);
    assert_int_equal(x->result.tombstones, 1);
}

static void test_a_403_proves_nothing(void **state)
{
    struct fixture *x = *state;

    x->single_status = 403;
    check_twice(x);
    check_twice(x);
    assert_int_equal(x->result.tombstones, 0);
    assert_int_equal(absences_unsure(x->env.absences, "c"), 1);
    assert_int_equal(fate_of(x, 1), NUMBER_HAVE);
}

/* ---- objects without numbers ---- */

static struct absence *missing(struct fixture *x, const char *project, const char *kind,
                               const char *id, int64_t number)
{
    const struct absence_key key = {"c", project, kind, id};
    struct absence *a = absences_note(x->env.absences, &key, number, x->now_ms, false);

    assert_non_null(a);
    x->list = "[" ROW("1") "]";
    return a;
}

static void test_each_kind_is_read_alone(void **state)
{
    static const struct {
        const char *project;
        const char *kind;
        const char *id;
        int64_t number;
        const char *path;
    } cases[] = {
        {"7", "membership", "project:7:12", 0, "/projects/7/members/all/12"},
        {"7", "milestone", "5", 0, "/projects/7/milestones/5"},
        {"7", "milestone", "6", 77, "/groups/77/milestones/6"},
        {"7", "environment", "8", 0, "/projects/7/environments/8"},
        {"7", "release", "7:v1/2:b", 0, "/projects/7/releases/v1%2F2%3Ab"},
        {"7", "job", "41", 0, "/projects/7/jobs/41"},
        {"7", "deployment", "9", 0, "/projects/7/deployments/9"},
        {"", "user", "12", 0, "/users/12"},
    };
    struct fixture *x = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t before = wh_bus_mem_count(x->bus, "raw.c");
        const struct absence *a =
            missing(x, cases[i].project, cases[i].kind, cases[i].id, cases[i].number);

        x->no_sweep = true;
        check_twice(x);
        assert_true(ends(wh_slice_str(x->url), cases[i].path));
        assert_int_equal(x->result.tombstones, 1);
        assert_int_equal(wh_bus_mem_count(x->bus, "raw.c"), before + 1);
        record_is(x, before, "gone", cases[i].id);
        assert_true(a->told);
        x->singles = 0;
        check(x, false);
        assert_int_equal(x->singles, 0);
    }
}

static void test_absent_and_shown(void **state)
{
    struct fixture *x = *state;

    (void)missing(x, "7", "milestone", "5", 0);
    check(x, false);
    x->single = "{\"id\":5}";
    x->single_status = 200;
    x->now_ms += CONFIRM_MS;
    check(x, false);
    assert_int_equal(x->result.tombstones, 0);
    assert_int_equal(absences_unsure(x->env.absences, "c"), 0);
}

/* The project cannot be read, GitLab refuses, or it fails: nothing is proved, and the run goes on. */
static void test_absent_without_proof(void **state)
{
    static const struct {
        unsigned project;
        unsigned object;
    } cases[] = {{404, 404}, {200, 403}, {200, 500}};
    struct fixture *x = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct absence *a = missing(x, "7", "milestone", "5", 0);

        x->project_status = cases[i].project;
        x->single_status = cases[i].object;
        check_twice(x);
        assert_true(x->result.ok);
        assert_int_equal(x->result.tombstones, 0);
        assert_int_equal(absences_unsure(x->env.absences, "c"), 1);
        absences_remove(x->env.absences, a);
    }
}

static void test_many_absent_are_held(void **state)
{
    struct fixture *x = *state;

    x->env.limits.hold_min = 2;
    x->known = 10;
    (void)missing(x, "7", "milestone", "5", 0);
    (void)missing(x, "7", "milestone", "6", 0);
    (void)missing(x, "7", "milestone", "7", 0);
    (void)missing(x, "7", "environment", "8", 0);
    check_twice(x);
    assert_int_equal(x->result.held, 3);
    assert_int_equal(x->result.tombstones, 1);
    record_is(x, 0, "gone", "8");
    check(x, true);
    assert_int_equal(x->result.held, 0);
    assert_int_equal(x->result.tombstones, 3);
}

/* ---- a project that the list of projects does not contain ---- */

static enum number_fate project_fate(const struct fixture *x)
{
    const struct numbers *n = numbers_of(x->env.numbers, "c", "7", NUMBERS_PROJECT, false);

    return number_set_get(n->set, 1).fate;
}

static void lose_project(struct fixture *x)
{
    struct numbers *n = numbers_of(x->env.numbers, "c", "7", NUMBERS_PROJECT, true);
    struct wh_err err;

    assert_non_null(n);
    th_ok(number_set_put(n->set, 1, 7, NUMBER_HAVE, false, &err), &err);
    x->projects.first->listed_run = 0;
    x->project_status = 404;
    x->project = "{}";
}

static void test_a_lost_project(void **state)
{
    struct fixture *x = *state;

    lose_project(x);
    check_twice(x);
    assert_true(x->result.ok);
    assert_int_equal(x->result.tombstones, 2);
    assert_int_equal(project_fate(x), NUMBER_NO_ACCESS);
    assert_int_equal(fate_of(x, 1), NUMBER_NO_ACCESS);
    assert_int_equal(absences_unsure(x->env.absences, "c"), 0);
}

/* The credential reads nothing at all; or GitLab does not say that the project is not there. */
static void test_a_project_that_is_unsure(void **state)
{
    static const struct {
        unsigned project;
        unsigned instance;
    } cases[] = {{404, 404}, {404, 403}, {403, 200}};
    struct fixture *x = *state;

    lose_project(x);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        x->project_status = cases[i].project;
        x->instance_status = cases[i].instance;
        check_twice(x);
        assert_true(x->result.ok);
        assert_int_equal(x->result.tombstones, 0);
        assert_int_equal(project_fate(x), NUMBER_HAVE);
        assert_int_equal(fate_of(x, 1), NUMBER_HAVE);
        assert_int_equal(absences_unsure(x->env.absences, "c"), 1);
    }
    x->projects.first->listed_run = RUN_MS;
    x->list = "[" ROW("1") "]";
    check(x, false);
    assert_int_equal(absences_unsure(x->env.absences, "c"), 0);
}

static void test_a_project_without_us(void **state)
{
    struct fixture *x = *state;

    lose_project(x);
    x->project_status = 200;
    x->project = "{\"id\":7,\"permissions\":{\"project_access\":null}}";
    check_twice(x);
    assert_int_equal(x->result.tombstones, 2);
    assert_int_equal(project_fate(x), NUMBER_NO_ACCESS);
}

static void test_too_many_are_held(void **state)
{
    struct fixture *x = *state;

    x->env.limits.hold_min = 0;
    x->env.limits.hold_percent = 0;
    check_twice(x);
    assert_true(x->result.ok);
    assert_int_equal(x->result.held, 1);
    assert_int_equal(x->result.tombstones, 0);
    assert_int_equal(fate_of(x, 1), NUMBER_HELD);
    assert_int_equal(wh_bus_mem_count(x->bus, "raw.c"), 0);
    check(x, true);
    assert_int_equal(x->result.held, 0);
    assert_int_equal(x->result.tombstones, 1);
    record_is(x, 0, "gone", "5001");
    assert_int_equal(fate_of(x, 1), NUMBER_DELETED);
}

static void put_many(struct fixture *x, enum numbers_stream stream, int64_t n,
                     enum number_fate fate)
{
    struct numbers *numbers = numbers_of(x->env.numbers, "c", "7", stream, true);
    struct wh_err err;

    for (int64_t i = 1; i <= n; i++) {
        th_ok(number_set_put(numbers->set, i, 5000 + i, fate, false, &err), &err);
    }
}

/* Three of three issues are too many, though not for the connection; one merge request is not. */
static void test_one_stream_is_held(void **state)
{
    struct fixture *x = *state;

    x->env.limits.hold_min = 2;
    put_many(x, NUMBERS_ISSUES, 3, NUMBER_HELD);
    put_many(x, NUMBERS_MERGE_REQUESTS, 1, NUMBER_HELD);
    put_many(x, NUMBERS_PIPELINES, 100, NUMBER_HAVE);
    check(x, false);
    assert_true(x->result.ok);
    assert_int_equal(x->result.held, 3);
    assert_int_equal(x->result.tombstones, 1);
    record_is(x, 0, "gone", "5001");
    assert_true(x->issues->holds);
    check(x, true);
    assert_int_equal(x->result.held, 0);
    assert_int_equal(x->result.tombstones, 3);
    assert_false(x->issues->holds);
}

/* A project that is lost is one event: its streams are not held for themselves. */
static void test_a_lost_project_is_not_held_by_stream(void **state)
{
    struct fixture *x = *state;

    x->env.limits.hold_min = 2;
    put_many(x, NUMBERS_ISSUES, 3, NUMBER_HAVE);
    for (int i = 0; i < 100; i++) {
        char project[8];
        struct numbers *other;
        struct wh_err err;

        (void)snprintf(project, sizeof(project), "7%02d", i);
        other = numbers_of(x->env.numbers, "c", project, NUMBERS_ISSUES, true);
        th_ok(number_set_put(other->set, 1, 1, NUMBER_HAVE, false, &err), &err);
    }
    x->owns_all = true;
    lose_project(x);
    check_twice(x);
    assert_int_equal(x->result.held, 0);
    assert_int_equal(x->result.tombstones, 4);
}

static void test_held_and_shown_again(void **state)
{
    struct fixture *x = *state;

    set_issue(x, 1, NUMBER_HELD);
    x->list = "[" ROW("1") "]";
    check(x, false);
    assert_true(x->result.ok);
    assert_int_equal(fate_of(x, 1), NUMBER_HAVE);
    assert_int_equal(wh_bus_mem_count(x->bus, "raw.c"), 0);
}

/* A project that was gone keeps its mark until a check of it ends well. */
static void test_a_failed_listing_proves_nothing(void **state)
{
    struct fixture *x = *state;

    x->list = NULL;
    x->projects.first->relist = true;
    check(x, false);
    assert_false(x->result.ok);
    assert_non_null(strstr(x->result.error, "checking issues"));
    assert_int_equal(x->result.tombstones, 0);
    assert_int_equal(fate_of(x, 1), NUMBER_HAVE);
    assert_true(x->projects.first->relist);
    x->list = "[" ROW("1") "]";
    check(x, false);
    assert_true(x->result.ok);
    assert_string_equal(x->result.error, "");
    assert_false(x->projects.first->relist);
}

/* A page that GitLab cannot serve: its known numbers are read one by one, and so are the missing. */
static void test_a_bad_page(void **state)
{
    struct fixture *x = *state;

    x->bad_page = true;
    x->single = ROW("1");
    x->single_status = 200;
    check(x, false);
    assert_true(x->result.ok);
    assert_string_equal(x->result.error, "checking issues: GitLab answers 500 to GET "
                                         "/api/v4/projects/7/issues");
    assert_int_equal(x->result.tombstones, 0);
    assert_int_equal(fate_of(x, 1), NUMBER_HAVE);
    assert_int_equal(x->singles, 1);
}

/* A number that GitLab cannot serve is named, stays missing, and stops nothing else. */
static void test_a_bad_number(void **state)
{
    static const struct {
        unsigned status;
        const char *body;
    } answers[] = {{500, ""}, {200, "<html></html>"}};
    struct fixture *x = *state;

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        x->list = "[" ROW("3") "]";
        x->single_status = answers[i].status;
        x->single = answers[i].body;
        check(x, false);
        assert_true(x->result.ok);
        assert_non_null(strstr(x->result.error, "checking issues: "));
        assert_int_equal(fate_of(x, 1), NUMBER_HAVE); /* no verdict */
        assert_int_equal(fate_of(x, 2), NUMBER_UNKNOWN);
        assert_int_equal(fate_of(x, 3), NUMBER_HAVE);
    }
    x->single_status = 404;
    x->single = "";
    check(x, false);
    assert_true(x->result.ok);
    assert_string_equal(x->result.error, "");
}

static void test_a_refused_tombstone_is_published_again(void **state)
{
    struct fixture *x = *state;

    wh_bus_mem_fail(x->bus, WH_BUS_MEM_DELIVERY, 0, 1, WH_E_TOO_LARGE);
    check_twice(x);
    assert_int_equal(wh_bus_mem_count(x->bus, "raw.c"), 0);
    assert_int_equal(fate_of(x, 1), NUMBER_HELD);
    check(x, false);
    record_is(x, 0, "gone", "5001");
    assert_int_equal(fate_of(x, 1), NUMBER_DELETED);
}

static void test_back(void **state)
{
    struct fixture *x = *state;

    assert_true(gone_back(x->env.gone, x->issues, 1, 5001, false));
    assert_true(gone_back(x->env.gone, x->issues, 2, 5002, false));
    set_issue(x, 1, NUMBER_DELETED);
    assert_false(gone_back(x->env.gone, x->issues, 1, 5001, true));
    assert_int_equal(fate_of(x, 1), NUMBER_DELETED); /* until Kafka has the record */
    assert_int_equal(gone_waiting(x->env.gone), 1);
    while (gone_waiting(x->env.gone)) {
        (void)wh_producer_poll(x->producer, 0);
    }
    record_is(x, 0, "back", "5001");
    assert_int_equal(fate_of(x, 1), NUMBER_HAVE);
    assert_true(number_set_get(x->issues->set, 1).confidential);
}

/* Freed at any point, a check says nothing, and what it waited for finds nobody. */
static void test_freed_anywhere(void **state)
{
    struct fixture *x = *state;

    for (unsigned steps = 0; steps < 6; steps++) {
        set_issue(x, 1, NUMBER_HAVE);
        start(x, false);
        for (unsigned i = 0; i < steps && x->done == 0; i++) {
            step(x);
        }
        if (x->done) {
            break;
        }
        check_free(x->check);
        x->check = NULL;
        client_free(x->client);
        make_client(x);
        while (wh_producer_pending(x->producer)) {
            (void)wh_producer_poll(x->producer, 0);
        }
        assert_int_equal(x->done, 0);
    }
}

static void test_stopping(void **state)
{
    struct fixture *x = *state;

    start(x, false);
    wh_loop_turn(x->loop, false);
    assert_int_equal(th_script_waiting(x->http), 1);
    x->stopping = true;
    th_script_answer_one(x->http, 0);
    check_wake(x->check);
    wh_loop_turn(x->loop, false);
    assert_int_equal(th_script_waiting(x->http), 0);
    assert_int_equal(x->done, 0);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(test_found_and_gone),
        ONE(test_one_answer_proves_nothing),
        ONE(test_unsure_is_asked_again),
        ONE(test_unsure_and_shown),
        ONE(test_without_the_project_nothing_is_proved),
        ONE(test_a_403_proves_nothing),
        ONE(test_each_kind_is_read_alone),
        ONE(test_absent_and_shown),
        ONE(test_absent_without_proof),
        ONE(test_many_absent_are_held),
        ONE(test_a_lost_project),
        ONE(test_a_project_that_is_unsure),
        ONE(test_a_project_without_us),
        ONE(test_too_many_are_held),
        ONE(test_one_stream_is_held),
        ONE(test_a_lost_project_is_not_held_by_stream),
        ONE(test_held_and_shown_again),
        ONE(test_a_failed_listing_proves_nothing),
        ONE(test_a_bad_page),
        ONE(test_a_bad_number),
        ONE(test_a_refused_tombstone_is_published_again),
        ONE(test_back),
        ONE(test_freed_anywhere),
        ONE(test_stopping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
