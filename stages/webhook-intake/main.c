/*
 * wellhead-webhook-intake - takes webhook deliveries of GitLab and puts them into Kafka as they
 * are. See stages/webhook-intake/README.md.
 */
#include <stddef.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "common/run/stage.h"
#include "stages/webhook-intake/intake.h"

enum {
    FETCH_MAX_BYTES = 8 << 20,
    REPLY_MARGIN_MS = 2000,
    KEY_TRIES = 10,
    KEY_PAUSE_NS = 100000000,
};

struct app {
    struct wh_stage_base base;
    struct intake_conf conf;
    char *key_file;
    int64_t connections_max;
    int64_t per_ip_max;
    int64_t delivery_ms;
    size_t queue_records;
    size_t queue_bytes;
    struct wh_keyring keys;
    struct wh_consumer *consumer;
    struct wh_admin *admin;
    struct intake *intake;
};

#define AT(member) offsetof(struct app, member)
static const struct wh_conf_key keys[] = {
    {"secrets.key_file", WH_CONF_STRING, 0, "secrets/key", 0, 0, AT(key_file),
     "key that opens webhook secrets, the fetcher's; made when it is not there"},
    {"webhooks.require_signature", WH_CONF_BOOL, 0, "false", 0, 0, AT(conf.require_signature),
     "refuse deliveries that have a token and no signature"},
    {"head.timeout", WH_CONF_DURATION, 0, "10s", 100, 600000, AT(base.httpd.head_timeout_ms),
     "longest time for a new connection to send the head of its request"},
    {"body.max", WH_CONF_SIZE, 0, "25MiB", 1024, 29 << 20, AT(conf.body_max),
     "largest body; GitLab sends at most 25 MiB"},
    {"body.timeout", WH_CONF_DURATION, 0, "10s", 100, 600000, AT(base.httpd.body_timeout_ms),
     "longest time for a body to arrive"},
    {"bodies.max", WH_CONF_SIZE, 0, "256MiB", 1024, INT64_C(1) << 40, AT(conf.bodies_max),
     "memory for the bodies of all deliveries in work; over it 503"},
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

static void init(void *ctx)
{
    intake_conf_init(&((struct app *)ctx)->conf);
}

static void drain(void *ctx)
{
    intake_drain(((struct app *)ctx)->intake, wh_stage_drained, ctx);
}

static const char *not_ready(void *ctx)
{
    return intake_not_ready(((struct app *)ctx)->intake);
}

static void collect(void *ctx)
{
    intake_collect(((struct app *)ctx)->intake);
}

/* ---- parts ---- */

/* The fetcher may be writing the file at this moment: it is read again for a second. */
static enum wh_rc load_key(struct app *app, struct wh_err *err)
{
    const struct timespec pause = {.tv_nsec = KEY_PAUSE_NS};
    enum wh_rc rc = WH_OK;

    for (int i = 0; i < KEY_TRIES; i++) {
        rc = wh_keyring_load(&app->keys, app->key_file, true, err);
        if (rc == WH_OK) {
            return WH_OK;
        }
        (void)nanosleep(&pause, NULL);
    }
    return wh_err_prefix(err, "secrets.key_file");
}

static enum wh_rc prepare(void *ctx, bool *ret_done, struct wh_err *err)
{
    struct app *app = ctx;
    struct wh_httpd_conf *httpd = &app->base.httpd;

    (void)ret_done;
    httpd->max_connections = (unsigned)app->connections_max;
    httpd->max_per_peer = (unsigned)app->per_ip_max;
    /* After Kafka's own time-out, so that the intake's answer is the one that GitLab sees. */
    httpd->reply_timeout_ms = app->delivery_ms + REPLY_MARGIN_MS;
    return load_key(app, err);
}

static enum wh_rc make_producer(void *ctx, struct wh_producer **ret, struct wh_err *err)
{
    struct app *app = ctx;
    struct wh_producer_conf conf;

    wh_stage_producer_conf(&app->base, &conf);
    conf.profile = WH_BUS_EAGER; /* gather.c */
    conf.queue_max_bytes = app->queue_bytes;
    conf.queue_max_records = app->queue_records;
    conf.delivery_timeout_ms = app->delivery_ms;
    return wh_producer_kafka_new(&conf, ret, err);
}

static enum wh_rc open_kafka(struct app *app, struct wh_err *err)
{
    struct wh_consumer_conf consumer;

    wh_stage_consumer_conf(&app->base, &consumer);
    consumer.fetch_max_bytes = FETCH_MAX_BYTES;
    consumer.report_ends = true;
    if (wh_consumer_kafka_new(&consumer, &app->consumer, err) != WH_OK) {
        return err->rc;
    }
    return wh_stage_admin_new(&app->base, &app->admin, err);
}

static enum wh_rc start(void *ctx, struct wh_err *err)
{
    struct app *app = ctx;
    struct wh_run *run = app->base.run;
    struct intake_deps deps = {
        .make_producer = make_producer,
        .on_fatal = wh_stage_fatal,
        .ctx = app,
        .loop = wh_run_loop(run),
        .clock = wh_clock_real(),
        .log = wh_run_log(run),
        .metrics = wh_run_metrics(run),
        .keys = &app->keys,
    };
    struct wh_http_handler routes;

    if (open_kafka(app, err) != WH_OK) {
        return err->rc;
    }
    deps.consumer = app->consumer;
    deps.admin = app->admin;
    app->conf.topic_prefix = app->base.topic_prefix;
    app->conf.name = app->base.process;
    if (intake_new(&deps, &app->conf, &app->intake, err) != WH_OK) {
        return err->rc;
    }
    routes = intake_handler(app->intake);
    wh_run_bind(run, &routes);
    return WH_OK;
}

static void release(void *ctx)
{
    struct app *app = ctx;

    intake_free(app->intake);
    wh_consumer_free(app->consumer);
    wh_admin_free(app->admin);
    wh_keyring_wipe(&app->keys);
}

int main(int argc, char **argv)
{
    const struct wh_stage stage = {
        .name = "webhook-intake",
        .purpose = "takes webhook deliveries of GitLab and puts them into Kafka as they are",
        .port = "8702",
        .keys = keys,
        .n_keys = sizeof(keys) / sizeof(keys[0]),
        .size = sizeof(struct app),
        .init = init,
        .prepare = prepare,
        .start = start,
        .drain = drain,
        .not_ready = not_ready,
        .collect = collect,
        .release = release,
    };

    return wh_stage_main(&stage, argc, argv, environ);
}
