#include "stages/fetcher/conn/leave.h"

#include <assert.h>
#include <stdio.h>

#include "common/base/backoff.h"
#include "common/base/mem.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/access/access.h"
#include "stages/fetcher/access/pairs.h"

enum {
    QUIET_MS = 100, /* how often it checks whether reading has ended */
    BACKOFF_MAX_MS = 300000,
    PROOF_MS = 15000,
    PROOF_BODY_MAX = 64 << 10,
    URL_MAX = 2048,
    ARENA_BLOCK = 1024,
    ARENA_MAX = 64 << 10,
};

enum leave_phase {
    LEAVE_NONE,   /* the connection is in use, or it is disconnected and has no secrets */
    LEAVE_QUIET,  /* waits until reading has ended, or until the next attempt */
    LEAVE_REVOKE, /* asks GitLab to revoke the refresh token, then the access token */
    LEAVE_PROVE,  /* tries the old access token, which GitLab must refuse */
    LEAVE_FORGET, /* the record without secrets is on its way to Kafka */
    LEAVE_PHASES
};

#define TO(phase) (1U << (phase))
static const unsigned transitions[LEAVE_PHASES] = {
    [LEAVE_NONE] = TO(LEAVE_QUIET),
    [LEAVE_QUIET] = TO(LEAVE_NONE) | TO(LEAVE_QUIET) | TO(LEAVE_REVOKE) | TO(LEAVE_FORGET),
    [LEAVE_REVOKE] =
        TO(LEAVE_NONE) | TO(LEAVE_QUIET) | TO(LEAVE_REVOKE) | TO(LEAVE_PROVE) | TO(LEAVE_FORGET),
    [LEAVE_PROVE] = TO(LEAVE_NONE) | TO(LEAVE_QUIET) | TO(LEAVE_FORGET),
    [LEAVE_FORGET] = TO(LEAVE_NONE) | TO(LEAVE_QUIET),
};
#undef TO

struct leave {
    struct wh_bus_ack ack; /* first: the connection's record carries it */
    struct conn *conn;
    struct wh_timer *timer;
    enum leave_phase phase;
    bool stopped; /* the document is disabled, and reading was stopped */
    unsigned failures;
    bool unrevoked; /* GitLab did not accept the revocation */
    bool revoked;   /* GitLab accepted it, and refuses the token */
    struct oauth_call *call;
    struct wh_httpc_transfer *proof;
    char outcome[160]; /* of the revocation, for people */
};

static void go_on(void *ctx);
static void revoke(struct leave *l, bool access);
static void on_record(struct wh_bus_ack *ack, const struct wh_bus_delivery *d);

static void move(struct leave *l, enum leave_phase to)
{
    assert(transitions[l->phase] & (1U << to));
    l->phase = to;
}

/* ---- life ---- */

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

static void cancel_requests(struct leave *l)
{
    oauth_call_cancel(l->call);
    l->call = NULL;
    if (l->proof) {
        wh_httpc_cancel(l->conn->fetcher->deps.http, l->proof);
        l->proof = NULL;
    }
}

void leave_free(struct leave *l)
{
    if (l == NULL) {
        return;
    }
    cancel_requests(l);
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

/* ---- stop reading ---- */

static void stop_reading(struct leave *l)
{
    struct conn *c = l->conn;

    l->stopped = true;
    c->stopped = true;
    c->run.again = false;
    wh_timer_stop(c->run.timer);
    access_stop(c->access);
}

/* A refresh that is under way may bring the only pair that can be revoked. */
static bool is_quiet(const struct conn *c)
{
    return c->reads.listings.n == 0 && c->run.phase == RUN_IDLE && access_idle(c->access);
}

bool leave_is_done(const struct conn *c)
{
    return is_disabled(c) && !has_secrets(c) && c->leave->phase == LEAVE_NONE && is_quiet(c);
}

/* ---- revoke ---- */

static void try_later(struct leave *l, const char *why)
{
    char text[240];

    l->failures++;
    move(l, LEAVE_QUIET);
    (void)snprintf(text, sizeof(text),
                   "disconnected, but the approval is not revoked yet: %.140s; trying again", why);
    conn_set_state(l->conn, "disabled", text);
    wh_timer_start(
        l->timer,
        wh_backoff_ms(l->conn->fetcher->deps.conf.backoff_ms, BACKOFF_MAX_MS, l->failures), 0);
}

/* Notes in the document what has become of each pair that GitLab issued. */
static enum wh_rc note_pairs(struct leave *l, struct wh_err *err)
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

    move(l, LEAVE_FORGET);
    if (note_pairs(l, &err) != WH_OK) {
        try_later(l, err.msg);
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
        try_later(l, err.msg);
    }
}

