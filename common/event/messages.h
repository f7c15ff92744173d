/*
 * messages.h - dead letters, rereads and documents (schemas/ has their Avro schemas).
 *
 * Records of connections, fetch-state, runs, health and decisions are JSON documents in one Avro string
 * field, with the fields needed for routing beside it. The fetcher defines their format, except that of
 * health (health.h) and decisions (decision.h). Decoded slices point into the encoded bytes.
 */
#ifndef WH_EVENT_MESSAGES_H
#define WH_EVENT_MESSAGES_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"

/* Topic dead-letter.<connection>. Key and value are exactly those of the input record. */
struct wh_dead_letter {
    struct wh_slice connection;
    struct wh_slice stage;  /* "mapper" */
    struct wh_slice class_; /* "poison" */
    struct wh_slice code;   /* wh_rc_name */
    struct wh_slice text;   /* the error message */
    struct wh_slice topic;  /* of the input record */
    int32_t partition;
    int64_t offset;
    int32_t attempt;
    int64_t at_ms;
    struct wh_slice key;
    struct wh_slice value;
};

/* Topic rereads: a request to read one object again. */
struct wh_reread {
    struct wh_slice connection;
    struct wh_slice kind;    /* resource kind as in wh_raw_event.kind: "pipeline", "user", ... */
    struct wh_slice project; /* project id as text; may be empty for users */
    struct wh_slice id;      /* the last part of the REST path: id, iid or tag */
    struct wh_slice reason;  /* "no_version", "author_unknown" */
    int64_t asked_at_ms;
};

/* Topics connections, fetch-state, runs, health, decisions. */
struct wh_document {
    struct wh_slice connection;
    struct wh_slice key; /* the record key, repeated for tools */
    int64_t at_ms;
    struct wh_slice document; /* JSON */
};

enum wh_document_schema {
    WH_DOCUMENT_CONNECTION,
    WH_DOCUMENT_FETCH_STATE,
    WH_DOCUMENT_RUN,
    WH_DOCUMENT_HEALTH,
    WH_DOCUMENT_DECISION,
};

WH_MUST_CHECK enum wh_rc wh_dead_letter_encode(const struct wh_dead_letter *d, struct wh_buf *out,
                                               struct wh_err *err);
WH_MUST_CHECK enum wh_rc wh_dead_letter_decode(struct wh_slice bytes, struct wh_dead_letter *ret,
                                               struct wh_err *err);
WH_MUST_CHECK enum wh_rc wh_reread_encode(const struct wh_reread *r, struct wh_buf *out,
                                          struct wh_err *err);
WH_MUST_CHECK enum wh_rc wh_reread_decode(struct wh_slice bytes, struct wh_reread *ret,
                                          struct wh_err *err);
WH_MUST_CHECK enum wh_rc wh_document_encode(enum wh_document_schema schema,
                                            const struct wh_document *d, struct wh_buf *out,
                                            struct wh_err *err);
WH_MUST_CHECK enum wh_rc wh_document_decode(struct wh_slice bytes, struct wh_document *ret,
                                            struct wh_err *err);

#endif
