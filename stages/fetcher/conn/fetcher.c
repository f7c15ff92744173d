#include "stages/fetcher/conn/fetcher.h"

#include <stdio.h>

#include "common/base/mem.h"
#include "common/event/messages.h"
#include "stages/fetcher/conn/conn_priv.h"
#include "stages/fetcher/check/check.h"
#include "stages/fetcher/check/gone.h"
#include "stages/fetcher/state/listed.h"
#include "stages/fetcher/state/mr_heads.h"
#include "stages/fetcher/conn/conn_parts.h"
#include "stages/fetcher/conn/health.h"
#include "stages/fetcher/conn/project_handover.h"
#include "stages/fetcher/conn/purge.h"
#include "stages/fetcher/conn/rereads.h"
#include "stages/fetcher/conn/run.h"
#include "stages/fetcher/conn/run_request.h"
#include "stages/fetcher/conn/leave.h"
#include "stages/fetcher/access/pairs.h"
#include "stages/fetcher/conn/rotate.h"
#include "stages/fetcher/conn/stream_report.h"
#include "stages/fetcher/conn/shown.h"

enum {
    ROW_MAX_BYTES = 16 << 20,
    PAGE_MAX_BYTES = 64 << 20,
    DEPTH_MAX = 64,
    ABSENCE_MAX_BYTES = 1024,
};

static enum wh_rc name_topics(struct fetcher *f, struct wh_err *err)
{
    const char *prefix = f->deps.conf.topic_prefix;

    if (wh_topic_name(prefix, WH_TOPIC_CONNECTIONS, WH_LIT(""), f->topics.connections, err) !=
            WH_OK ||
        wh_topic_name(prefix, WH_TOPIC_FETCH_STATE, WH_LIT(""), f->topics.state, err) != WH_OK ||
        wh_topic_name(prefix, WH_TOPIC_RUNS, WH_LIT(""), f->topics.runs, err) != WH_OK) {
        return err->rc;
    }
    if (wh_topic_name(prefix, WH_TOPIC_HEALTH, WH_LIT(""), f->topics.health, err) != WH_OK) {
        return err->rc;
    }
    return wh_topic_name(prefix, WH_TOPIC_REREADS, WH_LIT(""), f->topics.rereads, err);
}

/* ---- the outbox ---- */

static void on_room(void *ctx)
{
    const struct fetcher *f = ctx;

    for (struct conn *c = f->conns; c && !f->draining; c = c->next) {
        client_wake(access_client(c->access));
        if (c->reads.check) {
            check_wake(c->reads.check);
        }
    }
}

static void on_lost(void *ctx, const struct wh_err *err)
{
    const struct fetcher *f = ctx;

    if (f->deps.producer_lost) {
        f->deps.producer_lost(f->deps.bus_ctx, err);
    }
}

static void on_outbox_row(void *ctx, const struct outbox_row *row)
{
    const struct fetcher *f = ctx;
    struct conn *c = absences_any(f->absences) ? fetcher_find(f, row->connection) : NULL;

    if (c) {
        shown_by_record(c, row);
    }
}

/* ---- absences ---- */

static void on_absence(void *ctx, const struct absence *a, bool removed)
{
    struct fetcher *f = ctx;
    WH_AUTO(buf) struct wh_buf json;
    char key[ABSENCE_KEY_MAX];
    struct wh_err err;

    wh_buf_init(&json, ABSENCE_MAX_BYTES);
    if (absence_write(a, key, &json, &err) != WH_OK ||
        fetcher_save_state(f, wh_slice_str(a->connection), wh_slice_str(a->project),
                           wh_slice_str(key), removed ? WH_LIT("") : wh_buf_slice(&json), NULL,
                           &err) != WH_OK) {
        wh_log_warn(f->deps.log, "absence of an object not saved", WH_STR("key", key), WH_RC(&err));
    }
}

/* ---- life ---- */

enum wh_rc fetcher_new(const struct fetcher_deps *deps, struct fetcher **ret, struct wh_err *err)
{
    struct fetcher *f = wh_mem_zalloc(1, sizeof(*f));

