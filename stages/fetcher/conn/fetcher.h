/*
 * fetcher.h - the fetcher's core: makes connections from the records of Kafka, catches up, starts,
 * drains and frees. Thread: app.
 */
#ifndef WH_FETCHER_FETCHER_H
#define WH_FETCHER_FETCHER_H

#include "stages/fetcher/conn/conn.h"

/* Copies deps; what they point to is borrowed until fetcher_free. */
WH_MUST_CHECK enum wh_rc fetcher_new(const struct fetcher_deps *deps, struct fetcher **ret,
                                     struct wh_err *err);
/* Call it before any record is taken. The producer is borrowed, and freed before the fetcher. */
void fetcher_set_producer(struct fetcher *f, struct wh_producer *producer);
/* Makes a copy of doc the document of its connection, and makes the connection when it is new. Saves
 * nothing. *ret may be another connection than before when the address is another. */
WH_MUST_CHECK enum wh_rc fetcher_adopt(struct fetcher *f, const struct wh_connection *doc,
                                       struct conn **ret, struct wh_err *err);
/* Takes a record of the topic connections or fetch-state, while catching up or later. */
void fetcher_take_connection(struct fetcher *f, const struct wh_bus_msg *msg);
void fetcher_take_state(struct fetcher *f, const struct wh_bus_msg *msg);
/* Takes a record of the topic health, at any time. */
void fetcher_take_health(struct fetcher *f, const struct wh_bus_msg *msg);
/* Everything that this fetcher owns has been read: begins to work. */
void fetcher_start(struct fetcher *f);
/* The partitions have been shared out again (members/group.h), and the state of the new ones has been
 * read. The first time this is fetcher_start; later the new projects are read, unless their previous
 * owner has just done so. */
void fetcher_assigned(struct fetcher *f);
/* Leaves what this fetcher does not own any more to the others. */
void fetcher_revoked(struct fetcher *f);
/* The stage stops: begins nothing new, and abandons what can be read again. */
void fetcher_drain(struct fetcher *f);
/* True after fetcher_drain, once no record and no token is under way. */
bool fetcher_drained(const struct fetcher *f);
/* Accepts NULL. */
void fetcher_free(struct fetcher *f);

#endif
