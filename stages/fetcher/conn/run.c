#include "stages/fetcher/conn/run.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "stages/fetcher/check/check.h"
#include "stages/fetcher/conn/project_handover.h"
#include "stages/fetcher/conn/run_report.h"
#include "stages/fetcher/state/mr_heads.h"
#include "stages/fetcher/conn/health.h"
#include "stages/fetcher/gitlab/streams.h"

enum { FIRST_PROJECT_STREAM = 1, RETRY_AFTER_MS = 15000, WARM_MS = 500 };

static int64_t now_ms(const struct conn *c)
{
    return wh_clock_now_ms(&c->fetcher->deps.clock);
}

/* ---- projects ---- */

/* What the list did not show is not read in this run; the check finds out why. */
static void skip_unlisted(struct conn *c)
{
    bool rest = source_of(access_sources(c->access), 0)->kind == SOURCE_REST;

    for (struct project *p = c->projects.first; p && rest; p = p->next) {
        if (p->listed_run != c->run_started_ms) {
            (void)snprintf(p->skipped, sizeof(p->skipped),
                           "not among the projects that the token is a member of");
        }
    }
}

/* ---- sweeps ---- */

static struct cursor *sweep_cursor(struct conn *c, char key[96])
{
    (void)snprintf(key, 96, "%s::sweep", c->id);
    return cursors_get(c->fetcher->cursors, wh_slice_str(key));
}

/* The first run lists everything anyway: sweeps count from it. */
static bool sweep_due(struct conn *c)
{
    char key[96];
    const struct cursor *cursor = sweep_cursor(c, key);
    int64_t interval_ms = c->fetcher->deps.conf.sweep_interval_ms;

    return cursor && interval_ms > 0 && cursor->finished_at_ms > 0 &&
           now_ms(c) - cursor->finished_at_ms >= interval_ms;
}

static void note_sweep(struct conn *c)
{
    char key[96];
    struct cursor *cursor = sweep_cursor(c, key);
    WH_AUTO(buf) struct wh_buf json;
    struct wh_err err;

    wh_buf_init(&json, 4096);
    if (cursor == NULL || (cursor->finished_at_ms > 0 && !c->run_sweeps)) {
        return;
    }
    cursor->finished_at_ms = now_ms(c);
    if (!fetcher_owns(c->fetcher, c->id, NULL)) {
        return; /* the record is its owner's; this member counts from its start */
    }
    if (cursor_write(cursor, &json, &err) != WH_OK ||
        fetcher_save_state(c->fetcher, wh_slice_str(c->id), WH_LIT(""), wh_slice_str(key),
                           wh_buf_slice(&json), NULL, &err) != WH_OK) {
        wh_log_warn(c->fetcher->deps.log, "time of the sweep not saved", WH_RC(&err));
    }
}

/* ---- the run ---- */

static void summarise(struct conn *c)
{
    struct client_stats stats = client_stats(access_client(c->access));
    struct run_summary *s;

    if (c->n_summaries == RUNS_KEPT) {
        memmove(c->summaries, c->summaries + 1, (RUNS_KEPT - 1) * sizeof(c->summaries[0]));
        c->n_summaries--;
    }
    s = &c->summaries[c->n_summaries++];
    *s = (struct run_summary){.run = c->run_started_ms,
                              .finished_ms = c->run_finished_ms,
                              .sweep = c->run_sweeps,
                              .ok = !c->run_failed,
                              .requests = stats.requests - c->stats_before.requests,
                              .waited_ms = stats.waited_ms - c->stats_before.waited_ms,
                              .tombstones = c->tombstones};
    s->outcome = health_outcome(c->health, s->run);
    for (unsigned i = 0; i < STREAMS; i++) {
        s->rows += c->counts[i].rows + c->counts[i].found;
        s->skipped += c->counts[i].skipped;
    }
    memcpy(s->counts, c->counts, sizeof(s->counts));
}

void conn_take_outcome(struct conn *c, const struct wh_outcome *o)
{
    for (unsigned i = 0; i < c->n_summaries; i++) {
        if (c->summaries[i].run == o->run) {
            c->summaries[i].outcome = *o;
            c->summaries[i].outcome.connection = WH_LIT(""); /* o's text is borrowed */
        }
    }
}