    if (f == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the fetcher");
    }
    f->deps = *deps;
    f->begun_ms = wh_clock_now_ms(&deps->clock);
    f->outbox = outbox_new(&(struct outbox_conf){.loop = deps->loop,
                                                 .clock = deps->clock,
                                                 .on_room = on_room,
                                                 .on_lost = on_lost,
                                                 .on_row = on_outbox_row,
                                                 .ctx = f});
    f->numbers = numbers_table_new();
    f->absences = absences_new(on_absence, f);
    f->listed = listed_table_new();
    f->cursors = cursors_new();
    f->rows = wh_json_parser_new(ROW_MAX_BYTES, DEPTH_MAX);
    f->arrays = wh_json_parser_new(PAGE_MAX_BYTES, DEPTH_MAX);
    f->rereads = rereads_new(f);
    f->rotation = rotation_new(f);
    if (!f->outbox || !f->numbers || !f->absences || !f->listed || !f->cursors || !f->rows ||
        !f->arrays || !f->rereads || !f->rotation) {
        fetcher_free(f);
        return wh_fail(err, WH_E_NOMEM, "no memory for the fetcher");
    }
    if (name_topics(f, err) != WH_OK) {
        fetcher_free(f);
        return err->rc;
    }
    *ret = f;
    return WH_OK;
}

void fetcher_set_producer(struct fetcher *f, struct wh_producer *producer)
{
    f->producer = producer;
    outbox_set_producer(f->outbox, producer);
}

/* ---- connections ---- */

static void on_run_timer(void *ctx)
{
    conn_run_due(ctx);
}

static void on_teller(void *ctx)
{
    conn_run_tell(ctx);
}

static void conn_free(struct conn *c)
{
    leave_free(c->leave);
    purge_free(c->purge);
    listings_free(&c->reads.listings);
    check_free(c->reads.check);
    access_free(c->access);
    gone_free(c->reads.gone);
    health_free(c->health);
    mr_heads_free(c->reads.heads);
    open_pipelines_free(c->reads.open);
    wh_timer_free(c->run.timer);
    wh_timer_free(c->run.teller);
    projects_free(&c->projects);
    wh_arena_done(&c->arena);
    wh_mem_free(c->instance);
    wh_mem_free(c);
}

static struct conn *conn_new(struct fetcher *f, const struct wh_connection *doc, struct wh_err *err)
{
    struct conn *c = wh_mem_zalloc(1, sizeof(*c));

    if (c == NULL) {
        (void)wh_fail(err, WH_E_NOMEM, "no memory for a connection");
        return NULL;
    }
    c->fetcher = f;
    wh_arena_init(&c->arena, CONN_ARENA_BLOCK, CONN_ARENA_MAX);
    (void)snprintf(c->id, sizeof(c->id), "%.*s", WH_SLICE_ARG(doc->id));
    c->instance = wh_mem_dup(doc->instance.ptr, doc->instance.len);
    c->run.timer = wh_timer_new(f->deps.loop, on_run_timer, c);
    c->run.teller = wh_timer_new(f->deps.loop, on_teller, c);
    c->health = conn_health_new(c);
    c->reads.heads = mr_heads_new();
    c->reads.open = open_pipelines_new();
    c->access = c->instance ? conn_access_new(c) : NULL;
    c->leave = leave_new(c);
    if (!c->instance || !c->run.timer || !c->run.teller || !c->health || !c->reads.heads ||
        !c->reads.open || !c->access || !c->leave || conn_reads_init(c, err) != WH_OK ||
        wh_topic_name(f->deps.conf.topic_prefix, WH_TOPIC_RAW, doc->id, c->raw_topic, err) !=
            WH_OK) {
        conn_free(c);
        return NULL;
    }
    c->next = f->conns;
    f->conns = c;
    return c;
}

static void log_unusable(const struct conn *c)
{
    wh_log_error(c->fetcher->deps.log, "secrets of a connection cannot be opened",
                 WH_STR("connection", c->id), WH_STR("why", c->seals.problem));
}

/* Tries to open the secrets. While the fetcher catches up, a failure is not logged: this may be an
 * older record of the connection, which needs a key that is gone. */
static bool try_credentials(struct conn *c)
{
    struct wh_err err;

    c->seals.problem[0] = '\0';
    if (access_load(c->access, &err) == WH_OK) {
        return true;
    }
    (void)snprintf(c->seals.problem, sizeof(c->seals.problem), "%.159s", err.msg);
    c->seals.problem_at_ms = c->doc.updated_at_ms;
    if (c->fetcher->caught_up) {
        log_unusable(c);
    }
    return false;
}

static bool readable(const struct wh_connection *doc)
{
    return !wh_slice_eq(doc->state, WH_LIT("need_reconnect")) &&
           !wh_slice_eq(doc->state, WH_LIT("to_configure")) &&
           !wh_slice_eq(doc->state, WH_LIT("disabled"));
}

/* Makes doc, whose texts are in arena, the document of its connection, and makes the connection when it
 * is new. Takes arena. from_kafka: as another member, or this one before, has written it. */
static struct conn *put_document(struct fetcher *f, const struct wh_connection *doc,
                                 struct wh_arena *arena, bool from_kafka, struct wh_err *err)
{
    struct conn *c = fetcher_find(f, doc->id);
    bool begins;

