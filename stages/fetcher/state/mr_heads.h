/*
 * mr_heads.h - remembers the head commit of each open merge request.
 *
 * A push does not change a merge request's updated_at, so a listing ordered by updated_at does not
 * show it. Therefore each run lists all open merge requests, and one whose head has changed is
 * published as "merge_request_head", which the mapper orders by the time of the read.
 *
 * This is a cache of fixed size. A head that it has forgotten is published again, which does no
 * harm. Thread: app.
 */
#ifndef WH_FETCHER_MR_HEADS_H
#define WH_FETCHER_MR_HEADS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"

struct mr_heads;

/* Returns NULL without memory. */
struct mr_heads *mr_heads_new(void);
void mr_heads_free(struct mr_heads *h);
void mr_heads_clear(struct mr_heads *h);
/* Remembers sha as the head of the merge request with that id. Returns true when another head, or
 * none, was remembered before. */
bool mr_heads_moved(struct mr_heads *h, int64_t id, struct wh_slice sha);

#endif