/* Why a connection that never had a good run is not there yet. */
static void say_failed(struct conn *c)
{
    char detail[240];

    if (c->succeeded || wh_slice_eq(c->doc.state, WH_LIT("need_reconnect"))) {
        return;
    }
    (void)snprintf(detail, sizeof(detail), "the first run failed and is tried again: %.160s",
                   c->error[0] ? c->error : "see the fetcher's log");
    conn_set_state(c, "error", detail);
}

static void run_end(struct conn *c)
{
    struct fetcher *f = c->fetcher;
    int64_t wait = c->run_failed  ? RETRY_AFTER_MS
                   : c->run_stale ? c->next_due_ms - now_ms(c)
                                  : f->deps.conf.sync_interval_ms;

    c->phase = RUN_IDLE;
    c->run_id = 0;
    c->run_finished_ms = now_ms(c);
    c->runs++;
    if (f->draining) {
        return;
    }
    summarise(c);
    run_report(c, true);
    wh_log_info(f->deps.log, "run ended", WH_STR("connection", c->id), WH_B("ok", !c->run_failed),
                WH_B("sweep", c->run_sweeps), WH_I("projects", c->projects.n),
                WH_I("took_ms", c->run_finished_ms - c->run_started_ms));
    if (c->stopped) {
        return;
    }
    wh_timer_start(c->timer, c->run_again || c->again_stale || wait < 0 ? 0 : wait, 0);
    if (c->run_failed) {
        mr_heads_clear(c->heads); /* what was seen may not be in Kafka */
        say_failed(c);
        return;
    }
    c->succeeded = true;
    c->from_ms = 0;
    note_sweep(c);
    /* Without a credential somebody has said why, and knows more. */
    if (sources_any(access_sources(c->access))) {
        health_run_ended(c->health, &(struct health_run){.run = c->run_started_ms,
                                                         .sweep = c->run_sweeps,
                                                         .held = c->held});
    }
}

static void on_checked(void *ctx, const struct check_result *result)
{
    struct conn *c = ctx;

    c->check = NULL;
    c->tombstones = result->tombstones;
    if (result->decided) {
        c->held = result->held;
    }
    if (result->error[0]) {
        (void)snprintf(c->error, sizeof(c->error), "%s", result->error);
    }
    c->run_failed = c->run_failed || !result->ok;
    run_end(c);
}

static void run_check(struct conn *c)
{
    const struct check_run run = {.sweep = c->run_sweeps,
                                  .thorough = c->run_verifies,
                                  .confirm = c->run_confirms,
                                  .client = access_client(c->access),
                                  .projects = &c->projects,
                                  .started_ms = c->run_started_ms,
                                  .counts = c->counts,
                                  .done = on_checked,
                                  .ctx = c};

    c->phase = RUN_CHECK;
    c->check = check_start(&c->check_env, &run);
    if (c->check == NULL) {
        c->run_failed = true;
        run_end(c);
    }
}

/* A run that only takes over leaves out what was read to its end within the interval, here or by
 * the member before. Objects under way have no cursor: they go with the pipelines. */
static bool just_read(struct conn *c, const struct project *project, unsigned stream)
{
    int64_t interval = c->fetcher->deps.conf.sync_interval_ms;
    bool no_cursor = streams[stream].mode == STREAM_OPEN || streams[stream].mode == STREAM_HEADS;
    const char *name = no_cursor ? "pipelines" : streams[stream].name;
    const struct cursor *cursor;
    char key[160];

    if (!c->run_stale) {
        return false;
    }
    (void)snprintf(key, sizeof(key), "%s:%s:%s", c->id, project->id, name);
    cursor = cursors_get(c->fetcher->cursors, wh_slice_str(key));
    if (cursor == NULL || cursor->finished_at_ms + interval <= now_ms(c)) {
        return false;
    }
    if (cursor->finished_at_ms + interval < c->next_due_ms) {
        c->next_due_ms = cursor->finished_at_ms + interval;
    }
    return true;
}

/* Starts the listing of a stream by its source. A stream without a source is counted as skipped. */
static enum wh_rc source_start(struct conn *c, struct project *project, unsigned stream,
                               struct wh_err *err)
{
    const struct sources *sources = access_sources(c->access);
    const struct source *source = source_of(sources, stream);

