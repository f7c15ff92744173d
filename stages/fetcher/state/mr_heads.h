/*
 * heads.h - the head commit of each open merge request, as last seen. A push does not move
 * updated_at (DevLake lost commits by that), so listings by it do not show it: each run lists what
 * is open, and what has another head than before goes on as "merge_request_head", which the mapper
 * orders by the time of the read.
 *
 * A cache of fixed size: what it forgot is told again, which changes nothing. Thread: app.
 */
#ifndef WH_FETCHER_HEADS_H
#define WH_FETCHER_HEADS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/slice.h"

struct heads;

/* NULL: no memory. */
struct heads *heads_new(void);
void heads_free(struct heads *h);
void heads_clear(struct heads *h);
/* True when the merge request of that id had another head, or none is remembered; then remembers
 * this one. */
bool heads_moved(struct heads *h, int64_t id, struct wh_slice sha);

#endif