    if (c && !wh_slice_eq(wh_slice_str(c->instance), doc->instance)) {
        wh_log_info(f->deps.log, "connection moved to another address", WH_STR("connection", c->id),
                    WH_STR("from", c->instance), WH_S("to", doc->instance));
        conn_leave_address(c);
        c = NULL;
    }
    begins = f->caught_up && from_kafka && (c == NULL || !readable(&c->doc)) && readable(doc);
    c = c ? c : conn_new(f, doc, err);
    if (c == NULL) {
        wh_arena_done(arena);
        return NULL;
    }
    wh_arena_done(&c->arena);
    c->arena = *arena;
    c->doc = *doc;
    c->seals.unsaved = c->seals.unsaved && !from_kafka;
    if (try_credentials(c) && begins) {
        conn_run(c);
    }
    revoke_look(access_revoke(c->access));
    leave_document(c);
    return c;
}

static void take_document(struct fetcher *f, const struct wh_bus_msg *msg)
{
    struct wh_connection parsed;
    struct wh_document doc;
    struct wh_arena arena;
    const struct conn *c;
    struct wh_err err;

    wh_arena_init(&arena, CONN_ARENA_BLOCK, CONN_ARENA_MAX);
    if (wh_document_decode(msg->value, &doc, &err) != WH_OK ||
        wh_connection_parse(doc.document, f->rows, &arena, &parsed, &err) != WH_OK) {
        wh_log_error(f->deps.log, "damaged connection record", WH_RC(&err),
                     WH_I("offset", msg->offset));
        wh_arena_done(&arena);
        return;
    }
    if (wh_connection_is_import(&parsed)) {
        wh_arena_done(&arena);
        return;
    }
    c = fetcher_find(f, parsed.id);
    if (c && msg->topic && parsed.updated_at_ms <= c->doc.updated_at_ms) {
        wh_arena_done(&arena); /* it is not newer than what is known, or it is our own */
        return;
    }
    if (put_document(f, &parsed, &arena, msg->topic != NULL, &err) == NULL) {
        wh_log_error(f->deps.log, "connection not usable", WH_RC(&err));
    }
}

void fetcher_take_connection(struct fetcher *f, const struct wh_bus_msg *msg)
{
    struct conn *c;

    if (msg->value.ptr) {
        take_document(f, msg);
        return;
    }
    c = fetcher_find(f, msg->key);
    /* A tombstone of our own must not drop what has been connected again since. */
    if (c && msg->timestamp_ms >= c->doc.created_at_ms) {
        conn_drop(c);
    }
}

enum wh_rc fetcher_adopt(struct fetcher *f, const struct wh_connection *doc, struct conn **ret,
                         struct wh_err *err)
{
    struct wh_connection copy;
    struct wh_arena arena;
    struct conn *c;

    if (conn_copy_document(f, doc, &arena, &copy, err) != WH_OK) {
        return err->rc;
    }
    c = put_document(f, &copy, &arena, false, err);
    if (c == NULL) {
        return err->rc;
    }
    *ret = c;
    return WH_OK;
}

static bool take_numbers(struct fetcher *f, struct wh_slice key, struct wh_slice json)
{
    enum numbers_taken taken = numbers_take(f->numbers, f->rows, key, json);

    if (taken == NUMBERS_DAMAGED) {
        wh_log_error(f->deps.log, "damaged number segment ignored: its numbers are read again",
                     WH_S("key", key));
    }
    return taken != NUMBERS_OTHER;
}

static bool take_absence(struct fetcher *f, const struct wh_bus_msg *msg)
{
    bool ours = f->caught_up && ownership_works_on(&f->ownership, msg->partition);
    struct wh_document doc = {.document = WH_LIT("")};
    struct wh_err err;

    if (msg->value.ptr && wh_document_decode(msg->value, &doc, &err) != WH_OK) {
        return false;
    }
    return absences_take(f->absences, f->rows, msg->key, doc.document, ours);
}

void fetcher_take_state(struct fetcher *f, const struct wh_bus_msg *msg)
{
    struct wh_document doc;
    struct cursor *cursor;
    struct conn *news;
    struct wh_err err;

    /* Tombstones come from a purge, and the tombstone of the connection removes everything. Records of
     * the partitions that we work on are our own, and what we have in memory is newer. */
    if (project_handover_take(f, msg, &news)) {
        if (news) {
            conn_run_stale(news);
        }
        return;
    }
    if (take_absence(f, msg) || run_request_take(f, msg) || msg->value.ptr == NULL ||
        (f->caught_up && ownership_works_on(&f->ownership, msg->partition))) {
        return;
    }
    if (wh_document_decode(msg->value, &doc, &err) == WH_OK &&
        (take_numbers(f, msg->key, doc.document) ||
         listed_take(f->listed, f->rows, msg->key, doc.document))) {
        return;
    }
    cursor = cursors_get(f->cursors, msg->key);
    if (cursor == NULL || wh_document_decode(msg->value, &doc, &err) != WH_OK ||
        cursor_parse(doc.document, f->rows, cursor, &err) != WH_OK) {
        wh_log_error(f->deps.log, "damaged cursor ignored: its stream is read from the beginning",
                     WH_I("partition", msg->partition), WH_I("offset", msg->offset));
    }
}

