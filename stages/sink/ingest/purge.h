/*
 * purge.h - removes a connection: every row of its GitLab from every family of the store, followed
 * by a search that proves that nothing is left.
 *
 *   tombstone in `connections` (the connection's topics no longer exist)
 *     -> meta 'g': the purge is due, durable in one batch with the tombstone's offset
 *     -> rows: heads of the instance with their revisions, links, indexes and counts
 *     -> changes: entries of the log whose entity is gone
 *     -> files: every family is compacted, so that no old file holds what was removed
 *     -> search: all families are read and the rows that are left are counted
 *     -> meta 'g': the report
 *
 * A purge advances one step at a time between two batches of the writer, and each step is one
 * durable batch. After a crash it starts with the first row again and continues the stored counts.
 *
 * Thread: the writer's. Any thread may read the report (sink_purge_report_key).
 */
#ifndef WH_SINK_PURGE_H
#define WH_SINK_PURGE_H

#include "common/base/time.h"
#include "common/log/log.h"
#include "stages/sink/batch/apply.h"

enum { SINK_PURGE_KEYS = 2000 }; /* keys that one step examines */

struct sink_purge;

/* Resumes a purge that was not finished. The store and the log are kept. */
WH_MUST_CHECK enum wh_rc sink_purge_new(struct wh_store *store, struct wh_clock clock,
                                        struct wh_log *log, bool sync, struct sink_purge **ret,
                                        struct wh_err *err);
void sink_purge_free(struct sink_purge *p);

/*
 * The connection was removed: adds to the current batch what makes its purge due. *ret_due is false
 * when this store never had the connection. The batch must hold no other record of it.
 */
WH_MUST_CHECK enum wh_rc sink_purge_mark(struct sink_purge *p, struct sink_apply *apply,
                                         struct wh_slice connection, bool *ret_due,
                                         struct wh_err *err);
/* Call it when that batch is written. */
WH_MUST_CHECK enum wh_rc sink_purge_start(struct sink_purge *p, struct wh_err *err);

/* True while a purge is due. */
bool sink_purge_due(const struct sink_purge *p);
/* The connection that is being purged; "" when none is. */
const char *sink_purge_connection(const struct sink_purge *p);
/* Does one step, with the apply of the next batch; call it only between two batches.
 * WH_E_NO_SPACE: try again later. */
WH_MUST_CHECK enum wh_rc sink_purge_step(struct sink_purge *p, struct sink_apply *apply,
                                         struct wh_err *err);

/*
 * Appends the key of a connection's last purge report in the family meta: 'g' and the id. The value
 * is JSON: connection, requested_at_ms, finished_at_ms (0: in progress), entities, revisions,
 * changes, leftovers; and the instance until the purge is finished.
 */
WH_MUST_CHECK enum wh_rc sink_purge_report_key(struct wh_slice connection, struct wh_buf *out,
                                               struct wh_err *err);

#endif
