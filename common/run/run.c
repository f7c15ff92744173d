#include "common/run/run.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/base/build_version.h"
#include "common/base/mem.h"

enum { METRICS_MAX_BYTES = 1 << 20, RELEASE_SECONDS = 8, OTHER_DESCRIPTORS = 1024 };

enum phase { STARTING, RUNNING, DRAINING, STOPPED };

struct wh_run {
    struct wh_log *log;
    struct wh_loop *loop;
    struct wh_metrics *metrics;
    struct wh_httpd *httpd;
    struct wh_http_handler routes; /* zero when none are bound */
    bool had_routes;               /* routes have been bound at some time */
    struct wh_run_stage stage;
    struct wh_timer *deadline;
    int64_t drain_deadline_ms;
    struct wh_gauge *heartbeat;
    struct wh_counter *log_lines[WH_LOG_LEVEL_COUNT];
    enum phase phase;
    int exit_code;
    pthread_t watchdog; /* bounds the release; see bound_release */
    bool has_watchdog;
    sem_t released; /* posted for the watchdog */
};

void wh_run_conf_init(struct wh_run_conf *conf, const char *stage)
{
    *conf = (struct wh_run_conf){
        .stage = stage,
        .log_level = "info",
        .drain_deadline_ms = 20000,
    };
    wh_httpd_conf_init(&conf->httpd);
}

/* ---- health and metrics ---- */

static void reply_text(struct wh_http_req *req, unsigned status, struct wh_slice text)
{
    wh_http_reply(req, &(struct wh_http_reply){.status = status,
                                               .content_type = "text/plain; charset=utf-8",
                                               .body = text});
}

static void reply_ready(struct wh_run *run, struct wh_http_req *req)
{
    const char *why = run->phase == STARTING         ? "starting"
                      : run->phase != RUNNING        ? "draining"
                      : run->stage.not_ready == NULL ? NULL
                                                     : run->stage.not_ready(run->stage.ctx);

    if (why) {
        wh_http_reply_error(req, 503, why, 1);
        return;
    }
    reply_text(req, 200, WH_LIT("ready\n"));
}

static void update_own_metrics(struct wh_run *run)
{
    struct wh_clock clock = wh_clock_real();

    wh_gauge_set(run->heartbeat, (double)wh_clock_now_ms(&clock) / 1000);
    for (unsigned i = 0; i < WH_LOG_LEVEL_COUNT; i++) {
        uint64_t now = wh_log_count(run->log, (enum wh_log_level)i);

        wh_counter_add(run->log_lines[i], now - wh_counter_get(run->log_lines[i]));
    }
}

static void reply_metrics(struct wh_run *run, struct wh_http_req *req)
{
    struct wh_buf text;
    struct wh_err err;

    if (run->stage.collect) {
        run->stage.collect(run->stage.ctx);
    }
    update_own_metrics(run);
    wh_buf_init(&text, METRICS_MAX_BYTES);
    if (wh_metrics_render(run->metrics, &text, &err) != WH_OK) {
        wh_buf_done(&text);
        wh_http_reply_error(req, 500, err.msg, 0);
        return;
    }
    wh_http_reply_buf(req, 200, "text/plain; version=0.0.4", &text);
}

static bool own_route(struct wh_slice path)
{
    return wh_slice_eq(path, WH_LIT("/live")) || wh_slice_eq(path, WH_LIT("/ready")) ||
           wh_slice_eq(path, WH_LIT("/metrics"));
}

static void serve_own(struct wh_run *run, struct wh_http_req *req)
{
    struct wh_slice path = wh_http_path(req);
    struct wh_slice method = wh_http_method(req);

    if (!wh_slice_eq(method, WH_LIT("GET")) && !wh_slice_eq(method, WH_LIT("HEAD"))) {
        static const struct wh_http_header allow = {{"Allow", 5}, {"GET, HEAD", 9}};

        wh_http_reply(req,
                      &(struct wh_http_reply){.status = 405, .headers = &allow, .n_headers = 1});
        return;
    }
    if (wh_slice_eq(path, WH_LIT("/live"))) {
        reply_text(req, 200, WH_LIT("live\n"));
    } else if (wh_slice_eq(path, WH_LIT("/ready"))) {
        reply_ready(run, req);
    } else {
        reply_metrics(run, req);
    }
}

/* The answer while no routes are bound: before the start is complete, or after the release began. */
static void reply_unbound(struct wh_run *run, struct wh_http_req *req)
{
    if (run->phase == STARTING || run->had_routes) {
        wh_http_reply_error(req, 503, run->phase == STARTING ? "starting" : "stopping", 1);
    } else {
        wh_http_reply_error(req, 404, "no such page; there are /live, /ready and /metrics", 0);
    }
}

