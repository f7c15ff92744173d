/*
 * listed_ledger.h - notes what complete listings of members, milestones, environments and releases contain
 * (state/listed.h), saves it in fetch-state, and makes what is missing unsure (check/absence.h), so that
 * the check of the run reads it alone. Thread: app.
 */
#ifndef WH_FETCHER_LISTED_LEDGER_H
#define WH_FETCHER_LISTED_LEDGER_H

#include "stages/fetcher/conn/conn.h"
#include "stages/fetcher/listing/listing.h"

/* A listing by REST begins. Does nothing for other streams. */
void listed_ledger_begin(struct conn *c, const struct project *project, unsigned stream);
/* A row of it. */
void listed_ledger_row(struct conn *c, const struct listing_task *task,
                       const struct gitlab_row *row, struct wh_json_val value);
void listed_ledger_end(struct conn *c, const struct listing_task *task,
                       const struct listing_result *result);
/* How many objects of a kind of absences the project has; 0: not known. */
int64_t listed_ledger_known(const struct conn *c, const char *project, const char *kind);

#endif
