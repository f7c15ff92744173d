#include "stages/mapper/mapper_priv.h"

#include <stdio.h>

#include "common/base/mem.h"

enum {
    ARENA_BLOCK = 1 << 14,
    ARENA_MAX = 1 << 20,
    BYTES_MAX = 512 << 20,
    SCRATCH_MAX = 1 << 20,
    REREAD_PLACES = 4096,
    SLICE_NS = 20 * 1000000,
    TICK_MS = 200,
    BUSY_RETRY_MS = 5,
    REJOIN_MS = 60000,
    REREADS_A_TICK = 500,
};

void mapper_conf_init(struct mapper_conf *conf)
{
    *conf = (struct mapper_conf){
        .topic_prefix = "wellhead.",
        .in_flight_max = 50000,
        .in_flight_bytes = 16 << 20,
        .max_event_bytes = 26 << 20,
        .max_event_depth = 128,
        .max_record_bytes = 30 << 20,
        .commit_interval_ms = 1000,
        .flush_ms = 10000,
        .remember_max = 1 << 18,
        .breaker_window = 1000,
        .breaker_min = 200,
        .breaker_share = 50,
        .breaker_retry_ms = 300000,
        .replay_connection = "",
    };
}

/* ---- fatal errors ---- */

static void fatal(struct mapper *m, const struct wh_err *err)
{
    if (m->dead) {
        return;
    }
    m->dead = true;
    (void)snprintf(m->not_ready, sizeof(m->not_ready), "%s", err->msg);
    wh_log_error(m->deps.log, "the mapper stops after a fatal error", WH_RC(err));
    if (m->deps.on_fatal) {
        m->deps.on_fatal(m->deps.ctx, err);
    }
}

/* ---- flights and acknowledgements ---- */

static void on_flight_record(struct wh_bus_ack *ack, const struct wh_bus_delivery *delivery);

static struct flight *flight_take(struct mapper *m)
{
    struct flight *f = m->free_flights;

    if (f) {
        m->free_flights = f->next_free;
    } else {
        f = wh_mem_zalloc(1, sizeof(*f));
        if (f) {
            f->ack.fn = on_flight_record;
            f->mapper = m;
            f->next = m->flights;
            m->flights = f;
        }
    }
    return f;
}

/* One record of the event was acknowledged, or the loop drops its own reference. */
static void flight_ack(struct mapper *m, struct flight *f)
{
    struct part *part = f->part;

    wh_acktrack_ack(part->track, f->ticket);
    if (--f->waiting > 0) {
        return;
    }
    if (f->slab) {
        slabs_release(&m->slabs, f->slab);
        f->slab = NULL;
    }
    f->next_free = m->free_flights;
    m->free_flights = f;
    m->in_flight--;
    if (part->revoked && wh_acktrack_in_flight(part->track) == 0) {
        part_free(m, part);
    }
}

/*
 * The records of a connection cannot be written. The offset stays where it was committed, so that the
 * events in flight are mapped again with the next retry. After a purge there is none, because a
 * rebalance takes the input away.
 */
static void hold_connection(struct mapper *m, struct part *part, enum wh_rc rc, const char *topic)
{
    char reason[WH_ERR_MSG_MAX];

    part->held_from = part->committed;
    (void)snprintf(reason, sizeof(reason),
                   rc == WH_E_NOT_FOUND ? "the topic %s does not exist; connecting again creates it"
                                        : "the topic %s rejects a record",
                   topic);
    streams_hold_all(&m->streams, part->streams, reason);
}

static void on_hint(struct wh_bus_ack *ack, const struct wh_bus_delivery *delivery)
{
    const struct mapper_hints *hints = (const struct mapper_hints *)ack;

    if (delivery->rc != WH_OK) {
        wh_log_warn(hints->log, "reread request not delivered",
                    WH_STR("rc", wh_rc_name(delivery->rc)));
    }
}

