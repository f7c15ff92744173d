/* Pure parts of the MCP client: event streams, messages, tools and their headers. */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "stages/fetcher/mcp/message.h"
#include "stages/fetcher/mcp/sse.h"
#include "stages/fetcher/mcp/tools.h"

/* ---- event streams ---- */

static bool on_event(void *ctx, struct wh_slice name, struct wh_slice data)
{
    struct wh_buf *out = ctx;
    struct wh_err err;

    th_ok(wh_buf_printf(out, &err, "[%.*s|%.*s]", WH_SLICE_ARG(name), WH_SLICE_ARG(data)), &err);
    return !wh_slice_eq(data, WH_LIT("stop"));
}

static const struct {
    const char *name;
    const char *bytes;
    const char *events;
    const char *id;
    int64_t retry_ms;
} streams[] = {
    {"one", "event: message\ndata: {}\n\n", "[message|{}]", "", -1},
    {"line ends", "data: a\rdata: b\r\ndata: c\n\r\ndata: d\r\r", "[|a\nb\nc][|d]", "", -1},
    {"mark and comment", "\xef\xbb\xbf: hi\ndata:x\n\n", "[|x]", "", -1},
    {"priming", "id: 7\nretry: 500\ndata:\n\n", "", "7", 500},
    {"one blank is cut", "data:  two\n\n", "[| two]", "", -1},
    {"cut off", "data: a\n\ndata: b\n", "[|a]", "", -1},
    {"no number", "retry: 5x\nretry:\nid: a\001b\ndata: a\n\n", "[|a]", "", -1},
    {"huge number", "retry: 99999999999999999999\n\n", "", "", 300000},
    {"unknown field", "foo: bar\nfoo\ndata: a\n\n", "[|a]", "", -1},
    {"stops", "data: stop\n\ndata: more\n\n", "[|stop]", "", -1},
    {"line break in an id", "id: a\rX: y\ndata: a\n\n", "[|a]", "a", -1},
};

static void test_streams(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        struct wh_slice all = wh_slice_str(streams[i].bytes);

        /* Cut at every place: the events are the same. */
        for (size_t cut = 0; cut <= all.len; cut++) {
            WH_AUTO(buf) struct wh_buf out;
            struct mcp_sse s;
            struct wh_err err;

            wh_buf_init(&out, 4096);
            mcp_sse_init(&s, 1024, on_event, &out);
            th_ok(mcp_sse_feed(&s, wh_slice(all.ptr, cut), &err), &err);
            th_ok(mcp_sse_feed(&s, wh_slice_from(all, cut), &err), &err);
            if (strcmp(wh_buf_str(&out), streams[i].events) != 0 ||
                strcmp(s.last_id, streams[i].id) != 0 || s.retry_ms != streams[i].retry_ms) {
                fail_msg("%s, cut at %zu: %s id %s retry %d", streams[i].name, cut,
                         wh_buf_str(&out), s.last_id, (int)s.retry_ms);
            }
            mcp_sse_done(&s);
        }
    }
}

static void test_stream_limit(void **state)
{
    struct wh_buf out;
    struct mcp_sse s;
    struct wh_err err;
    enum wh_rc rc = WH_OK;

    (void)state;
    wh_buf_init(&out, 64);
    mcp_sse_init(&s, 100, on_event, &out);
    for (int i = 0; i < 100 && rc == WH_OK; i++) {
        rc = mcp_sse_feed(&s, WH_LIT("data: 0123456789\n"), &err);
    }
    assert_int_equal(rc, WH_E_TOO_LARGE);
    mcp_sse_done(&s);
    wh_buf_done(&out);
}

/* ---- messages ---- */

static const struct {
    const char *json;
    enum wh_rc rc;
    enum mcp_kind kind;
    int64_t id;
} messages[] = {
    {"{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}", WH_OK, MCP_RESULT, 3},
    {"{\"jsonrpc\":\"2.0\",\"id\":\"3\",\"result\":{}}", WH_OK, MCP_RESULT, 0},
    {"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32602,\"message\":\"m\"}}", WH_OK,
     MCP_FAULT, 0},
    {"{\"jsonrpc\":\"2.0\",\"id\":\"s\",\"method\":\"ping\"}", WH_OK, MCP_REQUEST, 0},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}", WH_OK, MCP_NOTICE, 0},
    {"{\"jsonrpc\":\"1.0\",\"id\":3,\"result\":{}}", WH_E_TYPE, MCP_RESULT, 0},
    {"{\"jsonrpc\":\"2.0\",\"id\":3}", WH_E_TYPE, MCP_RESULT, 0},
    {"{\"jsonrpc\":\"2.0\",\"result\":{}}", WH_E_TYPE, MCP_RESULT, 0},
    {"{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":\"x\"}}", WH_E_TYPE, MCP_FAULT, 0},
    {"[{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}]", WH_E_TYPE, MCP_RESULT, 0},
    {"{", WH_E_INVALID, MCP_RESULT, 0},
};

