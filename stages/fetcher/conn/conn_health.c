/* What a connection lends to its health. */
#include "stages/fetcher/conn/conn_parts.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/conn/stream_report.h"
#include "stages/fetcher/conn/health.h"
#include "stages/fetcher/conn/run.h"

static struct client *client(void *ctx)
{
    const struct conn *c = ctx;

    return access_client(c->access);
}

static bool owns(void *ctx)
{
    const struct conn *c = ctx;

    return fetcher_owns(c->fetcher, c->id, NULL);
}

static bool judgeable(void *ctx)
{
    const struct conn *c = ctx;

    return c->run.succeeded && c->run.phase == RUN_IDLE && !c->run.failed &&
           !c->fetcher->draining && sources_any(access_sources(c->access));
}

static void judged(void *ctx, bool healthy, const char *detail)
{
    struct conn *c = ctx;
    const struct sources *s = access_sources(c->access);
    struct wh_streams_verdict v;

    stream_report_judge(c, &v);
    if (v.detail[0] && (healthy || strcmp(v.state, "error") == 0)) {
        conn_set_state(c, v.state, v.detail);
    } else if (healthy) {
        conn_set_state(c, sources_state(s), sources_missing(s));
    } else {
        conn_set_state(c, "degraded", detail);
    }
}

static void lost(void *ctx, int64_t repaired, int64_t since_ms)
{
    struct conn *c = ctx;

    c->run.from_ms = since_ms - c->fetcher->deps.conf.sync_overlap_ms;
    wh_log_warn(c->fetcher->deps.log, "webhooks lost; reading the gap again",
                WH_STR("connection", c->id), WH_I("repaired", repaired),
                WH_I("since_ms", since_ms));
    conn_run(c);
}

struct health *conn_health_new(struct conn *c)
{
    const struct fetcher_deps *d = &c->fetcher->deps;
    const struct health_env env = {
        .loop = d->loop,
        .clock = d->clock,
        .parser = c->fetcher->rows,
        .connection = c->id,
        .projects = &c->projects,
        .silence_ms = d->conf.webhook_silence_ms,
        .repair_delay_ms = d->conf.repair_delay_ms,
        .client = client,
        .owns = owns,
        .judgeable = judgeable,
        .judged = judged,
        .lost = lost,
        .ctx = c,
    };

    return health_new(&env);
}
