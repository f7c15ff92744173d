#include "stages/fetcher/conn/stream_report.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/conn/number_ledger.h"
#include "stages/fetcher/conn/run_report.h"

enum { DOCUMENT_MAX_BYTES = 64 << 10, KEY_MAX_BYTES = 512, LEFT_MS = 6 * WH_STREAMS_MS };

static int64_t now_ms(const struct conn *c)
{
    return wh_clock_now_ms(&c->fetcher->deps.clock);
}

/* ---- what happens in a run ---- */

void stream_report_run_begins(struct conn *c)
{
    for (unsigned i = 0; i < STREAMS; i++) {
        struct stream_trace *t = &c->run.traces.list[i];

        t->ended = t->failed = t->unread = 0;
    }
    c->run.traces.progress_ms = now_ms(c);
}

static void note(struct stream_trace *t, const char *text)
{
    if (text[0]) {
        (void)snprintf(t->error, sizeof(t->error), "%s", text);
    }
}

/* What every run lists whole is counted by that. Milestones of a group are listed in each of its projects. */
static void note_rows(struct stream_trace *t, const struct listing_task *task, int64_t rows)
{
    if (task->project == NULL) {
        t->listed_rows = rows;
    } else if (streams[task->stream].mode == STREAM_LIST &&
               strcmp(streams[task->stream].name, "milestones") != 0) {
        task->project->rows[task->stream] = rows + 1;
    }
}

void stream_report_listing_ended(struct conn *c, const struct listing_task *task,
                                 const struct listing_result *result)
{
    struct stream_trace *t = &c->run.traces.list[task->stream];

    t->ended += result->outcome == LISTING_ENDED;
    if (result->outcome == LISTING_ENDED && task->tool == NULL) {
        note_rows(t, task, (int64_t)result->listed);
    }
    if (task->project == NULL && result->outcome == LISTING_ENDED) {
        t->listed_ms = now_ms(c);
    }
    t->unread += result->unread;
    note(t, result->error);
}

void stream_report_listing_failed(struct conn *c, unsigned stream, const char *why)
{
    struct stream_trace *t = &c->run.traces.list[stream];

    t->failed++;
    note(t, why);
}

void stream_report_check_begins(struct conn *c)
{
    for (unsigned i = 0; i < STREAMS; i++) {
        c->run.traces.before_check[i] = c->run.counts[i].failed;
    }
}

/* A check that goes on without a number leaves the number unread. */
void stream_report_check_ended(struct conn *c, const struct check_result *result)
{
    for (unsigned i = 0; i < STREAMS; i++) {
        struct stream_trace *t = &c->run.traces.list[i];
        uint64_t n = c->run.counts[i].failed - c->run.traces.before_check[i];

        if (n > 0) {
            t->failed += result->ok ? 0 : n;
            t->unread += result->ok ? n : 0;
            note(t, result->error);
        }
    }
}

static void count_run(int64_t *runs, int64_t *since_ms, bool failed, int64_t at_ms)
{
    *runs = failed ? *runs + 1 : 0;
    if (*runs <= 1) {
        *since_ms = failed ? at_ms : 0;
    }
}

void stream_report_run_ended(struct conn *c)
{
    struct stream_traces *all = &c->run.traces;

    for (unsigned i = 0; i < STREAMS; i++) {
        struct stream_trace *t = &all->list[i];

        if (t->failed > 0 || t->ended > 0) {
            count_run(&t->failing_runs, &t->failing_since_ms, t->failed > 0, c->run.finished_ms);
        }
        if (t->failing_runs == 0 && t->unread == 0) {
            t->error[0] = '\0';
        }
    }
    count_run(&all->failing_runs, &all->failing_since_ms, c->run.failed, c->run.finished_ms);
    if (!c->run.failed) {
        all->succeeded_ms = c->run.finished_ms;
    }
}

