/* Runs, as the runs topic has them. */
#include <inttypes.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "common/json/json_write.h"
#include "stages/fetcher/fetcher.h"
#include "stages/fetcher/streams.h"

enum { REPORT_MAX_BYTES = 64 << 10, KEY_MAX_BYTES = 96 };

static void number(struct wh_json_writer *w, const char *key, int64_t value)
{
    wh_jw_key(w, key);
    wh_jw_int(w, value);
}

static void text(struct wh_json_writer *w, const char *key, struct wh_slice value)
{
    wh_jw_key(w, key);
    wh_jw_str(w, value);
}

static void write_counts(struct wh_json_writer *w, const struct conn *c)
{
    wh_jw_key(w, "streams");
    wh_jw_object(w);
    for (unsigned i = 0; i < STREAMS; i++) {
        const struct stream_count *n = &c->counts[i];

        wh_jw_key(w, streams[i].name);
        wh_jw_object(w);
        number(w, "pages", (int64_t)n->pages);
        number(w, "rows", (int64_t)(n->rows + n->found));
        number(w, "records", (int64_t)n->produced);
        number(w, "follow_ups", (int64_t)n->follow_ups);
        number(w, "checked", (int64_t)n->checked);
        number(w, "single_reads", (int64_t)n->singles);
        number(w, "skipped", (int64_t)n->skipped);
        number(w, "failed", (int64_t)n->failed);
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

static void write_run(struct wh_json_writer *w, const struct conn *c, bool finished)
{
    struct client_stats stats = client_stats(c->client);

    wh_jw_object(w);
    text(w, "connection", wh_slice_str(c->id));
    text(w, "kind", c->run_sweeps ? WH_LIT("sweep") : WH_LIT("sync"));
    text(w, "state",
         !finished       ? WH_LIT("in_progress")
         : c->run_failed ? WH_LIT("error")
                         : WH_LIT("success"));
    number(w, "started_at_ms", c->run_started_ms);
    number(w, "finished_at_ms", finished ? c->run_finished_ms : 0);
    wh_jw_key(w, "ok");
    wh_jw_bool(w, finished && !c->run_failed);
    text(w, "error", wh_slice_str(finished ? c->error : ""));
    number(w, "requests", (int64_t)(stats.requests - c->stats_before.requests));
    number(w, "waited_ms", stats.waited_ms - c->stats_before.waited_ms);
    number(w, "tombstones", (int64_t)c->tombstones);
    number(w, "held", c->held);
    write_counts(w, c);
    wh_jw_end(w);
}

void report_run(struct conn *c, bool finished)
{
    struct fetcher *f = c->fetcher;
    WH_AUTO(buf) struct wh_buf json;
    struct wh_json_writer w;
    struct wh_err err;
    char key[KEY_MAX_BYTES];

    wh_buf_init(&json, REPORT_MAX_BYTES);
    wh_json_writer_init(&w, &json);
    write_run(&w, c, finished);
    (void)snprintf(key, sizeof(key), "%s:%" PRId64, c->id, c->run_started_ms);
    if (wh_jw_finish(&w, &err) != WH_OK ||
        emit_document(f, WH_DOCUMENT_RUN, f->runs_topic, wh_slice_str(key), wh_slice_str(c->id),
                      wh_buf_slice(&json), NULL, &err) != WH_OK) {
        wh_log_warn(f->deps.log, "run report not written", WH_RC(&err));
    }
}
