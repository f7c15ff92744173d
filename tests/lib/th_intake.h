/*
 * th_intake.h - a webhook-intake core on Kafka in memory, with a clock that stands still, and one
 * connection "c1" whose secrets are known.
 */
#ifndef TH_INTAKE_H
#define TH_INTAKE_H

#include "tests/lib/bus_mem.h"
#include "stages/webhook-intake/intake.h"

#define TH_INTAKE_KEY "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=" /* bytes 1..32 */
#define TH_INTAKE_TOKEN "a token of 24 characters"
#define TH_INTAKE_NOW_MS INT64_C(1700000000000)

struct th_intake {
    struct wh_bus_mem *bus;
    struct wh_loop *loop;
    struct wh_metrics *metrics;
    struct wh_keyring keys;
    struct wh_consumer *consumer;
    struct wh_admin *admin;
    struct wh_producer *writer; /* of connections */
    struct intake *intake;
    struct wh_http_handler handler;
    int64_t now_ms;
    int64_t mono_ns;
    unsigned producers;        /* made so far */
    unsigned refuse_producers; /* the next ones are not made */
    unsigned fatals;
    size_t queue_max_records;
};

/* Topics "wellhead.connections" (3 partitions) and "wellhead.raw.c1", connection c1; no intake yet.
 */
void th_intake_init(struct th_intake *t);
/* Makes the core. With settle: turns the loop until it is ready. */
void th_intake_start(struct th_intake *t, const struct intake_conf *conf, bool settle);
void th_intake_done(struct th_intake *t);
/* Writes a connection's document; NULL secrets for none; state NULL for a tombstone. */
void th_intake_connection(struct th_intake *t, const char *id, const char *state,
                          const char *signing_key, const char *token);
/* Any bytes under any key. */
void th_intake_record(struct th_intake *t, const char *key, struct wh_slice value);
/* Turns of the loop that do not block. */
void th_intake_turns(struct th_intake *t, int n);
/* "v1,..." of the bytes 1..32. */
void th_intake_sign(const char *id, const char *timestamp, struct wh_slice body, char ret[64]);

#endif
