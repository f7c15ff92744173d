/*
 * wellhead-fetcher - reads GitLab over REST into the raw topics. See stages/fetcher/README.md.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/build_version.h"
#include "common/httpc/url.h"
#include "common/run/stage.h"
#include "stages/fetcher/control/control.h"
#include "stages/fetcher/conn/collect.h"
#include "stages/fetcher/conn/fetcher.h"
#include "stages/fetcher/conn/rereads.h"
#include "stages/fetcher/members/group.h"

enum {
    QUEUE_MAX_BYTES = 96 << 20,
    QUEUE_MAX_RECORDS = 200000,
    DELIVERY_TIMEOUT_MS = 120000,
    BATCH = 128,
    CONNECT_TIMEOUT_MS = 10000,
    REREAD_PARTITIONS_MAX = 64,
    MEMBER_MAX = 320,
    URL_TEXT = 512,
    COMMIT_MS = 1000,
    BACKOFF_MS = 500,
    KEY_LOOK_MS = 1000,
};

struct app {
    struct wh_stage_base base;
    struct fetcher_conf conf;
    char *key_file;
    char *token_file;
    char *member_id;
    char member[MEMBER_MAX]; /* this process among the fetchers */
    char *ca_file;
    char *read_notes;
    struct wh_keyring keys;
    struct wh_httpc *http;
    struct wh_admin *admin;
    struct wh_producer *producer;
    struct wh_consumer *connections;
    struct wh_consumer *state;
    struct wh_consumer *reread_consumer;
    struct wh_consumer *health;
    struct wh_watch *producer_watch;
    struct wh_watch *reread_watch;
    struct wh_timer *commit;
    struct members *members;
    struct fetcher *fetcher;
    struct control *control;
    char reread_group[WH_TOPIC_MAX + 32];
    char public_url[URL_TEXT];
    char redirect_url[URL_TEXT + 32]; /* when oauth.redirect_url is empty */
    struct wh_bus_partition commits[REREAD_PARTITIONS_MAX];
};

