/* The listings of a connection: their start, their end, and what both implementations do alike. */
#include "stages/fetcher/listing/listing_priv.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/base/mem.h"

enum { CURSOR_MAX_BYTES = 64 << 10 };

/* ---- what the implementations share ---- */

void listing_fail(struct listing *l, enum client_outcome why, const char *text)
{
    struct listing_result *r = &l->result;

    if (r->outcome == LISTING_CANNOT_GO_ON) {
        return;
    }
    r->outcome = LISTING_CANNOT_GO_ON;
    r->why = why;
    if (text) {
        (void)snprintf(r->error, sizeof(r->error), "%s: %.120s",
                       l->task.tool ? l->task.tool : l->stream->name, text);
    }
}

bool listing_json_begins(struct wh_slice body, char first)
{
    while (body.len && strchr(" \t\r\n", body.ptr[0])) {
        body = wh_slice_from(body, 1);
    }
    return body.len && body.ptr[0] == first;
}

void listing_unread(struct listing *l, size_t n, const char *why)
{
    struct listing_result *r = &l->result;

    r->unread += n;
    if (n > 0 && r->outcome != LISTING_CANNOT_GO_ON) {
        (void)snprintf(r->error, sizeof(r->error),
                       "%s: %" PRIu64 " row%s not read completely: %.90s", l->stream->name,
                       r->unread, r->unread == 1 ? " is" : "s are", why);
    }
}

enum wh_rc listing_publish(struct listing *l, const struct outbox_row *part, struct wh_bus_ack *ack,
                           struct wh_err *err)
{
    struct outbox_row row = l->env->row(l->env->ctx);

    row.origin = l->task.tool ? WH_ORIGIN_MCP : WH_ORIGIN_REST;
    row.project = listing_project(l);
    row.kind = part->kind;
    row.object_id = part->object_id;
    row.path = part->path;
    row.payload = part->payload;
    if (outbox_row(l->env->outbox, &row, ack, err) != WH_OK) {
        return err->rc;
    }
    l->task.count->produced++;
    return WH_OK;
}

enum wh_rc listing_save(struct listing *l, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf json;

    wh_buf_init(&json, CURSOR_MAX_BYTES);
    if (cursor_write(l->cursor, &json, err) != WH_OK) {
        return err->rc;
    }
    return l->env->save(l->env->ctx, &l->task, wh_slice_str(l->key), wh_buf_slice(&json), &l->saved,
                        err);
}

/* Rows by tools show less: they have a cursor of their own. */
static void write_key(const struct listing *l, const char *stream, char ret[CURSOR_KEY_MAX])
{
    char name[64];

    (void)snprintf(name, sizeof(name), "%s%s", stream, l->task.tool ? "@mcp" : "");
    cursor_key(ret, l->env->connection, wh_slice_str(l->task.project ? l->task.project->id : ""),
               name);
}

bool listing_has_read(const struct listing *l, unsigned stream)
{
    char key[CURSOR_KEY_MAX];
    const struct cursor *cursor;

    write_key(l, streams[stream].name, key);
    cursor = cursors_get(l->env->cursors, wh_slice_str(key));
    return cursor && cursor->rows > 0;
}

/* ---- life ---- */

static void listing_free(struct listing *l)
{
    *(l->prev ? &l->prev->next : &l->all->first) = l->next;
    if (l->next) {
        l->next->prev = l->prev;
    }
    l->all->n--;
    l->kind->done(l);
    wh_mem_free(l);
}

void listing_end(struct listing *l)
{
    const struct listing_env *env = l->env;
    const struct listing_task task = l->task;
    const struct listing_result result = l->result;

    listing_free(l);
    env->on_end(env->ctx, &task, &result);
}

enum wh_rc listing_start(struct listings *all, const struct listing_env *env,
                         const struct listing_task *task, struct wh_err *err)
{
    const struct listing_kind *kind = task->tool ? &listing_by_tool : &listing_by_rest;
    struct listing *l = wh_mem_zalloc(1, kind->size);

    if (l == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a listing");
    }
    l->kind = kind;
    l->env = env;
    l->task = *task;
    l->stream = &streams[task->stream];
    write_key(l, l->stream->name, l->key);
    l->all = all;
    l->next = all->first;
    if (l->next) {
        l->next->prev = l;
    }
    all->first = l;
    all->n++;
    l->cursor = cursors_get(env->cursors, wh_slice_str(l->key));
    if (l->cursor == NULL) {
        (void)wh_fail(err, WH_E_NOMEM, "no memory for a cursor");
    } else if (kind->begin(l, err) == WH_OK) {
        return WH_OK;
    }
    listing_free(l);
    return err->rc;
}

bool listings_read(const struct listings *all, const struct project *project, unsigned stream)
{
    for (const struct listing *l = all->first; l; l = l->next) {
        if (l->task.project == project && l->task.stream == stream) {
            return true;
        }
    }
    return false;
}

static struct listing *next_to_stop(const struct listings *all)
{
    for (struct listing *l = all->first; l; l = l->next) {
        const char *project = l->task.project ? l->task.project->id : NULL;

        if (l->result.outcome == LISTING_ENDED && !l->env->owns(l->env->ctx, project)) {
            return l;
        }
    }
    return NULL;
}

void listings_stop_foreign(struct listings *all)
{
    struct listing *l;

    /* From the start each time: a listing that ends may start others. */
    while ((l = next_to_stop(all)) != NULL) {
        l->result.outcome = LISTING_MORE;
        l->kind->pump(l);
    }
}

void listings_free(struct listings *all)
{
    while (all->first) {
        listing_free(all->first);
    }
}
