/*
 * health_reader.h - follows the health topic, to which the intakes and the sink report. The fetcher
 * waits in the background until the topic exists and works without it. Thread: app.
 */
#ifndef WH_FETCHER_LISTEN_H
#define WH_FETCHER_LISTEN_H

#include "common/bus/bus.h"
#include "common/loop/loop.h"
#include "stages/fetcher/conn/fetcher.h"

struct listen;

/* The consumer has no group; with WH_OK the reader owns it. Create it after the connections are known. */
WH_MUST_CHECK enum wh_rc listen_new(struct fetcher *f, struct wh_consumer *consumer,
                                    struct listen **ret, struct wh_err *err);
void listen_free(struct listen *listen);

#endif
