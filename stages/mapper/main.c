/*
 * wellhead-mapper - turns raw events into observations by data views.
 * See stages/mapper/README.md.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/run/run.h"
#include "common/event/topics.h"
#include "stages/mapper/mapper.h"
#include "stages/mapper/replay.h"

enum { CLIENT_ID_MAX = 128, DELIVERY_TIMEOUT_MS = 24 * 3600 * 1000, QUEUE_SPARE = 32 << 20 };

struct settings {
    char *bootstrap;
    char *topic_prefix;
    char *group;
    char *http_address;
    int64_t http_port;
    char *http_port_file;
    char *log_level;
    int64_t drain_ms;
    char *views_path;
    int64_t event_max_bytes;
    int64_t event_max_depth;
    int64_t in_flight;
    int64_t queue_bytes;
    int64_t queue_records;
    int64_t fetch_bytes;
    bool bulk;
    int64_t commit_ms;
    int64_t discover_ms;
    int64_t breaker_window;
    int64_t breaker_min;
    int64_t breaker_share;
    int64_t breaker_exit_ms;
    int64_t schema_wait_ms;
    char *replay_connection;
    bool replay_dead_letters;
    struct wh_conf_pairs kafka;
};

#define AT(member) offsetof(struct settings, member)
static const struct wh_conf_key keys[] = {
    {"kafka.bootstrap.servers", WH_CONF_STRING, 0, "127.0.0.1:9092", 0, 0, AT(bootstrap),
     "Kafka brokers, host:port,..."},
    {"topic.prefix", WH_CONF_STRING, 0, "wellhead.", 0, 0, AT(topic_prefix),
     "start of all topic names"},
    {"group", WH_CONF_STRING, 0, "", 0, 0, AT(group),
     "consumer group; mappers of one group share the partitions; empty: <topic.prefix>mapper"},
    {"http.address", WH_CONF_STRING, 0, "127.0.0.1", 0, 0, AT(http_address),
     "address to listen on"},
    {"http.port", WH_CONF_INT, 0, "8703", 0, 65535, AT(http_port), "port to listen on; 0: any"},
    {"http.port_file", WH_CONF_STRING, 0, NULL, 0, 0, AT(http_port_file),
     "file to write the port in use to"},
    {"log.level", WH_CONF_STRING, 0, "info", 0, 0, AT(log_level), "error, warn, info or debug"},
    {"drain.deadline", WH_CONF_DURATION, 0, "20s", 100, 600000, AT(drain_ms),
     "longest time for stopping in order"},
    {"views.path", WH_CONF_STRING, 0, NULL, 0, 0, AT(views_path),
     "folder of data views that go over the built-in ones"},
    {"event.max_bytes", WH_CONF_SIZE, 0, "26MiB", 1024, 1 << 30, AT(event_max_bytes),
     "largest payload that is mapped"},
    {"event.max_depth", WH_CONF_INT, 0, "128", 8, 1024, AT(event_max_depth),
     "deepest nesting of a payload that is mapped"},
    {"in_flight", WH_CONF_INT, 0, "50000", 1, 10000000, AT(in_flight),
     "most events of a partition that wait for acknowledgement"},
    {"queue.bytes", WH_CONF_SIZE, 0, "16MiB", 1 << 20, INT64_C(1) << 32, AT(queue_bytes),
     "most bytes that wait for the broker"},
    {"queue.records", WH_CONF_INT, 0, "200000", 1, 10000000, AT(queue_records),
     "most records that wait for the broker"},
    {"fetch.bytes", WH_CONF_SIZE, 0, "48MiB", 8 << 20, INT64_C(1) << 31, AT(fetch_bytes),
     "most bytes read ahead"},
    {"produce.bulk", WH_CONF_BOOL, 0, "false", 0, 0, AT(bulk),
     "larger batches, up to 100 ms later: for replays"},
    {"commit.interval", WH_CONF_DURATION, 0, "1s", 10, 600000, AT(commit_ms),
     "how often positions are committed"},
    {"discover.interval", WH_CONF_DURATION, 0, "3s", 100, 600000, AT(discover_ms),
     "how soon topics of new connections are found"},
    {"breaker.window", WH_CONF_INT, 0, "1000", 1, 4096, AT(breaker_window),
     "events that the breaker looks back on"},
    {"breaker.min", WH_CONF_INT, 0, "200", 1, 4096, AT(breaker_min),
     "events before the breaker can open"},
    {"breaker.share", WH_CONF_INT, 0, "50", 0, 100, AT(breaker_share),
     "percent of failing events that opens the breaker; 0: never"},
    {"breaker.exit_after", WH_CONF_DURATION, 0, "30s", 0, 86400000, AT(breaker_exit_ms),
     "how long the stage stays up with an open breaker before it ends; 0: for ever"},
    {"schema.wait", WH_CONF_DURATION, 0, "60s", 0, 86400000, AT(schema_wait_ms),
     "how long an unknown schema id is waited for before the stage ends"},
    {"replay.connection", WH_CONF_STRING, 0, NULL, 0, 0, AT(replay_connection),
     "map this connection's raw events from the group's positions to their present end, then end"},
    {"replay.dead_letters", WH_CONF_BOOL, 0, "false", 0, 0, AT(replay_dead_letters),
     "replay the connection's dead letters instead"},
};

static const struct wh_conf_program program = {
    .name = "wellhead-mapper",
    .purpose = "maps raw GitLab events to observations of entities by data views",
    .keys = keys,
    .n_keys = sizeof(keys) / sizeof(keys[0]),
    .pairs_offset = AT(kafka),
    .check_pairs = wh_bus_kafka_check,
    .default_file = "wellhead-mapper.conf",
};

struct app {
    struct settings set;
    char group[WH_TOPIC_MAX + 16];
    struct replay_ends ends;
    struct wh_run *run;
    struct mapper_views *views;
    struct mapper *mapper;
    struct wh_consumer *consumer;
    struct wh_producer *producer;
};

/* ---- stage ---- */