#define AT(member) offsetof(struct app, member)
static const struct wh_conf_key keys[] = {
    {"topics.partitions", WH_CONF_INT, 0, "4", 1, 1024, AT(conf.partitions),
     "partitions of a new connection's topics"},
    {"topics.replication", WH_CONF_INT, 0, "1", 1, 15, AT(conf.replication),
     "replicas of a new connection's topics"},
    {"secrets.key_file", WH_CONF_STRING, 0, "secrets/key", 0, 0, AT(key_file),
     "key that seals tokens and webhook secrets; made when it is not there"},
    {"control.token_file", WH_CONF_STRING, 0, "secrets/control.token", 0, 0, AT(token_file),
     "bearer token of the control API; made when it is not there"},
    {"member.id", WH_CONF_STRING, 0, NULL, 0, 0, AT(member_id),
     "name of this fetcher among those that share the work; empty: <host>:<http.port>"},
    {"gitlab.ca_file", WH_CONF_STRING, 0, NULL, 0, 0, AT(ca_file),
     "certificates to trust instead of the system's"},
    {"public.url", WH_CONF_STRING, 0, NULL, 0, 0, AT(conf.public_url),
     "address at which GitLab and browsers reach this installation, as in "
     "https://wellhead.example.com"},
    {"oauth.redirect_url", WH_CONF_STRING, 0, NULL, 0, 0, AT(conf.redirect_url),
     "where GitLab sends a browser back; empty: <public.url>/oauth/callback, or else "
     "http://127.0.0.1:<http.port>/oauth/callback"},
    {"oauth.client_metadata_url", WH_CONF_STRING, 0, NULL, 0, 0, AT(conf.client_metadata_url),
     "a client id metadata document, where the server takes one instead of a registration"},
    {"allow.http", WH_CONF_BOOL, 0, "false", 0, 0, AT(conf.allow_http),
     "take addresses without TLS: tokens travel in the open"},
    {"read.links", WH_CONF_BOOL, 0, "true", 0, 0, AT(conf.read_links),
     "read links of issues and closed issues of merge requests, one request each"},
    {"read.notes", WH_CONF_STRING, 0, "people", 0, 0, AT(read_notes),
     "which notes of changed issues and merge requests are read: none, people, or all, which "
     "includes what GitLab writes and costs a request for each change"},
    {"sync.interval", WH_CONF_DURATION, 0, "5m", 1000, 86400000, AT(conf.sync_interval_ms),
     "pause between two runs of a connection"},
    {"sync.overlap", WH_CONF_DURATION, 0, "30s", 0, 86400000, AT(conf.sync_overlap_ms),
     "how far before the cursor a run begins"},
    {"sweep.interval", WH_CONF_DURATION, 0, "1d", 0, INT64_C(31536000000),
     AT(conf.sweep_interval_ms), "pause between two full listings of all numbers; 0: never"},
    {"sweep.hold_share", WH_CONF_INT, 0, "10", 0, 100, AT(conf.hold_percent),
     "percent of what is known that may be deleted at once without a person"},
    {"sweep.hold_min", WH_CONF_INT, 0, "20", 0, 1000000, AT(conf.hold_min),
     "so many may be deleted at once in any case"},
    {"numbers.max", WH_CONF_INT, 0, "2000", 0, 100000000, AT(conf.numbers_max),
     "missing or unlisted numbers read one by one in a run, of each project and stream"},
    {"repair.delay", WH_CONF_DURATION, 0, "15s", 0, 3600000, AT(conf.repair_delay_ms),
     "how late a webhook may be before what it should have told counts as repaired"},
    {"webhooks.silence", WH_CONF_DURATION, 0, "72h", 0, INT64_C(31536000000),
     AT(conf.webhook_silence_ms),
     "how long no webhook comes, after some, before that is an alarm; 0: never"},
    {"gone.confirm", WH_CONF_DURATION, 0, "5m", 0, 86400000, AT(conf.gone_confirm_ms),
     "an object counts as deleted when GitLab says so twice, at least this far apart"},
    {"reread.delay", WH_CONF_DURATION, 0, "2s", 0, 600000, AT(conf.reread_delay_ms),
     "how long a re-read waits for others of the same object"},
    {"requests.max", WH_CONF_INT, 0, "8", 1, 256, AT(conf.max_in_flight),
     "requests in flight for each connection"},
    {"walks.max", WH_CONF_INT, 0, "6", 1, 256, AT(conf.max_walks),
     "listings read at a time for each connection"},
    {"request.timeout", WH_CONF_DURATION, 0, "60s", 1000, 600000, AT(conf.request_timeout_ms),
     "longest time of one REST request, or of one MCP call with its retries"},
};

/* ---- Kafka ---- */

static void drained(struct app *app)
{
    if (fetcher_drained(app->fetcher) && members_stop(app->members)) {
        wh_run_drained(app->base.run);
    }
}

static void on_producer(void *ctx, int fd, unsigned events)
{
    struct app *app = ctx;

    (void)fd;
    (void)events;
    (void)wh_producer_poll(app->producer, 0);
    drained(app);
}

static void on_reread(void *ctx, int fd, unsigned events)
{
    struct app *app = ctx;
    struct wh_bus_msg msgs[BATCH];
    struct wh_err err;
    size_t n = 0;

    (void)fd;
    (void)events;
    if (!fetcher_working(app->fetcher)) {
        return;
    }
    do {
        if (wh_consumer_poll(app->reread_consumer, 0, BATCH, msgs, &n, &err) != WH_OK) {
            wh_run_fatal(app->base.run, &err);
            return;
        }
        for (size_t i = 0; i < n; i++) {
            struct wh_reread q;

            if (msgs[i].value.ptr && wh_reread_decode(msgs[i].value, &q, &err) == WH_OK) {
                rereads_take(fetcher_rereads(app->fetcher), &q);
            }
            if (msgs[i].partition < REREAD_PARTITIONS_MAX) {
                app->commits[msgs[i].partition] = (struct wh_bus_partition){
                    fetcher_topics(app->fetcher)->rereads, msgs[i].partition, msgs[i].offset + 1};
            }
        }
    } while (n > 0);
}

