#include "stages/fetcher/members/group.h"

#include "common/base/mem.h"
#include "common/bus/tail.h"

enum {
    BATCH = 128,
    RETRY_MS = 1000,
    TICK_MS = 1000,
    TIMEOUT_MS = 5000,
};

/* How far one partition is read, and how far it must be. */
struct mark {
    int64_t next;
    int64_t end; /* -1: not known yet */
};

/* A request to Kafka, on a pool thread, and its answer. */
struct scan {
    bool topics; /* the first scan: how many partitions there are */
    uint64_t generation;
    int32_t n_state;
    bool wanted[OWNERSHIP_PARTITIONS_MAX];
    struct mark state[OWNERSHIP_PARTITIONS_MAX];
    enum wh_rc rc;
    struct wh_err err;
};

struct members {
    struct members_conf conf;
    struct members_consumers consumers;
    struct wh_tail *connections;
    struct wh_tail *health;
    struct wh_watch *state_watch;
    struct wh_timer *retry;
    struct wh_timer *tick; /* Kafka expels a member that does not poll */
    bool found;            /* the topics exist */
    bool assigned;         /* at least once */
    bool announced;        /* the present assignment has been read, and the fetcher knows it */
    bool connected;        /* `connections` has been read to its end */
    bool scanning;
    bool stopped;
    uint64_t generation; /* of the assignment */
    struct mark marks[OWNERSHIP_PARTITIONS_MAX];
    struct scan scan;
};

static void begin_scan(void *ctx);
static void on_tick(void *ctx);

struct members *members_new(const struct members_conf *conf)
{
    struct members *m = wh_mem_zalloc(1, sizeof(*m));

    if (m == NULL) {
        return NULL;
    }
    m->conf = *conf;
    m->retry = wh_timer_new(conf->loop, begin_scan, m);
    m->tick = wh_timer_new(conf->loop, on_tick, m);
    if (m->retry == NULL || m->tick == NULL) {
        members_free(m);
        return NULL;
    }
    return m;
}

void members_free(struct members *m)
{
    /* A thread that still scans keeps what it uses: the process is at its end. */
    if (m && !m->scanning) {
        wh_tail_free(m->connections);
        wh_tail_free(m->health);
        wh_watch_free(m->state_watch);
        wh_timer_free(m->retry);
        wh_timer_free(m->tick);
        wh_mem_free(m);
    }
}

const char *members_waiting_for(const struct members *m)
{
    return !m->found       ? "waiting for Kafka"
           : !m->connected ? "reading connections"
           : !m->assigned  ? "joining the other fetchers"
           : !m->announced ? "reading cursors"
                           : NULL;
}

bool members_stop(struct members *m)
{
    bool connections_done;

    m->stopped = true;
    wh_timer_stop(m->retry);
    wh_timer_stop(m->tick);
    wh_watch_free(m->state_watch);
    m->state_watch = NULL;
    connections_done = m->connections == NULL || wh_tail_stop(m->connections);
    return (m->health == NULL || wh_tail_stop(m->health)) && connections_done && !m->scanning;
}

/* ---- has everything been read? ---- */

static void announce(struct members *m)
{
    struct ownership *ownership = fetcher_ownership(m->conf.fetcher);
    size_t n = 0;

    for (int32_t p = 0; p < ownership->partitions; p++) {
        if (ownership->owned[p]) {
            ownership_ready(ownership, p);
            n++;
        }
    }
    m->announced = true;
    wh_log_info(m->conf.log, "assigned partitions ready", WH_I("partitions", n),
                WH_I("of", ownership->partitions));
    fetcher_assigned(m->conf.fetcher);
}

static void check_read(struct members *m)
{
    const struct ownership *ownership = fetcher_ownership(m->conf.fetcher);

    if (!m->connected || !m->assigned || m->announced || m->stopped) {
        return;
    }
    for (int32_t p = 0; p < ownership->partitions; p++) {
        if (ownership->owned[p] && (m->marks[p].end < 0 || m->marks[p].next < m->marks[p].end)) {
            return;
        }
    }
    announce(m);
}

/* ---- records ---- */

static void subscribe(struct members *m)
{
    const char *topics[] = {fetcher_topics(m->conf.fetcher)->state};
    struct wh_err err;

    if (wh_consumer_subscribe(m->consumers.state, topics, 1, &err) != WH_OK) {
        m->conf.fatal(m->conf.ctx, &err);
    }
}

