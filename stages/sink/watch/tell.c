/* What the watch found, as JSON and as metrics. */
#include <math.h>
#include <stdio.h>

#include "common/base/time.h"
#include "stages/sink/watch/watch_priv.h"

enum { LABEL_MAX = 512 };

static void put_time(struct wh_json_writer *w, const char *key, int64_t ms)
{
    char text[WH_TIME_TEXT_MAX];

    wh_jw_key(w, key);
    if (ms > 0) {
        wh_jw_str(w, wh_slice_str(wh_time_format(ms, text)));
    } else {
        wh_jw_null(w);
    }
}

static void put_count(struct wh_json_writer *w, const char *key, int64_t n)
{
    wh_jw_key(w, key);
    if (n >= 0) {
        wh_jw_int(w, n);
    } else {
        wh_jw_null(w);
    }
}

static const char *state_of(const struct wh_evidence *e, const struct wh_seen_process *p)
{
    if (p->beat.stopped) {
        return "stopped";
    }
    if (!wh_judge_lives(e, p)) {
        return e->kafka_error.len || p->seen_ms == 0 ? "unknown" : "silent";
    }
    return p->beat.n_held ? "breaker open" : p->beat.ready ? "up" : "not ready";
}

static void write_held(struct wh_json_writer *w, const struct wh_heartbeat *h)
{
    wh_jw_key(w, "held");
    wh_jw_array(w);
    for (size_t i = 0; i < h->n_held; i++) {
        wh_jw_object(w);
        wh_jw_put_str(w, "connection", h->held[i].connection);
        wh_jw_put_str(w, "what", h->held[i].what);
        wh_jw_put_str(w, "reason", h->held[i].reason);
        put_time(w, "since", h->held[i].since_ms);
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

static void write_processes(struct wh_json_writer *w, const struct wh_evidence *e)
{
    wh_jw_key(w, "processes");
    wh_jw_array(w);
    for (size_t i = 0; i < e->n_processes; i++) {
        const struct wh_seen_process *p = &e->processes[i];

        wh_jw_object(w);
        wh_jw_put_str(w, "stage", p->beat.stage);
        wh_jw_put_str(w, "process", p->beat.process);
        wh_jw_put_str(w, "state", wh_slice_str(state_of(e, p)));
        wh_jw_put_str(w, "version", p->beat.version);
        put_time(w, "started_at", p->beat.started_ms);
        put_time(w, "last_heartbeat", p->beat.at_ms);
        wh_jw_put_str(w, "reason", p->beat.reason);
        write_held(w, &p->beat);
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

static void write_flows(struct wh_json_writer *w, const struct wh_evidence *e)
{
    wh_jw_key(w, "flows");
    wh_jw_array(w);
    for (size_t i = 0; i < e->n_flows; i++) {
        const struct wh_seen_flow *flow = &e->flows[i];

        wh_jw_object(w);
        wh_jw_put_str(w, "topic", flow->topic);
        wh_jw_put_str(w, "connection", flow->connection);
        wh_jw_put_str(w, "stage", flow->stage);
        wh_jw_put_str(w, "process", flow->process);
        put_count(w, "lag_records", flow->lag_records);
        put_count(w, "lag_seconds", flow->lag_ms < 0 ? -1 : flow->lag_ms / 1000);
        put_time(w, "advanced_at", flow->advanced_ms);
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

static void write_letters(struct wh_json_writer *w, const struct wh_evidence *e)
{
    wh_jw_key(w, "unreplayed");
    wh_jw_array(w);
    for (size_t i = 0; i < e->n_letters; i++) {
        wh_jw_object(w);
        wh_jw_put_str(w, "connection", e->letters[i].connection);
        wh_jw_put_str(w, "stage", e->letters[i].stage);
        wh_jw_put_str(w, "class", e->letters[i].class_);
        wh_jw_put_int(w, "count", e->letters[i].count);
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

enum wh_rc watch_write(const struct sink_watch *w, struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_writer j;

    wh_json_writer_init(&j, out);
    wh_jw_object(&j);
    wh_findings_write(&w->findings, &j);
    put_time(&j, "watched_at", w->evidence.now_ms);
    write_processes(&j, &w->evidence);
    write_flows(&j, &w->evidence);
    write_letters(&j, &w->evidence);
    wh_jw_end(&j);
    return wh_jw_finish(&j, err);
}

/* ---- metrics ---- */

static void set(struct sink_watch *w, const char *name, const char *labels, const char *help,
                double value)
{
    wh_gauge_set(wh_metrics_gauge(w->deps.metrics, name, labels, help), value);
}

static void set_lags(struct sink_watch *w)
{
    char label[LABEL_MAX];

    for (size_t i = 0; i < w->n_own_lags; i++) {
        const struct wh_lag *lag = &w->lags[i];

        (void)snprintf(label, sizeof(label), "topic=\"%s\",partition=\"%d\"", lag->topic,
                       lag->partition);
        set(w, "wellhead_consumer_lag_records", label,
            "Records that wait for the mapper, the fetcher or this sink, by Kafka's offsets",
            lag->records < 0 ? (double)NAN : (double)lag->records);
    }
    for (size_t i = 0; i < w->evidence.n_flows; i++) {
        const struct wh_seen_flow *flow = &w->flows[i];

        if (flow->process.len && !wh_slice_eq(flow->process, w->evidence.observer)) {
            continue;
        }
        (void)snprintf(label, sizeof(label), "topic=\"%.*s\"", WH_SLICE_ARG(flow->topic));
        set(w, "wellhead_consumer_lag_seconds", label,
            "Age of the oldest record that waits, by Kafka's timestamps",
            flow->lag_ms < 0 ? (double)NAN : (double)flow->lag_ms / 1000);
    }
}

static void set_processes(struct sink_watch *w)
{
    char label[LABEL_MAX];

    for (size_t i = 0; i < w->evidence.n_processes; i++) {
        const struct wh_seen_process *p = &w->processes[i];

        (void)snprintf(label, sizeof(label), "stage=\"%.*s\",process=\"%.*s\"",
                       WH_SLICE_ARG(p->beat.stage), WH_SLICE_ARG(p->beat.process));
        set(w, "wellhead_process_up", label,
            "1 while heartbeats of the process arrive, 0 when they do not",
            wh_judge_lives(&w->evidence, p));
        set(w, "wellhead_process_last_heartbeat_timestamp_seconds", label,
            "The last heartbeat of the process that arrived, Unix time",
            (double)p->beat.at_ms / 1000);
        set(w, "wellhead_process_held", label, "Inputs that an open breaker holds",
            (double)p->beat.n_held);
    }
}

static void set_letters(struct sink_watch *w)
{
    char label[LABEL_MAX];

    for (size_t i = 0; i < w->evidence.n_letters; i++) {
        const struct wh_seen_letters *l = &w->evidence.letters[i];

        (void)snprintf(label, sizeof(label), "connection=\"%.*s\",stage=\"%.*s\",class=\"%.*s\"",
                       WH_SLICE_ARG(l->connection), WH_SLICE_ARG(l->stage),
                       WH_SLICE_ARG(l->class_));
        set(w, "wellhead_dead_letters_unreplayed", label, "Dead letters after the last replay",
            (double)l->count);
    }
}

void watch_set_metrics(struct sink_watch *w)
{
    enum wh_verdict verdict = wh_findings_verdict(&w->findings);

    wh_gauge_set(w->verdict, verdict == WH_VERDICT_HEALTHY       ? 1
                             : verdict == WH_VERDICT_NOT_HEALTHY ? 0
                                                                 : (double)NAN);
    set_lags(w);
    set_processes(w);
    set_letters(w);
}
