/* One connection's runs: projects first, then every stream of each, then the report. */
#include <inttypes.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "common/json/json_write.h"
#include "stages/fetcher/fetcher.h"
#include "stages/fetcher/sources.h"
#include "stages/fetcher/streams.h"

enum { FIRST_PROJECT_STREAM = 1, REPORT_MAX_BYTES = 64 << 10, RETRY_AFTER_MS = 15000 };

static int64_t now_ms(const struct conn *c)
{
    return wh_clock_now_ms(&c->fetcher->deps.clock);
}

/* ---- projects ---- */

static struct project *find_project(struct conn *c, const char *id)
{
    for (struct project *p = c->projects; p; p = p->next) {
        if (strcmp(p->id, id) == 0) {
            return p;
        }
    }
    return NULL;
}

struct project *conn_add_project_id(struct conn *c, struct wh_slice id)
{
    struct project *p;
    char text[24];

    (void)snprintf(text, sizeof(text), "%.*s", WH_SLICE_ARG(id));
    p = find_project(c, text);
    if (p == NULL) {
        p = wh_mem_zalloc(1, sizeof(*p));
        if (p == NULL) {
            return NULL;
        }
        memcpy(p->id, text, sizeof(p->id));
        p->next = c->projects;
        c->projects = p;
        c->n_projects++;
    }
    return p;
}

void conn_add_project(struct conn *c, struct wh_json_val row)
{
    struct wh_json_val id;
    struct wh_json_val path;
    struct project *p;
    char text[24];

    if (!wh_json_get(row, WH_LIT("id"), &id) || wh_json_type(id) != WH_JSON_INT) {
        return;
    }
    (void)snprintf(text, sizeof(text), "%" PRId64, wh_json_int(id));
    p = conn_add_project_id(c, wh_slice_str(text));
    if (p && p->path == NULL && wh_json_get(row, WH_LIT("path_with_namespace"), &path)) {
        struct wh_slice s = wh_json_string(path);

        p->path = wh_mem_dup(s.ptr ? s.ptr : "", s.len);
    }
}

/* ---- the report ---- */

