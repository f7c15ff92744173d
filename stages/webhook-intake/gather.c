/*
 * Deliveries on their way to the producer, by Nagle's rule: one that finds nothing under way goes
 * at once, one that comes while others wait for the broker waits with them until the broker has
 * answered, or a millisecond. Few senders get the shortest answer, many share requests, and a
 * request is what costs the broker. librdkafka's linger cannot do that: it always waits, and polls
 * without a pause while it does (2.0.2).
 */
#include "stages/webhook-intake/intake_priv.h"

void intake_gather(struct delivery *d)
{
    struct intake *intake = d->intake;

    if (intake->held_first == NULL &&
        (intake->producer == NULL || wh_producer_pending(intake->producer) == 0)) {
        intake_deliver(d, wh_http_body(d->req));
        return;
    }
    d->held = true;
    d->held_next = NULL;
    if (intake->held_first == NULL) {
        intake->held_first = d;
        wh_timer_start(intake->gather, intake->conf.gather_ms, 0);
    } else {
        intake->held_last->held_next = d;
    }
    intake->held_last = d;
}

void intake_gather_end(void *ctx)
{
    static const struct intake_refusal gone = {503, INTAKE_FAILED, "the sender has gone", 0};
    struct intake *intake = ctx;
    struct delivery *next = intake->held_first;

    wh_timer_stop(intake->gather);
    intake->held_first = NULL;
    while (next) {
        struct delivery *d = next;

        next = d->held_next;
        d->held = false;
        if (d->req) {
            intake_deliver(d, wh_http_body(d->req));
        } else {
            /* Its body went with it. */
            intake_refuse(d, &gone);
            intake_settle(d);
        }
    }
}
