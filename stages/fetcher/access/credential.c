#include "stages/fetcher/access/credential.h"

#include <stdio.h>

#include "common/base/backoff.h"
#include "common/base/mem.h"
#include "stages/fetcher/access/pairs.h"

enum {
    SECRET_MAX_BYTES = 24 << 10,
    ARENA_BLOCK = 2048,
    ARENA_MAX = 64 << 10,
    EARLY_MAX_MS = 300000, /* refreshed this long before its end, or a fifth of its life */
    EARLY_MIN_MS = 200,
    BACKOFF_MS = 1000,
    BACKOFF_MAX_MS = 60000,
    REQUEST_MS = 10000,
    HANDOVER_MS = REQUEST_MS + 2000, /* requests of the previous owner have ended by then */
    FOLLOW_MS = 1000,                /* between checks for another member's new pair */
    FOLLOWS_MAX = 15,
    DEPTH_MAX = 8,
    PARSER_MAX = 128 << 10,
    REFUSALS_MAX = 2, /* fresh pairs refused in a row */
};

enum phase {
    IDLE,
    NOTING, /* the note that a pair will be requested is on its way to Kafka */
    ASKING,
    SAVING,
};

struct credential {
    struct wh_bus_ack ack; /* first: the record that holds a new pair carries it */
    const struct access_env *env;
    void (*on_changed)(void *ctx, enum access_event what, const char *why);
    void *ctx; /* of on_changed */
    struct oauth_net net;
    struct wh_arena arena; /* of kept */
    struct oauth_kept kept;
    struct oauth_tokens now;
    struct oauth_tokens next; /* while SAVING: not in Kafka yet */
    struct wh_buf sealed;     /* the pair as the document holds it */
    struct oauth_call *call;
    struct wh_timer *timer;
    enum phase phase;
    bool dead;        /* GitLab ended the approval */
    bool client_gone; /* GitLab does not know the client any more */
    bool owner;       /* at the latest check */
    int64_t owner_ms; /* when the connection was taken over from another member; or 0 */
    unsigned follows; /* number of waits for the owner's new pair */
    unsigned failures;
    unsigned refusals;
    bool noted;        /* this process has recorded the request for a pair */
    bool ambiguous;    /* an answer to that request may have been lost */
    int64_t in_use_ms; /* since when the pair is in use */
    uint64_t refreshes;
};

static void begin(struct credential *cr);
static void ask(struct credential *cr);
static void on_timer(void *ctx);
static void on_saved(struct wh_bus_ack *ack, const struct wh_bus_delivery *d);

static int64_t now_ms(const struct credential *cr)
{
    return wh_clock_now_ms(&cr->env->clock);
}

/* ---- life ---- */

struct credential *
credential_new(const struct access_env *env,
               void (*on_changed)(void *ctx, enum access_event what, const char *why), void *ctx)
{
    struct credential *cr = wh_mem_zalloc(1, sizeof(*cr));
    struct wh_err err;

    if (cr == NULL) {
        return NULL;
    }
    cr->ack.fn = on_saved;
    cr->env = env;
    cr->on_changed = on_changed;
    cr->ctx = ctx;
    wh_arena_init(&cr->arena, ARENA_BLOCK, ARENA_MAX);
    oauth_tokens_init(&cr->now);
    oauth_tokens_init(&cr->next);
    wh_buf_init(&cr->sealed, SECRET_MAX_BYTES);
    cr->timer = wh_timer_new(env->loop, on_timer, cr);
    cr->net = (struct oauth_net){.http = env->http,
                                 .clock = env->clock,
                                 .parser = wh_json_parser_new(PARSER_MAX, DEPTH_MAX),
                                 .allow_http = env->allow_http,
                                 .timeout_ms = REQUEST_MS};
    if (cr->timer == NULL || cr->net.parser == NULL ||
        wh_url_parse(wh_slice_str(env->instance), &cr->net.home, &err) != WH_OK) {
        credential_free(cr);
        return NULL;
    }
    return cr;
}

void credential_free(struct credential *cr)
{
    if (cr == NULL) {
        return;
    }
    oauth_call_cancel(cr->call);
    wh_timer_free(cr->timer);
    oauth_tokens_done(&cr->now);
    oauth_tokens_done(&cr->next);
    wh_buf_done(&cr->sealed);
    wh_json_parser_free(cr->net.parser);
    wh_arena_done(&cr->arena);
    wh_mem_free(cr);
}

bool credential_there(const struct credential *cr)
{
    return cr->now.access.len > 0 && !cr->dead;
}

