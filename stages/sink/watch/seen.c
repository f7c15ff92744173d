/* Heartbeats and connections, as the store has them. */
#include <stdio.h>
#include <string.h>

#include "common/event/connection.h"
#include "stages/sink/store/keyspace.h"
#include "stages/sink/store/stream_reports.h"
#include "stages/sink/watch/watch_priv.h"

/* A heartbeat that is older than that is history that is read again, not a sign of life. */
enum { HISTORY_MS = 60000 };

/* Calls each for every document of meta in [from, to). */
static enum wh_rc each_document(struct sink_watch *w, struct wh_slice from, struct wh_slice to,
                                enum wh_rc (*each)(struct sink_watch *w, struct wh_slice value,
                                                   struct wh_err *err),
                                struct wh_err *err)
{
    struct wh_slice value;
    struct wh_slice key;
    struct wh_iter *it;
    enum wh_rc rc = WH_OK;

    if (wh_iter_new(w->deps.store, NULL, SINK_META, from, to, &it, err) != WH_OK) {
        return err->rc;
    }
    for (wh_iter_seek(it, from, false); rc == WH_OK && wh_iter_valid(it, &key, &value);
         wh_iter_step(it, false)) {
        rc = each(w, value, err);
    }
    if (rc == WH_OK) {
        rc = wh_iter_error(it, err);
    }
    wh_iter_free(it);
    return rc;
}

/* ---- processes ---- */

/* Names of processes change with their containers; the place of the longest silent one is free. */
static struct watch_sign *oldest_sign(struct sink_watch *w)
{
    struct watch_sign *oldest = &w->signs[0];

    for (size_t i = 1; i < w->n_signs; i++) {
        oldest = w->signs[i].at_ms < oldest->at_ms ? &w->signs[i] : oldest;
    }
    return oldest;
}

/* The first look takes a heartbeat for a sign of life if it is young enough to be the last one. */
static struct watch_sign *sign_of(struct sink_watch *w, const struct wh_heartbeat *h)
{
    int64_t age_ms = w->evidence.now_ms - h->at_ms;
    struct watch_sign *sign;
    char key[WATCH_NAME_MAX];

    (void)snprintf(key, sizeof(key), "%.*s:%.*s", WH_SLICE_ARG(h->stage), WH_SLICE_ARG(h->process));
    for (size_t i = 0; i < w->n_signs; i++) {
        if (strcmp(w->signs[i].key, key) == 0) {
            return &w->signs[i];
        }
    }
    sign = w->n_signs < WATCH_PROCESSES_MAX ? &w->signs[w->n_signs++] : oldest_sign(w);
    *sign = (struct watch_sign){.at_ms = h->at_ms,
                                .seen_ms = age_ms < WH_JUDGE_SILENCE_MS ? h->at_ms : 0};
    memcpy(sign->key, key, sizeof(key));
    return sign;
}

static int64_t seen_at(struct sink_watch *w, const struct wh_heartbeat *h)
{
    int64_t now_ms = w->evidence.now_ms;
    struct watch_sign *sign = sign_of(w, h);

    if (h->at_ms != sign->at_ms) {
        sign->at_ms = h->at_ms;
        sign->seen_ms = now_ms - h->at_ms < HISTORY_MS ? now_ms : sign->seen_ms;
    }
    return sign->seen_ms;
}

static enum wh_rc copy(struct sink_watch *w, struct wh_slice *text, struct wh_err *err)
{
    return wh_arena_dup(&w->arena, *text, text, err);
}

static bool is_old(const struct sink_watch *w, const struct wh_heartbeat *h)
{
    return w->evidence.now_ms - h->at_ms > WH_JUDGE_FORGET_MS;
}

/* Where the process belongs among those that were seen; NULL: it is left out. Of the old ones of a stage, which
 * the store keeps for ever, the newest says what became of the stage. */
static struct wh_seen_process *place_of(struct sink_watch *w, const struct wh_heartbeat *h)
{
    for (size_t i = 0; is_old(w, h) && i < w->evidence.n_processes; i++) {
        struct wh_seen_process *p = &w->processes[i];

        if (is_old(w, &p->beat) && wh_slice_eq(p->beat.stage, h->stage)) {
            return p->beat.at_ms < h->at_ms ? p : NULL;
        }
    }
    return w->evidence.n_processes < WATCH_PROCESSES_MAX ? &w->processes[w->evidence.n_processes++]
                                                         : NULL;
}

