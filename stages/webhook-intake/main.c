/*
 * wellhead-webhook-intake - takes webhook deliveries of GitLab and puts them into Kafka as they
 * are. See stages/webhook-intake/README.md.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/run/run.h"
#include "stages/webhook-intake/intake.h"

enum {
    FETCH_MAX_BYTES = 8 << 20,
    CLIENT_ID_MAX = 128,
    REPLY_MARGIN_MS = 2000,
    KEY_TRIES = 10,
    KEY_PAUSE_NS = 100000000,
};

struct settings {
    char *bootstrap;
    char *topic_prefix;
    char *http_address;
    int64_t http_port;
    char *http_port_file;
    char *log_level;
    int64_t drain_ms;
    char *key_file;
    int64_t body_max;
    int64_t body_timeout_ms;
    int64_t bodies_max;
    int64_t connections_max;
    int64_t per_ip_max;
    int64_t delivery_ms;
    int64_t queue_records;
    int64_t queue_bytes;
    struct wh_conf_pairs kafka;
};

#define AT(member) offsetof(struct settings, member)
static const struct wh_conf_key keys[] = {
    {"kafka.bootstrap.servers", WH_CONF_STRING, 0, "127.0.0.1:9092", 0, 0, AT(bootstrap),
     "Kafka brokers, host:port,..."},
    {"topic.prefix", WH_CONF_STRING, 0, "wellhead.", 0, 0, AT(topic_prefix),
     "start of all topic names"},
    {"http.address", WH_CONF_STRING, 0, "127.0.0.1", 0, 0, AT(http_address),
     "address to listen on"},
    {"http.port", WH_CONF_INT, 0, "8702", 0, 65535, AT(http_port), "port to listen on; 0: any"},
    {"http.port_file", WH_CONF_STRING, 0, NULL, 0, 0, AT(http_port_file),
     "file to write the port in use to"},
    {"log.level", WH_CONF_STRING, 0, "info", 0, 0, AT(log_level), "error, warn, info or debug"},
    {"drain.deadline", WH_CONF_DURATION, 0, "20s", 100, 600000, AT(drain_ms),
     "longest time for stopping in order"},
    {"secrets.key_file", WH_CONF_STRING, 0, "secrets/key", 0, 0, AT(key_file),
     "key that opens webhook secrets, the fetcher's; made when it is not there"},
    {"body.max", WH_CONF_SIZE, 0, "25MiB", 1024, 29 << 20, AT(body_max),
     "largest body; GitLab sends at most 25 MiB"},
    {"body.timeout", WH_CONF_DURATION, 0, "10s", 100, 600000, AT(body_timeout_ms),
     "longest time for a body to come"},
    {"bodies.max", WH_CONF_SIZE, 0, "256MiB", 1024, INT64_C(1) << 40, AT(bodies_max),
     "bodies of all deliveries in work together; over it 503"},
    {"connections.max", WH_CONF_INT, 0, "1024", 1, 65536, AT(connections_max),
     "open HTTP connections"},
    {"connections.per_ip", WH_CONF_INT, 0, "0", 0, 65536, AT(per_ip_max),
     "open HTTP connections of one address; 0: a quarter of connections.max"},
    {"delivery.timeout", WH_CONF_DURATION, 0, "8s", 100, 600000, AT(delivery_ms),
     "how long Kafka may take; GitLab waits 10 s"},
    {"queue.records", WH_CONF_INT, 0, "100000", 1, 10000000, AT(queue_records),
     "records waiting for Kafka; over it 503"},
    {"queue.bytes", WH_CONF_SIZE, 0, "512MiB", 1 << 20, INT64_C(1) << 40, AT(queue_bytes),
     "bytes waiting for Kafka; over it 503"},
};

static const struct wh_conf_program program = {
    .name = "wellhead-webhook-intake",
    .purpose = "takes webhook deliveries of GitLab and puts them into Kafka as they are",
    .keys = keys,
    .n_keys = sizeof(keys) / sizeof(keys[0]),
    .pairs_offset = AT(kafka),
    .check_pairs = wh_bus_kafka_check,
    .default_file = "wellhead-webhook-intake.conf",
};

struct app {
    struct settings set;
    char client_id[CLIENT_ID_MAX];
    char name[CLIENT_ID_MAX]; /* of this intake, among others */
    struct wh_keyring keys;
    struct wh_run *run;
    struct wh_consumer *consumer;
    struct wh_admin *admin;
    struct intake *intake;
    struct wh_http_handler handler;
};