const char *credential_phase(const struct credential *cr)
{
    static const char *const words[] = {
        [IDLE] = "in use", [NOTING] = "asking", [ASKING] = "asking", [SAVING] = "saving"};

    return words[cr->phase];
}

bool credential_busy(const struct credential *cr)
{
    return cr->call != NULL || cr->phase == SAVING;
}

struct wh_slice credential_access(void *ctx)
{
    struct credential *cr = ctx;

    return wh_buf_slice(&cr->now.access);
}

uint64_t credential_refreshes(const struct credential *cr)
{
    return cr->refreshes;
}

int64_t credential_expires_ms(const struct credential *cr)
{
    return cr->now.expires_at_ms;
}

const struct oauth_kept *credential_kept(const struct credential *cr)
{
    return &cr->kept;
}

bool credential_client_gone(const struct credential *cr)
{
    return cr->client_gone;
}

const struct oauth_tokens *credential_newest(const struct credential *cr)
{
    return cr->phase == SAVING ? &cr->next : &cr->now;
}

bool credential_asking(const struct credential *cr)
{
    return cr->phase == ASKING;
}

bool credential_settled(const struct credential *cr)
{
    return cr->phase == IDLE && cr->call == NULL;
}

const struct oauth_tokens *credential_pair(const struct credential *cr)
{
    return &cr->now;
}

const struct oauth_net *credential_net(const struct credential *cr)
{
    return &cr->net;
}

/* ---- into use ---- */

static void schedule(struct credential *cr)
{
    int64_t life = cr->now.expires_at_ms - cr->now.got_at_ms;
    int64_t early = life / 5 < EARLY_MAX_MS ? life / 5 : EARLY_MAX_MS;
    int64_t wait;

    if (cr->now.expires_at_ms == 0 || cr->now.refresh.len == 0 || cr->dead) {
        return;
    }
    early = early > EARLY_MIN_MS ? early : EARLY_MIN_MS;
    wait = cr->now.expires_at_ms - early - now_ms(cr);
    wh_timer_start(cr->timer, wait > 0 ? wait : 0, 0);
}

static void tell(const struct credential *cr, enum access_event what, const char *why)
{
    cr->on_changed(cr->ctx, what, why);
}

static void take_into_use(struct credential *cr)
{
    cr->phase = IDLE;
    cr->dead = false;
    cr->client_gone = false;
    cr->failures = 0;
    cr->follows = 0;
    cr->in_use_ms = now_ms(cr);
    schedule(cr);
    tell(cr, ACCESS_READY, NULL);
}

static enum wh_rc open_sealed(struct credential *cr, const char *purpose, struct wh_slice sealed,
                              struct wh_buf *out, struct wh_err *err)
{
    const struct wh_seal_place place = access_seal_place(cr->env, purpose);

    wh_buf_init_secret(out, SECRET_MAX_BYTES);
    return wh_secret_open(cr->env->keys, &place, sealed, out, err);
}

static enum wh_rc load_client(struct credential *cr, struct wh_err *err)
{
    struct wh_buf text;
    enum wh_rc rc;

    wh_arena_reset(&cr->arena);
    cr->kept = (struct oauth_kept){0};
    if (cr->env->doc->client_sealed.len == 0) {
        return WH_OK;
    }
    rc = open_sealed(cr, "client", cr->env->doc->client_sealed, &text, err);
    if (rc == WH_OK) {
        rc = oauth_kept_read(wh_buf_slice(&text), cr->net.parser, &cr->arena, &cr->kept, err);
    }
    wh_buf_done(&text);
    return rc;
}

/* Our own records arrive late: a pair older than the newest known one is dead at GitLab. */
static bool outdated(const struct credential *cr, const struct oauth_tokens *t)
{
    return (cr->now.access.len && t->got_at_ms <= cr->now.got_at_ms) ||
           (cr->phase == SAVING && t->got_at_ms <= cr->next.got_at_ms);
}

static bool same_pair(const struct oauth_tokens *a, const struct oauth_tokens *b)
{
    return wh_slice_eq(wh_buf_slice(&a->access), wh_buf_slice(&b->access)) &&
           wh_slice_eq(wh_buf_slice(&a->refresh), wh_buf_slice(&b->refresh));
}

static enum wh_rc keep_sealed(struct credential *cr, struct wh_slice sealed, struct wh_err *err)
{
    wh_buf_reset(&cr->sealed);
    return wh_buf_append(&cr->sealed, sealed, err);
}

