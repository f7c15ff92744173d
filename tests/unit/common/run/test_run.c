/* The process runs in the test's own thread; requests come from a pool thread of its loop. */
#include "tests/lib/th_cmocka.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/run/run.h"
#include "tests/lib/th_get.h"
#include "tests/lib/th_tmp.h"

enum { ASKS_MAX = 12 };

struct ask {
    const char *method;
    const char *path;
    unsigned status;  /* expected */
    const char *part; /* of the answer; NULL: any */
};

struct world {
    struct wh_run *run;
    struct wh_timer *soon;
    const struct ask *asks;
    size_t n_asks;
    char wrong[256]; /* the first answer that was not as expected */
    bool signal;     /* ends by SIGTERM once all is asked, else by wh_run_drained */
    bool stay;       /* does not end then */
    bool asked;
    bool fatal;
    bool hold; /* drains only after the requests */
    const char *why_not;
    int drains;
    int collects;
    int requests;
    int dones;
};

static void ask_all(void *ctx)
{
    struct world *w = ctx;
    static char text[TH_GET_MAX];

    for (size_t i = 0; i < w->n_asks && w->wrong[0] == '\0'; i++) {
        const struct ask *ask = &w->asks[i];
        unsigned status = th_get(wh_httpd_port(wh_run_httpd(w->run)), ask->method, ask->path, text);

        if (status != ask->status || (ask->part && strstr(text, ask->part) == NULL)) {
            (void)snprintf(w->wrong, sizeof(w->wrong), "%s %s: %u, %.150s", ask->method, ask->path,
                           status, text);
        }
    }
}

static void asked(void *ctx)
{
    struct world *w = ctx;

    w->asked = true;
    if (w->stay) {
        return;
    }
    if (w->signal) {
        assert_int_equal(kill(getpid(), SIGTERM), 0);
    } else {
        wh_run_drained(w->run);
    }
}

static void begin(void *ctx)
{
    struct world *w = ctx;
    struct wh_err err;

    th_ok(wh_loop_work(wh_run_loop(w->run), ask_all, asked, w, &err), &err);
}

static void drain(void *ctx)
{
    struct world *w = ctx;

    w->drains++;
    if (!w->hold) {
        wh_run_drained(w->run);
    }
}

static const char *not_ready(void *ctx)
{
    return ((struct world *)ctx)->why_not;
}

static void collect(void *ctx)
{
    ((struct world *)ctx)->collects++;
}

static void on_request(void *ctx, struct wh_http_req *req)
{
    ((struct world *)ctx)->requests++;
    wh_http_reply(req, &(struct wh_http_reply){.status = 200, .body = WH_LIT("mine")});
}

static void on_done(void *ctx, struct wh_http_req *req)
{
    (void)req;
    ((struct world *)ctx)->dones++;
}

static void open_world(struct world *w)
{
    struct wh_run_conf conf;
    struct wh_err err;

    wh_run_conf_init(&conf, "test");
    conf.log_level = "error";
    th_ok(wh_run_new(&conf, &w->run, &err), &err);
    w->soon = wh_timer_new(wh_run_loop(w->run), begin, w);
    wh_timer_start(w->soon, 0, 0);
}

static void bind_routes(struct world *w)
{
    const struct wh_http_handler routes = {.on_request = on_request, .on_done = on_done, .ctx = w};

    wh_run_bind(w->run, &routes);
}

/* Runs to the end; returns the exit code. */
static int run_world(struct world *w)
{
    const struct wh_run_stage stage = {
        .drain = drain, .not_ready = not_ready, .collect = collect, .ctx = w};
    int code = wh_run_main(w->run, &stage);

    wh_timer_free(w->soon);
    wh_run_free(w->run);
    if (w->wrong[0]) {
        fail_msg("%s", w->wrong);
    }
    return code;
}

