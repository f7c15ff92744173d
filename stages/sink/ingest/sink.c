#include "stages/sink/ingest/sink.h"

#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "common/base/mem.h"
#include "stages/sink/ingest/freshness.h"
#include "stages/sink/ingest/outcomes.h"
#include "stages/sink/ingest/writer.h"

enum {
    POLL_MS = 100,
    TRIM_AFTER_TURNS = 20,
    SCOUT_FAILURES_SHOWN = 3,
    LABEL_MAX = 128,
    LIVE_WINDOWS = 4, /* as in struct sink_live */
    SETTLE_MS = 100
};

struct sink {
    struct sink_deps deps;
    struct sink_conf conf;
    struct sink_writer *writer;

    /* Used by the loop's thread alone. */
    struct wh_timer *scout_timer;
    struct wh_wake *wake;
    bool scouting;
    struct sink_found *scouted; /* belongs to the pool thread until its done callback */
    struct wh_err scout_err;
    void (*on_stopped)(void *ctx);
    void *stopped_ctx;
    bool fatal_reported;
    bool caught_up_reported;
    bool joined;
    char not_ready[WH_ERR_MSG_MAX + 64];

    pthread_t thread;
    atomic_bool stop;
    atomic_bool ended; /* the writer's thread is about to return */
    atomic_bool wants_scout;
    _Atomic uint64_t sequence;

    pthread_mutex_t lock; /* protects the members below, up to `fatal` */
    pthread_cond_t stirred;
    struct sink_found *found; /* the newest listing, which the writer takes over */
    struct sink_status status;
    struct sink_topic_status *topics;
    size_t n_topics;
    struct sink_freshness_ring *ring;
    unsigned scout_failures;
    char scout_reason[WH_ERR_MSG_MAX];
    char pause_reason[WH_ERR_MSG_MAX];
    char held_reason[WH_ERR_MSG_MAX];
    bool failed;
    struct wh_err fatal;

    struct wh_histogram *freshness[WH_KIND_COUNT][WH_ORIGIN_COUNT];
    struct wh_histogram *event_age[WH_KIND_COUNT];
    struct wh_gauge *live[WH_KIND_COUNT][LIVE_WINDOWS][2]; /* p50, p99 */
    struct wh_histogram *commit_seconds;
    struct wh_counter *observations[2]; /* new, duplicate */
    struct wh_counter *dead_letters;
    struct wh_gauge *entities[WH_KIND_COUNT];
    struct wh_counter *revisions;
    struct wh_gauge *bytes[SINK_FAMILY_COUNT];
    struct wh_gauge *ready;
};

/* ---- writer thread ---- */

static void copy_topic(const struct sink_topic *t, int64_t now_ms, struct sink_topic_status *ret)
{
    *ret = (struct sink_topic_status){.partitions = t->n_partitions,
                                      .lag_records = sink_topic_lag(t),
                                      .last_record_ms = t->last_record_ms};
    (void)snprintf(ret->topic, sizeof(ret->topic), "%s", t->name);
    (void)snprintf(ret->connection, sizeof(ret->connection), "%s", t->connection);
    for (int32_t p = 0; p < t->n_partitions; p++) {
        ret->stored_records += t->partitions[p].next - t->partitions[p].first;
        ret->held = ret->held || t->partitions[p].held;
    }
    if (ret->lag_records > 0 && t->last_record_ms > 0 && now_ms > t->last_record_ms) {
        ret->lag_seconds = (double)(now_ms - t->last_record_ms) / 1000;
    }
}

/* Called with the lock held. */
static void publish(struct sink *s)
{
    const struct sink_table *t = sink_writer_table(s->writer);
    int64_t now_ms = wh_clock_now_ms(&s->deps.clock);

    s->n_topics = t->n_topics;
    s->status.lag_records = t->known ? 0 : -1;
    for (size_t i = 0; i < t->n_topics; i++) {
        copy_topic(t->topics[i], now_ms, &s->topics[i]);
        /* Compaction leaves gaps in the shared topics, so their lag says nothing. */
        if (t->topics[i]->connection[0] != '\0') {
            s->status.lag_records += s->topics[i].lag_records;
        }
    }
    memcpy(s->status.kinds, sink_writer_counts(s->writer), sizeof(s->status.kinds));
    s->status.sequence = sink_writer_sequence(s->writer);
    s->status.caught_up = s->status.caught_up || sink_table_caught_up(t);
    memcpy(s->held_reason, t->held_reason, sizeof(s->held_reason));
    if (s->status.state == SINK_STARTING && t->known) {
        s->status.state = SINK_RUNNING;
    }
    atomic_store(&s->sequence, s->status.sequence);
}

