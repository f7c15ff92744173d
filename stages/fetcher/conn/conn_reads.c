/* What a connection lends to its listings and checks. */
#include "stages/fetcher/conn/conn_parts.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/conn/listed_ledger.h"
#include "stages/fetcher/conn/number_ledger.h"
#include "stages/fetcher/conn/run.h"
#include "stages/fetcher/conn/shown.h"

static struct outbox_row run_row(void *ctx)
{
    const struct conn *c = ctx;

    return conn_row(c, WH_ORIGIN_REST, c->run.id);
}

static void on_settled(void *ctx)
{
    const struct conn *c = ctx;

    if (c->reads.check) {
        check_wake(c->reads.check);
    }
}

static bool owns(void *ctx, const char *project)
{
    const struct conn *c = ctx;

    return fetcher_owns(c->fetcher, c->id, project);
}

static bool by_rest(void *ctx, unsigned stream)
{
    const struct conn *c = ctx;

    return source_of(access_sources(c->access), stream)->kind == SOURCE_REST;
}

static const char *tool(void *ctx, unsigned stream)
{
    const struct conn *c = ctx;
    const struct source *source = source_of(access_sources(c->access), stream);

    return source->kind == SOURCE_MCP && !c->stopped ? source->tool : NULL;
}

static bool stopping(void *ctx)
{
    const struct conn *c = ctx;

    return c->fetcher->draining;
}

static int64_t known(void *ctx, const char *project, const char *kind)
{
    return listed_ledger_known(ctx, project, kind);
}

static enum wh_rc save(void *ctx, struct numbers *n, struct wh_err *err)
{
    const struct conn *c = ctx;

    return number_ledger_save(c->fetcher, n, err);
}

static void publish(void *ctx, const char *project, const char *path)
{
    number_ledger_publish(ctx, project, path);
}

/* ---- listings ---- */

static bool stopped(void *ctx)
{
    const struct conn *c = ctx;

    return c->stopped || c->fetcher->draining;
}

static void on_row(void *ctx, const struct listing_task *task, const struct gitlab_row *row,
                   struct wh_json_val value)
{
    struct conn *c = ctx;

    if (task->project == NULL) {
        /* A tool may show an id that only the listing can read. */
        if (task->tool) {
            (void)projects_add(&c->projects, wh_slice_str(row->id));
        }
        conn_add_project(c, value);
    }
    /* Of what tools list, only issues and merge requests can be asked for by their numbers. */
    if (task->tool == NULL || numbers_stream_of(task->stream) < NUMBERS_PROOF) {
        number_ledger_row(c, task->project, task->stream, row, value);
    }
    shown_by_listing(c, task, row, value);
    listed_ledger_row(c, task, row, value);
}

static void on_follow(void *ctx, const struct listing_task *task, const char *kind, const char *iid,
                      bool whole)
{
    if (task->project && strcmp(kind, "job") == 0) {
        number_ledger_jobs(ctx, task->project, iid, whole);
    }
}

/* Saves the numbers before the cursor that moves over their rows. */
static enum wh_rc save_cursor(void *ctx, const struct listing_task *task, struct wh_slice key,
                              struct wh_slice json, struct wh_bus_ack *ack, struct wh_err *err)
{
    struct conn *c = ctx;

    if (number_ledger_save_stream(c, task->project, task->stream, err) != WH_OK) {
        return err->rc;
    }
    return fetcher_save_state(c->fetcher, wh_slice_str(c->id),
                              wh_slice_str(task->project ? task->project->id : ""), key, json, ack,
                              err);
}

enum wh_rc conn_reads_init(struct conn *c, struct wh_err *err)
{
    const struct fetcher *f = c->fetcher;
    const struct gone_env gone = {
        .outbox = f->outbox, .log = f->deps.log, .row = run_row, .settled = on_settled, .ctx = c};

    c->reads.gone = gone_new(&gone);
    if (c->reads.gone == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a connection");
    }
    c->reads.check_env = (struct check_env){
        .loop = f->deps.loop,
        .outbox = f->outbox,
        .gone = c->reads.gone,
        .numbers = f->numbers,
        .absences = f->absences,
        .clock = f->deps.clock,
        .rows = f->rows,
        .arrays = f->arrays,
        .connection = c->id,
        .limits = {.max_jobs = f->deps.conf.max_walks,
                   .hold_min = f->deps.conf.hold_min,
                   .hold_percent = f->deps.conf.hold_percent,
                   .numbers_max = f->deps.conf.numbers_max,
                   .confirm_ms = f->deps.conf.gone_confirm_ms},
        .owns = owns,
        .by_rest = by_rest,
        .tool = tool,
        .stopping = stopping,
        .save = save,
        .known = known,
        .publish = publish,
        .ctx = c,
    };
    c->reads.listing_env = (struct listing_env){
        .outbox = f->outbox,
        .cursors = f->cursors,
        .heads = c->reads.heads,
        .open = c->reads.open,
        .arrays = f->arrays,
        .clock = f->deps.clock,
        .log = f->deps.log,
        .connection = c->id,
        .instance = c->instance,
        .overlap_ms = f->deps.conf.sync_overlap_ms,
        .read_links = f->deps.conf.read_links,
        .read_notes = f->deps.conf.read_notes,
        .owns = owns,
        .stopped = stopped,
        .row = run_row,
        .on_row = on_row,
        .on_follow = on_follow,
        .save = save_cursor,
        .on_end = conn_listing_ended,
        .ctx = c,
    };
    return WH_OK;
}