static enum wh_rc keep_process(struct sink_watch *w, struct wh_slice value, struct wh_err *err)
{
    struct wh_heartbeat h;
    struct wh_seen_process *place;
    struct wh_heartbeat_held *held;
    void *memory;

    if (wh_heartbeat_parse(value, w->json, &w->arena, &h, err) != WH_OK) {
        return WH_OK; /* a heartbeat of another version */
    }
    if (wh_arena_zalloc(&w->arena, h.n_held + 1, sizeof(*held), &memory, err) != WH_OK ||
        copy(w, &h.stage, err) != WH_OK || copy(w, &h.process, err) != WH_OK ||
        copy(w, &h.version, err) != WH_OK || copy(w, &h.group, err) != WH_OK ||
        copy(w, &h.reason, err) != WH_OK) {
        return err->rc;
    }
    held = memory;
    for (size_t i = 0; i < h.n_held; i++) {
        held[i] = h.held[i];
        if (copy(w, &held[i].connection, err) != WH_OK || copy(w, &held[i].what, err) != WH_OK ||
            copy(w, &held[i].reason, err) != WH_OK) {
            return err->rc;
        }
    }
    h.held = held;
    place = place_of(w, &h);
    if (place) {
        *place = (struct wh_seen_process){.beat = h, .seen_ms = seen_at(w, &h)};
    }
    return WH_OK;
}

enum wh_rc watch_processes(struct sink_watch *w, struct wh_err *err)
{
    static const char from[] = "h" WH_HEARTBEAT_OWNER "\0";
    static const char to[] = "h" WH_HEARTBEAT_OWNER "\1";

    w->evidence.processes = w->processes;
    return each_document(w, wh_slice(from, sizeof(from) - 1), wh_slice(to, sizeof(to) - 1),
                         keep_process, err);
}

/* ---- connections ---- */

static enum wh_rc keep_connection(struct sink_watch *w, struct wh_slice value, struct wh_err *err)
{
    struct wh_seen_connection *all = NULL;
    struct wh_connection c;

    if (w->evidence.n_connections == WATCH_CONNECTIONS_MAX) {
        return WH_OK;
    }
    if (wh_connection_parse(value, w->json, &w->arena, &c, err) != WH_OK) {
        return err->rc;
    }
    all = (struct wh_seen_connection *)(uintptr_t)w->evidence.connections;
    all[w->evidence.n_connections++] = (struct wh_seen_connection){
        .id = c.id, .instance = c.instance, .state = c.state, .detail = c.detail};
    return WH_OK;
}

static enum wh_rc keep_streams(struct sink_watch *w, struct wh_err *err)
{
    struct wh_seen_connection *all =
        (struct wh_seen_connection *)(uintptr_t)w->evidence.connections;
    bool found = false;
    void *memory;

    for (size_t i = 0; i < w->evidence.n_connections; i++) {
        if (wh_connection_class(all[i].state) == WH_CONNECTION_MISSING) {
            continue;
        }
        if (wh_arena_zalloc(&w->arena, 1, sizeof(struct wh_streams), &memory, err) != WH_OK ||
            sink_stream_report(w->deps.store, w->json, all[i].id, &w->arena, memory, &found, err) !=
                WH_OK) {
            return err->rc;
        }
        all[i].streams = found ? memory : NULL;
    }
    return WH_OK;
}

enum wh_rc watch_connections(struct sink_watch *w, struct wh_err *err)
{
    void *memory;

    if (wh_arena_zalloc(&w->arena, WATCH_CONNECTIONS_MAX, sizeof(struct wh_seen_connection),
                        &memory, err) != WH_OK) {
        return err->rc;
    }
    w->evidence.connections = memory;
    if (each_document(w, WH_LIT("x"), WH_LIT("y"), keep_connection, err) != WH_OK) {
        return err->rc;
    }
    return keep_streams(w, err);
}
