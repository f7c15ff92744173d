#include "stages/sink/tokens/grants_priv.h"

#include <stdio.h>
#include <strings.h>

#include "common/base/enc.h"
#include "common/base/mem.h"
#include "common/crypto/crypto.h"

enum {
    CODE_MS = 60 * 1000,
    CHALLENGE_TEXT = 43,
    VERIFIER_MIN = 43,
    VERIFIER_MAX = 128,
    /* Uses are written down once in this time, so that a call does not write a file. */
    USED_MS = 3600 * 1000,
};

/* ---- birth and death ---- */

enum wh_rc grants_new(const char *path, struct wh_clock clock, struct grants **ret,
                      struct wh_err *err)
{
    struct grants *g = wh_mem_zalloc(1, sizeof(*g));

    if (g == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the agents' grants");
    }
    g->path = path;
    g->clock = clock;
    if (grants_load(g, err) != WH_OK) {
        wh_mem_free(g);
        return err->rc;
    }
    (void)pthread_mutex_init(&g->lock, NULL);
    *ret = g;
    return WH_OK;
}

void grants_free(struct grants *g)
{
    if (g) {
        (void)pthread_mutex_destroy(&g->lock);
        wh_mem_free(g);
    }
}

/* ---- codes ---- */

static struct grant_code *code_room(struct grants *g, int64_t now)
{
    size_t n = 0;

    for (size_t i = 0; i < g->n_codes; i++) {
        if (now - g->codes[i].made_ms < CODE_MS) {
            g->codes[n++] = g->codes[i];
        }
    }
    if (n == GRANT_CODES_MAX) {
        memmove(g->codes, g->codes + 1, (GRANT_CODES_MAX - 1) * sizeof(g->codes[0]));
        n--;
    }
    g->n_codes = n + 1;
    return &g->codes[n];
}

enum wh_rc grants_allow(struct grants *g, const struct grants_ask *ask,
                        char ret_code[GRANT_TOKEN_TEXT + 1], struct wh_err *err)
{
    TOKENS_HOLD(&g->lock);
    int64_t now = wh_clock_now_ms(&g->clock);
    struct grant_code code = {.made_ms = now};

    grants_forget_old(g, now);
    if (g->n == GRANTS_MAX) {
        return wh_fail(err, WH_E_BUSY, "%d agents have access already; end one of them first",
                       GRANTS_MAX);
    }
    if (ask->challenge.len != CHALLENGE_TEXT ||
        !grants_set(code.client, sizeof(code.client), ask->client) ||
        !grants_set(code.redirect, sizeof(code.redirect), ask->redirect) ||
        !grants_set(code.challenge, sizeof(code.challenge), ask->challenge) ||
        !grants_set(code.resource, sizeof(code.resource), ask->resource)) {
        return wh_fail(err, WH_E_INVALID, "the request is not valid");
    }
    if (tokens_new(ret_code, code.hash, err) != WH_OK) {
        return err->rc;
    }
    *code_room(g, now) = code;
    return WH_OK;
}

static bool verifier_fits(const struct grant_code *code, struct wh_slice verifier)
{
    unsigned char hash[WH_SHA256_BYTES];
    WH_AUTO(buf) struct wh_buf text;
    struct wh_err err;

    wh_buf_init(&text, TOKEN_TEXT);
    return verifier.len >= VERIFIER_MIN && verifier.len <= VERIFIER_MAX &&
           wh_sha256(verifier, hash, &err) == WH_OK &&
           wh_base64url_encode(wh_slice(hash, sizeof(hash)), &text, &err) == WH_OK &&
           wh_constant_time_eq(wh_buf_slice(&text), wh_slice_str(code->challenge));
}

/* Takes the code out. */
static bool use_code(struct grants *g, const char *hash, struct grant_code *ret)
{
    int64_t now = wh_clock_now_ms(&g->clock);

    for (size_t i = 0; i < g->n_codes; i++) {
        if (wh_constant_time_eq(wh_slice_str(g->codes[i].hash), wh_slice_str(hash))) {
            *ret = g->codes[i];
            g->codes[i] = g->codes[--g->n_codes];
            return now - ret->made_ms < CODE_MS;
        }
    }
    return false;
}

/* ---- tokens ---- */

/* family and the token's own secret; both hashes go into the grant. */
static enum wh_rc make_token(const char *prefix, struct wh_slice family, char *ret_hash,
                             char ret[GRANT_TOKEN_TEXT + 1], struct wh_err *err)
{
    char secret[TOKEN_TEXT + 1];
    enum wh_rc rc = tokens_new(secret, ret_hash, err);

    if (rc == WH_OK) {
        (void)snprintf(ret, GRANT_TOKEN_TEXT + 1, "%s%.*s.%s", prefix, WH_SLICE_ARG(family),
                       secret);
    }
    wh_mem_wipe(secret, sizeof(secret));
    return rc;
}

