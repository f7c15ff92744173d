/*
 * The token pairs of an approval in the connection's list (pairs.h): a pair is listed in Kafka before
 * GitLab is asked for it, and it is revoked when the connect fails after GitLab has issued it.
 */
#include <stdio.h>

#include "common/base/mem.h"
#include "stages/fetcher/control/connect_priv.h"
#include "stages/fetcher/access/access.h"
#include "stages/fetcher/conn/purge.h"
#include "stages/fetcher/access/pairs.h"

enum {
    ARENA_BLOCK = 4096,
    ARENA_MAX = 512 << 10,
    STALE_MS = 900000, /* an approval of that age is over: a person has ten minutes */
};

static int64_t now_ms(const struct connect *k)
{
    return wh_clock_now_ms(&fetcher_deps(k->f)->clock);
}

static struct pairs list_of(const struct connect *k, struct wh_connection *doc,
                            struct wh_arena *arena, int64_t at_ms)
{
    return (struct pairs){
        .doc = doc, .arena = arena, .keys = fetcher_deps(k->f)->keys, .now_ms = at_ms};
}

void connect_kept(const struct connect *k, struct oauth_kept *ret)
{
    struct oauth *o = mcp_login_oauth(k->login);
    const struct oauth_server *server = oauth_used_server(o);

    *ret = (struct oauth_kept){
        .client = *oauth_used_client(o),
        .token_endpoint = server->token_endpoint,
        .revocation_endpoint = server->revocation_endpoint,
        .resource = oauth_resource_name(o),
    };
}

/* Lists the pair of this login as replaced, so that it is revoked. */
static enum wh_rc replace_own(const struct connect *k, const struct pairs *p, struct wh_err *err)
{
    struct oauth_kept kept;

    connect_kept(k, &kept);
    return pairs_replace(p, &kept, oauth_tokens(mcp_login_oauth(k->login)),
                         wh_buf_slice(&k->instance), err);
}

/* ---- before GitLab is asked ---- */

static void on_noted(struct wh_bus_ack *ack, const struct wh_bus_delivery *d)
{
    struct connect *k = (struct connect *)ack;
    struct conn *c = fetcher_find(k->f, wh_buf_slice(&k->id));

    k->working = false;
    if (d->rc != WH_OK || k->dropped || c == NULL || k->login == NULL) {
        k->asked_at_ms = 0; /* GitLab has not been asked */
        connect_fail(k, 503, "Kafka did not take the connection; try again");
        return;
    }
    conn_set_saved(c, true);
    oauth_go_on(mcp_login_oauth(k->login));
}

static void new_document(const struct connect *k, struct wh_connection *doc)
{
    *doc = (struct wh_connection){.id = wh_buf_slice(&k->id),
                                  .instance = wh_buf_slice(&k->instance),
                                  .state = WH_LIT("to_configure"),
                                  .detail = WH_LIT("an approval is under way"),
                                  .created_at_ms = now_ms(k)};
}

static enum wh_rc note_in(struct connect *k, struct conn **c, struct wh_arena *arena,
                          struct wh_err *err)
{
    struct wh_connection doc;
    struct pairs p = list_of(k, &doc, arena, now_ms(k));

    if (*c) {
        doc = *conn_document(*c);
    } else {
        new_document(k, &doc);
    }
    pairs_lost_before(&doc, p.now_ms - STALE_MS);
    if (k->asked_at_ms) {
        pairs_answered(&doc, PAIR_BY_APPROVAL, k->asked_at_ms);
    }
    /* This is a second approval of the same login: its first pair is not used any more. */
    if (oauth_tokens(mcp_login_oauth(k->login))->access.len && replace_own(k, &p, err) != WH_OK) {
        return err->rc;
    }
    if (pairs_ask(&p, PAIR_BY_APPROVAL, wh_buf_slice(&k->instance), err) != WH_OK) {
        return err->rc;
    }
    k->asked_at_ms = p.now_ms;
    return *c ? conn_set_document(*c, &doc, err) : fetcher_adopt(k->f, &doc, c, err);
}

static enum wh_rc note(struct connect *k, struct wh_err *err)
{
    struct conn *c = fetcher_find(k->f, wh_buf_slice(&k->id));
    struct wh_arena arena;
    enum wh_rc rc;

