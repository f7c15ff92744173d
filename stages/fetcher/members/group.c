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

/* What a look at Kafka asks and finds, on a pool thread. */
struct look {
    bool topics; /* the first one: how many partitions there are */
    uint64_t generation;
    int32_t n_state;
    bool wanted[OWNERSHIP_PARTITIONS_MAX];
    struct mark state[OWNERSHIP_PARTITIONS_MAX];
    enum wh_rc rc;
    struct wh_err err;
};

struct members {
    struct members_conf conf;
    struct wh_consumer *connections;
    struct wh_consumer *state;
    struct wh_tail *tail; /* of connections */
    struct wh_watch *state_watch;
    struct wh_timer *retry;
    struct wh_timer *tick; /* a member that does not poll is taken for dead */
    bool found;            /* the topics are there */
    bool assigned;         /* at least once */
    bool announced;        /* the present assignment is read, and the fetcher knows */
    bool connected;        /* `connections` is read to its end */
    bool looking;
    bool stopped;
    uint64_t generation; /* of the assignment */
    struct mark marks[OWNERSHIP_PARTITIONS_MAX];
    struct look look;
};

static void begin_look(void *ctx);
static void on_tick(void *ctx);

struct members *members_new(const struct members_conf *conf)
{
    struct members *m = wh_mem_zalloc(1, sizeof(*m));

    if (m == NULL) {
        return NULL;
    }
    m->conf = *conf;
    m->retry = wh_timer_new(conf->loop, begin_look, m);
    m->tick = wh_timer_new(conf->loop, on_tick, m);
    if (m->retry == NULL || m->tick == NULL) {
        members_free(m);
        return NULL;
    }
    return m;
}

void members_free(struct members *m)
{
    /* A thread that still looks keeps what it uses: the process is at its end. */
    if (m && !m->looking) {
        wh_tail_free(m->tail);
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
    m->stopped = true;
    wh_timer_stop(m->retry);
    wh_timer_stop(m->tick);
    wh_watch_free(m->state_watch);
    m->state_watch = NULL;
    return (m->tail == NULL || wh_tail_stop(m->tail)) && !m->looking;
}

/* ---- is all of it read? ---- */

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

static void check(struct members *m)
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

    if (wh_consumer_subscribe(m->state, topics, 1, &err) != WH_OK) {
        m->conf.fatal(m->conf.ctx, &err);
    }
}

static enum wh_rc on_connection(void *ctx, const struct wh_bus_msg *msg, struct wh_err *err)
{
    (void)err;
    fetcher_take_connection(((struct members *)ctx)->conf.fetcher, msg);
    return WH_OK;
}

/* Cursors come after the connections that they belong to. */
static void on_connections_read(void *ctx)
{
    struct members *m = ctx;

    m->connected = true;
    if (m->conf.connected) {
        m->conf.connected(m->conf.ctx);
    }
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
        .consumer = m->connections,
        .admin = m->conf.admin,
        .loop = m->conf.loop,
        .log = m->conf.log,
        .topic = fetcher_topics(m->conf.fetcher)->connections,
        .on_record = on_connection,
        .on_caught_up = on_connections_read,
        .on_fatal = on_tail_fatal,
        .ctx = m,
    };

    return wh_tail_new(&conf, &m->tail, err);
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
        if (wh_consumer_poll(m->state, 0, BATCH, msgs, &n, &err) != WH_OK) {
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
    check(m);
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
    begin_look(m);
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

/* ---- looking, on a pool thread: the broker may not be there yet ---- */

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

static enum wh_rc look_at_topics(struct members *m, struct look *look, struct wh_err *err)
{
    const char *topic = fetcher_topics(m->conf.fetcher)->state;
    struct wh_bus_topic_info *list = NULL;
    size_t n = 0;

    if (wh_admin_list(m->conf.admin, TIMEOUT_MS, &list, &n, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, topic) == 0) {
            look->n_state = list[i].partitions < OWNERSHIP_PARTITIONS_MAX
                                ? list[i].partitions
                                : OWNERSHIP_PARTITIONS_MAX;
        }
    }
    wh_bus_topic_list_free(list, n);
    return look->n_state > 0 ? WH_OK
                             : wh_fail(err, WH_E_UNAVAILABLE,
                                       "the shared topics are not there; run `wellhead topics`");
}

static void do_look(void *ctx)
{
    struct members *m = ctx;
    struct look *look = &m->look;

    look->rc = look->topics ? look_at_topics(m, look, &look->err) : WH_OK;
    for (int32_t p = 0; p < OWNERSHIP_PARTITIONS_MAX && look->rc == WH_OK; p++) {
        if (look->wanted[p]) {
            look->rc = find_mark(m, fetcher_topics(m->conf.fetcher)->state, p, &look->state[p],
                                 &look->err);
        }
    }
}

static void topics_found(struct members *m)
{
    struct wh_err err;

    m->found = true;
    ownership_init(fetcher_ownership(m->conf.fetcher), m->look.n_state);
    if (follow_connections(m, &err) != WH_OK) {
        m->conf.fatal(m->conf.ctx, &err);
    }
}

/* Records may have come meanwhile; an empty partition has nothing to come. */
static void ends_found(struct members *m)
{
    for (int32_t p = 0; p < OWNERSHIP_PARTITIONS_MAX; p++) {
        if (m->look.wanted[p]) {
            m->marks[p].end = m->look.state[p].end;
            if (m->look.state[p].next == m->look.state[p].end) {
                m->marks[p].next = m->marks[p].end;
            }
        }
    }
    check(m);
}

static void looked(void *ctx)
{
    struct members *m = ctx;

    m->looking = false;
    if (m->stopped) {
        return;
    }
    if (m->look.rc != WH_OK) {
        wh_log_warn(m->conf.log, "waiting for Kafka", WH_RC(&m->look.err));
        wh_timer_start(m->retry, RETRY_MS, 0);
    } else if (m->look.topics) {
        topics_found(m);
    } else if (m->look.generation == m->generation) {
        ends_found(m);
    } else {
        begin_look(m); /* another assignment came in between */
    }
}

static void begin_look(void *ctx)
{
    struct members *m = ctx;
    struct wh_err err;

    if (m->looking || m->stopped) {
        return;
    }
    memset(&m->look, 0, sizeof(m->look));
    m->look.topics = !m->found;
    m->look.generation = m->generation;
    for (int32_t p = 0; m->found && p < fetcher_ownership(m->conf.fetcher)->partitions; p++) {
        m->look.wanted[p] = fetcher_ownership(m->conf.fetcher)->owned[p];
    }
    m->looking = true;
    if (wh_loop_work(m->conf.loop, do_look, looked, m, &err) != WH_OK) {
        m->looking = false;
        m->conf.fatal(m->conf.ctx, &err);
    }
}

/* ---- start ---- */

enum wh_rc members_start(struct members *m, struct wh_consumer *connections,
                         struct wh_consumer *state, struct wh_err *err)
{
    m->connections = connections;
    m->state = state;
    m->state_watch = wh_watch_new(m->conf.loop, wh_consumer_fd(state), WH_READABLE, on_state, m);
    if (m->state_watch == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory to start");
    }
    wh_timer_start(m->tick, TICK_MS, TICK_MS);
    begin_look(m);
    return WH_OK;
}