static void serves_its_own_routes(void **state)
{
    static const struct ask asks[] = {
        {"GET", "/live", 200, "live\n"},
        {"HEAD", "/live", 200, NULL},
        {"GET", "/ready", 200, "ready\n"},
        {"GET", "/metrics", 200, "wellhead_heartbeat_timestamp_seconds"},
        {"GET", "/metrics", 200, "wellhead_log_messages_total{level=\"error\"} 0"},
        {"POST", "/live", 405, "Allow: GET, HEAD"},
        {"DELETE", "/metrics", 405, "Allow: GET, HEAD"},
        {"GET", "/else", 404, "no such page"},
    };
    struct world w = {.asks = asks, .n_asks = sizeof(asks) / sizeof(asks[0])};

    (void)state;
    open_world(&w);
    assert_int_equal(run_world(&w), 0);
    assert_int_equal(w.collects, 2);
    assert_int_equal(w.drains, 0);
}

static void says_why_it_is_not_ready(void **state)
{
    static const struct ask asks[] = {{"GET", "/ready", 503, "waiting for rain"},
                                      {"GET", "/live", 200, NULL}};
    struct world w = {.asks = asks, .n_asks = 2, .why_not = "waiting for rain"};

    (void)state;
    open_world(&w);
    assert_int_equal(run_world(&w), 0);
}

static void bound_routes_are_called(void **state)
{
    static const struct ask asks[] = {{"GET", "/mine", 200, "mine"},
                                      {"GET", "/live", 200, "live"},
                                      {"POST", "/also", 200, "mine"}};
    struct world w = {.asks = asks, .n_asks = 3};

    (void)state;
    open_world(&w);
    bind_routes(&w);
    assert_int_equal(run_world(&w), 0);
    assert_int_equal(w.requests, 2);
    assert_int_equal(w.dones, 2);
}

static void unbound_routes_are_unavailable(void **state)
{
    static const struct ask asks[] = {{"GET", "/mine", 503, "stopping"},
                                      {"POST", "/mine", 503, "Retry-After: 1"}};
    struct world w = {.asks = asks, .n_asks = 2};

    (void)state;
    open_world(&w);
    bind_routes(&w);
    wh_run_bind(w.run, NULL);
    assert_int_equal(run_world(&w), 0);
    assert_int_equal(w.requests, 0);
    assert_int_equal(w.dones, 0);
}

/* A start that lets the loop turn before it binds anything. */
static void a_start_is_unavailable(void **state)
{
    static const struct ask asks[] = {{"GET", "/mine", 503, "starting"},
                                      {"GET", "/ready", 503, "starting"},
                                      {"GET", "/live", 200, NULL}};
    struct world w = {.asks = asks, .n_asks = 3, .stay = true};

    (void)state;
    open_world(&w);
    while (!w.asked) {
        wh_loop_turn(wh_run_loop(w.run), true);
    }
    wh_run_drained(w.run);
    assert_int_equal(run_world(&w), 0);
    assert_int_equal(w.drains, 0);
}

static void a_signal_drains(void **state)
{
    struct world w = {.signal = true};

    (void)state;
    open_world(&w);
    assert_int_equal(run_world(&w), 0);
    assert_int_equal(w.drains, 1);
}

static void on_fatal(void *ctx)
{
    struct world *w = ctx;
    struct wh_err err;

    (void)wh_fail(&err, WH_E_FATAL_BUS, "broken on purpose");
    wh_run_fatal(w->run, &err);
    wh_run_fatal(w->run, &err); /* drains once */
    begin(w);
}

static void a_fatal_error_drains_and_fails(void **state)
{
    static const struct ask asks[] = {{"GET", "/ready", 503, "draining"},
                                      {"GET", "/live", 200, NULL}};
    struct world w = {.asks = asks, .n_asks = 2, .hold = true};

    (void)state;
    open_world(&w);
    wh_timer_free(w.soon);
    w.soon = wh_timer_new(wh_run_loop(w.run), on_fatal, &w);
    wh_timer_start(w.soon, 0, 0);
    assert_int_equal(run_world(&w), 1);
    assert_int_equal(w.drains, 1);
}

