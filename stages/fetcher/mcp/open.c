/* The handshake, its session and the revision of the protocol. */
#include <stdio.h>

#include "stages/fetcher/mcp/mcp_priv.h"

enum { EXCHANGES_MAX = 2 };

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

void mcp_set_version(struct mcp *m, const char *version)
{
    (void)snprintf(m->version, sizeof(m->version), "%s", version);
}

/* ---- revisions ---- */

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
bool mcp_exchange_version(struct mcp_call *call, const struct mcp_message *msg)
{
    struct mcp *m = call->mcp;
    const char *other;

    if (call->kind != MCP_CALL_OPEN && !mcp_call_works(call)) {
        return false;
    }
    if (msg->code != MCP_CODE_VERSION &&
        !(msg->code == MCP_CODE_PARAMS && call->kind == MCP_CALL_OPEN && !mcp_modern(m))) {
        return false;
    }
    other = offered_version(msg);
    if (other == NULL || call->exchanges++ >= EXCHANGES_MAX) {
        return false;
    }
    mcp_set_version(m, other);
    call->id = m->next_id++;
    if (call->kind == MCP_CALL_OPEN || mcp_modern(m)) {
        mcp_go_after(call, 0);
    } else {
        m->opened = false;
        mcp_submit(call);
    }
    return true;
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
            mcp_end_later(call, why_not->outcome, why_not->status, why_not->code, why_not->error);
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
    ready = mcp_call_new(m, MCP_CALL_READY, on_ready, m);
    if (ready == NULL) {
        on_ready(ctx, &nomem);
        return;
    }
    mcp_go(ready);
}

static void begin_opening(struct mcp *m)
{
    struct mcp_call *call = mcp_call_new(m, MCP_CALL_OPEN, on_opened, m);
    struct mcp_answer nomem = {.outcome = MCP_FAILED, .error = "out of memory"};

    m->opening = true;
    m->session[0] = '\0';
    m->session_no++;
    mcp_replies_drop(m);
    if (call == NULL) {
        on_ready(m, &nomem);
        return;
    }
    mcp_go_after(call, 0);
}

/* Sends it when the handshake is done. */
void mcp_submit(struct mcp_call *call)
{
    struct mcp *m = call->mcp;
    struct mcp_call **last = &m->waiting;

    if (m->opened) {
        mcp_go_after(call, 0);
        return;
    }
    mcp_call_hold(call);
    mcp_call_unlink(&m->calls, call);
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
    /* Another call may have noticed it before, and a new session may be open already. */
    if (call->session_no == m->session_no) {
        m->opened = false;
    }
    mcp_submit(call);
}

bool mcp_session_keep(struct mcp *m, const struct wh_httpc_answer *a)
{
    struct wh_slice id = wh_httpc_answer_header(a, "mcp-session-id");

    m->session[0] = '\0';
    if (id.len > MCP_SESSION_MAX) {
        return false;
    }
    for (size_t i = 0; i < id.len; i++) {
        if (id.ptr[i] < 0x21 || id.ptr[i] > 0x7e) {
            return false;
        }
    }
    memcpy(m->session, id.ptr ? id.ptr : "", id.len);
    m->session[id.len] = '\0';
    return true;
}

void mcp_session_abort(struct mcp_call *call, unsigned status, const char *text)
{
    struct mcp *m = call->mcp;

    mcp_replies_drop(m);
    for (struct mcp_call *other = m->calls; other; other = other->next) {
        if (other != call && !other->parked && !mcp_call_is_told(other)) {
            mcp_end_later(other, MCP_REFUSED, status, 0, text);
        }
    }
    mcp_close(m);
    m->session[0] = '\0';
    mcp_end_text(call, MCP_REFUSED, status, text);
}

/* It is shown to people: what is not a short line of visible ASCII is left out. */
static void keep_server_version(struct mcp *m, struct wh_slice text)
{
    m->server_version[0] = '\0';
    if (text.len >= sizeof(m->server_version)) {
        return;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7e) {
            return;
        }
    }
    (void)snprintf(m->server_version, sizeof(m->server_version), "%.*s", WH_SLICE_ARG(text));
}

void mcp_take_opened(struct mcp_call *call, unsigned status, const struct mcp_message *msg)
{
    struct mcp *m = call->mcp;
    struct mcp_answer answer = {.outcome = MCP_OK, .status = status, .result = msg->result};
    struct wh_json_val info;
    const char *version;

    if (mcp_modern(m)) {
        mcp_end(call, &answer);
        return;
    }
    version = mcp_known_version(mcp_text_at(msg->result, "protocolVersion"));
    if (version == NULL || strcmp(version, MCP_MODERN) == 0) {
        mcp_end_text(call, MCP_REFUSED, status,
                     "the server speaks no revision of the protocol that is known here");
        return;
    }
    mcp_set_version(m, version);
    if (wh_json_get(msg->result, WH_LIT("serverInfo"), &info)) {
        keep_server_version(m, mcp_text_at(info, "version"));
    }
    mcp_end(call, &answer);
}