bool stream_report_all_skipped(const struct conn *c)
{
    uint64_t skipped = 0;

    for (unsigned i = FIRST_PROJECT_STREAM; i < STREAMS; i++) {
        const struct stream_trace *t = &c->run.traces.list[i];

        if (t->ended + t->failed > 0) {
            return false;
        }
    }
    for (const struct project *p = c->projects.first; p; p = p->next) {
        for (unsigned i = FIRST_PROJECT_STREAM; i < STREAMS; i++) {
            skipped += p->skips[i] != 0;
        }
    }
    return skipped > 0;
}

/* ---- the report ---- */

/* The stream that this is a part of, or itself. */
static unsigned whole_of(unsigned stream)
{
    const char *name = streams[stream].mode == STREAM_OPEN    ? "pipelines"
                       : streams[stream].mode == STREAM_HEADS ? "merge_requests"
                                                              : streams[stream].name;
    unsigned i = 0;

    while (strcmp(streams[i].name, name) != 0) {
        i++;
    }
    return i;
}

static bool is_ours(const struct conn *c, const struct project *p)
{
    return p->skipped[0] == '\0' && fetcher_owns(c->fetcher, c->id, p->id);
}

static int64_t finished_ms(const struct conn *c, const char *project, unsigned stream)
{
    bool by_tool = source_of(access_sources(c->access), stream)->kind == SOURCE_MCP;
    const struct cursor *cursor;
    char key[CURSOR_KEY_MAX];
    char name[48];

    (void)snprintf(name, sizeof(name), "%s%s", streams[stream].name, by_tool ? "@mcp" : "");
    cursor_key(key, c->id, wh_slice_str(project), name);
    cursor = cursors_get(c->fetcher->cursors, wh_slice_str(key));
    return cursor ? cursor->finished_at_ms : 0;
}

/* What GitLab refuses, and since when all projects were read. */
static void look_at_projects(const struct conn *c, unsigned stream, struct wh_stream *one,
                             const struct project **ret_skipped)
{
    int64_t oldest_ms = INT64_MAX;
    int64_t rows = 0;
    bool counted = true;

    for (const struct project *p = c->projects.first; p; p = p->next) {
        int64_t at_ms;

        if (!is_ours(c, p)) {
            continue;
        }
        one->projects++;
        if (p->skips[stream]) {
            one->skipped++;
            *ret_skipped = p;
            continue;
        }
        at_ms = finished_ms(c, p->id, stream);
        oldest_ms = at_ms < oldest_ms ? at_ms : oldest_ms;
        counted = counted && p->rows[stream] > 0;
        rows += p->rows[stream] - 1;
    }
    if (counted && one->projects > one->skipped) {
        one->at_gitlab = rows;
        one->counted_by = WH_LIT("listed");
    }
    one->last_success_ms = oldest_ms == INT64_MAX ? 0 : oldest_ms;
}

static const char *skip_word(unsigned why)
{
    return why == CLIENT_GONE     ? "not there (404)"
           : why == CLIENT_DENIED ? "not allowed (403)"
                                  : "refused";
}

static void say_skipped(const struct wh_stream *one, const struct project *p, unsigned stream,
                        char to[STREAM_TEXT_MAX])
{
    if (one->skipped == one->projects) {
        (void)snprintf(to, STREAM_TEXT_MAX, "%s in %s", skip_word(p->skips[stream]),
                       one->projects > 1 ? "all projects" : "the project");
    } else {
        (void)snprintf(to, STREAM_TEXT_MAX, "%s in %" PRId64 " of %" PRId64 " projects, as %.100s",
                       skip_word(p->skips[stream]), one->skipped, one->projects,
                       p->path ? p->path : p->id);
    }
}

/* While the run comes to projects, one after another, every stream is still to be read. */
static bool is_active(const struct conn *c, unsigned stream)
{
    const struct listings *under_way = &c->reads.listings;

    if (c->run.phase == RUN_PROJECTS) {
        return true;
    }
    if (c->run.phase != RUN_STREAMS || stream == 0) {
        return false;
    }
    if (c->run.next_project) {
        return true;
    }
    for (const struct project *p = c->projects.first; p && under_way->n > 0; p = p->next) {
        if (listings_read(under_way, p, stream)) {
            return true;
        }
    }
    return false;
}

