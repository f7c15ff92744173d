#include "stages/sink/store/stream_reports.h"

#include <stdio.h>

#include "common/event/topics.h"
#include "common/judge/streams.h"
#include "stages/sink/store/keyspace.h"

enum { KEY_MAX_BYTES = WH_CONNECTION_ID_MAX + 16, FETCHERS_MAX = 16 };

struct reports {
    struct wh_json_parser *parser;
    struct wh_arena *arena;
    struct wh_streams *list[FETCHERS_MAX]; /* newest first */
    size_t n;
};

/* Of more fetchers than there are places, the newest reports stay. */
static void keep_in_order(struct reports *r, struct wh_streams *one)
{
    size_t i = r->n < FETCHERS_MAX ? r->n++ : FETCHERS_MAX - 1;

    if (i == FETCHERS_MAX - 1 && r->list[i] && r->list[i]->at_ms >= one->at_ms) {
        return;
    }
    while (i > 0 && r->list[i - 1]->at_ms < one->at_ms) {
        r->list[i] = r->list[i - 1];
        i--;
    }
    r->list[i] = one;
}

static enum wh_rc take(struct reports *r, struct wh_slice document, struct wh_err *err)
{
    struct wh_err ignored;
    void *memory;

    if (wh_arena_zalloc(r->arena, 1, sizeof(struct wh_streams), &memory, err) != WH_OK) {
        return err->rc;
    }
    if (wh_streams_parse(document, r->parser, memory, &ignored) != WH_OK) {
        return WH_OK; /* of another version */
    }
    if (wh_streams_keep(memory, r->arena, err) != WH_OK) {
        return err->rc;
    }
    keep_in_order(r, memory);
    return WH_OK;
}

static enum wh_rc take_all(struct reports *r, struct wh_store *store, struct wh_slice connection,
                           struct wh_err *err)
{
    char from[KEY_MAX_BYTES];
    char to[KEY_MAX_BYTES];
    struct wh_slice value;
    struct wh_iter *it;
    enum wh_rc rc = WH_OK;
    int n = snprintf(from, sizeof(from), "h%.*s%cstreams:", WH_SLICE_ARG(connection), 0);

    (void)snprintf(to, sizeof(to), "h%.*s%cstreams;", WH_SLICE_ARG(connection), 0);
    if (n < 0 || n >= (int)sizeof(from)) {
        return WH_OK;
    }
    if (wh_iter_new(store, NULL, SINK_META, wh_slice(from, (size_t)n), wh_slice(to, (size_t)n), &it,
                    err) != WH_OK) {
        return err->rc;
    }
    for (wh_iter_seek(it, wh_slice(from, (size_t)n), false);
         rc == WH_OK && wh_iter_valid(it, NULL, &value); wh_iter_step(it, false)) {
        rc = take(r, value, err);
    }
    rc = rc == WH_OK ? wh_iter_error(it, err) : rc;
    wh_iter_free(it);
    return rc;
}

enum wh_rc sink_stream_report(struct wh_store *store, struct wh_json_parser *parser,
                              struct wh_slice connection, struct wh_arena *arena,
                              struct wh_streams *ret, bool *ret_found, struct wh_err *err)
{
    struct reports r = {.parser = parser, .arena = arena};

    *ret_found = false;
    if (take_all(&r, store, connection, err) != WH_OK) {
        return err->rc;
    }
    for (size_t i = 0; i < r.n; i++) {
        if (i == 0) {
            *ret = *r.list[0];
            *ret_found = true;
        } else {
            wh_streams_join(ret, r.list[i]);
        }
    }
    return WH_OK;
}
