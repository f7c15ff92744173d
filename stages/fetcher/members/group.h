/*
 * members.h - the topics that fetchers share. `connections`: read by each of them from its
 * beginning, and followed. `fetch-state`: its partitions are shared by a consumer group; what a
 * member is given it reads from the beginning, and works for it from there on (share.h).
 *
 * Nothing is committed in that group: a position would be of no use. Thread: app.
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
    void (*connected)(void *ctx); /* connections are known now; may be NULL */
    void (*fatal)(void *ctx, const struct wh_err *err);
    void *ctx;
};

struct members;

/* NULL: no memory. */
struct members *members_new(const struct members_conf *conf);
/* For the consumer of fetch-state. */
struct wh_bus_rebalance members_rebalance(struct members *m);
/* connections has no group; both are borrowed. Waits for Kafka as long as it takes, then calls
 * fetcher_assigned after each assignment that is read. */
WH_MUST_CHECK enum wh_rc members_start(struct members *m, struct wh_consumer *connections,
                                       struct wh_consumer *state, struct wh_err *err);
/* What is waited for, NULL when it works. */
const char *members_waiting_for(const struct members *m);
/* Polls no more, so that the consumers may be freed; true when no look at Kafka is under way. Again
 * to ask again. */
bool members_stop(struct members *m);
void members_free(struct members *m);

#endif
