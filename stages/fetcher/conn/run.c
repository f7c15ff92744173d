#include "stages/fetcher/conn/run.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/conn/stream_report.h"
#include "stages/fetcher/check/check.h"
#include "stages/fetcher/conn/project_handover.h"
#include "stages/fetcher/conn/run_report.h"
#include "stages/fetcher/state/mr_heads.h"
#include "stages/fetcher/conn/health.h"
#include "stages/fetcher/conn/listed_ledger.h"
#include "stages/fetcher/gitlab/streams.h"

enum { RETRY_AFTER_MS = 15000 };

static int64_t now_ms(const struct conn *c)
{
    return wh_clock_now_ms(&c->fetcher->deps.clock);
}

/* ---- projects ---- */

/* Projects that the list did not contain are not read in this run; the check finds out why. */
static void skip_unlisted(struct conn *c)
{
    bool rest = source_of(access_sources(c->access), 0)->kind == SOURCE_REST;

    for (struct project *p = c->projects.first; p && rest; p = p->next) {
        if (p->listed_run != c->run.started_ms) {
            (void)snprintf(p->skipped, sizeof(p->skipped),
                           "not among the projects that the token is a member of");
        }
    }
}

/* ---- sweeps ---- */

static struct cursor *sweep_cursor(struct conn *c, char key[CURSOR_KEY_MAX])
{
    cursor_key(key, c->id, WH_LIT(""), "sweep");
    return cursors_get(c->fetcher->cursors, wh_slice_str(key));
}

/* The first run lists everything, so the interval of the sweeps begins with it. */
static bool sweep_due(struct conn *c)
{
    char key[CURSOR_KEY_MAX];
    const struct cursor *cursor = sweep_cursor(c, key);
    int64_t interval_ms = c->fetcher->deps.conf.sweep_interval_ms;

    return cursor && interval_ms > 0 && cursor->finished_at_ms > 0 &&
           now_ms(c) - cursor->finished_at_ms >= interval_ms;
}