static void add_trace(struct wh_stream *one, const struct stream_trace *t, char to[STREAM_TEXT_MAX])
{
    one->unread += (int64_t)t->unread;
    if (t->failing_runs > one->failing_runs) {
        one->failing_runs = t->failing_runs;
        one->failing_since_ms = t->failing_since_ms;
    }
    if ((t->failing_runs > 0 || t->unread > 0) && t->error[0]) {
        memcpy(to, t->error, STREAM_TEXT_MAX);
    }
}

static struct wh_slice credential_of(const struct conn *c, const struct source *source)
{
    return source->kind == SOURCE_NONE                                  ? WH_LIT("")
           : source->kind == SOURCE_REST && access_has_token(c->access) ? WH_LIT("read_api token")
                                                                        : WH_LIT("approval");
}

static void fill_one(const struct conn *c, unsigned stream, struct wh_stream *one,
                     char reason[STREAM_TEXT_MAX])
{
    const struct source *source = source_of(access_sources(c->access), stream);
    const struct project *skipped = NULL;

    *one = (struct wh_stream){.name = wh_slice_str(streams[stream].name),
                              .read_by = wh_slice_str(source_word(source)),
                              .tool = wh_slice_str(source->tool ? source->tool : ""),
                              .credential = credential_of(c, source),
                              .counted_by = WH_LIT(""),
                              .at_gitlab = -1,
                              .missing = -1,
                              .active = is_active(c, stream)};
    reason[0] = '\0';
    if (source->kind == SOURCE_NONE) {
        (void)snprintf(reason, STREAM_TEXT_MAX, "%s", source->reason ? source->reason : "");
    } else if (stream == 0) {
        one->last_success_ms = c->run.traces.list[0].listed_ms;
        if (c->run.traces.list[0].listed_rows > 0) {
            one->at_gitlab = c->run.traces.list[0].listed_rows;
            one->counted_by = WH_LIT("listed");
        }
    } else {
        look_at_projects(c, stream, one, &skipped);
        if (skipped) {
            say_skipped(one, skipped, stream, reason);
        }
    }
    add_trace(one, &c->run.traces.list[stream], reason);
}

/* Issues, merge requests and pipelines are counted by GitLab's numbers. */
static void add_numbers(const struct conn *c, struct wh_stream *one, enum numbers_stream stream)
{
    const struct numbers_table *t = c->fetcher->numbers;
    struct number_counts sum = {0};

    for (const struct numbers *n = numbers_next(t, NULL); n; n = numbers_next(t, n)) {
        if (n->stream == stream && strcmp(n->connection, c->id) == 0 &&
            fetcher_owns(c->fetcher, c->id, n->project)) {
            struct number_counts counts = number_set_counts(n->set);

            sum.have += counts.have;
            sum.held += counts.held;
            sum.missing += counts.missing;
        }
    }
    /* A number without a pipeline that could not be looked for may be of one that was deleted long ago. */
    if (stream == NUMBERS_PIPELINES && sum.missing > 0) {
        one->counted_by = WH_LIT("listed");
        one->at_gitlab = sum.have + sum.held;
        return;
    }
    one->counted_by = WH_LIT("numbers");
    one->at_gitlab = sum.have + sum.held + sum.missing;
    one->missing = sum.missing;
}

/* A stream with its parts. */
static void fill_whole(const struct conn *c, unsigned stream, struct wh_stream *one,
                       char reason[STREAM_TEXT_MAX])
{
    enum numbers_stream numbers = numbers_stream_of(stream);

    fill_one(c, stream, one, reason);
    for (unsigned i = 0; i < STREAMS; i++) {
        if (i != stream && whole_of(i) == stream) {
            add_trace(one, &c->run.traces.list[i], reason);
        }
    }
    if (numbers < NUMBERS_PROOF &&
        source_of(access_sources(c->access), stream)->kind == SOURCE_REST) {
        add_numbers(c, one, numbers);
    }
    one->reason = wh_slice_str(reason);
}

