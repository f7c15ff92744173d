/* What the store says of connections, for GET /api/v1/status: what was set aside, and the last success of each
 * connection and stream. */
#include <stdio.h>
#include <string.h>

#include "common/json/json_doc.h"
#include "stages/sink/api/api_priv.h"

enum {
    SET_ASIDE_MAX = 20000, /* counted, over all connections */
    RUNS_MAX = 100,        /* looked at, of one connection */
    STREAMS_MAX = 32,
    NAME_BYTES = 48,
    ID_BYTES = 72,
    DOCUMENT_MAX_BYTES = 1 << 20,
    DOCUMENT_DEPTH = 16,
};

/* The part of a key behind its letter and before the zero. */
static struct wh_slice connection_of(struct wh_slice key)
{
    const char *zero = key.len > 1 ? memchr(key.ptr + 1, '\0', key.len - 1) : NULL;

    return zero ? wh_slice(key.ptr + 1, (size_t)(zero - key.ptr) - 1) : wh_slice("", 0);
}

/* ---- set aside ---- */

struct counting {
    char connection[ID_BYTES];
    int64_t n;
};

static void write_count(struct wh_json_writer *w, const struct counting *c, bool or_more)
{
    if (c->n > 0) {
        wh_jw_object(w);
        wh_jw_put_str(w, "connection", wh_slice_str(c->connection));
        wh_jw_put_int(w, "values", c->n);
        wh_jw_put_bool(w, "or_more", or_more);
        wh_jw_end(w);
    }
}

enum wh_rc api_write_set_aside(struct api_job *job, struct wh_json_writer *w, struct wh_err *err)
{
    struct counting c = {.n = 0};
    struct wh_slice key;
    struct wh_iter *it;
    enum wh_rc rc;
    int seen = 0;

    if (wh_iter_new(job->api->deps.store, NULL, SINK_META, WH_LIT("s"), WH_LIT("t"), &it, err) !=
        WH_OK) {
        return err->rc;
    }
    wh_jw_key(w, "set_aside");
    wh_jw_array(w);
    for (wh_iter_seek(it, WH_LIT("s"), false);
         seen < SET_ASIDE_MAX && wh_iter_valid(it, &key, NULL); wh_iter_step(it, false), seen++) {
        struct wh_slice connection = connection_of(key);

        if (!wh_slice_eq(connection, wh_slice_str(c.connection))) {
            write_count(w, &c, false);
            c.n = 0;
            (void)snprintf(c.connection, sizeof(c.connection), "%.*s", WH_SLICE_ARG(connection));
        }
        c.n++;
    }
    write_count(w, &c, seen == SET_ASIDE_MAX);
    wh_jw_end(w);
    rc = wh_iter_error(it, err);
    wh_iter_free(it);
    return rc;
}

/* ---- last success ---- */

/* When each stream was last read without a failure or an omission. */
struct successes {
    char connection[ID_BYTES];
    int64_t at_ms; /* of a whole run; 0: none */
    struct {
        char name[NAME_BYTES];
        int64_t at_ms; /* 0: never */
    } streams[STREAMS_MAX];
    size_t n;
    int runs;
};

static void note_stream(struct successes *s, struct wh_slice name, int64_t at_ms)
{
    size_t i = 0;

    while (i < s->n && !wh_slice_eq(name, wh_slice_str(s->streams[i].name))) {
        i++;
    }
    if (i == s->n) {
        if (s->n == STREAMS_MAX || name.len >= NAME_BYTES) {
            return;
        }
        (void)snprintf(s->streams[s->n++].name, NAME_BYTES, "%.*s", WH_SLICE_ARG(name));
    }
    if (s->streams[i].at_ms == 0) {
        s->streams[i].at_ms = at_ms;
    }
}

/* Newer runs come first. */
static void note_run(struct successes *s, struct wh_json_val run)
{
    int64_t at_ms = wh_json_get_int(run, "finished_at_ms", 0);
    struct wh_json_val streams;
    struct wh_json_val n;
    struct wh_json_val ok;
    struct wh_json_iter it;
    struct wh_slice name;

    s->runs++;
    if (s->at_ms == 0 && wh_json_get(run, WH_LIT("ok"), &ok) && wh_json_type(ok) == WH_JSON_BOOL &&
        wh_json_bool(ok)) {
        s->at_ms = at_ms;
    }
    if (at_ms == 0 || !wh_json_get(run, WH_LIT("streams"), &streams)) {
        return;
    }
    for (it = wh_json_iter(streams); wh_json_next(&it, &name, &n);) {
        bool read = wh_json_get_int(n, "pages", 0) > 0 || wh_json_get_int(n, "rows", 0) > 0;
        bool whole = wh_json_get_int(n, "failed", 0) == 0 && wh_json_get_int(n, "skipped", 0) == 0;

        if (read || !whole) {
            note_stream(s, name, whole ? at_ms : 0);
        }
    }
}

static void put_time(struct wh_json_writer *w, int64_t ms)
{
    char text[WH_TIME_TEXT_MAX];

    if (ms > 0) {
        wh_jw_str(w, wh_slice_str(wh_time_format(ms, text)));
    } else {
        wh_jw_null(w);
    }
}

static void write_successes(struct wh_json_writer *w, const struct successes *s)
{
    if (s->runs == 0) {
        return;
    }
    wh_jw_object(w);
    wh_jw_put_str(w, "connection", wh_slice_str(s->connection));
    wh_jw_key(w, "at");
    put_time(w, s->at_ms);
    wh_jw_key(w, "streams");
    wh_jw_object(w);
    for (size_t i = 0; i < s->n; i++) {
        wh_jw_key(w, s->streams[i].name);
        put_time(w, s->streams[i].at_ms);
    }
    wh_jw_end(w);
    wh_jw_end(w);
}

/* Backwards: the runs of each connection from the newest on. */
static void each_run(struct wh_iter *it, struct wh_json_parser *parser, struct wh_json_writer *w)
{
    struct successes s = {.runs = 0};
    struct wh_json_val run;
    struct wh_slice value;
    struct wh_slice key;
    struct wh_err ignored;

    for (wh_iter_seek(it, WH_LIT(""), true); wh_iter_valid(it, &key, &value);
         wh_iter_step(it, true)) {
        struct wh_slice connection = connection_of(key);

        if (!wh_slice_eq(connection, wh_slice_str(s.connection))) {
            write_successes(w, &s);
            s = (struct successes){.runs = 0};
            (void)snprintf(s.connection, sizeof(s.connection), "%.*s", WH_SLICE_ARG(connection));
        }
        if (s.runs < RUNS_MAX && wh_json_parse(parser, value, &run, &ignored) == WH_OK) {
            note_run(&s, run);
        }
    }
    write_successes(w, &s);
}

enum wh_rc api_write_successes(struct api_job *job, struct wh_json_writer *w, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(DOCUMENT_MAX_BYTES, DOCUMENT_DEPTH);
    struct wh_iter *it = NULL;
    enum wh_rc rc;

    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the last successes");
    }
    rc = wh_iter_new(job->api->deps.store, NULL, SINK_META, WH_LIT("r"), WH_LIT("s"), &it, err);
    if (rc == WH_OK) {
        wh_jw_key(w, "last_success");
        wh_jw_array(w);
        each_run(it, parser, w);
        wh_jw_end(w);
        rc = wh_iter_error(it, err);
        wh_iter_free(it);
    }
    wh_json_parser_free(parser);
    return rc;
}
