#include "stages/fetcher/conn/conn.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/access/pairs.h"
#include "stages/fetcher/state/listed.h"

enum { DOCUMENT_MAX_BYTES = 128 << 10 };

/* ---- the fetcher ---- */

const struct fetcher_deps *fetcher_deps(const struct fetcher *f)
{
    return &f->deps;
}

const struct fetcher_topics *fetcher_topics(const struct fetcher *f)
{
    return &f->topics;
}

struct wh_json_parser *fetcher_parser(const struct fetcher *f)
{
    return f->rows;
}

struct ownership *fetcher_ownership(struct fetcher *f)
{
    return &f->ownership;
}

struct rereads *fetcher_rereads(const struct fetcher *f)
{
    return f->rereads;
}

struct rotation *fetcher_rotation(const struct fetcher *f)
{
    return f->rotation;
}

bool fetcher_working(const struct fetcher *f)
{
    return f->caught_up && !f->draining;
}

struct conn *fetcher_next(const struct fetcher *f, const struct conn *prev)
{
    struct conn *c = prev ? prev->next : f->conns;

    while (c && c->dropped) {
        c = c->next;
    }
    return c;
}

struct conn *fetcher_find(const struct fetcher *f, struct wh_slice id)
{
    struct conn *c = fetcher_next(f, NULL);

    while (c && !wh_slice_eq(wh_slice_str(c->id), id)) {
        c = fetcher_next(f, c);
    }
    return c;
}

bool fetcher_owns(const struct fetcher *f, const char *connection, const char *project)
{
    return ownership_owns(&f->ownership, wh_slice_str(connection),
                          wh_slice_str(project ? project : ""));
}

enum wh_rc fetcher_save_state(struct fetcher *f, struct wh_slice connection,
                              struct wh_slice project, struct wh_slice key, struct wh_slice json,
                              struct wh_bus_ack *ack, struct wh_err *err)
{
    const struct outbox_document doc = {.schema = WH_DOCUMENT_FETCH_STATE,
                                        .topic = f->topics.state,
                                        .key = key,
                                        .connection = connection,
                                        .json = json};

    return outbox_state(f->outbox,
                        ownership_partition(connection, project, f->ownership.partitions), &doc,
                        ack, err);
}

enum wh_rc fetcher_save_everywhere(const struct fetcher *f, const struct conn *c, const char *key,
                                   struct wh_slice json, bool own, struct wh_err *err)
{
    const struct outbox_document doc = {.schema = WH_DOCUMENT_FETCH_STATE,
                                        .topic = f->topics.state,
                                        .key = wh_slice_str(key),
                                        .connection = wh_slice_str(c->id),
                                        .json = json};

    for (int32_t p = 0; p < f->ownership.partitions; p++) {
        if ((own || !ownership_works_on(&f->ownership, p)) &&
            outbox_state(f->outbox, p, &doc, NULL, err) != WH_OK) {
            return err->rc;
        }
    }
    return WH_OK;
}

/* ---- the document ---- */

const char *conn_id(const struct conn *c)
{
    return c->id;
}

const char *conn_instance(const struct conn *c)
{
    return c->instance;
}

const struct wh_connection *conn_document(const struct conn *c)
{
    return &c->doc;
}

struct access *conn_access(const struct conn *c)
{
    return c->access;
}

void conn_set_saved(struct conn *c, bool saved)
{
    c->seals.unsaved = !saved;
}

/* Empty json: a tombstone. */
static enum wh_rc write_record(const struct conn *c, struct wh_slice json, struct wh_bus_ack *ack,
                               struct wh_err *err)
{
    const struct outbox_document record = {.schema = WH_DOCUMENT_CONNECTION,
                                           .topic = c->fetcher->topics.connections,
                                           .key = wh_slice_str(c->id),
                                           .connection = wh_slice_str(c->id),
                                           .json = json};

    return outbox_document(c->fetcher->outbox, &record, ack, err);
}

enum wh_rc conn_copy_document(const struct fetcher *f, const struct wh_connection *doc,
                              struct wh_arena *arena, struct wh_connection *ret, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf json;

    wh_buf_init(&json, DOCUMENT_MAX_BYTES);
    wh_arena_init(arena, CONN_ARENA_BLOCK, CONN_ARENA_MAX);
    if (wh_connection_write(doc, &json, err) != WH_OK ||
        wh_connection_parse(wh_buf_slice(&json), f->rows, arena, ret, err) != WH_OK) {
        wh_arena_done(arena);
        return err->rc;
    }
    return WH_OK;
}

enum wh_rc conn_set_document(struct conn *c, const struct wh_connection *doc, struct wh_err *err)
{
    struct wh_connection copy;
    struct wh_arena arena;