static enum wh_rc on_health(void *ctx, const struct wh_bus_msg *msg, struct wh_err *err)
{
    (void)err;
    fetcher_take_health(((struct members *)ctx)->conf.fetcher, msg);
    return WH_OK;
}

static void on_health_fatal(void *ctx, const struct wh_err *err)
{
    wh_log_warn(((struct members *)ctx)->conf.log, "health topic not readable", WH_RC(err));
}

static void follow_health(struct members *m)
{
    const struct wh_tail_conf conf = {
        .consumer = m->consumers.health,
        .admin = m->conf.admin,
        .loop = m->conf.loop,
        .log = m->conf.log,
        .topic = fetcher_topics(m->conf.fetcher)->health,
        .on_record = on_health,
        .on_fatal = on_health_fatal,
        .ctx = m,
    };
    struct wh_err err;

    if (m->consumers.health && wh_tail_new(&conf, &m->health, &err) != WH_OK) {
        on_health_fatal(m, &err);
    }
}

static enum wh_rc on_connection(void *ctx, const struct wh_bus_msg *msg, struct wh_err *err)
{
    (void)err;
    fetcher_take_connection(((struct members *)ctx)->conf.fetcher, msg);
    return WH_OK;
}

/* Cursors and reports are read after the connections to which they belong. */
static void on_connections_read(void *ctx)
{
    struct members *m = ctx;

    m->connected = true;
    follow_health(m);
    subscribe(m);
}

static void on_tail_fatal(void *ctx, const struct wh_err *err)
{
    struct members *m = ctx;

    m->conf.fatal(m->conf.ctx, err);
}

static enum wh_rc follow_connections(struct members *m, struct wh_err *err)
{
    const struct wh_tail_conf conf = {
        .consumer = m->consumers.connections,
        .admin = m->conf.admin,
        .loop = m->conf.loop,
        .log = m->conf.log,
        .topic = fetcher_topics(m->conf.fetcher)->connections,
        .on_record = on_connection,
        .on_caught_up = on_connections_read,
        .on_fatal = on_tail_fatal,
        .ctx = m,
    };

    return wh_tail_new(&conf, &m->connections, err);
}

static void on_state(void *ctx, int fd, unsigned events)
{
    struct members *m = ctx;
    struct wh_bus_msg msgs[BATCH];
    struct wh_err err;
    size_t n = 0;

    (void)fd;
    (void)events;
    do {
        if (wh_consumer_poll(m->consumers.state, 0, BATCH, msgs, &n, &err) != WH_OK) {
            m->conf.fatal(m->conf.ctx, &err);
            return;
        }
        for (size_t i = 0; i < n; i++) {
            fetcher_take_state(m->conf.fetcher, &msgs[i]);
            if (msgs[i].partition < OWNERSHIP_PARTITIONS_MAX) {
                m->marks[msgs[i].partition].next = msgs[i].offset + 1;
            }
        }
    } while (n > 0);
    check_read(m);
}

static void on_tick(void *ctx)
{
    on_state(ctx, -1, 0);
}

/* ---- the group ---- */

static void on_assign(void *ctx, const struct wh_bus_partition *parts, size_t n)
{
    struct members *m = ctx;

    m->assigned = true;
    m->announced = false;
    m->generation++;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].partition < OWNERSHIP_PARTITIONS_MAX) {
            ownership_assign(fetcher_ownership(m->conf.fetcher), parts[i].partition);
            m->marks[parts[i].partition] = (struct mark){0, -1};
        }
    }
    begin_scan(m);
}

static void on_revoke(void *ctx, const struct wh_bus_partition *parts, size_t n, bool lost)
{
    struct members *m = ctx;

    (void)lost;
    m->announced = false;
    m->generation++;
    for (size_t i = 0; i < n; i++) {
        ownership_revoke(fetcher_ownership(m->conf.fetcher), parts[i].partition);
    }
    if (!m->stopped) {
        fetcher_revoked(m->conf.fetcher);
    }
}

struct wh_bus_rebalance members_rebalance(struct members *m)
{
    return (struct wh_bus_rebalance){.on_assign = on_assign, .on_revoke = on_revoke, .ctx = m};
}

/* ---- scans, on a pool thread: there may be no broker yet ---- */

