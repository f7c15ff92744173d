/* What the watch found, as JSON. */
#include <stdio.h>

#include "common/base/time.h"
#include "stages/sink/watch/watch_priv.h"

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
