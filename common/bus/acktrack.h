/*
 * acktrack.h - a ring of in-flight items per source position: the position moves only past a fully
 * acknowledged prefix. One tracker per input partition (or page cursor).
 *
 *   begin -> ticket, with the number of outputs still unknown
 *   expect(ticket, n outputs) / ack(ticket) per delivery / fail(ticket) when a delivery failed
 *   position() = the next offset to commit: everything before it is acknowledged
 *
 * Thread: app.
 */
#ifndef WH_BUS_ACKTRACK_H
#define WH_BUS_ACKTRACK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

struct wh_acktrack;

/* capacity: the most items in flight; the ring's back-pressure. NULL: no memory. */
struct wh_acktrack *wh_acktrack_new(size_t capacity, int64_t first_position);
void wh_acktrack_free(struct wh_acktrack *t);
/* WH_E_BUSY when full. Positions must ascend. The item holds one reference of the caller's own, so
 * that it cannot complete before all its outputs are known. */
WH_MUST_CHECK enum wh_rc wh_acktrack_begin(struct wh_acktrack *t, int64_t position,
                                           uint64_t *ret_ticket, struct wh_err *err);
/* One more output. */
void wh_acktrack_expect(struct wh_acktrack *t, uint64_t ticket);
/* One output acknowledged, or the caller's own reference dropped. */
void wh_acktrack_ack(struct wh_acktrack *t, uint64_t ticket);
/* The next position to commit; ascends. */
int64_t wh_acktrack_position(const struct wh_acktrack *t);
size_t wh_acktrack_in_flight(const struct wh_acktrack *t);

#endif