static enum wh_rc find_mark(struct members *m, const char *topic, int32_t p, struct mark *ret,
                            struct wh_err *err)
{
    if (wh_admin_offset(m->conf.admin, topic, p, WH_OFFSET_END, TIMEOUT_MS, &ret->end, err) !=
        WH_OK) {
        return err->rc;
    }
    return wh_admin_offset(m->conf.admin, topic, p, WH_OFFSET_BEGINNING, TIMEOUT_MS, &ret->next,
                           err);
}

static enum wh_rc find_topics(struct members *m, struct scan *scan, struct wh_err *err)
{
    const char *topic = fetcher_topics(m->conf.fetcher)->state;
    struct wh_bus_topic_info *list = NULL;
    size_t n = 0;

    if (wh_admin_list(m->conf.admin, TIMEOUT_MS, &list, &n, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, topic) == 0) {
            scan->n_state = list[i].partitions < OWNERSHIP_PARTITIONS_MAX
                                ? list[i].partitions
                                : OWNERSHIP_PARTITIONS_MAX;
        }
    }
    wh_bus_topic_list_free(list, n);
    return scan->n_state > 0 ? WH_OK
                             : wh_fail(err, WH_E_UNAVAILABLE,
                                       "the shared topics are not there; run `wellhead topics`");
}

static void do_scan(void *ctx)
{
    struct members *m = ctx;
    struct scan *scan = &m->scan;

    scan->rc = scan->topics ? find_topics(m, scan, &scan->err) : WH_OK;
    for (int32_t p = 0; p < OWNERSHIP_PARTITIONS_MAX && scan->rc == WH_OK; p++) {
        if (scan->wanted[p]) {
            scan->rc = find_mark(m, fetcher_topics(m->conf.fetcher)->state, p, &scan->state[p],
                                 &scan->err);
        }
    }
}

static void topics_found(struct members *m)
{
    struct wh_err err;

    m->found = true;
    ownership_init(fetcher_ownership(m->conf.fetcher), m->scan.n_state);
    if (follow_connections(m, &err) != WH_OK) {
        m->conf.fatal(m->conf.ctx, &err);
    }
}

/* Records may have arrived meanwhile; of an empty partition none will. */
static void ends_found(struct members *m)
{
    for (int32_t p = 0; p < OWNERSHIP_PARTITIONS_MAX; p++) {
        if (m->scan.wanted[p]) {
            m->marks[p].end = m->scan.state[p].end;
            if (m->scan.state[p].next == m->scan.state[p].end) {
                m->marks[p].next = m->marks[p].end;
            }
        }
    }
    check_read(m);
}

static void scan_done(void *ctx)
{
    struct members *m = ctx;

    m->scanning = false;
    if (m->stopped) {
        return;
    }
    if (m->scan.rc != WH_OK) {
        wh_log_warn(m->conf.log, "waiting for Kafka", WH_RC(&m->scan.err));
        wh_timer_start(m->retry, RETRY_MS, 0);
    } else if (m->scan.topics) {
        topics_found(m);
    } else if (m->scan.generation == m->generation) {
        ends_found(m);
    } else {
        begin_scan(m); /* the partitions were assigned again meanwhile */
    }
}

static void begin_scan(void *ctx)
{
    struct members *m = ctx;
    struct wh_err err;

    if (m->scanning || m->stopped) {
        return;
    }
    memset(&m->scan, 0, sizeof(m->scan));
    m->scan.topics = !m->found;
    m->scan.generation = m->generation;
    for (int32_t p = 0; m->found && p < fetcher_ownership(m->conf.fetcher)->partitions; p++) {
        m->scan.wanted[p] = fetcher_ownership(m->conf.fetcher)->owned[p];
    }
    m->scanning = true;
    if (wh_loop_work(m->conf.loop, do_scan, scan_done, m, &err) != WH_OK) {
        m->scanning = false;
        m->conf.fatal(m->conf.ctx, &err);
    }
}

/* ---- start ---- */

enum wh_rc members_start(struct members *m, const struct members_consumers *consumers,
                         struct wh_err *err)
{
    m->consumers = *consumers;
    m->state_watch =
        wh_watch_new(m->conf.loop, wh_consumer_fd(consumers->state), WH_READABLE, on_state, m);
    if (m->state_watch == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory to start");
    }
    wh_timer_start(m->tick, TICK_MS, TICK_MS);
    begin_scan(m);
    return WH_OK;
}