static void observe(struct sink *s, const struct sink_commit *commit)
{
    for (size_t i = 0; i < commit->n_samples; i++) {
        const struct sink_sample *x = &commit->samples[i];
        int64_t age_ms = commit->now_ms - x->observed_at_ms;

        if (x->kind >= WH_KIND_COUNT || x->origin >= WH_ORIGIN_COUNT) {
            continue;
        }
        age_ms = age_ms > 0 ? age_ms : 0;
        sink_freshness_add(s->ring, commit->now_ms,
                           sink_freshness_by_origin((enum wh_origin)x->origin), age_ms);
        wh_histogram_observe(s->freshness[x->kind][x->origin], (double)age_ms / 1000);
        if (x->origin == WH_ORIGIN_WEBHOOK && x->version_at_ms > 0) {
            int64_t event_ms =
                sink_freshness_add_webhook(s->ring, commit->now_ms, (enum wh_kind)x->kind,
                                           x->observed_at_ms, x->version_at_ms);

            wh_histogram_observe(s->event_age[x->kind], (double)event_ms / 1000);
        }
    }
}

static void on_commit(void *ctx, const struct sink_commit *commit)
{
    struct sink *s = ctx;
    bool caught_up;

    wh_histogram_observe(s->commit_seconds, (double)commit->duration_ns / 1e9);
    wh_counter_add(s->observations[0], commit->observations - commit->duplicates);
    wh_counter_add(s->observations[1], commit->duplicates);
    wh_counter_add(s->dead_letters, commit->dead_letters);
    pthread_mutex_lock(&s->lock);
    observe(s, commit);
    s->status.last_write_ms = commit->now_ms;
    s->status.observations += commit->observations;
    s->status.duplicates += commit->duplicates;
    s->status.dead_letters += commit->dead_letters;
    caught_up = s->status.caught_up;
    publish(s);
    caught_up = s->status.caught_up && !caught_up;
    pthread_mutex_unlock(&s->lock);
    if (s->deps.on_stored) {
        s->deps.on_stored(s->deps.ctx, sink_sequence(s));
    }
    if (caught_up) {
        wh_wake_send(s->wake);
    }
}

static void on_pause(void *ctx, const char *why)
{
    struct sink *s = ctx;

    pthread_mutex_lock(&s->lock);
    s->status.state = why ? SINK_PAUSED : SINK_RUNNING;
    (void)snprintf(s->pause_reason, sizeof(s->pause_reason), "%s", why ? why : "");
    pthread_mutex_unlock(&s->lock);
}

static enum wh_rc take_found(struct sink *s, struct wh_err *err)
{
    struct sink_found *found;
    enum wh_rc rc = WH_OK;

    if (!sink_writer_idle(s->writer)) {
        return WH_OK;
    }
    pthread_mutex_lock(&s->lock);
    found = s->found;
    s->found = NULL;
    pthread_mutex_unlock(&s->lock);
    if (found == NULL) {
        return WH_OK;
    }
    rc = sink_writer_found(s->writer, found, err);
    sink_found_free(found);
    if (rc == WH_E_NO_SPACE) {
        return WH_OK; /* the disk is full: the next listing tries again */
    }
    if (rc == WH_OK) {
        pthread_mutex_lock(&s->lock);
        publish(s);
        pthread_mutex_unlock(&s->lock);
        wh_wake_send(s->wake);
    }
    return rc;
}

/* Sleeps until the time is over, a listing arrives, or the sink stops. */
static void nap(struct sink *s, int64_t ms)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&s->lock);
    if (!atomic_load(&s->stop) && s->found == NULL) {
        (void)pthread_cond_timedwait(&s->stirred, &s->lock, &until);
    }
    pthread_mutex_unlock(&s->lock);
}

/*
 * A backlog leaves hundreds of megabytes of freed buffers in the allocator. They are returned to the
 * system once, after some turns without records.
 */
static void trim_when_quiet(const struct sink *s, size_t *quiet_turns)
{
    if (sink_writer_busy(s->writer)) {
        *quiet_turns = 0;
    } else if (++*quiet_turns == TRIM_AFTER_TURNS) {
        (void)malloc_trim(0);
    }
}

