/* One credential: outcomes, tries, and limits of both kinds, on requests that the test answers. */
#include "tests/lib/th_cmocka.h"

#include <stdlib.h>

#include "stages/fetcher/gitlab/budget.h"
#include "stages/fetcher/gitlab/client.h"
#include "tests/lib/httpc_script.h"

enum { ANSWERS_MAX = 64, NOW_S = 1700000000, MAX_IN_FLIGHT = 4, RETRY_MAX = 3 };

/* What GitLab answers, one after the other; the last one again and again. */
struct reply {
    enum wh_rc rc;
    unsigned status;
    int64_t limit; /* 0: no RateLimit headers */
    int64_t left;
    int64_t reset_s;
    int64_t retry_after_s; /* 0: none */
    const char *type;
};

struct fixture {
    struct wh_loop *loop;
    struct th_script *http;
    struct client *client;
    int64_t now_ms;
    const struct reply *replies;
    size_t n_replies;
    size_t asked;
    enum client_outcome outcomes[ANSWERS_MAX];
    unsigned statuses[ANSWERS_MAX];
    char error[256]; /* of the newest answer */
    size_t n;
    bool no_room; /* for what answers hold */
};

static int64_t clock_now(void *ctx)
{
    return ((struct fixture *)ctx)->now_ms;
}

static int64_t clock_mono(void *ctx)
{
    (void)ctx;
    return 7;
}

static void gitlab(void *ctx, struct wh_slice url, struct wh_slice secret,
                   struct th_script_answer *a)
{
    struct fixture *x = ctx;
    size_t at = x->asked < x->n_replies ? x->asked : x->n_replies - 1;
    const struct reply *r = &x->replies[at];

    x->asked++;
    assert_true(wh_slice_starts(url, WH_LIT("https://gitlab.example.com/api/v4/")));
    th_slice_is(secret, "glpat-1");
    a->rc = r->rc;
    a->status = r->status;
    if (r->limit) {
        th_script_header(a, "ratelimit-limit", "%lld", (long long)r->limit);
        th_script_header(a, "ratelimit-remaining", "%lld", (long long)r->left);
        th_script_header(a, "ratelimit-reset", "%lld", (long long)r->reset_s);
    }
    if (r->type) {
        th_script_header(a, "content-type", "%s", r->type);
    }
    if (r->retry_after_s) {
        th_script_header(a, "retry-after", "%lld", (long long)r->retry_after_s);
    }
}

static void on_answer(void *ctx, const struct client_answer *a)
{
    struct fixture *x = ctx;

    assert_true(x->n < ANSWERS_MAX);
    x->outcomes[x->n] = a->outcome;
    x->statuses[x->n++] = a->status;
    (void)snprintf(x->error, sizeof(x->error), "%s", a->error ? a->error : "");
}

static bool may_send(void *ctx)
{
    return !((const struct fixture *)ctx)->no_room;
}

static int set_up(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    struct client_conf conf = {.instance = "https://gitlab.example.com",
                               .max_in_flight = MAX_IN_FLIGHT,
                               .retry_max = RETRY_MAX,
                               .backoff_ms = 1,
                               .backoff_max_ms = 4,
                               .timeout_ms = 1000,
                               .body_max = 1000};
    struct wh_err err;

    assert_non_null(x);
    x->now_ms = (int64_t)NOW_S * 1000;
    x->loop = wh_loop_new();
    x->http = th_script_new(gitlab, x);
    conf.loop = x->loop;
    conf.http = th_script_http(x->http);
    conf.clock = (struct wh_clock){.now_ms = clock_now, .mono_ns = clock_mono, .ctx = x};
    conf.may_send = may_send;
    conf.ctx = x;
    x->client = client_new(&conf);
    assert_non_null(x->client);
    th_ok(client_set_token(x->client, WH_LIT("glpat-1"), &err), &err);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *x = *state;

    client_free(x->client);
    th_script_free(x->http);
    wh_loop_free(x->loop);
    free(x);
    return 0;
}