/* ---- routes: the core comes after the server ---- */

static size_t on_head(void *ctx, struct wh_http_req *req)
{
    struct app *app = ctx;

    if (app->handler.on_head) {
        return app->handler.on_head(app->handler.ctx, req);
    }
    wh_http_reply_error(req, 503, "starting", 1);
    return 0;
}

static void on_request(void *ctx, struct wh_http_req *req)
{
    struct app *app = ctx;

    if (app->handler.on_request) {
        app->handler.on_request(app->handler.ctx, req);
    } else {
        wh_http_reply_error(req, 503, "starting", 1);
    }
}

static void on_done(void *ctx, struct wh_http_req *req)
{
    struct app *app = ctx;

    if (app->handler.on_done) {
        app->handler.on_done(app->handler.ctx, req);
    }
}

/* ---- stage ---- */

static void on_drained(void *ctx)
{
    struct app *app = ctx;

    wh_run_drained(app->run);
}

static void drain(void *ctx)
{
    struct app *app = ctx;

    intake_drain(app->intake, on_drained, app);
}

static const char *not_ready(void *ctx)
{
    struct app *app = ctx;

    return intake_not_ready(app->intake);
}

static void collect(void *ctx)
{
    struct app *app = ctx;

    intake_collect(app->intake);
}

static void on_fatal(void *ctx, const struct wh_err *err)
{
    struct app *app = ctx;

    wh_run_fatal(app->run, err);
}

/* ---- parts ---- */

/* The fetcher may be writing it just now: an unreadable file is looked at again for a second. */
static enum wh_rc load_key(struct app *app, struct wh_err *err)
{
    const struct timespec pause = {.tv_nsec = KEY_PAUSE_NS};
    enum wh_rc rc = WH_OK;

    for (int i = 0; i < KEY_TRIES; i++) {
        rc = wh_keyring_load(&app->keys, app->set.key_file, true, err);
        if (rc == WH_OK) {
            return WH_OK;
        }
        (void)nanosleep(&pause, NULL);
    }
    return wh_err_prefix(err, "secrets.key_file");
}

static enum wh_rc make_producer(void *ctx, wh_bus_delivery_fn fn, void *fn_ctx,
                                struct wh_producer **ret, struct wh_err *err)
{
    struct app *app = ctx;
    struct wh_producer_conf conf;

    wh_producer_conf_init(&conf);
    conf.bootstrap = app->set.bootstrap;
    conf.client_id = app->client_id;
    conf.profile = WH_BUS_EAGER; /* gather.c */
    conf.extra = &app->set.kafka;
    conf.queue_max_bytes = (size_t)app->set.queue_bytes;
    conf.queue_max_records = (size_t)app->set.queue_records;
    conf.delivery_timeout_ms = app->set.delivery_ms;
    conf.on_delivery = fn;
    conf.ctx = fn_ctx;
    conf.log = wh_run_log(app->run);
    return wh_producer_kafka_new(&conf, ret, err);
}

static enum wh_rc open_kafka(struct app *app, struct wh_err *err)
{
    char host[CLIENT_ID_MAX / 2] = "";
    struct wh_consumer_conf consumer;

    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(app->client_id, sizeof(app->client_id), "wellhead-webhook-intake-%s", host);
    if (app->set.http_port > 0) {
        (void)snprintf(app->name, sizeof(app->name), "%s-%d", host, (int)app->set.http_port);
    } else {
        (void)snprintf(app->name, sizeof(app->name), "%s-pid-%d", host, (int)getpid());
    }
    wh_consumer_conf_init(&consumer);
    consumer.bootstrap = app->set.bootstrap;
    consumer.client_id = app->client_id;
    consumer.extra = &app->set.kafka;
    consumer.fetch_max_bytes = FETCH_MAX_BYTES;
    consumer.log = wh_run_log(app->run);
    if (wh_consumer_kafka_new(&consumer, &app->consumer, err) != WH_OK) {
        return err->rc;
    }
    return wh_admin_kafka_new(app->set.bootstrap, app->client_id, &app->set.kafka,
                              wh_run_log(app->run), &app->admin, err);
}