    if (conn_copy_document(c->fetcher, doc, &arena, &copy, err) != WH_OK) {
        return err->rc;
    }
    wh_arena_done(&c->arena);
    c->arena = arena;
    c->doc = copy;
    return credential_sealed_again(access_credential(c->access), err);
}

enum wh_rc conn_save(struct conn *c, struct wh_bus_ack *ack, struct wh_err *err)
{
    WH_AUTO(buf) struct wh_buf json = {0};
    int64_t now;

    if (c->dropped) {
        return wh_fail(err, WH_E_CANCELED, "%s is gone or has moved", c->id);
    }
    wh_buf_init(&json, DOCUMENT_MAX_BYTES);
    now = wh_clock_now_ms(&c->fetcher->deps.clock);
    c->doc.updated_at_ms = now > c->doc.updated_at_ms ? now : c->doc.updated_at_ms + 1;
    if (wh_connection_write(&c->doc, &json, err) != WH_OK) {
        return err->rc;
    }
    return write_record(c, wh_buf_slice(&json), ack, err);
}

enum wh_rc conn_save_removed(const struct conn *c, struct wh_bus_ack *ack, struct wh_err *err)
{
    return write_record(c, WH_LIT(""), ack, err);
}

void conn_set_state(struct conn *c, const char *state, const char *detail)
{
    struct wh_err err;

    if (c->stopped && strcmp(state, "disabled") != 0) {
        return; /* a run that ends late must not change a disconnected connection */
    }
    if (wh_slice_eq(c->doc.state, wh_slice_str(state)) &&
        wh_slice_eq(c->doc.detail, wh_slice_str(detail))) {
        return;
    }
    (void)snprintf(c->state, sizeof(c->state), "%s", state);
    (void)snprintf(c->detail, sizeof(c->detail), "%s", detail);
    c->doc.state = wh_slice_str(c->state);
    c->doc.detail = wh_slice_str(c->detail);
    wh_log_info(c->fetcher->deps.log, "connection state", WH_STR("connection", c->id),
                WH_STR("state", state), WH_STR("detail", detail));
    /* Only the owner writes the record: others may not have the newest tokens, which it holds too. */
    if (fetcher_owns(c->fetcher, c->id, NULL) && conn_save(c, NULL, &err) != WH_OK) {
        wh_log_error(c->fetcher->deps.log, "connection state not saved", WH_RC(&err));
    }
}

/* ---- the end ---- */

static void stop(struct conn *c)
{
    c->dropped = true;
    c->stopped = true;
    wh_timer_stop(c->run.timer);
    wh_timer_stop(c->run.teller);
    access_stop(c->access);
}

void conn_drop(struct conn *c)
{
    struct fetcher *f = c->fetcher;
    WH_AUTO(buf) struct wh_buf prefix;
    struct wh_err err;

    wh_buf_init(&prefix, sizeof(c->id) + 1);
    if (c->dropped) {
        return;
    }
    wh_log_info(f->deps.log, "connection removed", WH_STR("connection", c->id));
    stop(c);
    if (c->run.phase == RUN_IDLE && wh_buf_printf(&prefix, &err, "%s:", c->id) == WH_OK) {
        cursors_forget(f->cursors, wh_buf_slice(&prefix));
        numbers_forget(f->numbers, c->id);
        absences_forget(f->absences, c->id);
        listed_forget(f->listed, c->id);
    }
}

void conn_leave_address(struct conn *c)
{
    stop(c);
}

bool conn_forget_unconfigured(struct conn *c)
{
    struct wh_err err;

    if (c->dropped || !wh_slice_eq(c->doc.state, WH_LIT("to_configure")) ||
        pairs_open_count(&c->doc) > 0) {
        return false;
    }
    if (conn_save_removed(c, NULL, &err) != WH_OK) {
        return false;
    }
    conn_drop(c);
    return true;
}

/* ---- projects ---- */

void conn_add_project(struct conn *c, struct wh_json_val row)
{
    struct project *p = projects_add_row(&c->projects, row);

    if (p) {
        conn_project_listed(c, p);
    }
}

void conn_project_listed(struct conn *c, struct project *p)
{
    const struct numbers *n = numbers_of(c->fetcher->numbers, c->id, p->id, NUMBERS_PROJECT, false);

    if (n && number_set_get(n->set, 1).fate != NUMBER_UNKNOWN &&
        number_set_get(n->set, 1).fate != NUMBER_HAVE) {
        p->relist = true;
    }
    p->listed_run = c->run.started_ms;
    p->skipped[0] = '\0';
}

/* ---- rows ---- */

struct outbox_row conn_row(const struct conn *c, enum wh_origin origin, int64_t run)
{
    return (struct outbox_row){.topic = c->raw_topic,
                               .connection = wh_slice_str(c->id),
                               .instance = wh_connection_identity(&c->doc),
                               .origin = origin,
                               .run = run};
}
