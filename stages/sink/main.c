/*
 * wellhead-sink - reads the entities topics, keeps the store, answers queries.
 * See stages/sink/README.md.
 */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/run/run.h"
#include "stages/sink/api/api.h"
#include "stages/sink/store/data_folder.h"
#include "stages/sink/store/dump.h"
#include "stages/sink/store/keyspace.h"
#include "stages/sink/ingest/sink.h"

enum {
    FETCH_MAX_BYTES = 32 << 20,
    DEAD_LETTER_QUEUE_BYTES = 16 << 20,
    DEAD_LETTER_QUEUE_RECORDS = 10000,
    DEAD_LETTER_TIMEOUT_MS = 10000,
    DUMP_CACHE_BYTES = 8 << 20,
    CLIENT_ID_MAX = 128,
};

struct settings {
    char *bootstrap;
    char *topic_prefix;
    char *http_address;
    int64_t http_port;
    char *http_port_file;
    char *log_level;
    int64_t drain_ms;
    char *data_path;
    int64_t cache_bytes;
    int64_t memtable_bytes;
    bool sync;
    bool rebuild;
    int64_t batch_records;
    int64_t batch_bytes;
    int64_t discover_ms;
    int64_t retry_ms;
    bool accept_gap;
    char *token_file;
    int64_t sql_timeout_ms;
    int64_t sql_rows;
    int64_t sql_bytes;
    bool dump_heads;
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
    {"http.port", WH_CONF_INT, 0, "8704", 0, 65535, AT(http_port), "port to listen on; 0: any"},
    {"http.port_file", WH_CONF_STRING, 0, NULL, 0, 0, AT(http_port_file),
     "file to write the port in use to"},
    {"log.level", WH_CONF_STRING, 0, "info", 0, 0, AT(log_level), "error, warn, info or debug"},
    {"drain.deadline", WH_CONF_DURATION, 0, "20s", 100, 600000, AT(drain_ms),
     "longest time for stopping in order"},
    {"data.path", WH_CONF_STRING, 0, "data/sink", 0, 0, AT(data_path), "folder of the store"},
    {"store.cache", WH_CONF_SIZE, 0, "128MiB", 1 << 20, INT64_C(1) << 40, AT(cache_bytes),
     "memory for blocks read from the store"},
    {"store.memtable", WH_CONF_SIZE, 0, "32MiB", 1 << 20, INT64_C(1) << 32, AT(memtable_bytes),
     "write buffer; all of them together take twice as much"},
    {"store.sync", WH_CONF_BOOL, 0, "true", 0, 0, AT(sync),
     "each batch is on the disk before the next"},
    {"store.rebuild", WH_CONF_BOOL, 0, "false", 0, 0, AT(rebuild),
     "build the next store from Kafka, put it in use and end"},
    {"batch.records", WH_CONF_INT, 0, "2048", 1, 65536, AT(batch_records),
     "most records of a batch"},
    {"batch.bytes", WH_CONF_SIZE, 0, "8MiB", 4096, 1 << 30, AT(batch_bytes),
     "a batch ends when it is this large"},
    {"discover.interval", WH_CONF_DURATION, 0, "3s", 100, 600000, AT(discover_ms),
     "how often topics and their ends are asked for"},
    {"retry.interval", WH_CONF_DURATION, 0, "500ms", 10, 60000, AT(retry_ms),
     "first pause when the disk is full; grows to 16 times"},
    {"offsets.accept_gap", WH_CONF_BOOL, 0, "false", 0, 0, AT(accept_gap),
     "go on where the log starts when records that were not read yet are gone"},
    {"api.token_file", WH_CONF_STRING, 0, NULL, 0, 0, AT(token_file),
     "bearer token of the API; default <data.path>/api.token, made when it is not there"},
    {"sql.timeout", WH_CONF_DURATION, 0, "10s", 10, 600000, AT(sql_timeout_ms),
     "longest time of one SQL statement"},
    {"sql.rows", WH_CONF_INT, 0, "10000", 1, 10000000, AT(sql_rows), "most rows of one answer"},
    {"sql.bytes", WH_CONF_SIZE, 0, "32MiB", 4096, 1 << 30, AT(sql_bytes),
     "most bytes of one answer"},
    {"dump.heads", WH_CONF_BOOL, 0, "false", 0, 0, AT(dump_heads),
     "print kind, id, size and hash of every entity's head, and end"},
};

static const struct wh_conf_program program = {
    .name = "wellhead-sink",
    .purpose = "keeps the entity store from the entities topics and answers queries",
    .keys = keys,
    .n_keys = sizeof(keys) / sizeof(keys[0]),
    .pairs_offset = AT(kafka),
    .check_pairs = wh_bus_kafka_check,
    .default_file = "wellhead-sink.conf",
};

