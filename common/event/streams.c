#include "common/event/streams.h"

#include "common/json/json_doc.h"
#include "common/json/json_write.h"

/* ---- writing ---- */

static void put_count(struct wh_json_writer *w, const char *key, int64_t n)
{
    wh_jw_key(w, key);
    if (n < 0) {
        wh_jw_null(w);
    } else {
        wh_jw_int(w, n);
    }
}

void wh_stream_write(const struct wh_stream *s, struct wh_json_writer *w)
{
    wh_jw_put_str(w, "stream", s->name);
    wh_jw_put_str(w, "read_by", s->read_by);
    wh_jw_put_str(w, "tool", s->tool);
    wh_jw_put_str(w, "credential", s->credential);
    wh_jw_put_str(w, "reason", s->reason);
    wh_jw_put_ms(w, "last_success_ms", s->last_success_ms);
    wh_jw_put_int(w, "failing_runs", s->failing_runs);
    wh_jw_put_ms(w, "failing_since_ms", s->failing_since_ms);
    wh_jw_put_int(w, "unread", s->unread);
    wh_jw_put_int(w, "projects", s->projects);
    wh_jw_put_int(w, "projects_skipped", s->skipped);
    put_count(w, "at_gitlab", s->at_gitlab);
    wh_jw_put_str(w, "counted_by", s->counted_by);
    put_count(w, "missing", s->missing);
    wh_jw_put_bool(w, "active", s->active);
}

enum wh_rc wh_streams_write(const struct wh_streams *s, struct wh_buf *out, struct wh_err *err)
{
    struct wh_json_writer w;

    wh_json_writer_init(&w, out);
    wh_jw_object(&w);
    wh_jw_put_str(&w, "connection", s->connection);
    wh_jw_put_str(&w, "fetcher", s->fetcher);
    wh_jw_put_int(&w, "at_ms", s->at_ms);
    wh_jw_put_ms(&w, "started_ms", s->started_ms);
    wh_jw_put_ms(&w, "run", s->run);
    wh_jw_put_bool(&w, "sweeps", s->sweeps);
    wh_jw_put_ms(&w, "progress_ms", s->progress_ms);
    wh_jw_put_int(&w, "interval_ms", s->interval_ms);
    wh_jw_put_ms(&w, "succeeded_ms", s->succeeded_ms);
    wh_jw_put_int(&w, "failing_runs", s->failing_runs);
    wh_jw_put_ms(&w, "failing_since_ms", s->failing_since_ms);
    wh_jw_put_str(&w, "error", s->error);
    wh_jw_key(&w, "streams");
    wh_jw_array(&w);
    for (size_t i = 0; i < s->n; i++) {
        wh_jw_object(&w);
        wh_stream_write(&s->list[i], &w);
        wh_jw_end(&w);
    }
    wh_jw_end(&w);
    wh_jw_end(&w);
    return wh_jw_finish(&w, err);
}

/* ---- reading ---- */

static struct wh_stream take_stream(struct wh_json_val v)
{
    return (struct wh_stream){.name = wh_json_get_str(v, "stream"),
                              .read_by = wh_json_get_str(v, "read_by"),
                              .tool = wh_json_get_str(v, "tool"),
                              .credential = wh_json_get_str(v, "credential"),
                              .reason = wh_json_get_str(v, "reason"),
                              .last_success_ms = wh_json_get_int(v, "last_success_ms", 0),
                              .failing_runs = wh_json_get_int(v, "failing_runs", 0),
                              .failing_since_ms = wh_json_get_int(v, "failing_since_ms", 0),
                              .unread = wh_json_get_int(v, "unread", 0),
                              .projects = wh_json_get_int(v, "projects", 0),
                              .skipped = wh_json_get_int(v, "projects_skipped", 0),
                              .at_gitlab = wh_json_get_int(v, "at_gitlab", -1),
                              .counted_by = wh_json_get_str(v, "counted_by"),
                              .missing = wh_json_get_int(v, "missing", -1),
                              .active = wh_json_get_flag(v, "active")};
}

enum wh_rc wh_streams_parse(struct wh_slice json, struct wh_json_parser *parser,
                            struct wh_streams *ret, struct wh_err *err)
{
    struct wh_json_val root;
    struct wh_json_val list;
    struct wh_json_val one;
    struct wh_json_iter it;
    struct wh_slice key;

    if (wh_json_parse(parser, json, &root, err) != WH_OK) {
        return wh_err_prefix(err, "streams of a connection");
    }
    *ret = (struct wh_streams){.connection = wh_json_get_str(root, "connection"),
                               .fetcher = wh_json_get_str(root, "fetcher"),
                               .at_ms = wh_json_get_int(root, "at_ms", 0),
                               .started_ms = wh_json_get_int(root, "started_ms", 0),
                               .run = wh_json_get_int(root, "run", 0),
                               .sweeps = wh_json_get_flag(root, "sweeps"),
                               .progress_ms = wh_json_get_int(root, "progress_ms", 0),
                               .interval_ms = wh_json_get_int(root, "interval_ms", 0),
                               .succeeded_ms = wh_json_get_int(root, "succeeded_ms", 0),
                               .failing_runs = wh_json_get_int(root, "failing_runs", 0),
                               .failing_since_ms = wh_json_get_int(root, "failing_since_ms", 0),
                               .error = wh_json_get_str(root, "error")};
    if (ret->connection.len == 0 || ret->at_ms <= 0 ||
        !wh_json_get(root, WH_LIT("streams"), &list) || wh_json_type(list) != WH_JSON_ARRAY) {
        return wh_fail(err, WH_E_MISSING,
                       "streams of a connection: connection, at_ms or streams is missing");
    }
    for (it = wh_json_iter(list); ret->n < WH_STREAMS_MAX && wh_json_next(&it, &key, &one);) {
        ret->list[ret->n++] = take_stream(one);
    }
    return WH_OK;
}

enum wh_rc wh_streams_keep(struct wh_streams *s, struct wh_arena *arena, struct wh_err *err)
{
    struct wh_slice *texts[] = {&s->connection, &s->fetcher, &s->error};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (wh_arena_dup(arena, *texts[i], texts[i], err) != WH_OK) {
            return err->rc;
        }
    }
    for (size_t i = 0; i < s->n; i++) {
        struct wh_stream *one = &s->list[i];
        struct wh_slice *parts[] = {&one->name,       &one->read_by, &one->tool,
                                    &one->credential, &one->reason,  &one->counted_by};

        for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++) {
            if (wh_arena_dup(arena, *parts[k], parts[k], err) != WH_OK) {
                return err->rc;
            }
        }
    }
    return WH_OK;
}