/* /live, /ready and /metrics take no body. */
static size_t on_head(void *ctx, struct wh_http_req *req)
{
    struct wh_run *run = ctx;

    if (own_route(wh_http_path(req))) {
        return 0;
    }
    if (run->routes.on_request == NULL) {
        reply_unbound(run, req); /* without waiting for a body that nobody would read */
        return 0;
    }
    return run->routes.on_head ? run->routes.on_head(run->routes.ctx, req) : 0;
}

/* Only for requests whose on_head allowed a body, which are the stage's. */
static bool on_hold(void *ctx, struct wh_http_req *req, size_t bytes)
{
    struct wh_run *run = ctx;

    return run->routes.on_hold == NULL || run->routes.on_hold(run->routes.ctx, req, bytes);
}

static void on_request(void *ctx, struct wh_http_req *req)
{
    struct wh_run *run = ctx;

    if (own_route(wh_http_path(req))) {
        serve_own(run, req);
    } else if (run->routes.on_request) {
        run->routes.on_request(run->routes.ctx, req);
    } else {
        reply_unbound(run, req);
    }
}

static void on_done(void *ctx, struct wh_http_req *req)
{
    struct wh_run *run = ctx;

    if (run->routes.on_done && !own_route(wh_http_path(req))) {
        run->routes.on_done(run->routes.ctx, req);
    }
}

void wh_run_bind(struct wh_run *run, const struct wh_http_handler *routes)
{
    run->routes = routes ? *routes : (struct wh_http_handler){0};
    run->had_routes = run->had_routes || routes;
}

/* ---- life ---- */

