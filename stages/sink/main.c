/*
 * wellhead-sink - reads the entities topics into the store and answers queries.
 * See stages/sink/README.md.
 */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/event/topics.h"
#include "common/run/stage.h"
#include "stages/sink/api/api.h"
#include "stages/sink/automation/automation.h"
#include "stages/sink/backup/backup.h"
#include "stages/sink/changes/changes.h"
#include "stages/sink/rowtopics/rowtopics.h"
#include "stages/sink/store/data_folder.h"
#include "stages/sink/store/dump.h"
#include "stages/sink/store/keyspace.h"
#include "stages/sink/ingest/sink.h"
#include "stages/sink/search/search.h"
#include "stages/sink/watch/watch.h"

enum {
    STORED_ROWS = 20000, /* counted in one look at the pipeline: some hundredths of a second */
    REPLY_SLACK_MS = 5000,
    FETCH_MAX_BYTES = 32 << 20,
    WATCH_FETCH_BYTES = 2 << 20,
    DEAD_LETTER_QUEUE_BYTES = 16 << 20,
    DEAD_LETTER_QUEUE_RECORDS = 10000,
    DEAD_LETTER_TIMEOUT_MS = 10000,
    ROWS_QUEUE_BYTES = 32 << 20,
    ROWS_QUEUE_RECORDS = 50000,
    ROWS_TIMEOUT_MS = 60000,
    ROWS_RETRY_MS = 1000,
    DUMP_CACHE_BYTES = 8 << 20,
    RULES_CACHE_BYTES = 1 << 20,
    RULES_CONNECTIONS = 4, /* per host */
    RULES_CONNECT_MS = 5000,
    SAY_EVERY_NS = 2000000000,
};

struct app {
    struct wh_stage_base base;
    struct sink_conf conf;
    struct sink_api_conf api_conf;
    size_t cache_bytes;
    size_t memtable_bytes;
    bool dump_heads;
    char *backup_path;
    char *backup_to;
    char *restore_from;
    char *restore_confirm;
    char backups_path[SINK_PATH_MAX];
    char store_path[SINK_PATH_MAX];
    char token_path[SINK_PATH_MAX];
    char sessions_path[SINK_PATH_MAX];
    char views_path[SINK_PATH_MAX];
    char grants_path[SINK_PATH_MAX];
    char calls_path[SINK_PATH_MAX];
    struct wh_store *store;
    struct wh_consumer *consumer;
    struct wh_admin *admin;
    struct wh_producer *producer;
    struct wh_admin *watch_admin;
    struct changes *changes;
    struct rowtopics *rows; /* NULL: they are off */
    bool rows_enabled;
    struct rowtopics_deps rows_conf;
    struct automation_conf rules_conf;
    char rules_path[SINK_PATH_MAX];
    char rules_secrets_path[SINK_PATH_MAX];
    struct wh_store *rules_store;
    struct wh_producer *rules_producer;
    struct wh_httpc *rules_http;
    /* NULL while a store is rebuilt; the thread of the writer reads it. */
    struct automation *_Atomic automation;
    struct sink *sink;
    struct sink_watch *watch; /* NULL while a store is rebuilt */
    struct search *search;    /* the same */
    struct sink_api *api;
    char group[WH_TOPIC_MAX +
               WH_STAGE_CLIENT_ID_MAX]; /* the group to which it commits its offsets, for the lag */
};