    if (c && purge_under_way(c)) {
        return wh_fail(err, WH_E_BUSY, "it is being purged; try again when that is done");
    }
    wh_arena_init(&arena, ARENA_BLOCK, ARENA_MAX);
    rc = connect_still_fits(k, c, err);
    if (rc == WH_OK) {
        rc = note_in(k, &c, &arena, err);
    }
    wh_arena_done(&arena);
    if (rc != WH_OK) {
        return rc;
    }
    k->ack.fn = on_noted;
    k->working = true;
    rc = conn_save(c, &k->ack, err);
    k->working = rc == WH_OK;
    return rc;
}

/* Runs in a turn of its own, because connect_fail frees the login that calls connect_hold. */
static void on_hold_failed(void *ctx)
{
    struct connect *k = ctx;

    connect_fail(k, 503, k->error);
}

void connect_hold(void *ctx)
{
    struct connect *k = ctx;
    struct wh_err err;

    if (note(k, &err) != WH_OK) {
        (void)snprintf(k->error, sizeof(k->error), "%s", err.msg);
        wh_timer_free(k->timer);
        k->timer = wh_timer_new(fetcher_deps(k->f)->loop, on_hold_failed, k);
        if (k->timer) {
            wh_timer_start(k->timer, 0, 0);
        }
    }
}

/* ---- when it is saved ---- */

/* Lists the connection's old pair as replaced, and a refresh of it that is under way as lost. */
static enum wh_rc replace_old(const struct pairs *p, const struct conn *old, struct wh_err *err)
{
    const struct oauth_tokens *pair = credential_newest(access_credential(conn_access(old)));

    if (credential_asking(access_credential(conn_access(old)))) {
        pairs_lost(p->doc, PAIR_BY_REFRESH, 0);
    }
    if (pair->access.len == 0) {
        return WH_OK;
    }
    return pairs_replace(p, credential_kept(access_credential(conn_access(old))), pair,
                         wh_slice_str(conn_instance(old)), err);
}

enum wh_rc connect_list_pairs(struct connect *k, const struct conn *old, struct wh_arena *arena,
                              struct wh_connection *doc, struct wh_err *err)
{
    const struct pairs p = list_of(k, doc, arena, now_ms(k));

    if (old && (k->by_oauth || k->moving) && replace_old(&p, old, err) != WH_OK) {
        return err->rc;
    }
    if (!k->by_oauth) {
        return WH_OK;
    }
    pairs_answered(doc, PAIR_BY_APPROVAL, k->asked_at_ms);
    return pairs_use(&p, oauth_tokens(mcp_login_oauth(k->login)), err);
}

/* ---- when it fails ---- */

static enum wh_rc give_up_in(struct connect *k, struct conn *c, struct wh_arena *arena,
                             struct wh_err *err)
{
    struct wh_connection doc = *conn_document(c);
    const struct pairs p = list_of(k, &doc, arena, now_ms(k));
    enum oauth_issue issue = oauth_issue(mcp_login_oauth(k->login));

    if (issue == OAUTH_MAY_BE_LOST) {
        pairs_lost(&doc, PAIR_BY_APPROVAL, k->asked_at_ms);
    }
    pairs_answered(&doc, PAIR_BY_APPROVAL, k->asked_at_ms);
    if (issue == OAUTH_ISSUED && replace_own(k, &p, err) != WH_OK) {
        return err->rc;
    }
    if (wh_slice_eq(doc.state, WH_LIT("to_configure"))) {
        doc.detail = WH_LIT("an approval has failed; connect again, or disconnect and purge");
    }
    return conn_set_document(c, &doc, err);
}

void connect_give_up_pairs(struct connect *k)
{
    struct conn *c = fetcher_find(k->f, wh_buf_slice(&k->id));
    struct wh_arena arena;
    struct wh_err err;

    if (k->asked_at_ms == 0 || k->login == NULL || c == NULL) {
        return;
    }
    wh_arena_init(&arena, ARENA_BLOCK, ARENA_MAX);
    if (give_up_in(k, c, &arena, &err) != WH_OK) {
        wh_log_error(fetcher_deps(k->f)->log, "the tokens of a failed connect are not listed",
                     WH_RC(&err));
    } else if (!conn_forget_unconfigured(c)) {
        /* rotate.h saves the document until Kafka has it; then the pair is revoked. */
        conn_set_saved(c, false);
        if (conn_save(c, NULL, &err) != WH_OK) {
            wh_log_error(fetcher_deps(k->f)->log,
                         "the tokens of a failed connect are not saved yet", WH_RC(&err));
        }
    }
    wh_arena_done(&arena);
    k->asked_at_ms = 0;
}
