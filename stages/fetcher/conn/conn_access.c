/* What a connection lends to its access. */
#include "stages/fetcher/conn/conn_parts.h"
#include "stages/fetcher/conn/conn_priv.h"

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

    return !c->seals.unsaved && c->fetcher->caught_up && owns(ctx);
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

/* An answer becomes records, so no request is sent while there is no room for them. */
static bool may_send(void *ctx)
{
    const struct conn *c = ctx;

    return outbox_has_room(c->fetcher->outbox);
}

static void on_changed(void *ctx, enum access_event what, const char *why)
{
    struct conn *c = ctx;

    if (what == ACCESS_ENDED) {
        /* With a read_api token, reading continues. */
        conn_set_state(c, access_has_token(c->access) ? "degraded" : "need_reconnect", why);
    }
}

struct access *conn_access_new(struct conn *c)
{
    const struct fetcher_deps *d = &c->fetcher->deps;
    const struct access_env env = {
        .loop = d->loop,
        .log = d->log,
        .metrics = d->metrics,
        .clock = d->clock,
        .http = d->http,
        .keys = d->keys,
        .connection = c->id,
        .instance = c->instance,
        .allow_http = d->conf.allow_http,
        .max_in_flight = d->conf.max_in_flight,
        .backoff_ms = d->conf.backoff_ms,
        .request_timeout_ms = d->conf.request_timeout_ms,
        .doc = &c->doc,
        .projects = &c->projects,
        .may_send = may_send,
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

    return access_new(&env);
}