static void on_fatal(void *ctx, const struct wh_err *err)
{
    struct app *app = ctx;

    wh_run_fatal(app->run, err);
}

static void on_drained(void *ctx)
{
    struct app *app = ctx;

    wh_run_drained(app->run);
}

static void drain(void *ctx)
{
    struct app *app = ctx;

    mapper_drain(app->mapper);
}

static const char *not_ready(void *ctx)
{
    struct app *app = ctx;

    return mapper_not_ready(app->mapper);
}

/* ---- parts ---- */

static enum wh_rc start_run(struct app *app, struct wh_err *err)
{
    struct wh_run_conf conf;

    wh_run_conf_init(&conf, "mapper");
    conf.http_address = app->set.http_address;
    conf.http_port = (uint16_t)app->set.http_port;
    conf.log_level = app->set.log_level;
    conf.drain_deadline_ms = app->set.drain_ms;
    conf.port_file = app->set.http_port_file;
    return wh_run_new(&conf, &app->run, err);
}

static enum wh_rc open_kafka(struct app *app, struct wh_err *err)
{
    char host[CLIENT_ID_MAX / 2] = "";
    char client_id[CLIENT_ID_MAX];
    struct wh_consumer_conf consumer;
    struct wh_producer_conf producer;

    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(client_id, sizeof(client_id), "wellhead-mapper-%s", host);
    wh_consumer_conf_init(&consumer);
    consumer.bootstrap = app->set.bootstrap;
    consumer.client_id = client_id;
    consumer.group = app->group;
    consumer.extra = &app->set.kafka;
    consumer.fetch_max_bytes = (size_t)app->set.fetch_bytes;
    consumer.metadata_refresh_ms = app->set.discover_ms;
    consumer.rebalance = mapper_rebalance(app->mapper);
    consumer.log = wh_run_log(app->run);
    wh_producer_conf_init(&producer);
    producer.bootstrap = app->set.bootstrap;
    producer.client_id = client_id;
    producer.profile = app->set.bulk ? WH_BUS_REPLAY : WH_BUS_LIVE;
    producer.extra = &app->set.kafka;
    /* The mapper holds itself to queue.bytes; its largest record must fit behind that. */
    producer.queue_max_bytes = (size_t)app->set.queue_bytes + QUEUE_SPARE;
    producer.queue_max_records = (size_t)app->set.queue_records;
    /* A broker that is away fills the queue and so holds the input: nothing to give up on. */
    producer.delivery_timeout_ms = DELIVERY_TIMEOUT_MS;
    producer.on_delivery = mapper_on_delivery;
    producer.ctx = app->mapper;
    producer.log = wh_run_log(app->run);
    if (wh_producer_kafka_new(&producer, &app->producer, err) != WH_OK ||
        wh_consumer_kafka_new(&consumer, &app->consumer, err) != WH_OK) {
        return err->rc;
    }
    return mapper_start(app->mapper, app->consumer, app->producer, err);
}

