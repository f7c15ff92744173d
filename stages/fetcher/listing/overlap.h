/*
 * overlap.h - the rows at the newest end of a listing by updated_at, which the next listing meets
 * again because it starts a little before the end of this one.
 *
 * A row is known by a hash of its bytes. One that is met again, byte for byte the same, is neither
 * published nor followed up again. A row that is not remembered counts as changed, which costs
 * requests and loses nothing. Pure: no I/O.
 */
#ifndef WH_FETCHER_LISTING_OVERLAP_H
#define WH_FETCHER_LISTING_OVERLAP_H

#include "stages/fetcher/state/cursors.h"

struct listing_overlap_row {
    uint64_t hash;
    int64_t at_ms; /* its updated_at */
};

/* Zeros: empty. */
struct listing_overlap {
    struct listing_overlap_row *rows; /* at most CURSOR_HASHES_MAX */
    size_t n;
    int64_t newest_ms;
};

void listing_overlap_done(struct listing_overlap *o);
/* Remembers a row, in any order of their times. Rows older than the newest one by more than width_ms
 * make room for others. When there is none, or no memory, the row is not remembered. */
void listing_overlap_add(struct listing_overlap *o, struct listing_overlap_row row,
                         int64_t width_ms);
/* Replaces the hashes of the cursor by those of the rows within width_ms of the newest one. */
void listing_overlap_keep(struct listing_overlap *o, int64_t width_ms, struct cursor *c);
/* Whether the cursor knows the hash. */
bool listing_overlap_knows(const struct cursor *c, uint64_t hash);

#endif
