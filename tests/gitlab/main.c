/*
 * wellhead-gitlab - a stand-in for a GitLab server, for tests and the demo: REST reads, webhooks,
 * faults and an oracle, all in memory. See tests/gitlab/README.md.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/conf/conf.h"
#include "common/run/run.h"
#include "tests/gitlab/render.h"
#include "tests/gitlab/server.h"

enum {
    SECRET_MAX_BYTES = 512,
    URL_BYTES = 256,
    REPLY_TIMEOUT_MS = 600000,
    CONNECTIONS = 1000,
    BODY_MAX = 1 << 20
};

struct settings {
    char *address;
    int64_t port;
    char *port_file;
    char *control_address;
    int64_t control_port;
    char *control_port_file;
    char *base_url;
    char *token_file;
    int64_t seed;
    int64_t scale;
    const char *until;
    struct gl_sizes sizes;
    char *fixtures;
    char *webhook_url;
    char *webhook_token_file;
    char *webhook_key_file;
    int64_t hook_concurrency;
    int64_t rate_limit;
    char *gitlab_version;
    int64_t token_life_s;
    bool token_sees_hooks;
    char *log_level;
    int64_t drain_ms;
};

#define AT(member) offsetof(struct settings, member)
static const struct wh_conf_key keys[] = {
    {"address", WH_CONF_STRING, 0, "127.0.0.1", 0, 0, AT(address), "address of the API"},
    {"port", WH_CONF_INT, 0, "8710", 0, 65535, AT(port), "port of the API; 0: any"},
    {"port-file", WH_CONF_STRING, 0, NULL, 0, 0, AT(port_file), "file to write that port to"},
    {"control-address", WH_CONF_STRING, 0, "127.0.0.1", 0, 0, AT(control_address),
     "address of the control port, which asks nobody who they are"},
    {"control-port", WH_CONF_INT, 0, "8711", 0, 65535, AT(control_port), "control port; 0: any"},
    {"control-port-file", WH_CONF_STRING, 0, NULL, 0, 0, AT(control_port_file),
     "file to write that port to"},
    {"base-url", WH_CONF_STRING, 0, NULL, 0, 0, AT(base_url),
     "address that clients use; default http://127.0.0.1:<port>"},
    {"token-file", WH_CONF_STRING, WH_CONF_REQUIRED, NULL, 0, 0, AT(token_file),
     "file with the token that the API accepts"},
    {"seed", WH_CONF_INT, 0, "1", 0, INT64_C(1) << 53, AT(seed), "all data follow from it"},
    {"scale", WH_CONF_INT, 0, "1", 1, 1000, AT(scale), "multiplies the sizes below"},
    {"projects", WH_CONF_INT, 0, "4", 1, 500, AT(sizes.projects),
     "projects (not scaled); the n-th has 1/n of the sizes below"},
    {"users", WH_CONF_INT, 0, "60", 3, 200000, AT(sizes.users), "users (not scaled)"},
    {"merge-requests", WH_CONF_INT, 0, "600", 0, 1000000, AT(sizes.mrs), "of the first project"},
    {"issues", WH_CONF_INT, 0, "500", 0, 1000000, AT(sizes.issues), "of the first project"},
    {"pipelines", WH_CONF_INT, 0, "400", 0, 1000000, AT(sizes.pipelines), "of the first project"},
    {"deployments", WH_CONF_INT, 0, "120", 0, 1000000, AT(sizes.deployments),
     "of the first project"},
    {"releases", WH_CONF_INT, 0, "12", 0, 10000, AT(sizes.releases),
     "of the first project (not scaled)"},
    {"until", WH_CONF_STRING, 0, "2025-06-01T00:00:00Z", 0, 0, AT(until),
     "when the data end: a time, or now"},
    {"story", WH_CONF_BOOL, 0, "false", 0, 0, AT(sizes.story),
     "adds two months of incidents in projects of their own (story.h)"},
    {"extras", WH_CONF_BOOL, 0, "false", 0, 0, AT(sizes.extras),
     "adds what plain listings leave out: child pipelines, trigger jobs, retried jobs, notes, "
     "milestones of the group"},
    {"fixtures", WH_CONF_STRING, 0, "tests/fixtures/gitlab-standin", 0, 0, AT(fixtures),
     "folder of the recorded project; left out when it is not there"},
    {"webhook-url", WH_CONF_STRING, 0, NULL, 0, 0, AT(webhook_url),
     "where webhooks go; empty: nowhere"},
    {"webhook-token-file", WH_CONF_STRING, 0, NULL, 0, 0, AT(webhook_token_file),
     "file with the secret of X-Gitlab-Token"},
    {"webhook-key-file", WH_CONF_STRING, 0, NULL, 0, 0, AT(webhook_key_file),
     "file with the signing key, whsec_ and base64"},
    {"hook-concurrency", WH_CONF_INT, 0, "8", 1, 256, AT(hook_concurrency),
     "webhooks in flight at once"},
    {"rate-limit", WH_CONF_INT, 0, "0", 0, 10000000, AT(rate_limit),
     "requests a minute; 0: no limit, no RateLimit headers"},
    {"gitlab-version", WH_CONF_STRING, 0, "19.5", 0, 0, AT(gitlab_version),
     "which server this looks like: 18.6, 19.3, 19.4 or 19.5"},
    {"token-life", WH_CONF_INT, 0, "7200", 1, 1000000, AT(token_life_s),
     "seconds that an OAuth access token lives"},
    {"token-sees-hooks", WH_CONF_BOOL, 0, "false", 0, 0, AT(token_sees_hooks),
     "the token may read webhooks, as a maintainer's does"},
    {"log-level", WH_CONF_STRING, 0, "info", 0, 0, AT(log_level), "error, warn, info or debug"},
    {"drain", WH_CONF_DURATION, 0, "5s", 100, 600000, AT(drain_ms),
     "longest time for stopping in order"},
};

static const struct wh_conf_program program = {
    .name = "wellhead-gitlab",
    .purpose = "a stand-in for a GitLab server, for tests and the demo",
    .keys = keys,
    .n_keys = sizeof(keys) / sizeof(keys[0]),
    .pairs_offset = SIZE_MAX,
};

static const char examples[] =
    "\nMore examples:\n"
    "  wellhead-gitlab --token-file t --port 0 --port-file p --control-port 0 --control-port-file "
    "c\n"
    "  wellhead-gitlab --token-file t --projects 1 --merge-requests 60000 --issues 60000\n"
    "  wellhead-gitlab --token-file t --webhook-url http://127.0.0.1:8702/hooks/demo \\\n"
    "      --webhook-token-file s\n"
    "  curl -H \"PRIVATE-TOKEN: $(cat t)\" http://127.0.0.1:8710/api/v4/projects\n"
    "  curl -d '{\"rate\":50,\"seconds\":10}' http://127.0.0.1:8711/control/live\n"
    "  curl http://127.0.0.1:8711/control/oracle\n";

struct app {
    struct settings set;
    struct wh_run *run;
    struct wh_httpd *control;
    struct gl_server server;
};

static void drain(void *ctx)
{
    struct app *app = ctx;

    wh_timer_stop(app->server.live);
    wh_run_drained(app->run);
}

static enum wh_rc read_secret(const char *path, char **ret, struct wh_err *err)
{
    *ret = NULL;
    return path[0] ? wh_conf_secret_read(path, SECRET_MAX_BYTES, ret, err) : WH_OK;
}

static void forget(char *secret)
{
    if (secret) {
        wh_mem_wipe(secret, strlen(secret));
        wh_mem_free(secret);
    }
}

static enum wh_rc write_port(const char *path, uint16_t port, struct wh_err *err)
{
    char temp[4096];
    int n = snprintf(temp, sizeof(temp), "%s.new", path);
    FILE *f;

    if (path[0] == '\0') {
        return WH_OK;
    }
    f = n < 0 || (size_t)n >= sizeof(temp) ? NULL : fopen(temp, "we");
    if (f == NULL) {
        return wh_fail(err, WH_E_CONFIG, "cannot write %.200s", path);
    }
    n = fprintf(f, "%u\n", (unsigned)port);
    if (fclose(f) != 0 || n < 0 || rename(temp, path) != 0) {
        return wh_fail(err, WH_E_CONFIG, "cannot write %.200s", path);
    }
    return WH_OK;
}

/* ---- start ---- */

