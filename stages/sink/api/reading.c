/* One look at the state of the store, now or in the past, within the time of a query. */
#include "common/base/mem.h"
#include "stages/sink/api/api_priv.h"
#include "stages/sink/past/past.h"

enum { ARENA_BLOCK_BYTES = 256 << 10, ARENA_MAX_BYTES = 256 << 20 };

static bool is_over(void *ctx)
{
    const struct api_reading *r = ctx;

    return atomic_load(&r->job->canceled) ||
           wh_clock_mono_ns(&r->job->api->deps.clock) > r->deadline_ns;
}

static enum wh_rc read_past(struct api_reading *r,
                            enum wh_rc (*answer)(void *ctx, struct wh_err *err), void *ctx,
                            struct wh_err *err)
{
    const struct past_conf conf = {.store = r->job->api->deps.store,
                                   .snap = r->snap,
                                   .when = &r->when,
                                   .over = is_over,
                                   .ctx = r};
    enum wh_rc rc = past_new(&conf, &r->past, err);

    rc = rc == WH_OK ? answer(ctx, err) : rc;
    past_free(r->past);
    return rc == WH_E_CANCELED ? wh_fail(err, WH_E_TIMEOUT, "the answer took too long") : rc;
}

enum wh_rc api_read_state(struct api_reading *r,
                          enum wh_rc (*answer)(void *ctx, struct wh_err *err), void *ctx,
                          struct wh_err *err)
{
    struct sink_api *api = r->job->api;
    int64_t limit_ms = api->deps.conf.sql_timeout_ms - api_waited_ms(r->job);
    struct wh_snapshot *snap = NULL;
    enum wh_rc rc;

    if (wh_store_snapshot(api->deps.store, &snap, err) != WH_OK) {
        return err->rc;
    }
    r->snap = snap;
    r->deadline_ns = wh_clock_mono_ns(&api->deps.clock) + limit_ms * 1000000;
    wh_arena_init(&r->arena, ARENA_BLOCK_BYTES, ARENA_MAX_BYTES);
    rc = read_past(r, answer, ctx, err);
    wh_arena_done(&r->arena);
    wh_store_snapshot_free(api->deps.store, snap);
    return rc;
}
