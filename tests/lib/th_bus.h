/*
 * th_bus.h - numbered records through any bus: record i has the key "k<i % 8>", the value i as
 * text, a header "n" with it, and an ack of its own.
 */
#ifndef TH_BUS_H
#define TH_BUS_H

#include "common/bus/bus.h"

enum { TH_RECORDS_MAX = 4096, TH_KEYS = 8 };

struct th_deliveries;
struct th_ack {
    struct wh_bus_ack ack; /* first: record i carries acks[i] */
    struct th_deliveries *seen;
};

/* What the acks saw: times[i] completions of record i, and their code. */
struct th_deliveries {
    struct th_ack acks[TH_RECORDS_MAX];
    unsigned times[TH_RECORDS_MAX];
    enum wh_rc rc[TH_RECORDS_MAX];
    size_t n;
};

/* The record of that number; its completion goes to seen, which stays where it is until then. */
enum wh_rc th_produce(struct wh_producer *p, struct th_deliveries *seen, const char *topic,
                      size_t number, struct wh_err *err);
/* Records from..from+n-1; each must be taken. */
void th_produce_numbers(struct wh_producer *p, struct th_deliveries *seen, const char *topic,
                        size_t from, size_t n);
/* Polls until nothing is pending. */
void th_deliver_all(struct wh_producer *p);
/* Exactly the records 0..n-1 came back, once each, with rc. */
void th_deliveries_are(const struct th_deliveries *d, size_t n, enum wh_rc rc);
/* Polls until the records from..from+n-1 have come, each once, in order by key and no others. */
void th_consume_numbers(struct wh_consumer *c, size_t from, size_t n);
/* Commits the end of each partition. */
void th_commit_all(struct wh_consumer *c, const char *topic, int32_t partitions);

#endif