static enum wh_rc start_intake(struct app *app, struct wh_err *err)
{
    const struct intake_deps deps = {
        .make_producer = make_producer,
        .on_fatal = on_fatal,
        .ctx = app,
        .consumer = app->consumer,
        .admin = app->admin,
        .loop = wh_run_loop(app->run),
        .clock = wh_clock_real(),
        .log = wh_run_log(app->run),
        .metrics = wh_run_metrics(app->run),
        .keys = &app->keys,
    };
    struct intake_conf conf;

    intake_conf_init(&conf);
    conf.topic_prefix = app->set.topic_prefix;
    conf.name = app->name;
    conf.body_max = (size_t)app->set.body_max;
    conf.bodies_max = (size_t)app->set.bodies_max;
    if (intake_new(&deps, &conf, &app->intake, err) != WH_OK) {
        return err->rc;
    }
    app->handler = intake_handler(app->intake);
    return WH_OK;
}

static enum wh_rc start_run(struct app *app, struct wh_err *err)
{
    const struct wh_http_handler routes = {
        .on_head = on_head, .on_request = on_request, .on_done = on_done, .ctx = app};
    struct wh_run_conf conf;

    wh_run_conf_init(&conf, "webhook-intake");
    conf.http_address = app->set.http_address;
    conf.http_port = (uint16_t)app->set.http_port;
    conf.log_level = app->set.log_level;
    conf.drain_deadline_ms = app->set.drain_ms;
    conf.port_file = app->set.http_port_file;
    conf.routes = &routes;
    conf.httpd.max_connections = (unsigned)app->set.connections_max;
    conf.httpd.max_per_peer = (unsigned)app->set.per_ip_max;
    conf.httpd.body_timeout_ms = app->set.body_timeout_ms;
    /* After Kafka's own time-out, so that the answer is ours. */
    conf.httpd.reply_timeout_ms = app->set.delivery_ms + REPLY_MARGIN_MS;
    return wh_run_new(&conf, &app->run, err);
}

static void release(struct app *app)
{
    /* The server answers its open requests when it is freed: not through the core any more. */
    app->handler = (struct wh_http_handler){0};
    intake_free(app->intake);
    wh_consumer_free(app->consumer);
    wh_admin_free(app->admin);
    if (app->run) {
        wh_run_free(app->run);
    }
    wh_keyring_wipe(&app->keys);
}

static int run_stage(struct app *app)
{
    const struct wh_run_stage stage = {
        .drain = drain, .not_ready = not_ready, .collect = collect, .ctx = app};
    struct wh_err err;
    int code = 1;

    if (load_key(app, &err) == WH_OK && start_run(app, &err) == WH_OK &&
        open_kafka(app, &err) == WH_OK && start_intake(app, &err) == WH_OK) {
        code = wh_run_main(app->run, &stage);
    } else {
        (void)fprintf(stderr, "wellhead-webhook-intake: %s\n", err.msg);
    }
    release(app);
    return code;
}

/* --healthcheck is a word of its own: taken out before the keys are read. */
static bool take_word(int *argc, char **argv, const char *word)
{
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], word) == 0) {
            memmove(&argv[i], &argv[i + 1], (size_t)(*argc - i) * sizeof(argv[0]));
            (*argc)--;
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    static struct app app;
    enum wh_conf_action action;
    struct wh_err err;
    bool health = take_word(&argc, argv, "--healthcheck");
    int code = 0;

    if (wh_conf_load(&program, argc, argv, environ, stdout, &app.set, &action, &err) != WH_OK) {
        (void)fprintf(stderr, "wellhead-webhook-intake: %s\n", err.msg);
        return 2;
    }
    if (action == WH_CONF_RUN && health) {
        code = wh_run_healthcheck(app.set.http_address, (uint16_t)app.set.http_port);
    } else if (action == WH_CONF_RUN) {
        code = run_stage(&app);
    }
    wh_conf_release(&program, &app.set);
    return code;
}
