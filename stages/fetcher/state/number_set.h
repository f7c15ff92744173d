/*
 * number_set.h - which numbers of a project's stream are known, and the fate of each. GitLab numbers the
 * issues and the merge requests of a project from 1 without gaps. So the numbers prove that the
 * mirror is complete, and show which objects are gone.
 *
 * fetch-state keeps them as a log. Changes go into segments of at most NUMBER_SET_SEGMENT numbers, under
 * the keys "<connection>:<project>:<stream>:ids:<seq>". Of each number the newest segment counts,
 * so that segments can be read in any order. A segment that is lost or was not written costs
 * requests (its numbers are missing and are read one by one) but never an object.
 *
 * The bytes of a segment are two zigzag varints for each number, in ascending order: the difference
 * from the previous number * 16 + fate * 2 + confidential, and the difference from the previous id.
 *
 * A number takes 16 bytes of memory. Numbers that are too far apart are refused, because the remote
 * party would otherwise choose how much memory is used. Pure data: no clock, no I/O. Thread: app.
 */
#ifndef WH_FETCHER_NUMBER_SET_H
#define WH_FETCHER_NUMBER_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum { NUMBER_SET_SEGMENT = 1024, NUMBER_SET_NUMBER_MAX = 50000000 };

enum number_fate {
    NUMBER_UNKNOWN,
    NUMBER_HAVE,      /* read, and in the raw topic */
    NUMBER_DELETED,   /* GitLab answers 404, and we could see the object if it existed */
    NUMBER_HIDDEN,    /* GitLab answers 404: deleted, or hidden from this token */
    NUMBER_MOVED,     /* moved to another project */
    NUMBER_NO_ACCESS, /* GitLab answers 403 */
    NUMBER_HELD,      /* was read and is gone; its tombstone is not published yet */
    NUMBER_FATES
};

struct number_set_entry {
    int64_t id; /* GitLab's id; 0 when the object was never seen */
    enum number_fate fate;
    bool confidential; /* when it was last seen; of a pipeline: its jobs were read to their end */
    bool listed;       /* ids_mark was called since ids_unmark_all; not saved */
};

/* have + missing + deleted + hidden + moved + no_access + held == expected. */
struct number_counts {
    int64_t expected; /* the highest number seen */
    int64_t have;
    int64_t missing; /* not read yet */
    int64_t deleted;
    int64_t hidden;
    int64_t moved;
    int64_t no_access;
    int64_t held;
    int64_t confidential; /* of those with fate NUMBER_HAVE */
};

struct number_set;

struct number_set *number_set_new(void);
void number_set_free(struct number_set *set);

/* Errors: WH_E_RANGE for a number below 1, above NUMBER_SET_NUMBER_MAX or too far from the others, and
 * WH_E_NOMEM. Setting the same values again does not dirty a segment. */
WH_MUST_CHECK enum wh_rc number_set_put(struct number_set *set, int64_t number, int64_t id,
                                        enum number_fate fate, bool confidential,
                                        struct wh_err *err);
/* Returns an entry with fate NUMBER_UNKNOWN when there is none. */
struct number_set_entry number_set_get(const struct number_set *set, int64_t number);
struct number_counts number_set_counts(const struct number_set *set);

/* Finds the first number above `after`, up to the highest one, that has one of the fates (a set of
 * 1 << fate, which may contain NUMBER_UNKNOWN). Returns false when there is none. */
bool number_set_next(const struct number_set *set, int64_t after, unsigned fates, int64_t *ret);

/* ---- the numbers that a full listing contained ---- */

void number_set_unmark_all(struct number_set *set);
void number_set_mark(struct number_set *set, int64_t number);

/* ---- the log ---- */

/* Returns a segment that has changed since it was written; false when there is none. */
bool number_set_dirty(const struct number_set *set, uint32_t *ret_seq);
/* Appends the bytes of the segment, which then counts as written. */
WH_MUST_CHECK enum wh_rc number_set_segment_write(struct number_set *set, uint32_t seq,
                                                  struct wh_buf *out, struct wh_err *err);
/* Takes a segment that was saved. Damaged bytes change nothing and are an error: WH_E_INVALID or
 * WH_E_RANGE. */
WH_MUST_CHECK enum wh_rc number_set_segment_take(struct number_set *set, uint32_t seq,
                                                 struct wh_slice bytes, struct wh_err *err);

#endif
