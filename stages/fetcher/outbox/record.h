/*
 * record.h - one record of the outbox in one allocation. Private to the room.
 *
 *   struct outbox_record | topic NUL | key | the texts of the headers | value
 */
#ifndef WH_FETCHER_OUTBOX_RECORD_H
#define WH_FETCHER_OUTBOX_RECORD_H

#include "common/bus/bus.h"
#include "stages/fetcher/outbox/message.h"

enum outbox_text {
    OUTBOX_TOPIC, /* with its NUL */
    OUTBOX_KEY,
    OUTBOX_TYPE, /* from here on: headers, which only rows have */
    OUTBOX_SOURCE,
    OUTBOX_ID,
    OUTBOX_SUBJECT,
    OUTBOX_VALUE,
    OUTBOX_TEXTS
};

struct outbox;

struct outbox_record {
    struct wh_bus_ack produced; /* first: the bus completes it */
    struct outbox_record *next; /* of those in flight, or of those that wait */
    struct outbox_record *prev;
    struct outbox *outbox;
    struct wh_bus_ack *ack; /* the caller's; NULL: nobody waits */
    int32_t partition;
    bool is_row;
    uint32_t len[OUTBOX_TEXTS];
};

/* Free with wh_mem_free. */
WH_MUST_CHECK enum wh_rc outbox_record_row(const struct outbox_row *row, int64_t now_ms,
                                           struct outbox_record **ret, struct wh_err *err);
/* partition -1: by the key. */
WH_MUST_CHECK enum wh_rc outbox_record_document(const struct outbox_document *doc,
                                                int32_t partition, int64_t now_ms,
                                                struct outbox_record **ret, struct wh_err *err);
/* Offers the record to the producer, which copies all but the value. */
WH_MUST_CHECK enum wh_rc outbox_record_produce(struct outbox_record *r,
                                               struct wh_producer *producer, struct wh_err *err);
/* NUL-terminated. */
const char *outbox_record_topic(const struct outbox_record *r);

#endif
