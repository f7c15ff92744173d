#include "stages/fetcher/mcp/mcp.h"

#include <stdio.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "stages/fetcher/mcp/mcp_priv.h"

enum {
    JSON_DEPTH_MAX = 64,
    ARGUMENTS_MAX = 256 << 10,
    PAGES_MAX = 200,
    CURSOR_MAX = 8192,
    EXCHANGES_MAX = 2,
};

static const char *const versions[] = {"2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"};

bool mcp_modern(const struct mcp *m)
{
    return strcmp(m->version, MCP_MODERN) == 0;
}

const char *mcp_known_version(struct wh_slice version)
{
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        if (wh_slice_eq(version, wh_slice_str(versions[i]))) {
            return versions[i];
        }
    }
    return NULL;
}

static void set_version(struct mcp *m, const char *version)
{
    (void)snprintf(m->version, sizeof(m->version), "%s", version);
}

/* ---- life ---- */

enum wh_rc mcp_new(const struct mcp_conf *conf, struct mcp **ret, struct wh_err *err)
{
    struct mcp *m = wh_mem_zalloc(1, sizeof(*m));

    if (m == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for an MCP client");
    }
    m->conf = *conf;
    m->next_id = 1;
    m->jitter = (uint64_t)wh_clock_mono_ns(&conf->clock) | 1;
    set_version(m, conf->version);
    mcp_tools_init(&m->tools);
    m->endpoint = wh_mem_dup(conf->endpoint.ptr, conf->endpoint.len);
    m->parser = wh_json_parser_new(conf->body_max, JSON_DEPTH_MAX);
    m->arguments = wh_json_parser_new(ARGUMENTS_MAX, JSON_DEPTH_MAX);
    if (!m->endpoint || !m->parser || !m->arguments) {
        (void)wh_fail(err, WH_E_NOMEM, "no memory for an MCP client");
    } else if (oauth_url_parse(wh_slice_str(m->endpoint), &m->url, err) == WH_OK &&
               oauth_url_secure(&m->url, conf->allow_http, err) == WH_OK) {
        *ret = m;
        return WH_OK;
    }
    mcp_free(m);
    return err->rc;
}

static void unlink_call(struct mcp_call **link, const struct mcp_call *call)
{
    while (*link && *link != call) {
        link = &(*link)->next;
    }
    if (*link) {
        *link = call->next;
    }
}

void mcp_call_free(struct mcp_call *call)
{
    struct mcp *m = call->mcp;

    unlink_call(&m->calls, call);
    unlink_call(&m->waiting, call);
    if (call->transfer) {
        wh_httpc_cancel(m->conf.http, call->transfer);
    }
    wh_timer_free(call->timer);
    mcp_sse_done(&call->sse);
    wh_buf_done(&call->reply);
    wh_buf_done(&call->body);
    wh_mem_free((char *)(uintptr_t)call->name.ptr);
    wh_mem_free((char *)(uintptr_t)call->arguments.ptr);
    wh_mem_free((char *)(uintptr_t)call->cursor.ptr);
    wh_mem_free(call);
}

void mcp_free(struct mcp *m)
{
    if (m == NULL) {
        return;
    }
    while (m->calls) {
        mcp_call_free(m->calls);
    }
    while (m->waiting) {
        mcp_call_free(m->waiting);
    }
    mcp_tools_done(&m->tools);
    wh_json_parser_free(m->parser);
    wh_json_parser_free(m->arguments);
    wh_mem_free(m->endpoint);
    wh_mem_free(m);
}

/* ---- calls ---- */

static void on_timer(void *ctx)
{
    struct mcp_call *call = ctx;

    if (call->failed) {
        struct mcp_answer why = call->why;
        char text[MCP_TEXT_MAX];

        memcpy(text, call->why_text, sizeof(text));
        why.error = text;
        mcp_end(call, &why);
    } else {
        mcp_go(call);
    }
}

struct mcp_call *mcp_call_new(struct mcp *m, enum mcp_call_kind kind, mcp_fn fn, void *ctx)
{
    struct mcp_call *call = wh_mem_zalloc(1, sizeof(*call));

    if (call == NULL) {
        return NULL;
    }
    call->mcp = m;
    call->kind = kind;
    call->id = m->next_id++;
    call->fn = fn;
    call->ctx = ctx;
    mcp_sse_init(&call->sse, m->conf.body_max, NULL, NULL);
    wh_buf_init(&call->reply, m->conf.body_max);
    wh_buf_init(&call->body, 4096);
    call->timer = wh_timer_new(m->conf.loop, on_timer, call);
    if (call->timer == NULL) {
        mcp_call_free(call);
        return NULL;
    }
    call->next = m->calls;
    m->calls = call;
    return call;
}

