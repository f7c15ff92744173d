#include "tests/gitlab/answers.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "tests/gitlab/rest.h"
#include "tests/gitlab/scan.h"

enum { OVERSIZE_BYTES = 32 << 20, ENDLESS_BLOCK = 4096 };

static const char *const places[GL_AT_COUNT] = {
    [GL_AT_RESOURCE] = "resource",   [GL_AT_METADATA] = "metadata", [GL_AT_REGISTER] = "register",
    [GL_AT_AUTHORIZE] = "authorize", [GL_AT_TOKEN] = "token",       [GL_AT_REVOKE] = "revoke",
    [GL_AT_INFO] = "info",           [GL_AT_MCP] = "mcp",
};
static const char *const ways[GL_HOW_COUNT] = {
    [GL_HOW_FINE] = "fine",
    [GL_HOW_ERROR] = "error",
    [GL_HOW_CUT] = "cut",
    [GL_HOW_LOST] = "lost",
    [GL_HOW_LOST_ERROR] = "lost_error",
    [GL_HOW_HOLD_BEFORE] = "hold_before",
    [GL_HOW_HOLD_AFTER] = "hold_after",
    [GL_HOW_REDIRECT] = "redirect",
    [GL_HOW_OVERSIZED] = "oversized",
    [GL_HOW_ENDLESS] = "endless",
    [GL_HOW_GARBAGE] = "garbage",
    [GL_HOW_LIMITED] = "limited",
};

/* A request that waits to be released; work is NULL when it was done already. */
struct gl_held {
    struct gl_held *next;
    struct gl_call call;
    gl_work_fn work;
    unsigned status;
};

void gl_answers_init(struct gl_answers *a)
{
    struct gl_held *held = a->held;

    *a = (struct gl_answers){.held = held, .redirect_status = 307, .error_status = 503};
    (void)snprintf(a->redirect_to, sizeof(a->redirect_to), "%s/", GL_FOREIGN_ORIGIN);
}

static int word_index(const char *const *words, int n, struct wh_slice word)
{
    for (int i = 0; i < n; i++) {
        if (wh_slice_eq(word, wh_slice_str(words[i]))) {
            return i;
        }
    }
    return -1;
}

const char *gl_answers_set(struct gl_answers *a, struct wh_slice json)
{
    int where = word_index(places, GL_AT_COUNT, gl_scan_text(json, "where"));
    int how = word_index(ways, GL_HOW_COUNT, gl_scan_text(json, "how"));
    struct wh_slice to = gl_scan_text(json, "to");

    if (gl_scan_bool(json, "clear", false)) {
        gl_answers_init(a);
        return NULL;
    }
    if (where < 0 || how < 0 || to.len >= sizeof(a->redirect_to)) {
        return "needs where and how, as GET shows them";
    }
    a->at[where].how = (enum gl_how)how;
    a->at[where].next = gl_scan_int(json, "next", 1);
    a->error_status = (unsigned)gl_scan_int(json, "status", a->error_status);
    a->redirect_status = (unsigned)gl_scan_int(json, "redirect_status", a->redirect_status);
    if (to.len) {
        memcpy(a->redirect_to, to.ptr, to.len);
        a->redirect_to[to.len] = '\0';
    }
    return NULL;
}

void gl_answers_render(const struct gl_answers *a, struct gl_out *out)
{
    int64_t held = 0;

    for (const struct gl_held *h = a->held; h; h = h->next) {
        held++;
    }
    gl_out_tpl(out, "{'held':%d,'how':[", held);
    for (unsigned i = 0; i < GL_HOW_COUNT; i++) {
        gl_out_tpl(out, "%s'%s'", i ? WH_LIT(",") : WH_LIT(""), wh_slice_str(ways[i]));
    }
    gl_out_str(out, "]");
    for (unsigned i = 0; i < GL_AT_COUNT; i++) {
        gl_out_tpl(out, ",'%s':{'how':'%s','next':%d,'hits':%d}", wh_slice_str(places[i]),
                   wh_slice_str(ways[a->at[i].how]), a->at[i].next, (int64_t)a->at[i].hits);
    }
    gl_out_str(out, "}\n");
}

/* ---- going wrong ---- */

static enum wh_rc endless_fill(void *ctx, struct wh_buf *out, size_t max, bool *ret_end,
                               struct wh_err *err)
{
    char block[ENDLESS_BLOCK];

    (void)ctx;
    *ret_end = false;
    memset(block, ' ', sizeof(block));
    return wh_buf_append(out, wh_slice(block, max < sizeof(block) ? max : sizeof(block)), err);
}

static void endless_done(void *ctx)
{
    (void)ctx;
}

static void reply_endless(struct gl_call *call)
{
    gl_rest_log(call, 200);
    gl_out_done(&call->out);
    wh_http_reply_stream(call->req, 200, "application/json",
                         &(struct wh_http_stream){.fill = endless_fill, .done = endless_done});
}

