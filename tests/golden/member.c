#include "tests/golden/member.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "tests/lib/bus_mem.h"
#include "stages/fetcher/control/control.h"
#include "stages/fetcher/conn/fetcher.h"
#include "stages/fetcher/conn/rereads.h"
#include "stages/fetcher/members/group.h"
#include "tests/golden/loop_sim.h"
#include "tests/lib/th_cmocka.h"

enum { BATCH = 128, REREAD_POLL_MS = 1000, DRAIN_TURNS_MAX = 100000, PARTITIONS = 2 };

struct member {
    struct member_conf conf;
    struct wh_http_handler api;
    struct wh_httpc *http;
    struct wh_admin *admin;
    struct wh_producer *producer;
    struct wh_consumer *connections;
    struct wh_consumer *state;
    struct wh_consumer *rereads;
    struct wh_consumer *health;
    struct wh_watch *producer_watch;
    struct wh_timer *poll;
    struct fetcher *fetcher;
    struct control *control;
    struct members *members;
    char token[128]; /* "Bearer ..." */
};

/* ---- the bus ---- */

static enum wh_rc new_consumer(void *ctx, struct wh_consumer **ret, struct wh_err *err)
{
    struct wh_consumer_conf conf;

    wh_consumer_conf_init(&conf);
    return wh_bus_mem_consumer(((struct member *)ctx)->conf.bus, &conf, ret, err);
}

static enum wh_rc new_producer(void *ctx, struct wh_producer **ret, struct wh_err *err)
{
    struct wh_producer_conf conf;

    wh_producer_conf_init(&conf);
    conf.queue_max_bytes = 1 << 30;
    conf.queue_max_records = 100000;
    return wh_bus_mem_producer(((struct member *)ctx)->conf.bus, &conf, ret, err);
}

static void on_producer(void *ctx, int fd, unsigned events)
{
    (void)fd;
    (void)events;
    (void)wh_producer_poll(((struct member *)ctx)->producer, 0);
}

static void on_fatal(void *ctx, const struct wh_err *err)
{
    (void)ctx;
    fail_msg("fatal: %s", err->msg);
}

static void poll_rereads(void *ctx)
{
    struct member *m = ctx;
    struct wh_bus_msg msgs[BATCH];
    struct wh_err err;
    size_t n = BATCH;

    while (member_ready(m) && n == BATCH) {
        th_ok(wh_consumer_poll(m->rereads, 0, BATCH, msgs, &n, &err), &err);
        for (size_t i = 0; i < n; i++) {
            struct wh_reread q;

            th_ok(wh_reread_decode(msgs[i].value, &q, &err), &err);
            rereads_take(fetcher_rereads(m->fetcher), &q);
        }
    }
}

/* ---- start ---- */

static void make_fetcher(struct member *m)
{
    const struct fetcher_deps deps = {
        .loop = m->conf.loop,
        .clock = loop_sim_clock(m->conf.loop),
        .http = m->http,
        .admin = m->admin,
        .consumer_new = new_consumer,
        .producer_new = new_producer,
        .bus_ctx = m,
        .keys = m->conf.keys,
        .conf = {.topic_prefix = "",
                 .member = "golden",
                 .public_url = "",
                 .redirect_url = "http://127.0.0.1:8701/oauth/callback",
                 .client_metadata_url = "",
                 .allow_http = true,
                 .read_links = m->conf.read_links,
                 .sync_interval_ms = m->conf.sync_interval_ms,
                 .backoff_ms = 500,
                 .sync_overlap_ms = 30000,
                 .sweep_interval_ms = m->conf.sweep_interval_ms,
                 .hold_min = 3,
                 .hold_percent = 5,
                 .numbers_max = 50,
                 .webhook_silence_ms = INT64_C(259200000),
                 .repair_delay_ms = 15000,
                 .reread_delay_ms = 2000,
                 .gone_confirm_ms = 300000,
                 .max_in_flight = 4,
                 .max_walks = 3,
                 .partitions = PARTITIONS,
                 .replication = 1,
                 .request_timeout_ms = 60000}};
    struct wh_producer_conf producer;
    struct wh_err err;

    th_ok(fetcher_new(&deps, &m->fetcher, &err), &err);
    th_ok(control_new(m->fetcher, m->conf.token_file, &m->control, &err), &err);
    m->api = control_handler(m->control);
    wh_producer_conf_init(&producer);
    producer.queue_max_bytes = 1 << 30;
    producer.queue_max_records = m->conf.queue_max_records;
    th_ok(wh_bus_mem_producer(m->conf.bus, &producer, &m->producer, &err), &err);
    fetcher_set_producer(m->fetcher, m->producer);
}

