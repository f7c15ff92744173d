/* A small stage through its whole life, as the programs run it. */
#include "tests/lib/th_cmocka.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/run/stage.h"
#include "tests/lib/th_get.h"
#include "tests/lib/th_tmp.h"

enum { ARGS_MAX = 12 };

/* What the core of a real stage would have. */
struct core_conf {
    const char *color;
    size_t depth;
    int64_t pause_ms;
    size_t unkeyed;
};

struct app {
    struct wh_stage_base base;
    struct core_conf conf;
    char *group;
    bool fast;
    struct wh_timer *soon;
};

/* What happened, and what shall. Stages have no globals; their test needs one to see inside. */
static struct {
    char calls[256];
    struct app seen;     /* at the start; strings are not valid any more */
    char seen_text[512]; /* of the strings */
    mode_t mask;
    bool prepare_fails;
    bool prepare_is_all;
    bool start_fails;
    bool fatal_in_start;
    char answer[TH_GET_MAX];
    unsigned status;
    int healthcheck;
} t;

static void note(const char *call)
{
    size_t n = strlen(t.calls);

    (void)snprintf(t.calls + n, sizeof(t.calls) - n, "%s ", call);
}

#define AT(member) offsetof(struct app, member)
static const struct wh_conf_key keys[] = {
    {"group", WH_CONF_STRING, 0, "", 0, 0, AT(group), "name of the group"},
    {"color", WH_CONF_STRING, 0, "red", 0, 0, AT(conf.color), "color of the core"},
    {"depth", WH_CONF_SIZE, 0, "2KiB", 1, 1 << 20, AT(conf.depth), "depth of the core"},
    {"pause", WH_CONF_DURATION, 0, "3s", 0, 60000, AT(conf.pause_ms), "pause of the core"},
    {"fast", WH_CONF_BOOL, 0, "false", 0, 0, AT(fast), "whether it is fast"},
};

static void init(void *ctx)
{
    struct app *app = ctx;

    note("init");
    app->conf = (struct core_conf){.color = "none", .depth = 1, .unkeyed = 77};
    app->base.httpd.max_per_peer = 5;
}

static enum wh_rc prepare(void *ctx, bool *ret_done, struct wh_err *err)
{
    struct app *app = ctx;

    note("prepare");
    assert_null(app->base.run);
    t.mask = umask(0);
    (void)umask(t.mask);
    *ret_done = t.prepare_is_all;
    return t.prepare_fails ? wh_fail(err, WH_E_IO, "no store here") : WH_OK;
}

static void on_request(void *ctx, struct wh_http_req *req)
{
    (void)ctx;
    wh_http_reply(req, &(struct wh_http_reply){.status = 200, .body = WH_LIT("of the core")});
}

static void ask(void *ctx)
{
    struct app *app = ctx;
    uint16_t port = wh_httpd_port(wh_run_httpd(app->base.run));

    t.status = th_get(port, "GET", "/core", t.answer);
    t.healthcheck = wh_run_healthcheck("127.0.0.1", port);
}

static void asked(void *ctx)
{
    wh_stage_drained(ctx);
}

static void begin(void *ctx)
{
    struct app *app = ctx;
    struct wh_err err;

    if (t.fatal_in_start) {
        (void)wh_fail(&err, WH_E_FATAL_BUS, "broken on purpose");
        wh_stage_fatal(app, &err);
        return;
    }
    th_ok(wh_loop_work(wh_run_loop(app->base.run), ask, asked, app, &err), &err);
}

static enum wh_rc start(void *ctx, struct wh_err *err)
{
    const struct wh_http_handler routes = {.on_request = on_request, .ctx = ctx};
    struct app *app = ctx;

    note("start");
    t.seen = *app;
    (void)snprintf(t.seen_text, sizeof(t.seen_text), "%s %s %s %s %s", app->base.bootstrap,
                   app->base.topic_prefix, app->group, app->conf.color, app->base.client_id);
    if (t.start_fails) {
        return wh_fail(err, WH_E_NET, "no broker here");
    }
    app->soon = wh_timer_new(wh_run_loop(app->base.run), begin, app);
    wh_timer_start(app->soon, 0, 0);
    wh_run_bind(app->base.run, &routes);
    return WH_OK;
}

