/* conn_parts.h - makes the parts of a connection on what it lends them. Thread: app. */
#ifndef WH_FETCHER_CONN_PARTS_H
#define WH_FETCHER_CONN_PARTS_H

#include "stages/fetcher/conn/conn.h"

/* Makes the access of a connection; after id and instance are set. Returns NULL without memory, and
 * when the instance is not an address. */
struct access *conn_access_new(struct conn *c);
/* Makes the health of a connection. Returns NULL without memory. */
struct health *conn_health_new(struct conn *c);
/* Makes what the listings and checks of a connection need. WH_E_NOMEM. */
WH_MUST_CHECK enum wh_rc conn_reads_init(struct conn *c, struct wh_err *err);

#endif
