#include "stages/fetcher/mcp/sse.h"

enum { RETRY_MAX_MS = 300000 };

void mcp_sse_init(struct mcp_sse *s, size_t event_max, mcp_sse_fn fn, void *ctx)
{
    memset(s, 0, sizeof(*s));
    s->fn = fn;
    s->ctx = ctx;
    s->retry_ms = -1;
    wh_buf_init(&s->line, event_max);
    wh_buf_init(&s->data, event_max);
}

void mcp_sse_done(struct mcp_sse *s)
{
    wh_buf_done(&s->line);
    wh_buf_done(&s->data);
}

void mcp_sse_restart(struct mcp_sse *s)
{
    wh_buf_reset(&s->line);
    wh_buf_reset(&s->data);
    s->name[0] = '\0';
    s->mark = 0;
    s->begun = false;
    s->has_data = false;
    s->after_cr = false;
    s->stopped = false;
}

/* An id goes into a header later: what could not stand there is not taken. */
static void take_id(struct mcp_sse *s, struct wh_slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < 0x20 || value.ptr[i] >= 0x7f) {
            return;
        }
    }
    if (value.len <= MCP_SSE_ID_MAX) {
        memcpy(s->last_id, value.ptr ? value.ptr : "", value.len);
        s->last_id[value.len] = '\0';
    }
}

static void take_retry(struct mcp_sse *s, struct wh_slice value)
{
    int64_t ms = 0;

    if (value.len == 0) {
        return;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9') {
            return;
        }
        ms = ms < RETRY_MAX_MS ? ms * 10 + (value.ptr[i] - '0') : ms;
    }
    s->retry_ms = ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS;
}

static enum wh_rc take_data(struct mcp_sse *s, struct wh_slice value, struct wh_err *err)
{
    if (s->has_data && wh_buf_append_char(&s->data, '\n', err) != WH_OK) {
        return err->rc;
    }
    s->has_data = true;
    return wh_buf_append(&s->data, value, err);
}

static enum wh_rc take_field(struct mcp_sse *s, struct wh_slice name, struct wh_slice value,
                             struct wh_err *err)
{
    if (wh_slice_eq(name, WH_LIT("data"))) {
        return take_data(s, value, err);
    }
    if (wh_slice_eq(name, WH_LIT("event"))) {
        /* Longer ones are none of ours. */
        size_t n = value.len < sizeof(s->name) ? value.len : sizeof(s->name) - 1;

        memcpy(s->name, value.ptr ? value.ptr : "", n);
        s->name[n] = '\0';
    } else if (wh_slice_eq(name, WH_LIT("id"))) {
        take_id(s, value);
    } else if (wh_slice_eq(name, WH_LIT("retry"))) {
        take_retry(s, value);
    }
    return WH_OK;
}

static void dispatch(struct mcp_sse *s)
{
    if (s->has_data && s->data.len &&
        !s->fn(s->ctx, wh_slice_str(s->name), wh_buf_slice(&s->data))) {
        s->stopped = true;
    }
    s->name[0] = '\0';
    s->has_data = false;
    wh_buf_reset(&s->data);
}

static enum wh_rc end_line(struct mcp_sse *s, struct wh_err *err)
{
    struct wh_slice line = wh_buf_slice(&s->line);
    const char *colon = line.len ? memchr(line.ptr, ':', line.len) : NULL;
    struct wh_slice name = colon ? wh_slice(line.ptr, (size_t)(colon - line.ptr)) : line;
    struct wh_slice value = colon ? wh_slice_from(line, name.len + 1) : wh_slice("", 0);
    enum wh_rc rc = WH_OK;

    if (line.len == 0) {
        dispatch(s);
    } else if (name.len) {
        if (value.len && value.ptr[0] == ' ') {
            value = wh_slice_from(value, 1);
        }
        rc = take_field(s, name, value, err);
    }
    wh_buf_reset(&s->line);
    return rc;
}

static bool is_mark(struct mcp_sse *s, char c)
{
    static const unsigned char mark[3] = {0xef, 0xbb, 0xbf};

    if (!s->begun && s->mark < 3 && (unsigned char)c == mark[s->mark]) {
        s->mark++;
        s->begun = s->mark == 3;
        return true;
    }
    s->begun = true;
    return false;
}

enum wh_rc mcp_sse_feed(struct mcp_sse *s, struct wh_slice bytes, struct wh_err *err)
{
    for (size_t i = 0; i < bytes.len && !s->stopped; i++) {
        char c = bytes.ptr[i];

        if (is_mark(s, c)) {
            continue;
        }
        if (c == '\n' && s->after_cr) {
            s->after_cr = false;
            continue;
        }
        s->after_cr = c == '\r';
        if (c == '\r' || c == '\n') {
            if (end_line(s, err) != WH_OK) {
                return err->rc;
            }
        } else if (wh_buf_append_char(&s->line, c, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}
