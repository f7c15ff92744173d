/*
 * hooks.h - asks GitLab for the webhooks of a connection's projects, and looks for the one that leads
 * to this installation. Only maintainers may read hooks, so an answer that is refused proves nothing.
 * Thread: app.
 */
#ifndef WH_FETCHER_HOOKS_H
#define WH_FETCHER_HOOKS_H

#include "common/json/json_doc.h"
#include "stages/fetcher/gitlab/client.h"
#include "stages/fetcher/state/projects.h"

enum hook_state {
    HOOK_UNKNOWN,  /* not asked yet, or the token may not read hooks */
    HOOK_MISSING,  /* no hook in GitLab has our address */
    HOOK_DISABLED, /* GitLab has disabled it, temporarily or for good */
    HOOK_WORKS,
};

/* All of it is borrowed until done is called or hooks_free. */
struct hooks_conf {
    struct client *client; /* NULL: nothing can be asked */
    struct wh_json_parser *parser;
    const char *connection; /* the address of its webhook ends with "/hooks/<connection>" */
    const struct projects *projects;
    /* Called once, never from inside hooks_start. until: with HOOK_DISABLED, until when; "" when GitLab
     * does not say, or for good. */
    void (*done)(void *ctx, enum hook_state state, const char *until);
    void *ctx;
};

struct hooks;

/* Asks for the hooks of up to 20 projects, one request at a time. The result frees itself after done.
 * Returns NULL when no project can be asked for, and without memory. */
struct hooks *hooks_start(const struct hooks_conf *conf);
/* Without a call of done. Only when the client, which would call back, is freed first. Accepts NULL. */
void hooks_free(struct hooks *h);

#endif
