/*
 * message.h - the two kinds of records that the fetcher produces: rows of listings, and documents. All
 * members are borrowed; the outbox copies them into the record that it makes.
 */
#ifndef WH_FETCHER_OUTBOX_MESSAGE_H
#define WH_FETCHER_OUTBOX_MESSAGE_H

#include "common/event/messages.h"
#include "common/event/raw_event.h"

/* Of one record, all its parts together. */
enum { OUTBOX_RECORD_MAX_BYTES = 32 << 20 };

/* One row of a listing, or one note about an object, for raw.<connection>. */
struct outbox_row {
    const char *topic;
    struct wh_slice connection;
    struct wh_slice instance; /* GitLab's address */
    int64_t run;              /* the run that reads it; 0: none */
    enum wh_origin origin;
    struct wh_slice kind;
    struct wh_slice project;
    struct wh_slice object_id;
    struct wh_slice path; /* what was asked: a path of the API, or "tool:project:page" */
    struct wh_slice payload;
};

/* A JSON document for a compacted topic. An empty json makes a tombstone. */
struct outbox_document {
    enum wh_document_schema schema;
    const char *topic;
    struct wh_slice key;
    struct wh_slice connection;
    struct wh_slice json;
};

#endif