/* Jobs are read with their pipelines, by REST alone. */
static void fill_jobs(const struct conn *c, const struct wh_stream *pipelines,
                      struct wh_stream *jobs)
{
    *jobs = *pipelines;
    jobs->name = WH_LIT("jobs");
    jobs->at_gitlab = -1;
    jobs->missing = -1;
    jobs->counted_by = WH_LIT("");
    if (wh_slice_eq(pipelines->read_by, WH_LIT("rest"))) {
        struct number_counts n = number_ledger_pipelines(c);

        jobs->counted_by = WH_LIT("pipelines");
        jobs->missing = n.missing;
    } else {
        *jobs = (struct wh_stream){.name = WH_LIT("jobs"),
                                   .read_by = WH_LIT("none"),
                                   .tool = WH_LIT(""),
                                   .credential = WH_LIT(""),
                                   .reason = WH_LIT("GitLab has no MCP tool that lists jobs; "
                                                    "webhooks alone tell of them"),
                                   .counted_by = WH_LIT(""),
                                   .at_gitlab = -1,
                                   .missing = -1};
    }
}

void stream_report_fill(const struct conn *c, struct wh_streams *ret, struct stream_texts *texts)
{
    const struct stream_traces *all = &c->run.traces;
    /* Another member lists the projects. */
    unsigned first = fetcher_owns(c->fetcher, c->id, NULL) ? 0 : FIRST_PROJECT_STREAM;

    *ret = (struct wh_streams){.connection = wh_slice_str(c->id),
                               .fetcher = wh_slice_str(c->fetcher->deps.conf.member),
                               .at_ms = now_ms(c),
                               .started_ms = c->run.begun_ms,
                               .run = c->run.phase == RUN_IDLE ? 0 : c->run.started_ms,
                               .sweeps = c->run.sweeps,
                               .progress_ms = all->progress_ms,
                               .interval_ms = c->fetcher->deps.conf.sync_interval_ms,
                               .succeeded_ms = all->succeeded_ms,
                               .failing_runs = all->failing_runs,
                               .failing_since_ms = all->failing_since_ms,
                               .error = wh_slice_str(c->run.error)};
    for (unsigned i = first; i < STREAMS; i++) {
        if (whole_of(i) == i) {
            fill_whole(c, i, &ret->list[ret->n++], texts->reasons[i]);
        }
        if (numbers_stream_of(i) == NUMBERS_PIPELINES) {
            fill_jobs(c, &ret->list[ret->n - 1], &ret->list[ret->n]);
            ret->n++;
        }
    }
}

void stream_report_judge(const struct conn *c, struct wh_streams_verdict *ret)
{
    struct stream_texts texts;
    struct wh_streams all;

    stream_report_fill(c, &all, &texts);
    wh_streams_judge(&all, now_ms(c), ret);
}

/* ---- the topic ---- */

static void note_progress(struct conn *c)
{
    struct stream_traces *all = &c->run.traces;
    uint64_t sum = 0;

    for (unsigned i = 0; i < STREAMS; i++) {
        const struct stream_count *n = &c->run.counts[i];

        sum += n->pages + n->follow_ups + n->checked + n->singles + n->produced;
    }
    if (sum != all->progress) {
        all->progress = sum;
        all->progress_ms = now_ms(c);
    }
}

