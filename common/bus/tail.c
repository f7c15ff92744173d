#include "common/bus/tail.h"

#include "common/base/mem.h"

enum {
    ASK_TIMEOUT_MS = 5000,
    RETRY_MS = 1000,
    BATCH = 64,
    BATCHES_PER_TURN = 64,
    YIELD_MS = 1, /* 0 would fire in the same turn, before any descriptor is served */
};

struct wh_tail {
    struct wh_tail_conf conf;
    struct wh_timer *next; /* the next request for metadata, or the next part of a long read */
    struct wh_watch *watch;
    struct wh_tail_span span;
    int32_t n_behind; /* partitions that have not been read to their end */
    bool asking;      /* a pool thread uses found and the admin */
    bool assigned;
    bool caught_up;
    bool warned; /* Kafka's silence is logged once until it answers */
    atomic_bool stopped;
    struct wh_tail_span found;
    enum wh_rc found_rc;
    struct wh_err found_err;
};

static void fatal(struct wh_tail *t, const struct wh_err *err)
{
    (void)wh_tail_stop(t);
    t->conf.on_fatal(t->conf.ctx, err);
}

static void retry(struct wh_tail *t, const char *what, const struct wh_err *err)
{
    if (!t->warned) {
        wh_log_warn(t->conf.log, what, WH_STR("topic", t->conf.topic), WH_RC(err));
    }
    t->warned = true;
    wh_timer_start(t->next, RETRY_MS, 0);
}

/* ---- reading ---- */

static void note_reached(struct wh_tail *t, int32_t partition, int64_t next)
{
    struct wh_tail_span *s = &t->span;

    if (partition < 0 || partition >= s->n || next <= s->next[partition]) {
        return;
    }
    if (s->next[partition] < s->end[partition] && next >= s->end[partition]) {
        t->n_behind--;
    }
    s->next[partition] = next;
}

static enum wh_rc handle(struct wh_tail *t, const struct wh_bus_msg *msg, struct wh_err *err)
{
    enum wh_rc rc = t->conf.on_record(t->conf.ctx, msg, err);

    if (rc != WH_OK && wh_rc_class(rc) == WH_CLASS_FATAL) {
        return rc;
    }
    if (rc != WH_OK) {
        wh_log_error(t->conf.log, "record skipped", WH_STR("topic", t->conf.topic),
                     WH_I("partition", msg->partition), WH_I("offset", msg->offset), WH_RC(err));
    }
    note_reached(t, msg->partition, msg->offset + 1);
    return WH_OK;
}

/* *ret_more: the turn's time ended before the records did. */
static enum wh_rc read_turn(struct wh_tail *t, bool *ret_more, struct wh_err *err)
{
    struct wh_bus_msg batch[BATCH];

    *ret_more = false;
    for (int turn = 0; turn < BATCHES_PER_TURN; turn++) {
        size_t n = 0;

        if (wh_consumer_poll(t->conf.consumer, 0, BATCH, batch, &n, err) != WH_OK) {
            return err->rc;
        }
        for (size_t i = 0; i < n && !atomic_load(&t->stopped); i++) {
            if (handle(t, &batch[i], err) != WH_OK) {
                return err->rc;
            }
        }
        if (n == 0 || atomic_load(&t->stopped)) {
            return WH_OK;
        }
    }
    *ret_more = true;
    return WH_OK;
}

static void note_reported_ends(struct wh_tail *t)
{
    for (int32_t p = 0; t->n_behind > 0 && p < t->span.n; p++) {
        note_reached(t, p, wh_consumer_end(t->conf.consumer, t->conf.topic, p));
    }
}

static void settle(struct wh_tail *t)
{
    note_reported_ends(t);
    if (!t->caught_up && t->n_behind == 0) {
        t->caught_up = true;
        if (t->conf.on_caught_up) {
            t->conf.on_caught_up(t->conf.ctx);
        }
    }
    if (t->conf.on_settled && !atomic_load(&t->stopped)) {
        t->conf.on_settled(t->conf.ctx);
    }
}