static void get(struct fixture *x, const char *path)
{
    struct wh_err err;

    th_ok(client_get(x->client, wh_slice_str(path), on_answer, x, &err), &err);
    wh_loop_turn(x->loop, false);
}

/* Lets the client see that time has gone by, as its timer would. */
static void pass(struct fixture *x, int64_t ms)
{
    x->now_ms += ms;
    get(x, "/api/v4/version");
}

static void answer_all(struct fixture *x)
{
    while (th_script_waiting(x->http)) {
        th_script_answer_one(x->http, 0);
    }
}

static void replies_are(struct fixture *x, const struct reply *replies, size_t n)
{
    x->replies = replies;
    x->n_replies = n;
    x->asked = 0;
}

#define REPLIES(x, ...)                                                                            \
    static const struct reply replies_[] = {__VA_ARGS__};                                          \
    replies_are(x, replies_, sizeof(replies_) / sizeof(replies_[0]))

static void outcomes(void **state)
{
    struct fixture *x = *state;
    static const enum client_outcome expected[] = {CLIENT_OK,      CLIENT_GONE,    CLIENT_GONE,
                                                   CLIENT_DENIED,  CLIENT_SIGN_IN, CLIENT_REFUSED,
                                                   CLIENT_REFUSED, CLIENT_REFUSED};

    REPLIES(x, {.status = 200}, {.status = 404}, {.status = 410}, {.status = 403}, {.status = 401},
            {.status = 400}, {.status = 301}, {.status = 405});
    for (size_t i = 0; i < 8; i++) {
        get(x, "/api/v4/projects");
        answer_all(x);
        assert_int_equal(x->outcomes[i], expected[i]);
    }
    /* A redirect is not followed: eight were asked for, eight went out. */
    assert_int_equal(th_script_started(x->http), 8);
    assert_int_equal(client_open(x->client), 0);
}

static void faults_are_tried_again(void **state)
{
    struct fixture *x = *state;

    REPLIES(x, {.rc = WH_E_NET}, {.status = 502}, {.status = 200});
    get(x, "/api/v4/projects");
    while (x->n == 0) {
        answer_all(x);
        wh_loop_turn(x->loop, x->n == 0);
    }
    assert_int_equal(x->outcomes[0], CLIENT_OK);
    assert_int_equal(client_stats(x->client).requests, 3);
    assert_int_equal(client_stats(x->client).retries, 2);
}

static void attempts_are_used_up(void **state)
{
    struct fixture *x = *state;

    REPLIES(x, {.status = 503});
    get(x, "/api/v4/projects");
    while (x->n == 0) {
        answer_all(x);
        wh_loop_turn(x->loop, x->n == 0);
    }
    assert_int_equal(x->outcomes[0], CLIENT_FAILED);
    assert_int_equal(th_script_started(x->http), RETRY_MAX);
}

static void failures_say_what_was_answered(void **state)
{
    struct fixture *x = *state;

    REPLIES(x, {.status = 200, .type = "application/json"}, {.status = 302, .type = "text/html"},
            {.status = 404}, {.status = 403, .type = "a/b\x1b[2J"});
    get(x, "/api/v4/projects");
    answer_all(x);
    assert_string_equal(x->error, "");
    get(x, "/api/v4/projects?x=1");
    answer_all(x);
    assert_string_equal(x->error, "GitLab answers 302 text/html to GET /api/v4/projects");
    get(x, "/api/v4/projects/7");
    answer_all(x);
    assert_string_equal(x->error, "GitLab answers 404 to GET /api/v4/projects/7");
    get(x, "/api/v4/user");
    answer_all(x);
    assert_string_equal(x->error, "GitLab answers 403 a/b to GET /api/v4/user");
}

static void few_are_in_flight(void **state)
{
    struct fixture *x = *state;

    REPLIES(x, {.status = 200});
    for (unsigned i = 0; i < 10; i++) {
        get(x, "/api/v4/projects");
    }
    assert_int_equal(th_script_waiting(x->http), MAX_IN_FLIGHT);
    th_script_answer_one(x->http, 0);
    assert_int_equal(th_script_waiting(x->http), MAX_IN_FLIGHT);
    answer_all(x);
    assert_int_equal(x->n, 10);
}

