/*
 * run_id.h - which run of the fetcher a read belongs to. The delivery id of a read is its path; a
 * read that is part of a run has "#run=<id>" behind it (a fragment: no server ever sees it), so
 * that every revision names its run and the sink can count what a run changed. The id is the time
 * of the run's start in ms; reads outside of runs (re-reads) have none.
 */
#ifndef WH_EVENT_RUN_ID_H
#define WH_EVENT_RUN_ID_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

/* Appends path and, when run is above 0, the fragment. */
WH_MUST_CHECK enum wh_rc wh_run_id_write(struct wh_slice path, int64_t run, struct wh_buf *out,
                                         struct wh_err *err);
/* 0: the read belongs to no run. */
int64_t wh_run_id_of(struct wh_slice delivery_id);

#endif