static void oversize(struct gl_call *call)
{
    struct gl_out body = {0};
    char block[ENDLESS_BLOCK];

    memset(block, ' ', sizeof(block));
    for (size_t n = 0; n < OVERSIZE_BYTES; n += sizeof(block)) {
        gl_out_raw(&body, wh_slice(block, sizeof(block)));
    }
    gl_out_raw(&body, gl_out_slice(&call->out));
    gl_out_done(&call->out);
    call->out = body;
}

static void reply_plain(struct gl_call *call, unsigned status, const char *text)
{
    call->out.len = 0;
    gl_out_str(&call->out, text);
    call->content_type = "text/plain";
    gl_rest_reply(call, status);
}

static void reply_redirect(struct gl_call *call)
{
    const struct gl_answers *a = &call->server->answers;

    gl_header(&call->headers, "Location", "%s", a->redirect_to);
    reply_plain(call, a->redirect_status, "moved\n");
}

static bool hold(const struct gl_call *call, gl_work_fn work, unsigned status)
{
    struct gl_held *held = wh_mem_zalloc(1, sizeof(*held));

    if (held == NULL) {
        return false;
    }
    *held = (struct gl_held){call->server->answers.held, *call, work, status};
    /* Header values point into the call's own text. */
    held->call.headers.n = 0;
    held->call.headers.used = 0;
    call->server->answers.held = held;
    return true;
}

/* After the work was done. */
static void finish(struct gl_call *call, enum gl_how how, unsigned status)
{
    switch (how) {
    case GL_HOW_LOST:
        gl_rest_log(call, 0);
        gl_rest_cut(call->req, &call->out, true);
        return;
    case GL_HOW_LOST_ERROR:
        reply_plain(call, call->server->answers.error_status, "down\n");
        return;
    case GL_HOW_HOLD_AFTER:
        if (hold(call, NULL, status)) {
            return;
        }
        break;
    case GL_HOW_OVERSIZED:
        oversize(call);
        break;
    case GL_HOW_GARBAGE:
        call->out.len = 0;
        gl_out_str(&call->out, "{\"resource\":[[[[,]");
        break;
    case GL_HOW_FINE:
    case GL_HOW_ERROR:
    case GL_HOW_CUT:
    case GL_HOW_HOLD_BEFORE:
    case GL_HOW_REDIRECT:
    case GL_HOW_ENDLESS:
    case GL_HOW_LIMITED:
    case GL_HOW_COUNT:
        break;
    }
    gl_rest_reply(call, status);
}

/* True when it was answered, or is held, without doing anything. */
static bool refuse(struct gl_call *call, enum gl_how how, gl_work_fn work)
{
    if (how == GL_HOW_ERROR) {
        reply_plain(call, call->server->answers.error_status, "down\n");
    } else if (how == GL_HOW_CUT) {
        gl_rest_log(call, 0);
        gl_out_str(&call->out, "{}");
        gl_rest_cut(call->req, &call->out, true);
    } else if (how == GL_HOW_REDIRECT) {
        reply_redirect(call);
    } else if (how == GL_HOW_ENDLESS) {
        reply_endless(call);
    } else if (how == GL_HOW_LIMITED) {
        reply_plain(call, 429, "Retry later\n");
    } else {
        return how == GL_HOW_HOLD_BEFORE && hold(call, work, 0);
    }
    return true;
}

void gl_answer(const struct gl_call *from, enum gl_where where, gl_work_fn work)
{
    struct gl_answer_fault *fault = &from->server->answers.at[where];
    enum gl_how how = GL_HOW_FINE;
    struct gl_call *call = wh_mem_zalloc(1, sizeof(*call));

    if (call == NULL) {
        wh_http_reply_error(from->req, 500, "no memory for the answer", 0);
        return;
    }
    *call = (struct gl_call){.server = from->server,
                             .req = from->req,
                             .path = from->path,
                             .who = from->who,
                             .write = from->write};
    memcpy(call->note, from->note, sizeof(call->note));
    if (fault->next != 0 && fault->how != GL_HOW_FINE) {
        how = fault->how;
        fault->next -= fault->next > 0;
        fault->hits++;
    }
    if (!refuse(call, how, work)) {
        finish(call, how, work(call));
    }
    wh_mem_free(call);
}

unsigned gl_answers_release(struct gl_server *server)
{
    struct gl_held *list = server->answers.held;
    unsigned n = 0;

    server->answers.held = NULL;
    while (list) {
        struct gl_held *held = list;

        list = held->next;
        finish(&held->call, GL_HOW_FINE, held->work ? held->work(&held->call) : held->status);
        wh_mem_free(held);
        n++;
    }
    return n;
}

void gl_answers_drop(struct gl_server *server)
{
    while (server->answers.held) {
        struct gl_held *held = server->answers.held;

        server->answers.held = held->next;
        gl_out_done(&held->call.out);
        wh_mem_free(held);
    }
}
