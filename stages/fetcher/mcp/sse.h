/*
 * sse.h - server-sent events (WHATWG HTML 9.2.6), piece by piece as bytes come.
 *
 * Lines end with CR, LF or CRLF, also across pieces; one byte order mark at the start is skipped;
 * an event that the stream's end cuts off is dropped. An event with an id or a retry but without
 * data moves last_id and retry_ms and calls nothing. Pure.
 */
#ifndef WH_FETCHER_MCP_SSE_H
#define WH_FETCHER_MCP_SSE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"

enum { MCP_SSE_ID_MAX = 512 };

/* name is "" or what `event:` said; data is valid during the call. false: no more are wanted. */
typedef bool (*mcp_sse_fn)(void *ctx, struct wh_slice name, struct wh_slice data);

struct mcp_sse {
    mcp_sse_fn fn;
    void *ctx;
    struct wh_buf line;
    struct wh_buf data;
    char name[64];
    char last_id[MCP_SSE_ID_MAX + 1]; /* visible ASCII and space; "" none */
    int64_t retry_ms;                 /* -1: not said */
    unsigned mark;                    /* bytes of a byte order mark seen */
    bool begun;
    bool has_data;
    bool after_cr;
    bool stopped;
};

void mcp_sse_init(struct mcp_sse *s, size_t event_max, mcp_sse_fn fn, void *ctx);
void mcp_sse_done(struct mcp_sse *s);
/* Before a stream is read on: what was cut off is dropped, last_id and retry_ms stay. */
void mcp_sse_restart(struct mcp_sse *s);
/* WH_E_TOO_LARGE: an event over event_max. */
WH_MUST_CHECK enum wh_rc mcp_sse_feed(struct mcp_sse *s, struct wh_slice bytes, struct wh_err *err);

#endif
