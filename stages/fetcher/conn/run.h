/*
 * run.h - the runs of a connection: first the list of projects, then every stream of each project,
 * then the check. A run begins every sync.interval, and when somebody asks for one. Thread: app.
 */
#ifndef WH_FETCHER_RUN_H
#define WH_FETCHER_RUN_H

#include "common/event/health.h"
#include "stages/fetcher/conn/conn.h"
#include "stages/fetcher/listing/listing.h"

/* Starts a run now, or right after the one that is under way. */
void conn_run(struct conn *c);
/* Starts a run, or plans one, of what was not read to its end within the last sync.interval. */
void conn_run_stale(struct conn *c);
/* Starts the run that was asked for meanwhile; without any, an ordinary one. */
void conn_run_due(struct conn *c);
/* Reports how the streams fare in the run under way, and what follows for the connection's state. */
void conn_run_tell(struct conn *c);
/* The sink has reported what a run changed: the summary of that run shows it. */
void conn_take_outcome(struct conn *c, const struct wh_outcome *o);
/* For listing_env.on_end. */
void conn_listing_ended(void *ctx, const struct listing_task *task,
                        const struct listing_result *result);

#endif