static void drain(void *ctx)
{
    note("drain");
    wh_stage_drained(ctx);
}

static void release(void *ctx)
{
    note("release");
    wh_timer_free(((struct app *)ctx)->soon);
}

static const struct wh_stage stage = {
    .name = "test",
    .purpose = "is tested",
    .port = "8799",
    .keys = keys,
    .n_keys = sizeof(keys) / sizeof(keys[0]),
    .n_topic_keys = 1,
    .size = sizeof(struct app),
    .init = init,
    .prepare = prepare,
    .start = start,
    .drain = drain,
    .release = release,
};

/* Runs it with these arguments, and any free port unless they name one; gives the exit code. */
static int run(const char *a, const char *b, const char *c)
{
    static char program[] = "wellhead-test";
    static char port[] = "--http.port=0";
    static char level[] = "--log.level=error";
    static char environment[] = "WELLHEAD_COLOR=blue";
    const char *given[] = {a, b, c};
    char *argv[ARGS_MAX] = {program, port, level};
    char *env[] = {environment, NULL};
    char copies[3][64];
    int argc = 3;
    int code;
    mode_t mask = umask(022);

    for (size_t i = 0; i < 3 && given[i]; i++) {
        (void)snprintf(copies[i], sizeof(copies[i]), "%s", given[i]);
        argv[argc++] = copies[i];
    }
    code = wh_stage_main(&stage, argc, argv, env);
    (void)umask(mask);
    return code;
}

/* The same, with what it wrote to stdout. */
static int run_out(char *out, size_t max, const char *a, const char *b)
{
    char *folder = th_tmp_new();
    char path[256];
    int before;
    int code;
    int fd;
    ssize_t n;

    (void)snprintf(path, sizeof(path), "%s/out", folder);
    (void)fflush(stdout);
    before = dup(STDOUT_FILENO);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(dup2(fd, STDOUT_FILENO) >= 0);
    code = run(a, b, NULL);
    (void)fflush(stdout);
    assert_true(dup2(before, STDOUT_FILENO) >= 0);
    n = pread(fd, out, max - 1, 0);
    out[n > 0 ? n : 0] = '\0';
    (void)close(fd);
    (void)close(before);
    th_tmp_remove(folder);
    return code;
}

static int set_up(void **state)
{
    (void)state;
    memset(&t, 0, sizeof(t));
    return 0;
}

static void lives(void **state)
{
    (void)state;
    assert_int_equal(run("--depth", "4KiB", "--fast=yes"), 0);
    assert_string_equal(t.calls, "init prepare start release ");
    assert_int_equal(t.status, 200);
    assert_non_null(strstr(t.answer, "of the core"));
    assert_int_equal(t.healthcheck, 0);
    assert_int_equal(t.mask, 077);
}

static void keys_reach_the_core(void **state)
{
    char host[64] = "";
    char want[256];

    (void)state;
    assert_int_equal(run("--depth=4KiB", "--fast=yes", "--drain.deadline=7s"), 0);
    assert_int_equal(t.seen.conf.depth, 4096);
    assert_int_equal(t.seen.conf.pause_ms, 3000);
    assert_int_equal(t.seen.conf.unkeyed, 77);
    assert_true(t.seen.fast);
    assert_int_equal(t.seen.base.drain_ms, 7000);
    assert_int_equal(t.seen.base.httpd.max_per_peer, 5);
    assert_true(t.seen.base.httpd.max_connections > 0);
    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(want, sizeof(want), "127.0.0.1:9092 wellhead.  blue wellhead-test-%s", host);
    assert_string_equal(t.seen_text, want);
}

