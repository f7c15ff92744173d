/*
 * check.h - when the streams of a run are read, finds out whether everything was read, and whether
 * everything that was read before still exists.
 *
 *   projects   a known project that the list of projects did not contain is read alone
 *   listing    (sweeps only) all numbers of a stream are listed in the order of creation; a known
 *              number that is not listed is read alone, and an unknown one is published
 *   unsure     objects that were not there before are read again (absence.h), also without a sweep; those
 *              without numbers as well, which a complete listing did not contain any more
 *   missing    numbers that were never seen are read alone
 *   publishing tombstones of what is gone (gone.h); too many of them in a stream of a project, or in the
 *              connection, are held instead
 *
 * Nothing is ever inferred from an incomplete listing. Thread: app.
 */
#ifndef WH_FETCHER_CHECK_H
#define WH_FETCHER_CHECK_H

#include "stages/fetcher/check/check_env.h"

struct check;

/* Borrows env and copies run; everything that the two point to must outlive the check. The check
 * begins in the loop's next turn. Returns NULL without memory. */
struct check *check_start(const struct check_env *env, const struct check_run *run);
/* Ends the check without calling done. Free the client first: its open calls refer
 * to the check. k may be NULL. */
void check_free(struct check *k);
/* Continues the check in the loop's next turn. To be called when the outbox has room again, and
 * from gone_env.settled. */
void check_wake(struct check *k);

#endif
