/*
 * acktrack.h - a ring of in-flight items that advances a source position only past a prefix in which
 * every output is acknowledged. There is one tracker for each input partition or page cursor.
 *
 *   begin(position)  returns a ticket; the item holds one reference for its caller
 *   expect(ticket)   before each output    ack(ticket)  for each acknowledgement, and for the caller
 *   position()       the next offset to commit: everything before it is acknowledged
 *
 * Thread: app.
 */
#ifndef WH_BUS_ACKTRACK_H
#define WH_BUS_ACKTRACK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

struct wh_acktrack;

/* capacity: the maximum number of items in flight. NULL: no memory. */
struct wh_acktrack *wh_acktrack_new(size_t capacity, int64_t first_position);
void wh_acktrack_free(struct wh_acktrack *t);
/* Positions must ascend. The caller's reference keeps the item from completing before all of its
 * outputs are known. WH_E_BUSY when the ring is full. */
WH_MUST_CHECK enum wh_rc wh_acktrack_begin(struct wh_acktrack *t, int64_t position,
                                           uint64_t *ret_ticket, struct wh_err *err);
/* Registers one more output. */
void wh_acktrack_expect(struct wh_acktrack *t, uint64_t ticket);
/* One output was acknowledged, or the caller drops its reference. */
void wh_acktrack_ack(struct wh_acktrack *t, uint64_t ticket);
/* The next position to commit; never decreases. */
int64_t wh_acktrack_position(const struct wh_acktrack *t);
size_t wh_acktrack_in_flight(const struct wh_acktrack *t);

#endif