struct app {
    struct settings set;
    char store_path[SINK_PATH_MAX];
    char token_path[SINK_PATH_MAX];
    struct wh_run *run;
    struct wh_store *store;
    struct wh_consumer *consumer;
    struct wh_admin *admin;
    struct wh_producer *producer;
    struct sink_deliveries deliveries;
    struct sink *sink;
    struct sink_api *api;
    struct wh_http_handler handler;
};

/* ---- routes: the API comes after the server ---- */

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

static void on_stopped(void *ctx)
{
    struct app *app = ctx;

    wh_run_drained(app->run);
}

static void drain(void *ctx)
{
    struct app *app = ctx;

    sink_api_drain(app->api);
    sink_stop(app->sink, on_stopped, app);
}

static const char *not_ready(void *ctx)
{
    struct app *app = ctx;

    return sink_not_ready(app->sink);
}

static void collect(void *ctx)
{
    struct app *app = ctx;

    sink_collect(app->sink);
}

static void on_fatal(void *ctx, const struct wh_err *err)
{
    struct app *app = ctx;

    wh_run_fatal(app->run, err);
}

static void on_rebuilt(void *ctx)
{
    struct app *app = ctx;
    struct wh_err err;

    if (sink_data_switch(app->set.data_path, app->store_path, &err) != WH_OK) {
        wh_run_fatal(app->run, &err);
        return;
    }
    wh_log_info(wh_run_log(app->run), "the rebuilt store is in use from the next start on",
                WH_STR("path", app->store_path));
    (void)kill(getpid(), SIGTERM);
}

/* ---- parts ---- */

static enum wh_rc open_store(struct app *app, bool read_only, struct wh_err *err)
{
    const struct settings *set = &app->set;
    const struct wh_store_conf conf = {
        .path = app->store_path,
        .families = sink_families,
        .n_families = SINK_FAMILY_COUNT,
        .cache_bytes = read_only ? DUMP_CACHE_BYTES : (size_t)set->cache_bytes,
        .memtable_bytes = (size_t)set->memtable_bytes,
        .read_only = read_only,
    };
    enum wh_rc rc = set->rebuild ? sink_data_next(set->data_path, app->store_path, err)
                                 : sink_data_current(set->data_path, app->store_path, err);

    return rc == WH_OK ? wh_store_rocks_open(&conf, &app->store, err) : rc;
}

static enum wh_rc open_kafka(struct app *app, struct wh_err *err)
{
    char host[CLIENT_ID_MAX / 2] = "";
    char client_id[CLIENT_ID_MAX];
    struct wh_consumer_conf consumer;
    struct wh_producer_conf producer;

    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(client_id, sizeof(client_id), "wellhead-sink-%s", host);
    wh_consumer_conf_init(&consumer);
    consumer.bootstrap = app->set.bootstrap;
    consumer.client_id = client_id;
    consumer.extra = &app->set.kafka;
    consumer.fetch_max_bytes = FETCH_MAX_BYTES;
    consumer.log = wh_run_log(app->run);
    wh_producer_conf_init(&producer);
    producer.bootstrap = app->set.bootstrap;
    producer.client_id = client_id;
    producer.profile = WH_BUS_LIVE;
    producer.extra = &app->set.kafka;
    producer.queue_max_bytes = DEAD_LETTER_QUEUE_BYTES;
    producer.queue_max_records = DEAD_LETTER_QUEUE_RECORDS;
    producer.delivery_timeout_ms = DEAD_LETTER_TIMEOUT_MS;
    producer.on_delivery = sink_on_delivery;
    producer.ctx = &app->deliveries;
    producer.log = wh_run_log(app->run);
    if (wh_consumer_kafka_new(&consumer, &app->consumer, err) != WH_OK ||
        wh_producer_kafka_new(&producer, &app->producer, err) != WH_OK) {
        return err->rc;
    }
    return wh_admin_kafka_new(app->set.bootstrap, client_id, &app->set.kafka, wh_run_log(app->run),
                              &app->admin, err);
}

static enum wh_rc start_sink(struct app *app, struct wh_err *err)
{
    const struct sink_deps deps = {
        .store = app->store,
        .consumer = app->consumer,
        .admin = app->admin,
        .dead_letters = app->producer,
        .deliveries = &app->deliveries,
        .loop = wh_run_loop(app->run),
        .clock = wh_clock_real(),
        .log = wh_run_log(app->run),
        .metrics = wh_run_metrics(app->run),
        .on_fatal = on_fatal,
        .on_caught_up = app->set.rebuild ? on_rebuilt : NULL,
        .ctx = app,
    };
    struct sink_conf conf;