static void note_sweep(struct conn *c)
{
    char key[CURSOR_KEY_MAX];
    struct cursor *cursor = sweep_cursor(c, key);
    WH_AUTO(buf) struct wh_buf json;
    struct wh_err err;

    wh_buf_init(&json, 4096);
    if (cursor == NULL || (cursor->finished_at_ms > 0 && !c->run.sweeps)) {
        return;
    }
    cursor->finished_at_ms = now_ms(c);
    if (!fetcher_owns(c->fetcher, c->id, NULL)) {
        return; /* only the owner writes the record; this member counts from its own start */
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
    struct run_summary *s;

    if (c->run.n_summaries == RUNS_KEPT) {
        memmove(c->run.summaries, c->run.summaries + 1,
                (RUNS_KEPT - 1) * sizeof(c->run.summaries[0]));
        c->run.n_summaries--;
    }
    s = &c->run.summaries[c->run.n_summaries++];
    *s = (struct run_summary){.run = c->run.started_ms,
                              .finished_ms = c->run.finished_ms,
                              .sweep = c->run.sweeps,
                              .ok = !c->run.failed,
                              .requests = run_requests(c),
                              .waited_ms = run_waited_ms(c),
                              .tombstones = c->run.tombstones};
    s->outcome = health_outcome(c->health, s->run);
    for (unsigned i = 0; i < STREAMS; i++) {
        s->rows += c->run.counts[i].rows + c->run.counts[i].found;
        s->skipped += c->run.counts[i].skipped;
    }
    memcpy(s->counts, c->run.counts, sizeof(s->counts));
}

void conn_take_outcome(struct conn *c, const struct wh_outcome *o)
{
    for (unsigned i = 0; i < c->run.n_summaries; i++) {
        if (c->run.summaries[i].run == o->run) {
            c->run.summaries[i].outcome = *o;
            c->run.summaries[i].outcome.connection = WH_LIT(""); /* o's text is borrowed */
        }
    }
}

/* The state that follows from the streams. Without a valid credential the state already says why. */
static void judge_streams(struct conn *c)
{
    struct wh_streams_verdict v;

    if (wh_slice_eq(c->doc.state, WH_LIT("need_reconnect"))) {
        return;
    }
    stream_report_judge(c, &v);
    if (v.detail[0]) {
        conn_set_state(c, v.state, v.detail);
    }
}

void conn_run_tell(struct conn *c)
{
    stream_report_publish(c);
    judge_streams(c);
}

static void plan_next(struct conn *c)
{
    int64_t interval = c->fetcher->deps.conf.sync_interval_ms;
    int64_t wait = c->run.stale ? c->run.next_due_ms - now_ms(c) : interval;

    if (c->run.failed) {
        /* A person must give another token. This one is tried again in case GitLab was wrong. */
        wait = c->run.refused || stream_report_all_skipped(c) ? interval : RETRY_AFTER_MS;
    }
    if (c->run.again || c->run.again_stale || wait < 0) {
        wait = 0;
    }
    c->run.next_ms = now_ms(c) + wait;
    wh_timer_start(c->run.timer, wait, 0);
}

/* A run that GitLab has given nothing but refusals has not read. */
static void fail_if_all_skipped(struct conn *c)
{
    char first[sizeof(c->run.error)];

    if (!c->run.failed && stream_report_all_skipped(c)) {
        memcpy(first, c->run.error, sizeof(first));
        c->run.failed = true;
        (void)snprintf(c->run.error, sizeof(c->run.error),
                       "GitLab refuses every stream of every project: %.110s", first);
    }
}

static void run_end(struct conn *c)
{
    struct fetcher *f = c->fetcher;

    c->run.phase = RUN_IDLE;
    wh_timer_stop(c->run.teller);
    c->run.id = 0;
    c->run.finished_ms = now_ms(c);
    c->run.count++;
    if (f->draining) {
        return;
    }
    fail_if_all_skipped(c);
    stream_report_run_ended(c);
    summarise(c);
    run_report(c, true);
    wh_log_info(f->deps.log, "run ended", WH_STR("connection", c->id), WH_B("ok", !c->run.failed),
                WH_B("sweep", c->run.sweeps), WH_I("projects", c->projects.n),
                WH_I("took_ms", c->run.finished_ms - c->run.started_ms));
    if (c->stopped) {
        return;
    }
    plan_next(c);
    stream_report_publish(c);
    if (c->run.failed) {
        mr_heads_clear(c->reads.heads); /* their records may not be in Kafka */
        judge_streams(c);
        return;
    }
    c->run.succeeded = true;
    c->run.from_ms = 0;
    note_sweep(c);
    /* Without a credential the state already says why. */
    if (sources_any(access_sources(c->access))) {
        health_run_ended(c->health, &(struct health_run){.run = c->run.started_ms,
                                                         .sweep = c->run.sweeps,
                                                         .held = c->run.held});
    }
}

static void on_checked(void *ctx, const struct check_result *result)
{
    struct conn *c = ctx;

    c->reads.check = NULL;
    c->run.tombstones = result->tombstones;
    if (result->decided) {
        c->run.held = result->held;
    }
    if (result->error[0]) {
        (void)snprintf(c->run.error, sizeof(c->run.error), "%s", result->error);
    }
    stream_report_check_ended(c, result);
    c->run.failed = c->run.failed || !result->ok;
    run_end(c);
}

static void run_check(struct conn *c)
{
    const struct check_run run = {.sweep = c->run.sweeps,
                                  .thorough = c->run.verifies,
                                  .confirm = c->run.confirms,
                                  .client = access_client(c->access),
                                  .mcp = access_mcp(c->access),
                                  .projects = &c->projects,
                                  .started_ms = c->run.started_ms,
                                  .counts = c->run.counts,
                                  .done = on_checked,
                                  .ctx = c};

    c->run.phase = RUN_CHECK;
    stream_report_check_begins(c);
    c->reads.check = check_start(&c->reads.check_env, &run);
    if (c->reads.check == NULL) {
        c->run.failed = true;
        run_end(c);
    }
}

/* A run that takes projects over leaves out the streams that this member or the previous one has read
 * to their end within the interval. Streams without a cursor follow the pipelines. */
static bool just_read(struct conn *c, const struct project *project, unsigned stream)
{
    int64_t interval = c->fetcher->deps.conf.sync_interval_ms;
    bool no_cursor = streams[stream].mode == STREAM_OPEN || streams[stream].mode == STREAM_HEADS;
    const char *name = no_cursor ? "pipelines" : streams[stream].name;
    const struct cursor *cursor;
    char key[CURSOR_KEY_MAX];

    if (!c->run.stale) {
        return false;
    }
    cursor_key(key, c->id, wh_slice_str(project->id), name);
    cursor = cursors_get(c->fetcher->cursors, wh_slice_str(key));
    if (cursor == NULL || cursor->finished_at_ms + interval <= now_ms(c)) {
        return false;
    }
    if (cursor->finished_at_ms + interval < c->run.next_due_ms) {
        c->run.next_due_ms = cursor->finished_at_ms + interval;
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
                                          .from_ms = c->run.from_ms,
                                          .count = &c->run.counts[stream]};

        listed_ledger_begin(c, project, stream);
        return listing_start(&c->reads.listings, &c->reads.listing_env, &task, err);
    }
    if (sources_unanswered(sources)) {
        c->run.counts[stream].failed++;
        stream_report_listing_failed(c, stream, source->reason);
        return wh_fail(err, WH_E_UNAVAILABLE, "%s: %s", streams[stream].name, source->reason);
    }
    c->run.counts[stream].skipped++;
    return WH_OK;
}

