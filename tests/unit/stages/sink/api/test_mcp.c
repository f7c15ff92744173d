/* The Model Context Protocol at /mcp: both eras, tools, and what is refused. */
#include <string.h>

#include "common/base/mem.h"
#include "tests/lib/th_api.h"
#include "tests/lib/th_cmocka.h"

enum { ROWS = 20 };

#define META                                                                                       \
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","                       \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"

struct ask {
    const char *body;
    const char *version; /* headers; NULL: not sent */
    const char *method;
    const char *name;
    const char *host;
    const char *origin;
    unsigned status;
    const char *has;
};

static struct th_api *new_api(void)
{
    const struct sink_api_conf conf = {.sql_timeout_ms = 5000,
                                       .sql_timeout_max_ms = 5000,
                                       .sql_rows = 1000,
                                       .sql_bytes = 8 << 20,
                                       .hosts = "wellhead.example.com"};

    return th_api_new(&conf, ROWS, 9);
}

static void header(struct th_http_req *req, const char *name, const char *value)
{
    if (value) {
        th_http_header(req, name, value);
    }
}

static void check(struct th_api *f, const struct ask *ask)
{
    struct th_http_req req;

    th_api_request(f, &req, "POST", "/mcp");
    header(&req, "Host", ask->host ? ask->host : "127.0.0.1:8704");
    header(&req, "Origin", ask->origin);
    header(&req, "MCP-Protocol-Version", ask->version);
    header(&req, "Mcp-Method", ask->method);
    header(&req, "Mcp-Name", ask->name);
    req.body = wh_slice_str(ask->body);
    th_http_send(&req, &f->handler, f->loop);
    if (req.status != ask->status ||
        (ask->has && (req.answer.ptr == NULL || strstr(req.answer.ptr, ask->has) == NULL))) {
        fail_msg("%s: %u %s", ask->body, req.status, req.answer.ptr ? req.answer.ptr : "");
    }
    th_http_done(&req);
}

static void check_all(const struct ask *asks, size_t n)
{
    struct th_api *f = new_api();

    for (size_t i = 0; i < n; i++) {
        check(f, &asks[i]);
    }
    th_api_free(f);
}

static void test_legacy(void **state)
{
    static const struct ask asks[] = {
        {.body = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":"
                 "{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{}}}",
         .status = 200,
         .has = "\"protocolVersion\":\"2025-06-18\""},
        {.body = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":"
                 "{\"protocolVersion\":\"1999-01-01\"}}",
         .status = 200,
         .has = "\"protocolVersion\":\"2025-11-25\""},
        {.body = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", .status = 202},
        {.body = "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"ping\"}",
         .status = 200,
         .has = "\"id\":\"a\",\"result\":{}"},
        {.body = "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}",
         .status = 200,
         .has = "\"readOnlyHint\":true"},
        {.body = "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"resources/list\"}",
         .status = 200,
         .has = "-32601"},
        {.body = "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}",
         .version = "1999-01-01",
         .status = 400},
        {.body = "[]", .status = 400, .has = "-32600"},
        {.body = "{", .status = 400, .has = "-32700"},
    };

    (void)state;
    check_all(asks, sizeof(asks) / sizeof(asks[0]));
}

static void test_modern(void **state)
{
    static const char list[] =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{" META "}}";
    static const struct ask asks[] = {
        {.body = list,
         .version = "2026-07-28",
         .method = "tools/list",
         .status = 200,
         .has = "\"resultType\":\"complete\""},
        {.body =
             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\",\"params\":{" META "}}",
         .version = "2026-07-28",
         .method = "server/discover",
         .status = 200,
         .has = "\"supportedVersions\":[\"2026-07-28\""},
        {.body = list,
         .version = "2025-11-25",
         .method = "tools/list",
         .status = 400,
         .has = "-32020"},
        {.body = list, .version = "2026-07-28", .method = "ping", .status = 400, .has = "-32020"},
        {.body = list, .version = "2026-07-28", .status = 400, .has = "-32020"},
        {.body = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
         .version = "2026-07-28",
         .method = "tools/list",
         .status = 400,
         .has = "-32602"},
        {.body = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{" META "}}",
         .version = "2026-07-28",
         .method = "ping",
         .status = 404,
         .has = "-32601"},
        {.body = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{" META
                 ",\"name\":\"query\",\"arguments\":{}}}",
         .version = "2026-07-28",
         .method = "tools/call",
         .name = "=?base64?cXVlcnk=?=",
         .status = 200,
         .has = "\"isError\":true"},
    };

    (void)state;
    check_all(asks, sizeof(asks) / sizeof(asks[0]));
}

#define CALL(name, arguments)                                                                      \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"" name         \
    "\",\"arguments\":" arguments "}}"

