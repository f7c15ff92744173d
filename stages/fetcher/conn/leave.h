/*
 * leave.h - the end of a connection: disconnect, and perhaps purge.
 *
 *   disconnect  disabled ─ nothing is read ─ revoked at GitLab ─ refused when tried ─ secrets gone
 *   purge       its topics gone ─ its keys in shared topics gone ─ its record gone (a tombstone)
 *
 * The connection's record says how far it is: disabled, with secrets in it, means that they are
 * still to be revoked. The fetcher that owns the connection does it, tries again with back-off
 * while GitLab cannot be reached, and takes it up after a restart. Thread: app.
 */
#ifndef WH_FETCHER_LEAVE_H
#define WH_FETCHER_LEAVE_H

#include "stages/fetcher/conn/conn.h"

struct leave;

/* NULL: no memory. */
struct leave *leave_new(struct conn *c);
void leave_free(struct leave *l);

/* Disconnects; what comes of it is in the connection's detail. A second call changes nothing. */
WH_MUST_CHECK enum wh_rc leave_disconnect(struct conn *c, struct wh_err *err);
/* WH_E_BUSY unless it is disconnected and its secrets are gone. The connection is not listed any
 * more when it is done; a failure is in its detail, and the purge can be asked for again. */
WH_MUST_CHECK enum wh_rc leave_purge(struct conn *c, struct wh_err *err);
/* The connection's record has come: stops, goes on, or begins to read again. */
void leave_document(struct conn *c);
/* Secrets are still to be revoked. */
bool leave_under_way(const struct conn *c);
bool leave_is_purging(const struct conn *c);

/* ---- wipe.c ---- */

struct wipe_report {
    unsigned topics; /* removed */
    uint64_t keys;   /* of shared topics, given a tombstone */
};

/* The connection's topics, and its keys in the shared topics. Blocks: for a pool thread. */
WH_MUST_CHECK enum wh_rc wipe_connection(const struct fetcher *f, const char *connection,
                                         struct wipe_report *ret, struct wh_err *err);

#endif
