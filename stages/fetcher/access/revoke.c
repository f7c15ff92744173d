#include "stages/fetcher/access/revoke.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "stages/fetcher/access/credential.h"
#include "stages/fetcher/access/pairs.h"

enum {
    BACKOFF_MS = 2000,
    BACKOFF_MAX_MS = 300000,
    FOREIGN_MS = 1000, /* between checks whether this member may write the document now */
    ARENA_BLOCK = 8192,
    ARENA_MAX = 512 << 10,
    PARSER_MAX = 128 << 10,
    DEPTH_MAX = 8,
};

struct revoke {
    struct wh_bus_ack ack; /* first member: completed with the record of a revocation */
    const struct access_env *env;
    const struct credential *credential;
    struct wh_timer *timer;
    struct wh_arena arena; /* of kept and fingerprint */
    struct oauth_net net;
    struct oauth_kept kept;
    struct oauth_tokens tokens;
    struct wh_slice fingerprint; /* of the pair that is being revoked */
    struct oauth_call *call;
    bool access; /* the refresh token is revoked; the access token is next */
    bool saving;
    unsigned failures;
    char problem[160];
};

static void on_timer(void *ctx);
static void ask(struct revoke *r);

static void later(struct revoke *r, const char *why)
{
    int64_t wait = (int64_t)BACKOFF_MS << (r->failures < 8 ? r->failures : 8);

    r->failures++;
    (void)snprintf(r->problem, sizeof(r->problem), "%.159s", why);
    wh_log_warn(r->env->log, "a replaced token pair is not revoked yet",
                WH_STR("connection", r->env->connection), WH_STR("why", why));
    wh_timer_start(r->timer, wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS, 0);
}

/* ---- the outcome ---- */

static void on_saved(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct revoke *r = (struct revoke *)ack;

    r->saving = false;
    if (r->env->revoked(r->env->ctx)) {
        return;
    }
    if (d->rc != WH_OK) {
        wh_log_warn(r->env->log, "a revocation is not written down yet",
                    WH_STR("connection", r->env->connection));
    }
    wh_timer_start(r->timer, 0, 0);
}

static void mark(struct wh_connection *doc, struct wh_slice fingerprint, const char *why)
{
    for (size_t i = 0; i < doc->n_pairs; i++) {
        struct wh_connection_pair *pair = &doc->pairs[i];

        if (wh_slice_eq(pair->fingerprint, fingerprint) &&
            wh_slice_eq(pair->state, WH_LIT("replaced"))) {
            pair->state = wh_slice_str(why ? "not_revoked" : "revoked");
            pair->reason = wh_slice_str(why ? why : "");
            pair->sealed = wh_slice("", 0);
        }
    }
}

/* why NULL: GitLab has revoked it. */
static void settle(struct revoke *r, const char *why)
{
    const struct access_env *env = r->env;
    struct wh_connection doc = *env->doc;
    struct wh_err err;

    mark(&doc, r->fingerprint, why);
    r->failures = 0;
    r->problem[0] = '\0';
    oauth_tokens_done(&r->tokens);
    wh_log_info(env->log, "a replaced token pair has been dealt with",
                WH_STR("connection", env->connection), WH_S("pair", r->fingerprint),
                WH_STR("outcome", why ? why : "revoked"));
    r->saving = true;
    if (env->set_document(env->ctx, &doc, &err) != WH_OK ||
        env->save(env->ctx, &r->ack, &err) != WH_OK) {
        r->saving = false;
        later(r, err.msg);
    }
}

static void refused(struct revoke *r, const char *error)
{
    char text[200];

    (void)snprintf(text, sizeof(text),
                   "GitLab did not take its revocation (%.60s): end the application's approval in "
                   "GitLab, under Applications",
                   error ? error : "refused");
    settle(r, text);
}

static void on_answer(void *ctx, const struct oauth_token_answer *a)
{
    struct revoke *r = ctx;

    r->call = NULL;
    if (a->result == OAUTH_LATER) {
        later(r, a->error);
    } else if (a->result != OAUTH_DONE) {
        refused(r, a->error);
    } else if (r->access) {
        settle(r, NULL);
    } else {
        r->access = true;
        ask(r);
    }
}