#define AT(member) offsetof(struct app, member)
static const struct wh_conf_key keys[] = {
    {"data.path", WH_CONF_STRING, 0, "data/sink", 0, 0, AT(api_conf.data_path),
     "folder of the store"},
    {"store.cache", WH_CONF_SIZE, 0, "128MiB", 1 << 20, INT64_C(1) << 40, AT(cache_bytes),
     "memory for blocks read from the store"},
    {"store.memtable", WH_CONF_SIZE, 0, "32MiB", 1 << 20, INT64_C(1) << 32, AT(memtable_bytes),
     "write buffer of a family of keys; all of them together take twice as much"},
    {"store.sync", WH_CONF_BOOL, 0, "true", 0, 0, AT(conf.sync),
     "write each batch to the disk before the next one"},
    {"store.rebuild", WH_CONF_BOOL, 0, "false", 0, 0, AT(conf.rebuild),
     "build the next store from Kafka, switch to it and exit"},
    {"batch.records", WH_CONF_INT, 0, "2048", 1, 65536, AT(conf.batch_records),
     "upper bound of records in a batch"},
    {"batch.bytes", WH_CONF_SIZE, 0, "8MiB", 4096, 1 << 30, AT(conf.batch_bytes),
     "size at which a batch ends"},
    {"discover.interval", WH_CONF_DURATION, 0, "3s", 100, 600000, AT(conf.discover_ms),
     "interval between two listings of the topics and their ends"},
    {"retry.interval", WH_CONF_DURATION, 0, "500ms", 10, 60000, AT(conf.retry_ms),
     "first pause when the disk is full; doubles up to 16 times"},
    {"offsets.accept_gap", WH_CONF_BOOL, 0, "false", 0, 0, AT(conf.accept_gap),
     "continue at the start of the log when records that were not read yet are gone"},
    {"api.token_file", WH_CONF_STRING, 0, NULL, 0, 0, AT(api_conf.token_file),
     "file of the API's bearer token; default <data.path>/api.token, created when missing"},
    {"api.search_token_file", WH_CONF_STRING, 0, NULL, 0, 0, AT(api_conf.search_token_file),
     "file of a bearer token that may only search, and finds nothing confidential; created when "
     "missing; empty: there is none"},
    {"api.hosts", WH_CONF_STRING, 0, NULL, 0, 0, AT(api_conf.hosts),
     "names or addresses of this host by which agents may reach /mcp, with commas; loopback always "
     "may"},
    {"api.cache", WH_CONF_SIZE, 0, "32MiB", 0, INT64_C(1) << 32, AT(api_conf.answers_bytes),
     "memory for answers of single entities, which are sent again until the entity is written"},
    {"fetcher.url", WH_CONF_STRING, 0, NULL, 0, 0, AT(api_conf.fetcher_url),
     "address of the fetcher's control API, with which the pages connect and disconnect; empty: "
     "they only show"},
    {"fetcher.token_file", WH_CONF_STRING, 0, NULL, 0, 0, AT(api_conf.fetcher_token_file),
     "file of the bearer token of that API"},
    {"workspace.zone", WH_CONF_STRING, 0, "UTC", 0, 0, AT(api_conf.zone),
     "time zone (IANA) that decides on which day an incident started"},
    {"sql.timeout", WH_CONF_DURATION, 0, "10s", 10, 600000, AT(api_conf.sql_timeout_ms),
     "time limit of an SQL statement whose request names none, its wait for a thread included"},
    {"sql.timeout_max", WH_CONF_DURATION, 0, "60s", 10, 600000, AT(api_conf.sql_timeout_max_ms),
     "longest time limit that a request may ask for"},
    {"sql.rows", WH_CONF_INT, 0, "10000", 1, 10000000, AT(api_conf.sql_rows),
     "rows of an answer whose request names no limit"},
    {"sql.bytes", WH_CONF_SIZE, 0, "32MiB", 4096, 1 << 30, AT(api_conf.sql_bytes),
     "upper bound of bytes in an answer of at most sql.rows rows"},
    {"backup.path", WH_CONF_STRING, 0, NULL, 0, 0, AT(backup_path),
     "folder in which backups are made; default <data.path>/backups. On the store's file system it "
     "costs no room at first"},
    {"backup.to", WH_CONF_STRING, 0, NULL, 0, 0, AT(backup_to),
     "make a backup in this folder, while no sink runs, and exit"},
    {"restore.from", WH_CONF_STRING, 0, NULL, 0, 0, AT(restore_from),
     "make the backup in this folder the store in use, and exit"},
    {"restore.confirm", WH_CONF_STRING, 0, NULL, 0, 0, AT(restore_confirm),
     "the name of the store that is replaced, store-N, when it has rows"},
    {"rows.enabled", WH_CONF_BOOL, 0, "false", 0, 0, AT(rows_enabled),
     "keep the rows of each table in a compacted topic rows.TABLE. One sink of an installation "
     "may"},
    {"rows.sweep", WH_CONF_DURATION, 0, "10m", 100, 86400000, AT(rows_conf.sweep_ms),
     "while anything changes, tables are compared with their topics this often"},
    {"rows.partitions", WH_CONF_INT, 0, "4", 1, 1024, AT(rows_conf.partitions),
     "partitions of new topics of rows"},
    {"rows.replication", WH_CONF_INT, 0, "1", 1, 32, AT(rows_conf.replication),
     "replicas of new topics of rows"},
    {"rules.file", WH_CONF_STRING, 0, NULL, 0, 0, AT(rules_conf.file),
     "file of rules: who is told when a record meets a condition (docs/automation.md)"},
    {"rules.secrets_path", WH_CONF_STRING, 0, NULL, 0, 0, AT(rules_conf.secrets_path),
     "folder of the keys that sign webhooks of rules; default <data.path>/rule-secrets"},
    {"rules.private_targets", WH_CONF_BOOL, 0, "false", 0, 0, AT(rules_conf.private_targets),
     "let webhooks of rules go to addresses that are not public, such as 127.0.0.1 or 10.0.0.1"},
    {"dump.heads", WH_CONF_BOOL, 0, "false", 0, 0, AT(dump_heads),
     "print kind, id, size and hash of every entity's head and exit"},
};

