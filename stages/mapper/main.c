/*
 * wellhead-mapper - turns raw events into observations by data views.
 * See stages/mapper/README.md.
 */
#ifdef WH_MIMALLOC
#include <mimalloc.h>
#endif
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/event/health.h"
#include "common/event/messages.h"
#include "common/event/topics.h"
#include "common/run/stage.h"
#include "stages/mapper/mapper.h"
#include "stages/mapper/replay.h"
#include "stages/mapper/shadow.h"

enum {
    DELIVERY_TIMEOUT_MS = 24 * 3600 * 1000,
    QUEUE_SPARE = 32 << 20,
    REGISTRY_CONNECT_MS = 2000,
    TOKEN_MAX_BYTES = 4096,
    HEAP_DELAY_MS = 1000,
    REPORT_MAX_BYTES = 16 << 20,
    VIEWS_MAX_BYTES = 900 << 10, /* of a record */
};

/* The record that describes the views, until Kafka has taken it. */
struct views_record {
    struct wh_bus_ack ack;
    struct wh_log *log;
};

struct app {
    struct wh_stage_base base;
    struct mapper_conf conf;
    char *group_key; /* empty: from topic.prefix */
    char *views_path;
    size_t queue_records;
    size_t fetch_bytes;
    bool bulk;
    int64_t discover_ms;
    char group[WH_TOPIC_MAX + 16];
    struct replay_ends ends;
    char *shadow_file;
    char *report_file;
    struct views_record views_record;
    char *registry_url;
    char *registry_token_file;
    char *registry_token;
    struct wh_httpc *http;
    struct foreign *foreign;
    struct mapper_views *views;
    struct mapper *mapper;
    struct wh_consumer *consumer;
    struct wh_producer *producer;
};

#define AT(member) offsetof(struct app, member)
static const struct wh_conf_key keys[] = {
    {"group", WH_CONF_STRING, 0, "", 0, 0, AT(group_key),
     "consumer group; mappers of one group share the partitions; empty: <topic.prefix>mapper"},
    {"views.path", WH_CONF_STRING, 0, NULL, 0, 0, AT(views_path),
     "folder of data views that override the built-in ones"},
    {"event.max_bytes", WH_CONF_SIZE, 0, "26MiB", 1024, 1 << 30, AT(conf.max_event_bytes),
     "largest payload of an event"},
    {"event.max_depth", WH_CONF_INT, 0, "128", 8, 1024, AT(conf.max_event_depth),
     "deepest nesting of a payload"},
    {"in_flight", WH_CONF_INT, 0, "50000", 1, 10000000, AT(conf.in_flight_max),
     "maximum unacknowledged events of a partition"},
    {"queue.bytes", WH_CONF_SIZE, 0, "16MiB", 1 << 20, INT64_C(1) << 32, AT(conf.in_flight_bytes),
     "maximum unacknowledged bytes"},
    {"queue.records", WH_CONF_INT, 0, "200000", 1, 10000000, AT(queue_records),
     "maximum unacknowledged records"},
    {"fetch.bytes", WH_CONF_SIZE, 0, "48MiB", 8 << 20, INT64_C(1) << 31, AT(fetch_bytes),
     "maximum prefetched bytes"},
    {"produce.bulk", WH_CONF_BOOL, 0, "false", 0, 0, AT(bulk),
     "larger batches, up to 100 ms later: for replays"},
    {"remember", WH_CONF_INT, 0, "262144", 0, 1 << 26, AT(conf.remember_max),
     "observations that are remembered, so that unchanged ones are not produced again; 0: none"},
    {"commit.interval", WH_CONF_DURATION, 0, "1s", 10, 600000, AT(conf.commit_interval_ms),
     "interval between commits of offsets"},
    {"discover.interval", WH_CONF_DURATION, 0, "3s", 100, 600000, AT(discover_ms),
     "interval between searches for topics of new connections"},
    {"breaker.window", WH_CONF_INT, 0, "1000", 1, 4096, AT(conf.breaker_window),
     "number of recent events of a stream that its breaker counts"},
    {"breaker.min", WH_CONF_INT, 0, "200", 1, 4096, AT(conf.breaker_min),
     "events of a stream before its breaker can open"},
    {"breaker.share", WH_CONF_INT, 0, "50", 0, 100, AT(conf.breaker_share),
     "percent of failing events at which the stream is held; 0: never"},
    {"breaker.retry", WH_CONF_DURATION, 0, "5m", 0, 86400000, AT(conf.breaker_retry_ms),
     "how long a stream is held before it is tried again; 0: until a restart"},
    {"registry.url", WH_CONF_STRING, 0, "", 0, 0, AT(registry_url),
     "schema registry for raw events of other producers; empty: none"},
    {"registry.token_file", WH_CONF_STRING, 0, "", 0, 0, AT(registry_token_file),
     "file with the bearer token of the registry"},
    {"replay.connection", WH_CONF_STRING, 0, NULL, 0, 0, AT(conf.replay_connection),
     "map this connection's raw events from the group's offsets to their current end, then exit"},
    {"replay.dead_letters", WH_CONF_BOOL, 0, "false", 0, 0, AT(conf.replay_dead_letters),
     "replay the connection's dead letters instead"},
    {"replay.shadow", WH_CONF_STRING, 0, "", 0, 0, AT(shadow_file),
     "produce nothing: report what this view file would change of the connection"},
    {"replay.report", WH_CONF_STRING, 0, "", 0, 0, AT(report_file), "file to write that report to"},
};