    if (source->kind != SOURCE_NONE) {
        const struct listing_task task = {.project = project,
                                          .stream = stream,
                                          .client = access_client(c->access),
                                          .tool = source->tool,
                                          .mcp = access_mcp(c->access),
                                          .from_ms = c->from_ms,
                                          .count = &c->counts[stream]};

        return listing_start(&c->listings, &c->listing_env, &task, err);
    }
    if (sources_unanswered(sources)) {
        c->counts[stream].failed++;
        return wh_fail(err, WH_E_UNAVAILABLE, "%s: %s", streams[stream].name, source->reason);
    }
    c->counts[stream].skipped++;
    return WH_OK;
}

static void not_started(struct conn *c, const struct wh_err *err)
{
    c->run_failed = true;
    (void)snprintf(c->error, sizeof(c->error), "%.159s", err->msg);
}

static bool next_task(struct conn *c, struct project **ret_project, unsigned *ret_stream)
{
    while (c->next_project) {
        while (c->next_stream < STREAMS && c->next_project->skipped[0] == '\0' &&
               fetcher_owns(c->fetcher, c->id, c->next_project->id)) {
            *ret_project = c->next_project;
            *ret_stream = c->next_stream++;
            if ((streams[*ret_stream].mode != STREAM_HEADS || c->succeeded) &&
                !just_read(c, *ret_project, *ret_stream)) {
                return true;
            }
        }
        c->next_project = c->next_project->next;
        c->next_stream = FIRST_PROJECT_STREAM;
    }
    return false;
}

static void begin_streams(struct conn *c)
{
    c->phase = RUN_STREAMS;
    c->next_project = c->projects.first;
    c->next_stream = FIRST_PROJECT_STREAM;
}

static void run_more(struct conn *c)
{
    struct project *project;
    unsigned stream;
    struct wh_err err;

    if (c->phase != RUN_STREAMS) {
        return;
    }
    while (!c->fetcher->draining && !c->stopped &&
           c->listings.n < c->fetcher->deps.conf.max_walks && next_task(c, &project, &stream)) {
        if (source_start(c, project, stream, &err) != WH_OK) {
            not_started(c, &err);
        }
    }
    if (c->listings.n > 0 || c->phase != RUN_STREAMS) {
        return;
    }
    /* Tools list no numbers: nothing can be said about what they do not show. */
    if (c->run_failed || access_client(c->access) == NULL || c->fetcher->draining ||
        source_of(access_sources(c->access), 0)->kind != SOURCE_REST) {
        run_end(c);
    } else {
        run_check(c);
    }
}

static void sign_in_needed(struct conn *c)
{
    char text[240];

    c->run_failed = true;
    c->next_project = NULL;
    if (access_drop_token(c->access)) {
        c->run_again = true;
        return;
    }
    if (access_token_refused(c->access) || wh_slice_eq(c->doc.state, WH_LIT("need_reconnect"))) {
        return; /* the next run has the other credential; or who said so knows more */
    }
    (void)snprintf(text, sizeof(text),
                   "GitLab refuses the token (expired or revoked?); give a valid one: wellhead "
                   "connect %.100s --token-file FILE",
                   c->instance);
    conn_set_state(c, "need_reconnect", text);
}

/* One stream that is switched off, not allowed or not known to an older GitLab stops nothing. */
static bool skippable(enum client_outcome why)
{
    return why == CLIENT_GONE || why == CLIENT_DENIED || why == CLIENT_REFUSED;
}

static void skip_stream(struct conn *c, struct project *project, unsigned stream,
                        enum client_outcome why)
{
    c->counts[stream].skipped++;
    project->skips[stream] = (unsigned char)why;
    (void)snprintf(c->error, sizeof(c->error), "project %s: %s is %s", project->id,
                   streams[stream].name,
                   why == CLIENT_GONE     ? "not there"
                   : why == CLIENT_DENIED ? "not allowed"
                                          : "refused");
}

static void take_failure(struct conn *c, const struct listing_task *task,
                         const struct listing_result *result)
{
    /* A tool is refused, too, while a new token pair is on its way. */
    bool renews = task->tool && credential_there(access_credential(c->access));

    if (result->error[0]) {
        (void)snprintf(c->error, sizeof(c->error), "%s", result->error);
    }
    if (result->why == CLIENT_SIGN_IN && !renews) {
        sign_in_needed(c);
    } else if (task->project && skippable(result->why)) {
        skip_stream(c, task->project, task->stream, result->why);
    } else {
        c->run_failed = true;
        c->counts[task->stream].failed++;
    }
}

