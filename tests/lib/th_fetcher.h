/* th_fetcher.h - a fetcher over the bus in memory, with the connection "c": what tests of walks and
 * sweeps share. */
#ifndef TH_FETCHER_H
#define TH_FETCHER_H

#include "tests/lib/bus_mem.h"
#include "stages/fetcher/conn/fetcher.h"

/* Settings that let tests run fast: one run, waits of a millisecond. */
struct fetcher_conf th_fetcher_conf(void);

/*
 * A fetcher and its producer, not started yet. ret_f stays where it is as long as they live: what
 * the bus has acknowledged goes to the fetcher there.
 */
void th_fetcher_new(const struct fetcher_deps *deps, struct wh_bus_mem *bus,
                    struct wh_producer **ret_producer, struct fetcher **ret_f);
/*
 * Group set-ups: the queues of the group's producers hold 100,000 records, or 4, so that nearly
 * every record meets a full one.
 */
int th_fetcher_large_queue(void **state);
int th_fetcher_tiny_queue(void **state);
/* The record of the connection "c" at this address, with one credential: purpose "read_api" or
 * "oauth". projects as in the record, or empty. */
void th_fetcher_connect(struct fetcher *f, const char *instance, const char *projects,
                        const char *purpose, struct wh_slice secret);
/* What the topic fetch-state holds, oldest first, as a start reads it. */
void th_fetcher_take_state(struct fetcher *f, struct wh_bus_mem *bus);

#endif