/* However often: being told to wait is no failure. */
static void refusals_use_up_no_attempt(void **state)
{
    struct fixture *x = *state;

    REPLIES(x, {.status = 429, .retry_after_s = 30});
    get(x, "/api/v4/projects/1/issues");
    for (unsigned i = 0; i < 3 * RETRY_MAX; i++) {
        answer_all(x);
        assert_int_equal(th_script_waiting(x->http), 0);
        x->now_ms += 29000;
        get(x, "/api/v4/projects/1/issues");
        assert_int_equal(th_script_waiting(x->http), 0);
        x->now_ms += 1000;
        get(x, "/api/v4/projects/1/issues");
        assert_true(th_script_waiting(x->http) > 0);
    }
    assert_int_equal(x->n, 0);
    assert_true(client_stats(x->client).waited_ms >= 3 * RETRY_MAX * 29000);
}

static void a_refusal_without_headers_is_of_its_route(void **state)
{
    struct fixture *x = *state;

    REPLIES(x, {.status = 429, .retry_after_s = 60}, {.status = 200});
    get(x, "/api/v4/projects/1/pipelines/5/jobs?per_page=100");
    answer_all(x);
    get(x, "/api/v4/projects/2/pipelines/6/jobs");
    assert_int_equal(th_script_waiting(x->http), 0);
    get(x, "/api/v4/projects/1/merge_requests");
    assert_int_equal(th_script_waiting(x->http), 1);
    answer_all(x);
    assert_int_equal(x->n, 1);
    x->now_ms += 60000;
    get(x, "/api/v4/projects/1/merge_requests");
    answer_all(x);
    assert_int_equal(x->n, 4);
}

static void a_refusal_with_headers_is_of_all(void **state)
{
    struct fixture *x = *state;

    REPLIES(x, {.status = 429, .retry_after_s = 20, .limit = 600, .left = 0, .reset_s = NOW_S + 20},
            {.status = 200});
    get(x, "/api/v4/projects/1/pipelines/5/jobs");
    answer_all(x);
    get(x, "/api/v4/projects/1/merge_requests");
    assert_int_equal(th_script_waiting(x->http), 0);
    pass(x, 20000);
    assert_int_equal(th_script_waiting(x->http), 3);
    answer_all(x);
    assert_int_equal(x->n, 3);
}

static void backing_off_without_any_header(void **state)
{
    struct fixture *x = *state;

    REPLIES(x, {.status = 429}, {.status = 429}, {.status = 200});
    get(x, "/api/v4/projects");
    for (unsigned i = 0; i < 3; i++) {
        answer_all(x);
        assert_int_equal(th_script_waiting(x->http), 0);
        pass(x, 5);
    }
    answer_all(x);
    assert_int_equal(client_stats(x->client).throttled, 2);
    assert_true(x->n >= 3);
}

static void the_last_of_a_period_is_not_overdrawn(void **state)
{
    struct fixture *x = *state;

    REPLIES(x, {.status = 200, .limit = 100, .left = 0, .reset_s = NOW_S + 40});
    get(x, "/api/v4/projects");
    answer_all(x);
    get(x, "/api/v4/projects");
    assert_int_equal(th_script_waiting(x->http), 0);
    pass(x, 39000);
    assert_int_equal(th_script_waiting(x->http), 0);
    pass(x, 1000);
    assert_true(th_script_waiting(x->http) >= 2);
    assert_int_equal(client_stats(x->client).throttled, 0);
}

/* ---- the budget alone ---- */

