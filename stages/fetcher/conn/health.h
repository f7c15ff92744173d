/*
 * health.h - the health of a connection, from what the intakes report of its webhooks, what the sink
 * reports of its runs, and what GitLab reports of its hooks.
 *
 * A repair is a change that a read found and a webhook should have delivered. While webhooks are set
 * up, a repair makes the connection degraded, with the likely reason, and the time since the last good
 * delivery is read again once. A hook that GitLab has disabled makes it degraded too, and so does a
 * long silence after deliveries, unless GitLab says that the hook works. The connection is enabled
 * again when a delivery has arrived since, or GitLab says that the hook works, and the newest run has
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
    HOOK_UNKNOWN,  /* not asked yet, or the token may not read hooks */
    HOOK_MISSING,  /* no hook in GitLab has our address */
    HOOK_DISABLED, /* GitLab has disabled it, temporarily or for good */
    HOOK_WORKS,
};

struct health_facts {
    int64_t now_ms;
    int64_t last_ok_ms;           /* newest good delivery; 0: none known */
    int64_t last_unauthorized_ms; /* newest with a wrong secret; 0 */
    int64_t silence_ms;           /* time without a delivery that is an alarm; 0: never */
    int64_t repaired;             /* by the newest run */
    int64_t held;                 /* tombstones that wait for a person */
    int64_t degraded_ms;          /* since when it is degraded; 0: it is not */
    enum hook_state hook;
    char hook_until[40]; /* of DISABLED: until when; empty: for good */
};

enum { HEALTH_DETAIL_MAX = 200 };

/* True when the connection is healthy. Otherwise detail says what is wrong and what to do. */
bool health_verdict(const struct health_facts *facts, char detail[HEALTH_DETAIL_MAX]);

struct health;

/* NULL: no memory. */
struct health *health_new(struct conn *c);
void health_free(struct health *h);
void health_take_webhooks(struct health *h, const struct wh_webhook_health *doc);
void health_take_outcome(struct health *h, const struct wh_outcome *o);
/* A run has ended successfully: sets the connection's state now, and again after the time that late
 * webhooks are given (repair.delay). */
void health_run_ended(struct health *h);
void health_write(const struct health *h, struct wh_json_writer *w);

/* ---- hooks.c ---- */

/* Asks GitLab for the hooks of the connection's projects, as far as the token may read them, and calls
 * done once. One request set at a time. Free it only after the client, which drops its calls. */
struct hooks;
struct hooks *hooks_start(struct conn *c,
                          void (*done)(void *ctx, enum hook_state state, const char *until),
                          void *ctx);
void hooks_free(struct hooks *h);

#endif