static void a_fatal_error_before_the_loop(void **state)
{
    struct world w = {0};
    struct wh_err err;

    (void)state;
    open_world(&w);
    (void)wh_fail(&err, WH_E_CONFIG, "broken on purpose");
    wh_run_fatal(w.run, &err);
    assert_int_equal(run_world(&w), 1);
}

/* In a process of its own: it ends without returning. Gives its exit code. */
static int in_child(void (*fn)(void))
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        fn();
        _exit(99);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void again(void *ctx)
{
    (void)ctx;
    (void)kill(getpid(), SIGTERM);
}

static void drain_for_ever(void)
{
    struct world w = {.hold = true, .signal = true};

    open_world(&w);
    wh_timer_free(w.soon);
    w.soon = wh_timer_new(wh_run_loop(w.run), again, NULL);
    wh_timer_start(w.soon, 0, 10);
    (void)run_world(&w);
}

static void miss_the_deadline(void)
{
    const struct wh_run_stage stage = {.drain = drain, .ctx = &(struct world){.hold = true}};
    struct wh_run_conf conf;
    struct wh_run *run;
    struct wh_err err;

    wh_run_conf_init(&conf, "test");
    conf.drain_deadline_ms = 50;
    conf.log_level = "error";
    if (wh_run_new(&conf, &run, &err) == WH_OK) {
        (void)kill(getpid(), SIGTERM);
        (void)wh_run_main(run, &stage);
    }
}

static void impatience_ends_it(void **state)
{
    (void)state;
    assert_int_equal(in_child(drain_for_ever), 1);
    assert_int_equal(in_child(miss_the_deadline), 1);
}

static void writes_its_port(void **state)
{
    char *folder = th_tmp_new();
    char path[256];
    char text[16] = "";
    struct wh_run_conf conf;
    struct wh_run *run;
    struct wh_err err;
    int fd;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/port", folder);
    wh_run_conf_init(&conf, "test");
    conf.port_file = path;
    th_ok(wh_run_new(&conf, &run, &err), &err);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    (void)close(fd);
    assert_int_equal(strtol(text, NULL, 10), wh_httpd_port(wh_run_httpd(run)));
    wh_run_free(run);
    conf.port_file = "/dev/null/port";
    assert_int_equal(wh_run_new(&conf, &run, &err), WH_E_CONFIG);
    th_tmp_remove(folder);
}

static void refuses_a_log_level(void **state)
{
    struct wh_run_conf conf;
    struct wh_run *run;
    struct wh_err err;

    (void)state;
    wh_run_conf_init(&conf, "test");
    conf.log_level = "loud";
    assert_int_equal(wh_run_new(&conf, &run, &err), WH_E_CONFIG);
    assert_non_null(strstr(err.msg, "loud"));
}

static void allows_descriptors_for_its_connections(void **state)
{
    struct world w = {0};
    struct rlimit limit;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < 2048) {
        skip();
    }
    limit.rlim_cur = 256;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    open_world(&w);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_cur >= 2048); /* 1024 connections, and as much for all else */
    assert_int_equal(run_world(&w), 0);
}

static void leaves_no_core(void **state)
{
    struct world w = {0};
    struct rlimit limit;

    (void)state;
    open_world(&w);
    assert_int_equal(getrlimit(RLIMIT_CORE, &limit), 0);
    assert_int_equal(limit.rlim_max, 0);
    assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
    assert_int_equal(run_world(&w), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves_its_own_routes),
        cmocka_unit_test(says_why_it_is_not_ready),
        cmocka_unit_test(bound_routes_are_called),
        cmocka_unit_test(unbound_routes_are_unavailable),
        cmocka_unit_test(a_start_is_unavailable),
        cmocka_unit_test(a_signal_drains),
        cmocka_unit_test(a_fatal_error_drains_and_fails),
        cmocka_unit_test(a_fatal_error_before_the_loop),
        cmocka_unit_test(impatience_ends_it),
        cmocka_unit_test(writes_its_port),
        cmocka_unit_test(refuses_a_log_level),
        cmocka_unit_test(allows_descriptors_for_its_connections),
        cmocka_unit_test(leaves_no_core),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* the leak checker traces this process at its end */
    return failed;
}
