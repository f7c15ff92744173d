#include "stages/fetcher/conn/leave.h"

#include <stdio.h>

#include "common/base/backoff.h"
#include "common/base/mem.h"
#include "stages/fetcher/access/access.h"
#include "stages/fetcher/access/pairs.h"

enum {
    QUIET_MS = 100, /* how often it is looked whether reading has ended */
    BACKOFF_MS = 2000,
    BACKOFF_MAX_MS = 300000,
    PROOF_MS = 15000,
    PROOF_BODY_MAX = 64 << 10,
    URL_MAX = 2048,
    ARENA_BLOCK = 1024,
    ARENA_MAX = 64 << 10,
};

enum phase {
    NONE,
    QUIET,  /* waits for what is under way */
    REVOKE, /* the refresh token, then the access token */
    PROVE,
    FORGET, /* the record without secrets is on its way to Kafka */
    PURGE,
};

struct leave {
    struct wh_bus_ack ack; /* first: the connection's record carries it */
    struct conn *conn;
    struct wh_timer *timer;
    enum phase phase;
    bool stopped; /* the record says disabled */
    unsigned failures;
    bool unrevoked; /* GitLab did not take the revocation */
    bool revoked;   /* it did, and refuses the token */
    struct oauth_call *call;
    struct wh_httpc_transfer *proof;
    char outcome[160]; /* of the revocation, for people */
    struct wipe_report wiped;
    enum wh_rc wipe_rc;
    struct wh_err wipe_err;
};

static void go_on(void *ctx);
static void revoke(struct leave *l, bool access);
static void on_record(struct wh_bus_ack *ack, const struct wh_bus_delivery *d);

struct leave *leave_new(struct conn *c)
{
    struct leave *l = wh_mem_zalloc(1, sizeof(*l));

    if (l == NULL) {
        return NULL;
    }
    l->conn = c;
    l->ack.fn = on_record;
    l->timer = wh_timer_new(c->fetcher->deps.loop, go_on, l);
    if (l->timer == NULL) {
        leave_free(l);
        return NULL;
    }
    return l;
}

void leave_free(struct leave *l)
{
    if (l == NULL) {
        return;
    }
    oauth_call_cancel(l->call);
    if (l->proof) {
        wh_httpc_cancel(l->conn->fetcher->deps.http, l->proof);
    }
    wh_timer_free(l->timer);
    wh_mem_free(l);
}

static bool has_secrets(const struct conn *c)
{
    return pairs_next(&c->doc) >= 0 || c->doc.token_sealed.len || c->doc.oauth_sealed.len ||
           c->doc.webhook_key_sealed.len || c->doc.webhook_token_sealed.len;
}

static bool is_disabled(const struct conn *c)
{
    return wh_slice_eq(c->doc.state, WH_LIT("disabled"));
}

bool leave_under_way(const struct conn *c)
{
    return is_disabled(c) && has_secrets(c);
}

bool leave_is_purging(const struct conn *c)
{
    return c->leave->phase == PURGE;
}

/* ---- stop reading ---- */

static void stop_reading(struct leave *l)
{
    struct conn *c = l->conn;

    l->stopped = true;
    c->stopped = true;
    c->run_again = false;
    wh_timer_stop(c->timer);
    access_stop(c->access);
}

/* A refresh that is under way may hold the only pair that can be revoked. */
static bool is_quiet(const struct conn *c)
{
    return c->listings.n == 0 && c->phase == RUN_IDLE && access_idle(c->access);
}

/* ---- revoke ---- */

static void later(struct leave *l, const char *why)
{
    char text[240];

    l->failures++;
    l->phase = QUIET;
    (void)snprintf(text, sizeof(text),
                   "disconnected, but the approval is not revoked yet: %.140s; trying again", why);
    conn_set_state(l->conn, "disabled", text);
    wh_timer_start(l->timer, wh_backoff_ms(BACKOFF_MS, BACKOFF_MAX_MS, l->failures), 0);
}

/* What has become of each pair that GitLab issued. */
static enum wh_rc list_end(struct leave *l, struct wh_err *err)
{
    struct conn *c = l->conn;
    const struct oauth_tokens *pair = credential_pair(access_credential(c->access));
    struct wh_connection doc = c->doc;
    struct wh_arena arena;
    const struct pairs p = {.doc = &doc,
                            .arena = &arena,
                            .keys = c->fetcher->deps.keys,
                            .now_ms = wh_clock_now_ms(&c->fetcher->deps.clock)};
    enum wh_rc rc = WH_OK;

    wh_arena_init(&arena, ARENA_BLOCK, ARENA_MAX);
    pairs_lost_before(&doc, INT64_MAX);
    if (pair->access.len) {
        rc = pairs_end_use(&p, pair, l->revoked ? NULL : l->outcome, err);
    }
    if (rc == WH_OK) {
        rc = conn_set_document(c, &doc, err);
    }
    wh_arena_done(&arena);
    return rc;
}