static void init(void *ctx)
{
    sink_conf_init(&((struct app *)ctx)->conf);
}

static void drain(void *ctx)
{
    struct app *app = ctx;

    changes_stop(app->changes);
    if (app->rows) {
        rowtopics_stop(app->rows);
    }
    sink_api_drain(app->api);
    if (app->automation) {
        automation_stop(app->automation);
    }
    if (app->watch) {
        sink_watch_stop(app->watch);
    }
    sink_stop(app->sink, wh_stage_drained, app);
}

static const char *not_ready(void *ctx)
{
    return sink_not_ready(((struct app *)ctx)->sink);
}

static void collect(void *ctx)
{
    struct app *app = ctx;

    sink_collect(app->sink);
    if (app->rows) {
        rowtopics_collect(app->rows);
    }
    search_collect(app->search);
}

static void beat(void *ctx, struct wh_heartbeat *h)
{
    h->group = wh_slice_str(((struct app *)ctx)->group);
}

static void on_rebuilt(void *ctx)
{
    struct app *app = ctx;
    struct wh_err err;

    if (sink_data_switch(app->api_conf.data_path, app->store_path, &err) != WH_OK) {
        wh_stage_fatal(app, &err);
        return;
    }
    wh_log_info(wh_run_log(app->base.run), "rebuilt store will be used from the next start",
                WH_STR("path", app->store_path));
    (void)kill(getpid(), SIGTERM);
}

/* ---- parts ---- */

static enum wh_rc open_store(struct app *app, bool read_only, struct wh_err *err)
{
    const char *data_path = app->api_conf.data_path;
    const struct wh_store_conf conf = {
        .path = app->store_path,
        .families = sink_families,
        .n_families = SINK_FAMILY_COUNT,
        .cache_bytes = read_only ? DUMP_CACHE_BYTES : app->cache_bytes,
        .memtable_bytes = app->memtable_bytes,
        .read_only = read_only,
    };
    enum wh_rc rc = app->conf.rebuild ? sink_data_next(data_path, app->store_path, err)
                                      : sink_data_current(data_path, app->store_path, err);

    return rc == WH_OK ? wh_store_rocks_open(&conf, &app->store, err) : rc;
}

/* Says how far it is, every two seconds. */
struct said {
    struct wh_clock clock;
    int64_t at_ns;
};

static bool say_progress(void *ctx, enum sink_backup_step step, int64_t done, int64_t total)
{
    struct said *said = ctx;
    int64_t now_ns = wh_clock_mono_ns(&said->clock);

    if (now_ns - said->at_ns >= SAY_EVERY_NS) {
        said->at_ns = now_ns;
        (void)fprintf(stderr, "%s: %lld", sink_backup_step_name(step), (long long)done);
        if (total >= 0) {
            (void)fprintf(stderr, " of %lld", (long long)total);
        }
        (void)fprintf(stderr, " %s\n", sink_backup_step_unit(step));
    }
    return true;
}

