/*
 * group.h - the topics that fetchers share. Every fetcher reads `connections` from its beginning and
 * follows it; then it follows `health`, to which the intakes and the sink report. The partitions of
 * `fetch-state` are distributed by a consumer group: a member reads an assigned partition from its
 * beginning and then works for the projects on it (state/ownership.h).
 *
 * Nothing is committed in that group, because every assignment starts at the beginning. Thread: app.
 */
#ifndef WH_FETCHER_MEMBERS_H
#define WH_FETCHER_MEMBERS_H

#include "common/bus/bus.h"
#include "stages/fetcher/conn/fetcher.h"

struct members_conf {
    struct wh_loop *loop;
    struct wh_log *log;
    struct wh_admin *admin;
    struct fetcher *fetcher;
    void (*fatal)(void *ctx, const struct wh_err *err);
    void *ctx;
};

/* All borrowed until members_stop returns true. */
struct members_consumers {
    struct wh_consumer *connections; /* without a group */
    struct wh_consumer *state;       /* in the group, with members_rebalance */
    struct wh_consumer *health;      /* without a group; NULL: the topic is not followed */
};

struct members;

/* Returns NULL without memory. */
struct members *members_new(const struct members_conf *conf);
/* The rebalance callbacks for the consumer of fetch-state. */
struct wh_bus_rebalance members_rebalance(struct members *m);
/* Waits for Kafka without a limit, and calls fetcher_assigned after each assignment whose state has been
 * read. The fetcher works without the topic health, and waits in the background until it exists.
 * WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc members_start(struct members *m, const struct members_consumers *consumers,
                                       struct wh_err *err);
/* Names what the member waits for; NULL when it is ready. */
const char *members_waiting_for(const struct members *m);
/* Stops polling, so that the consumers may be freed. True when no request to Kafka is pending; may be
 * called again until it is true. */
bool members_stop(struct members *m);
/* Accepts NULL. */
void members_free(struct members *m);

#endif