void stream_report_publish(struct conn *c)
{
    WH_AUTO(buf) struct wh_buf json;
    struct stream_texts texts;
    struct wh_streams all;
    char key[KEY_MAX_BYTES];
    struct wh_err err;
    int len = snprintf(key, sizeof(key), "%s:streams:%s", c->id, c->fetcher->deps.conf.member);

    note_progress(c);
    wh_buf_init(&json, DOCUMENT_MAX_BYTES);
    stream_report_fill(c, &all, &texts);
    if (wh_streams_write(&all, &json, &err) != WH_OK ||
        outbox_document(c->fetcher->outbox,
                        &(struct outbox_document){.schema = WH_DOCUMENT_HEALTH,
                                                  .topic = c->fetcher->topics.health,
                                                  .key = wh_slice(key, len > 0 ? (size_t)len : 0),
                                                  .connection = wh_slice_str(c->id),
                                                  .json = wh_buf_slice(&json)},
                        NULL, &err) != WH_OK) {
        wh_log_warn(c->fetcher->deps.log, "states of the streams not published", WH_RC(&err));
    }
}

/* ---- what an earlier process has left ---- */

static void restore_one(struct stream_traces *all, const struct wh_stream *one)
{
    for (unsigned i = 0; i < STREAMS; i++) {
        if (wh_slice_eq(one->name, wh_slice_str(streams[i].name))) {
            struct stream_trace *t = &all->list[i];

            t->listed_ms = i == 0 ? one->last_success_ms : 0;
            t->failing_runs = one->failing_runs;
            t->failing_since_ms = one->failing_since_ms;
            if (one->failing_runs > 0) {
                (void)snprintf(t->error, sizeof(t->error), "%.*s", WH_SLICE_ARG(one->reason));
            }
        }
    }
}

/* The counts of failing runs go on. */
static void restore(struct conn *c, const struct wh_streams *left)
{
    struct stream_traces *all = &c->run.traces;

    all->failing_runs = left->failing_runs;
    all->failing_since_ms = left->failing_since_ms;
    all->succeeded_ms = left->succeeded_ms;
    for (size_t i = 0; i < left->n; i++) {
        restore_one(all, &left->list[i]);
    }
    if (c->run.error[0] == '\0') {
        (void)snprintf(c->run.error, sizeof(c->run.error), "%.*s", WH_SLICE_ARG(left->error));
    }
}

/* The newest report of each fetcher counts. */
static void note_left(struct stream_traces *all, const struct wh_streams *left)
{
    uint64_t fetcher = wh_hash64(left->fetcher) | 1;

    for (size_t i = 0; i < STREAM_CUTS_MAX; i++) {
        struct stream_cut *cut = &all->cuts[i];

        if (cut->fetcher == 0 || cut->fetcher == fetcher) {
            *cut = (struct stream_cut){
                .fetcher = fetcher, .run = left->run, .at_ms = left->at_ms, .sweeps = left->sweeps};
            return;
        }
    }
}

/* Our own first report has come back: every earlier one was read. Another fetcher may still be in the middle of
 * its run. */
static void close_cuts(struct conn *c)
{
    uint64_t own = wh_hash64(wh_slice_str(c->fetcher->deps.conf.member)) | 1;

    for (size_t i = 0; i < STREAM_CUTS_MAX; i++) {
        const struct stream_cut *cut = &c->run.traces.cuts[i];

        if (cut->run > 0 && (cut->fetcher == own || now_ms(c) - cut->at_ms > LEFT_MS)) {
            run_report_interrupted(c, cut->run, cut->at_ms, cut->sweeps);
        }
    }
    memset(c->run.traces.cuts, 0, sizeof(c->run.traces.cuts));
}

void stream_report_take(struct conn *c, struct wh_slice document)
{
    const struct fetcher *f = c->fetcher;
    struct wh_streams left;
    struct wh_err err;
    bool own;

    if (wh_streams_parse(document, f->rows, &left, &err) != WH_OK) {
        return;
    }
    own = wh_slice_eq(left.fetcher, wh_slice_str(f->deps.conf.member));
    if (left.at_ms < f->begun_ms) {
        note_left(&c->run.traces, &left);
        if (own && c->run.count == 0) {
            restore(c, &left);
        }
    } else if (own) {
        close_cuts(c);
    }
}
