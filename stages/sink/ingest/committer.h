/*
 * committer.h - the thread that writes sealed batches, so that the next one is built meanwhile. One
 * batch at a time.
 *
 * Thread: the writer calls all of these; only the write itself happens in the committer's thread.
 */
#ifndef WH_SINK_COMMITTER_H
#define WH_SINK_COMMITTER_H

#include "stages/sink/batch/apply.h"

struct sink_committer;

WH_MUST_CHECK enum wh_rc sink_committer_new(struct sink_committer **ret, struct wh_err *err);
/* Waits for a write that is under way. */
void sink_committer_free(struct sink_committer *c);

/* Starts to write; the batch is not touched until it is awaited. None may be under way. */
void sink_committer_give(struct sink_committer *c, struct sink_apply *batch, bool sync);
/* Waits for its end: what the write gave. *ret_took_ns: how long it took. */
WH_MUST_CHECK enum wh_rc sink_committer_await(struct sink_committer *c, int64_t *ret_took_ns,
                                              struct wh_err *err);

#endif
