/* Pure parts of the MCP client: event streams, messages, tools and their headers. */
#include "tests/lib/th_cmocka.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "stages/fetcher/mcp/message.h"
#include "stages/fetcher/mcp/sse.h"
#include "stages/fetcher/mcp/tool.h"
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

/* ---- arguments that are repeated in headers ---- */

static const struct {
    const char *name;
    const char *arguments;
    bool found;
    const char *value;
} params[] = {
    {"string", "{\"o\":{\"r\":\"eu\"}}", true, "eu"},
    {"empty string", "{\"o\":{\"r\":\"\"}}", true, ""},
    {"string that no header carries", "{\"o\":{\"r\":\"a\\r\\nb\"}}", true, "=?base64?YQ0KYg==?="},
    {"integer", "{\"o\":{\"r\":-7}}", true, "-7"},
    {"true", "{\"o\":{\"r\":true}}", true, "true"},
    {"false", "{\"o\":{\"r\":false}}", true, "false"},
    {"null", "{\"o\":{\"r\":null}}", false, ""},
    {"fraction", "{\"o\":{\"r\":1.5}}", false, ""},
    {"list", "{\"o\":{\"r\":[\"eu\"]}}", false, ""},
    {"absent", "{\"o\":{}}", false, ""},
    {"nothing to look into", "{\"o\":7}", false, ""},
};

static void test_params(void **state)
{
    static const char tool[] =
        TOOL("\"properties\":{\"o\":{\"type\":\"object\",\"properties\":{\"r\":{\"type\":"
             "\"string\",\"x-mcp-header\":\"Region\"}}}}");
    struct wh_json_parser *parser = wh_json_parser_new(65536, 32);
    struct mcp_tools t;
    struct wh_json_val v;
    struct wh_err err;

    (void)state;
    mcp_tools_init(&t);
    th_ok(wh_json_parse(parser, wh_slice_str(tool), &v, &err), &err);
    th_ok(mcp_tools_add(&t, v, &err), &err);
    assert_int_equal(t.first->n_headers, 1);
    th_slice_is(t.first->headers[0].header, "Mcp-Param-Region");
    for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
        WH_AUTO(buf) struct wh_buf out;
        bool found = !params[i].found;

        wh_buf_init(&out, 256);
        th_ok(wh_json_parse(parser, wh_slice_str(params[i].arguments), &v, &err), &err);
        th_ok(mcp_param_value(&t.first->headers[0], v, &out, &found, &err), &err);
        if (found != params[i].found || strcmp(wh_buf_str(&out), params[i].value) != 0) {
            fail_msg("%s: %s", params[i].name, wh_buf_str(&out));
        }
    }
    mcp_tools_done(&t);
    wh_json_parser_free(parser);
}

/* ---- what is known of a tool ---- */

static void test_tool(void **state)
{
    static const char json[] =
        TOOL("\"properties\":{\"project_id\":{},\"order_by\":{\"properties\":{\"inner\":{}}}}");
    struct wh_json_parser *parser = wh_json_parser_new(65536, 32);
    const struct mcp_tool *tool;
    struct mcp_tools t;
    struct wh_json_val v;
    struct wh_err err;

    (void)state;
    mcp_tools_init(&t);
    th_ok(wh_json_parse(parser, wh_slice_str(json), &v, &err), &err);
    th_ok(mcp_tools_add(&t, v, &err), &err);
    tool = mcp_tools_find(&t, WH_LIT("t"));
    assert_non_null(tool);
    assert_null(mcp_tools_find(&t, WH_LIT("T")));
    th_slice_is(mcp_tool_name(tool), "t");
    assert_true(mcp_tool_takes(tool, "project_id"));
    assert_true(mcp_tool_takes(tool, "order_by"));
    assert_false(mcp_tool_takes(tool, "project"));
    assert_false(mcp_tool_takes(tool, "inner"));
    /* The second one of a name is left out. */
    th_ok(mcp_tools_add(&t, v, &err), &err);
    assert_int_equal(t.n, 1);
    assert_int_equal(t.dropped, 1);
    mcp_tools_clear(&t);
    assert_null(mcp_tools_find(&t, WH_LIT("t")));
    mcp_tools_done(&t);
    wh_json_parser_free(parser);
}