void wh_run_protect_memory(void)
{
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* The usual soft limit, 1024, is less than the connections of the server and what a stage opens. */
static void allow_descriptors(rlim_t n)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < n) {
        limit.rlim_cur = limit.rlim_max < n ? limit.rlim_max : n;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static enum wh_rc write_port_file(const char *path, uint16_t port, struct wh_err *err)
{
    char temp[4096];
    FILE *f;
    int n = snprintf(temp, sizeof(temp), "%s.new", path);

    if (n < 0 || (size_t)n >= sizeof(temp)) {
        return wh_fail(err, WH_E_CONFIG, "the port file's path is too long");
    }
    f = fopen(temp, "we");
    if (f == NULL) {
        return wh_fail(err, WH_E_CONFIG, "cannot write the port file %.180s", path);
    }
    n = fprintf(f, "%u\n", (unsigned)port);
    /* Renamed into place, so that a reader never sees half of it. */
    if (fclose(f) != 0 || n < 0 || rename(temp, path) != 0) {
        return wh_fail(err, WH_E_CONFIG, "cannot write the port file %.180s", path);
    }
    return WH_OK;
}

static void begin_drain(struct wh_run *run);

static void on_stop_signal(void *ctx)
{
    struct wh_run *run = ctx;

    if (run->phase == DRAINING || run->phase == STOPPED) {
        wh_log_warn(run->log, "second signal: stopping without draining", WH_B("safe", true));
        _exit(1);
    }
    begin_drain(run);
}

static void on_deadline(void *ctx)
{
    struct wh_run *run = ctx;

    wh_log_error(run->log, "drain deadline passed: stopping with work in flight",
                 WH_I("deadline_ms", run->drain_deadline_ms));
    _exit(1);
}

static void begin_drain(struct wh_run *run)
{
    if (run->phase == DRAINING || run->phase == STOPPED) {
        return;
    }
    run->phase = DRAINING;
    wh_log_info(run->log, "draining", WH_I("deadline_ms", run->drain_deadline_ms));
    wh_timer_start(run->deadline, run->drain_deadline_ms, 0);
    if (run->stage.drain) {
        run->stage.drain(run->stage.ctx);
    } else {
        wh_run_drained(run);
    }
}

static enum wh_rc make_parts(struct wh_run *run, const struct wh_run_conf *conf, struct wh_err *err)
{
    enum wh_log_level level = WH_LOG_INFO;

    if (!wh_log_level_parse(wh_slice_str(conf->log_level), &level)) {
        return wh_fail(err, WH_E_CONFIG,
                       "log.level must be error, warn, info or debug, not '%.32s'",
                       conf->log_level);
    }
    run->log = wh_log_new(STDERR_FILENO, conf->stage, level, wh_clock_real());
    run->loop = wh_loop_new();
    run->metrics = wh_metrics_new(conf->stage);
    if (!run->log || !run->loop || !run->metrics) {
        return wh_fail(err, WH_E_NOMEM, "no memory to start");
    }
    run->deadline = wh_timer_new(run->loop, on_deadline, run);
    if (run->deadline == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory to start");
    }
    return WH_OK;
}

static void make_metrics(struct wh_run *run, const char *stage)
{
    static const char *const labels[] = {"level=\"error\"", "level=\"warn\"", "level=\"info\"",
                                         "level=\"debug\""};

    char label[64];

    (void)snprintf(label, sizeof(label), "stage=\"%.32s\"", stage);
    run->heartbeat = wh_metrics_gauge(run->metrics, "wellhead_heartbeat_timestamp_seconds", label,
                                      "When this process last answered, Unix time.");
    for (unsigned i = 0; i < WH_LOG_LEVEL_COUNT; i++) {
        run->log_lines[i] = wh_metrics_counter(run->metrics, "wellhead_log_messages_total",
                                               labels[i], "Log lines by level.");
    }
}

static enum wh_rc start(struct wh_run *run, const struct wh_run_conf *conf, struct wh_err *err)
{
    const struct wh_http_handler handler = {
        .on_head = on_head,
        .on_hold = on_hold,
        .on_request = on_request,
        .on_done = on_done,
        .ctx = run,
    };

    if (make_parts(run, conf, err) != WH_OK) {
        return err->rc;
    }
    make_metrics(run, conf->stage);
    if (wh_loop_on_signal(run->loop, SIGTERM, on_stop_signal, run, err) != WH_OK ||
        wh_loop_on_signal(run->loop, SIGINT, on_stop_signal, run, err) != WH_OK) {
        return err->rc;
    }
    if (wh_httpd_new(run->loop, run->log, &conf->httpd, &handler, &run->httpd, err) != WH_OK) {
        return err->rc;
    }
    if (conf->port_file && conf->port_file[0]) {
        return write_port_file(conf->port_file, wh_httpd_port(run->httpd), err);
    }
    return WH_OK;
}

enum wh_rc wh_run_new(const struct wh_run_conf *conf, struct wh_run **ret, struct wh_err *err)
{
    struct wh_run *run = wh_mem_zalloc(1, sizeof(*run));

    if (run == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory to start");
    }
    wh_run_protect_memory();
    (void)signal(SIGPIPE, SIG_IGN);
    allow_descriptors((rlim_t)conf->httpd.max_connections + OTHER_DESCRIPTORS);
    run->drain_deadline_ms = conf->drain_deadline_ms;
    if (start(run, conf, err) != WH_OK) {
        wh_run_free(run);
        return err->rc;
    }
    *ret = run;
    return WH_OK;
}

struct wh_loop *wh_run_loop(struct wh_run *run)
{
    return run->loop;
}

struct wh_log *wh_run_log(struct wh_run *run)
{
    return run->log;
}

struct wh_metrics *wh_run_metrics(struct wh_run *run)
{
    return run->metrics;
}

struct wh_httpd *wh_run_httpd(struct wh_run *run)
{
    return run->httpd;
}

/*
 * The stage has finished its work. librdkafka 2.0.2 may block for half a minute in its destructors for
 * a broker connection that is being opened, which nothing needs any more.
 */
static void *leave_anyway(void *ctx)
{
    struct wh_run *run = ctx;
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RELEASE_SECONDS;
    while (sem_timedwait(&run->released, &until) != 0) {
        if (errno != EINTR) {
            _exit(run->exit_code);
        }
    }
    return NULL;
}

static void bound_release(struct wh_run *run)
{
    run->has_watchdog = sem_init(&run->released, 0, 0) == 0 &&
                        pthread_create(&run->watchdog, NULL, leave_anyway, run) == 0;
}

int wh_run_main(struct wh_run *run, const struct wh_run_stage *stage)
{
    run->stage = *stage;
    wh_log_info(run->log, "process up", WH_STR("version", wh_build_version()),
                WH_I("pid", getpid()), WH_I("port", wh_httpd_port(run->httpd)));
    if (run->phase == STARTING) {
        run->phase = RUNNING;
    }
    if (run->phase != STOPPED) {
        wh_loop_run(run->loop);
    }
    wh_log_info(run->log, "stopped", WH_I("exit_code", run->exit_code));
    bound_release(run);
    return run->exit_code;
}

void wh_run_drained(struct wh_run *run)
{
    run->phase = STOPPED;
    wh_timer_stop(run->deadline);
    wh_loop_stop(run->loop);
}

void wh_run_fatal(struct wh_run *run, const struct wh_err *err)
{
    wh_log_error(run->log, "fatal error: stopping", WH_RC(err));
    run->exit_code = EXIT_FAILURE;
    begin_drain(run);
}

void wh_run_free(struct wh_run *run)
{
    if (run == NULL) {
        return;
    }
    wh_httpd_free(run->httpd);
    wh_timer_free(run->deadline);
    wh_loop_free(run->loop);
    wh_metrics_free(run->metrics);
    wh_log_free(run->log);
    if (run->has_watchdog) {
        (void)sem_post(&run->released);
        (void)pthread_join(run->watchdog, NULL);
        (void)sem_destroy(&run->released);
    }
    wh_mem_free(run);
}