static void forget_secrets(struct leave *l)
{
    struct conn *c = l->conn;
    bool by_hand = c->doc.token_sealed.len > 0;
    struct wh_err err;

    l->phase = FORGET;
    if (list_end(l, &err) != WH_OK) {
        later(l, err.msg);
        return;
    }
    c->doc.token_sealed = WH_LIT("");
    c->doc.oauth_sealed = WH_LIT("");
    c->doc.webhook_key_sealed = WH_LIT("");
    c->doc.webhook_token_sealed = WH_LIT("");
    if (credential_kept(access_credential(c->access))->client.client_secret.len > 0) {
        c->doc.client_sealed = WH_LIT("");
    }
    access_forget(c->access);
    (void)snprintf(c->detail, sizeof(c->detail), "disconnected%s%s%s", l->outcome[0] ? "; " : "",
                   l->outcome,
                   by_hand ? "; the token given by hand is forgotten here, end it in GitLab under "
                             "Access tokens"
                           : "");
    c->doc.detail = wh_slice_str(c->detail);
    if (credential_load(access_credential(c->access), &err) != WH_OK ||
        conn_save(c, &l->ack, &err) != WH_OK) {
        later(l, err.msg);
    }
}

/* ---- the proof ---- */

static void on_proof(void *ctx, const struct wh_httpc_answer *a)
{
    struct leave *l = ctx;
    char text[80];

    l->proof = NULL;
    if (a->rc != WH_OK) {
        later(l, a->err.msg);
    } else if (a->status == 401) {
        /* A token that is over is refused, too: that is no proof of what was not revoked. */
        (void)snprintf(l->outcome, sizeof(l->outcome), "%s",
                       l->unrevoked ? "GitLab refuses the old token (HTTP 401), but did not take "
                                      "the revocation: end the approval there, under Applications"
                                    : "the approval is revoked, and GitLab refuses the old token "
                                      "(HTTP 401)");
        l->revoked = !l->unrevoked;
        forget_secrets(l);
    } else {
        (void)snprintf(text, sizeof(text), "GitLab still takes the old token (HTTP %u)", a->status);
        later(l, text);
    }
}

static void prove(struct leave *l)
{
    struct conn *c = l->conn;
    char url[URL_MAX];
    int n = snprintf(url, sizeof(url), "%s/api/v4/mcp", c->instance);
    const struct wh_httpc_request req = {
        .method = WH_LIT("GET"),
        .url = wh_slice(url, n > 0 ? (size_t)n : 0),
        .secret_header = "Authorization: Bearer ",
        .secret = credential_access(access_credential(c->access)),
        .body_max = PROOF_BODY_MAX,
        .timeout_ms = PROOF_MS,
        .stall_timeout_ms = PROOF_MS,
    };
    struct wh_err err;

    l->phase = PROVE;
    if (wh_httpc_start(c->fetcher->deps.http, &req, on_proof, l, &l->proof, &err) != WH_OK) {
        later(l, err.msg);
    }
}

static void on_revoked(struct leave *l, const struct oauth_token_answer *a, bool access)
{
    l->call = NULL;
    if (a->result == OAUTH_LATER) {
        later(l, a->error);
    } else if (a->result != OAUTH_DONE) {
        /* Whether the access is over all the same is for the proof to say. */
        l->unrevoked = true;
        prove(l);
    } else if (access) {
        prove(l);
    } else {
        revoke(l, true);
    }
}

static void on_refresh_revoked(void *ctx, const struct oauth_token_answer *a)
{
    on_revoked(ctx, a, false);
}

static void on_access_revoked(void *ctx, const struct oauth_token_answer *a)
{
    on_revoked(ctx, a, true);
}

static void revoke(struct leave *l, bool access)
{
    struct credential *cr = access_credential(l->conn->access);
    const struct oauth_kept *kept = credential_kept(cr);
    const struct oauth_tokens *pair = credential_pair(cr);
    struct wh_slice token = wh_buf_slice(access ? &pair->access : &pair->refresh);
    struct wh_err err;

    if (kept->revocation_endpoint.len == 0) {
        (void)snprintf(l->outcome, sizeof(l->outcome),
                       "GitLab names no address to revoke the approval at: end it there, under "
                       "Applications");
        forget_secrets(l);
        return;
    }
    l->phase = REVOKE;
    if (oauth_revoke(credential_net(cr), kept->revocation_endpoint, &kept->client, token,
                     access ? "access_token" : "refresh_token",
                     access ? on_access_revoked : on_refresh_revoked, l, &l->call, &err) != WH_OK) {
        later(l, err.msg);
    }
}

/* Pairs that the present one has replaced come first; they are tried again by themselves. */
static void await_revocations(struct leave *l)
{
    const char *problem = revoke_problem(access_revoke(l->conn->access));
    char text[300];

    if (problem[0]) {
        (void)snprintf(text, sizeof(text),
                       "disconnected, but a replaced approval is not revoked yet: %.140s; trying "
                       "again",
                       problem);
        conn_set_state(l->conn, "disabled", text);
    }
    revoke_look(access_revoke(l->conn->access));
    wh_timer_start(l->timer, QUIET_MS, 0);
}