/*
 * Freed memory goes back to the kernel after a second instead of 25 ms: librdkafka frees and allocates the
 * buffers of its responses many times a second, and the kernel had to clear their pages each time.
 */
static void tune_heap(void)
{
#ifdef WH_MIMALLOC
    mi_option_set(mi_option_decommit_delay, HEAP_DELAY_MS);
#endif
}

static void init(void *ctx)
{
    tune_heap();
    mapper_conf_init(&((struct app *)ctx)->conf);
}

static void drain(void *ctx)
{
    mapper_drain(((struct app *)ctx)->mapper);
}

static const char *not_ready(void *ctx)
{
    return mapper_not_ready(((struct app *)ctx)->mapper);
}

static void beat(void *ctx, struct wh_heartbeat *h)
{
    struct app *app = ctx;

    h->group = wh_slice_str(app->group);
    mapper_held(app->mapper, h);
}

/* Finds the current ends of the topic; *ret_done when there is nothing left to replay. */
static enum wh_rc find_ends(struct app *app, bool *ret_done, struct wh_err *err)
{
    const struct wh_stage_base *base = &app->base;
    enum wh_topic_role role = app->conf.replay_dead_letters ? WH_TOPIC_DEAD_LETTER : WH_TOPIC_RAW;
    struct wh_admin *admin = NULL;
    enum wh_rc rc;

    if (wh_topic_name(base->topic_prefix, role, wh_slice_str(app->conf.replay_connection),
                      app->ends.topic, err) != WH_OK ||
        wh_stage_admin_new(base, &admin, err) != WH_OK) {
        return err->rc;
    }
    rc = replay_ends_find(admin, app->group, &app->ends, err);
    wh_admin_free(admin);
    *ret_done = app->ends.n == 0;
    return rc;
}

static enum wh_rc write_report(const struct app *app, struct wh_slice report, struct wh_err *err)
{
    FILE *f = fopen(app->report_file, "we");
    bool good = f && fwrite(report.ptr, 1, report.len, f) == report.len;

    if (f) {
        good = fclose(f) == 0 && good;
    }
    return good ? WH_OK : wh_fail(err, WH_E_IO, "replay.report cannot be written");
}

static enum wh_rc compare_views(struct app *app, struct shadow_conf *conf, struct wh_err *err)
{
    struct wh_bus_partition begins[REPLAY_PARTITIONS_MAX];
    struct wh_consumer_conf consumer;
    WH_AUTO(buf) struct wh_buf report;
    enum wh_rc rc;

    wh_buf_init(&report, REPORT_MAX_BYTES);
    for (size_t i = 0; i < app->ends.n; i++) {
        begins[i] = app->ends.parts[i];
        begins[i].offset = WH_OFFSET_BEGINNING;
    }
    conf->begins = begins;
    wh_stage_consumer_conf(&app->base, &consumer);
    consumer.fetch_max_bytes = app->fetch_bytes;
    if (wh_consumer_kafka_new(&consumer, &conf->consumer, err) != WH_OK) {
        return err->rc;
    }
    rc = shadow_run(conf, &report, err);
    wh_consumer_free(conf->consumer);
    return rc == WH_OK ? write_report(app, wh_buf_slice(&report), err) : rc;
}