static void join(struct member *m)
{
    const struct members_conf conf = {.loop = m->conf.loop,
                                      .admin = m->admin,
                                      .fetcher = m->fetcher,
                                      .fatal = on_fatal,
                                      .ctx = m};
    const char *topics[] = {"rereads"};
    struct wh_consumer_conf group;
    struct wh_err err;

    m->members = members_new(&conf);
    assert_non_null(m->members);
    wh_consumer_conf_init(&group);
    group.group = "fetchers";
    group.rebalance = members_rebalance(m->members);
    th_ok(wh_bus_mem_consumer(m->conf.bus, &group, &m->state, &err), &err);
    wh_consumer_conf_init(&group);
    group.group = "fetcher.rereads";
    th_ok(wh_bus_mem_consumer(m->conf.bus, &group, &m->rereads, &err), &err);
    th_ok(wh_consumer_subscribe(m->rereads, topics, 1, &err), &err);
    th_ok(new_consumer(m, &m->connections, &err), &err);
    th_ok(new_consumer(m, &m->health, &err), &err);
    th_ok(members_start(m->members,
                        &(struct members_consumers){
                            .connections = m->connections, .state = m->state, .health = m->health},
                        &err),
          &err);
}

static void read_token(struct member *m)
{
    FILE *f = fopen(m->conf.token_file, "re");
    char text[96] = "";

    assert_non_null(f);
    assert_non_null(fgets(text, sizeof(text), f));
    (void)fclose(f);
    text[strcspn(text, "\n")] = '\0';
    (void)snprintf(m->token, sizeof(m->token), "Bearer %s", text);
}

struct member *member_new(const struct member_conf *conf, struct wh_httpc *http)
{
    struct member *m = wh_mem_zalloc(1, sizeof(*m));
    struct wh_err err;

    assert_non_null(m);
    m->conf = *conf;
    m->http = http;
    th_ok(wh_bus_mem_admin(conf->bus, &m->admin, &err), &err);
    make_fetcher(m);
    read_token(m);
    m->producer_watch =
        wh_watch_new(conf->loop, wh_producer_fd(m->producer), WH_READABLE, on_producer, m);
    m->poll = wh_timer_new(conf->loop, poll_rereads, m);
    assert_non_null(m->producer_watch);
    assert_non_null(m->poll);
    wh_timer_start(m->poll, REREAD_POLL_MS, REREAD_POLL_MS);
    join(m);
    return m;
}

/* ---- use ---- */

bool member_ready(const struct member *m)
{
    return members_waiting_for(m->members) == NULL;
}

void member_call(struct member *m, const char *method, const char *path, const char *json,
                 struct th_http_req *req)
{
    th_http_init(req, method, path);
    th_http_header(req, "Authorization", m->token);
    req->body = wh_slice_str(json);
    th_http_send(req, &m->api, m->conf.loop);
}

/* ---- end ---- */

void member_kill(struct member *m)
{
    wh_watch_free(m->producer_watch);
    wh_timer_free(m->poll);
    assert_true(members_stop(m->members));
    control_free(m->control);
    wh_consumer_free(m->connections);
    wh_consumer_free(m->state);
    members_free(m->members);
    wh_producer_free(m->producer);
    fetcher_free(m->fetcher);
    wh_consumer_free(m->rereads);
    wh_consumer_free(m->health);
    wh_admin_free(m->admin);
    wh_httpc_free(m->http);
    wh_mem_free(m);
}

void member_stop(struct member *m)
{
    (void)members_stop(m->members);
    fetcher_drain(m->fetcher);
    control_drain(m->control);
    for (int i = 0; !fetcher_drained(m->fetcher); i++) {
        assert_true(i < DRAIN_TURNS_MAX);
        wh_loop_turn(m->conf.loop, true);
    }
    member_kill(m);
}