static void *writer_main(void *arg)
{
    struct sink *s = arg;
    struct wh_err err = {0};
    enum wh_rc rc = WH_OK;
    int64_t wait_ms = 0;
    size_t quiet_turns = 0;

    while (rc == WH_OK && !atomic_load(&s->stop)) {
        rc = take_found(s, &err);
        if (rc == WH_OK) {
            rc = sink_writer_turn(s->writer, POLL_MS, &wait_ms, &err);
        }
        trim_when_quiet(s, &quiet_turns);
        if (atomic_exchange(&s->wants_scout, sink_writer_wants_scout(s->writer)) !=
            sink_writer_wants_scout(s->writer)) {
            wh_wake_send(s->wake);
        }
        if (rc == WH_OK && wait_ms > 0) {
            nap(s, wait_ms);
        }
    }
    pthread_mutex_lock(&s->lock);
    s->status.state = SINK_STOPPED;
    s->failed = rc != WH_OK;
    s->fatal = err;
    pthread_mutex_unlock(&s->lock);
    atomic_store(&s->ended, true);
    wh_wake_send(s->wake);
    return NULL;
}

/* ---- scout: work in the pool, done in the loop ---- */

static void scout_start(void *ctx);

static void scout_work(void *ctx)
{
    struct sink *s = ctx;

    s->scouted = NULL;
    wh_err_clear(&s->scout_err);
    if (sink_scout(s->deps.admin, s->conf.topic_prefix, &s->stop, &s->scouted, &s->scout_err) !=
        WH_OK) {
        s->scouted = NULL;
    }
}

/* Counters must be created in the loop's thread; the writer receives them with the listing. */
static void make_counters(struct sink *s, struct sink_found *found)
{
    char label[WH_TOPIC_MAX + 16];

    for (size_t i = 0; i < found->n_topics; i++) {
        (void)snprintf(label, sizeof(label), "topic=\"%s\"", found->topics[i].name);
        found->topics[i].consumed = wh_metrics_counter(
            s->deps.metrics, "wellhead_records_consumed_total", label, "Records read and durable");
    }
}

static void report_stopped(struct sink *s)
{
    void (*on_stopped)(void *) = s->on_stopped;

    if (on_stopped == NULL || s->scouting || !atomic_load(&s->ended)) {
        return;
    }
    if (!s->joined) {
        (void)pthread_join(s->thread, NULL);
        s->joined = true;
    }
    s->on_stopped = NULL;
    on_stopped(s->stopped_ctx);
}

static void scout_done(void *ctx)
{
    struct sink *s = ctx;
    struct sink_found *old = NULL;

    s->scouting = false;
    if (s->scouted) {
        make_counters(s, s->scouted);
    }
    pthread_mutex_lock(&s->lock);
    if (s->scouted) {
        old = s->found;
        s->found = s->scouted;
        s->scouted = NULL;
        s->scout_failures = 0;
        (void)pthread_cond_signal(&s->stirred);
    } else if (!atomic_load(&s->stop)) {
        s->scout_failures++;
        (void)snprintf(s->scout_reason, sizeof(s->scout_reason), "%.200s", s->scout_err.msg);
    }
    pthread_mutex_unlock(&s->lock);
    sink_found_free(old);
    if (atomic_load(&s->stop)) {
        report_stopped(s);
        return;
    }
    if (s->scout_failures == 1) {
        wh_log_warn(s->deps.log, "listing topics failed", WH_RC(&s->scout_err));
    }
    wh_timer_start(s->scout_timer, atomic_load(&s->wants_scout) ? SETTLE_MS : s->conf.discover_ms,
                   0);
}

static void scout_start(void *ctx)
{
    struct sink *s = ctx;
    struct wh_err err;

    if (s->scouting || atomic_load(&s->stop)) {
        return;
    }
    if (wh_loop_work(s->deps.loop, scout_work, scout_done, s, &err) != WH_OK) {
        wh_timer_start(s->scout_timer, s->conf.discover_ms, 0);
        return;
    }
    s->scouting = true;
}

/* ---- loop thread ---- */

static void on_wake(void *ctx)
{
    struct sink *s = ctx;
    bool caught_up;
    bool failed;

    pthread_mutex_lock(&s->lock);
    caught_up = s->status.caught_up;
    failed = s->failed;
    pthread_mutex_unlock(&s->lock);
    if (caught_up && !s->caught_up_reported && !atomic_load(&s->stop)) {
        s->caught_up_reported = true;
        if (s->deps.on_caught_up) {
            s->deps.on_caught_up(s->deps.ctx);
        }
    }
    if (failed && atomic_load(&s->ended) && !s->fatal_reported) {
        s->fatal_reported = true;
        s->deps.on_fatal(s->deps.ctx, &s->fatal);
    }
    if (atomic_load(&s->wants_scout) && !s->scouting && !atomic_load(&s->stop)) {
        wh_timer_start(s->scout_timer, 0, 0);
    }
    report_stopped(s);
}

