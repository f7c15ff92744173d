/*
 * messages.h - the small records of the other topics (schemas/ has their Avro): dead letters,
 * rereads.
 *
 * connections, fetch-state, runs and health are JSON documents inside one Avro string field
 * ("document"), with the keys a router needs beside it: their shape belongs to the fetcher; that of
 * health is in health.h.
 */
#ifndef WH_EVENT_MESSAGES_H
#define WH_EVENT_MESSAGES_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"

/* dead-letter.<connection>: the key is that of the input; bytes exactly as they were. */
struct wh_dead_letter {
    struct wh_slice connection;
    struct wh_slice stage;  /* "mapper" */
    struct wh_slice class_; /* "poison" */
    struct wh_slice code;   /* wh_rc_name */
    struct wh_slice text;   /* the error message */
    struct wh_slice topic;  /* origin */
    int32_t partition;
    int64_t offset;
    int32_t attempt;
    int64_t at_ms;
    struct wh_slice key;
    struct wh_slice value;
};

/* rereads: "read this object again". */
struct wh_reread {
    struct wh_slice connection;
    struct wh_slice kind;    /* resource kind as in wh_raw_event.kind: "pipeline", "user", ... */
    struct wh_slice project; /* id as text, may be empty for users */
    struct wh_slice id;      /* what the REST path takes: id, iid or tag */
    struct wh_slice reason;  /* "no_version", "author_unknown" */
    int64_t asked_at_ms;
};

/* connections, fetch-state, runs, health. */
struct wh_document {
    struct wh_slice connection;
    struct wh_slice key; /* the record key again, for tools */
    int64_t at_ms;
    struct wh_slice document; /* JSON */
};

enum wh_document_schema {
    WH_DOCUMENT_CONNECTION,
    WH_DOCUMENT_FETCH_STATE,
    WH_DOCUMENT_RUN,
    WH_DOCUMENT_HEALTH,
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
