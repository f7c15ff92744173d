/* What a connection lends to its access. */
#include "stages/fetcher/access/credential.h"
#include "stages/fetcher/conn/fetcher.h"

static bool owns(void *ctx)
{
    const struct conn *c = ctx;

    return fetcher_owns(c->fetcher, c->id, "");
}

static bool shared(void *ctx)
{
    const struct conn *c = ctx;

    return c->fetcher->ownership.partitions > 0;
}

static bool stopped(void *ctx)
{
    const struct conn *c = ctx;

    return c->stopped || c->fetcher->draining;
}

static bool gone(void *ctx)
{
    const struct conn *c = ctx;

    return c->dropped || c->fetcher->draining;
}

static bool may_write(void *ctx)
{
    const struct conn *c = ctx;

    return !c->unsaved_seals && c->fetcher->caught_up && owns(ctx);
}

static enum wh_rc set_document(void *ctx, const struct wh_connection *doc, struct wh_err *err)
{
    return conn_set_document(ctx, doc, err);
}

static enum wh_rc save(void *ctx, struct wh_bus_ack *ack, struct wh_err *err)
{
    return conn_save(ctx, ack, err);
}

static bool revoked(void *ctx)
{
    return conn_forget_unconfigured(ctx);
}

static void ready(struct conn *c)
{
    struct wh_err err;

    if (c->client && c->rest_by_oauth &&
        client_set_token(c->client, credential_access(c->credential), &err) != WH_OK) {
        wh_log_error(c->fetcher->deps.log, "token not usable for REST", WH_RC(&err));
    }
    mcp_resume_all(c->mcp);
}

static void on_changed(void *ctx, enum access_event what, const char *why)
{
    struct conn *c = ctx;

    if (what == ACCESS_READY) {
        ready(c);
        return;
    }
    if (what == ACCESS_ENDED) {
        /* With a read_api token the reads go on. */
        conn_set_state(c, conn_has_token(c) ? "degraded" : "need_reconnect", why);
        conn_credentials_changed(c);
        client_release(c->client);
    }
    mcp_give_up_all(c->mcp, why);
}

void conn_access_init(struct conn *c)
{
    const struct fetcher_deps *d = &c->fetcher->deps;

    c->access_env = (struct access_env){
        .loop = d->loop,
        .log = d->log,
        .clock = d->clock,
        .http = d->http,
        .keys = d->keys,
        .connection = c->id,
        .instance = c->instance,
        .allow_http = d->conf.allow_http,
        .request_timeout_ms = d->conf.request_timeout_ms,
        .doc = &c->doc,
        .owns = owns,
        .shared = shared,
        .stopped = stopped,
        .gone = gone,
        .may_write = may_write,
        .set_document = set_document,
        .save = save,
        .revoked = revoked,
        .on_changed = on_changed,
        .ctx = c,
    };
}
