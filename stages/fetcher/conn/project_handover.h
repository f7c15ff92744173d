/*
 * project_handover.h - how the owner of a connection, which lists its projects, tells the other
 * members of the group about them, by records of fetch-state:
 *
 *   "<connection>:<project>:project"  the project is in the list; on the partition of the project
 *   "<connection>::projects"          all of them have been announced; on every partition
 *
 * Both are cursors whose rows hold the epoch: the start of the run in which the owner announced its
 * projects for the first time. Projects of an older epoch do not count. Thread: app.
 */
#ifndef WH_FETCHER_PROJECT_HANDOVER_H
#define WH_FETCHER_PROJECT_HANDOVER_H

#include "stages/fetcher/conn/conn.h"

/* The list of projects has been read: announces what has changed. */
void project_handover_announce(struct conn *c);
/* This member is not the owner any more: the next owner announces all projects again. */
void project_handover_forget(struct conn *c);
/* Takes over what the owner of the connection has announced, for a run of another member. */
void project_handover_recall(struct conn *c);
/* Takes a record of fetch-state; returns false when it is not one of the above. *ret_news is the
 * connection for which this member now has something to read, or NULL. */
bool project_handover_take(struct fetcher *f, const struct wh_bus_msg *msg, struct conn **ret_news);

#endif