/* As many tools as may be listed, each as large as one may be, fill the table and no more. */
static void test_tools_limit(void **state)
{
    struct wh_json_parser *parser = wh_json_parser_new(65536, 32);
    struct mcp_tools t;
    enum wh_rc rc = WH_OK;
    struct wh_err err;
    unsigned n = 0;

    (void)state;
    mcp_tools_init(&t);
    while (rc == WH_OK) {
        WH_AUTO(buf) struct wh_buf text;
        struct wh_json_val v;

        wh_buf_init(&text, 65536);
        th_ok(
            wh_buf_printf(&text, &err, "{\"name\":\"t%u\",\"inputSchema\":{\"properties\":{", n++),
            &err);
        for (int i = 0; i < 400; i++) {
            th_ok(wh_buf_printf(&text, &err, "%s\"property_%07d\":{}", i ? "," : "", i), &err);
        }
        th_ok(wh_buf_append(&text, WH_LIT("}}}"), &err), &err);
        th_ok(wh_json_parse(parser, wh_buf_slice(&text), &v, &err), &err);
        rc = mcp_tools_add(&t, v, &err);
        assert_true(n <= MCP_TOOLS_MAX + 1);
    }
    assert_int_equal(rc, WH_E_TOO_LARGE);
    assert_true(t.arena.used_bytes <= 2 << 20);
    assert_non_null(strstr(err.msg, "list of tools"));
    mcp_tools_done(&t);
    wh_json_parser_free(parser);
}

/* ---- messages on their way out ---- */

static const struct {
    const char *request;
    const char *reply;
} replies[] = {
    {"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"}",
     "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}"},
    {"{\"jsonrpc\":\"2.0\",\"id\":\"a\\n\",\"method\":\"ping\"}",
     "{\"jsonrpc\":\"2.0\",\"id\":\"a\\n\",\"result\":{}}"},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sampling/createMessage\"}",
     "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601,\"message\":\"not offered by "
     "this client\"}}"},
};

static void test_replies(void **state)
{
    struct wh_json_parser *parser = wh_json_parser_new(65536, 16);
    struct wh_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        WH_AUTO(buf) struct wh_buf out;
        struct mcp_message m;

        wh_buf_init(&out, 1024);
        th_ok(mcp_message_read(wh_slice_str(replies[i].request), parser, &m, &err), &err);
        assert_int_equal(m.kind, MCP_REQUEST);
        th_ok(mcp_reply_write(&m, &out, &err), &err);
        th_slice_is(wh_buf_slice(&out), replies[i].reply);
        wh_buf_done(&out);
        wh_buf_init(&out, 20);
        assert_int_equal(mcp_reply_write(&m, &out, &err), WH_E_TOO_LARGE);
    }
    wh_json_parser_free(parser);
}

/* A stream that is read on: the cut event is dropped, the id and the pause stay. */
static void test_stream_restart(void **state)
{
    WH_AUTO(buf) struct wh_buf out;
    struct mcp_sse s;
    struct wh_err err;

    (void)state;
    wh_buf_init(&out, 4096);
    mcp_sse_init(&s, 1024, on_event, &out);
    th_ok(mcp_sse_feed(&s, WH_LIT("id: 1\nretry: 5\ndata: a\n\nevent: x\ndata: cut"), &err), &err);
    mcp_sse_restart(&s);
    th_ok(mcp_sse_feed(&s,
                       WH_LIT("\xef\xbb\xbf"
                              "data: b\n\n"),
                       &err),
          &err);
    assert_string_equal(wh_buf_str(&out), "[|a][|b]");
    assert_string_equal(s.last_id, "1");
    assert_int_equal(s.retry_ms, 5);
    mcp_sse_done(&s);
}

/* What could not be sent in a header again is not taken: the id before it stays. */
static void test_stream_ids(void **state)
{
    WH_AUTO(buf) struct wh_buf line;
    struct mcp_sse s;
    struct wh_err err;

    (void)state;
    wh_buf_init(&line, 4096);
    mcp_sse_init(&s, 2048, on_event, &line);
    th_ok(mcp_sse_feed(&s, WH_LIT("id: good\n\n"), &err), &err);
    th_ok(wh_buf_append(&line, WH_LIT("id: "), &err), &err);
    for (int i = 0; i <= MCP_SSE_ID_MAX; i++) {
        th_ok(wh_buf_append_char(&line, 'x', &err), &err);
    }
    th_ok(wh_buf_append(&line, WH_LIT("\n\n"), &err), &err);
    th_ok(mcp_sse_feed(&s, wh_buf_slice(&line), &err), &err);
    assert_string_equal(s.last_id, "good");
    mcp_sse_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams),        cmocka_unit_test(test_stream_limit),
        cmocka_unit_test(test_stream_restart), cmocka_unit_test(test_stream_ids),
        cmocka_unit_test(test_messages),       cmocka_unit_test(test_replies),
        cmocka_unit_test(test_tools),          cmocka_unit_test(test_tools_limit),
        cmocka_unit_test(test_tool),           cmocka_unit_test(test_params),
        cmocka_unit_test(test_header_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