static void write_counts(struct wh_json_writer *w, const struct conn *c)
{
    wh_jw_key(w, "streams");
    wh_jw_object(w);
    for (unsigned i = 0; i < STREAMS; i++) {
        const struct stream_count *n = &c->counts[i];

        wh_jw_key(w, streams[i].name);
        wh_jw_object(w);
        wh_jw_key(w, "pages");
        wh_jw_int(w, (int64_t)n->pages);
        wh_jw_key(w, "rows");
        wh_jw_int(w, (int64_t)n->rows);
        wh_jw_key(w, "records");
        wh_jw_int(w, (int64_t)n->produced);
        wh_jw_key(w, "follow_ups");
        wh_jw_int(w, (int64_t)n->follow_ups);
        wh_jw_key(w, "skipped");
        wh_jw_int(w, (int64_t)n->skipped);
        wh_jw_key(w, "failed");
        wh_jw_int(w, (int64_t)n->failed);
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

static void report(struct conn *c)
{
    struct fetcher *f = c->fetcher;
    struct client_stats stats = client_stats(c->client);
    WH_AUTO(buf) struct wh_buf json;
    struct wh_json_writer w;
    struct wh_err err;
    char key[96];

    wh_buf_init(&json, REPORT_MAX_BYTES);
    wh_json_writer_init(&w, &json);
    wh_jw_object(&w);
    wh_jw_key(&w, "connection");
    wh_jw_str(&w, wh_slice_str(c->id));
    wh_jw_key(&w, "started_at_ms");
    wh_jw_int(&w, c->run_started_ms);
    wh_jw_key(&w, "finished_at_ms");
    wh_jw_int(&w, c->run_finished_ms);
    wh_jw_key(&w, "ok");
    wh_jw_bool(&w, !c->run_failed);
    wh_jw_key(&w, "requests");
    wh_jw_int(&w, (int64_t)stats.requests);
    wh_jw_key(&w, "waited_ms");
    wh_jw_int(&w, stats.waited_ms);
    write_counts(&w, c);
    wh_jw_end(&w);
    (void)snprintf(key, sizeof(key), "%s:%" PRId64, c->id, c->run_started_ms);
    if (wh_jw_finish(&w, &err) != WH_OK ||
        emit_document(f, WH_DOCUMENT_RUN, f->runs_topic, wh_slice_str(key), wh_slice_str(c->id),
                      wh_buf_slice(&json), NULL, &err) != WH_OK) {
        wh_log_warn(f->deps.log, "run report not written", WH_RC(&err));
    }
}

/* ---- the run ---- */

static void run_end(struct conn *c)
{
    struct fetcher *f = c->fetcher;
    int64_t wait = c->run_failed ? RETRY_AFTER_MS : f->deps.conf.sync_interval_ms;

    c->phase = RUN_IDLE;
    c->run_finished_ms = now_ms(c);
    c->runs++;
    if (!f->draining) {
        report(c);
        wh_log_info(f->deps.log, "run ended", WH_STR("connection", c->id),
                    WH_B("ok", !c->run_failed), WH_I("projects", c->n_projects),
                    WH_I("took_ms", c->run_finished_ms - c->run_started_ms));
        if (!c->run_failed) {
            conn_set_state(c, sources_state(c->sources), sources_missing(c->sources));
        }
        wh_timer_start(c->timer, c->run_again ? 0 : wait, 0);
    }
}

static bool next_task(struct conn *c, struct project **ret_project, unsigned *ret_stream)
{
    while (c->next_project) {
        if (c->next_stream < STREAMS && c->next_project->skipped[0] == '\0') {
            *ret_project = c->next_project;
            *ret_stream = c->next_stream++;
            return true;
        }
        c->next_project = c->next_project->next;
        c->next_stream = FIRST_PROJECT_STREAM;
    }
    return false;
}

static void run_more(struct conn *c)
{
    struct project *project;
    unsigned stream;
    struct wh_err err;

    if (c->phase != RUN_STREAMS) {
        return;
    }
    while (!c->fetcher->draining && c->n_walks < c->fetcher->deps.conf.max_walks &&
           next_task(c, &project, &stream)) {
        if (source_start(c, project, stream, &err) != WH_OK) {
            c->run_failed = true;
        }
    }
    if (c->n_walks == 0 && c->phase == RUN_STREAMS) {
        run_end(c);
    }
}

static void sign_in_needed(struct conn *c)
{
    c->run_failed = true;
    c->next_project = NULL;
    if (wh_slice_eq(c->doc.state, WH_LIT("need_reconnect"))) {
        return; /* who said so knows more */
    }
    conn_set_state(c, "need_reconnect", "GitLab refuses the token; connect again with a valid one");
}

void conn_walk_ended(struct conn *c, struct project *project, unsigned stream, bool ok,
                     enum client_outcome why)
{
    if (!ok && why == CLIENT_SIGN_IN) {
        sign_in_needed(c);
    } else if (!ok && project &&
               (why == CLIENT_GONE || why == CLIENT_DENIED || why == CLIENT_REFUSED)) {
        /* One stream that is switched off, not allowed or not known to an older GitLab stops
         * nothing. */
        c->counts[stream].skipped++;
        (void)snprintf(c->error, sizeof(c->error), "project %s: %s is %s", project->id,
                       streams[stream].name,
                       why == CLIENT_GONE     ? "not there"
                       : why == CLIENT_DENIED ? "not allowed"
                                              : "refused");
    } else if (!ok) {
        c->run_failed = true;
        c->counts[stream].failed++;
    }
    if (c->phase == RUN_PROJECTS && project == NULL) {
        c->phase = RUN_STREAMS;
        c->next_project = c->projects;
        c->next_stream = FIRST_PROJECT_STREAM;
        if (!ok) {
            c->next_project = NULL;
        }
    }
    run_more(c);
}

static void on_sources(void *ctx)
{
    struct conn *c = ctx;
    struct wh_err err;

    if (source_start(c, NULL, 0, &err) != WH_OK) {
        c->run_failed = true;
        run_end(c);
    }
}

void conn_run(struct conn *c)
{
    if (c->phase != RUN_IDLE) {
        c->run_again = true;
        return;
    }
    if (!sources_any(c->sources) || c->fetcher->draining || !c->fetcher->caught_up) {
        return;
    }
    wh_timer_stop(c->timer);
    for (unsigned i = 0; i < STREAMS; i++) {
        uint64_t total = c->counts[i].total_rows;

        c->counts[i] = (struct stream_count){.total_rows = total};
    }
    c->run_again = false;
    c->run_failed = false;
    c->error[0] = '\0';
    c->run_started_ms = now_ms(c);
    c->phase = RUN_PROJECTS;
    sources_find(c->sources, on_sources, c);
}