/* Re-reads are hints: what is lost by a crash is found by the next run. */
static void on_commit(void *ctx)
{
    struct app *app = ctx;
    struct wh_bus_partition parts[REREAD_PARTITIONS_MAX];
    struct wh_err err;
    size_t n = 0;

    on_reread(app, -1, 0);
    drained(app);
    for (size_t i = 0; i < REREAD_PARTITIONS_MAX; i++) {
        if (app->commits[i].topic && rereads_open(fetcher_rereads(app->fetcher)) == 0) {
            parts[n++] = app->commits[i];
            app->commits[i].topic = NULL;
        }
    }
    if (n && wh_consumer_commit(app->reread_consumer, parts, n, false, &err) != WH_OK) {
        wh_log_debug(wh_run_log(app->base.run), "re-read offsets not committed", WH_RC(&err));
    }
}

/* ---- stage ---- */

static void drain(void *ctx)
{
    struct app *app = ctx;

    (void)members_stop(app->members);
    fetcher_drain(app->fetcher);
    control_drain(app->control);
    drained(app);
}

static const char *not_ready(void *ctx)
{
    return members_waiting_for(((struct app *)ctx)->members);
}

static void collect(void *ctx)
{
    fetcher_collect(((struct app *)ctx)->fetcher);
}

static void beat(void *ctx, struct wh_heartbeat *h)
{
    h->group = wh_slice_str(((struct app *)ctx)->reread_group);
}

/* ---- parts ---- */

/* Copies public.url without the slashes at its end. */
static enum wh_rc read_public_url(struct app *app, struct wh_err *err)
{
    struct wh_slice text = wh_slice_str(app->conf.public_url);
    struct wh_url url;

    while (text.len && text.ptr[text.len - 1] == '/') {
        text.len--;
    }
    if (text.len >= sizeof(app->public_url)) {
        return wh_fail(err, WH_E_CONFIG, "public.url is longer than %d bytes", URL_TEXT - 1);
    }
    if (text.len && (wh_url_parse(text, &url, err) != WH_OK || url.query.len)) {
        return wh_fail(err, WH_E_CONFIG,
                       "public.url must be an http or https address without a query, as in "
                       "https://wellhead.example.com");
    }
    (void)snprintf(app->public_url, sizeof(app->public_url), "%.*s", WH_SLICE_ARG(text));
    return WH_OK;
}

static enum wh_rc read_notes_setting(struct app *app, struct wh_err *err)
{
    static const char *const words[] = {"none", "people", "all"};

    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(app->read_notes, words[i]) == 0) {
            app->conf.read_notes = (enum read_notes)i;
            return WH_OK;
        }
    }
    return wh_fail(err, WH_E_CONFIG, "read.notes must be none, people or all, not %.40s",
                   app->read_notes);
}

/* Without a public address GitLab sends the browser to the fetcher's own port, which works where
 * the browser runs on this machine. */
static void name_redirect(struct app *app)
{
    if (app->public_url[0]) {
        (void)snprintf(app->redirect_url, sizeof(app->redirect_url), "%s/oauth/callback",
                       app->public_url);
    } else {
        (void)snprintf(app->redirect_url, sizeof(app->redirect_url),
                       "http://127.0.0.1:%u/oauth/callback",
                       (unsigned)wh_httpd_port(wh_run_httpd(app->base.run)));
    }
}

/* ---- for work on pool threads ---- */

/* Without a group: for topics that are read to their end. */
static enum wh_rc new_consumer(void *ctx, struct wh_consumer **ret, struct wh_err *err)
{
    struct wh_consumer_conf conf;

    wh_stage_consumer_conf(ctx, &conf);
    conf.report_ends = true;
    return wh_consumer_kafka_new(&conf, ret, err);
}

static enum wh_rc new_producer(void *ctx, struct wh_producer **ret, struct wh_err *err)
{
    struct wh_producer_conf conf;

