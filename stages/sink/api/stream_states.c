/* The streams of each connection with their states, for GET /api/v1/status. */
#include "common/event/connection.h"
#include "common/json/json_doc.h"
#include "common/judge/streams.h"
#include "stages/sink/api/api_priv.h"
#include "stages/sink/store/stream_reports.h"

enum { DOCUMENT_MAX_BYTES = 1 << 20, DOCUMENT_DEPTH = 32 };

static void put_time(struct wh_json_writer *w, const char *key, int64_t ms)
{
    char text[WH_TIME_TEXT_MAX];

    wh_jw_key(w, key);
    if (ms > 0) {
        wh_jw_str(w, wh_slice_str(wh_time_format(ms, text)));
    } else {
        wh_jw_null(w);
    }
}

static void put_count(struct wh_json_writer *w, const char *key, int64_t n)
{
    wh_jw_key(w, key);
    if (n < 0) {
        wh_jw_null(w);
    } else {
        wh_jw_int(w, n);
    }
}

/* An empty text is null. */
static void put_text(struct wh_json_writer *w, const char *key, struct wh_slice text)
{
    wh_jw_key(w, key);
    if (text.len > 0) {
        wh_jw_str(w, text);
    } else {
        wh_jw_null(w);
    }
}

/* The source kind of a stream's rows; empty: they are counted with those of another one. */
static struct wh_slice kind_of(struct wh_slice stream)
{
    static const struct {
        const char *stream;
        const char *kind;
    } kinds[] = {
        {"projects", "project"},
        {"members", "membership"},
        {"milestones", "milestone"},
        {"environments", "environment"},
        {"releases", "release"},
        {"issues", "issue"},
        {"merge_requests", "merge_request"},
        {"pipelines", "pipeline"},
        {"jobs", "job"},
        {"deployments", "deployment"},
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (wh_slice_eq(stream, wh_slice_str(kinds[i].stream))) {
            return wh_slice_str(kinds[i].kind);
        }
    }
    return wh_slice("", 0);
}

static void put_stored(struct api_job *job, struct wh_json_writer *w, struct wh_slice instance,
                       struct wh_slice stream)
{
    struct sink_watch *watch = job->api->deps.watch;
    struct wh_slice kind = kind_of(stream);
    int64_t rows = -1;
    int64_t at_ms = 0;

    if (watch && kind.len > 0) {
        rows = sink_watch_stored(watch, instance, kind, &at_ms);
    }
    put_count(w, "stored", rows);
    put_time(w, "stored_at", rows < 0 ? 0 : at_ms);
}

static void write_stream(struct api_job *job, struct wh_json_writer *w, struct wh_slice instance,
                         const struct wh_streams *all, const struct wh_stream *one)
{
    enum wh_stream_state state = wh_stream_state(all, one, wh_clock_now_ms(&job->api->deps.clock));

    wh_jw_object(w);
    wh_jw_put_str(w, "stream", one->name);
    wh_jw_put_str(w, "state", wh_slice_str(wh_stream_state_name(state)));
    wh_jw_put_str(w, "read_by", one->read_by);
    put_text(w, "tool", one->tool);
    put_text(w, "credential", one->credential);
    put_text(w, "reason", one->reason);
    put_count(w, "at_gitlab", one->at_gitlab);
    put_text(w, "counted_by", one->counted_by);
    put_stored(job, w, instance, one->name);
    put_count(w, "missing", one->missing);
    wh_jw_put_int(w, "unread", one->unread);
    put_time(w, "last_success", one->last_success_ms);
    wh_jw_put_int(w, "failing_runs", one->failing_runs);
    put_time(w, "failing_since", one->failing_since_ms);
    wh_jw_put_int(w, "projects", one->projects);
    wh_jw_put_int(w, "projects_skipped", one->skipped);
    wh_jw_end(w);
}

static void write_report(struct api_job *job, struct wh_json_writer *w, struct wh_slice instance,
                         const struct wh_streams *all)
{
    struct wh_streams_verdict v;

    wh_streams_judge(all, wh_clock_now_ms(&job->api->deps.clock), &v);
    wh_jw_object(w);
    wh_jw_put_str(w, "connection", all->connection);
    wh_jw_put_str(w, "state", wh_slice_str(v.state));
    wh_jw_put_str(w, "detail", wh_slice_str(v.detail));
    put_time(w, "reported_at", all->at_ms);
    put_time(w, "run", all->run);
    wh_jw_put_int(w, "failing_runs", all->failing_runs);
    put_time(w, "failing_since", all->failing_since_ms);
    put_text(w, "error", all->error);
    wh_jw_key(w, "streams");
    wh_jw_array(w);
    for (size_t i = 0; i < all->n; i++) {
        write_stream(job, w, instance, all, &all->list[i]);
    }
    wh_jw_end(w);
    wh_jw_end(w);
}

/* One that was disconnected is not read, and its last report says nothing any more. */
static enum wh_rc write_connection(struct api_job *job, struct wh_json_parser *parser,
                                   struct wh_slice document, struct wh_json_writer *w,
                                   struct wh_err *err)
{
    struct wh_connection c;
    struct wh_streams all;
    bool found = false;

    if (wh_connection_parse(document, parser, &job->arena, &c, err) != WH_OK) {
        return err->rc;
    }
    if (wh_connection_class(c.state) == WH_CONNECTION_MISSING) {
        return WH_OK;
    }
    if (sink_stream_report(job->api->deps.store, parser, c.id, &job->arena, &all, &found, err) !=
        WH_OK) {
        return err->rc;
    }
    if (found) {
        write_report(job, w, wh_connection_identity(&c), &all);
    }
    return WH_OK;
}

enum wh_rc api_write_streams(struct api_job *job, struct wh_json_writer *w, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(DOCUMENT_MAX_BYTES, DOCUMENT_DEPTH);
    struct wh_slice value;
    struct wh_iter *it;
    enum wh_rc rc;

    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the states of streams");
    }
    rc = wh_iter_new(job->api->deps.store, NULL, SINK_META, WH_LIT("x"), WH_LIT("y"), &it, err);
    if (rc == WH_OK) {
        wh_jw_key(w, "streams");
        wh_jw_array(w);
        for (wh_iter_seek(it, WH_LIT("x"), false); rc == WH_OK && wh_iter_valid(it, NULL, &value);
             wh_iter_step(it, false)) {
            rc = write_connection(job, parser, value, w, err);
        }
        wh_jw_end(w);
        rc = rc == WH_OK ? wh_iter_error(it, err) : rc;
        wh_iter_free(it);
    }
    wh_json_parser_free(parser);
    return rc;
}
