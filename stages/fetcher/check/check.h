/*
 * check.h - after the streams of a run: is everything there, and is everything still there?
 *
 *   projects   known ones that the list of projects did not show are read by themselves
 *   listing    (sweeps only) all numbers of a stream, by creation: what is known and not listed is
 *              read by itself; what is listed and not known is taken
 *   missing    numbers that were never seen are read by themselves
 *   telling    tombstones of what is gone (gone.h), unless too many: these are held
 *
 * A listing that did not come to its end says nothing about what it did not show. Thread: app.
 */
#ifndef WH_FETCHER_CHECK_H
#define WH_FETCHER_CHECK_H

#include <stdbool.h>
#include <stddef.h>

struct conn;
struct check;

struct check_wish {
    bool sweep;    /* list everything */
    bool thorough; /* no bound on single reads */
    bool confirm;  /* tell what is held */
};

/* NULL: no memory. done is called once, never from within; not after check_free. */
struct check *check_start(struct conn *c, const struct check_wish *wish,
                          void (*done)(struct conn *c, bool ok));
void check_free(struct check *k);
/* Goes on with c's check, if one is under way. Not from an acknowledgement: that may come while a
 * record is being made; check_wake goes on from the loop's next turn. */
void check_pump(struct conn *c);
void check_wake(struct conn *c);

#endif
