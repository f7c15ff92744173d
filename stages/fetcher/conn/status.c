#include "common/json/json_write.h"
#include "stages/fetcher/conn/number_ledger.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/conn/stream_report.h"
#include "stages/fetcher/conn/status.h"
#include "stages/fetcher/conn/status_gone.h"
#include "stages/fetcher/access/access.h"
#include "stages/fetcher/conn/health.h"
#include "stages/fetcher/conn/rereads.h"
#include "stages/fetcher/conn/leave.h"
#include "stages/fetcher/conn/purge.h"
#include "stages/fetcher/gitlab/streams.h"

enum { PATHS_MAX = 20 };

static void write_part(struct wh_json_writer *w, const struct conn *c, unsigned i)
{
    const struct source *source = source_of(access_sources(c->access), i);

    wh_jw_put_str(w, "stream", wh_slice_str(streams[i].name));
    wh_jw_put_str(w, "read_by", wh_slice_str(source_word(source)));
    if (source->reason) {
        wh_jw_put_str(w, "reason", wh_slice_str(source->reason));
    }
}

static void write_counted(struct wh_json_writer *w, const struct stream_count *n)
{
    wh_jw_put_int(w, "rows", (int64_t)n->rows);
    wh_jw_put_int(w, "rows_total", (int64_t)n->total_rows);
    wh_jw_put_int(w, "records", (int64_t)n->produced);
    wh_jw_put_int(w, "pages", (int64_t)n->pages);
    wh_jw_put_int(w, "follow_ups", (int64_t)n->follow_ups);
    wh_jw_put_int(w, "checked", (int64_t)n->checked);
    wh_jw_put_int(w, "single_reads", (int64_t)n->singles);
    wh_jw_put_int(w, "skipped", (int64_t)n->skipped);
    wh_jw_put_int(w, "failed", (int64_t)n->failed);
}

static void write_state(struct wh_json_writer *w, const struct wh_streams *all,
                        const struct wh_stream *one, int64_t now_ms)
{
    wh_stream_write(one, w);
    wh_jw_put_str(w, "state",
                  wh_slice_str(wh_stream_state_name(wh_stream_state(all, one, now_ms))));
}

/* Each stream with its state; parts of streams; and last, what is read with another one. */
static void write_streams(struct wh_json_writer *w, const struct conn *c)
{
    int64_t now_ms = wh_clock_now_ms(&c->fetcher->deps.clock);
    const struct stream_count none = {0}; /* its reads are counted with the other one's */
    bool done[WH_STREAMS_MAX] = {false};
    struct stream_texts texts;
    struct wh_streams all;

    stream_report_fill(c, &all, &texts);
    wh_jw_key(w, "streams");
    wh_jw_array(w);
    for (unsigned i = 0; i < STREAMS; i++) {
        size_t at = 0;

        while (at < all.n && !wh_slice_eq(all.list[at].name, wh_slice_str(streams[i].name))) {
            at++;
        }
        wh_jw_object(w);
        if (at < all.n) {
            done[at] = true;
            write_state(w, &all, &all.list[at], now_ms);
        } else {
            write_part(w, c, i);
        }
        write_counted(w, &c->run.counts[i]);
        wh_jw_end(w);
    }
    for (size_t at = 0; at < all.n; at++) {
        if (!done[at]) {
            wh_jw_object(w);
            write_state(w, &all, &all.list[at], now_ms);
            write_counted(w, &none);
            wh_jw_end(w);
        }
    }
    wh_jw_end(w);
}

static const char *skip_word(unsigned why)
{
    return why == CLIENT_GONE     ? "not there (404)"
           : why == CLIENT_DENIED ? "not allowed (403)"
                                  : "refused";
}

/* stream is "" for the whole project. */
static void write_skip(struct wh_json_writer *w, const struct project *p, const char *stream,
                       const char *reason)
{
    wh_jw_object(w);
    wh_jw_put_str(w, "project", wh_slice_str(p->id));
    wh_jw_put_str(w, "path", wh_slice_str(p->path ? p->path : ""));
    wh_jw_put_str(w, "stream", wh_slice_str(stream));
    wh_jw_put_str(w, "reason", wh_slice_str(reason));
    wh_jw_end(w);
}

/* The first of the projects that are read, so that a person can see whether they are the right ones. */
static void write_paths(struct wh_json_writer *w, const struct conn *c)
{
    size_t n = 0;

    wh_jw_key(w, "project_paths");
    wh_jw_array(w);
    for (const struct project *p = c->projects.first; p && n < PATHS_MAX; p = p->next) {
        if (p->skipped[0] == '\0') {
            wh_jw_str(w, wh_slice_str(p->path ? p->path : p->id));
            n++;
        }
    }
    wh_jw_end(w);
}

static void write_projects(struct wh_json_writer *w, const struct conn *c)
{
    write_paths(w, c);
    wh_jw_key(w, "skipped_projects");
    wh_jw_array(w);
    for (const struct project *p = c->projects.first; p; p = p->next) {
        if (p->skipped[0]) {
            write_skip(w, p, "", p->skipped);
        }
        for (unsigned i = 0; i < STREAMS; i++) {
            if (p->skips[i]) {
                write_skip(w, p, streams[i].name, skip_word(p->skips[i]));
            }
        }
    }
    wh_jw_end(w);
}