static enum wh_rc say_done(const char *what, const char *path,
                           const struct sink_backup_summary *made, struct wh_err *err)
{
    if (printf("%s %s: %lld entities, %lld revisions, %lld files, %lld bytes\n", what, path,
               (long long)made->entities, (long long)made->revisions, (long long)made->files,
               (long long)made->bytes) < 0 ||
        fflush(stdout) != 0) {
        return wh_fail(err, WH_E_IO, "the result cannot be written out");
    }
    return WH_OK;
}

static enum wh_rc make_backup(struct app *app, struct wh_err *err)
{
    struct said said = {.clock = wh_clock_real()};
    const struct sink_backup_watch watch = {.go_on = say_progress, .ctx = &said};
    struct sink_backup_summary made;

    said.at_ns = wh_clock_mono_ns(&said.clock);
    if (open_store(app, false, err) != WH_OK ||
        sink_backup_make(app->store, app->backup_to, said.clock, &watch, &made, err) != WH_OK) {
        return err->rc;
    }
    return say_done("Backup", app->backup_to, &made, err);
}

static enum wh_rc restore(struct app *app, struct wh_err *err)
{
    struct said said = {.clock = wh_clock_real()};
    const struct sink_backup_watch watch = {.go_on = say_progress, .ctx = &said};
    const struct sink_restore_conf conf = {.from = app->restore_from,
                                           .data_path = app->api_conf.data_path,
                                           .confirm = app->restore_confirm};
    struct sink_backup_summary made;

    said.at_ns = wh_clock_mono_ns(&said.clock);
    return sink_restore(&conf, &watch, app->store_path, &made, err) == WH_OK
               ? say_done("Restored", app->store_path, &made, err)
               : err->rc;
}

static enum wh_rc prepare(void *ctx, bool *ret_done, struct wh_err *err)
{
    struct app *app = ctx;

    if (app->api_conf.sql_timeout_ms > app->api_conf.sql_timeout_max_ms) {
        return wh_fail(err, WH_E_CONFIG, "sql.timeout is longer than sql.timeout_max");
    }
    /* A statement ends within its own limit; the server's limit is for what never ends. */
    app->base.httpd.reply_timeout_ms = app->api_conf.sql_timeout_max_ms + REPLY_SLACK_MS;
    *ret_done = app->dump_heads || app->backup_to[0] || app->restore_from[0];
    app->base.no_heartbeat = app->conf.rebuild;
    if (app->restore_from[0]) {
        return restore(app, err);
    }
    if (app->backup_to[0]) {
        return make_backup(app, err);
    }
    if (open_store(app, app->dump_heads, err) != WH_OK) {
        return err->rc;
    }
    if (app->dump_heads && sink_dump_heads(app->store, stdout, err) != WH_OK) {
        return err->rc;
    }
    if (app->dump_heads && fflush(stdout) != 0) {
        return wh_fail(err, WH_E_IO, "the heads cannot be written out");
    }
    return WH_OK;
}

static enum wh_rc open_kafka(struct app *app, struct wh_err *err)
{
    struct wh_consumer_conf consumer;
    struct wh_producer_conf producer;

    wh_stage_consumer_conf(&app->base, &consumer);
    consumer.fetch_max_bytes = FETCH_MAX_BYTES;
    wh_stage_producer_conf(&app->base, &producer);
    producer.profile = WH_BUS_LIVE;
    producer.queue_max_bytes = DEAD_LETTER_QUEUE_BYTES;
    producer.queue_max_records = DEAD_LETTER_QUEUE_RECORDS;
    producer.delivery_timeout_ms = DEAD_LETTER_TIMEOUT_MS;
    if (wh_consumer_kafka_new(&consumer, &app->consumer, err) != WH_OK ||
        wh_producer_kafka_new(&producer, &app->producer, err) != WH_OK) {
        return err->rc;
    }
    return wh_stage_admin_new(&app->base, &app->admin, err);
}

static enum wh_rc make_changes(struct app *app, struct wh_err *err)
{
    struct changes_conf conf = {
        .store = app->store, .clock = wh_clock_real(), .folder = app->api_conf.data_path};