static enum wh_rc make_pair(struct grants *g, struct grant *grant, struct wh_slice family,
                            struct grants_pair *ret, struct wh_err *err)
{
    grant->used_ms = wh_clock_now_ms(&g->clock);
    grant->access_until_ms = grant->used_ms + INT64_C(1000) * GRANT_ACCESS_S;
    if (make_token("wha_", family, grant->access, ret->access, err) != WH_OK) {
        return err->rc;
    }
    return make_token("whr_", family, grant->refresh, ret->refresh, err);
}

/* A new approval of the same client takes the place of the old one. */
static enum wh_rc keep(struct grants *g, const struct grant *grant, struct wh_err *err)
{
    for (size_t i = g->n; i-- > 0;) {
        if (strcmp(g->list[i].client, grant->client) == 0) {
            grants_drop(g, i);
        }
    }
    if (g->n == GRANTS_MAX) {
        return wh_fail(err, WH_E_BUSY, "%d agents have access already", GRANTS_MAX);
    }
    g->list[g->n++] = *grant;
    return grants_save(g, err);
}

static enum wh_rc refuse(struct wh_err *err)
{
    return wh_fail(err, WH_E_AUTH, "it is not known, was used, is too old, or is another client's");
}

/* The grant that this code led to ends, if there is one: somebody has a copy of the code. */
static enum wh_rc end_of_code(struct grants *g, const char *hash, struct wh_err *err)
{
    for (size_t i = 0; i < g->n; i++) {
        if (wh_constant_time_eq(wh_slice_str(g->list[i].code), wh_slice_str(hash))) {
            grants_drop(g, i);
            return grants_save(g, err) == WH_OK ? refuse(err) : err->rc;
        }
    }
    return refuse(err);
}

static bool code_fits(const struct grant_code *code, const struct grants_ask *ask)
{
    return wh_slice_eq(ask->client, wh_slice_str(code->client)) &&
           wh_slice_eq(ask->redirect, wh_slice_str(code->redirect)) &&
           (ask->resource.len == 0 || wh_slice_eq(ask->resource, wh_slice_str(code->resource)));
}

static enum wh_rc make_grant(struct grants *g, const struct grant_code *code,
                             struct grants_pair *ret, struct wh_err *err)
{
    const struct grants_client *client = grants_find_client(g, wh_slice_str(code->client));
    struct grant grant = {.created_ms = wh_clock_now_ms(&g->clock)};
    char family[TOKEN_TEXT + 1];
    enum wh_rc rc;

    if (client == NULL) {
        return refuse(err);
    }
    (void)grants_set(grant.client, sizeof(grant.client), wh_slice_str(client->id));
    (void)grants_set(grant.name, sizeof(grant.name), wh_slice_str(client->name));
    (void)grants_set(grant.redirect, sizeof(grant.redirect), wh_slice_str(code->redirect));
    (void)grants_set(grant.resource, sizeof(grant.resource), wh_slice_str(code->resource));
    (void)grants_set(grant.code, sizeof(grant.code), wh_slice_str(code->hash));
    if (grants_short_id(grant.id, GRANT_ID, err) != WH_OK ||
        tokens_new(family, grant.family, err) != WH_OK) {
        return err->rc;
    }
    rc = make_pair(g, &grant, wh_slice(family, TOKEN_TEXT), ret, err);
    wh_mem_wipe(family, sizeof(family));
    return rc == WH_OK ? keep(g, &grant, err) : rc;
}

enum wh_rc grants_redeem(struct grants *g, struct wh_slice code, const struct grants_ask *ask,
                         struct wh_slice verifier, struct grants_pair *ret, struct wh_err *err)
{
    TOKENS_HOLD(&g->lock);
    struct grant_code found;
    char hash[TOKEN_TEXT + 1];

    if (tokens_hash(code, hash, err) != WH_OK) {
        return err->rc;
    }
    if (!use_code(g, hash, &found)) {
        return end_of_code(g, hash, err);
    }
    if (!code_fits(&found, ask) || !verifier_fits(&found, verifier)) {
        return refuse(err);
    }
    return make_grant(g, &found, ret, err);
}

/* "whr_FAMILY.SECRET" -> both. */
static bool split(struct wh_slice token, const char *prefix, struct wh_slice *ret_family,
                  struct wh_slice *ret_secret)
{
    size_t n = strlen(prefix);

    if (token.len != n + 2 * TOKEN_TEXT + 1 || !wh_slice_starts(token, wh_slice_str(prefix)) ||
        token.ptr[n + TOKEN_TEXT] != '.') {
        return false;
    }
    *ret_family = wh_slice(token.ptr + n, TOKEN_TEXT);
    *ret_secret = wh_slice_from(token, n + TOKEN_TEXT + 1);
    return true;
}

/* NULL: no grant has that family. *ret_current: the token is the one of now, not an old one. */
static struct grant *find(struct grants *g, struct wh_slice token, bool refresh, bool *ret_current)
{
    struct wh_slice family;
    struct wh_slice secret;
    char family_hash[TOKEN_TEXT + 1];
    char hash[TOKEN_TEXT + 1];
    struct wh_err err;

