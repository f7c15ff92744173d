/* An event stream with JSON-RPC messages: any two pieces give what the whole gives. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "stages/fetcher/mcp/message.h"
#include "stages/fetcher/mcp/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct wh_json_parser *parser;
    uint64_t hash;
    size_t n;
};

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

/* The answer repeats the request's id, or there is none: never a part of one. */
static void try_reply(const struct mcp_message *request, struct wh_slice data)
{
    struct wh_json_parser *parser = wh_json_parser_new(2048, 32);
    struct wh_buf reply;
    struct mcp_message m;
    struct wh_err err;

    check(parser != NULL);
    wh_buf_init(&reply, 1024);
    if (mcp_reply_write(request, &reply, &err) == WH_OK) {
        check(mcp_message_read(wh_buf_slice(&reply), parser, &m, &err) == WH_OK);
        check((m.kind == MCP_RESULT || m.kind == MCP_FAULT) && m.has_id);
        check(m.id_is_int == request->id_is_int && m.id == request->id);
    } else {
        check(data.len > 100); /* a short id always fits */
    }
    wh_buf_done(&reply);
    wh_json_parser_free(parser);
}

static bool on_event(void *ctx, struct wh_slice name, struct wh_slice data)
{
    struct seen *s = ctx;
    struct mcp_message m;
    struct wh_err err;

    check(data.len > 0);
    s->hash = s->hash * 31 + wh_hash64(data) + wh_hash64(name);
    s->n++;
    if (mcp_message_read(data, s->parser, &m, &err) == WH_OK) {
        check(m.kind != MCP_RESULT || m.has_id);
        if (m.kind == MCP_REQUEST) {
            try_reply(&m, data);
        }
    }
    return s->n < 64;
}

static enum wh_rc feed(struct seen *s, const uint8_t *data, size_t size, size_t cut)
{
    struct mcp_sse sse;
    struct wh_err err;
    enum wh_rc rc;

    mcp_sse_init(&sse, 4096, on_event, s);
    rc = mcp_sse_feed(&sse, wh_slice(data, cut), &err);
    if (rc == WH_OK) {
        rc = mcp_sse_feed(&sse, wh_slice(data + cut, size - cut), &err);
    }
    check(strlen(sse.last_id) <= MCP_SSE_ID_MAX && sse.retry_ms >= -1);
    mcp_sse_done(&sse);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wh_json_parser *parser;
    struct seen whole = {0};
    struct seen parts = {0};

    if (parser == NULL) {
        parser = wh_json_parser_new(4096, 32);
        check(parser != NULL);
    }
    whole.parser = parser;
    parts.parser = parser;
    check(feed(&whole, data, size, size) == feed(&parts, data, size, size ? data[0] % size : 0));
    check(whole.hash == parts.hash && whole.n == parts.n);
    return 0;
}
