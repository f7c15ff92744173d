/*
 * rereads.h - requests to read objects again, coalesced in a small table.
 *
 * The first request for an object goes out at once. A repeated one within the request's time is
 * dropped; if it is trailing, it goes out once more when the time is over, because the object may have
 * changed after the first read. Requests are hints: one that a full table forgets is made again by a
 * later event, or the object is found by reconciliation.
 */
#ifndef WH_MAPPER_REREADS_H
#define WH_MAPPER_REREADS_H

#include "common/event/messages.h"
#include "stages/mapper/view/view.h"

struct mapper_rereads;

/* places: a power of two. NULL when out of memory. */
struct mapper_rereads *mapper_rereads_new(size_t places);
void mapper_rereads_free(struct mapper_rereads *r);
/* True when the request should be published now. */
bool mapper_rereads_ask(struct mapper_rereads *r, struct wh_slice connection,
                        const struct mapper_reread *request, int64_t now_ms);
/*
 * Returns the next trailing request whose time is over, or with `all` any trailing request; false
 * when there is none. The slices live until the next call. When the request cannot be sent,
 * mapper_rereads_put_back keeps it for later.
 */
bool mapper_rereads_due(struct mapper_rereads *r, int64_t now_ms, bool all, struct wh_reread *ret);
void mapper_rereads_put_back(struct mapper_rereads *r);
size_t mapper_rereads_pending(const struct mapper_rereads *r);

#endif