/* Maps with the views in use and with the file over them. */
static enum wh_rc run_shadow(struct app *app, struct wh_err *err)
{
    struct mapper_views *before = NULL;
    struct mapper_views *after = NULL;
    struct shadow_conf conf = {.ends = app->ends.parts,
                               .n = app->ends.n,
                               .max_bytes = (size_t)app->conf.max_event_bytes,
                               .max_depth = (size_t)app->conf.max_event_depth};
    enum wh_rc rc = mapper_views_load(app->views_path, &before, err);

    rc = rc == WH_OK ? mapper_views_load_over(app->views_path, app->shadow_file, &after, err) : rc;
    conf.before = before;
    conf.after = after;
    rc = rc == WH_OK ? compare_views(app, &conf, err) : rc;
    mapper_views_free(before);
    mapper_views_free(after);
    return rc;
}

static enum wh_rc prepare(void *ctx, bool *ret_done, struct wh_err *err)
{
    struct app *app = ctx;
    const char *prefix = app->base.topic_prefix;
    int n = app->group_key[0] ? snprintf(app->group, sizeof(app->group), "%s", app->group_key)
                              : snprintf(app->group, sizeof(app->group), "%smapper", prefix);

    if (n < 0 || (size_t)n >= sizeof(app->group)) {
        return wh_fail(err, WH_E_CONFIG, "group: the name is too long");
    }
    app->base.no_heartbeat = app->conf.replay_connection[0] != '\0';
    if (app->base.no_heartbeat && find_ends(app, ret_done, err) != WH_OK) {
        return err->rc;
    }
    if (app->shadow_file[0]) {
        *ret_done = true;
        return run_shadow(app, err);
    }
    return *ret_done ? WH_OK : mapper_views_load(app->views_path, &app->views, err);
}

/* Only with a registry. */
static enum wh_rc make_foreign(struct app *app, struct wh_err *err)
{
    struct wh_run *run = app->base.run;
    const struct wh_httpc_conf http = {
        .max_connections = 1,
        .user_agent = "wellhead-mapper",
        .connect_timeout_ms = REGISTRY_CONNECT_MS,
    };
    struct foreign_conf conf = {
        .registry_url = app->registry_url,
        .clock = wh_clock_real(),
        .log = wh_run_log(run),
    };

    if (app->registry_url[0] == '\0') {
        return WH_OK;
    }
    if (app->registry_token_file[0] &&
        wh_conf_secret_read(app->registry_token_file, TOKEN_MAX_BYTES, &app->registry_token, err) !=
            WH_OK) {
        return wh_err_prefix(err, "registry.token_file");
    }
    if (wh_httpc_curl_new(wh_run_loop(run), wh_run_log(run), &http, &app->http, err) != WH_OK) {
        return err->rc;
    }
    conf.http = app->http;
    conf.token = app->registry_token;
    return foreign_new(&conf, &app->foreign, err);
}

static enum wh_rc make_mapper(struct app *app, struct wh_err *err)
{
    struct wh_run *run = app->base.run;
    const struct mapper_deps deps = {
        .views = app->views,
        .loop = wh_run_loop(run),
        .clock = wh_clock_real(),
        .log = wh_run_log(run),
        .metrics = wh_run_metrics(run),
        .foreign = app->foreign,
        .on_fatal = wh_stage_fatal,
        .on_drained = wh_stage_drained,
        .ctx = app,
    };

    app->conf.topic_prefix = app->base.topic_prefix;
    app->conf.flush_ms = app->base.drain_ms / 2;
    app->conf.ends = app->ends.parts;
    app->conf.n_ends = app->ends.n;
    return mapper_new(&deps, &app->conf, &app->mapper, err);
}

static enum wh_rc open_kafka(struct app *app, struct wh_err *err)
{
    struct wh_consumer_conf consumer;
    struct wh_producer_conf producer;