static void on_flight_record(struct wh_bus_ack *ack, const struct wh_bus_delivery *delivery)
{
    struct flight *f = (struct flight *)ack;
    struct mapper *m = f->mapper;
    struct wh_err err;

    if (delivery->rc == WH_OK) {
        flight_ack(m, f);
        return;
    }
    if (wh_rc_class(delivery->rc) == WH_CLASS_POISON) {
        hold_connection(m, f->part, delivery->rc, delivery->topic ? delivery->topic : "?");
        flight_ack(m, f);
        return;
    }
    /* The offset is not committed, so a restart reads the event again. */
    (void)wh_fail(&err, WH_E_FATAL_BUS, "a record for %s was not acknowledged: %s",
                  delivery->topic ? delivery->topic : "?",
                  delivery->reason ? delivery->reason : wh_rc_text(delivery->rc));
    fatal(m, &err);
}

/* ---- one message ---- */

/* Passes over an event whose stream is held. */
static void pass_over(struct part *part, const struct wh_bus_msg *msg)
{
    if (part->held_from < 0) {
        part->held_from = msg->offset;
    }
}

static enum step begin_event(struct mapper *m, struct part *part, const struct wh_bus_msg *msg)
{
    struct wh_err err;
    struct flight *f;
    bool held;
    enum wh_rc rc = prepare_event(m, part, msg, &held, &err);

    if (rc == WH_E_BUSY) {
        return STEP_WAIT;
    }
    if (rc != WH_OK) {
        fatal(m, &err);
        return STEP_STOP;
    }
    if (held) {
        pass_over(part, msg);
        return STEP_NEXT;
    }
    f = flight_take(m);
    if (f == NULL) {
        (void)wh_fail(&err, WH_E_NOMEM, "no memory for an event in flight");
        fatal(m, &err);
        return STEP_STOP;
    }
    /* The caller has checked that there is room. */
    if (wh_acktrack_begin(part->track, msg->offset, &f->ticket, &err) != WH_OK) {
        f->next_free = m->free_flights;
        m->free_flights = f;
        return STEP_WAIT;
    }
    f->part = part;
    f->waiting = 1;
    f->slab = NULL;
    m->flight = f;
    m->in_flight++;
    if (m->n_outs &&
        slabs_put(&m->slabs, wh_buf_slice(&m->bytes), &f->slab, &f->bytes, &err) != WH_OK) {
        fatal(m, &err);
        return STEP_STOP;
    }
    m->next_out = 0;
    m->prepared = true;
    return STEP_NEXT;
}

static enum step send_outs(struct mapper *m, struct part *part)
{
    struct wh_err err;

    for (; m->next_out < m->n_outs; m->next_out++) {
        enum wh_rc rc = prepare_send(m, part, m->next_out, &err);

        if (rc == WH_E_BUSY) {
            return STEP_WAIT;
        }
        if (rc != WH_OK && wh_rc_class(rc) == WH_CLASS_POISON) {
            hold_connection(m, part, rc, prepare_topic(m, part, m->next_out));
            return STEP_NEXT;
        }
        if (rc != WH_OK) {
            fatal(m, &err);
            return STEP_STOP;
        }
        wh_acktrack_expect(m->flight->part->track, m->flight->ticket);
        m->flight->waiting++;
    }
    return STEP_NEXT;
}

/*
 * Limits unacknowledged bytes to enough per partition to keep the broker busy. With more, records leave
 * the CPU caches before they are compressed, and librdkafka 2.0.2 polls without a pause while a batch
 * is full and the previous one of its partition is not acknowledged.
 */
static bool too_much_waits(const struct mapper *m, const struct part *part)
{
    return wh_acktrack_in_flight(part->track) >= m->conf.in_flight_max ||
           (m->in_flight && m->slabs.in_use >= m->conf.in_flight_bytes);
}

static void finish_event(struct mapper *m, struct part *part)
{
    wh_counter_add(m->observations, m->why.rc == WH_OK ? m->n_outs : 0);
    m->prepared = false;
    if (!stream_is_held(part->streams, m->stream)) {
        (void)stream_count(&m->streams, part->streams, m->stream, &m->why);
    }
    flight_ack(m, m->flight);
    m->flight = NULL;
}

static enum step work_message(struct mapper *m, const struct wh_bus_msg *msg)
{
    struct part *part = NULL;
    struct wh_err err;
    enum step step;