static void projects_listed(struct conn *c, bool ok)
{
    if (ok) {
        skip_unlisted(c);
    }
    begin_streams(c);
    if (!ok) {
        c->next_project = NULL;
    } else {
        project_handover_announce(c);
    }
}

void conn_listing_ended(void *ctx, const struct listing_task *task,
                        const struct listing_result *result)
{
    struct conn *c = ctx;

    if (result->outcome == LISTING_CANNOT_GO_ON) {
        take_failure(c, task, result);
    }
    if (c->phase == RUN_PROJECTS && task->project == NULL) {
        projects_listed(c, result->outcome == LISTING_ENDED);
    }
    run_more(c);
}

static void on_sources(void *ctx)
{
    struct conn *c = ctx;
    struct wh_err err;

    if (!fetcher_owns(c->fetcher, c->id, NULL)) {
        /* Another member lists the projects and tells of them. */
        project_handover_recall(c);
        skip_unlisted(c);
        begin_streams(c);
        run_more(c);
        return;
    }
    if (source_start(c, NULL, 0, &err) != WH_OK) {
        not_started(c, &err);
        run_end(c);
    } else if (source_of(access_sources(c->access), 0)->kind == SOURCE_NONE) {
        /* Nothing lists the projects: those that a person named are read. */
        projects_listed(c, true);
        run_more(c);
    }
}

/* A producer that meets a topic for the first time is up to a second late with its record: the run
 * would wait for each of these in turn. One that cannot be warmed is only late. */
static void warm_topics(struct conn *c)
{
    struct fetcher *f = c->fetcher;
    const char *const topics[] = {c->raw_topic, f->state_topic, f->runs_topic};
    struct wh_err err;

    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]) && !c->warmed; i++) {
        if (wh_producer_warm(f->producer, topics[i], WARM_MS, &err) != WH_OK) {
            wh_log_debug(f->deps.log, "topic metadata not available yet", WH_RC(&err));
            return;
        }
    }
    c->warmed = true;
}

static void begin_run(struct conn *c, bool stale)
{
    warm_topics(c);
    wh_timer_stop(c->timer);
    for (unsigned i = 0; i < STREAMS; i++) {
        uint64_t total = c->counts[i].total_rows;

        c->counts[i] = (struct stream_count){.total_rows = total};
    }
    for (struct project *p = c->projects.first; p; p = p->next) {
        memset(p->skips, 0, sizeof(p->skips));
    }
    c->run_again = false;
    c->again_stale = false;
    c->run_stale = stale;
    c->run_failed = false;
    c->error[0] = '\0';
    c->run_started_ms = now_ms(c);
    c->run_id = c->run_started_ms;
    c->run_verifies = c->want_verify;
    c->run_confirms = c->want_confirm;
    c->run_sweeps = c->want_verify || c->want_confirm || sweep_due(c);
    c->want_verify = c->want_confirm = false;
    c->tombstones = 0;
    c->stats_before = client_stats(access_client(c->access));
    c->next_due_ms = c->run_started_ms + c->fetcher->deps.conf.sync_interval_ms;
    c->phase = RUN_PROJECTS;
    run_report(c, false);
    sources_find(access_sources(c->access), &c->sources_wait, on_sources, c);
}

static bool may_run(const struct conn *c)
{
    const struct fetcher *f = c->fetcher;

    return sources_any(access_sources(c->access)) && !c->stopped && !f->draining && f->caught_up &&
           ownership_any(&f->ownership);
}

void conn_run(struct conn *c)
{
    if (c->phase != RUN_IDLE) {
        c->run_again = true;
    } else if (may_run(c)) {
        begin_run(c, false);
    }
}

void conn_run_stale(struct conn *c)
{
    if (c->phase != RUN_IDLE) {
        c->again_stale = true;
    } else if (may_run(c)) {
        begin_run(c, true);
    }
}

void conn_run_due(struct conn *c)
{
    if (c->again_stale && !c->run_again) {
        conn_run_stale(c);
    } else {
        conn_run(c);
    }
}