    wh_stage_consumer_conf(&app->base, &consumer);
    consumer.group = app->group;
    consumer.fetch_max_bytes = app->fetch_bytes;
    consumer.metadata_refresh_ms = app->discover_ms;
    consumer.rebalance = mapper_rebalance(app->mapper);
    wh_stage_producer_conf(&app->base, &producer);
    producer.profile = app->bulk ? WH_BUS_REPLAY : WH_BUS_LIVE;
    /* The mapper itself enforces queue.bytes; its largest record must fit on top. */
    producer.queue_max_bytes = app->conf.in_flight_bytes + QUEUE_SPARE;
    producer.queue_max_records = app->queue_records;
    /* No record ever expires: while the broker is unavailable, the queue fills up and the mapper stops
     * reading. */
    producer.delivery_timeout_ms = DELIVERY_TIMEOUT_MS;
    if (wh_producer_kafka_new(&producer, &app->producer, err) != WH_OK) {
        return err->rc;
    }
    return wh_consumer_kafka_new(&consumer, &app->consumer, err);
}

static void on_published(struct wh_bus_ack *ack, const struct wh_bus_delivery *delivery)
{
    const struct views_record *record = (const struct views_record *)ack;

    if (delivery->rc != WH_OK) {
        wh_log_warn(record->log, "the description of the views was not published",
                    WH_STR("err", delivery->reason ? delivery->reason : wh_rc_name(delivery->rc)));
    }
}

/* Publishes what fills the fields, so that the sink can show it. A replay does not: it is no live mapper. */
static enum wh_rc publish_views(struct app *app, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf json;
    WH_AUTO(buf) struct wh_buf value;
    char topic[WH_TOPIC_MAX];
    struct wh_document document = {.connection = WH_LIT(WH_MODEL_OWNER),
                                   .key = WH_LIT(WH_MODEL_KEY)};
    struct wh_clock clock = wh_clock_real();

    wh_buf_init(&json, VIEWS_MAX_BYTES);
    wh_buf_init(&value, VIEWS_MAX_BYTES);
    if (app->base.no_heartbeat) {
        return WH_OK;
    }
    if (mapper_views_describe(app->views, &json, err) != WH_OK) {
        return err->rc;
    }
    document.at_ms = wh_clock_now_ms(&clock);
    document.document = wh_buf_slice(&json);
    app->views_record = (struct views_record){{on_published}, wh_run_log(app->base.run)};
    if (wh_document_encode(WH_DOCUMENT_HEALTH, &document, &value, err) != WH_OK ||
        wh_topic_name(app->base.topic_prefix, WH_TOPIC_HEALTH, WH_LIT(""), topic, err) != WH_OK) {
        return err->rc;
    }
    return wh_producer_produce(app->producer,
                               &(struct wh_bus_record){.topic = topic,
                                                       .partition = -1,
                                                       .key = document.key,
                                                       .value = wh_buf_slice(&value),
                                                       .ack = &app->views_record.ack},
                               err);
}

static enum wh_rc start(void *ctx, struct wh_err *err)
{
    struct app *app = ctx;

    if (make_foreign(app, err) != WH_OK || make_mapper(app, err) != WH_OK ||
        open_kafka(app, err) != WH_OK || publish_views(app, err) != WH_OK ||
        mapper_start(app->mapper, app->consumer, app->producer, err) != WH_OK) {
        return err->rc;
    }
    wh_log_info(wh_run_log(app->base.run), "views compiled",
                WH_I("views", mapper_views_count(app->views)));
    return WH_OK;
}

static void release(void *ctx)
{
    struct app *app = ctx;

    /* The consumer first, because leaving the group commits acknowledged offsets. */
    wh_consumer_free(app->consumer);
    wh_producer_free(app->producer);
    mapper_free(app->mapper);
    foreign_free(app->foreign);
    wh_httpc_free(app->http);
    wh_mem_free_secret(app->registry_token);
    mapper_views_free(app->views);
}

int main(int argc, char **argv)
{
    const struct wh_stage stage = {
        .name = "mapper",
        .purpose = "maps raw GitLab events to observations of entities by data views",
        .port = "8703",
        .keys = keys,
        .n_keys = sizeof(keys) / sizeof(keys[0]),
        .n_topic_keys = 1,
        .size = sizeof(struct app),
        .init = init,
        .prepare = prepare,
        .start = start,
        .drain = drain,
        .not_ready = not_ready,
        .beat = beat,
        .release = release,
    };

    return wh_stage_main(&stage, argc, argv, environ);
}
