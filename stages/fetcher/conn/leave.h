/*
 * leave.h - disconnects a connection:
 *
 *   disabled ─ reading ends ─ revoked at GitLab ─ GitLab refuses the token ─ secrets removed
 *
 * The connection's record says how far a disconnect has come: a disabled connection that still has
 * secrets is still to be revoked. The fetcher that owns the connection does that, also after a restart,
 * and tries again with back-off while GitLab cannot be reached. Connecting again ends it. Thread: app.
 */
#ifndef WH_FETCHER_LEAVE_H
#define WH_FETCHER_LEAVE_H

#include "stages/fetcher/conn/conn.h"

struct leave;

/* c is borrowed until leave_free. Returns NULL without memory. */
struct leave *leave_new(struct conn *c);
/* Cancels what is under way. Accepts NULL. */
void leave_free(struct leave *l);

/* Disconnects; the connection's detail tells the result. A second call changes nothing. Errors: as
 * conn_save. */
WH_MUST_CHECK enum wh_rc leave_disconnect(struct conn *c, struct wh_err *err);
/* The connection has a new document, which may begin, continue or end a disconnect. */
void leave_document(struct conn *c);
/* True while a disconnected connection still has secrets that are to be revoked. */
bool leave_under_way(const struct conn *c);
/* True when a disconnect has ended: nothing is read, and no secret is left. */
bool leave_is_done(const struct conn *c);

#endif
