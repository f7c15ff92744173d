#include "stages/fetcher/conn/run_report.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "common/json/json_write.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/gitlab/streams.h"

enum { REPORT_MAX_BYTES = 64 << 10, KEY_MAX_BYTES = 96 };

static void write_counts(struct wh_json_writer *w, const struct conn *c)
{
    wh_jw_key(w, "streams");
    wh_jw_object(w);
    for (unsigned i = 0; i < STREAMS; i++) {
        const struct stream_count *n = &c->run.counts[i];

        wh_jw_key(w, streams[i].name);
        wh_jw_object(w);
        wh_jw_put_int(w, "pages", (int64_t)n->pages);
        wh_jw_put_int(w, "rows", (int64_t)(n->rows + n->found));
        wh_jw_put_int(w, "records", (int64_t)n->produced);
        wh_jw_put_int(w, "follow_ups", (int64_t)n->follow_ups);
        wh_jw_put_int(w, "checked", (int64_t)n->checked);
        wh_jw_put_int(w, "single_reads", (int64_t)n->singles);
        wh_jw_put_int(w, "skipped", (int64_t)n->skipped);
        wh_jw_put_int(w, "failed", (int64_t)n->failed);
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

uint64_t run_requests(const struct conn *c)
{
    return access_requests(c->access) - c->run.requests_before;
}

int64_t run_waited_ms(const struct conn *c)
{
    return client_stats(access_client(c->access)).waited_ms - c->run.waited_before_ms;
}

static void write_head(struct wh_json_writer *w, const struct conn *c, bool sweeps,
                       struct wh_slice state, int64_t started_ms, int64_t finished_ms,
                       const char *error)
{
    wh_jw_object(w);
    wh_jw_put_str(w, "connection", wh_slice_str(c->id));
    wh_jw_put_str(w, "kind", sweeps ? WH_LIT("sweep") : WH_LIT("sync"));
    wh_jw_put_str(w, "state", state);
    wh_jw_put_int(w, "started_at_ms", started_ms);
    wh_jw_put_int(w, "finished_at_ms", finished_ms);
    wh_jw_put_bool(w, "ok", wh_slice_eq(state, WH_LIT("success")));
    wh_jw_put_str(w, "error", wh_slice_str(error));
}

static void write_run(struct wh_json_writer *w, const struct conn *c, bool finished)
{
    const char *end = c->run.failed ? "error" : "success";

    write_head(w, c, c->run.sweeps, wh_slice_str(finished ? end : "in_progress"), c->run.started_ms,
               finished ? c->run.finished_ms : 0, finished ? c->run.error : "");
    wh_jw_put_int(w, "requests", (int64_t)run_requests(c));
    wh_jw_put_int(w, "waited_ms", run_waited_ms(c));
    wh_jw_put_int(w, "tombstones", (int64_t)c->run.tombstones);
    wh_jw_put_int(w, "held", c->run.held);
    write_counts(w, c);
    wh_jw_end(w);
}

static void publish(struct conn *c, int64_t run, struct wh_json_writer *w,
                    const struct wh_buf *json)
{
    struct fetcher *f = c->fetcher;
    struct wh_err err;
    char key[KEY_MAX_BYTES];

    (void)snprintf(key, sizeof(key), "%s:%" PRId64, c->id, run);
    if (wh_jw_finish(w, &err) != WH_OK ||
        outbox_document(f->outbox,
                        &(struct outbox_document){.schema = WH_DOCUMENT_RUN,
                                                  .topic = f->topics.runs,
                                                  .key = wh_slice_str(key),
                                                  .connection = wh_slice_str(c->id),
                                                  .json = wh_buf_slice(json)},
                        NULL, &err) != WH_OK) {
        wh_log_warn(f->deps.log, "run report not written", WH_RC(&err));
    }
}

void run_report(struct conn *c, bool finished)
{
    WH_AUTO(buf) struct wh_buf json;
    struct wh_json_writer w;

    wh_buf_init(&json, REPORT_MAX_BYTES);
    wh_json_writer_init(&w, &json);
    write_run(&w, c, finished);
    publish(c, c->run.started_ms, &w, &json);
}

void run_report_interrupted(struct conn *c, int64_t run, int64_t last_ms, bool sweeps)
{
    WH_AUTO(buf) struct wh_buf json;
    struct wh_json_writer w;

    wh_buf_init(&json, REPORT_MAX_BYTES);
    wh_json_writer_init(&w, &json);
    write_head(&w, c, sweeps, WH_LIT("interrupted"), run, last_ms,
               "the fetcher ended during the run; it goes on where it stopped");
    wh_jw_end(&w);
    publish(c, run, &w, &json);
}
