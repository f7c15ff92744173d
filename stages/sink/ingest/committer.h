/*
 * committer.h - a thread that writes a sealed batch while the writer builds the next one. It writes
 * one batch at a time.
 *
 * Thread: the writer's for all functions; only the write itself happens in the committer's thread.
 */
#ifndef WH_SINK_COMMITTER_H
#define WH_SINK_COMMITTER_H

#include "stages/sink/batch/apply.h"

struct sink_committer;

WH_MUST_CHECK enum wh_rc sink_committer_new(struct sink_committer **ret, struct wh_err *err);
/* Waits for a write in progress. Accepts NULL. */
void sink_committer_free(struct sink_committer *c);

/* Starts a write. The caller must not touch the batch before sink_committer_await returns, and no
 * other write may be in progress. */
void sink_committer_give(struct sink_committer *c, struct sink_apply *batch, bool sync);
/* Waits for the write and returns its result; *ret_took_ns is its duration. */
WH_MUST_CHECK enum wh_rc sink_committer_await(struct sink_committer *c, int64_t *ret_took_ns,
                                              struct wh_err *err);

#endif
