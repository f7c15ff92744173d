/* What a connection lends to its checks. */
#include "stages/fetcher/access/access.h"
#include "stages/fetcher/conn/number_ledger.h"

static struct outbox_row run_row(void *ctx)
{
    const struct conn *c = ctx;

    return conn_row(c, WH_ORIGIN_REST, c->run_id);
}

static void on_settled(void *ctx)
{
    const struct conn *c = ctx;

    if (c->check) {
        check_wake(c->check);
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

static bool stopping(void *ctx)
{
    const struct conn *c = ctx;

    return c->fetcher->draining;
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

enum wh_rc conn_check_init(struct conn *c, struct wh_err *err)
{
    const struct fetcher *f = c->fetcher;
    const struct gone_env gone = {
        .outbox = f->outbox, .log = f->deps.log, .row = run_row, .settled = on_settled, .ctx = c};

    c->gone = gone_new(&gone);
    if (c->gone == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a connection");
    }
    c->check_env = (struct check_env){
        .loop = f->deps.loop,
        .outbox = f->outbox,
        .gone = c->gone,
        .numbers = f->numbers,
        .rows = f->rows,
        .arrays = f->arrays,
        .connection = c->id,
        .limits = {.max_jobs = f->deps.conf.max_walks,
                   .hold_min = f->deps.conf.hold_min,
                   .hold_percent = f->deps.conf.hold_percent,
                   .numbers_max = f->deps.conf.numbers_max},
        .owns = owns,
        .by_rest = by_rest,
        .stopping = stopping,
        .save = save,
        .publish = publish,
        .ctx = c,
    };
    return WH_OK;
}