static void not_started(struct conn *c, const struct wh_err *err)
{
    c->run.failed = true;
    (void)snprintf(c->run.error, sizeof(c->run.error), "%.159s", err->msg);
}

/* The listing of pipelines asks for trigger jobs where child pipelines were seen before. */
static bool must_wait(const struct conn *c)
{
    return c->run.next_stream < STREAMS &&
           streams[c->run.next_stream].rules & STREAM_AFTER_CHILDREN &&
           listings_read(&c->reads.listings, c->run.next_project, STREAM_CHILD_PIPELINES);
}

static bool next_task(struct conn *c, struct project **ret_project, unsigned *ret_stream)
{
    while (c->run.next_project) {
        while (c->run.next_stream < STREAMS && c->run.next_project->skipped[0] == '\0' &&
               fetcher_owns(c->fetcher, c->id, c->run.next_project->id)) {
            if (must_wait(c)) {
                return false;
            }
            *ret_project = c->run.next_project;
            *ret_stream = c->run.next_stream++;
            if ((streams[*ret_stream].mode != STREAM_HEADS || c->run.succeeded) &&
                !just_read(c, *ret_project, *ret_stream)) {
                return true;
            }
        }
        c->run.next_project = c->run.next_project->next;
        c->run.next_stream = FIRST_PROJECT_STREAM;
    }
    return false;
}

static void begin_streams(struct conn *c)
{
    c->run.phase = RUN_STREAMS;
    c->run.next_project = c->projects.first;
    c->run.next_stream = FIRST_PROJECT_STREAM;
}

/* What a check finds out is of projects that REST lists, or of objects that tools list. */
static bool can_check(const struct conn *c)
{
    const struct sources *sources = access_sources(c->access);

    for (unsigned i = FIRST_PROJECT_STREAM; i < STREAMS; i++) {
        if (source_of(sources, i)->kind == SOURCE_MCP && access_mcp(c->access)) {
            return true;
        }
    }
    return access_client(c->access) && source_of(sources, 0)->kind == SOURCE_REST;
}

static void run_more(struct conn *c)
{
    struct project *project;
    unsigned stream;
    struct wh_err err;

    if (c->run.phase != RUN_STREAMS) {
        return;
    }
    while (!c->fetcher->draining && !c->stopped &&
           c->reads.listings.n < c->fetcher->deps.conf.max_walks &&
           next_task(c, &project, &stream)) {
        if (source_start(c, project, stream, &err) != WH_OK) {
            not_started(c, &err);
        }
    }
    if (c->reads.listings.n > 0 || c->run.phase != RUN_STREAMS) {
        return;
    }
    if (c->run.failed || c->fetcher->draining || !can_check(c)) {
        run_end(c);
    } else {
        run_check(c);
    }
}

static void sign_in_needed(struct conn *c)
{
    char text[240];

    c->run.failed = true;
    c->run.next_project = NULL;
    if (access_drop_token(c->access)) {
        c->run.again = true;
        return;
    }
    if (access_token_refused(c->access)) {
        return; /* another listing has dropped it already */
    }
    c->run.refused = true;
    if (wh_slice_eq(c->doc.state, WH_LIT("need_reconnect"))) {
        return; /* the state already says why */
    }
    (void)snprintf(text, sizeof(text),
                   "GitLab refuses the token (expired or revoked?); give a valid one: wellhead "
                   "connect %.100s --token-file FILE",
                   c->instance);
    conn_set_state(c, "need_reconnect", text);
}

/* A stream may be switched off, not allowed, or unknown to an older GitLab; the others are read. A tool that
 * GitLab lists and then refuses has failed. */
static bool skippable(const struct listing_task *task, enum client_outcome why)
{
    return !task->tool && (why == CLIENT_GONE || why == CLIENT_DENIED || why == CLIENT_REFUSED);
}

static void skip_stream(struct conn *c, struct project *project, unsigned stream,
                        enum client_outcome why)
{
    c->run.counts[stream].skipped++;
    project->skips[stream] = (unsigned char)why;
    (void)snprintf(c->run.error, sizeof(c->run.error), "project %s: %s is %s", project->id,
                   streams[stream].name,
                   why == CLIENT_GONE     ? "not there"
                   : why == CLIENT_DENIED ? "not allowed"
                                          : "refused");
}

static void take_failure(struct conn *c, const struct listing_task *task,
                         const struct listing_result *result)
{
    /* A tool is also refused while a new token pair is on its way. */
    bool renews = task->tool && credential_there(access_credential(c->access));

    if (result->why == CLIENT_SIGN_IN && !renews) {
        sign_in_needed(c);
    } else if (task->project && skippable(task, result->why)) {
        skip_stream(c, task->project, task->stream, result->why);
    } else {
        c->run.failed = true;
        c->run.counts[task->stream].failed++;
        stream_report_listing_failed(c, task->stream, result->error);
    }
}