    if (part_of(m, msg, &part, &err) != WH_OK) {
        fatal(m, &err);
        return STEP_STOP;
    }
    if (!m->prepared) {
        if (too_much_waits(m, part)) {
            return STEP_WAIT;
        }
        step = begin_event(m, part, msg);
        if (step != STEP_NEXT) {
            return step;
        }
    }
    step = m->prepared ? send_outs(m, part) : STEP_NEXT;
    if (step != STEP_NEXT) {
        return step;
    }
    if (m->prepared) {
        finish_event(m, part);
    }
    wh_counter_add(part->consumed, 1);
    m->at++;
    return STEP_NEXT;
}

/* ---- the loop ---- */

static enum step work_batch(struct mapper *m)
{
    while (m->at < m->n_batch) {
        enum step step = work_message(m, &m->batch[m->at]);

        if (step != STEP_NEXT) {
            return step;
        }
    }
    m->n_batch = 0;
    m->at = 0;
    return STEP_NEXT;
}

static void finish_drain(struct mapper *m)
{
    if (!m->draining || m->drained || (m->in_flight && !m->dead)) {
        return;
    }
    parts_commit(m, true);
    m->drained = true;
    if (m->deps.on_drained) {
        m->deps.on_drained(m->deps.ctx);
    }
}

/* While the mapper cannot accept input, the readable consumer must not wake the loop. */
static void listen(struct mapper *m, bool on)
{
    if (m->consumer_watch && m->deaf == on) {
        m->deaf = !on;
        wh_watch_set(m->consumer_watch, on ? WH_READABLE : 0);
    }
}

static void retry_later(struct mapper *m)
{
    listen(m, false);
    if (m->soon) {
        wh_timer_start(m->soon, BUSY_RETRY_MS, 0);
    }
}

bool mapper_turn(struct mapper *m)
{
    int64_t until = wh_clock_mono_ns(&m->deps.clock) + SLICE_NS;
    struct wh_err err;

    listen(m, !m->dead);
    (void)wh_producer_poll(m->producer, 0);
    while (!m->dead) {
        enum step step = STEP_NEXT;

        /* A drain finishes the current event, because some of its records may have been produced. */
        if (m->n_batch && (!m->draining || m->prepared)) {
            step = m->draining ? work_message(m, &m->batch[m->at]) : work_batch(m);
            (void)wh_producer_poll(m->producer, 0);
        }
        if (step == STEP_WAIT) {
            retry_later(m);
            break;
        }
        if (step == STEP_STOP || m->draining) {
            break;
        }
        if (wh_consumer_poll(m->consumer, 0, MAPPER_BATCH, m->batch, &m->n_batch, &err) != WH_OK) {
            m->n_batch = 0;
            if (wh_rc_class(err.rc) == WH_CLASS_FATAL) {
                fatal(m, &err);
            }
            break;
        }
        m->at = 0;
        if (m->n_batch == 0) {
            break;
        }
        if (wh_clock_mono_ns(&m->deps.clock) >= until) {
            return true;
        }
    }
    finish_drain(m);
    return false;
}

static void send_due_rereads(struct mapper *m, bool all)
{
    int64_t now = wh_clock_now_ms(&m->deps.clock);
    struct wh_reread request;
    struct wh_err err;

    for (unsigned i = 0; i < REREADS_A_TICK; i++) {
        if (!mapper_rereads_due(m->rereads, now, all, &request)) {
            return;
        }
        if (prepare_send_reread(m, &request, &m->hints.ack, &err) != WH_OK) {
            mapper_rereads_put_back(m->rereads);
            return;
        }
        wh_counter_add(m->rereads_sent, 1);
    }
}

/* A replay ends when all events up to the ends of all partitions are acknowledged. */
static bool replayed(const struct mapper *m)
{
    for (size_t i = 0; i < m->conf.n_ends; i++) {
        const struct part *p = part_find(m, m->conf.ends[i].topic, m->conf.ends[i].partition);

        if (p == NULL || part_position(p) < m->conf.ends[i].offset) {
            return false;
        }
    }
    return m->conf.n_ends > 0;
}

static enum wh_rc subscribe(struct mapper *m, struct wh_err *err)
{
    char pattern[WH_TOPIC_MAX * 2];
    const char *topics[] = {pattern};