void sink_stop(struct sink *s, void (*on_stopped)(void *ctx), void *ctx)
{
    s->on_stopped = on_stopped;
    s->stopped_ctx = ctx;
    wh_timer_stop(s->scout_timer);
    pthread_mutex_lock(&s->lock);
    atomic_store(&s->stop, true);
    (void)pthread_cond_signal(&s->stirred);
    pthread_mutex_unlock(&s->lock);
    wh_wake_send(s->wake);
}

void sink_free(struct sink *s)
{
    if (s == NULL) {
        return;
    }
    if (!s->joined) {
        pthread_mutex_lock(&s->lock);
        atomic_store(&s->stop, true);
        (void)pthread_cond_signal(&s->stirred);
        pthread_mutex_unlock(&s->lock);
        (void)pthread_join(s->thread, NULL);
    }
    s->on_stopped = NULL;
    wh_timer_free(s->scout_timer);
    while (s->scouting) {
        wh_loop_turn(s->deps.loop, true);
    }
    wh_wake_free(s->wake);
    sink_writer_free(s->writer);
    sink_found_free(s->found);
    pthread_cond_destroy(&s->stirred);
    pthread_mutex_destroy(&s->lock);
    wh_mem_free(s->topics);
    wh_mem_free(s->ring);
    wh_mem_free(s);
}

/* ---- birth ---- */

static void make_live_metrics(struct sink *s, unsigned k, const struct wh_kind_def *def)
{
    static const char *const windows[LIVE_WINDOWS] = {
        "since=\"receipt\",window=\"hour\"", "since=\"receipt\",window=\"day\"",
        "since=\"event\",window=\"hour\"", "since=\"event\",window=\"day\""};
    static const char *const percentiles[2] = {"50", "99"};
    char label[LABEL_MAX];

    for (unsigned i = 0; i < LIVE_WINDOWS; i++) {
        for (unsigned q = 0; q < 2; q++) {
            (void)snprintf(label, sizeof(label), "kind=\"%s\",%s,percentile=\"%s\"", def->name,
                           windows[i], percentiles[q]);
            s->live[k][i][q] = wh_metrics_gauge(
                s->deps.metrics, "wellhead_freshness_quantile_seconds", label,
                "Webhooks of the last hour or day, since receipt or GitLab's own time, to durable");
        }
    }
}

static void make_kind_metrics(struct sink *s, unsigned k, const struct wh_kind_def *def)
{
    char label[LABEL_MAX];

    (void)snprintf(label, sizeof(label), "kind=\"%s\"", def->name);
    s->entities[k] = wh_metrics_gauge(s->deps.metrics, "wellhead_store_entities", label,
                                      "Entities in the store, deleted ones included");
    s->event_age[k] =
        wh_metrics_histogram(s->deps.metrics, "wellhead_event_age_seconds", label,
                             "GitLab's own time of a webhook's event to durable in the store",
                             wh_latency_bounds, wh_latency_bounds_n);
    for (unsigned o = 0; o < WH_ORIGIN_COUNT; o++) {
        (void)snprintf(label, sizeof(label), "kind=\"%s\",path=\"%s\"", def->name,
                       wh_origin_name((enum wh_origin)o));
        s->freshness[k][o] = wh_metrics_histogram(
            s->deps.metrics, "wellhead_freshness_seconds", label,
            "Receipt at our door to durable in the store", wh_latency_bounds, wh_latency_bounds_n);
    }
}