    if (!split(token, refresh ? "whr_" : "wha_", &family, &secret) ||
        tokens_hash(family, family_hash, &err) != WH_OK ||
        tokens_hash(secret, hash, &err) != WH_OK) {
        return NULL;
    }
    for (size_t i = 0; i < g->n; i++) {
        struct grant *e = &g->list[i];

        if (wh_constant_time_eq(wh_slice_str(e->family), wh_slice_str(family_hash))) {
            *ret_current = wh_constant_time_eq(wh_slice_str(refresh ? e->refresh : e->access),
                                               wh_slice_str(hash));
            return e;
        }
    }
    return NULL;
}

static enum wh_rc end(struct grants *g, struct grant *grant, struct wh_err *err)
{
    grants_drop(g, (size_t)(grant - g->list));
    return grants_save(g, err);
}

enum wh_rc grants_refresh(struct grants *g, struct wh_slice token, struct wh_slice client,
                          struct wh_slice resource, struct grants_pair *ret, struct wh_err *err)
{
    TOKENS_HOLD(&g->lock);
    bool current;
    struct grant *grant = find(g, token, true, &current);
    struct grant old;
    enum wh_rc rc;

    if (grant == NULL || !wh_slice_eq(client, wh_slice_str(grant->client)) ||
        wh_clock_now_ms(&g->clock) - grant->used_ms >= GRANT_DAYS_MS ||
        (resource.len && !wh_slice_eq(resource, wh_slice_str(grant->resource)))) {
        return refuse(err);
    }
    if (!current) {
        return end(g, grant, err) == WH_OK ? refuse(err) : err->rc;
    }
    old = *grant;
    rc = make_pair(g, grant, wh_slice(token.ptr + strlen("whr_"), TOKEN_TEXT), ret, err);
    if (rc == WH_OK) {
        rc = grants_save(g, err);
    }
    if (rc != WH_OK) {
        *grant = old;
    }
    return rc;
}

enum wh_rc grants_revoke(struct grants *g, struct wh_slice token, struct wh_slice client,
                         struct wh_err *err)
{
    TOKENS_HOLD(&g->lock);
    bool current;
    struct grant *grant = find(g, token, wh_slice_starts(token, WH_LIT("whr_")), &current);

    if (grant == NULL || !wh_slice_eq(client, wh_slice_str(grant->client))) {
        return WH_OK;
    }
    return end(g, grant, err);
}

/* ---- use ---- */

/* "Bearer x" -> "x" */
static struct wh_slice bearer(struct wh_slice authorization)
{
    const size_t n = strlen("Bearer ");

    return authorization.len > n && strncasecmp(authorization.ptr, "Bearer ", n) == 0
               ? wh_slice_from(authorization, n)
               : wh_slice("", 0);
}

bool grants_fits(struct grants *g, struct wh_slice authorization, struct wh_slice resource,
                 struct grants_agent *ret)
{
    TOKENS_HOLD(&g->lock);
    bool current;
    struct grant *grant = find(g, bearer(authorization), false, &current);
    int64_t now = wh_clock_now_ms(&g->clock);
    struct wh_err err;

    if (grant == NULL || !current || now >= grant->access_until_ms ||
        !wh_slice_eq(resource, wh_slice_str(grant->resource))) {
        return false;
    }
    if (now - grant->used_ms > USED_MS) {
        grant->used_ms = now;
        /* The time of the last use is a help for people: a file that cannot be written refuses no call. */
        if (grants_save(g, &err) != WH_OK) {
            grant->used_ms = now - USED_MS;
        }
    }
    (void)grants_set(ret->id, sizeof(ret->id), wh_slice_str(grant->id));
    (void)grants_set(ret->name, sizeof(ret->name), wh_slice_str(grant->name));
    return true;
}

/* ---- for people ---- */

void grants_write(struct grants *g, struct wh_json_writer *w)
{
    TOKENS_HOLD(&g->lock);

    for (size_t i = 0; i < g->n; i++) {
        const struct grant *e = &g->list[i];

        wh_jw_object(w);
        wh_jw_put_str(w, "kind", WH_LIT("agent"));
        wh_jw_put_str(w, "id", wh_slice_str(e->id));
        wh_jw_put_str(w, "name", wh_slice_str(e->name));
        wh_jw_put_str(w, "detail", wh_slice_str(e->redirect));
        wh_jw_put_ms(w, "created_at", e->created_ms);
        wh_jw_put_ms(w, "used_at", e->used_ms);
        wh_jw_put_ms(w, "ends_at", e->used_ms + GRANT_DAYS_MS);
        wh_jw_end(w);
    }
}

enum wh_rc grants_end(struct grants *g, struct wh_slice id, struct wh_err *err)
{
    TOKENS_HOLD(&g->lock);

    for (size_t i = 0; i < g->n; i++) {
        if (wh_slice_eq(wh_slice_str(g->list[i].id), id)) {
            return end(g, &g->list[i], err);
        }
    }
    return wh_fail(err, WH_E_NOT_FOUND, "no agent has a grant of that id");
}