    return wh_zone_find(wh_slice_str(app->api_conf.zone), &conf.zone, err) == WH_OK
               ? changes_new(&conf, &app->changes, err)
               : wh_err_prefix(err, "workspace.zone");
}

static void on_stored(void *ctx, uint64_t sequence)
{
    struct app *app = ctx;

    changes_notify(app->changes, sequence);
    if (app->automation) {
        automation_notify(app->automation);
    }
}

static enum wh_rc start_sink(struct app *app, struct wh_err *err)
{
    struct wh_run *run = app->base.run;
    const struct sink_deps deps = {
        .store = app->store,
        .consumer = app->consumer,
        .admin = app->admin,
        .dead_letters = app->producer,
        .loop = wh_run_loop(run),
        .clock = wh_clock_real(),
        .log = wh_run_log(run),
        .metrics = wh_run_metrics(run),
        .on_fatal = wh_stage_fatal,
        .on_caught_up = app->conf.rebuild ? on_rebuilt : NULL,
        .on_stored = on_stored,
        .ctx = app,
    };

    app->conf.topic_prefix = app->base.topic_prefix;
    return sink_new(&deps, &app->conf, &app->sink, err);
}

static enum wh_rc make_watch_consumer(void *ctx, struct wh_consumer **ret, struct wh_err *err)
{
    struct wh_consumer_conf conf;

    wh_stage_consumer_conf(ctx, &conf);
    conf.fetch_max_bytes = WATCH_FETCH_BYTES;
    return wh_consumer_kafka_new(&conf, ret, err);
}

static enum wh_rc start_watch(struct app *app, struct wh_err *err)
{
    struct wh_run *run = app->base.run;
    struct sink_watch_deps deps = {
        .store = app->store,
        .make_consumer = make_watch_consumer,
        .ctx = app,
        .loop = wh_run_loop(run),
        .clock = wh_clock_real(),
        .log = wh_run_log(run),
        .metrics = wh_run_metrics(run),
        .topic_prefix = app->base.topic_prefix,
        .process = app->base.process,
        .group = app->group,
        .interval_ms = app->conf.discover_ms,
        .stored_rows = STORED_ROWS,
    };

    if (app->conf.rebuild) {
        return WH_OK;
    }
    (void)snprintf(app->group, sizeof(app->group), "%ssink.%s", app->base.topic_prefix,
                   app->base.process);
    if (wh_stage_admin_new(&app->base, &app->watch_admin, err) != WH_OK) {
        return err->rc;
    }
    deps.admin = app->watch_admin;
    return sink_watch_new(&deps, &app->watch, err);
}

static enum wh_rc start_search(struct app *app, struct wh_err *err)
{
    const struct search_conf conf = {
        .store = app->store,
        .clock = wh_clock_real(),
        .log = wh_run_log(app->base.run),
        .folder = app->api_conf.data_path,
        .metrics = wh_run_metrics(app->base.run),
    };

    return app->conf.rebuild ? WH_OK : search_new(&conf, &app->search, err);
}

/* ---- topics of rows ---- */

static enum wh_rc make_rows_consumer(void *ctx, struct wh_consumer **ret, struct wh_err *err)
{
    struct wh_consumer_conf conf;

    wh_stage_consumer_conf(ctx, &conf);
    conf.fetch_max_bytes = FETCH_MAX_BYTES;
    conf.report_ends = true;
    return wh_consumer_kafka_new(&conf, ret, err);
}

static enum wh_rc make_rows_producer(void *ctx, struct wh_producer **ret, struct wh_err *err)
{
    struct wh_producer_conf conf;

    wh_stage_producer_conf(ctx, &conf);
    conf.profile = WH_BUS_BULK;
    conf.queue_max_bytes = ROWS_QUEUE_BYTES;
    conf.queue_max_records = ROWS_QUEUE_RECORDS;
    conf.delivery_timeout_ms = ROWS_TIMEOUT_MS;
    return wh_producer_kafka_new(&conf, ret, err);
}

static enum wh_rc make_rows_admin(void *ctx, struct wh_admin **ret, struct wh_err *err)
{
    return wh_stage_admin_new(ctx, ret, err);
}

static enum wh_rc start_rows(struct app *app, struct wh_err *err)
{
    struct rowtopics_deps *deps = &app->rows_conf;