static void read_records(struct wh_tail *t)
{
    struct wh_err err;
    bool more = false;
    enum wh_rc rc = read_turn(t, &more, &err);

    if (atomic_load(&t->stopped)) {
        return;
    }
    if (rc != WH_OK && wh_rc_class(rc) == WH_CLASS_TRANSIENT) {
        retry(t, "reading the topic failed; will retry", &err);
        return;
    }
    if (rc != WH_OK) {
        fatal(t, &err);
        return;
    }
    t->warned = false;
    if (more) {
        wh_timer_start(t->next, YIELD_MS, 0);
    } else {
        settle(t);
    }
}

static void on_readable(void *ctx, int fd, unsigned events)
{
    (void)fd;
    (void)events;
    read_records(ctx);
}

/* ---- finding the topic ---- */

static void find(void *ctx)
{
    struct wh_tail *t = ctx;

    t->found_rc = wh_tail_find(t->conf.admin, t->conf.topic, ASK_TIMEOUT_MS, &t->stopped, &t->found,
                               &t->found_err);
    if (t->found_rc == WH_OK && t->found.n == 0) {
        t->found_rc = wh_fail(&t->found_err, WH_E_UNAVAILABLE,
                              "the topic does not exist; run `wellhead topics`");
    }
}

static enum wh_rc assign(struct wh_tail *t, struct wh_err *err)
{
    struct wh_bus_partition parts[WH_TAIL_PARTITIONS_MAX];

    t->span = t->found;
    t->n_behind = 0;
    for (int32_t p = 0; p < t->span.n; p++) {
        parts[p] = (struct wh_bus_partition){t->conf.topic, p, WH_OFFSET_BEGINNING};
        t->n_behind += t->span.next[p] < t->span.end[p];
    }
    if (wh_consumer_assign(t->conf.consumer, parts, (size_t)t->span.n, err) != WH_OK) {
        return err->rc;
    }
    t->watch =
        wh_watch_new(t->conf.loop, wh_consumer_fd(t->conf.consumer), WH_READABLE, on_readable, t);
    if (t->watch == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory to watch the consumer");
    }
    t->assigned = true;
    return WH_OK;
}

static void found(void *ctx)
{
    struct wh_tail *t = ctx;
    struct wh_err err = t->found_err;
    enum wh_rc rc = t->found_rc;

    t->asking = false;
    if (atomic_load(&t->stopped)) {
        return;
    }
    if (rc == WH_OK) {
        rc = assign(t, &err);
    }
    /* The topic may have been deleted between two requests: wait for it again. */
    if (rc == WH_E_NOT_FOUND || (rc != WH_OK && wh_rc_class(rc) == WH_CLASS_TRANSIENT)) {
        retry(t, "waiting for a topic", &err);
    } else if (rc != WH_OK) {
        fatal(t, &err);
    } else {
        read_records(t);
    }
}

static void on_next(void *ctx)
{
    struct wh_tail *t = ctx;
    struct wh_err err;

    if (t->assigned) {
        read_records(t);
        return;
    }
    t->asking = true;
    if (wh_loop_work(t->conf.loop, find, found, t, &err) != WH_OK) {
        t->asking = false;
        fatal(t, &err);
    }
}

/* ---- life ---- */

enum wh_rc wh_tail_new(const struct wh_tail_conf *conf, struct wh_tail **ret, struct wh_err *err)
{
    struct wh_tail *t = wh_mem_zalloc(1, sizeof(*t));

    if (t) {
        t->conf = *conf;
        t->next = wh_timer_new(conf->loop, on_next, t);
    }
    if (t == NULL || t->next == NULL) {
        wh_mem_free(t);
        return wh_fail(err, WH_E_NOMEM, "no memory to follow a topic");
    }
    wh_timer_start(t->next, 0, 0);
    *ret = t;
    return WH_OK;
}

bool wh_tail_caught_up(const struct wh_tail *tail)
{
    return tail->caught_up;
}

bool wh_tail_reading(const struct wh_tail *tail)
{
    return tail->assigned;
}

bool wh_tail_stop(struct wh_tail *tail)
{
    atomic_store(&tail->stopped, true);
    wh_timer_stop(tail->next);
    wh_watch_free(tail->watch);
    tail->watch = NULL;
    return !tail->asking;
}

void wh_tail_free(struct wh_tail *tail)
{
    if (tail == NULL) {
        return;
    }
    (void)wh_tail_stop(tail);
    while (tail->asking) {
        wh_loop_turn(tail->conf.loop, true);
    }
    wh_timer_free(tail->next);
    wh_mem_free(tail);
}
