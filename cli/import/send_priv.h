/* send_priv.h - for send.c (records), place.c (connection and topics) and await.c. */
#ifndef WH_CLI_IMPORT_SEND_PRIV_H
#define WH_CLI_IMPORT_SEND_PRIV_H

#include "cli/import/progress.h"
#include "cli/import/send.h"
#include "common/bus/bus.h"
#include "common/event/topics.h"

enum { IMPORT_PARTITIONS_MAX = 64, IMPORT_ADMIN_MS = 30000 };

/* A partition of the raw topic: which of its offsets are ours and have not been mapped yet. */
struct import_sent_part {
    int64_t first; /* the offset of bit 0; -1: none is ours */
    unsigned char *bits;
    size_t bytes;
};

struct import_await;

struct import_sending {
    struct wh_bus_ack ack; /* first: records carry it */
    struct cli *cli;
    struct import_plan *plan;
    struct import_sent *ret;
    struct wh_admin *admin;
    struct wh_producer *producer;
    char topics[3][WH_TOPIC_MAX]; /* raw, entities, dead-letter */
    int64_t observed_at_ms;
    struct import_sent_part parts[IMPORT_PARTITIONS_MAX];
    int64_t waiting; /* sent, and not mapped yet */
    struct import_progress progress;
    enum wh_rc rc; /* of an acknowledgement */
    struct wh_err err;
};

/* Makes the topics and the record of the connection unless they are there. Gives the exit code. */
int import_place(struct import_sending *s);
/* Before anything is sent: where the mapper's answers will begin. WH_E_*. */
WH_MUST_CHECK enum wh_rc import_await_new(struct import_sending *s, struct import_await **ret,
                                          struct wh_err *err);
/* Until mapper and sink have what was sent. Gives the exit code. */
int import_await(struct import_sending *s, struct import_await *await);
/* Accepts NULL. */
void import_await_free(struct import_await *await);

/* Notes that the record at this offset is ours; false: no memory. */
WH_MUST_CHECK bool import_sent_note(struct import_sending *s, int32_t partition, int64_t offset);
/* The record at this offset has been mapped. Was it ours, and is this the first time? */
bool import_sent_mapped(struct import_sending *s, int32_t partition, int64_t offset);

#endif
