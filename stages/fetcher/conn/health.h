/*
 * health.h - is a connection well? From what the intakes say of its webhooks, what the sink says of
 * its runs, and what GitLab says of its hooks.
 *
 * A repair (a read brought what a webhook should have told) while webhooks are on makes the
 * connection degraded, with the likely reason; once, the window since the last good delivery is
 * read again. So does a hook that GitLab has switched off, repaired or not, and a long silence
 * after deliveries, unless GitLab says that the hook works. It is enabled again
 * when a delivery has come since, or GitLab says that the hook works, and the newest run has
 * repaired nothing. Thread: app.
 */
#ifndef WH_FETCHER_HEALTH_H
#define WH_FETCHER_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/event/health.h"

struct conn;
struct wh_json_writer;

enum hook_state {
    HOOK_UNKNOWN,  /* the token may not see hooks, or nobody has asked */
    HOOK_MISSING,  /* no hook of GitLab leads to us */
    HOOK_DISABLED, /* GitLab has switched it off, for a time or for good */
    HOOK_WORKS,
};

struct health_facts {
    int64_t now_ms;
    int64_t last_ok_ms;           /* newest good delivery; 0: none known */
    int64_t last_unauthorized_ms; /* newest with a wrong secret; 0 */
    int64_t silence_ms;           /* without any delivery from which it is an alarm; 0: never */
    int64_t repaired;             /* by the newest run */
    int64_t held;                 /* tombstones that wait for a person */
    int64_t degraded_ms;          /* since when; 0: it is not */
    enum hook_state hook;
    char hook_until[40]; /* of DISABLED: until when; empty: for good */
};

enum { HEALTH_DETAIL_MAX = 200 };

/* True: all is well. Else detail says what is not, and what to do. */
bool health_verdict(const struct health_facts *facts, char detail[HEALTH_DETAIL_MAX]);

struct health;

/* NULL: no memory. */
struct health *health_new(struct conn *c);
void health_free(struct health *h);
void health_take_webhooks(struct health *h, const struct wh_webhook_health *doc);
void health_take_outcome(struct health *h, const struct wh_outcome *o);
/* A run ended well: sets the connection's state, now and when late webhooks have had their time. */
void health_run_ended(struct health *h);
void health_write(const struct health *h, struct wh_json_writer *w);

/* ---- hooks.c ---- */

/* Asks GitLab for the hooks of the connection's projects, where the token may see them; then sets
 * facts->hook and hook_until and calls done. One at a time; hooks_free only after the client, which
 * drops its calls. */
struct hooks;
struct hooks *hooks_start(struct conn *c,
                          void (*done)(void *ctx, enum hook_state state, const char *until),
                          void *ctx);
void hooks_free(struct hooks *h);

#endif
