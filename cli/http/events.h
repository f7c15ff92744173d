/*
 * events.h - takes a stream of server-sent events apart while it arrives (WHATWG HTML, 9.2): lines of id, event
 * and data, comments, and an empty line behind each event. Thread: app.
 */
#ifndef WH_CLI_HTTP_EVENTS_H
#define WH_CLI_HTTP_EVENTS_H

#include "common/base/buf.h"

enum { CLI_EVENT_MAX_BYTES = 4 << 20, CLI_EVENT_ID_MAX = 128, CLI_EVENT_NAME_MAX = 32 };

struct cli_event {
    const char *id;   /* of this event or of an earlier one; "" when none was sent yet */
    const char *name; /* "change" */
    struct wh_slice data;
};

struct cli_events {
    /* The event is valid during the call; false ends the stream. Not called for an event without data. */
    bool (*on_event)(void *ctx, const struct cli_event *event);
    void *ctx;
    struct wh_buf line;
    struct wh_buf data;
    char id[CLI_EVENT_ID_MAX];
    char next_id[CLI_EVENT_ID_MAX]; /* holds from the end of the event on */
    char name[CLI_EVENT_NAME_MAX];
};

/* Keeps id across streams, so that the next one can be resumed; begin forgets what a broken stream left. */
void cli_events_init(struct cli_events *e,
                     bool (*on_event)(void *ctx, const struct cli_event *event), void *ctx);
void cli_events_begin(struct cli_events *e);
void cli_events_done(struct cli_events *e);
/* The next piece of the stream. False when on_event wants no more, or an event is too long. */
WH_MUST_CHECK bool cli_events_take(struct cli_events *e, struct wh_slice bytes);

#endif