enum wh_rc credential_sealed_again(struct credential *cr, struct wh_err *err)
{
    /* While a new pair is saved, the one here is newer than the document's. */
    if (cr->phase != SAVING && keep_sealed(cr, cr->env->doc->oauth_sealed, err) != WH_OK) {
        return err->rc;
    }
    cr->env->doc->oauth_sealed = wh_buf_slice(&cr->sealed);
    return WH_OK;
}

static enum wh_rc load_pair(struct credential *cr, struct wh_slice sealed, struct wh_err *err)
{
    struct oauth_tokens tokens;
    struct wh_buf text;
    enum wh_rc rc = open_sealed(cr, "oauth", sealed, &text, err);

    oauth_tokens_init(&tokens);
    if (rc == WH_OK) {
        rc = oauth_tokens_read(wh_buf_slice(&text), cr->net.parser, &tokens, err);
    }
    wh_buf_done(&text);
    if (rc == WH_OK && cr->phase != SAVING && same_pair(&cr->now, &tokens)) {
        /* The owner has sealed the same pair again. */
        rc = keep_sealed(cr, sealed, err);
    } else if (rc == WH_OK && !outdated(cr, &tokens)) {
        oauth_call_cancel(cr->call);
        cr->call = NULL;
        rc = keep_sealed(cr, sealed, err);
        oauth_tokens_move(&cr->now, &tokens);
        take_into_use(cr);
    }
    oauth_tokens_done(&tokens);
    return rc;
}

enum wh_rc credential_load(struct credential *cr, struct wh_err *err)
{
    struct wh_slice sealed = cr->env->doc->oauth_sealed;
    enum wh_rc rc;

    if (load_client(cr, err) != WH_OK) {
        return wh_err_prefix(err, "the client's registration");
    }
    if (sealed.len == 0) {
        oauth_call_cancel(cr->call);
        cr->call = NULL;
        cr->phase = IDLE;
        wh_timer_stop(cr->timer);
        oauth_tokens_done(&cr->now);
        wh_buf_reset(&cr->sealed);
        return WH_OK;
    }
    rc = wh_slice_eq(sealed, wh_buf_slice(&cr->sealed)) ? WH_OK : load_pair(cr, sealed, err);
    cr->env->doc->oauth_sealed = wh_buf_slice(&cr->sealed);
    return rc;
}

/* ---- refresh ---- */

static void later(struct credential *cr, const char *why)
{
    cr->phase = IDLE;
    cr->failures++;
    wh_log_warn(cr->env->log, "token refresh failed; retrying",
                WH_STR("connection", cr->env->connection), WH_STR("why", why),
                WH_I("failures", cr->failures));
    wh_timer_start(cr->timer, wh_backoff_ms(BACKOFF_MS, BACKOFF_MAX_MS, cr->failures + 1), 0);
}

static void ended(struct credential *cr, const char *why)
{
    char text[200];

    cr->phase = IDLE;
    cr->dead = true;
    wh_timer_stop(cr->timer);
    (void)snprintf(text, sizeof(text), "%s; approve again: wellhead connect %s", why,
                   cr->env->instance);
    tell(cr, ACCESS_ENDED, text);
}

/* ---- the connection's list of pairs ---- */

static struct pairs list_of(const struct credential *cr, struct wh_connection *doc,
                            struct wh_arena *arena)
{
    return (struct pairs){.doc = doc, .arena = arena, .keys = cr->env->keys, .now_ms = now_ms(cr)};
}

/* The refresh has ended without a pair: none was issued, unless an earlier answer was lost. */
static void unlist(struct credential *cr)
{
    struct wh_connection doc = *cr->env->doc;
    struct wh_err err;

    if (cr->ambiguous) {
        pairs_lost(&doc, PAIR_BY_REFRESH, 0);
    }
    pairs_answered(&doc, PAIR_BY_REFRESH, 0);
    cr->noted = false;
    cr->ambiguous = false;
    if (cr->env->set_document(cr->env->ctx, &doc, &err) != WH_OK) {
        wh_log_error(cr->env->log, "list of token pairs not changed", WH_RC(&err));
    }
}

/* The old pair was still valid, so no other refresh of it succeeded: the answer is complete. */
static enum wh_rc list_pair(struct credential *cr, struct wh_err *err)
{
    struct wh_connection doc = *cr->env->doc;
    struct wh_arena arena;
    struct pairs p = list_of(cr, &doc, &arena);
    enum wh_rc rc;

