/*
 * ids.h - which numbers of a project's stream are known, and what became of each. GitLab numbers
 * issues and merge requests of a project from 1 without holes, so this is what completeness is
 * proved by, and what tells which objects are gone.
 *
 * It is kept in fetch-state as a log: what was noted goes into segments of at most IDS_SEGMENT
 * numbers, "<connection>:<project>:<stream>:ids:<seq>"; a number's newest segment counts, so that
 * segments can be read in any order. A segment that is lost or not written costs requests (its
 * numbers are missing and are read one by one), never an object.
 *
 * A segment's bytes: for each number, ascending, two zigzag varints: (number - the one before) * 16
 * + fate * 2 + confidential, and id - the one before.
 *
 * Memory: 16 bytes a number. Numbers that lie too far apart are not taken (a page of memory for
 * each would be the other side's choice). Pure data: no clock, no I/O. Thread: app.
 */
#ifndef WH_FETCHER_IDS_H
#define WH_FETCHER_IDS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum { IDS_SEGMENT = 1024, IDS_NUMBER_MAX = 50000000 };

enum ids_fate {
    IDS_UNKNOWN,
    IDS_HAVE,      /* read, and in the raw topic */
    IDS_DELETED,   /* GitLab says 404, and we would see it if it were there */
    IDS_HIDDEN,    /* GitLab says 404: deleted, or hidden from this token */
    IDS_MOVED,     /* is in another project now */
    IDS_NO_ACCESS, /* GitLab says 403 */
    IDS_HELD,      /* was had and is not there any more: its deletion waits for a person */
    IDS_FATES
};

struct ids_entry {
    int64_t id; /* GitLab's id; 0 when it was never seen */
    enum ids_fate fate;
    bool confidential; /* as last seen */
    bool listed;       /* by ids_mark since ids_unmark_all; not kept */
};

/* have + missing + deleted + hidden + moved + no_access + held == expected. */
struct ids_counts {
    int64_t expected; /* the highest number seen */
    int64_t have;
    int64_t missing; /* not looked for yet */
    int64_t deleted;
    int64_t hidden;
    int64_t moved;
    int64_t no_access;
    int64_t held;
    int64_t confidential; /* of those that we have */
};

struct ids;

struct ids *ids_new(void);
void ids_free(struct ids *ids);

/* WH_E_RANGE for a number that is not taken. The same again changes nothing. */
WH_MUST_CHECK enum wh_rc ids_set(struct ids *ids, int64_t number, int64_t id, enum ids_fate fate,
                                 bool confidential, struct wh_err *err);
/* An entry of fate UNKNOWN when there is none. */
struct ids_entry ids_get(const struct ids *ids, int64_t number);
struct ids_counts ids_counts(const struct ids *ids);

/* The first number above `after` and not above the highest that has one of the fates (bit 1 <<
 * fate; UNKNOWN too); false when there is none. */
bool ids_next(const struct ids *ids, int64_t after, unsigned fates, int64_t *ret);

/* ---- what a full listing showed ---- */

void ids_unmark_all(struct ids *ids);
void ids_mark(struct ids *ids, int64_t number);

/* ---- the log ---- */

/* A segment that is not written as it is now; false: none. */
bool ids_dirty(const struct ids *ids, uint32_t *ret_seq);
/* Its bytes; then it counts as written. */
WH_MUST_CHECK enum wh_rc ids_segment_write(struct ids *ids, uint32_t seq, struct wh_buf *out,
                                           struct wh_err *err);
/* A segment that was kept. Damaged bytes change nothing: WH_E_INVALID, WH_E_RANGE. */
WH_MUST_CHECK enum wh_rc ids_segment_take(struct ids *ids, uint32_t seq, struct wh_slice bytes,
                                          struct wh_err *err);

#endif
