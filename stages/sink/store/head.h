/*
 * head.h - the part of a stored head behind its body, without decoding the body: what identity
 * and lifecycle columns need. Layout: common/event/history_code.c; test_head.c holds the two
 * equal.
 */
#ifndef WH_SINK_SQL_HEAD_H
#define WH_SINK_SQL_HEAD_H

#include "common/event/history.h"

struct sql_head {
    struct wh_slice body; /* for wh_body_decode and wh_body_decode_field */
    bool deleted;
    struct wh_source_id source;
    struct wh_version version;
    struct wh_slice reason;
    struct wh_version deleted_version;
    int64_t first_seen_ms;
    int64_t last_seen_ms;
};

/* Cheap: the body's place and the deleted flag alone. */
WH_MUST_CHECK enum wh_rc sql_head_flags(struct wh_slice bytes, struct wh_slice *ret_body,
                                        bool *ret_deleted, struct wh_err *err);
/* Slices point into bytes. */
WH_MUST_CHECK enum wh_rc sql_head_decode(struct wh_slice bytes, struct sql_head *ret,
                                         struct wh_err *err);

#endif
