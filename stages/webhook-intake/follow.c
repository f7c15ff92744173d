#include "stages/webhook-intake/follow.h"

#include "common/base/mem.h"

enum {
    PARTITIONS_MAX = 256,
    ASK_TIMEOUT_MS = 1000,
    RETRY_MS = 1000,
    BATCH = 64,
};

struct intake_follow {
    struct intake_follow_deps deps;
    struct wh_timer *retry;
    struct wh_watch *watch;
    int64_t ends[PARTITIONS_MAX]; /* 0: reached */
    int32_t n_partitions;
    int32_t n_behind;
    bool assigned;
    bool stopped;
};

static void fatal(struct intake_follow *f, const struct wh_err *err)
{
    intake_follow_stop(f);
    f->deps.on_fatal(f->deps.ctx, err);
}

/* ---- reading ---- */

static void note_position(struct intake_follow *f, const struct wh_bus_msg *msg)
{
    int64_t *end;

    if (msg->partition < 0 || msg->partition >= f->n_partitions) {
        return;
    }
    end = &f->ends[msg->partition];
    if (*end > 0 && msg->offset + 1 >= *end) {
        *end = 0;
        f->n_behind--;
    }
}

static enum wh_rc apply(struct intake_follow *f, const struct wh_bus_msg *msg, struct wh_err *err)
{
    enum wh_rc rc = f->deps.apply(f->deps.ctx, msg, err);

    if (rc != WH_OK && wh_rc_class(rc) == WH_CLASS_FATAL) {
        return rc;
    }
    if (rc != WH_OK) {
        wh_log_error(f->deps.log, "a record of the connections topic is skipped",
                     WH_I("partition", msg->partition), WH_I("offset", msg->offset), WH_RC(err));
    }
    note_position(f, msg);
    return WH_OK;
}

static enum wh_rc read_all(struct intake_follow *f, struct wh_err *err)
{
    struct wh_bus_msg batch[BATCH];
    size_t n = 0;

    do {
        enum wh_rc rc = wh_consumer_poll(f->deps.consumer, 0, BATCH, batch, &n, err);

        for (size_t i = 0; rc == WH_OK && i < n; i++) {
            rc = apply(f, &batch[i], err);
        }
        if (rc != WH_OK) {
            return rc;
        }
    } while (n > 0);
    return WH_OK;
}

static void on_readable(void *ctx, int fd, unsigned events)
{
    struct intake_follow *f = ctx;
    struct wh_err err;
    enum wh_rc rc;

    (void)fd;
    (void)events;
    rc = read_all(f, &err);
    if (rc != WH_OK && wh_rc_class(rc) == WH_CLASS_TRANSIENT) {
        wh_log_warn(f->deps.log, "reading the connections topic failed; trying again", WH_RC(&err));
        wh_timer_start(f->retry, RETRY_MS, 0);
        return;
    }
    if (rc != WH_OK) {
        fatal(f, &err);
        return;
    }
    f->deps.settled(f->deps.ctx);
}

/* ---- assignment ---- */

static enum wh_rc count_partitions(struct intake_follow *f, struct wh_err *err)
{
    struct wh_bus_topic_info *list = NULL;
    size_t n = 0;

    if (wh_admin_list(f->deps.admin, ASK_TIMEOUT_MS, &list, &n, err) != WH_OK) {
        return err->rc;
    }
    f->n_partitions = 0;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, f->deps.topic) == 0) {
            f->n_partitions = list[i].partitions;
        }
    }
    wh_bus_topic_list_free(list, n);
    if (f->n_partitions < 1) {
        return wh_fail(err, WH_E_UNAVAILABLE, "there is no topic %.120s yet", f->deps.topic);
    }
    if (f->n_partitions > PARTITIONS_MAX) {
        return wh_fail(err, WH_E_CONFIG, "more than %d partitions in %.120s", PARTITIONS_MAX,
                       f->deps.topic);
    }
    return WH_OK;
}

static enum wh_rc assign(struct intake_follow *f, struct wh_err *err)
{
    struct wh_bus_partition parts[PARTITIONS_MAX];

    if (count_partitions(f, err) != WH_OK) {
        return err->rc;
    }
    f->n_behind = 0;
    for (int32_t p = 0; p < f->n_partitions; p++) {
        int64_t low = 0;
        int64_t high = 0;

        if (wh_consumer_watermarks(f->deps.consumer, f->deps.topic, p, ASK_TIMEOUT_MS, &low, &high,
                                   err) != WH_OK) {
            return err->rc;
        }
        f->ends[p] = high > low ? high : 0;
        f->n_behind += high > low;
        parts[p] = (struct wh_bus_partition){f->deps.topic, p, WH_OFFSET_BEGINNING};
    }
    return wh_consumer_assign(f->deps.consumer, parts, (size_t)f->n_partitions, err);
}

static void on_retry(void *ctx)
{
    struct intake_follow *f = ctx;
    struct wh_err err;
    enum wh_rc rc;

    if (f->assigned) {
        on_readable(f, -1, WH_READABLE);
        return;
    }
    rc = assign(f, &err);
    if (rc != WH_OK && (wh_rc_class(rc) == WH_CLASS_TRANSIENT || rc == WH_E_NOT_FOUND)) {
        wh_log_warn(f->deps.log, "waiting for the connections topic", WH_RC(&err));
        wh_timer_start(f->retry, RETRY_MS, 0);
        return;
    }
    if (rc != WH_OK) {
        fatal(f, &err);
        return;
    }
    f->assigned = true;
    f->watch =
        wh_watch_new(f->deps.loop, wh_consumer_fd(f->deps.consumer), WH_READABLE, on_readable, f);
    if (f->watch == NULL) {
        (void)wh_fail(&err, WH_E_NOMEM, "no memory to watch the consumer");
        fatal(f, &err);
        return;
    }
    on_readable(f, -1, WH_READABLE);
}

/* ---- life ---- */

enum wh_rc intake_follow_new(const struct intake_follow_deps *deps, struct intake_follow **ret,
                             struct wh_err *err)
{
    struct intake_follow *f = wh_mem_zalloc(1, sizeof(*f));

    if (f) {
        f->deps = *deps;
        f->retry = wh_timer_new(deps->loop, on_retry, f);
    }
    if (f == NULL || f->retry == NULL) {
        wh_mem_free(f);
        return wh_fail(err, WH_E_NOMEM, "no memory to follow the connections topic");
    }
    wh_timer_start(f->retry, 0, 0);
    *ret = f;
    return WH_OK;
}

bool intake_follow_caught_up(const struct intake_follow *f)
{
    return f->assigned && f->n_behind == 0;
}

void intake_follow_stop(struct intake_follow *f)
{
    if (f->stopped) {
        return;
    }
    f->stopped = true;
    wh_timer_stop(f->retry);
    if (f->watch) {
        wh_watch_free(f->watch);
        f->watch = NULL;
    }
}

void intake_follow_free(struct intake_follow *f)
{
    if (f == NULL) {
        return;
    }
    intake_follow_stop(f);
    wh_timer_free(f->retry);
    wh_mem_free(f);
}
