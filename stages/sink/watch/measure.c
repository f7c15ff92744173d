/* What the watch found, as metrics. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/event/connection.h"
#include "stages/sink/watch/watch_priv.h"

enum { LABEL_MAX = 512, MS_PER_S = 1000 };

/*
 * A gauge that the watch has set. A look sets mostly the same ones in the same order, so that each is found
 * where the last search ended; what a look does not set any more (a purged topic, a process that was
 * forgotten, replayed dead letters) gets the value `gone`.
 */
struct watch_gauge {
    const char *name;
    char label[LABEL_MAX];
    struct wh_gauge *gauge;
    double gone;
    unsigned look;
};

static struct watch_gauge *make_gauge(struct sink_watch *w, const char *name, const char *label,
                                      const char *help)
{
    struct watch_gauge *g;

    if (w->n_gauges == w->cap_gauges) {
        size_t cap = w->cap_gauges ? w->cap_gauges * 2 : 64;

        g = wh_mem_resize(w->gauges, cap, sizeof(*g));
        if (g == NULL) {
            return NULL;
        }
        w->gauges = g;
        w->cap_gauges = cap;
    }
    g = &w->gauges[w->n_gauges++];
    *g = (struct watch_gauge){.name = name,
                              .gauge = wh_metrics_gauge(w->deps.metrics, name, label, help)};
    memcpy(g->label, label, strlen(label) + 1);
    return g;
}

static struct watch_gauge *find_gauge(struct sink_watch *w, const char *name, const char *label)
{
    for (size_t i = 0; i < w->n_gauges; i++) {
        size_t at = (w->at_gauge + i) % w->n_gauges;
        struct watch_gauge *g = &w->gauges[at];

        if (g->name == name && strcmp(g->label, label) == 0) {
            w->at_gauge = at + 1;
            return g;
        }
    }
    return NULL;
}

/* The name is static text. */
static void set(struct sink_watch *w, const char *name, const char *label, const char *help,
                double value, double gone)
{
    struct watch_gauge *g = find_gauge(w, name, label);

    if (g == NULL) {
        g = make_gauge(w, name, label, help);
    }
    if (g) {
        g->gone = gone;
        g->look = w->look;
        wh_gauge_set(g->gauge, value);
    }
}

static void set_lags(struct sink_watch *w)
{
    static const char records[] = "wellhead_consumer_lag_records";
    static const char seconds[] = "wellhead_consumer_lag_seconds";
    char label[LABEL_MAX];

    for (size_t i = 0; i < w->n_own_lags; i++) {
        const struct wh_lag *lag = &w->lags[i];

        (void)snprintf(label, sizeof(label), "topic=\"%s\",partition=\"%d\"", lag->topic,
                       lag->partition);
        set(w, records, label,
            "Records that wait for the mapper, the fetcher or this sink, by Kafka's offsets",
            lag->records < 0 ? (double)NAN : (double)lag->records, (double)NAN);
    }
    for (size_t i = 0; i < w->evidence.n_flows; i++) {
        const struct wh_seen_flow *flow = &w->flows[i];

        if (flow->process.len && !wh_slice_eq(flow->process, w->evidence.observer)) {
            continue;
        }
        (void)snprintf(label, sizeof(label), "topic=\"%.*s\"", WH_SLICE_ARG(flow->topic));
        set(w, seconds, label, "Age of the oldest record that waits, by Kafka's timestamps",
            flow->lag_ms < 0 ? (double)NAN : (double)flow->lag_ms / MS_PER_S, (double)NAN);
    }
}

static void set_processes(struct sink_watch *w)
{
    static const char up[] = "wellhead_process_up";
    static const char last[] = "wellhead_process_last_heartbeat_timestamp_seconds";
    static const char held[] = "wellhead_process_held";
    char label[LABEL_MAX];

    for (size_t i = 0; i < w->evidence.n_processes; i++) {
        const struct wh_seen_process *p = &w->processes[i];

        if (p->beat.stopped) {
            continue;
        }
        (void)snprintf(label, sizeof(label), "stage=\"%.*s\",process=\"%.*s\"",
                       WH_SLICE_ARG(p->beat.stage), WH_SLICE_ARG(p->beat.process));
        set(w, up, label, "1 while heartbeats of the process arrive, 0 when they do not",
            wh_judge_lives(&w->evidence, p), (double)NAN);
        set(w, last, label, "The last heartbeat of the process that arrived, Unix time",
            (double)p->beat.at_ms / MS_PER_S, (double)NAN);
        set(w, held, label, "Inputs that an open breaker of the process holds",
            (double)p->beat.n_held, (double)NAN);
    }
}