static void make_metrics(struct sink *s)
{
    struct wh_metrics *m = s->deps.metrics;
    char label[LABEL_MAX];

    for (unsigned k = 0; k < WH_KIND_COUNT; k++) {
        const struct wh_kind_def *def = wh_kind_def((enum wh_kind)k);

        if (def) {
            make_kind_metrics(s, k, def);
            make_live_metrics(s, k, def);
        }
    }
    for (unsigned f = 0; f < SINK_FAMILY_COUNT; f++) {
        (void)snprintf(label, sizeof(label), "family=\"%s\"", sink_families[f].name);
        s->bytes[f] = wh_metrics_gauge(m, "wellhead_store_bytes", label,
                                       "Files and memory of a family of keys");
    }
    s->commit_seconds =
        wh_metrics_histogram(m, "wellhead_store_commit_duration_seconds", NULL, "Writing one batch",
                             wh_latency_bounds, wh_latency_bounds_n);
    s->revisions = wh_metrics_counter(m, "wellhead_store_revisions_total", NULL,
                                      "Revisions in the store, over all kinds");
    s->observations[0] = wh_metrics_counter(m, "wellhead_observations_total", "result=\"new\"",
                                            "Observations applied");
    s->observations[1] = wh_metrics_counter(m, "wellhead_observations_total",
                                            "result=\"duplicate\"", "Observations applied");
    s->dead_letters = wh_metrics_counter(m, "wellhead_records_dead_lettered_total",
                                         "stage=\"sink\"", "Damaged records set aside");
    s->ready = wh_metrics_gauge(m, "wellhead_ready", NULL, "1 when /ready answers 200");
}

static void make_repairs(struct wh_metrics *m, struct sink_repairs *repairs)
{
    static const char name[] = "wellhead_reconcile_repairs_total";
    static const char help[] = "Changes that a read found although a webhook should have told them";
    char label[LABEL_MAX];

    for (unsigned i = 0; i < WH_OUTCOME_KINDS; i++) {
        (void)snprintf(label, sizeof(label), "kind=\"%s\",reason=\"missing\"", wh_outcome_kind(i));
        repairs->missing[i] = wh_metrics_counter(m, name, label, help);
        (void)snprintf(label, sizeof(label), "kind=\"%s\",reason=\"stale\"", wh_outcome_kind(i));
        repairs->stale[i] = wh_metrics_counter(m, name, label, help);
    }
}

static enum wh_rc make_parts(struct sink *s, struct wh_err *err)
{
    struct sink_repairs repairs;
    const struct sink_writer_deps deps = {
        .store = s->deps.store,
        .consumer = s->deps.consumer,
        .dead_letters = s->deps.dead_letters,
        .clock = s->deps.clock,
        .log = s->deps.log,
        .repairs = &repairs,
        .on_commit = on_commit,
        .on_pause = on_pause,
        .ctx = s,
    };

    make_repairs(s->deps.metrics, &repairs);
    s->topics = wh_mem_zalloc(SINK_TOPICS_MAX, sizeof(*s->topics));
    s->ring = wh_mem_zalloc(1, sizeof(*s->ring));
    s->scout_timer = wh_timer_new(s->deps.loop, scout_start, s);
    s->wake = wh_wake_new(s->deps.loop, on_wake, s);
    if (!s->topics || !s->ring || !s->scout_timer || !s->wake) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the sink");
    }
    return sink_writer_new(&deps, &s->conf, &s->writer, err);
}

enum wh_rc sink_new(const struct sink_deps *deps, const struct sink_conf *conf, struct sink **ret,
                    struct wh_err *err)
{
    struct sink *s = wh_mem_zalloc(1, sizeof(*s));
    pthread_condattr_t attr;

    if (s == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the sink");
    }
    s->deps = *deps;
    s->conf = *conf;
    s->joined = true;
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&s->stirred, &attr);
    (void)pthread_condattr_destroy(&attr);
    make_metrics(s);
    if (make_parts(s, err) != WH_OK) {
        sink_free(s);
        return err->rc;
    }
    s->status.started_at_ms = wh_clock_now_ms(&deps->clock);
    publish(s);
    if (pthread_create(&s->thread, NULL, writer_main, s) != 0) {
        sink_free(s);
        return wh_fail(err, WH_E_NOMEM, "no thread for the writer");
    }
    s->joined = false;
    wh_timer_start(s->scout_timer, 0, 0);
    *ret = s;
    return WH_OK;
}

/* ---- status ---- */

/* Called with the lock held. */
static void reason_of(const struct sink *s, char *text, size_t size)
{
    text[0] = '\0';
    if (s->status.state == SINK_STOPPED) {
        (void)snprintf(text, size, "the writer has stopped%s%.200s", s->failed ? ": " : "",
                       s->failed ? s->fatal.msg : "");
    } else if (s->pause_reason[0] != '\0') {
        (void)snprintf(text, size, "%s", s->pause_reason);
    } else if (s->held_reason[0] != '\0') {
        (void)snprintf(text, size, "%s", s->held_reason);
    } else if (s->scout_failures >= SCOUT_FAILURES_SHOWN ||
               (s->scout_failures > 0 && s->status.state == SINK_STARTING)) {
        (void)snprintf(text, size, "Kafka cannot be asked for topics: %.180s", s->scout_reason);
    } else if (s->status.state == SINK_STARTING) {
        (void)snprintf(text, size, "starting: the topics are not known yet");
    }
}

