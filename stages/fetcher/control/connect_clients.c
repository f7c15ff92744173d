/* Clients that failed connects have registered. */
#include "common/base/mem.h"
#include "stages/fetcher/control/connect_priv.h"

enum { ARENA_BLOCK = 1024, ARENA_MAX = 32 << 10 };

struct registered {
    struct registered *next;
    struct wh_arena arena;
    struct wh_slice connection;
    struct oauth_client client;
};

static void forget_registered(struct registered *r)
{
    wh_arena_done(&r->arena);
    wh_mem_free(r);
}

static enum wh_rc copy_client(struct registered *r, const struct connect *k, struct wh_err *err)
{
    const struct oauth_client *c = oauth_used_client(mcp_login_oauth(k->login));

    if (wh_arena_dup(&r->arena, wh_buf_slice(&k->id), &r->connection, err) != WH_OK ||
        wh_arena_dup(&r->arena, c->issuer, &r->client.issuer, err) != WH_OK ||
        wh_arena_dup(&r->arena, c->client_id, &r->client.client_id, err) != WH_OK ||
        wh_arena_dup(&r->arena, c->client_secret, &r->client.client_secret, err) != WH_OK ||
        wh_arena_dup(&r->arena, c->auth_method, &r->client.auth_method, err) != WH_OK) {
        return err->rc;
    }
    return wh_arena_dup(&r->arena, c->redirect_uri, &r->client.redirect_uri, err);
}

void connect_keep_client(const struct connect *k)
{
    struct connects *all = k->all;
    struct registered *r;
    struct wh_err err;

    if (all == NULL || k->login == NULL || !oauth_registered(mcp_login_oauth(k->login))) {
        return;
    }
    r = wh_mem_zalloc(1, sizeof(*r));
    if (r == NULL) {
        return;
    }
    wh_arena_init(&r->arena, ARENA_BLOCK, ARENA_MAX);
    if (copy_client(r, k, &err) != WH_OK) {
        forget_registered(r);
        return;
    }
    r->next = all->registered;
    all->registered = r;
}

const struct oauth_client *connect_registered(const struct connect *k)
{
    for (const struct registered *r = k->all->registered; r; r = r->next) {
        if (wh_slice_eq(r->connection, wh_buf_slice(&k->id))) {
            return &r->client;
        }
    }
    return NULL;
}

void connect_forget_clients(struct connects *all)
{
    while (all->registered) {
        struct registered *next = all->registered->next;

        forget_registered(all->registered);
        all->registered = next;
    }
}
