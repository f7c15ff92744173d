/*
 * parents.h - what belongs to something goes with it and returns with it: jobs with their pipeline, notes
 * with their issue or merge request, and everything with its project.
 *
 * The head of a child says why its parent is gone (wh_head.parent_reason), as long as nothing newer is
 * known of the child than the parent's deletion. This depends on the heads of the two alone, so the order
 * in which records arrive leaves no trace. A child is looked at whenever it changes. When a parent goes or
 * comes back, a key 'k' of the family meta says so in the same batch, and steps between the batches then
 * look at all of its children.
 *
 * A project that is renamed or moved takes the addresses of its objects with it. GitLab does not touch the
 * objects, so their rows have the same times as before and only the project's row tells which address is newer.
 * Therefore the part of a head's address before "/-/" is always the project's address, when both are of the same
 * origin. The entries of the history keep the addresses that were shown.
 *
 * Thread: the writer's.
 */
#ifndef WH_SINK_PARENTS_H
#define WH_SINK_PARENTS_H

#include "stages/sink/batch/apply.h"

/* How often parents went, came back or moved in the committed batches, since the start. */
uint64_t sink_parents_events(const struct sink_apply *a);
/* Looks at up to `most` children of up to `most` parents whose keys are stored, in a batch of its own that
 * it commits; nothing else may be in flight. *ret_more is false when there was no such key. Errors: those
 * of the store; with WH_E_NO_SPACE the step can be repeated. */
WH_MUST_CHECK enum wh_rc sink_parents_step(struct sink_apply *a, size_t most, bool sync,
                                           bool *ret_more, struct wh_err *err);

#endif