/* What the run read of each stream, and what it changed of each kind; without zeros. */
static void write_run_parts(struct wh_json_writer *w, const struct run_summary *s)
{
    wh_jw_key(w, "streams");
    wh_jw_object(w);
    for (unsigned i = 0; i < STREAMS; i++) {
        const struct stream_count *n = &s->counts[i];

        if (n->pages + n->singles + n->skipped + n->failed == 0) {
            continue;
        }
        wh_jw_key(w, streams[i].name);
        wh_jw_object(w);
        wh_jw_put_int(w, "read", (int64_t)(n->rows + n->found));
        wh_jw_put_int(w, "skipped", (int64_t)n->skipped);
        wh_jw_put_int(w, "failed", (int64_t)n->failed);
        wh_jw_put_int(w, "requests", (int64_t)(n->pages + n->singles + n->follow_ups));
        wh_jw_end(w);
    }
    wh_jw_end(w);
    wh_jw_key(w, "kinds");
    wh_jw_object(w);
    for (unsigned i = 0; i < WH_OUTCOME_KINDS; i++) {
        const struct wh_outcome_counts *n = &s->outcome.kinds[i];

        if (n->added + n->changed + n->deleted == 0) {
            continue;
        }
        wh_jw_key(w, wh_outcome_kind(i));
        wh_jw_object(w);
        wh_jw_put_int(w, "new", n->added);
        wh_jw_put_int(w, "changed", n->changed);
        wh_jw_put_int(w, "repaired", n->repaired);
        wh_jw_put_int(w, "deleted", n->deleted);
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

static void write_runs(struct wh_json_writer *w, const struct conn *c)
{
    wh_jw_key(w, "last_runs");
    wh_jw_array(w);
    for (unsigned i = 0; i < c->run.n_summaries; i++) {
        const struct run_summary *s = &c->run.summaries[i];
        struct wh_outcome_counts sum = wh_outcome_sum(&s->outcome);

        wh_jw_object(w);
        wh_jw_put_int(w, "run", s->run);
        wh_jw_put_str(w, "kind", s->sweep ? WH_LIT("sweep") : WH_LIT("sync"));
        wh_jw_put_bool(w, "ok", s->ok);
        wh_jw_put_ms(w, "finished_ms", s->finished_ms);
        wh_jw_put_int(w, "read", (int64_t)s->rows);
        wh_jw_put_int(w, "new", sum.added);
        wh_jw_put_int(w, "changed", sum.changed);
        wh_jw_put_int(w, "repaired", sum.repaired);
        wh_jw_put_int(w, "deleted", sum.deleted);
        wh_jw_put_int(w, "skipped", (int64_t)s->skipped);
        wh_jw_put_int(w, "requests", (int64_t)s->requests);
        wh_jw_put_int(w, "waited_ms", s->waited_ms);
        write_run_parts(w, s);
        wh_jw_end(w);
    }
    wh_jw_end(w);
}

static void write_completeness(struct wh_json_writer *w, const struct conn *c)
{
    const struct numbers_table *t = c->fetcher->numbers;

    status_gone_write(c, w);
    wh_jw_key(w, "completeness");
    wh_jw_array(w);
    for (const struct numbers *n = numbers_next(t, NULL); n; n = numbers_next(t, n)) {
        const struct project *p;

        if (n->stream != NUMBERS_PROJECT || strcmp(n->connection, c->id) != 0) {
            continue;
        }
        p = projects_find(&c->projects, n->project);
        number_ledger_write(w, c, n->project, p && p->path ? p->path : "");
    }
    wh_jw_end(w);
}

static void write_requests(struct wh_json_writer *w, const struct conn *c)
{
    struct client_stats stats = client_stats(access_client(c->access));

    wh_jw_put_int(w, "requests", (int64_t)access_requests(c->access));
    if (access_client(c->access) == NULL) {
        return;
    }
    wh_jw_put_int(w, "retries", (int64_t)stats.retries);
    wh_jw_put_int(w, "throttled", (int64_t)stats.throttled);
    wh_jw_put_int(w, "waited_ms", stats.waited_ms);
    wh_jw_put_int(w, "rate_limit", stats.rate_limit);
    wh_jw_put_int(w, "rate_remaining", stats.rate_left);
    wh_jw_put_int(w, "open_requests", (int64_t)client_open(access_client(c->access)));
}

/* Every pair of tokens that GitLab has issued to the connection, and its fate. */
static void write_pairs(struct wh_json_writer *w, const struct conn *c)
{
    wh_jw_key(w, "pairs");
    wh_jw_array(w);
    for (size_t i = 0; i < c->doc.n_pairs; i++) {
        const struct wh_connection_pair *pair = &c->doc.pairs[i];

        wh_jw_object(w);
        wh_jw_put_str(w, "fingerprint", pair->fingerprint);
        wh_jw_put_str(w, "state", pair->state);
        wh_jw_put_str(w, "reason", pair->reason);
        wh_jw_put_str(w, "address", pair->address);
        wh_jw_put_ms(w, "at_ms", pair->at_ms);
        wh_jw_end(w);
    }
    wh_jw_end(w);
    wh_jw_put_int(w, "pairs_forgotten", c->doc.pairs_forgotten);
}

static void write_credentials(struct wh_json_writer *w, const struct conn *c)
{
    wh_jw_key(w, "credentials");
    wh_jw_object(w);
    wh_jw_put_bool(w, "read_api", access_has_token(c->access));
    wh_jw_put_bool(w, "oauth", credential_there(access_credential(c->access)));
    wh_jw_put_str(w, "phase", wh_slice_str(credential_phase(access_credential(c->access))));
    wh_jw_put_int(w, "refreshes", (int64_t)credential_refreshes(access_credential(c->access)));
    wh_jw_put_ms(w, "expires_at_ms", credential_expires_ms(access_credential(c->access)));
    wh_jw_end(w);
}

/* How many lists the present run has read, or the last one, of all that are this fetcher's: one for each stream of each
 * project. */
static void write_lists(struct wh_json_writer *w, const struct conn *c)
{
    size_t total = 0;
    size_t begun = 0;
    bool passed = c->run.phase == RUN_PROJECTS || (c->run.phase == RUN_IDLE && c->run.count == 0);

    for (const struct project *p = c->projects.first; p; p = p->next) {
        size_t lists = p->skipped[0] == '\0' && fetcher_owns(c->fetcher, c->id, p->id)
                           ? STREAMS - FIRST_PROJECT_STREAM
                           : 0;

        total += lists;
        if (c->run.phase == RUN_STREAMS && p == c->run.next_project) {
            begun += lists ? c->run.next_stream - FIRST_PROJECT_STREAM : 0;
            passed = true;
        }
        begun += passed ? 0 : lists;
    }
    wh_jw_put_int(w, "lists", (int64_t)total);
    wh_jw_put_int(w, "lists_read",
                  (int64_t)(begun > c->reads.listings.n ? begun - c->reads.listings.n : 0));
}

static void write_conn(struct wh_json_writer *w, const struct conn *c, bool full)
{
    static const char *const phases[] = {"idle", "projects", "streams", "check"};

    wh_jw_object(w);
    wh_jw_put_str(w, "id", wh_slice_str(c->id));
    wh_jw_put_str(w, "instance", wh_slice_str(c->instance));
    wh_jw_put_str(w, "state", c->doc.state);
    wh_jw_put_str(w, "detail", c->doc.detail);
    wh_jw_put_bool(w, "leaving", leave_under_way(c));
    wh_jw_put_bool(w, "purging", purge_under_way(c));
    wh_jw_put_str(w, "gitlab_version", c->doc.gitlab_version);
    wh_jw_put_str(w, "phase", wh_slice_str(phases[c->run.phase]));
    wh_jw_put_int(w, "projects", (int64_t)c->projects.n);
    write_lists(w, c);
    wh_jw_put_int(w, "runs", (int64_t)c->run.count);
    wh_jw_put_ms(w, "run_started_ms", c->run.started_ms);
    wh_jw_put_ms(w, "run_finished_ms", c->run.finished_ms);
    wh_jw_put_ms(w, "next_run_ms", c->run.next_ms);
    wh_jw_put_str(w, "error", wh_slice_str(c->run.error));
    write_credentials(w, c);
    write_pairs(w, c);
    if (full) {
        write_requests(w, c);
        write_streams(w, c);
        write_projects(w, c);
        write_runs(w, c);
        health_write(c->health, w);
        write_completeness(w, c);
    }
    wh_jw_end(w);
}

static void write_partitions(struct wh_json_writer *w, const char *key, const struct ownership *s,
                             const bool *which)
{
    wh_jw_key(w, key);
    wh_jw_array(w);
    for (int32_t p = 0; p < s->partitions; p++) {
        if (which[p]) {
            wh_jw_int(w, p);
        }
    }
    wh_jw_end(w);
}

/* The partitions that this fetcher works for. */
static void write_ownership(struct wh_json_writer *w, const struct ownership *s)
{
    wh_jw_key(w, "share");
    wh_jw_object(w);
    wh_jw_put_int(w, "partitions", s->partitions);
    write_partitions(w, "owned", s, s->owned);
    write_partitions(w, "ready", s, s->ready);
    wh_jw_end(w);
}

void status_write(const struct fetcher *f, struct wh_json_writer *w, bool full)
{
    wh_jw_object(w);
    wh_jw_put_bool(w, "ok", true);
    wh_jw_put_bool(w, "caught_up", f->caught_up);
    write_ownership(w, &f->ownership);
    wh_jw_put_int(w, "rereads_open", (int64_t)rereads_open(f->rereads));
    wh_jw_key(w, "connections");
    wh_jw_array(w);
    for (const struct conn *c = f->conns; c; c = c->next) {
        if (!c->dropped) {
            write_conn(w, c, full);
        }
    }
    wh_jw_end(w);
    wh_jw_end(w);
}
