/*
 * outbox.h - the fetcher's records on their way into Kafka. Back-pressure is a state here, never a
 * wait: no call blocks, and no call polls the producer.
 *
 *   outbox_row, outbox_state, outbox_document
 *        |  room in the producer's queue              the queue is full (WH_E_BUSY)
 *        v                                                v
 *   in flight  <---------- in the order of the calls ---- waiting
 *        |
 *        v  the loop polls the producer
 *   the caller's struct wh_bus_ack
 *
 * A record is one allocation that owns all of its bytes: what the caller passed may be reused or
 * freed as soon as a call returns. Once a record waits, every later record waits behind it, so that
 * Kafka gets the records of a key in the order of the calls.
 *
 * The outbox itself sets no limit on what waits. The callers keep it bounded: while there is no
 * room they send no more requests to GitLab, so that only what is already under way can join the
 * queue. on_room says when they may continue.
 *
 * Thread: app.
 */
#ifndef WH_FETCHER_OUTBOX_H
#define WH_FETCHER_OUTBOX_H

#include "common/base/time.h"
#include "common/bus/bus.h"
#include "common/loop/loop.h"
#include "stages/fetcher/outbox/message.h"

struct outbox_conf {
    struct wh_loop *loop;
    struct wh_clock clock;
    /* No record waits any more. Called from the loop, never from inside another call. */
    void (*on_room)(void *ctx);
    /* The producer is lost (WH_E_FATAL_BUS): every record from now on fails. Called once, from the
     * loop. May be NULL. */
    void (*on_lost)(void *ctx, const struct wh_err *err);
    /* A row was taken; it is borrowed. Called from inside outbox_row, which may be called again from
     * here. May be NULL. */
    void (*on_row)(void *ctx, const struct outbox_row *row);
    void *ctx;
};

struct outbox;

/* conf is copied. NULL: no memory. */
struct outbox *outbox_new(const struct outbox_conf *conf);
/* Borrowed; before the first record. */
void outbox_set_producer(struct outbox *o, struct wh_producer *producer);
/* Drops what is left without calling its acks. The producer, which reads the records' bytes, must
 * be freed first. o may be NULL. */
void outbox_free(struct outbox *o);

/*
 * Each of these takes one record. With WH_OK, ack->fn is called exactly once, from the loop, when
 * Kafka has acknowledged or refused the record; ack may be NULL. With an error nothing was taken
 * and ack is not called: WH_E_TOO_LARGE, WH_E_NOMEM, or the producer's own error, WH_E_FATAL_BUS
 * among them, but never WH_E_BUSY.
 */
WH_MUST_CHECK enum wh_rc outbox_row(struct outbox *o, const struct outbox_row *row,
                                    struct wh_bus_ack *ack, struct wh_err *err);

/* Onto the partition that the key hashes to. */
WH_MUST_CHECK enum wh_rc outbox_document(struct outbox *o, const struct outbox_document *doc,
                                         struct wh_bus_ack *ack, struct wh_err *err);
/* Onto the partition that holds this part of the fetcher's state. */
WH_MUST_CHECK enum wh_rc outbox_state(struct outbox *o, int32_t partition,
                                      const struct outbox_document *doc, struct wh_bus_ack *ack,
                                      struct wh_err *err);

/* False while any record waits for the producer: do not start work that makes more of them. */
bool outbox_has_room(const struct outbox *o);
/* Records that wait for the producer. */
size_t outbox_waiting(const struct outbox *o);
/* Records that are not acknowledged yet, waiting ones included. */
size_t outbox_pending(const struct outbox *o);
/* Forgets the acks of all pending records, whose owners may then be freed. The records themselves
 * are still sent. */
void outbox_abandon(struct outbox *o);

#endif