    if ((m->conf.replay_connection[0]
             ? wh_topic_name(m->conf.topic_prefix, mapper_input(m),
                             wh_slice_str(m->conf.replay_connection), pattern, err)
             : wh_topic_pattern(m->conf.topic_prefix, WH_TOPIC_RAW, pattern, err)) != WH_OK) {
        return err->rc;
    }
    return wh_consumer_subscribe(m->consumer, topics, 1, err);
}

/* Without other connections to protect, a replay ends with what it could map. */
static void end_held_replay(struct mapper *m)
{
    struct wh_heartbeat_held held;
    struct wh_err err;

    if (!m->conf.replay_connection[0] || m->in_flight || m->dead ||
        streams_held(&m->streams, &held, 1) == 0) {
        return;
    }
    parts_commit(m, true);
    (void)wh_fail(&err, WH_E_CONFIG, "the replay is not complete: %.*s", WH_SLICE_ARG(held.reason));
    fatal(m, &err);
}

/* Joins the group again, so that reading starts at the committed offsets. */
static void retry_held(struct mapper *m, int64_t now)
{
    struct wh_err err;

    if (m->dead || m->draining || now < m->rejoin_until_ms || !streams_due(&m->streams)) {
        return;
    }
    m->rejoin_until_ms = now + REJOIN_MS;
    if (subscribe(m, &err) != WH_OK) {
        wh_log_warn(m->deps.log, "held streams cannot be tried again", WH_RC(&err));
    }
}

void mapper_tick(struct mapper *m)
{
    int64_t now = wh_clock_now_ms(&m->deps.clock);

    (void)wh_producer_poll(m->producer, 0);
    if (!m->dead) {
        send_due_rereads(m, false);
    }
    if (now - m->last_commit_ms >= m->conf.commit_interval_ms || now < m->last_commit_ms) {
        parts_commit(m, false);
        streams_tick(&m->streams);
        m->last_commit_ms = now;
    }
    if (!m->draining && replayed(m)) {
        mapper_drain(m);
        return;
    }
    end_held_replay(m);
    retry_held(m, now);
    finish_drain(m);
}

/* ---- the event loop's side ---- */

static void turn_on_loop(void *ctx)
{
    struct mapper *m = ctx;

    /* A wake-up instead of a timer: a timer that is due at once would starve the loop. */
    if (mapper_turn(m) && !m->drained) {
        wh_wake_send(m->again);
    }
}

static void on_readable(void *ctx, int fd, unsigned events)
{
    (void)fd;
    (void)events;
    turn_on_loop(ctx);
}

static void on_tick(void *ctx)
{
    mapper_tick(ctx);
    turn_on_loop(ctx);
}

static enum wh_rc start_loop(struct mapper *m, struct wh_err *err)
{
    m->soon = wh_timer_new(m->deps.loop, turn_on_loop, m);
    m->again = wh_wake_new(m->deps.loop, turn_on_loop, m);
    m->ticker = wh_timer_new(m->deps.loop, on_tick, m);
    m->consumer_watch =
        wh_watch_new(m->deps.loop, wh_consumer_fd(m->consumer), WH_READABLE, on_readable, m);
    m->producer_watch =
        wh_watch_new(m->deps.loop, wh_producer_fd(m->producer), WH_READABLE, on_readable, m);
    if (!m->soon || !m->again || !m->ticker || !m->consumer_watch || !m->producer_watch) {
        return wh_fail(err, WH_E_NOMEM, "no memory for timers");
    }
    wh_timer_start(m->soon, 0, 0);
    wh_timer_start(m->ticker, TICK_MS, TICK_MS);
    return WH_OK;
}

enum wh_rc mapper_start(struct mapper *m, struct wh_consumer *consumer,
                        struct wh_producer *producer, struct wh_err *err)
{
    m->consumer = consumer;
    m->producer = producer;
    if (subscribe(m, err) != WH_OK) {
        return err->rc;
    }
    return m->deps.loop ? start_loop(m, err) : WH_OK;
}

void mapper_drain(struct mapper *m)
{
    m->draining = true;
    if (!m->dead) {
        send_due_rereads(m, true);
    }
    if (m->deps.loop) {
        turn_on_loop(m);
    } else {
        (void)mapper_turn(m);
    }
}

