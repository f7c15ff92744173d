/*
 * flow.h - an answer of any length on its way from a lane's thread to the socket: a ring of fixed size.
 * The lane waits while the ring is full, so a slow reader slows down the statement that it reads, and
 * costs no memory.
 *
 *   lane thread:  write ... write        waits while the ring is full
 *   loop thread:  read ... read          never waits; `wake` is sent when there is something to do
 *
 * The ring is full for the first time when the answer is longer than the ring. Until then nothing has
 * to be sent, so the answer to a failed statement can still be an error.
 */
#ifndef WH_SINK_API_FLOW_H
#define WH_SINK_API_FLOW_H

#include "common/base/err.h"
#include "common/base/slice.h"
#include "common/loop/loop.h"

struct api_flow;

enum { API_FLOW_BYTES = 256 << 10 };

struct api_flow_conf {
    int64_t stall_ms;    /* a reader that does not empty half of the ring in this time has gone */
    int64_t wait_max_ms; /* longest time that all waits of the lane may take together */
};

/* Thread: loop. wake is kept. NULL: no memory. */
struct api_flow *api_flow_new(struct wh_wake *wake, const struct api_flow_conf *conf);
/* No thread may use it any more. Accepts NULL. */
void api_flow_free(struct api_flow *flow);

/*
 * Thread: lane. Copies the bytes. WH_E_TIMEOUT: the reader is too slow; WH_E_CANCELED: it has gone
 * (api_flow_close).
 */
WH_MUST_CHECK enum wh_rc api_flow_write(struct api_flow *flow, struct wh_slice bytes,
                                        struct wh_err *err);
/* The same for at most API_FLOW_BYTES / 2 bytes, all or none of them: what was written before stays whole. */
WH_MUST_CHECK enum wh_rc api_flow_write_whole(struct api_flow *flow, struct wh_slice bytes,
                                              struct wh_err *err);
/* Thread: lane. Sends `wake`: what was written should be read now, however little it is. */
void api_flow_flush(struct api_flow *flow);
/* Thread: lane. The nanoseconds that writes have waited so far. */
const int64_t *api_flow_waited_ns(const struct api_flow *flow);

/* Thread: loop. Copies at most max bytes; 0: none are there now, and `wake` is sent when some are. */
size_t api_flow_read(struct api_flow *flow, char *to, size_t max);
/* Thread: loop. Was the ring ever full? */
bool api_flow_overflowed(struct api_flow *flow);
/* Thread: loop. The whole answer, when the lane has ended and the ring was never full. */
struct wh_slice api_flow_whole(const struct api_flow *flow);
/* Thread: loop. Nobody reads any more: the lane's writes fail. */
void api_flow_close(struct api_flow *flow);

#endif