    wh_arena_init(&arena, ARENA_BLOCK, ARENA_MAX);
    pairs_answered(&doc, PAIR_BY_REFRESH, 0);
    rc = pairs_use(&p, &cr->next, err);
    if (rc == WH_OK) {
        rc = cr->env->set_document(cr->env->ctx, &doc, err);
    }
    wh_arena_done(&arena);
    if (rc == WH_OK) {
        cr->noted = false;
        cr->ambiguous = false;
    }
    return rc;
}

/* Records the request before GitLab gets it. Returns true when the record is on its way to Kafka. */
static bool note(struct credential *cr)
{
    const struct access_env *env = cr->env;
    struct wh_connection doc = *env->doc;
    struct wh_arena arena;
    struct pairs p = list_of(cr, &doc, &arena);
    struct wh_err err;
    enum wh_rc rc;

    if (pairs_asked(&doc, PAIR_BY_REFRESH)) {
        /* Recorded earlier; if another process did it, the outcome of its request is unknown. */
        cr->ambiguous = cr->ambiguous || !cr->noted;
        cr->noted = true;
        return false;
    }
    wh_arena_init(&arena, ARENA_BLOCK, ARENA_MAX);
    rc = pairs_ask(&p, PAIR_BY_REFRESH, doc.instance, &err);
    if (rc == WH_OK) {
        rc = env->set_document(env->ctx, &doc, &err);
    }
    wh_arena_done(&arena);
    if (rc != WH_OK) {
        wh_log_warn(env->log, "token refresh not recorded", WH_RC(&err));
        return false;
    }
    cr->noted = true;
    cr->ambiguous = false;
    cr->phase = NOTING;
    if (env->save(env->ctx, &cr->ack, &err) != WH_OK) {
        later(cr, err.msg);
    }
    return true;
}

/* Writes the pair to the document and the topic; it is used once Kafka has acknowledged it. */
static enum wh_rc save(struct credential *cr, struct wh_err *err)
{
    const struct access_env *env = cr->env;
    const struct wh_seal_place place = access_seal_place(env, "oauth");
    struct wh_buf text;
    struct wh_buf sealed;
    enum wh_rc rc;

    wh_buf_init_secret(&text, SECRET_MAX_BYTES);
    wh_buf_init(&sealed, SECRET_MAX_BYTES);
    rc = oauth_tokens_write(&cr->next, &text, err);
    if (rc == WH_OK) {
        rc = wh_secret_seal(env->keys, &place, wh_buf_slice(&text), &sealed, err);
    }
    wh_buf_done(&text);
    if (rc != WH_OK) {
        wh_buf_done(&sealed);
        return rc;
    }
    wh_buf_done(&cr->sealed);
    cr->sealed = sealed;
    env->doc->oauth_sealed = wh_buf_slice(&cr->sealed);
    if (list_pair(cr, err) != WH_OK) {
        return err->rc;
    }
    return env->save(env->ctx, &cr->ack, err);
}

static void try_save(struct credential *cr)
{
    struct wh_err err;

    if (save(cr, &err) != WH_OK) {
        wh_log_error(cr->env->log, "new token not saved yet", WH_RC(&err));
        wh_timer_start(cr->timer, BACKOFF_MS, 0);
    }
}

void credential_drain(struct credential *cr)
{
    if (cr->phase == SAVING) {
        try_save(cr);
    }
}

static void on_saved(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct credential *cr = (struct credential *)ack;

    if (cr->phase == NOTING) {
        if (d->rc != WH_OK) {
            later(cr, "Kafka did not take the note that it is refreshed");
        } else {
            ask(cr);
        }
        return;
    }
    if (cr->phase != SAVING) {
        return;
    }
    if (d->rc != WH_OK) {
        /* The only copy of the pair: saving it is repeated until Kafka takes it. */
        wh_timer_start(cr->timer, BACKOFF_MS, 0);
        return;
    }
    oauth_tokens_move(&cr->now, &cr->next);
    cr->refreshes++;
    wh_log_info(cr->env->log, "token refreshed", WH_STR("connection", cr->env->connection),
                WH_I("refreshes", cr->refreshes));
    take_into_use(cr);
}