const char *mapper_not_ready(struct mapper *m)
{
    return m->not_ready[0] ? m->not_ready : NULL;
}

void mapper_held(struct mapper *m, struct wh_heartbeat *h)
{
    h->held = m->held;
    h->n_held = streams_held(&m->streams, m->held, WH_HEARTBEAT_HELD_MAX);
}

/* ---- life ---- */

static void make_metrics(struct mapper *m)
{
    struct wh_metrics *x = m->deps.metrics;
    static const char name[] = "wellhead_mapper_events_total";
    static const char help[] = "Raw events by result";

    if (x == NULL) {
        return;
    }
    m->mapped = wh_metrics_counter(x, name, "result=\"mapped\"", help);
    m->ignored = wh_metrics_counter(x, name, "result=\"ignored\"", help);
    m->poison = wh_metrics_counter(x, name, "result=\"dead_letter\"", help);
    m->passed_over = wh_metrics_counter(x, name, "result=\"held\"", help);
    m->observations = wh_metrics_counter(x, "wellhead_mapper_records_total", NULL,
                                         "observations and rereads produced");
    m->unchanged = wh_metrics_counter(x, "wellhead_mapper_unchanged_total", NULL,
                                      "observations that were not produced again");
    m->rereads_sent = wh_metrics_counter(x, "wellhead_mapper_rereads_total", NULL,
                                         "Requests to read an object again");
}

enum wh_rc mapper_new(const struct mapper_deps *deps, const struct mapper_conf *conf,
                      struct mapper **ret, struct wh_err *err)
{
    struct mapper *m = wh_mem_zalloc(1, sizeof(*m));

    if (m == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the mapper");
    }
    m->deps = *deps;
    m->hints = (struct mapper_hints){.ack = {.fn = on_hint}, .log = deps->log};
    m->conf = *conf;
    wh_arena_init(&m->arena, ARENA_BLOCK, ARENA_MAX);
    wh_buf_init(&m->bytes, BYTES_MAX);
    wh_buf_init(&m->scratch, SCRATCH_MAX);
    m->streams = (struct stream_table){
        .breaker_window = conf->breaker_window,
        .breaker_min = conf->breaker_min,
        .breaker_share = (unsigned)conf->breaker_share,
        .retry_ms = conf->replay_connection[0] ? 0 : conf->breaker_retry_ms,
        .clock = deps->clock,
        .log = deps->log,
        .metrics = deps->metrics,
    };
    m->eval = mapper_eval_new(deps->views, conf->max_event_bytes, conf->max_event_depth);
    m->rereads = mapper_rereads_new(REREAD_PLACES);
    m->sent = sent_new(conf->remember_max);
    if (m->eval == NULL || m->rereads == NULL || m->sent == NULL) {
        mapper_free(m);
        return wh_fail(err, WH_E_NOMEM, "no memory for the mapper");
    }
    if (wh_topic_name(conf->topic_prefix, WH_TOPIC_REREADS, wh_slice(NULL, 0), m->reread_topic,
                      err) != WH_OK) {
        mapper_free(m);
        return err->rc;
    }
    make_metrics(m);
    *ret = m;
    return WH_OK;
}

void mapper_free(struct mapper *m)
{
    if (m == NULL) {
        return;
    }
    wh_watch_free(m->consumer_watch);
    wh_watch_free(m->producer_watch);
    wh_timer_free(m->soon);
    wh_wake_free(m->again);
    wh_timer_free(m->ticker);
    while (m->parts) {
        part_free(m, m->parts);
    }
    stream_table_done(&m->streams);
    while (m->flights) {
        struct flight *f = m->flights;

        m->flights = f->next;
        if (f->slab) {
            slabs_release(&m->slabs, f->slab);
        }
        wh_mem_free(f);
    }
    wh_mem_free(m->outs);
    mapper_rereads_free(m->rereads);
    sent_free(m->sent);
    mapper_eval_free(m->eval);
    slabs_done(&m->slabs);
    wh_buf_done(&m->bytes);
    wh_buf_done(&m->scratch);
    wh_arena_done(&m->arena);
    wh_mem_free(m);
}
