/* What a message that answers a call means. */
#include <stdio.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "stages/fetcher/mcp/mcp_priv.h"

enum { PAGES_MAX = 200, CURSOR_MAX = 8192, TOOL_TEXT_MAX = 160 };

struct wh_slice mcp_text_at(struct wh_json_val object, const char *key)
{
    struct wh_json_val v;

    return wh_json_get(object, wh_slice_str(key), &v) && wh_json_type(v) == WH_JSON_STRING
               ? wh_json_string(v)
               : wh_slice("", 0);
}

static void take_fault(struct mcp_call *call, unsigned status, const struct mcp_message *msg)
{
    char text[MCP_TEXT_MAX];
    struct mcp_answer answer = {
        .outcome = MCP_ERROR, .status = status, .code = msg->code, .error = text};

    if (mcp_exchange_version(call, msg)) {
        return;
    }
    /* 400: the server wants a session that we have none of, or not that one. */
    if (status == 400 && msg->code == MCP_CODE_TRANSPORT && mcp_call_works(call) &&
        !mcp_modern(call->mcp) && !call->reopened) {
        mcp_session_lost(call);
        return;
    }
    /* A modern server that knows no server/discover is open all the same. */
    if (call->kind == MCP_CALL_OPEN && mcp_modern(call->mcp) && msg->code == MCP_CODE_METHOD) {
        answer = (struct mcp_answer){.outcome = MCP_OK, .status = status};
    }
    (void)snprintf(text, sizeof(text), "the server answers with error %lld", (long long)msg->code);
    mcp_end(call, &answer);
}

/* Brent: a cursor seen before is met again by one that waits at every power of two. */
static bool cursor_repeats(struct mcp_call *call, struct wh_slice cursor)
{
    uint64_t hash = wh_hash64(cursor);

    if (call->pages && hash == call->slow_hash) {
        return true;
    }
    if ((call->pages & (call->pages - 1)) == 0) {
        call->slow_hash = hash;
    }
    return false;
}

static void take_page(struct mcp_call *call, unsigned status, const struct mcp_message *msg)
{
    struct mcp *m = call->mcp;
    struct mcp_answer answer = {.outcome = MCP_OK, .status = status, .result = msg->result};
    struct wh_json_val list;
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice key;
    struct wh_err err;

    if (!wh_json_get(msg->result, WH_LIT("tools"), &list) || wh_json_type(list) != WH_JSON_ARRAY) {
        mcp_end_text(call, MCP_REFUSED, status, "the list of tools is not one");
        return;
    }
    for (it = wh_json_iter(list); wh_json_next(&it, &key, &item);) {
        if (mcp_tools_add(&m->tools, item, &err) != WH_OK) {
            mcp_end_text(call, MCP_REFUSED, status, err.msg);
            return;
        }
    }
    /* Only absence ends a list: "" is a cursor. */
    if (!wh_json_get(msg->result, WH_LIT("nextCursor"), &item) ||
        wh_json_type(item) != WH_JSON_STRING) {
        mcp_end(call, &answer);
        return;
    }
    key = wh_json_string(item);
    call->pages++;
    if (key.len > CURSOR_MAX || call->pages > PAGES_MAX || cursor_repeats(call, key)) {
        mcp_end_text(call, MCP_REFUSED, status, "the list of tools does not come to an end");
        return;
    }
    wh_mem_free((char *)(uintptr_t)call->cursor.ptr);
    call->cursor = wh_slice(wh_mem_dup(key.ptr, key.len), key.len);
    if (call->cursor.ptr == NULL) {
        mcp_end_text(call, MCP_FAILED, status, "out of memory");
        return;
    }
    call->has_cursor = true;
    call->id = m->next_id++;
    mcp_go_after(call, 0);
}

struct wh_slice mcp_result_text(struct wh_json_val result)
{
    struct wh_json_val list;
    struct wh_json_val item;
    struct wh_json_iter it;
    struct wh_slice key;

    if (!wh_json_get(result, WH_LIT("content"), &list) || wh_json_type(list) != WH_JSON_ARRAY) {
        return wh_slice("", 0);
    }
    it = wh_json_iter(list);
    return wh_json_next(&it, &key, &item) ? mcp_text_at(item, "text") : wh_slice("", 0);
}

/* A server could send our token back. */
static bool has_token(const struct mcp *m, struct wh_slice text)
{
    struct wh_slice token = m->conf.token ? m->conf.token(m->conf.ctx) : wh_slice("", 0);

    return token.len && memmem(text.ptr, text.len, token.ptr, token.len);
}

/* One line of printable ASCII, which any place can show and cut. */
static void tool_text(const struct mcp *m, struct wh_json_val result, char to[MCP_TEXT_MAX])
{
    struct wh_slice text = mcp_result_text(result);

    if (text.len == 0 || has_token(m, text)) {
        (void)snprintf(to, MCP_TEXT_MAX, "the tool failed");
        return;
    }
    text.len = text.len < TOOL_TEXT_MAX ? text.len : TOOL_TEXT_MAX;
    (void)snprintf(to, MCP_TEXT_MAX, "the tool says: %.*s", WH_SLICE_ARG(text));
    for (char *c = to; *c; c++) {
        *c = *c < ' ' || *c > '~' ? '?' : *c;
    }
}

static void take_result(struct mcp_call *call, unsigned status, const struct mcp_message *msg)
{
    struct mcp_answer answer = {.outcome = MCP_OK, .status = status, .result = msg->result};
    struct wh_slice type = mcp_text_at(msg->result, "resultType");
    char text[MCP_TEXT_MAX];
    struct wh_json_val v;

    if (wh_slice_eq(type, WH_LIT("input_required"))) {
        mcp_end_text(call, MCP_INPUT, status, "the tool wants a person to fill something in");
        return;
    }
    if (type.len && !wh_slice_eq(type, WH_LIT("complete"))) {
        mcp_end_text(call, MCP_REFUSED, status, "a kind of result that is not known here");
        return;
    }
    if (wh_json_get(msg->result, WH_LIT("isError"), &v) && wh_json_type(v) == WH_JSON_BOOL &&
        wh_json_bool(v)) {
        answer.outcome = MCP_TOOL_BAD;
        tool_text(call->mcp, msg->result, text);
        answer.error = text;
    }
    mcp_end(call, &answer);
}

void mcp_take_message(struct mcp_call *call, unsigned status, const struct mcp_message *msg)
{
    if (msg->kind == MCP_FAULT) {
        take_fault(call, status, msg);
    } else if (wh_json_type(msg->result) != WH_JSON_OBJECT) {
        mcp_end_text(call, MCP_REFUSED, status, "a result that is no object");
    } else if (call->kind == MCP_CALL_OPEN) {
        mcp_take_opened(call, status, msg);
    } else if (call->kind == MCP_CALL_LIST) {
        take_page(call, status, msg);
    } else {
        take_result(call, status, msg);
    }
}
