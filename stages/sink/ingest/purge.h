/*
 * purge.h - forgetting a connection: every row of its GitLab, out of every family, and a search
 * that shows that nothing is left.
 *
 *   tombstone in `connections` (its topics are gone by then)
 *     -> meta 'g': purge is due, durable in one batch with the tombstone's offset
 *     -> rows: heads of the instance with their revisions, links, indexes and counts
 *     -> changes: entries of the log whose entity is gone
 *     -> files: every family is compacted, so that no old file holds what was removed
 *     -> search: all families are read, what is left is counted
 *     -> meta 'g': the report
 *
 * One step at a time, between two batches of the writer; each step is one durable batch. After a
 * crash the rows are gone through again from the start, and the counts go on from what was stored.
 *
 * Thread: the writer. The report may be read by any thread (sink_purge_report_key).
 */
#ifndef WH_SINK_PURGE_H
#define WH_SINK_PURGE_H

#include "common/base/time.h"
#include "common/log/log.h"
#include "stages/sink/batch/apply.h"

enum { SINK_PURGE_KEYS = 2000 }; /* looked at in one step */

struct sink_purge;

/* Takes up a purge that was not finished. */
WH_MUST_CHECK enum wh_rc sink_purge_new(struct wh_store *store, struct wh_clock clock,
                                        struct wh_log *log, bool sync, struct sink_purge **ret,
                                        struct wh_err *err);
void sink_purge_free(struct sink_purge *p);

/*
 * The connection has gone: into the batch in hand goes what makes its purge due. *ret_due false: it
 * was never known here, there is nothing to forget. The batch must hold nothing else of it.
 */
WH_MUST_CHECK enum wh_rc sink_purge_mark(struct sink_purge *p, struct sink_apply *apply,
                                         struct wh_slice connection, bool *ret_due,
                                         struct wh_err *err);
/* After that batch is written. */
WH_MUST_CHECK enum wh_rc sink_purge_start(struct sink_purge *p, struct wh_err *err);

/* Is there anything to do? */
bool sink_purge_due(const struct sink_purge *p);
/* Whose rows go at present; "" while nothing is due. */
const char *sink_purge_connection(const struct sink_purge *p);
/* One step, with the apply that the next batch would have; only while no batch is in hand.
 * WH_E_NO_SPACE: again later. */
WH_MUST_CHECK enum wh_rc sink_purge_step(struct sink_purge *p, struct sink_apply *apply,
                                         struct wh_err *err);

/*
 * Where the report of a connection's last purge is in the family meta: 'g' and its id. The value is
 * JSON: connection, requested_at_ms, finished_at_ms (0: under way), entities, revisions, changes,
 * leftovers; and the instance, until it is finished.
 */
WH_MUST_CHECK enum wh_rc sink_purge_report_key(struct wh_slice connection, struct wh_buf *out,
                                               struct wh_err *err);

#endif