static void test_tools(void **state)
{
    static const struct ask asks[] = {
        {.body = CALL("query", "{\"sql\":\"select count(*) as n from work_items\"}"),
         .status = 200,
         .has = "\"row_count\":1"},
        {.body = CALL("query", "{\"sql\":\"select 1 as a union select 2\",\"limit\":1}"),
         .status = 200,
         .has = "\"truncated\":true"},
        {.body = CALL("query", "{\"sql\":\"delete from work_items\"}"),
         .status = 200,
         .has = "\"isError\":true"},
        {.body = CALL("query", "{\"sql\":7}"), .status = 200, .has = "must be a text"},
        {.body = CALL("query", "{\"sql\":\"select 1\",\"limit\":0}"),
         .status = 200,
         .has = "must be 1 to 1000"},
        {.body = CALL("query", "{\"sql\":\"select 1\",\"x\":1}"),
         .status = 200,
         .has = "has no argument x"},
        {.body = CALL("get_entity", "{}"), .status = 200, .has = "give id or url"},
        {.body = CALL("get_entity", "{\"id\":\"0ab8c8f0-0000-5000-8000-00000000000f\"}"),
         .status = 200,
         .has = "no entity has this id"},
        {.body = CALL("describe_model", "{}"), .status = 200, .has = "\"work_items\""},
        {.body = CALL("describe_model", "{\"table\":\"incidents\"}"),
         .status = 200,
         .has = "\"severity\""},
        {.body = CALL("describe_model", "{\"table\":\"x; select 1\"}"),
         .status = 200,
         .has = "no name of a table"},
        {.body = CALL("query", "{\"sql\":\"select x from work_items\"}"),
         .status = 200,
         .has = "describe_model lists tables and columns"},
        {.body = CALL("query", "{\"sql\":\"select id from work_items\",\"limit\":2}"),
         .status = 200,
         .has = "\"next\":\"2-"},
        {.body = CALL("query", "{\"sql\":\"select 1\",\"cursor\":\"1-00\"}"),
         .status = 200,
         .has = "belongs to another statement"},
        {.body =
             CALL("query", "{\"sql\":\"select tool, result, arguments from agent_calls limit 1\"}"),
         .status = 200,
         .has = "\"result\":\"ok\",\"arguments\":\"{\\\"sql\\\":\\\"select count(*) as n from "
                "work_items\\\"}\""},
        {.body = CALL("query", "{\"sql\":\"select count(*) as n from agent_calls where result not "
                               "in ('ok', 'refused')\"}"),
         .status = 200,
         .has = "\"rows\":[{\"n\":9}]"},
        {.body = CALL("ask", "{\"question\":\"xyzzy\"}"),
         .status = 200,
         .has = "\"suggestions\":["},
        {.body = CALL("list_connections", "{}"), .status = 200, .has = "\"isError\":false"},
        {.body = CALL("search", "{\"query\":\"%\"}"), .status = 200, .has = "\"isError\":false"},
        {.body = CALL("no_such_tool", "{}"), .status = 200, .has = "-32602"},
    };

    (void)state;
    check_all(asks, sizeof(asks) / sizeof(asks[0]));
}

static void test_names(void **state)
{
    static const char ping[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}";
    static const struct ask asks[] = {
        {.body = ping, .host = "localhost:1", .status = 200},
        {.body = ping, .host = "[::1]:8704", .origin = "http://[::1]:8704", .status = 200},
        {.body = ping, .host = "wellhead.example.com", .status = 200},
        {.body = ping, .host = "evil.example.com", .status = 403},
        {.body = ping, .host = "localhost:1", .origin = "http://evil.example.com", .status = 403},
        {.body = ping, .host = "localhost:1", .origin = "null", .status = 403},
        {.body = ping, .host = "localhost.evil.example.com", .status = 403},
    };

    (void)state;
    check_all(asks, sizeof(asks) / sizeof(asks[0]));
}

static void test_refused(void **state)
{
    struct th_api *f = new_api();
    struct th_http_req req;

    (void)state;
    th_http_init(&req, "POST", "/mcp");
    th_http_header(&req, "Host", "localhost");
    th_http_send(&req, &f->handler, f->loop);
    assert_int_equal(req.status, 401);
    th_http_done(&req);
    th_api_request(f, &req, "GET", "/mcp");
    th_http_header(&req, "Host", "localhost");
    th_http_send(&req, &f->handler, f->loop);
    assert_int_equal(req.status, 405);
    th_http_done(&req);
    th_api_free(f);
}

/* Who calls without end is told to wait. */
static void test_rate(void **state)
{
    struct th_api *f = new_api();
    unsigned status = 200;

    (void)state;
    for (int i = 0; i < 5000 && status == 200; i++) {
        struct th_http_req req;

        th_api_request(f, &req, "POST", "/mcp");
        th_http_header(&req, "Host", "localhost");
        req.body = WH_LIT("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
        th_http_begin(&req, &f->handler);
        status = req.replied ? req.status : 200;
        if (!req.replied) {
            th_http_over(&req, &f->handler);
        }
        th_http_done(&req);
    }
    assert_int_not_equal(status, 200);
    th_api_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_legacy), cmocka_unit_test(test_modern),  cmocka_unit_test(test_tools),
        cmocka_unit_test(test_names),  cmocka_unit_test(test_refused), cmocka_unit_test(test_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
