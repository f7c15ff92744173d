/* A JSON body as a message, a list of tools, OAuth documents and token answers: all end. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "stages/fetcher/mcp/message.h"
#include "stages/fetcher/mcp/tools.h"
#include "stages/fetcher/oauth/register.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void try_tools(struct wh_json_val result)
{
    struct wh_json_val list;
    struct wh_json_val item;
    struct wh_json_iter it;
    struct mcp_tools tools;
    struct wh_slice key;
    struct wh_err err;

    mcp_tools_init(&tools);
    if (wh_json_get(result, WH_LIT("tools"), &list)) {
        for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
            if (mcp_tools_add(&tools, item, &err) != WH_OK) {
                break;
            }
        }
    }
    for (const struct mcp_tool *t = tools.first; t; t = t->next) {
        check(t->n_headers <= MCP_PARAM_HEADERS_MAX);
        check(mcp_tools_find(&tools, t->name) == t);
    }
    mcp_tools_done(&tools);
}

static bool same_origin(struct wh_slice text, const struct wh_url *other)
{
    struct wh_url u;
    struct wh_err err;

    return wh_url_parse(text, &u, &err) == WH_OK && oauth_url_same_origin(&u, other);
}

static void try_documents(struct wh_json_parser *parser, struct wh_slice json)
{
    struct oauth_token_answer answer;
    struct oauth_resource resource;
    struct oauth_server server;
    struct oauth_client client;
    struct oauth_tokens tokens;
    struct wh_url endpoint;
    struct wh_arena arena;
    struct wh_err err;

    wh_arena_init(&arena, 4096, 1 << 20);
    check(wh_url_parse(WH_LIT("https://g.example/api/v4/mcp"), &endpoint, &err) == WH_OK);
    if (oauth_resource_read(json, parser, &endpoint, &arena, &resource, &err) == WH_OK) {
        check(same_origin(resource.resource, &endpoint));
    }
    if (oauth_server_read(json, parser, WH_LIT("https://g.example"), false, &arena, &server,
                          &err) == WH_OK) {
        check(same_origin(server.token_endpoint, &endpoint));
    }
    server = (struct oauth_server){.issuer = WH_LIT("https://g.example")};
    if (oauth_register_read(json, parser, &server, WH_LIT("http://127.0.0.1/c"), &arena, &client,
                            &err) == WH_OK) {
        check(client.client_id.len > 0 && client.client_id.len <= OAUTH_CLIENT_TEXT_MAX);
        check(client.client_secret.len <= OAUTH_CLIENT_TEXT_MAX);
    }
    oauth_tokens_init(&tokens);
    oauth_token_read(200, json, parser, 0, true, &tokens, &answer);
    check((answer.result == OAUTH_DONE) == (answer.tokens != NULL));
    oauth_tokens_done(&tokens);
    wh_arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wh_json_parser *parser;
    struct wh_slice json = wh_slice(data, size);
    struct mcp_message m;
    struct wh_err err;

    if (parser == NULL) {
        parser = wh_json_parser_new(1 << 16, 64);
        check(parser != NULL);
    }
    if (mcp_message_read(json, parser, &m, &err) == WH_OK && m.kind == MCP_RESULT) {
        try_tools(m.result);
    }
    try_documents(parser, json);
    return 0;
}
