/*
 * heartbeat.h - what a process says about itself in the topic `health` every WH_HEARTBEAT_MS, under the
 * key "_process:<stage>:<process>". No connection id begins with an underscore.
 *
 * A process that ends in order says so in a last heartbeat; one that was killed says nothing more.
 */
#ifndef WH_EVENT_HEARTBEAT_H
#define WH_EVENT_HEARTBEAT_H

#include <stdbool.h>

#include "common/base/arena.h"
#include "common/base/buf.h"

struct wh_json_parser;

enum { WH_HEARTBEAT_MS = 5000, WH_HEARTBEAT_HELD_MAX = 32 };

/* The part of the record key before the first colon, in place of a connection. */
#define WH_HEARTBEAT_OWNER "_process"

/* An input that the process does not work on although it could: an open breaker. */
struct wh_heartbeat_held {
    struct wh_slice connection;
    struct wh_slice what;   /* the origin or stream that is held; empty: everything */
    struct wh_slice reason; /* a sentence for people */
    int64_t since_ms;
};

struct wh_heartbeat {
    struct wh_slice stage;   /* "mapper" */
    struct wh_slice process; /* "<host>-<port>": distinct among the processes of a stage */
    struct wh_slice version;
    struct wh_slice group; /* the consumer group that holds its offsets; empty: none */
    int64_t at_ms;         /* by the clock of the process */
    int64_t started_ms;    /* by the same clock */
    bool stopped;          /* the last one: the process has ended in order */
    bool ready;
    struct wh_slice reason; /* why it is not ready; empty when it is */
    const struct wh_heartbeat_held *held;
    size_t n_held;
};

WH_MUST_CHECK enum wh_rc wh_heartbeat_write(const struct wh_heartbeat *h, struct wh_buf *out,
                                            struct wh_err *err);
/*
 * Texts are valid until the parser's next parse; held is in the arena, at most WH_HEARTBEAT_HELD_MAX.
 * WH_E_MISSING without a stage, a process or a time.
 */
WH_MUST_CHECK enum wh_rc wh_heartbeat_parse(struct wh_slice json, struct wh_json_parser *parser,
                                            struct wh_arena *arena, struct wh_heartbeat *ret,
                                            struct wh_err *err);

#endif
