#include "stages/sink/api/pages/connection_parts.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/json/json_copy.h"
#include "stages/sink/ingest/freshness.h"

enum { ANSWER_MAX_BYTES = 4 << 20, PATH_BYTES = 256 };

bool part_is_name(struct wh_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c != '-' && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z')) {
            return false;
        }
    }
    return text.len > 0 && text.len < PATH_BYTES / 2;
}

/* ---- the fetcher ---- */

static enum wh_rc refused(unsigned status, struct wh_json_val root, struct wh_err *err)
{
    struct wh_slice text = wh_json_get_str(root, "error");
    enum wh_rc rc = status == 404                    ? WH_E_NOT_FOUND
                    : status == 400 || status == 409 ? WH_E_INVALID
                                                     : WH_E_UNAVAILABLE;

    return wh_fail(err, rc, "the fetcher refuses: %.*s", WH_SLICE_ARG(text));
}

enum wh_rc part_call(struct api_job *job, const char *method, const char *path,
                     struct wh_slice body, struct wh_json_parser *parser, struct wh_json_val *ret,
                     struct wh_err *err)
{
    struct api_control answer;
    enum wh_rc rc;

    if (parser == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for a parser");
    }
    rc = api_control_call(job, method, path, body, &answer, err);
    if (rc == WH_OK && wh_json_parse(parser, wh_buf_slice(&answer.body), ret, err) != WH_OK) {
        rc = wh_fail(err, WH_E_UNAVAILABLE, "the fetcher's answer, status %u, is no JSON",
                     answer.status);
    }
    if (rc == WH_OK && answer.status >= 300) {
        rc = refused(answer.status, *ret, err);
    }
    api_control_done(&answer);
    return rc;
}

/* Times of the fetcher are milliseconds since 1970, in members that end in _ms, as durations do. */
static bool is_instant(struct wh_slice key, struct wh_json_val v)
{
    return wh_slice_ends(key, WH_LIT("_ms")) && wh_json_type(v) == WH_JSON_INT &&
           wh_json_int(v) > INT64_C(100000000000);
}

static void copy(struct wh_json_writer *w, struct wh_json_val v);

static void copy_member(struct wh_json_writer *w, struct wh_slice key, struct wh_json_val v)
{
    char text[WH_TIME_TEXT_MAX];

    if (is_instant(key, v)) {
        wh_jw_key_slice(w, wh_slice(key.ptr, key.len - strlen("_ms")));
        wh_jw_str(w, wh_slice_str(wh_time_format(wh_json_int(v), text)));
    } else {
        wh_jw_key_slice(w, key);
        copy(w, v);
    }
}

static void copy(struct wh_json_writer *w, struct wh_json_val v)
{
    struct wh_json_iter it = wh_json_iter(v);
    struct wh_json_val item;
    struct wh_slice key;

    if (wh_json_type(v) == WH_JSON_OBJECT) {
        wh_jw_object(w);
        while (wh_json_next(&it, &key, &item)) {
            copy_member(w, key, item);
        }
        wh_jw_end(w);
    } else if (wh_json_type(v) == WH_JSON_ARRAY) {
        wh_jw_array(w);
        while (wh_json_next(&it, NULL, &item)) {
            copy(w, item);
        }
        wh_jw_end(w);
    } else {
        wh_jw_value(w, v);
    }
}

static void write_connection(struct wh_json_writer *w, struct wh_json_val c)
{
    struct wh_json_iter it = wh_json_iter(c);
    int64_t lists = wh_json_get_int(c, "lists", 0);
    int64_t read = wh_json_get_int(c, "lists_read", 0);
    struct wh_slice phase = wh_json_get_str(c, "phase");
    struct wh_json_val v;
    struct wh_slice key;

    wh_jw_object(w);
    while (wh_json_next(&it, &key, &v)) {
        copy_member(w, key, v);
    }
    wh_jw_put_int(w, "width", lists > 0 ? 100 * read / lists : 0);
    wh_jw_put_bool(w, "reading", !wh_slice_eq(phase, WH_LIT("idle")) && phase.len > 0);
    wh_jw_put_bool(w, "counting", lists == 0);
    wh_jw_end(w);
}

enum wh_rc part_fetcher(struct api_job *job, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(ANSWER_MAX_BYTES, PAGE_DEPTH_MAX);
    const char *path = job->id.len ? "/api/v1/status" : "/api/v1/connections";
    struct wh_json_val root;
    struct wh_json_val list;
    struct wh_json_val c;
    struct api_json j;
    enum wh_rc rc = part_call(job, "GET", path, wh_slice("", 0), parser, &root, err);

    if (rc == WH_OK) {
        api_json_begin(&j);
        wh_jw_key(&j.w, "connections");
        wh_jw_array(&j.w);
        if (wh_json_get(root, WH_LIT("connections"), &list)) {
            struct wh_json_iter it = wh_json_iter(list);

            while (wh_json_next(&it, NULL, &c)) {
                if (job->id.len == 0 || wh_slice_eq(wh_json_get_str(c, "id"), job->id)) {
                    write_connection(&j.w, c);
                }
            }
        }
        wh_jw_end(&j.w);
        rc = api_json_end(&j, job, err);
    }
    wh_json_parser_free(parser);
    return rc;
}

