#include "stages/sink/watch/watch.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "stages/sink/watch/watch_priv.h"

enum {
    ARENA_BLOCK = 64 << 10,
    ARENA_MAX = 8 << 20,
    TOLD_MAX_BYTES = 8 << 20,
    DOCUMENT_MAX_BYTES = 1 << 20,
    DOCUMENT_MAX_DEPTH = 32,
    /* Longer than that between two looks, and silence may be the watch's own. */
    GAP_MS = 10000,
    /* What was found is shown for so long. */
    STALE_MS = 20000,
};

/* ---- a look: work in the pool ---- */

static enum wh_rc list_topics(struct sink_watch *w, struct wh_err *err)
{
    wh_bus_topic_list_free(w->topics, w->n_topics);
    w->topics = NULL;
    w->n_topics = 0;
    return wh_admin_list(w->deps.admin, WATCH_TIMEOUT_MS, &w->topics, &w->n_topics, err);
}

static enum wh_rc stopping(const struct sink_watch *w, struct wh_err *err)
{
    return atomic_load(&w->stop) ? wh_fail(err, WH_E_CANCELED, "stopping") : WH_OK;
}

static enum wh_rc ask_kafka(struct sink_watch *w, struct wh_err *err)
{
    if (list_topics(w, err) != WH_OK || stopping(w, err) != WH_OK || watch_flows(w, err) != WH_OK ||
        stopping(w, err) != WH_OK) {
        return err->rc;
    }
    return watch_letters_count(w, err);
}

static void begin(struct sink_watch *w)
{
    int64_t now_ms = wh_clock_now_ms(&w->deps.clock);

    if (w->since_ms == 0 || now_ms - w->looked_ms > GAP_MS || now_ms < w->looked_ms ||
        w->evidence.kafka_error.len > 0) {
        w->since_ms = now_ms;
    }
    w->looked_ms = now_ms;
    wh_arena_reset(&w->arena);
    w->n_lags = 0;
    w->n_own_lags = 0;
    w->evidence = (struct wh_evidence){.now_ms = now_ms,
                                       .since_ms = w->since_ms,
                                       .observer = wh_slice_str(w->deps.process),
                                       .kafka_error = WH_LIT("")};
}

static void keep_error(struct sink_watch *w, const struct wh_err *err)
{
    struct wh_err ignored;

    if (wh_arena_dup(&w->arena, wh_slice_str(err->msg), &w->evidence.kafka_error, &ignored) !=
        WH_OK) {
        w->evidence.kafka_error = WH_LIT("no memory to look");
    }
}

static void publish(struct sink_watch *w)
{
    WH_AUTO(buf) struct wh_buf told;
    struct wh_buf old;
    struct wh_err err;

    wh_buf_init(&told, TOLD_MAX_BYTES);
    if (watch_write(w, &told, &err) != WH_OK) {
        wh_log_warn(w->deps.log, "what the watch found cannot be written", WH_RC(&err));
        return;
    }
    pthread_mutex_lock(&w->lock);
    old = w->told;
    w->told = told;
    told = old;
    w->told_ms = w->evidence.now_ms;
    pthread_mutex_unlock(&w->lock);
}

static void look(void *ctx)
{
    struct sink_watch *w = ctx;
    struct wh_err err;

    begin(w);
    if (watch_processes(w, &err) != WH_OK || watch_connections(w, &err) != WH_OK ||
        watch_progress(w, &err) != WH_OK || watch_stored_count(w, &err) != WH_OK) {
        wh_log_warn(w->deps.log, "the watch cannot read the store", WH_RC(&err));
        return;
    }
    if (ask_kafka(w, &err) != WH_OK) {
        if (err.rc == WH_E_CANCELED) {
            return;
        }
        keep_error(w, &err);
    }
    wh_judge(&w->evidence, &w->findings);
    publish(w);
}

static void looked(void *ctx)
{
    struct sink_watch *w = ctx;

    w->looking = false;
    if (!atomic_load(&w->stop)) {
        watch_set_metrics(w);
        wh_timer_start(w->timer, w->deps.interval_ms, 0);
    }
}

static void on_timer(void *ctx)
{
    struct sink_watch *w = ctx;
    struct wh_err err;

    if (wh_loop_work(w->deps.loop, look, looked, w, &err) == WH_OK) {
        w->looking = true;
    } else {
        wh_timer_start(w->timer, w->deps.interval_ms, 0);
    }
}

