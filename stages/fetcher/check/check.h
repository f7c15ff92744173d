/*
 * check.h - after the streams of a run: is everything there, and is everything still there?
 *
 *   projects   known ones that the list of projects did not show are read by themselves
 *   listing    (sweeps only) all numbers of a stream, by creation: what is known and not listed is
 *              read by itself; what is listed and not known is taken
 *   missing    numbers that were never seen are read by themselves
 *   telling    tombstones of what is gone (gone.h), unless too many: these are held
 *
 * Nothing is ever inferred from an incomplete listing. Thread: app.
 */
#ifndef WH_FETCHER_CHECK_H
#define WH_FETCHER_CHECK_H

#include "stages/fetcher/check/check_env.h"

struct check;

/* env is borrowed, run is copied; what both point to outlives the check. NULL: no memory. The check
 * begins with the loop's next turn. */
struct check *check_start(const struct check_env *env, const struct check_run *run);
/* k may be NULL. */
void check_free(struct check *k);
/* Goes on with the loop's next turn: there is room for records, or one was acknowledged. */
void check_wake(struct check *k);

#endif
