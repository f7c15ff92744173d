/*
 * rereads.h - reads single objects again, as the mapper asks for it on the topic rereads. Requests for
 * the same object within reread.delay become one. Thread: app.
 */
#ifndef WH_FETCHER_REREADS_H
#define WH_FETCHER_REREADS_H

#include "common/event/messages.h"
#include "stages/fetcher/conn/conn.h"

/* Returns NULL without memory. */
struct rereads *rereads_new(struct fetcher *f);
/* Accepts NULL. */
void rereads_free(struct rereads *r);
/* Requests beyond the limit of open ones are dropped: the next run reads all that has changed. */
void rereads_take(struct rereads *r, const struct wh_reread *q);
/* The number of requests that are not done yet. */
size_t rereads_open(const struct rereads *r);

#endif