/* ---- what it tells ---- */

static void write_unknown(struct wh_json_writer *out, const char *text)
{
    struct wh_findings *findings = wh_mem_zalloc(1, sizeof(*findings));

    if (findings) {
        wh_findings_add(findings, WH_SEVERITY_UNKNOWN, "sink", text,
                        "`wellhead doctor` asks Kafka and every process");
        wh_jw_object(out);
        wh_findings_write(findings, out);
        wh_jw_end(out);
    } else {
        wh_jw_null(out);
    }
    wh_mem_free(findings);
}

void sink_watch_told(struct sink_watch *w, struct wh_json_writer *out)
{
    int64_t now_ms = wh_clock_now_ms(&w->deps.clock);

    pthread_mutex_lock(&w->lock);
    if (w->told_ms == 0) {
        write_unknown(out, "it has not looked at the other stages yet");
    } else if (now_ms - w->told_ms > STALE_MS) {
        write_unknown(out, "it cannot look at the other stages: its last look is too old");
    } else {
        wh_jw_raw(out, wh_buf_slice(&w->told));
    }
    pthread_mutex_unlock(&w->lock);
}

/* ---- life ---- */

static enum wh_rc make_parts(struct sink_watch *w, struct wh_err *err)
{
    w->timer = wh_timer_new(w->deps.loop, on_timer, w);
    w->json = wh_json_parser_new(DOCUMENT_MAX_BYTES, DOCUMENT_MAX_DEPTH);
    w->stands = wh_mem_zalloc(WATCH_FLOWS_MAX, sizeof(*w->stands));
    w->processes = wh_mem_zalloc(WATCH_PROCESSES_MAX, sizeof(*w->processes));
    w->flows = wh_mem_zalloc(WATCH_FLOWS_MAX, sizeof(*w->flows));
    w->counts = wh_mem_zalloc(WATCH_COUNTS_MAX, sizeof(*w->counts));
    w->lags = wh_mem_zalloc(WATCH_PARTITIONS_MAX, sizeof(*w->lags));
    w->letters = watch_letters_new();
    w->stored = watch_stored_new();
    if (!w->timer || !w->json || !w->stands || !w->processes || !w->flows || !w->lags ||
        !w->counts || !w->letters || !w->stored) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the watch");
    }
    w->verdict = wh_metrics_gauge(w->deps.metrics, "wellhead_healthy", NULL,
                                  "1 healthy, 0 not healthy, NaN unknown");
    return WH_OK;
}

enum wh_rc sink_watch_new(const struct sink_watch_deps *deps, struct sink_watch **ret,
                          struct wh_err *err)
{
    struct sink_watch *w = wh_mem_zalloc(1, sizeof(*w));

    if (w == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the watch");
    }
    w->deps = *deps;
    (void)pthread_mutex_init(&w->lock, NULL);
    wh_arena_init(&w->arena, ARENA_BLOCK, ARENA_MAX);
    wh_buf_init(&w->told, TOLD_MAX_BYTES);
    if (make_parts(w, err) != WH_OK) {
        sink_watch_free(w);
        return err->rc;
    }
    wh_timer_start(w->timer, 0, 0);
    *ret = w;
    return WH_OK;
}

void sink_watch_stop(struct sink_watch *w)
{
    atomic_store(&w->stop, true);
    wh_timer_stop(w->timer);
}

void sink_watch_free(struct sink_watch *w)
{
    if (w == NULL) {
        return;
    }
    atomic_store(&w->stop, true);
    while (w->looking) {
        wh_loop_turn(w->deps.loop, true);
    }
    wh_timer_free(w->timer);
    watch_letters_free(w->letters);
    watch_stored_free(w->stored);
    wh_bus_topic_list_free(w->topics, w->n_topics);
    wh_json_parser_free(w->json);
    wh_mem_free(w->stands);
    wh_mem_free(w->processes);
    wh_mem_free(w->flows);
    wh_mem_free(w->lags);
    wh_mem_free(w->counts);
    wh_mem_free(w->gauges);
    wh_buf_done(&w->told);
    wh_arena_done(&w->arena);
    pthread_mutex_destroy(&w->lock);
    wh_mem_free(w);
}
