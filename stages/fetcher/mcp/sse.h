/*
 * sse.h - reads server-sent events (WHATWG HTML 9.2.6) piece by piece, as the bytes arrive.
 *
 * Lines end with CR, LF or CRLF, also across two pieces. One byte order mark at the start is
 * skipped. An event that the end of the stream cuts off is dropped. An event without data, or with
 * empty data, is not delivered, but its id and its retry count. Internal to the MCP client. Pure.
 */
#ifndef WH_FETCHER_MCP_SSE_H
#define WH_FETCHER_MCP_SSE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"

enum { MCP_SSE_ID_MAX = 512 };

/* name is what `event:` said (its first 63 bytes), or ""; data is valid during the call. Returns
 * false to end the reading. */
typedef bool (*mcp_sse_fn)(void *ctx, struct wh_slice name, struct wh_slice data);

struct mcp_sse {
    mcp_sse_fn fn;
    void *ctx;
    struct wh_buf line;
    struct wh_buf data;
    char name[64];
    char last_id[MCP_SSE_ID_MAX + 1]; /* "": none so far */
    int64_t retry_ms;                 /* at most 300,000; -1: none so far */
    unsigned mark;                    /* bytes of a byte order mark that were read */
    bool begun;
    bool has_data;
    bool after_cr;
    bool stopped; /* fn returned false: the rest is ignored */
};

/* event_max is the limit of one line and of one event's data, in bytes. */
void mcp_sse_init(struct mcp_sse *s, size_t event_max, mcp_sse_fn fn, void *ctx);
void mcp_sse_done(struct mcp_sse *s);
/* Prepares for the stream that follows: an event that was cut off is dropped, last_id and retry_ms
 * stay. */
void mcp_sse_restart(struct mcp_sse *s);
/* WH_E_TOO_LARGE: a line or an event is over event_max; WH_E_NOMEM. An id that is longer than
 * MCP_SSE_ID_MAX or not visible ASCII and spaces is ignored, because it is sent in a header. */
WH_MUST_CHECK enum wh_rc mcp_sse_feed(struct mcp_sse *s, struct wh_slice bytes, struct wh_err *err);

#endif