static void on_refreshed(void *ctx, const struct oauth_token_answer *a)
{
    struct credential *cr = ctx;
    struct wh_err err;

    cr->call = NULL;
    cr->client_gone = a->unknown_client;
    if (a->result == OAUTH_LATER) {
        cr->ambiguous = cr->ambiguous || a->status != 429;
        later(cr, a->error);
    } else if (a->result == OAUTH_INVALID_GRANT) {
        unlist(cr);
        ended(cr, "GitLab has ended the approval (invalid_grant)");
    } else if (a->result == OAUTH_REFUSED && (a->status == 400 || a->status == 401)) {
        unlist(cr);
        ended(cr, a->error);
    } else if (a->result == OAUTH_REFUSED) {
        later(cr, a->error);
    } else {
        oauth_tokens_move(&cr->next, a->tokens);
        if (cr->next.refresh.len == 0 &&
            wh_buf_append(&cr->next.refresh, wh_buf_slice(&cr->now.refresh), &err) != WH_OK) {
            later(cr, err.msg);
            return;
        }
        if (cr->next.scope[0] == '\0') {
            memcpy(cr->next.scope, cr->now.scope, sizeof(cr->next.scope));
        }
        cr->phase = SAVING;
        try_save(cr);
    }
}

static void begin(struct credential *cr)
{
    if (cr->phase != IDLE || cr->dead || cr->env->stopped(cr->env->ctx)) {
        return;
    }
    if (cr->now.refresh.len == 0) {
        ended(cr, "the approval is over, and GitLab gave nothing to renew it");
        return;
    }
    if (!note(cr)) {
        ask(cr);
    }
}

static void ask(struct credential *cr)
{
    struct wh_err err;

    cr->phase = IDLE;
    if (cr->env->stopped(cr->env->ctx)) {
        return;
    }
    if (oauth_refresh(&cr->net, cr->kept.token_endpoint, &cr->kept.client, cr->kept.resource,
                      wh_buf_slice(&cr->now.refresh), on_refreshed, cr, &cr->call, &err) != WH_OK) {
        later(cr, err.msg);
        return;
    }
    cr->phase = ASKING;
}

/* True when this member may refresh now. A member that has just taken the connection over waits
 * until requests of the member before it must have ended. */
static bool may_refresh(struct credential *cr, int64_t *ret_wait_ms)
{
    const struct access_env *env = cr->env;
    bool owner = env->owns(env->ctx);

    if (owner && !cr->owner && env->shared(env->ctx)) {
        cr->owner_ms = now_ms(cr);
    }
    cr->owner = owner;
    *ret_wait_ms = owner ? cr->owner_ms + HANDOVER_MS - now_ms(cr) : FOLLOW_MS;
    return owner && (cr->owner_ms == 0 || *ret_wait_ms <= 0);
}

static void begin_or_follow(struct credential *cr)
{
    int64_t wait_ms;

    if (may_refresh(cr, &wait_ms)) {
        begin(cr);
        return;
    }
    /* The owner's new pair arrives through the connections topic. */
    if (!cr->owner && ++cr->follows > FOLLOWS_MAX) {
        tell(cr, ACCESS_LATE, "the token is over and its owner has not renewed it yet");
    }
    wh_timer_start(cr->timer, wait_ms, 0);
}

void credential_assigned(struct credential *cr)
{
    int64_t wait_ms;

    (void)may_refresh(cr, &wait_ms);
}

static void on_timer(void *ctx)
{
    struct credential *cr = ctx;

    if (cr->phase == SAVING) {
        try_save(cr);
    } else {
        begin_or_follow(cr);
    }
}

/* ---- refused ---- */

bool credential_refused(struct credential *cr, int64_t sent_ms)
{
    if (!credential_there(cr) || cr->env->stopped(cr->env->ctx)) {
        return false;
    }
    if (cr->phase != IDLE || sent_ms < cr->in_use_ms) {
        return true; /* a newer one is there or on its way */
    }
    if (cr->now.got_at_ms + 2 * EARLY_MIN_MS > now_ms(cr) && ++cr->refusals > REFUSALS_MAX) {
        cr->refusals = 0;
        ended(cr, "GitLab refuses even a fresh token");
        return false;
    }
    begin_or_follow(cr);
    return credential_there(cr);
}

bool credential_challenged(void *ctx, struct mcp_call *call, unsigned status,
                           const struct oauth_challenge *challenge)
{
    struct credential *cr = ctx;
    bool newer = mcp_call_sent_ms(call) < cr->in_use_ms;

    (void)challenge;
    if (status != 401 || !credential_refused(cr, mcp_call_sent_ms(call))) {
        return false;
    }
    if (newer && cr->phase == IDLE) {
        mcp_resume(call);
    }
    return true; /* the other calls wait for ACCESS_READY */
}