/* The keys are "<connection>:outcome", "<connection>:webhooks:<intake>" and "<connection>:streams:<fetcher>". */
void fetcher_take_health(struct fetcher *f, const struct wh_bus_msg *msg)
{
    const char *colon = msg->key.len ? memchr(msg->key.ptr, ':', msg->key.len) : NULL;
    struct wh_webhook_health webhooks;
    struct wh_outcome outcome;
    struct wh_document doc;
    struct wh_arena arena;
    struct wh_slice rest;
    struct conn *c;
    struct wh_err err;

    c = colon ? fetcher_find(f, wh_slice(msg->key.ptr, (size_t)(colon - msg->key.ptr))) : NULL;
    if (c == NULL || msg->value.ptr == NULL ||
        wh_document_decode(msg->value, &doc, &err) != WH_OK) {
        return;
    }
    rest = wh_slice_from(msg->key, (size_t)(colon - msg->key.ptr) + 1);
    wh_arena_init(&arena, CONN_ARENA_BLOCK, CONN_ARENA_MAX);
    if (wh_slice_eq(rest, WH_LIT("outcome"))) {
        if (wh_outcome_parse(doc.document, f->rows, &outcome, &err) == WH_OK) {
            health_take_outcome(c->health, &outcome);
            conn_take_outcome(c, &outcome);
        }
    } else if (wh_slice_starts(rest, WH_LIT("webhooks:")) &&
               wh_webhook_health_parse(doc.document, f->rows, &arena, &webhooks, &err) == WH_OK) {
        health_take_webhooks(c->health, &webhooks);
    } else if (wh_slice_starts(rest, WH_LIT("streams:"))) {
        stream_report_take(c, doc.document);
    }
    wh_arena_done(&arena);
}

/* ---- start and drain ---- */

void fetcher_start(struct fetcher *f)
{
    f->caught_up = true;
    for (struct conn *c = f->conns; c; c = c->next) {
        if (c->seals.problem[0] && !c->dropped) {
            log_unusable(c);
        }
        revoke_look(access_revoke(c->access));
        conn_run(c);
    }
}

void fetcher_assigned(struct fetcher *f)
{
    for (struct conn *c = f->conns; c; c = c->next) {
        credential_assigned(access_credential(c->access));
    }
    if (!f->caught_up) {
        fetcher_start(f);
        return;
    }
    for (struct conn *c = f->conns; c; c = c->next) {
        conn_run_stale(c);
    }
}

void fetcher_revoked(struct fetcher *f)
{
    for (struct conn *c = f->conns; c; c = c->next) {
        credential_assigned(access_credential(c->access));
        if (!fetcher_owns(f, c->id, NULL)) {
            project_handover_forget(c);
        }
        listings_stop_foreign(&c->reads.listings);
    }
}

void fetcher_drain(struct fetcher *f)
{
    f->draining = true;
    /* Whoever waits for a record is freed below; the next start reads the same again. */
    outbox_abandon(f->outbox);
    for (struct conn *c = f->conns; c; c = c->next) {
        wh_timer_stop(c->run.timer);
        wh_timer_stop(c->run.teller);
        listings_free(&c->reads.listings);
        check_free(c->reads.check);
        c->reads.check = NULL;
        access_drain(c->access);
    }
}

bool fetcher_drained(const struct fetcher *f)
{
    for (const struct conn *c = f->conns; c; c = c->next) {
        if (credential_busy(access_credential(c->access))) {
            return false; /* it may hold the only copy of a token */
        }
    }
    return f->draining && outbox_pending(f->outbox) == 0;
}

void fetcher_free(struct fetcher *f)
{
    if (f == NULL) {
        return;
    }
    while (f->conns) {
        struct conn *next = f->conns->next;

        conn_free(f->conns);
        f->conns = next;
    }
    rotation_free(f->rotation);
    rereads_free(f->rereads);
    wh_json_parser_free(f->rows);
    wh_json_parser_free(f->arrays);
    cursors_free(f->cursors);
    outbox_free(f->outbox);
    numbers_table_free(f->numbers);
    absences_free(f->absences);
    listed_table_free(f->listed);
    wh_mem_free(f);
}