void mcp_go(struct mcp_call *call)
{
    struct wh_err err;

    if (mcp_send(call, &err) != WH_OK) {
        mcp_end_text(call, MCP_REFUSED, 0, err.msg);
    }
}

void mcp_go_after(struct mcp_call *call, int64_t wait_ms)
{
    wh_timer_start(call->timer, wait_ms, 0);
}

void mcp_end(struct mcp_call *call, const struct mcp_answer *answer)
{
    mcp_fn fn = call->fn;
    void *ctx = call->ctx;

    /* The answer's text and values are not the call's. */
    mcp_call_free(call);
    if (fn) {
        fn(ctx, answer);
    }
}

void mcp_end_text(struct mcp_call *call, enum mcp_outcome outcome, unsigned status,
                  const char *text)
{
    char copy[MCP_TEXT_MAX];
    struct mcp_answer answer = {.outcome = outcome, .status = status, .error = copy};

    (void)snprintf(copy, sizeof(copy), "%s", text ? text : "");
    mcp_end(call, &answer);
}

void mcp_resume(struct mcp_call *call)
{
    call->parked = false;
    mcp_go_after(call, 0);
}

void mcp_give_up(struct mcp_call *call, const char *text)
{
    mcp_end_text(call, MCP_SIGN_IN, 401, text);
}

void mcp_resume_all(struct mcp *m)
{
    for (struct mcp_call *call = m ? m->calls : NULL; call; call = call->next) {
        if (call->parked) {
            mcp_resume(call);
        }
    }
}

static void fail_later(struct mcp_call *call, enum mcp_outcome outcome, unsigned status,
                       int64_t code, const char *text)
{
    call->failed = true;
    call->parked = false;
    call->why = (struct mcp_answer){.outcome = outcome, .status = status, .code = code};
    (void)snprintf(call->why_text, sizeof(call->why_text), "%s", text ? text : "");
    mcp_go_after(call, 0);
}

void mcp_give_up_all(struct mcp *m, const char *text)
{
    for (struct mcp_call *call = m ? m->calls : NULL; call; call = call->next) {
        if (call->parked) {
            fail_later(call, MCP_SIGN_IN, 401, 0, text);
        }
    }
}

int64_t mcp_call_sent_ms(const struct mcp_call *call)
{
    return call->sent_ms;
}

/* ---- the handshake ---- */

/* Each in a turn of its own: whoever is told may free everything. */
static void release_waiting(struct mcp *m, const struct mcp_answer *why_not)
{
    while (m->waiting) {
        struct mcp_call *call = m->waiting;

        m->waiting = call->next;
        call->next = m->calls;
        m->calls = call;
        if (why_not) {
            fail_later(call, why_not->outcome, why_not->status, why_not->code, why_not->error);
        } else {
            mcp_go_after(call, 0);
        }
    }
}

static void on_ready(void *ctx, const struct mcp_answer *a)
{
    struct mcp *m = ctx;

    m->opening = false;
    m->opened = a->outcome == MCP_OK;
    release_waiting(m, m->opened ? NULL : a);
}

static void on_opened(void *ctx, const struct mcp_answer *a)
{
    struct mcp *m = ctx;
    struct mcp_call *ready;
    struct mcp_answer nomem = {.outcome = MCP_FAILED, .error = "out of memory"};

    if (a->outcome != MCP_OK || mcp_modern(m)) {
        on_ready(ctx, a);
        return;
    }
    ready = mcp_call_new(m, CALL_READY, on_ready, m);
    if (ready == NULL) {
        on_ready(ctx, &nomem);
        return;
    }
    mcp_go(ready);
}

static void begin_opening(struct mcp *m)
{
    struct mcp_call *call = mcp_call_new(m, CALL_OPEN, on_opened, m);
    struct mcp_answer nomem = {.outcome = MCP_FAILED, .error = "out of memory"};

    m->opening = true;
    if (call == NULL) {
        on_ready(m, &nomem);
        return;
    }
    mcp_go_after(call, 0);
}

