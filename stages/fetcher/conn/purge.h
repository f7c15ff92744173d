/*
 * purge.h - removes a connection that has been disconnected (leave.h):
 *
 *   its topics removed ─ its keys in shared topics removed ─ its record removed (a tombstone)
 *
 * A purge that fails, or that a restart interrupts, may be asked for again. Thread: app.
 */
#ifndef WH_FETCHER_PURGE_H
#define WH_FETCHER_PURGE_H

#include "stages/fetcher/conn/conn.h"

struct purge;

/* Purges the connection, which cannot be found any more afterwards. Its detail names a failure. A second
 * call changes nothing. WH_E_BUSY: the connection is not disconnected; WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc purge_begin(struct conn *c, struct wh_err *err);
bool purge_under_way(const struct conn *c);
/* The connection is freed. A pool thread ends its work on its own. Accepts NULL. */
void purge_free(struct purge *p);

#endif