static enum wh_rc make_data(struct app *app, struct wh_err *err)
{
    struct settings *set = &app->set;
    struct gl_sizes sizes = set->sizes;
    struct wh_clock clock = wh_clock_real();
    struct wh_instant until = {0};
    struct wh_log *log = wh_run_log(app->run);
    char url[URL_BYTES];

    if (wh_slice_eq(wh_slice_str(set->until), WH_LIT("now"))) {
        until.ms = wh_clock_now_ms(&clock);
    } else if (wh_time_parse(wh_slice_str(set->until), &until, err) != WH_OK) {
        return wh_err_prefix(err, "--until");
    }
    sizes.until_ms = until.ms;
    sizes.mrs *= set->scale;
    sizes.issues *= set->scale;
    sizes.pipelines *= set->scale;
    sizes.deployments *= set->scale;
    if (snprintf(url, sizeof(url), "http://127.0.0.1:%u", wh_httpd_port(wh_run_httpd(app->run))) <
            0 ||
        gl_model_new((uint64_t)set->seed, &sizes, set->base_url[0] ? set->base_url : url,
                     &app->server.model, err) != WH_OK) {
        return err->rc;
    }
    if (access(set->fixtures, R_OK) != 0) {
        wh_log_warn(log, "no recorded project: its folder is not there",
                    WH_STR("folder", set->fixtures));
    } else if (gl_recorded_load(app->server.model, set->fixtures, err) != WH_OK) {
        return err->rc;
    }
    if (!gl_render_prepare(app->server.model)) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the data set");
    }
    return WH_OK;
}