const char *sink_not_ready(struct sink *s)
{
    pthread_mutex_lock(&s->lock);
    reason_of(s, s->not_ready, sizeof(s->not_ready));
    pthread_mutex_unlock(&s->lock);
    return s->not_ready[0] ? s->not_ready : NULL;
}

/* Called with the lock held. */
static struct sink_live live_of(const struct sink *s, enum wh_kind kind, int64_t now_ms)
{
    unsigned receipt = sink_freshness_by_kind(kind);
    unsigned event = sink_freshness_of_event(kind);

    return (struct sink_live){
        .receipt_hour = sink_freshness_get(s->ring, now_ms, receipt, false),
        .receipt_day = sink_freshness_get(s->ring, now_ms, receipt, true),
        .event_hour = sink_freshness_get(s->ring, now_ms, event, false),
        .event_day = sink_freshness_get(s->ring, now_ms, event, true),
        .why_hour = sink_freshness_why(s->ring, now_ms, kind, false),
        .why_day = sink_freshness_why(s->ring, now_ms, kind, true),
    };
}

void sink_status_get(struct sink *s, struct sink_status *ret)
{
    int64_t now_ms = wh_clock_now_ms(&s->deps.clock);

    pthread_mutex_lock(&s->lock);
    *ret = s->status;
    reason_of(s, ret->reason, sizeof(ret->reason));
    for (unsigned o = 0; o < WH_ORIGIN_COUNT; o++) {
        ret->freshness[o] =
            sink_freshness_get(s->ring, now_ms, sink_freshness_by_origin((enum wh_origin)o), false);
    }
    for (unsigned k = WH_KIND_NONE + 1; k < WH_KIND_COUNT; k++) {
        ret->live[k] = live_of(s, (enum wh_kind)k, now_ms);
    }
    pthread_mutex_unlock(&s->lock);
}

size_t sink_topics_get(struct sink *s, struct sink_topic_status *out, size_t max)
{
    size_t n;

    pthread_mutex_lock(&s->lock);
    n = s->n_topics;
    memcpy(out, s->topics, (n < max ? n : max) * sizeof(*out));
    pthread_mutex_unlock(&s->lock);
    return n;
}

uint64_t sink_sequence(const struct sink *s)
{
    return atomic_load(&s->sequence);
}

const char *sink_state_name(enum sink_state state)
{
    static const char *const names[] = {"starting", "running", "paused", "stopped"};

    return (unsigned)state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

/* Called with the lock held. A window without webhooks has no quantiles. */
static void collect_live(struct sink *s, unsigned k, int64_t now_ms)
{
    const struct sink_live live = live_of(s, (enum wh_kind)k, now_ms);
    const struct sink_freshness *windows[LIVE_WINDOWS] = {&live.receipt_hour, &live.receipt_day,
                                                          &live.event_hour, &live.event_day};

    for (unsigned i = 0; i < LIVE_WINDOWS; i++) {
        wh_gauge_set(s->live[k][i][0], windows[i]->count ? windows[i]->p50_s : (double)NAN);
        wh_gauge_set(s->live[k][i][1], windows[i]->count ? windows[i]->p99_s : (double)NAN);
    }
}

void sink_collect(struct sink *s)
{
    int64_t now_ms = wh_clock_now_ms(&s->deps.clock);
    uint64_t revisions = 0;

    wh_gauge_set(s->ready, sink_not_ready(s) == NULL ? 1 : 0);
    for (unsigned f = 0; f < SINK_FAMILY_COUNT; f++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "family.%u.bytes", f);
        wh_gauge_set(s->bytes[f], (double)wh_store_property(s->deps.store, name));
    }
    pthread_mutex_lock(&s->lock);
    for (unsigned k = 0; k < WH_KIND_COUNT; k++) {
        wh_gauge_set(s->entities[k], (double)s->status.kinds[k].entities);
        collect_live(s, k, now_ms);
        revisions += s->status.kinds[k].revisions;
    }
    pthread_mutex_unlock(&s->lock);
    if (revisions > wh_counter_get(s->revisions)) {
        wh_counter_add(s->revisions, revisions - wh_counter_get(s->revisions));
    }
}