/* The next step, when what was under way has ended. */
static void go_on(void *ctx)
{
    struct leave *l = ctx;
    struct conn *c = l->conn;

    if (l->phase != QUIET || c->fetcher->draining) {
        return;
    }
    if (!c->fetcher->caught_up || !is_quiet(c) || !fetcher_owns(c->fetcher, c->id, "")) {
        wh_timer_start(l->timer, QUIET_MS, 0);
        return;
    }
    if (revoke_under_way(access_revoke(c->access))) {
        await_revocations(l);
        return;
    }
    l->outcome[0] = '\0';
    l->unrevoked = false;
    l->revoked = false;
    if (credential_pair(access_credential(c->access))->access.len == 0) {
        forget_secrets(l);
        return;
    }
    revoke(l, credential_pair(access_credential(c->access))->refresh.len == 0);
}

/* ---- disconnect ---- */

static void begin(struct leave *l)
{
    if (l->phase == NONE && leave_under_way(l->conn)) {
        l->phase = QUIET;
        l->failures = 0;
        wh_timer_start(l->timer, 0, 0);
    }
}

enum wh_rc leave_disconnect(struct conn *c, struct wh_err *err)
{
    if (is_disabled(c)) {
        return WH_OK;
    }
    stop_reading(c->leave);
    (void)snprintf(c->state, sizeof(c->state), "disabled");
    (void)snprintf(c->detail, sizeof(c->detail), "disconnecting");
    c->doc.state = wh_slice_str(c->state);
    c->doc.detail = wh_slice_str(c->detail);
    /* on_record begins when Kafka has it. */
    return conn_save(c, &c->leave->ack, err);
}

void leave_document(struct conn *c)
{
    struct leave *l = c->leave;

    if (!is_disabled(c)) {
        if (l->stopped) {
            l->stopped = false;
            c->stopped = false;
            l->phase = l->phase == PURGE ? PURGE : NONE;
            wh_timer_stop(l->timer);
        }
        return;
    }
    if (!l->stopped) {
        stop_reading(l);
    }
    if (l->phase == QUIET && !has_secrets(c)) {
        l->phase = NONE; /* somebody did it: an older record came before this one */
        wh_timer_stop(l->timer);
    }
    begin(l);
}

/* ---- purge ---- */

static void wipe_work(void *ctx)
{
    struct leave *l = ctx;

    l->wipe_rc = wipe_connection(l->conn->fetcher, l->conn->id, &l->wiped, &l->wipe_err);
}

static void purge_failed(struct leave *l, const char *why)
{
    char text[240];

    l->phase = NONE;
    (void)snprintf(text, sizeof(text), "disconnected; the purge failed: %.160s; ask for it again",
                   why);
    conn_set_state(l->conn, "disabled", text);
}

static void wipe_done(void *ctx)
{
    struct leave *l = ctx;
    struct conn *c = l->conn;
    struct wh_err err;

    if (c->fetcher->draining) {
        return;
    }
    if (l->wipe_rc != WH_OK) {
        purge_failed(l, l->wipe_err.msg);
        return;
    }
    wh_log_info(c->fetcher->deps.log, "topics and keys of a connection removed",
                WH_STR("connection", c->id), WH_I("topics", l->wiped.topics),
                WH_I("keys", (int64_t)l->wiped.keys));
    if (conn_save_removed(c, &l->ack, &err) != WH_OK) {
        purge_failed(l, err.msg);
    }
}

enum wh_rc leave_purge(struct conn *c, struct wh_err *err)
{
    struct leave *l = c->leave;

    if (l->phase == PURGE) {
        return WH_OK;
    }
    if (!is_disabled(c)) {
        return wh_fail(err, WH_E_BUSY, "disconnect it first");
    }
    if (has_secrets(c) || l->phase != NONE || !is_quiet(c)) {
        return wh_fail(err, WH_E_BUSY, "it is not disconnected yet: %.200s",
                       c->detail[0] ? c->detail : "its secrets are still there");
    }
    l->wiped = (struct wipe_report){0};
    l->phase = PURGE;
    if (wh_loop_work(c->fetcher->deps.loop, wipe_work, wipe_done, l, err) != WH_OK) {
        l->phase = NONE;
        return err->rc;
    }
    return WH_OK;
}

/* ---- the record is in Kafka, or not ---- */

static void on_record(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct leave *l = (struct leave *)ack;
    struct conn *c = l->conn;

    if (l->phase == PURGE) {
        if (d->rc != WH_OK) {
            purge_failed(l, "Kafka did not take it");
            return;
        }
        l->phase = NONE;
        conn_drop(c);
        return;
    }
    if (d->rc != WH_OK) {
        /* What Kafka does not have is done again from the start. */
        l->phase = QUIET;
        wh_timer_start(l->timer, BACKOFF_MS, 0);
        return;
    }
    if (l->phase == FORGET) {
        l->phase = NONE;
        wh_log_info(c->fetcher->deps.log, "disconnected", WH_STR("connection", c->id),
                    WH_STR("outcome", l->outcome));
        return;
    }
    begin(l);
}
