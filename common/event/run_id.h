/*
 * run_id.h - the fetcher's run that a read belongs to. The delivery id of a read is its path; a read
 * within a run has the fragment "#run=<id>" appended, which is never sent to GitLab. So every revision
 * names its run, and the sink counts what a run changed. The id is the start of the run in ms. Reads
 * outside of runs (re-reads) have no fragment. Thread: any.
 */
#ifndef WH_EVENT_RUN_ID_H
#define WH_EVENT_RUN_ID_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

/* Appends the path and, if run is above 0, the fragment. */
WH_MUST_CHECK enum wh_rc wh_run_id_write(struct wh_slice path, int64_t run, struct wh_buf *out,
                                         struct wh_err *err);
/* Returns the run, or 0 when the read belongs to none. */
int64_t wh_run_id_of(struct wh_slice delivery_id);

#endif