static void lists_its_keys_in_order(void **state)
{
    static const char *const order[] = {"kafka.bootstrap.servers=",
                                        "topic.prefix=",
                                        "group=",
                                        "http.address=",
                                        "http.port=",
                                        "http.port_file=",
                                        "http.trusted_proxies=",
                                        "log.level=",
                                        "drain.deadline=",
                                        "color=blue",
                                        "depth=2048",
                                        "pause=3000",
                                        "fast=false"};
    char out[4096];
    const char *at = out;

    (void)state;
    assert_int_equal(run_out(out, sizeof(out), "--dump-config", NULL), 0);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        if (strncmp(at, order[i], strlen(order[i])) != 0) {
            fail_msg("%s is not at: %s", order[i], at);
        }
        at = strchr(at, '\n');
        assert_non_null(at);
        at++;
    }
    assert_string_equal(at, "");
    assert_string_equal(t.calls, "init ");
}

static void help_has_the_default_port(void **state)
{
    char out[8192];

    (void)state;
    assert_int_equal(run_out(out, sizeof(out), "--help", NULL), 0);
    assert_true(strncmp(out, "wellhead-test - is tested\n", 26) == 0);
    assert_non_null(strstr(out, "port to listen on; 0: any [8799]\n"));
    assert_non_null(strstr(out, "/etc/wellhead/wellhead-test.conf"));
    assert_string_equal(t.calls, "init ");
}

static void healthcheck_stands_anywhere(void **state)
{
    static const char *const places[][3] = {
        {"--healthcheck", NULL, NULL},
        {"--healthcheck", "--depth=1KiB", "--http.port=1"},
        {"--depth=1KiB", "--healthcheck", "--http.port=1"},
        {"--depth=1KiB", "--http.port=1", "--healthcheck"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        (void)set_up(state);
        assert_int_equal(run(places[i][0], places[i][1], places[i][2]), 1);
        assert_string_equal(t.calls, "init ");
    }
}

static void a_bad_configuration_starts_nothing(void **state)
{
    static const char *const bad[] = {"--nothing=1", "--depth=2MiB", "--http.port=70000", "word",
                                      "--kafka.no.such.property=1"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void)set_up(state);
        assert_int_equal(run(bad[i], NULL, NULL), 2);
        assert_string_equal(t.calls, "init ");
    }
}

static void preparing_fails(void **state)
{
    (void)state;
    t.prepare_fails = true;
    assert_int_equal(run(NULL, NULL, NULL), 1);
    assert_string_equal(t.calls, "init prepare release ");
}

static void preparing_is_all(void **state)
{
    (void)state;
    t.prepare_is_all = true;
    assert_int_equal(run(NULL, NULL, NULL), 0);
    assert_string_equal(t.calls, "init prepare release ");
}

static void starting_fails(void **state)
{
    (void)state;
    t.start_fails = true;
    assert_int_equal(run(NULL, NULL, NULL), 1);
    assert_string_equal(t.calls, "init prepare start release ");
}

static void running_fails(void **state)
{
    (void)state;
    t.fatal_in_start = true;
    assert_int_equal(run(NULL, NULL, NULL), 1);
    assert_string_equal(t.calls, "init prepare start drain release ");
}

static void a_log_level_is_refused_after_preparing(void **state)
{
    (void)state;
    assert_int_equal(run("--log.level=loud", NULL, NULL), 1);
    assert_string_equal(t.calls, "init prepare release ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lives, set_up),
        cmocka_unit_test_setup(keys_reach_the_core, set_up),
        cmocka_unit_test_setup(lists_its_keys_in_order, set_up),
        cmocka_unit_test_setup(help_has_the_default_port, set_up),
        cmocka_unit_test_setup(healthcheck_stands_anywhere, set_up),
        cmocka_unit_test_setup(a_bad_configuration_starts_nothing, set_up),
        cmocka_unit_test_setup(preparing_fails, set_up),
        cmocka_unit_test_setup(preparing_is_all, set_up),
        cmocka_unit_test_setup(starting_fails, set_up),
        cmocka_unit_test_setup(running_fails, set_up),
        cmocka_unit_test_setup(a_log_level_is_refused_after_preparing, set_up),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* the leak checker traces this process at its end */
    return failed;
}