/* How many processes of each stage live, so that an alarm needs no names. */
static void set_stages(struct sink_watch *w)
{
    static const char name[] = "wellhead_stage_processes";
    static const char *const stages[] = {"fetcher", "webhook-intake", "mapper", "sink"};
    char label[LABEL_MAX];

    for (size_t s = 0; s < sizeof(stages) / sizeof(stages[0]); s++) {
        unsigned n = 0;

        for (size_t i = 0; i < w->evidence.n_processes; i++) {
            n += wh_slice_eq(w->processes[i].beat.stage, wh_slice_str(stages[s])) &&
                 wh_judge_lives(&w->evidence, &w->processes[i]);
        }
        (void)snprintf(label, sizeof(label), "stage=\"%s\"", stages[s]);
        set(w, name, label, "Processes of the stage whose heartbeats arrive; NaN without Kafka",
            w->evidence.kafka_error.len ? (double)NAN : n, (double)NAN);
    }
}

static void set_letters(struct sink_watch *w)
{
    static const char name[] = "wellhead_dead_letters_unreplayed";
    char label[LABEL_MAX];

    for (size_t i = 0; i < w->evidence.n_letters; i++) {
        const struct wh_seen_letters *l = &w->evidence.letters[i];

        (void)snprintf(label, sizeof(label), "connection=\"%.*s\",stage=\"%.*s\",class=\"%.*s\"",
                       WH_SLICE_ARG(l->connection), WH_SLICE_ARG(l->stage),
                       WH_SLICE_ARG(l->class_));
        set(w, name, label, "Dead letters after the last replay", (double)l->count, 0);
    }
}

static void set_connections(struct sink_watch *w)
{
    static const char state[] = "wellhead_connection_state";
    static const char healthy[] = "wellhead_connection_healthy";
    static const char last[] = "wellhead_reconcile_last_success_timestamp_seconds";
    char label[LABEL_MAX];

    for (size_t i = 0; i < w->evidence.n_connections; i++) {
        const struct wh_seen_connection *c = &w->evidence.connections[i];
        enum wh_connection_class class_ = wh_connection_class(c->state);
        int64_t success_ms = w->success_ms[i];

        (void)snprintf(label, sizeof(label), "connection=\"%.*s\",state=\"%.*s\"",
                       WH_SLICE_ARG(c->id), WH_SLICE_ARG(c->state));
        set(w, state, label, "1 for the present state of the connection", 1, 0);
        (void)snprintf(label, sizeof(label), "connection=\"%.*s\"", WH_SLICE_ARG(c->id));
        set(w, healthy, label, "1 healthy, 0 not; NaN for one that was disconnected",
            class_ == WH_CONNECTION_MISSING ? (double)NAN : class_ != WH_CONNECTION_ERROR,
            (double)NAN);
        set(w, last, label, "End of the last run that read everything, Unix time; NaN: none yet",
            success_ms > 0 ? (double)success_ms / MS_PER_S : (double)NAN, (double)NAN);
    }
}

static void set_completeness(struct sink_watch *w)
{
    static const char ratio[] = "wellhead_completeness_ratio";
    static const char rows[] = "wellhead_backfill_rows";
    static const char expected[] = "wellhead_backfill_rows_expected";
    char label[LABEL_MAX];

    for (size_t i = 0; i < w->n_counts; i++) {
        const struct watch_count *n = &w->counts[i];
        bool unproved =
            n->missing > 0 && (strcmp(n->kind, "pipelines") == 0 || strcmp(n->kind, "jobs") == 0);

        (void)snprintf(label, sizeof(label), "connection=\"%s\",kind=\"%s\"", n->connection,
                       n->kind);
        set(w, ratio, label,
            "Share of GitLab's numbers that are read or known to be gone; NaN: it cannot be proved",
            n->numbers > 0 && !unproved ? (double)(n->numbers - n->missing) / (double)n->numbers
                                        : (double)NAN,
            (double)NAN);
        set(w, rows, label, "Objects with a number that were read", (double)n->have, (double)NAN);
        set(w, expected, label, "Objects with a number that were read or are missing",
            (double)(n->have + (unproved ? 0 : n->missing)), (double)NAN);
    }
}

void watch_set_metrics(struct sink_watch *w)
{
    enum wh_verdict verdict = wh_findings_verdict(&w->findings);

    w->look++;
    wh_gauge_set(w->verdict, verdict == WH_VERDICT_HEALTHY       ? 1
                             : verdict == WH_VERDICT_NOT_HEALTHY ? 0
                                                                 : (double)NAN);
    set_lags(w);
    set_processes(w);
    set_stages(w);
    set_letters(w);
    set_connections(w);
    set_completeness(w);
    for (size_t i = 0; i < w->n_gauges; i++) {
        if (w->gauges[i].look != w->look) {
            wh_gauge_set(w->gauges[i].gauge, w->gauges[i].gone);
        }
    }
}