    sink_conf_init(&conf);
    conf.topic_prefix = app->set.topic_prefix;
    conf.batch_records = (size_t)app->set.batch_records;
    conf.batch_bytes = (size_t)app->set.batch_bytes;
    conf.sync = app->set.sync;
    conf.discover_ms = app->set.discover_ms;
    conf.retry_ms = app->set.retry_ms;
    conf.rebuild = app->set.rebuild;
    conf.accept_gap = app->set.accept_gap;
    return sink_new(&deps, &conf, &app->sink, err);
}

static enum wh_rc start_api(struct app *app, struct wh_err *err)
{
    const struct settings *set = &app->set;
    struct sink_api_deps deps = {
        .store = app->store,
        .sink = app->sink,
        .loop = wh_run_loop(app->run),
        .clock = wh_clock_real(),
        .log = wh_run_log(app->run),
        .metrics = wh_run_metrics(app->run),
        .conf = {.sql_timeout_ms = set->sql_timeout_ms,
                 .sql_rows = set->sql_rows,
                 .sql_bytes = set->sql_bytes,
                 .data_path = set->data_path,
                 .token_file = app->token_path},
    };
    int n =
        set->token_file[0]
            ? snprintf(app->token_path, sizeof(app->token_path), "%s", set->token_file)
            : snprintf(app->token_path, sizeof(app->token_path), "%s/api.token", set->data_path);

    if (n < 0 || (size_t)n >= sizeof(app->token_path)) {
        return wh_fail(err, WH_E_CONFIG, "api.token_file is too long");
    }
    if (sink_api_new(&deps, &app->api, err) != WH_OK) {
        return err->rc;
    }
    app->handler = sink_api_handler(app->api);
    return WH_OK;
}

static enum wh_rc start_run(struct app *app, struct wh_err *err)
{
    const struct wh_http_handler routes = {
        .on_head = on_head, .on_request = on_request, .on_done = on_done, .ctx = app};
    struct wh_run_conf conf;

    wh_run_conf_init(&conf, "sink");
    conf.http_address = app->set.http_address;
    conf.http_port = (uint16_t)app->set.http_port;
    conf.log_level = app->set.log_level;
    conf.drain_deadline_ms = app->set.drain_ms;
    conf.port_file = app->set.http_port_file;
    conf.routes = &routes;
    return wh_run_new(&conf, &app->run, err);
}

static void release(struct app *app)
{
    /* The server first: its open requests are answered while what they use is there. */
    app->handler = (struct wh_http_handler){0};
    sink_api_free(app->api);
    sink_free(app->sink);
    wh_producer_free(app->producer);
    wh_consumer_free(app->consumer);
    wh_admin_free(app->admin);
    if (app->run) {
        wh_run_free(app->run);
    }
    wh_store_free(app->store);
}

static int run_stage(struct app *app)
{
    const struct wh_run_stage stage = {
        .drain = drain, .not_ready = not_ready, .collect = collect, .ctx = app};
    struct wh_err err;
    int code = 1;

    if (open_store(app, false, &err) == WH_OK && start_run(app, &err) == WH_OK &&
        open_kafka(app, &err) == WH_OK && start_sink(app, &err) == WH_OK &&
        start_api(app, &err) == WH_OK) {
        code = wh_run_main(app->run, &stage);
    } else {
        (void)fprintf(stderr, "wellhead-sink: %s\n", err.msg);
    }
    release(app);
    return code;
}

static int dump_heads(struct app *app)
{
    struct wh_err err;
    enum wh_rc rc = open_store(app, true, &err);

    if (rc == WH_OK) {
        rc = sink_dump_heads(app->store, stdout, &err);
    }
    if (rc == WH_OK && fflush(stdout) != 0) {
        rc = wh_fail(&err, WH_E_IO, "the heads cannot be written out");
    }
    if (rc != WH_OK) {
        (void)fprintf(stderr, "wellhead-sink: %s\n", err.msg);
    }
    wh_store_free(app->store);
    return rc == WH_OK ? 0 : 1;
}

/* --healthcheck and --dump-heads are words of their own: taken out before the keys are read. */
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
    bool dump = take_word(&argc, argv, "--dump-heads");
    int code = 0;

    if (wh_conf_load(&program, argc, argv, environ, stdout, &app.set, &action, &err) != WH_OK) {
        (void)fprintf(stderr, "wellhead-sink: %s\n", err.msg);
        return 2;
    }
    if (action == WH_CONF_RUN && health) {
        code = wh_run_healthcheck(app.set.http_address, (uint16_t)app.set.http_port);
    } else if (action == WH_CONF_RUN) {
        code = dump || app.set.dump_heads ? dump_heads(&app) : run_stage(&app);
    }
    wh_conf_release(&program, &app.set);
    return code;
}
