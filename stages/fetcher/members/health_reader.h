/*
 * listen.h - follows the health topic, in which the intakes and the sink report. It is awaited until
 * it is there; a fetcher works without it. Thread: app.
 */
#ifndef WH_FETCHER_LISTEN_H
#define WH_FETCHER_LISTEN_H

#include "common/bus/bus.h"
#include "common/loop/loop.h"
#include "stages/fetcher/conn/fetcher.h"

struct listen;

/* The consumer has no group; it is taken on WH_OK. To be made once the connections are known. */
WH_MUST_CHECK enum wh_rc listen_new(struct fetcher *f, struct wh_consumer *consumer,
                                    struct listen **ret, struct wh_err *err);
void listen_free(struct listen *listen);

#endif
