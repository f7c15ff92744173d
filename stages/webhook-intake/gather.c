/*
 * Deliveries on their way to the producer: those of one turn of the loop are produced together,
 * when all that the sockets had has been read. librdkafka lets one request out at a time, and what
 * comes meanwhile goes into the next one, so that few senders get the shortest answer and many
 * share requests without another wait here. Its linger cannot do that: it always waits, and polls
 * without a pause while it does (2.0.2).
 */
#include "stages/webhook-intake/intake_priv.h"

void intake_gather(struct delivery *d)
{
    struct intake *intake = d->intake;

    d->held = true;
    d->held_next = NULL;
    if (intake->held_first == NULL) {
        intake->held_first = d;
        wh_timer_start(intake->gather, 0, 0);
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
