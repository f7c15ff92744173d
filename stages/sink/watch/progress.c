/* How far connections are, as their documents in the store say. */
#include <stdio.h>
#include <string.h>

#include "stages/sink/store/keyspace.h"
#include "stages/sink/watch/watch_priv.h"

enum { RUNS_MAX = 100, KEY_MAX_BYTES = 128, COUNT_EVERY_MS = 60000 };

/* ---- last success ---- */

static bool is_ok(struct sink_watch *w, struct wh_slice run, int64_t *ret_ms)
{
    struct wh_json_val root;
    struct wh_json_val ok;
    struct wh_err ignored;

    if (wh_json_parse(w->json, run, &root, &ignored) != WH_OK ||
        !wh_json_get(root, WH_LIT("ok"), &ok) || wh_json_type(ok) != WH_JSON_BOOL ||
        !wh_json_bool(ok)) {
        return false;
    }
    *ret_ms = wh_json_get_int(root, "finished_at_ms", 0);
    return true;
}

/* The newest of the last runs that was a success; 0 when none was. */
static enum wh_rc find_success(struct sink_watch *w, struct wh_slice connection, int64_t *ret_ms,
                               struct wh_err *err)
{
    char from[KEY_MAX_BYTES];
    char to[KEY_MAX_BYTES];
    int n = snprintf(from, sizeof(from), "r%.*s%c", WH_SLICE_ARG(connection), 0);
    struct wh_slice value;
    struct wh_slice key;
    struct wh_iter *it;
    enum wh_rc rc;
    int looked = 0;

    (void)snprintf(to, sizeof(to), "r%.*s%c", WH_SLICE_ARG(connection), 1);
    *ret_ms = 0;
    if (wh_iter_new(w->deps.store, NULL, SINK_META, wh_slice(from, (size_t)n),
                    wh_slice(to, (size_t)n), &it, err) != WH_OK) {
        return err->rc;
    }
    for (wh_iter_seek(it, WH_LIT(""), true);
         looked < RUNS_MAX && wh_iter_valid(it, &key, &value) && !is_ok(w, value, ret_ms);
         wh_iter_step(it, true)) {
        looked++;
    }
    rc = wh_iter_error(it, err);
    wh_iter_free(it);
    return rc;
}

/* ---- numbers ---- */

static struct watch_count *count_of(struct sink_watch *w, struct wh_slice connection,
                                    struct wh_slice kind)
{
    struct watch_count *n;

    for (size_t i = 0; i < w->n_counts; i++) {
        n = &w->counts[i];
        if (wh_slice_eq(connection, wh_slice_str(n->connection)) &&
            wh_slice_eq(kind, wh_slice_str(n->kind))) {
            return n;
        }
    }
    if (w->n_counts == WATCH_COUNTS_MAX || connection.len == 0 || kind.len == 0 ||
        connection.len >= sizeof(n->connection) || kind.len >= sizeof(n->kind)) {
        return NULL;
    }
    n = &w->counts[w->n_counts++];
    *n = (struct watch_count){.numbers = 0};
    memcpy(n->connection, connection.ptr, connection.len);
    memcpy(n->kind, kind.ptr, kind.len);
    return n;
}

/* A document "<connection>:completeness:<project>". */
static void add_project(struct sink_watch *w, struct wh_slice connection, struct wh_slice document)
{
    struct wh_json_val root;
    struct wh_json_val streams;
    struct wh_json_val numbers;
    struct wh_json_iter it;
    struct wh_slice kind;
    struct wh_err ignored;

    if (wh_json_parse(w->json, document, &root, &ignored) != WH_OK ||
        !wh_json_get(root, WH_LIT("streams"), &streams)) {
        return;
    }
    for (it = wh_json_iter(streams); wh_json_next(&it, &kind, &numbers);) {
        struct watch_count *n = count_of(w, connection, kind);

        if (n) {
            n->numbers += wh_json_get_int(numbers, "expected", 0);
            n->have += wh_json_get_int(numbers, "have", 0);
            n->missing += wh_json_get_int(numbers, "missing", 0);
        }
    }
}

static enum wh_rc count_numbers(struct sink_watch *w, struct wh_err *err)
{
    struct wh_slice value;
    struct wh_slice key;
    struct wh_iter *it;
    enum wh_rc rc;

    w->n_counts = 0;
    if (wh_iter_new(w->deps.store, NULL, SINK_META, WH_LIT("h"), WH_LIT("i"), &it, err) != WH_OK) {
        return err->rc;
    }
    for (wh_iter_seek(it, WH_LIT("h"), false); wh_iter_valid(it, &key, &value);
         wh_iter_step(it, false)) {
        const char *zero = memchr(key.ptr, 0, key.len);
        size_t at = zero ? (size_t)(zero - key.ptr) : key.len;

        if (at < key.len && wh_slice_starts(wh_slice_from(key, at + 1), WH_LIT("completeness:"))) {
            add_project(w, wh_slice(key.ptr + 1, at - 1), value);
        }
    }
    rc = wh_iter_error(it, err);
    wh_iter_free(it);
    return rc;
}

enum wh_rc watch_progress(struct sink_watch *w, struct wh_err *err)
{
    int64_t now_ms = w->evidence.now_ms;

    for (size_t i = 0; i < w->evidence.n_connections; i++) {
        if (find_success(w, w->evidence.connections[i].id, &w->success_ms[i], err) != WH_OK) {
            return err->rc;
        }
    }
    /* One document for each project: too many for every look. */
    if (w->n_counts == 0 || now_ms - w->counted_ms >= COUNT_EVERY_MS || now_ms < w->counted_ms) {
        w->counted_ms = now_ms;
        return count_numbers(w, err);
    }
    return WH_OK;
}