/* ---- one pair ---- */

static void ask(struct revoke *r)
{
    struct wh_slice token = wh_buf_slice(r->access ? &r->tokens.access : &r->tokens.refresh);
    struct wh_err err;

    if (oauth_revoke(&r->net, r->kept.revocation_endpoint, &r->kept.client, token,
                     r->access ? "access_token" : "refresh_token", on_answer, r, &r->call,
                     &err) != WH_OK) {
        later(r, err.msg);
    }
}

static enum wh_rc open_pair(struct revoke *r, const struct wh_connection_pair *pair,
                            struct wh_err *err)
{
    const struct pairs p = {
        .doc = r->env->doc, .arena = &r->arena, .keys = r->env->keys, .now_ms = 0};
    struct wh_slice address;

    wh_arena_reset(&r->arena);
    if (wh_arena_dup(&r->arena, pair->fingerprint, &r->fingerprint, err) != WH_OK ||
        wh_arena_dup(&r->arena, pair->address, &address, err) != WH_OK ||
        pairs_open(&p, pair, r->net.parser, &r->kept, &r->tokens, err) != WH_OK) {
        return err->rc;
    }
    return wh_url_parse(address, &r->net.home, err);
}

static void begin(struct revoke *r, const struct wh_connection_pair *pair)
{
    struct wh_err err;

    if (open_pair(r, pair, &err) != WH_OK) {
        settle(r, "its sealed tokens do not open here: end the application's approval in GitLab, "
                  "under Applications");
        return;
    }
    if (r->kept.revocation_endpoint.len == 0) {
        settle(r, "GitLab names no address to revoke it at: end the application's approval there, "
                  "under Applications");
        return;
    }
    r->access = r->tokens.refresh.len == 0;
    ask(r);
}

static void on_timer(void *ctx)
{
    struct revoke *r = ctx;
    const struct access_env *env = r->env;
    int next = pairs_next(env->doc);

    if (next < 0 || r->call || r->saving || env->gone(env->ctx)) {
        return;
    }
    /* Kafka must have the pair that replaces this one. A refresh that is under way writes the
     * document as well, so the two take turns. */
    if (!env->may_write(env->ctx) || !credential_settled(r->credential)) {
        wh_timer_start(r->timer, FOREIGN_MS, 0);
        return;
    }
    begin(r, &env->doc->pairs[next]);
}

/* ---- life ---- */

struct revoke *revoke_new(const struct access_env *env, const struct credential *credential)
{
    struct revoke *r = wh_mem_zalloc(1, sizeof(*r));

    if (r == NULL) {
        return NULL;
    }
    r->env = env;
    r->credential = credential;
    r->ack.fn = on_saved;
    wh_arena_init(&r->arena, ARENA_BLOCK, ARENA_MAX);
    oauth_tokens_init(&r->tokens);
    r->timer = wh_timer_new(env->loop, on_timer, r);
    r->net = (struct oauth_net){.http = env->http,
                                .clock = env->clock,
                                .parser = wh_json_parser_new(PARSER_MAX, DEPTH_MAX),
                                .allow_http = env->allow_http,
                                .timeout_ms = env->request_timeout_ms};
    if (r->timer == NULL || r->net.parser == NULL) {
        revoke_free(r);
        return NULL;
    }
    return r;
}

void revoke_free(struct revoke *r)
{
    if (r == NULL) {
        return;
    }
    oauth_call_cancel(r->call);
    wh_timer_free(r->timer);
    oauth_tokens_done(&r->tokens);
    wh_json_parser_free(r->net.parser);
    wh_arena_done(&r->arena);
    wh_mem_free(r);
}

void revoke_look(struct revoke *r)
{
    if (pairs_next(r->env->doc) >= 0 && r->call == NULL && !r->saving && r->failures == 0) {
        wh_timer_start(r->timer, 0, 0);
    }
}

bool revoke_under_way(const struct revoke *r)
{
    return pairs_next(r->env->doc) >= 0 || r->saving;
}

const char *revoke_problem(const struct revoke *r)
{
    return r->problem;
}
