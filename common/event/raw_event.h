/*
 * raw_event.h - one webhook delivery or one row of a read, with its bytes exactly as received
 * (schemas/raw_event.avsc). Replays read these.
 */
#ifndef WH_EVENT_RAW_EVENT_H
#define WH_EVENT_RAW_EVENT_H

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/event/version.h"

#define WH_RAW_HEADERS_MAX 16

struct wh_raw_header {
    struct wh_slice name; /* lower case */
    struct wh_slice value;
};

struct wh_raw_event {
    struct wh_slice connection; /* connection id */
    struct wh_slice instance;   /* normalised GitLab address, for entity ids */
    enum wh_origin origin;
    /*
     * The type of the payload, which selects the view. For webhooks: GitLab's object_kind or event_name
     * ("merge_request", "pipeline", "user_add_to_group"), or "unknown" if it has neither. For reads:
     * the resource and shape: "merge_request", "issue", "pipeline", "pipeline_detail", "job",
     * "deployment", "environment", "release", "milestone", "user", "member", "project", "note",
     * "issue_links", "mr_closes"; from GraphQL-backed MCP tools "merge_request_node" and
     * "work_item_node"; and "gone" (the object no longer exists), "back" (it exists again) and
     * "merge_request_head" (only its head commit counts).
     */
    struct wh_slice kind;
    struct wh_slice project;   /* project id as text; may be empty */
    struct wh_slice object_id; /* as text; may be empty */
    int64_t observed_at_ms;
    struct wh_slice delivery_id;
    const struct wh_raw_header *headers; /* relevant webhook headers; the URL of a read */
    size_t n_headers;
    struct wh_slice payload;
};

/* Appends the frame (schemas.h) and the Avro body. */
WH_MUST_CHECK enum wh_rc wh_raw_event_encode(const struct wh_raw_event *e, struct wh_buf *out,
                                             struct wh_err *err);
/* Ownership and errors as in wh_observation_decode. */
WH_MUST_CHECK enum wh_rc wh_raw_event_decode(struct wh_slice bytes, struct wh_arena *arena,
                                             struct wh_raw_event *ret, struct wh_err *err);
/* Appends the record key, kind:project:object id. */
WH_MUST_CHECK enum wh_rc wh_raw_event_key(const struct wh_raw_event *e, struct wh_buf *out,
                                          struct wh_err *err);

#endif