static void test_messages(void **state)
{
    struct wh_json_parser *parser = wh_json_parser_new(65536, 16);
    struct mcp_message m;
    struct wh_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        enum wh_rc rc = mcp_message_read(wh_slice_str(messages[i].json), parser, &m, &err);

        if (rc != messages[i].rc || (rc == WH_OK && m.kind != messages[i].kind) ||
            (rc == WH_OK && m.id != messages[i].id)) {
            fail_msg("%s: %s", messages[i].json, wh_rc_name(rc));
        }
    }
    wh_json_parser_free(parser);
}

/* ---- tools ---- */

#define TOOL(schema) "{\"name\":\"t\",\"inputSchema\":{\"type\":\"object\"," schema "}}"
static const struct {
    const char *name;
    const char *json;
    bool kept;
    size_t headers;
} tools[] = {
    {"plain", "{\"name\":\"get_issue\"}", true, 0},
    {"header", TOOL("\"properties\":{\"r\":{\"type\":\"string\",\"x-mcp-header\":\"R\"}}"), true,
     1},
    {"a property of that name", TOOL("\"properties\":{\"x-mcp-header\":{\"type\":\"string\"}}"),
     true, 0},
    {"nested",
     TOOL("\"properties\":{\"o\":{\"type\":\"object\",\"properties\":{\"i\":{\"type\":"
          "\"integer\",\"x-mcp-header\":\"I\"}}}}"),
     true, 1},
    {"empty", TOOL("\"properties\":{\"r\":{\"type\":\"string\",\"x-mcp-header\":\"\"}}"), false, 0},
    {"not a token", TOOL("\"properties\":{\"r\":{\"type\":\"string\",\"x-mcp-header\":\"a b\"}}"),
     false, 0},
    {"a line break",
     TOOL("\"properties\":{\"r\":{\"type\":\"string\",\"x-mcp-header\":\"a\\r\\nb\"}}"), false, 0},
    {"number", TOOL("\"properties\":{\"r\":{\"type\":\"number\",\"x-mcp-header\":\"R\"}}"), false,
     0},
    {"twice",
     TOOL("\"properties\":{\"a\":{\"type\":\"string\",\"x-mcp-header\":\"R\"},\"b\":{"
          "\"type\":\"string\",\"x-mcp-header\":\"r\"}}"),
     false, 0},
    {"below items",
     TOOL("\"properties\":{\"a\":{\"type\":\"array\",\"items\":{\"type\":\"string\","
          "\"x-mcp-header\":\"R\"}}}"),
     false, 0},
    {"name with a blank", "{\"name\":\"a b\"}", false, 0},
    {"no name", "{\"title\":\"x\"}", false, 0},
};

static void test_tools(void **state)
{
    struct wh_json_parser *parser = wh_json_parser_new(65536, 32);
    struct mcp_tools t;
    struct wh_json_val v;
    struct wh_err err;

    (void)state;
    mcp_tools_init(&t);
    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
        mcp_tools_clear(&t);
        th_ok(wh_json_parse(parser, wh_slice_str(tools[i].json), &v, &err), &err);
        th_ok(mcp_tools_add(&t, v, &err), &err);
        if ((t.n == 1) != tools[i].kept || t.dropped != !tools[i].kept ||
            (t.first && t.first->n_headers != tools[i].headers)) {
            fail_msg("%s: %zu kept", tools[i].name, t.n);
        }
    }
    mcp_tools_done(&t);
    wh_json_parser_free(parser);
}

static const struct {
    const char *text;
    const char *header;
} values[] = {
    {"plain", "plain"},
    {"", ""},
    {" lead", "=?base64?IGxlYWQ=?="},
    {"a\nb", "=?base64?YQpi?="},
    {"\xc3\xa9", "=?base64?w6k=?="},
    {"=?base64?eA==?=", "=?base64?PT9iYXNlNjQ/ZUE9PT89?="},
};

static void test_header_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        WH_AUTO(buf) struct wh_buf out;
        struct wh_err err;

        wh_buf_init(&out, 256);
        th_ok(mcp_header_value(wh_slice_str(values[i].text), &out, &err), &err);
        th_slice_is(wh_buf_slice(&out), values[i].header);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),       cmocka_unit_test(test_stream_limit),
        cmocka_unit_test(test_messages),      cmocka_unit_test(test_tools),
        cmocka_unit_test(test_header_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