    if (!app->rows_enabled || app->conf.rebuild) {
        return WH_OK;
    }
    deps->store = app->store;
    deps->changes = app->changes;
    deps->clock = wh_clock_real();
    deps->log = wh_run_log(app->base.run);
    deps->metrics = wh_run_metrics(app->base.run);
    deps->make_consumer = make_rows_consumer;
    deps->make_producer = make_rows_producer;
    deps->make_admin = make_rows_admin;
    deps->ctx = app;
    deps->topic_prefix = app->base.topic_prefix;
    deps->folder = app->api_conf.data_path;
    deps->retry_ms = ROWS_RETRY_MS;
    return wh_zone_find(wh_slice_str(app->api_conf.zone), &deps->zone, err) == WH_OK
               ? rowtopics_new(deps, &app->rows, err)
               : wh_err_prefix(err, "workspace.zone");
}

static bool name_file(char path[SINK_PATH_MAX], const char *folder, const char *name)
{
    int n = snprintf(path, SINK_PATH_MAX, "%s/%s", folder, name);

    return n > 0 && n < SINK_PATH_MAX;
}

static enum wh_rc name_rules(struct app *app, struct wh_err *err)
{
    const char *data_path = app->api_conf.data_path;

    return name_file(app->rules_path, data_path, "automation") &&
                   name_file(app->rules_secrets_path, data_path, "rule-secrets")
               ? WH_OK
               : wh_fail(err, WH_E_CONFIG, "data.path is too long");
}

/* The parts that only rules use: a store of their own, which a rebuild leaves alone, and ways to the targets. */
static enum wh_rc open_rules(struct app *app, struct wh_err *err)
{
    const struct wh_store_conf store = {.path = app->rules_path,
                                        .families = automation_families,
                                        .n_families = AUTOMATION_FAMILY_COUNT,
                                        .cache_bytes = RULES_CACHE_BYTES,
                                        .memtable_bytes = RULES_CACHE_BYTES};
    const struct wh_httpc_conf http = {.max_connections = RULES_CONNECTIONS,
                                       .user_agent = "wellhead",
                                       .connect_timeout_ms = RULES_CONNECT_MS};
    struct wh_run *run = app->base.run;
    struct wh_producer_conf producer;

    wh_stage_producer_conf(&app->base, &producer);
    producer.profile = WH_BUS_LIVE;
    producer.queue_max_bytes = DEAD_LETTER_QUEUE_BYTES;
    producer.queue_max_records = DEAD_LETTER_QUEUE_RECORDS;
    producer.delivery_timeout_ms = DEAD_LETTER_TIMEOUT_MS;
    if (name_rules(app, err) != WH_OK ||
        wh_store_rocks_open(&store, &app->rules_store, err) != WH_OK ||
        wh_httpc_curl_new(wh_run_loop(run), wh_run_log(run), &http, &app->rules_http, err) !=
            WH_OK) {
        return wh_err_prefix(err, "rules");
    }
    return wh_producer_kafka_new(&producer, &app->rules_producer, err);
}

static enum wh_rc start_rules(struct app *app, struct wh_err *err)
{
    struct wh_run *run = app->base.run;
    struct automation_deps deps = {
        .changes = app->changes,
        .loop = wh_run_loop(run),
        .clock = wh_clock_real(),
        .log = wh_run_log(run),
        .metrics = wh_run_metrics(run),
    };
    struct automation *automation;

    if (app->conf.rebuild) {
        return WH_OK;
    }
    if (open_rules(app, err) != WH_OK) {
        return err->rc;
    }
    deps.store = app->rules_store;
    deps.http = app->rules_http;
    deps.producer = app->rules_producer;
    deps.conf = app->rules_conf;
    deps.conf.topic_prefix = app->base.topic_prefix;
    if (deps.conf.secrets_path[0] == '\0') {
        deps.conf.secrets_path = app->rules_secrets_path;
    }
    if (automation_new(&deps, &automation, err) != WH_OK) {
        return err->rc;
    }
    app->automation = automation;
    return WH_OK;
}