static enum wh_rc make_hooks(struct app *app, struct wh_err *err)
{
    struct gl_server *s = &app->server;
    const struct gl_hooks_conf conf = {.loop = s->loop,
                                       .log = s->log,
                                       .model = s->model,
                                       .faults = &s->faults,
                                       .quirks = &s->quirks,
                                       .concurrency = (unsigned)app->set.hook_concurrency};
    char *token = NULL;
    char *key = NULL;
    enum wh_rc rc = gl_hooks_new(&conf, &s->hooks, err);

    if (rc == WH_OK) {
        rc = read_secret(app->set.webhook_token_file, &token, err);
    }
    if (rc == WH_OK) {
        rc = read_secret(app->set.webhook_key_file, &key, err);
    }
    if (rc == WH_OK) {
        rc = gl_hooks_set(s->hooks, wh_slice_str(app->set.webhook_url), wh_slice_str(token),
                          wh_slice_str(key), err);
    }
    forget(token);
    forget(key);
    s->model->on_event = gl_hooks_event;
    s->model->event_ctx = s->hooks;
    return rc;
}

/* Every call may have a body. */
static size_t on_head(void *ctx, struct wh_http_req *req)
{
    (void)ctx;
    (void)req;
    return BODY_MAX;
}

static enum wh_rc make_control(struct app *app, struct wh_err *err)
{
    const struct wh_http_handler handler = {
        .on_head = on_head, .on_request = gl_control_request, .ctx = &app->server};
    struct wh_httpd_conf conf;

    app->server.live = wh_timer_new(app->server.loop, gl_control_live_tick, &app->server);
    if (app->server.live == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory to start");
    }
    wh_httpd_conf_init(&conf);
    conf.address = app->set.control_address;
    conf.port = (uint16_t)app->set.control_port;
    if (wh_httpd_new(app->server.loop, app->server.log, &conf, &handler, &app->control, err) !=
        WH_OK) {
        return wh_err_prefix(err, "control port");
    }
    return write_port(app->set.control_port_file, wh_httpd_port(app->control), err);
}