/* ---- the proof ---- */

static void on_proof(void *ctx, const struct wh_httpc_answer *a)
{
    struct leave *l = ctx;
    char text[80];

    l->proof = NULL;
    if (a->rc != WH_OK) {
        try_later(l, a->err.msg);
    } else if (a->status == 401) {
        /* GitLab also refuses a token that has expired: that does not prove a revocation. */
        (void)snprintf(l->outcome, sizeof(l->outcome), "%s",
                       l->unrevoked ? "GitLab refuses the old token (HTTP 401), but did not take "
                                      "the revocation: end the approval there, under Applications"
                                    : "the approval is revoked, and GitLab refuses the old token "
                                      "(HTTP 401)");
        l->revoked = !l->unrevoked;
        forget_secrets(l);
    } else {
        (void)snprintf(text, sizeof(text), "GitLab still takes the old token (HTTP %u)", a->status);
        try_later(l, text);
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

    move(l, LEAVE_PROVE);
    if (wh_httpc_start(c->fetcher->deps.http, &req, on_proof, l, &l->proof, &err) != WH_OK) {
        try_later(l, err.msg);
    }
}

static void on_revoked(struct leave *l, const struct oauth_token_answer *a, bool access)
{
    l->call = NULL;
    if (a->result == OAUTH_LATER) {
        try_later(l, a->error);
    } else if (a->result != OAUTH_DONE) {
        /* The proof shows whether the access has ended all the same. */
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
    move(l, LEAVE_REVOKE);
    if (oauth_revoke(credential_net(cr), kept->revocation_endpoint, &kept->client, token,
                     access ? "access_token" : "refresh_token",
                     access ? on_access_revoked : on_refresh_revoked, l, &l->call, &err) != WH_OK) {
        try_later(l, err.msg);
    }
}

/* Pairs that were replaced are revoked first; revoke.h repeats its attempts itself. */
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

/* Takes the next step when everything that was under way has ended. */
static void go_on(void *ctx)
{
    struct leave *l = ctx;
    struct conn *c = l->conn;

    if (l->phase != LEAVE_QUIET || c->fetcher->draining) {
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
    if (l->phase == LEAVE_NONE && leave_under_way(l->conn)) {
        move(l, LEAVE_QUIET);
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
    /* on_record continues when Kafka has the record. */
    return conn_save(c, &c->leave->ack, err);
}

/* It was connected again. What GitLab answers about the old credentials does not matter any more. */
static void connected_again(struct leave *l)
{
    if (!l->stopped) {
        return;
    }
    l->stopped = false;
    l->conn->stopped = false;
    wh_timer_stop(l->timer);
    cancel_requests(l);
    if (l->phase != LEAVE_NONE) {
        move(l, LEAVE_NONE);
    }
}

void leave_document(struct conn *c)
{
    struct leave *l = c->leave;

    if (!is_disabled(c)) {
        connected_again(l);
        return;
    }
    if (!l->stopped) {
        stop_reading(l);
    }
    if (l->phase == LEAVE_QUIET && !has_secrets(c)) {
        move(l, LEAVE_NONE); /* another member has removed them */
        wh_timer_stop(l->timer);
    }
    begin(l);
}

/* ---- the record is in Kafka, or not ---- */

static void on_record(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct leave *l = (struct leave *)ack;
    struct conn *c = l->conn;

    if (!l->stopped) {
        return; /* it was connected again meanwhile */
    }
    if (d->rc != WH_OK) {
        /* Kafka does not have the record: everything is done again from the start. */
        cancel_requests(l);
        move(l, LEAVE_QUIET);
        wh_timer_start(l->timer, c->fetcher->deps.conf.backoff_ms, 0);
        return;
    }
    if (l->phase == LEAVE_FORGET) {
        move(l, LEAVE_NONE);
        wh_log_info(c->fetcher->deps.log, "disconnected", WH_STR("connection", c->id),
                    WH_STR("outcome", l->outcome));
        return;
    }
    begin(l);
}
