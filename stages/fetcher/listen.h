/*
 * listen.h - reads the health topic from its beginning and goes on reading it: what the intakes and
 * the sink say. One partition, no group. A topic that is not there is no fault: then nobody says
 * anything. Thread: app.
 */
#ifndef WH_FETCHER_LISTEN_H
#define WH_FETCHER_LISTEN_H

#include "common/bus/bus.h"
#include "common/loop/loop.h"
#include "stages/fetcher/fetcher.h"

struct listen;

/* The consumer has no group; it is freed with the listen. Starts when the connections are known. */
WH_MUST_CHECK enum wh_rc listen_new(struct fetcher *f, struct wh_consumer *consumer,
                                    struct listen **ret, struct wh_err *err);
void listen_free(struct listen *listen);

#endif
