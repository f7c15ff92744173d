/*
 * rereads.h - wishes to read objects again, coalesced in a small table.
 *
 * The first wish is granted at once. The same wish within its time is dropped; if it is trailing,
 * it is granted once more when the time is over, since the object may have changed after the first
 * read. Wishes are hints: what a full table forgets is asked again or found by reconciliation.
 */
#ifndef WH_MAPPER_REREADS_H
#define WH_MAPPER_REREADS_H

#include "common/event/messages.h"
#include "stages/mapper/view/view.h"

struct mapper_rereads;

/* places: a power of two. NULL when out of memory. */
struct mapper_rereads *mapper_rereads_new(size_t places);
void mapper_rereads_free(struct mapper_rereads *r);
/* True when the wish is to be granted now. */
bool mapper_rereads_ask(struct mapper_rereads *r, struct wh_slice connection,
                        const struct mapper_reread *wish, int64_t now_ms);
/*
 * Gives the next trailing wish whose time is over, or any when all; false when there is none.
 * Slices live until the next call. Ask again later with mapper_rereads_put_back when it cannot be
 * sent.
 */
bool mapper_rereads_due(struct mapper_rereads *r, int64_t now_ms, bool all, struct wh_reread *ret);
void mapper_rereads_put_back(struct mapper_rereads *r);
size_t mapper_rereads_pending(const struct mapper_rereads *r);

#endif