enum wh_rc part_session(struct api_job *job, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(ANSWER_MAX_BYTES, PAGE_DEPTH_MAX);
    struct wh_json_val root;
    struct api_json j;
    char path[PATH_BYTES];
    enum wh_rc rc;

    if (!part_is_name(job->id)) {
        wh_json_parser_free(parser);
        return wh_fail(err, WH_E_NOT_FOUND, "no such session");
    }
    (void)snprintf(path, sizeof(path), "/api/v1/connects/%.*s", WH_SLICE_ARG(job->id));
    rc = part_call(job, "GET", path, wh_slice("", 0), parser, &root, err);
    if (rc == WH_OK) {
        struct wh_slice state = wh_json_get_str(root, "state");

        api_json_begin(&j);
        wh_jw_key(&j.w, "connect");
        copy(&j.w, root);
        wh_jw_put_bool(&j.w, "running", wh_slice_eq(state, WH_LIT("running")));
        wh_jw_put_bool(&j.w, "done", wh_slice_eq(state, WH_LIT("done")));
        rc = api_json_end(&j, job, err);
    }
    wh_json_parser_free(parser);
    return rc;
}

/* ---- streams ---- */

static const char *const stream_columns[] = {"stream",  "state",      "at_gitlab",
                                             "stored",  "missing",    "last_success",
                                             "read_by", "counted_by", "reason"};

static void write_rows(struct wh_json_writer *w, struct wh_json_val streams)
{
    struct wh_json_iter it = wh_json_iter(streams);
    struct wh_json_val one;
    struct wh_json_val v;

    while (wh_json_next(&it, NULL, &one)) {
        wh_jw_object(w);
        for (size_t i = 0; i < sizeof(stream_columns) / sizeof(stream_columns[0]); i++) {
            wh_jw_key(w, stream_columns[i]);
            if (wh_json_get(one, wh_slice_str(stream_columns[i]), &v)) {
                wh_jw_value(w, v);
            } else {
                wh_jw_null(w);
            }
        }
        wh_jw_end(w);
    }
}

static void write_own_streams(const struct api_job *job, struct wh_json_val root,
                              struct wh_json_writer *w)
{
    struct wh_json_iter it = wh_json_get_iter(root, "streams");
    struct wh_json_val c;
    struct wh_json_val streams;

    wh_jw_key(w, "rows");
    wh_jw_array(w);
    while (wh_json_next(&it, NULL, &c)) {
        if (wh_slice_eq(wh_json_get_str(c, "connection"), job->id) &&
            wh_json_get(c, WH_LIT("streams"), &streams)) {
            write_rows(w, streams);
        }
    }
    wh_jw_end(w);
}

enum wh_rc part_streams(struct api_job *job, struct wh_err *err)
{
    struct wh_json_parser *parser = wh_json_parser_new(PAGE_PART_MAX_BYTES, PAGE_DEPTH_MAX);
    struct wh_json_val root;
    struct api_json all;
    struct api_json j;
    enum wh_rc rc;

    api_json_begin(&all);
    rc = parser ? api_write_streams(job, &all.w, err)
                : wh_fail(err, WH_E_NOMEM, "no memory for a parser");
    wh_jw_end(&all.w);
    if (rc == WH_OK && (rc = wh_jw_finish(&all.w, err)) == WH_OK &&
        (rc = wh_json_parse(parser, wh_buf_slice(&all.buf), &root, err)) == WH_OK) {
        api_json_begin(&j);
        write_own_streams(job, root, &j.w);
        rc = api_json_end(&j, job, err);
    }
    wh_buf_done(&all.buf);
    wh_json_parser_free(parser);
    return rc;
}

/* ---- freshness ---- */

static void put_seconds(struct wh_json_writer *w, const char *key, double s)
{
    char text[330];

    (void)snprintf(text, sizeof(text), "%.2f s", s);
    wh_jw_put_str(w, key, wh_slice_str(text));
}

static void write_quantiles(struct wh_json_writer *w, const char *kind, const char *from,
                            const char *period, const struct sink_freshness *f)
{
    if (f->count == 0) {
        return;
    }
    wh_jw_object(w);
    wh_jw_put_str(w, "kind", wh_slice_str(kind));
    wh_jw_put_str(w, "from", wh_slice_str(from));
    wh_jw_put_str(w, "period", wh_slice_str(period));
    wh_jw_put_int(w, "changes", (int64_t)f->count);
    put_seconds(w, "half_within", f->p50_s);
    put_seconds(w, "99_percent_within", f->p99_s);
    wh_jw_end(w);
}

enum wh_rc part_freshness(struct api_job *job, struct wh_err *err)
{
    struct sink_status *status = wh_mem_zalloc(1, sizeof(*status));
    struct api_json j;

    if (status == NULL) {
        return wh_fail(err, WH_E_NOMEM, "no memory for the status");
    }
    if (job->api->deps.sink) {
        sink_status_get(job->api->deps.sink, status);
    }
    api_json_begin(&j);
    wh_jw_key(&j.w, "rows");
    wh_jw_array(&j.w);
    for (unsigned o = 0; o < WH_ORIGIN_COUNT; o++) {
        write_quantiles(&j.w, "all", wh_origin_name((enum wh_origin)o), "since the start",
                        &status->freshness[o]);
    }
    for (unsigned k = WH_KIND_NONE + 1; k < WH_KIND_COUNT; k++) {
        const char *name = wh_kind_def((enum wh_kind)k)->name;

        write_quantiles(&j.w, name, "webhook", "last hour", &status->live[k].event_hour);
        write_quantiles(&j.w, name, "webhook", "last day", &status->live[k].event_day);
    }
    wh_jw_end(&j.w);
    wh_mem_free(status);
    return api_json_end(&j, job, err);
}
