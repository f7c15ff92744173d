/*
 * run_request.h - a run that a person asks one member of the group for is asked of all members, by a
 * record "<connection>::sync" on every partition of fetch-state. Thread: app.
 */
#ifndef WH_FETCHER_RUN_REQUEST_H
#define WH_FETCHER_RUN_REQUEST_H

#include "stages/fetcher/conn/conn.h"

/* Asks all members for a run. verify: it lists all numbers and reads every missing one. confirm: it
 * publishes the tombstones that are held. WH_E_CANCELED: the connection is disconnected. */
WH_MUST_CHECK enum wh_rc run_request(struct conn *c, bool verify, bool confirm, struct wh_err *err);
/* Takes a record of fetch-state; returns false when it is not such a request. */
bool run_request_take(struct fetcher *f, const struct wh_bus_msg *msg);

#endif