static enum wh_rc make_mapper(struct app *app, struct wh_err *err)
{
    const struct settings *set = &app->set;
    const struct mapper_deps deps = {
        .views = app->views,
        .loop = wh_run_loop(app->run),
        .clock = wh_clock_real(),
        .log = wh_run_log(app->run),
        .metrics = wh_run_metrics(app->run),
        .on_fatal = on_fatal,
        .on_drained = on_drained,
        .ctx = app,
    };
    struct mapper_conf conf;

    mapper_conf_init(&conf);
    conf.topic_prefix = set->topic_prefix;
    conf.in_flight_max = (size_t)set->in_flight;
    conf.in_flight_bytes = (size_t)set->queue_bytes;
    conf.max_event_bytes = (size_t)set->event_max_bytes;
    conf.max_event_depth = (size_t)set->event_max_depth;
    conf.commit_interval_ms = set->commit_ms;
    conf.flush_ms = set->drain_ms / 2;
    conf.breaker_window = (size_t)set->breaker_window;
    conf.breaker_min = (size_t)set->breaker_min;
    conf.breaker_share = (unsigned)set->breaker_share;
    conf.breaker_exit_after_ms = set->breaker_exit_ms;
    conf.schema_wait_ms = set->schema_wait_ms;
    conf.replay_connection = set->replay_connection;
    conf.replay_dead_letters = set->replay_dead_letters;
    conf.ends = app->ends.parts;
    conf.n_ends = app->ends.n;
    return mapper_new(&deps, &conf, &app->mapper, err);
}

/* False: there is nothing to replay. */
static enum wh_rc find_ends(struct app *app, bool *ret_work, struct wh_err *err)
{
    const struct settings *set = &app->set;
    enum wh_topic_role role = set->replay_dead_letters ? WH_TOPIC_DEAD_LETTER : WH_TOPIC_RAW;
    struct wh_admin *admin = NULL;
    enum wh_rc rc;

    *ret_work = true;
    if (set->replay_connection[0] == '\0') {
        return WH_OK;
    }
    if (wh_topic_name(set->topic_prefix, role, wh_slice_str(set->replay_connection),
                      app->ends.topic, err) != WH_OK ||
        wh_admin_kafka_new(set->bootstrap, "wellhead-mapper", &set->kafka, NULL, &admin, err) !=
            WH_OK) {
        return err->rc;
    }
    rc = replay_ends_find(admin, app->group, &app->ends, err);
    wh_admin_free(admin);
    *ret_work = app->ends.n > 0;
    return rc;
}

static int run_stage(struct app *app)
{
    const struct wh_run_stage stage = {.drain = drain, .not_ready = not_ready, .ctx = app};
    struct wh_err err;
    bool work = true;
    int code = 1;

    (void)snprintf(app->group, sizeof(app->group), "%s%s",
                   app->set.group[0] ? app->set.group : app->set.topic_prefix,
                   app->set.group[0] ? "" : "mapper");
    if (find_ends(app, &work, &err) != WH_OK) {
        (void)fprintf(stderr, "wellhead-mapper: %s\n", err.msg);
        return 1;
    }
    if (!work) {
        return 0;
    }
    if (mapper_views_load(app->set.views_path, &app->views, &err) == WH_OK &&
        start_run(app, &err) == WH_OK && make_mapper(app, &err) == WH_OK &&
        open_kafka(app, &err) == WH_OK) {
        wh_log_info(wh_run_log(app->run), "views are compiled",
                    WH_I("views", mapper_views_count(app->views)));
        code = wh_run_main(app->run, &stage);
    } else {
        (void)fprintf(stderr, "wellhead-mapper: %s\n", err.msg);
    }
    /* The consumer first: leaving the group commits what is acknowledged. */
    wh_consumer_free(app->consumer);
    wh_producer_free(app->producer);
    mapper_free(app->mapper);
    if (app->run) {
        wh_run_free(app->run);
    }
    mapper_views_free(app->views);
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
    bool healthcheck = take_word(&argc, argv, "--healthcheck");
    enum wh_conf_action action;
    struct wh_err err;
    int code = 0;

    if (wh_conf_load(&program, argc, argv, environ, stdout, &app.set, &action, &err) != WH_OK) {
        (void)fprintf(stderr, "wellhead-mapper: %s\n", err.msg);
        return 2;
    }
    if (action == WH_CONF_RUN) {
        code = healthcheck ? wh_run_healthcheck(app.set.http_address, (uint16_t)app.set.http_port)
                           : run_stage(&app);
    }
    wh_conf_release(&program, &app.set);
    return code;
}
