/* computed_priv.h - the module of computed tables, for connection.c. */
#ifndef WH_SINK_SQL_COMPUTED_PRIV_H
#define WH_SINK_SQL_COMPUTED_PRIV_H

#include "stages/sink/sql/computed.h"
#include "stages/sink/sql/sql_priv.h"

extern const sqlite3_module sql_computed_module;

/* The state in the snapshot of the statement that runs; the connection frees it with the statement. */
WH_MUST_CHECK enum wh_rc sql_conn_past(struct sql_conn *conn, struct past **ret,
                                       struct wh_err *err);

/* Everybody in the state that the statement shows; the connection gives it back with the statement. */
WH_MUST_CHECK enum wh_rc sql_conn_people(struct sql_conn *conn, const struct people_book **ret,
                                         struct wh_err *err);

#endif