/* Sends it when the handshake is done. */
static void submit(struct mcp_call *call)
{
    struct mcp *m = call->mcp;
    struct mcp_call **last = &m->waiting;

    if (m->opened) {
        mcp_go_after(call, 0);
        return;
    }
    unlink_call(&m->calls, call);
    while (*last) {
        last = &(*last)->next;
    }
    call->next = NULL;
    *last = call;
    if (!m->opening) {
        begin_opening(m);
    }
}

void mcp_session_lost(struct mcp_call *call)
{
    struct mcp *m = call->mcp;

    call->reopened = true;
    call->resuming = false;
    call->id = m->next_id++;
    m->session[0] = '\0';
    m->opened = false;
    submit(call);
}

/* ---- answers ---- */

static struct wh_slice text_at(struct wh_json_val object, const char *key)
{
    struct wh_json_val v;

    return wh_json_get(object, wh_slice_str(key), &v) && wh_json_type(v) == WH_JSON_STRING
               ? wh_json_string(v)
               : wh_slice("", 0);
}

/* The newest of ours among the texts of a list; NULL when there is none. */
static const char *best_version(struct wh_json_val list)
{
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        struct wh_json_iter it = wh_json_iter(list);
        struct wh_json_val item;
        struct wh_slice key;

        while (wh_json_next(&it, &key, &item)) {
            if (wh_json_type(item) == WH_JSON_STRING &&
                wh_slice_eq(wh_json_string(item), wh_slice_str(versions[i]))) {
                return versions[i];
            }
        }
    }
    return NULL;
}

/* Some servers name what they speak in a sentence (GitLab: data.params). */
static const char *version_in_text(struct wh_slice text)
{
    for (size_t i = 1; i < sizeof(versions) / sizeof(versions[0]); i++) {
        if (memmem(text.ptr ? text.ptr : "", text.len, versions[i], strlen(versions[i]))) {
            return versions[i];
        }
    }
    return NULL;
}

static const char *offered_version(const struct mcp_message *msg)
{
    struct wh_json_val v;

    if (!msg->has_data) {
        return NULL;
    }
    if (wh_json_get(msg->data, WH_LIT("supported"), &v)) {
        return best_version(v);
    }
    if (wh_json_get(msg->data, WH_LIT("params"), &v)) {
        return wh_json_type(v) == WH_JSON_STRING ? version_in_text(wh_json_string(v))
                                                 : best_version(v);
    }
    return NULL;
}

/* The server does not speak this revision: true when the call goes on with another. */
static bool exchange_version(struct mcp_call *call, const struct mcp_message *msg)
{
    struct mcp *m = call->mcp;
    const char *other;

    if (msg->code != MCP_CODE_VERSION &&
        !(msg->code == MCP_CODE_PARAMS && call->kind == CALL_OPEN && !mcp_modern(m))) {
        return false;
    }
    other = offered_version(msg);
    if (other == NULL || call->exchanges++ >= EXCHANGES_MAX) {
        return false;
    }
    set_version(m, other);
    call->id = m->next_id++;
    if (call->kind == CALL_OPEN || mcp_modern(m)) {
        mcp_go_after(call, 0);
    } else {
        m->opened = false;
        submit(call);
    }
    return true;
}

static void take_fault(struct mcp_call *call, unsigned status, const struct mcp_message *msg)
{
    char text[MCP_TEXT_MAX];
    struct mcp_answer answer = {
        .outcome = MCP_ERROR, .status = status, .code = msg->code, .error = text};

    if (exchange_version(call, msg)) {
        return;
    }
    /* 400: the server wants a session that we have none of, or not that one. */
    if (status == 400 && msg->code == MCP_CODE_TRANSPORT && call->kind != CALL_OPEN &&
        !mcp_modern(call->mcp) && !call->reopened) {
        mcp_session_lost(call);
        return;
    }
    /* A modern server that knows no server/discover is open all the same. */
    if (call->kind == CALL_OPEN && mcp_modern(call->mcp) && msg->code == MCP_CODE_METHOD) {
        answer = (struct mcp_answer){.outcome = MCP_OK, .status = status};
    }
    (void)snprintf(text, sizeof(text), "the server answers with error %lld", (long long)msg->code);
    mcp_end(call, &answer);
}