    wh_stage_producer_conf(ctx, &conf);
    conf.delivery_timeout_ms = DELIVERY_TIMEOUT_MS;
    return wh_producer_kafka_new(&conf, ret, err);
}

/* ---- parts ---- */

static enum wh_rc make_http(struct app *app, struct wh_err *err)
{
    char user_agent[96];
    const struct wh_httpc_conf conf = {
        .max_connections = (unsigned)app->conf.max_in_flight,
        .user_agent = user_agent,
        .ca_file = app->ca_file,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
    };

    (void)snprintf(user_agent, sizeof(user_agent), "wellhead-fetcher/%s", wh_build_version());
    return wh_httpc_curl_new(wh_run_loop(app->base.run), wh_run_log(app->base.run), &conf,
                             &app->http, err);
}

/* The same after a restart, so that a fetcher that comes back soon keeps its part. */
static void name_member(struct app *app)
{
    char host[256] = "";

    if (app->member_id[0]) {
        (void)snprintf(app->member, sizeof(app->member), "%s", app->member_id);
    } else if (app->base.http_port != 0 && gethostname(host, sizeof(host) - 1) == 0) {
        (void)snprintf(app->member, sizeof(app->member), "%s:%" PRId64, host, app->base.http_port);
    }
}

static enum wh_rc make_fetcher(struct app *app, struct wh_err *err)
{
    struct wh_run *run = app->base.run;
    struct fetcher_deps deps = {
        .loop = wh_run_loop(run),
        .log = wh_run_log(run),
        .metrics = wh_run_metrics(run),
        .clock = wh_clock_real(),
        .http = app->http,
        .admin = app->admin,
        .consumer_new = new_consumer,
        .producer_new = new_producer,
        .producer_lost = wh_stage_fatal,
        .bus_ctx = app,
        .keys = &app->keys,
        .conf = app->conf,
    };

    name_member(app);
    deps.conf.member = app->member[0] ? app->member : "fetcher";
    deps.conf.topic_prefix = app->base.topic_prefix;
    deps.conf.backoff_ms = BACKOFF_MS;
    deps.conf.key_look_ms = KEY_LOOK_MS;
    deps.conf.public_url = app->public_url;
    if (deps.conf.redirect_url[0] == '\0') {
        deps.conf.redirect_url = app->redirect_url;
    }
    return fetcher_new(&deps, &app->fetcher, err);
}

static enum wh_rc start_fetcher(struct app *app, struct wh_err *err)
{
    struct wh_http_handler routes;

    if (read_public_url(app, err) != WH_OK || read_notes_setting(app, err) != WH_OK) {
        return err->rc;
    }
    name_redirect(app);
    if (wh_keyring_load(&app->keys, app->key_file, true, err) != WH_OK) {
        return wh_err_prefix(err, "secrets.key_file");
    }
    if (make_http(app, err) != WH_OK || wh_stage_admin_new(&app->base, &app->admin, err) != WH_OK ||
        make_fetcher(app, err) != WH_OK ||
        control_new(app->fetcher, app->token_file, &app->control, err) != WH_OK) {
        return err->rc;
    }
    routes = control_handler(app->control);
    wh_run_bind(app->base.run, &routes);
    return WH_OK;
}

static enum wh_rc join_members(struct app *app, struct wh_consumer_conf consumer,
                               struct wh_err *err)
{
    const struct members_conf conf = {.loop = wh_run_loop(app->base.run),
                                      .log = wh_run_log(app->base.run),
                                      .admin = app->admin,
                                      .fetcher = app->fetcher,
                                      .fatal = wh_stage_fatal,
                                      .ctx = app};
    char group[WH_TOPIC_MAX + 16];

    app->members = members_new(&conf);
    if (app->members == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory to start");
    }
    /* By the prefix: other fetchers on the same Kafka have topics of their own. */
    (void)snprintf(group, sizeof(group), "%sfetchers", app->base.topic_prefix);
    consumer.group = group;
    consumer.instance_id = app->member[0] ? app->member : NULL;
    consumer.rebalance = members_rebalance(app->members);
    return wh_consumer_kafka_new(&consumer, &app->state, err);
}

