/*
 * health.h - the health of a connection, from what the intakes report of its webhooks, what the sink
 * reports of its runs, and what GitLab reports of its hooks.
 *
 * A repair is a change that a read found and a webhook should have delivered. While webhooks are set
 * up, a repair makes the connection degraded, with the likely reason, and the time since the last good
 * delivery is read again once. A hook that GitLab has disabled makes it degraded too, and so does a
 * long silence after deliveries, unless GitLab says that the hook works. The connection is healthy
 * again when a delivery has arrived since, or GitLab says that the hook works, and the newest run has
 * repaired nothing. Thread: app.
 */
#ifndef WH_FETCHER_HEALTH_H
#define WH_FETCHER_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/event/health.h"
#include "common/loop/loop.h"
#include "stages/fetcher/conn/hooks.h"

struct wh_json_writer;

struct health_facts {
    int64_t now_ms;
    int64_t last_ok_ms;           /* newest good delivery; 0: none known */
    int64_t last_unauthorized_ms; /* newest delivery with a wrong secret; 0: none known */
    int64_t silence_ms;           /* time without a delivery that is an alarm; 0: never */
    int64_t repaired;             /* by the newest run */
    int64_t repaired_before;      /* by the newest run that repaired anything */
    bool settling; /* late webhooks of the newest run still have their time: its repairs may come */
    int64_t held;  /* tombstones that wait for a person */
    int64_t degraded_ms; /* when the connection became degraded; 0: it is not */
    enum hook_state hook;
    char hook_until[40]; /* with HOOK_DISABLED: until when; empty: not known, or for good */
};

enum { HEALTH_DETAIL_MAX = 200 };

/* True when the connection is healthy. Otherwise detail says what is wrong and what to do. */
bool health_verdict(const struct health_facts *facts, char detail[HEALTH_DETAIL_MAX]);

/* Borrowed from the connection until health_free. */
struct health_env {
    struct wh_loop *loop;
    struct wh_clock clock;
    struct wh_json_parser *parser;
    const char *connection; /* its id */
    const struct projects *projects;
    int64_t silence_ms;      /* time without a delivery that is an alarm; 0: never */
    int64_t repair_delay_ms; /* how late a webhook may be before a repair counts */
    /* The client that may read hooks; NULL when there is none now. */
    struct client *(*client)(void *ctx);
    /* True when this member of the group works for the connection. */
    bool (*owns)(void *ctx);
    /* True while the last run was good and nothing is under way that would change the verdict. */
    bool (*judgeable)(void *ctx);
    /* The verdict, also when it has not changed. detail: what is wrong; "" when it is healthy. */
    void (*judged)(void *ctx, bool healthy, const char *detail);
    /* Webhooks were lost after since_ms: what changed since must be read again. */
    void (*lost)(void *ctx, int64_t repaired, int64_t since_ms);
    void *ctx;
};

/* A run that has ended successfully. */
struct health_run {
    int64_t run; /* its id */
    bool sweep;
    int64_t held; /* tombstones that wait for a person */
};

struct health;

/* env is copied. Returns NULL without memory. */
struct health *health_new(const struct health_env *env);
/* The client must be freed before. Accepts NULL. */
void health_free(struct health *h);
void health_take_webhooks(struct health *h, const struct wh_webhook_health *doc);
void health_take_outcome(struct health *h, const struct wh_outcome *o);
/* Judges now, and again after the time that late webhooks are given. Asks GitLab for the hooks after
 * the first run and after each sweep, and after every run while the connection is degraded. */
void health_run_ended(struct health *h, const struct health_run *run);
/* The sink's report about that run; zeros when there is none yet. Its connection is empty. */
struct wh_outcome health_outcome(const struct health *h, int64_t run);
/* Writes the member "webhooks". */
void health_write(const struct health *h, struct wh_json_writer *w);

#endif