static void take_opened(struct mcp_call *call, unsigned status, const struct mcp_message *msg)
{
    struct mcp *m = call->mcp;
    struct mcp_answer answer = {.outcome = MCP_OK, .status = status, .result = msg->result};
    struct wh_json_val info;
    const char *version;

    if (mcp_modern(m)) {
        mcp_end(call, &answer);
        return;
    }
    version = mcp_known_version(text_at(msg->result, "protocolVersion"));
    if (version == NULL || strcmp(version, MCP_MODERN) == 0) {
        mcp_end_text(call, MCP_REFUSED, status,
                     "the server speaks no revision of the protocol that is known here");
        return;
    }
    set_version(m, version);
    if (wh_json_get(msg->result, WH_LIT("serverInfo"), &info)) {
        struct wh_slice text = text_at(info, "version");

        (void)snprintf(m->server_version, sizeof(m->server_version), "%.*s", WH_SLICE_ARG(text));
    }
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
    call->has_cursor = call->cursor.ptr != NULL;
    call->id = m->next_id++;
    mcp_go_after(call, 0);
}

static void take_result(struct mcp_call *call, unsigned status, const struct mcp_message *msg)
{
    struct mcp_answer answer = {.outcome = MCP_OK, .status = status, .result = msg->result};
    struct wh_slice type = text_at(msg->result, "resultType");
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
        answer.error = "the tool failed";
    }
    mcp_end(call, &answer);
}

void mcp_take_message(struct mcp_call *call, unsigned status, const struct mcp_message *msg)
{
    if (msg->kind == MCP_FAULT) {
        take_fault(call, status, msg);
    } else if (wh_json_type(msg->result) != WH_JSON_OBJECT) {
        mcp_end_text(call, MCP_REFUSED, status, "a result that is no object");
    } else if (call->kind == CALL_OPEN) {
        take_opened(call, status, msg);
    } else if (call->kind == CALL_LIST) {
        take_page(call, status, msg);
    } else {
        take_result(call, status, msg);
    }
}

/* ---- what is offered ---- */

enum wh_rc mcp_list_tools(struct mcp *m, mcp_fn fn, void *ctx, struct wh_err *err)
{
    struct mcp_call *call = mcp_call_new(m, CALL_LIST, fn, ctx);

    if (call == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a call");
    }
    mcp_tools_clear(&m->tools);
    submit(call);
    return WH_OK;
}

enum wh_rc mcp_call_tool(struct mcp *m, struct wh_slice name, struct wh_slice arguments, mcp_fn fn,
                         void *ctx, struct mcp_call **ret, struct wh_err *err)
{
    struct mcp_call *call;

    if (m->conf.allowed == NULL || !m->conf.allowed(name)) {
        return wh_fail(err, WH_E_FORBIDDEN, "%.*s is not one of the read tools",
                       WH_SLICE_ARG(name));
    }
    call = mcp_call_new(m, CALL_TOOL, fn, ctx);
    if (call) {
        call->name = wh_slice(wh_mem_dup(name.ptr, name.len), name.len);
        call->arguments = wh_slice(wh_mem_dup(arguments.ptr, arguments.len), arguments.len);
    }
    if (call == NULL || call->name.ptr == NULL || call->arguments.ptr == NULL) {
        if (call) {
            mcp_call_free(call);
        }
        return wh_fail(err, WH_E_NOMEM, "no memory for a call");
    }
    submit(call);
    if (ret) {
        *ret = call;
    }
    return WH_OK;
}

void mcp_cancel(struct mcp_call *call)
{
    struct mcp *m = call->mcp;
    struct mcp_call *notice;
    struct mcp_out o = {.method = WH_LIT("notifications/cancelled"), .cancelled_id = call->id};
    struct wh_err err;
    bool told = call->transfer != NULL && call->kind == CALL_TOOL && !mcp_modern(m);

    mcp_call_free(call);
    notice = told ? mcp_call_new(m, CALL_NOTICE, NULL, NULL) : NULL;
    if (notice == NULL) {
        return;
    }
    if (mcp_message_write(&o, &notice->body, &err) != WH_OK) {
        mcp_call_free(notice);
        return;
    }
    mcp_go_after(notice, 0);
}

void mcp_close(struct mcp *m)
{
    struct mcp_call *call;

    if (m->session[0] && m->opened && !mcp_modern(m)) {
        call = mcp_call_new(m, CALL_DELETE, NULL, NULL);
        if (call) {
            mcp_go(call);
        }
    }
    m->opened = false;
}

const struct mcp_tools *mcp_tools_of(const struct mcp *m)
{
    return &m->tools;
}

const char *mcp_version(const struct mcp *m)
{
    return m->opened ? m->version : "";
}

const char *mcp_server_version(const struct mcp *m)
{
    return m->server_version;
}