static void projects_listed(struct conn *c, bool ok)
{
    if (ok) {
        skip_unlisted(c);
    }
    begin_streams(c);
    if (!ok) {
        c->run.next_project = NULL;
    } else {
        project_handover_announce(c);
    }
}

void conn_listing_ended(void *ctx, const struct listing_task *task,
                        const struct listing_result *result)
{
    struct conn *c = ctx;

    if (result->error[0]) {
        (void)snprintf(c->run.error, sizeof(c->run.error), "%s", result->error);
    }
    stream_report_listing_ended(c, task, result);
    listed_ledger_end(c, task, result);
    if (result->outcome == LISTING_CANNOT_GO_ON) {
        take_failure(c, task, result);
    } else if (result->unread) {
        c->run.counts[task->stream].failed++;
    }
    if (c->run.phase == RUN_PROJECTS && task->project == NULL) {
        projects_listed(c, result->outcome == LISTING_ENDED);
    }
    run_more(c);
}

static void on_sources(void *ctx)
{
    struct conn *c = ctx;
    struct wh_err err;

    stream_report_publish(c);
    wh_timer_start(c->run.teller, WH_STREAMS_MS, WH_STREAMS_MS);
    if (!fetcher_owns(c->fetcher, c->id, NULL)) {
        /* Another member lists the projects and announces them. */
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
        /* Nothing lists the projects, so those that a person named are read. */
        projects_listed(c, true);
        run_more(c);
    }
}

/* The first record of a topic waits up to a second for the topic's metadata, so these are requested
 * before the run needs them. Without a broker the next run requests them again. Nothing waits here. */
static void warm_topics(struct conn *c)
{
    struct fetcher *f = c->fetcher;
    const char *const topics[] = {c->raw_topic, f->topics.state, f->topics.runs};
    bool asked = true;
    struct wh_err err;

    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]) && !c->run.warmed; i++) {
        enum wh_rc rc = wh_producer_warm(f->producer, topics[i], 0, &err);

        asked = asked && (rc == WH_OK || rc == WH_E_TIMEOUT);
    }
    c->run.warmed = asked;
}

static void begin_run(struct conn *c, bool stale)
{
    warm_topics(c);
    wh_timer_stop(c->run.timer);
    for (unsigned i = 0; i < STREAMS; i++) {
        uint64_t total = c->run.counts[i].total_rows;

        c->run.counts[i] = (struct stream_count){.total_rows = total};
    }
    for (struct project *p = c->projects.first; p; p = p->next) {
        memset(p->skips, 0, sizeof(p->skips));
    }
    c->run.again = false;
    c->run.again_stale = false;
    c->run.stale = stale;
    c->run.failed = false;
    c->run.refused = false;
    c->run.next_ms = 0;
    c->run.error[0] = '\0';
    c->run.started_ms = now_ms(c);
    c->run.id = c->run.started_ms;
    c->run.begun_ms = c->run.begun_ms > 0 ? c->run.begun_ms : c->run.started_ms;
    stream_report_run_begins(c);
    c->run.verifies = c->run.want_verify;
    c->run.confirms = c->run.want_confirm;
    c->run.sweeps = c->run.want_verify || c->run.want_confirm || sweep_due(c);
    c->run.want_verify = c->run.want_confirm = false;
    c->run.tombstones = 0;
    c->run.requests_before = access_requests(c->access);
    c->run.waited_before_ms = client_stats(access_client(c->access)).waited_ms;
    c->run.next_due_ms = c->run.started_ms + c->fetcher->deps.conf.sync_interval_ms;
    c->run.phase = RUN_PROJECTS;
    run_report(c, false);
    sources_find(access_sources(c->access), &c->run.sources_wait, on_sources, c);
}

static bool may_run(const struct conn *c)
{
    const struct fetcher *f = c->fetcher;

    return sources_any(access_sources(c->access)) && !c->stopped && !f->draining && f->caught_up &&
           ownership_any(&f->ownership);
}

void conn_run(struct conn *c)
{
    if (c->run.phase != RUN_IDLE) {
        c->run.again = true;
    } else if (may_run(c)) {
        begin_run(c, false);
    }
}

void conn_run_stale(struct conn *c)
{
    if (c->run.phase != RUN_IDLE) {
        c->run.again_stale = true;
    } else if (may_run(c)) {
        begin_run(c, true);
    }
}

void conn_run_due(struct conn *c)
{
    if (c->run.again_stale && !c->run.again) {
        conn_run_stale(c);
    } else {
        conn_run(c);
    }
}