/* GitLab with a fixed window: how many of n clients' requests are refused, and how many go. */
static void run_period(unsigned n, int64_t limit, int64_t *ret_sent, int64_t *ret_refused)
{
    struct budget b[4];
    int64_t used = 0;

    *ret_refused = 0;
    for (unsigned i = 0; i < n; i++) {
        budget_init(&b[i]);
    }
    for (int64_t now = 1; now < 60000; now++) {
        for (unsigned i = 0; i < n; i++) {
            if (budget_wait(&b[i], now) > 0) {
                continue;
            }
            budget_sent(&b[i], now);
            used++;
            *ret_refused += used > limit;
            budget_answer(&b[i], now, limit, used < limit ? limit - used : 0, 60000, 0);
        }
    }
    *ret_sent = used;
}

static void a_period_is_used_and_not_overdrawn(void **state)
{
    static const int64_t limits[] = {20, 100, 600, 2000};

    (void)state;
    for (unsigned n = 1; n <= 4; n++) {
        for (size_t i = 0; i < 4; i++) {
            int64_t sent;
            int64_t refused;

            run_period(n, limits[i], &sent, &refused);
            /* The last one of a period may be wanted by each of them. */
            assert_in_range(refused, 0, n - 1);
            assert_true(sent * 100 >= limits[i] * 90);
        }
    }
}

static void clocks_that_go_wrong(void **state)
{
    struct budget b;

    (void)state;
    budget_init(&b);
    /* A reset in the past, or in a year: no reason to wait for it. */
    budget_answer(&b, 1000000, 10, 0, 999000, 0);
    assert_int_equal(budget_wait(&b, 1000000), 0);
    budget_init(&b);
    budget_answer(&b, 1000000, 10, 0, 1000000 + 31536000000, 0);
    assert_int_equal(budget_wait(&b, 1000000), 0);
    budget_refused(&b, 1000000, INT64_C(31536000000));
    assert_in_range(budget_wait(&b, 1000000), 1, 3600000);
}

static void on_time(void *ctx)
{
    *(bool *)ctx = true;
}

static void turn_for(struct fixture *x, int64_t ms)
{
    bool over = false;
    struct wh_timer *timer = wh_timer_new(x->loop, on_time, &over);

    assert_non_null(timer);
    wh_timer_start(timer, ms, 0);
    while (!over) {
        wh_loop_turn(x->loop, true);
    }
    wh_timer_free(timer);
}

/* No request goes out, neither a new one nor one that is tried again, until there is room. */
static void nothing_is_sent_without_room(void **state)
{
    struct fixture *x = *state;
    const struct reply replies[] = {{.rc = WH_E_NET}, {.status = 200}, {.status = 200}};

    replies_are(x, replies, 3);
    get(x, "/api/v4/projects/1/issues");
    assert_int_equal(th_script_waiting(x->http), 1);
    x->no_room = true;
    answer_all(x);
    get(x, "/api/v4/projects/2/issues");
    turn_for(x, 20); /* the wait before the second attempt is shorter */
    assert_int_equal(th_script_waiting(x->http), 0);
    assert_int_equal(client_open(x->client), 2);
    x->no_room = false;
    client_wake(x->client);
    answer_all(x);
    assert_int_equal(x->n, 2);
    assert_int_equal(x->outcomes[0], CLIENT_OK);
    assert_int_equal(x->outcomes[1], CLIENT_OK);
}

int main(void)
{
#define WITH_CLIENT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_CLIENT(outcomes),
        WITH_CLIENT(faults_are_tried_again),
        WITH_CLIENT(attempts_are_used_up),
        WITH_CLIENT(failures_say_what_was_answered),
        WITH_CLIENT(few_are_in_flight),
        WITH_CLIENT(nothing_is_sent_without_room),
        WITH_CLIENT(refusals_use_up_no_attempt),
        WITH_CLIENT(a_refusal_without_headers_is_of_its_route),
        WITH_CLIENT(a_refusal_with_headers_is_of_all),
        WITH_CLIENT(backing_off_without_any_header),
        WITH_CLIENT(the_last_of_a_period_is_not_overdrawn),
        cmocka_unit_test(a_period_is_used_and_not_overdrawn),
        cmocka_unit_test(clocks_that_go_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
