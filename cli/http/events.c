#include "cli/http/events.h"

#include <string.h>

void cli_events_init(struct cli_events *e,
                     bool (*on_event)(void *ctx, const struct cli_event *event), void *ctx)
{
    *e = (struct cli_events){.on_event = on_event, .ctx = ctx};
    wh_buf_init(&e->line, CLI_EVENT_MAX_BYTES);
    wh_buf_init(&e->data, CLI_EVENT_MAX_BYTES);
}

void cli_events_begin(struct cli_events *e)
{
    wh_buf_reset(&e->line);
    wh_buf_reset(&e->data);
    e->name[0] = '\0';
    memcpy(e->next_id, e->id, sizeof(e->id));
}

void cli_events_done(struct cli_events *e)
{
    wh_buf_done(&e->line);
    wh_buf_done(&e->data);
}

static void set_text(char *to, size_t size, struct wh_slice text)
{
    size_t n = text.len < size ? text.len : size - 1;

    if (n) {
        memcpy(to, text.ptr, n);
    }
    to[n] = '\0';
}

static bool add_data(struct cli_events *e, struct wh_slice value)
{
    struct wh_err err;

    return (e->data.len == 0 || wh_buf_append_char(&e->data, '\n', &err) == WH_OK) &&
           wh_buf_append(&e->data, value, &err) == WH_OK;
}

static bool end_event(struct cli_events *e)
{
    const struct cli_event event = {.id = e->id, .name = e->name, .data = wh_buf_slice(&e->data)};
    bool more;

    memcpy(e->id, e->next_id, sizeof(e->id));
    more = e->data.len == 0 || e->on_event(e->ctx, &event);
    wh_buf_reset(&e->data);
    e->name[0] = '\0';
    return more;
}

/* The value of a line "field: value". */
static struct wh_slice value_of(struct wh_slice line, size_t field)
{
    size_t at = field + (line.len > field && line.ptr[field] == ':');

    at += line.len > at && line.ptr[at] == ' ';
    return wh_slice_from(line, at);
}

static bool take_line(struct cli_events *e, struct wh_slice line)
{
    const char *colon = line.len ? memchr(line.ptr, ':', line.len) : NULL;
    size_t n = colon ? (size_t)(colon - line.ptr) : line.len;
    struct wh_slice field = wh_slice(line.ptr, n);

    if (line.len == 0) {
        return end_event(e);
    }
    if (wh_slice_eq(field, WH_LIT("data"))) {
        return add_data(e, value_of(line, n));
    }
    if (wh_slice_eq(field, WH_LIT("id"))) {
        set_text(e->next_id, sizeof(e->next_id), value_of(line, n));
    } else if (wh_slice_eq(field, WH_LIT("event"))) {
        set_text(e->name, sizeof(e->name), value_of(line, n));
    }
    return true;
}

bool cli_events_take(struct cli_events *e, struct wh_slice bytes)
{
    struct wh_err err;

    while (bytes.len) {
        const char *end = memchr(bytes.ptr, '\n', bytes.len);
        size_t n = end ? (size_t)(end - bytes.ptr) : bytes.len;

        if (wh_buf_append(&e->line, wh_slice(bytes.ptr, n), &err) != WH_OK) {
            return false;
        }
        if (end == NULL) {
            return true;
        }
        if (!take_line(e, wh_buf_slice(&e->line))) {
            return false;
        }
        wh_buf_reset(&e->line);
        bytes = wh_slice_from(bytes, n + 1);
    }
    return true;
}