static enum wh_rc name_files(struct app *app, struct wh_err *err)
{
    struct sink_api_conf *conf = &app->api_conf;
    bool given = conf->token_file[0] != '\0';
    int n = given ? snprintf(app->token_path, SINK_PATH_MAX, "%s", conf->token_file) : 0;
    int backups = app->backup_path[0]
                      ? snprintf(app->backups_path, SINK_PATH_MAX, "%s", app->backup_path)
                      : snprintf(app->backups_path, SINK_PATH_MAX, "%s/backups", conf->data_path);

    if (n < 0 || n >= SINK_PATH_MAX) {
        return wh_fail(err, WH_E_CONFIG, "api.token_file is too long");
    }
    if (backups < 0 || backups >= SINK_PATH_MAX) {
        return wh_fail(err, WH_E_CONFIG, "data.path is too long");
    }
    return (given || name_file(app->token_path, conf->data_path, "api.token")) &&
                   name_file(app->sessions_path, conf->data_path, "sessions") &&
                   name_file(app->views_path, conf->data_path, "views") &&
                   name_file(app->grants_path, conf->data_path, "grants") &&
                   name_file(app->calls_path, conf->data_path, "agent-calls")
               ? WH_OK
               : wh_fail(err, WH_E_CONFIG, "data.path is too long");
}

static enum wh_rc start_api(struct app *app, struct wh_err *err)
{
    struct wh_run *run = app->base.run;
    struct sink_api_deps deps = {
        .store = app->store,
        .sink = app->sink,
        .search = app->search,
        .watch = app->watch,
        .changes = app->changes,
        .rows = app->rows,
        .automation = app->automation,
        .loop = wh_run_loop(run),
        .clock = wh_clock_real(),
        .log = wh_run_log(run),
        .metrics = wh_run_metrics(run),
        .conf = app->api_conf,
    };
    struct wh_http_handler routes;

    deps.conf.token_file = app->token_path;
    deps.conf.backup_path = app->backups_path;
    deps.conf.sessions_file = app->sessions_path;
    deps.conf.brokers = app->base.bootstrap;
    deps.conf.views_file = app->views_path;
    deps.conf.grants_file = app->grants_path;
    deps.conf.calls_file = app->calls_path;
    if (name_files(app, err) != WH_OK || sink_api_new(&deps, &app->api, err) != WH_OK) {
        return err->rc;
    }
    routes = sink_api_handler(app->api);
    wh_run_bind(run, &routes);
    return WH_OK;
}

static enum wh_rc start(void *ctx, struct wh_err *err)
{
    struct app *app = ctx;

    if (open_kafka(app, err) != WH_OK || make_changes(app, err) != WH_OK ||
        start_sink(app, err) != WH_OK || start_watch(app, err) != WH_OK ||
        start_search(app, err) != WH_OK || start_rows(app, err) != WH_OK ||
        start_rules(app, err) != WH_OK) {
        return err->rc;
    }
    return start_api(app, err);
}

static void release(void *ctx)
{
    struct app *app = ctx;

    sink_api_free(app->api);
    search_free(app->search);
    rowtopics_free(app->rows);
    sink_watch_free(app->watch);
    wh_admin_free(app->watch_admin);
    sink_free(app->sink);
    automation_free(app->automation);
    wh_httpc_free(app->rules_http);
    wh_producer_free(app->rules_producer);
    wh_store_free(app->rules_store);
    changes_free(app->changes);
    wh_producer_free(app->producer);
    wh_consumer_free(app->consumer);
    wh_admin_free(app->admin);
    wh_store_free(app->store);
}

int main(int argc, char **argv)
{
    const struct wh_stage stage = {
        .name = "sink",
        .purpose = "keeps the entity store from the entities topics and answers queries",
        .port = "8704",
        .keys = keys,
        .n_keys = sizeof(keys) / sizeof(keys[0]),
        .size = sizeof(struct app),
        .init = init,
        .prepare = prepare,
        .start = start,
        .drain = drain,
        .not_ready = not_ready,
        .collect = collect,
        .beat = beat,
        .release = release,
    };
    static char dump_heads[] = "--dump.heads=true";

    for (int i = 1; i < argc; i++) {
        argv[i] = strcmp(argv[i], "--dump-heads") == 0 ? dump_heads : argv[i];
    }
    return wh_stage_main(&stage, argc, argv, environ);
}