static enum wh_rc start(struct app *app, struct wh_err *err)
{
    const struct wh_http_handler handler = {
        .on_head = on_head,
        .on_request = gl_rest_request,
        .on_done = gl_rest_done,
        .ctx = &app->server,
    };
    struct wh_run_conf conf;

    if (read_secret(app->set.token_file, &app->server.token, err) != WH_OK) {
        return wh_err_prefix(err, "token-file");
    }
    wh_run_conf_init(&conf, "gitlab");
    conf.httpd.address = app->set.address;
    conf.httpd.port = (uint16_t)app->set.port;
    conf.log_level = app->set.log_level;
    conf.drain_deadline_ms = app->set.drain_ms;
    conf.port_file = app->set.port_file;
    conf.httpd.max_connections = CONNECTIONS;
    conf.httpd.max_per_peer = CONNECTIONS;
    conf.httpd.reply_timeout_ms = REPLY_TIMEOUT_MS;
    if (wh_run_new(&conf, &app->run, err) != WH_OK) {
        return err->rc;
    }
    wh_run_bind(app->run, &handler);
    app->server.loop = wh_run_loop(app->run);
    app->server.log = wh_run_log(app->run);
    gl_faults_init(&app->server.faults, (uint64_t)app->set.seed);
    app->server.faults.rate_limit = app->set.rate_limit;
    app->server.token_sees_hooks = app->set.token_sees_hooks;
    gl_answers_init(&app->server.answers);
    gl_quirks_init(&app->server.quirks);
    app->server.quirks.token_life_s = app->set.token_life_s;
    if (!gl_quirks_version(&app->server.quirks, wh_slice_str(app->set.gitlab_version))) {
        return wh_fail(err, WH_E_CONFIG, "gitlab-version must be 18.6, 19.3, 19.4 or 19.5");
    }
    if (make_data(app, err) != WH_OK || make_hooks(app, err) != WH_OK) {
        return err->rc;
    }
    return make_control(app, err);
}

static void stop(struct app *app)
{
    struct gl_server *s = &app->server;

    gl_rest_release(s);
    gl_answers_drop(s);
    gl_hooks_free(s->hooks);
    wh_timer_free(s->live);
    wh_httpd_free(app->control);
    wh_run_free(app->run);
    gl_reqlog_clear(&s->requests);
    gl_model_free(s->model);
    gl_oauth_release(&s->oauth);
    gl_mcp_release(&s->mcp);
    forget(s->token);
}

static int serve(struct app *app)
{
    const struct wh_run_stage stage = {.drain = drain, .ctx = app};
    struct wh_err err = {0};
    int code = 1;

    if (start(app, &err) == WH_OK) {
        wh_log_info(app->server.log, "data set ready", WH_STR("url", app->server.model->base_url),
                    WH_I("control_port", wh_httpd_port(app->control)),
                    WH_I("projects", app->server.model->n_projects),
                    WH_I("users", app->server.model->n_users));
        code = wh_run_main(app->run, &stage);
    } else {
        (void)fprintf(stderr, "wellhead-gitlab: %s\n", err.msg);
    }
    stop(app);
    return code;
}

int main(int argc, char **argv)
{
    static struct app app;
    enum wh_conf_action action;
    struct wh_err err;
    int code = 0;

    if (wh_conf_load(&program, argc, argv, environ, stdout, &app.set, &action, &err) != WH_OK) {
        (void)fprintf(stderr, "wellhead-gitlab: %s\n", err.msg);
        return 2;
    }
    if (action == WH_CONF_RUN) {
        code = serve(&app);
    } else if (action == WH_CONF_HEALTHCHECK) {
        code = wh_run_healthcheck(app.set.address, (uint16_t)app.set.port);
    } else if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        (void)fputs(examples, stdout);
    }
    wh_conf_release(&program, &app.set);
    return code;
}