static enum wh_rc start_kafka(struct app *app, struct wh_err *err)
{
    const char *rereads[] = {fetcher_topics(app->fetcher)->rereads};
    struct wh_producer_conf producer;
    struct wh_consumer_conf consumer;

    wh_stage_producer_conf(&app->base, &producer);
    producer.profile = WH_BUS_BULK;
    producer.queue_max_bytes = QUEUE_MAX_BYTES;
    producer.queue_max_records = QUEUE_MAX_RECORDS;
    producer.delivery_timeout_ms = DELIVERY_TIMEOUT_MS;
    wh_stage_consumer_conf(&app->base, &consumer);
    if (wh_producer_kafka_new(&producer, &app->producer, err) != WH_OK ||
        new_consumer(app, &app->connections, err) != WH_OK ||
        new_consumer(app, &app->health, err) != WH_OK ||
        join_members(app, consumer, err) != WH_OK) {
        return err->rc;
    }
    (void)snprintf(app->reread_group, sizeof(app->reread_group), "%sfetcher.rereads",
                   app->base.topic_prefix);
    consumer.group = app->reread_group;
    if (wh_consumer_kafka_new(&consumer, &app->reread_consumer, err) != WH_OK ||
        wh_consumer_subscribe(app->reread_consumer, rereads, 1, err) != WH_OK) {
        return err->rc;
    }
    fetcher_set_producer(app->fetcher, app->producer);
    return WH_OK;
}

static enum wh_rc start_watching(struct app *app, struct wh_err *err)
{
    struct wh_loop *loop = wh_run_loop(app->base.run);

    app->commit = wh_timer_new(loop, on_commit, app);
    app->producer_watch =
        wh_watch_new(loop, wh_producer_fd(app->producer), WH_READABLE, on_producer, app);
    app->reread_watch =
        wh_watch_new(loop, wh_consumer_fd(app->reread_consumer), WH_READABLE, on_reread, app);
    if (!app->commit || !app->producer_watch || !app->reread_watch) {
        return wh_fail(err, WH_E_NOMEM, "no memory to start");
    }
    wh_timer_start(app->commit, COMMIT_MS, COMMIT_MS);
    return members_start(app->members,
                         &(struct members_consumers){.connections = app->connections,
                                                     .state = app->state,
                                                     .health = app->health},
                         err);
}

static enum wh_rc start(void *ctx, struct wh_err *err)
{
    struct app *app = ctx;

    if (start_fetcher(app, err) != WH_OK || start_kafka(app, err) != WH_OK) {
        return err->rc;
    }
    return start_watching(app, err);
}

static void release(void *ctx)
{
    struct app *app = ctx;

    wh_watch_free(app->producer_watch);
    wh_watch_free(app->reread_watch);
    wh_timer_free(app->commit);
    if (app->members) {
        (void)members_stop(app->members);
    }
    control_free(app->control);
    wh_consumer_free(app->connections);
    wh_consumer_free(app->state);
    members_free(app->members);
    wh_producer_free(app->producer); /* it reads the fetcher's records */
    fetcher_free(app->fetcher);
    wh_consumer_free(app->reread_consumer);
    wh_consumer_free(app->health);
    wh_admin_free(app->admin);
    wh_httpc_free(app->http);
    wh_keyring_wipe(&app->keys);
}

int main(int argc, char **argv)
{
    const struct wh_stage stage = {
        .name = "fetcher",
        .purpose = "reads GitLab into the raw topics",
        .port = "8701",
        .keys = keys,
        .n_keys = sizeof(keys) / sizeof(keys[0]),
        .n_topic_keys = 2,
        .size = sizeof(struct app),
        .start = start,
        .drain = drain,
        .not_ready = not_ready,
        .collect = collect,
        .beat = beat,
        .release = release,
    };

    return wh_stage_main(&stage, argc, argv, environ);
}
